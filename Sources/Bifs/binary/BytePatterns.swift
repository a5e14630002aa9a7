// BytePatterns.swift: search for one or several byte strings in bytes.
//
// One pattern is searched with memchr or memmem. Several become an Aho-Corasick automaton with a dense table over
// classes of bytes: all bytes that occur in no pattern are one class. A match is the leftmost one, and of those the
// longest.

import CMachine
import Glibc
import Terms

/// What a compiled pattern's magic binary points at.
final class BytePatterns {
    /// The only pattern; empty if there are several.
    private let single: [UInt8]
    private var classOf = [UInt8](repeating: 0, count: 256)
    private var classCount = 1
    /// State after reading a byte of a class: index state * classCount + class.
    private var next: [UInt32] = []
    /// Per state: length of the longest pattern that ends here (0: none), and of the text the state stands for.
    private var outputLength: [UInt32] = []
    private var depth: [UInt32] = []

    var isSingle: Bool { !single.isEmpty }

    init(single: [UInt8]) { self.single = single }

    init(several patterns: [[UInt8]]) {
        single = []
        for pattern in patterns {
            for byte in pattern where classOf[Int(byte)] == 0 && classCount < 256 {
                classOf[Int(byte)] = UInt8(classCount)
                classCount += 1
            }
        }
        // With all 256 byte values in use the last one found shares class 0, which then stands for it alone.
        addState(depth: 0)
        for pattern in patterns { add(pattern) }
        linkFailures()
    }

    private func addState(depth value: UInt32) {
        next += [UInt32](repeating: .max, count: classCount)
        outputLength.append(0)
        depth.append(value)
    }

    private func add(_ pattern: [UInt8]) {
        var state = 0
        for byte in pattern {
            let slot = state * classCount + Int(classOf[Int(byte)])
            if next[slot] == .max {
                let made = depth.count
                addState(depth: depth[state] + 1)
                next[slot] = UInt32(made)
            }
            state = Int(next[slot])
        }
        outputLength[state] = UInt32(pattern.count)
    }

    /// Fills the missing transitions in the order of depth, so that the failure state's row is complete before.
    private func linkFailures() {
        var failure = [UInt32](repeating: 0, count: depth.count)
        var queue: [Int] = []
        for column in 0..<classCount {
            if next[column] == .max { next[column] = 0 } else { queue.append(Int(next[column])) }
        }
        var head = 0
        while head < queue.count {
            let state = queue[head]
            head += 1
            let fallback = Int(failure[state])
            if outputLength[state] == 0 { outputLength[state] = outputLength[fallback] }
            for column in 0..<classCount {
                let slot = state * classCount + column
                let target = next[fallback * classCount + column]
                if next[slot] == .max {
                    next[slot] = target
                } else {
                    failure[Int(next[slot])] = target
                    queue.append(Int(next[slot]))
                }
            }
        }
    }

    /// Bytes searched between two pauses on a fiber.
    private static let piece = 32 << 10

    /// `find` that pauses on a fiber. Nil also when the process is ending.
    func search(_ bytes: UnsafePointer<UInt8>, from start: Int, end: Int) -> (position: Int, count: Int)? {
        guard isSingle else { return find(bytes, from: start, end: end) }
        var from = start
        while end - from > BytePatterns.piece {
            // A match may begin at the last byte of the piece.
            let to = min(from + BytePatterns.piece + single.count - 1, end)
            if let found = find(bytes, from: from, end: to) {
                return vm_breathe(Int64(found.position - from) / 10) ? found : nil
            }
            from += BytePatterns.piece
            if !vm_breathe(Int64(BytePatterns.piece / 10)) { return nil }
        }
        let found = find(bytes, from: from, end: end)
        return vm_breathe(Int64((found?.position ?? end) - from) / 10 + 1) ? found : nil
    }

    /// The first match in `from..<end` of `bytes`.
    func find(_ bytes: UnsafePointer<UInt8>, from start: Int, end: Int) -> (position: Int, count: Int)? {
        if isSingle {
            guard end - start >= single.count else { return nil }
            if single.count == 1 {
                guard let found = memchr(bytes + start, Int32(single[0]), end - start) else { return nil }
                return (UnsafeRawPointer(found) - UnsafeRawPointer(bytes), 1)
            }
            guard let found = vm_find(bytes + start, end - start, single, single.count) else { return nil }
            return (found - bytes, single.count)
        }
        return findSeveral(bytes, start, end)
    }

    private func findSeveral(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> (position: Int, count: Int)? {
        next.withUnsafeBufferPointer { next in
            classOf.withUnsafeBufferPointer { classOf in
                var state = 0
                var bestStart = Int.max
                var bestCount = 0
                for index in start..<end {
                    if (index &- start) & 8191 == 8191, !vm_breathe(820) { return nil }
                    state = Int(next[state &* classCount &+ Int(classOf[Int(bytes[index])])])
                    // No text that the automaton still follows starts early enough to win.
                    if bestCount > 0, index &+ 1 &- Int(depth[state]) > bestStart { break }
                    let length = Int(outputLength[state])
                    if length > 0 {
                        let position = index &+ 1 &- length
                        if position < bestStart || position == bestStart && length > bestCount {
                            bestStart = position
                            bestCount = length
                        }
                    }
                }
                return bestCount > 0 ? (bestStart, bestCount) : nil
            }
        }
    }
}
