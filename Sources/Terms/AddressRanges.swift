// AddressRanges.swift: ranges of addresses in memory of their own, sorted, for threads that look without a lock.
//
//     count | start 0 | end 0 | start 1 | end 1 | ...

import CMachine
import Glibc

public enum AddressRanges {
    /// Requires: the ranges do not overlap.
    public static func make(_ ranges: [Range<UInt>]) -> Words {
        let size = (1 + 2 * ranges.count) * 8
        guard let memory = malloc(size) else { outOfMemory(size) }
        let words = memory.assumingMemoryBound(to: UInt64.self)
        words[0] = UInt64(ranges.count)
        for (index, range) in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }).enumerated() {
            words[1 + 2 * index] = UInt64(range.lowerBound)
            words[2 + 2 * index] = UInt64(range.upperBound)
        }
        return words
    }

    /// Index of the range that `address` lies in.
    public static func find(_ ranges: Words, _ address: UInt64) -> Int? {
        var low = 0
        var high = Int(ranges[0])
        while low < high {
            let middle = (low &+ high) / 2
            if address < ranges[1 &+ 2 &* middle] {
                high = middle
            } else if address >= ranges[2 &+ 2 &* middle] {
                low = middle &+ 1
            } else {
                return middle
            }
        }
        return nil
    }
}
