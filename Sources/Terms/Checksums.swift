// Checksums.swift: zlib's checksums for parts that do not link zlib.

import CZlib

/// Largest run that zlib's 32-bit lengths take at once.
private let checksumRun = 1 << 30

public func updateCrc32(_ sum: UInt32, _ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
    var sum = UInt(sum)
    var done = 0
    while done < bytes.count {
        let count = min(bytes.count - done, checksumRun)
        sum = crc32(sum, bytes.baseAddress! + done, UInt32(count))
        done += count
    }
    return UInt32(truncatingIfNeeded: sum)
}

public func updateAdler32(_ sum: UInt32, _ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
    var sum = UInt(sum)
    var done = 0
    while done < bytes.count {
        let count = min(bytes.count - done, checksumRun)
        sum = adler32(sum, bytes.baseAddress! + done, UInt32(count))
        done += count
    }
    return UInt32(truncatingIfNeeded: sum)
}

/// The sum of two runs one after the other, given the sum of each and the length of the second.
public func combineCrc32(_ first: UInt32, _ second: UInt32, count: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: crc32_combine(UInt(first), UInt(second), count))
}

/// As `combineCrc32`, for Adler-32.
public func combineAdler32(_ first: UInt32, _ second: UInt32, count: Int) -> UInt32 {
    count == 0 ? first : UInt32(truncatingIfNeeded: adler32_combine(UInt(first), UInt(second), count))
}
