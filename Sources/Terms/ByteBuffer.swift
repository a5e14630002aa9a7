// ByteBuffer.swift: bytes that are written one after the other into growing memory: external terms, printed terms.
// The owner frees it by letting it go; `takeMemory` hands the memory over instead.

import Glibc

public struct ByteBuffer: ~Copyable {
    public private(set) var start: UnsafeMutablePointer<UInt8>
    public var count: Int
    @usableFromInline var capacity: Int

    public init(capacity: Int = 256) {
        guard let memory = malloc(max(capacity, 16)) else { outOfMemory(capacity) }
        start = memory.assumingMemoryBound(to: UInt8.self)
        count = 0
        self.capacity = max(capacity, 16)
    }

    deinit { free(start) }

    public var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Room for `more` bytes behind `count`.
    @inlinable public mutating func reserve(_ more: Int) {
        if capacity &- count < more { grow(more) }
    }

    @inline(never) @usableFromInline mutating func grow(_ more: Int) {
        let larger = max(capacity &* 2, count &+ more)
        guard let memory = realloc(start, larger) else { outOfMemory(larger) }
        start = memory.assumingMemoryBound(to: UInt8.self)
        capacity = larger
    }

    @inlinable public mutating func append(_ byte: UInt8) {
        reserve(1)
        start[count] = byte
        count &+= 1
    }

    public mutating func append(_ bytes: UnsafePointer<UInt8>, count more: Int) {
        guard more > 0 else { return }
        reserve(more)
        memcpy(start + count, bytes, more)
        count &+= more
    }

    public mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if let first = bytes.baseAddress { append(first, count: bytes.count) }
    }

    public mutating func append(_ text: StaticString) { append(text.utf8Start, count: text.utf8CodeUnitCount) }

    public mutating func append(text: String) {
        var text = text
        text.withUTF8 { append($0) }
    }

    /// Big-endian numbers.
    @inlinable public mutating func append16(_ value: Int) {
        reserve(2)
        UnsafeMutableRawPointer(start + count)
            .storeBytes(of: UInt16(truncatingIfNeeded: value).bigEndian, as: UInt16.self)
        count &+= 2
    }

    @inlinable public mutating func append32(_ value: Int) {
        reserve(4)
        store32(value, at: count)
        count &+= 4
    }

    @inlinable public mutating func append64(_ value: UInt64) {
        reserve(8)
        UnsafeMutableRawPointer(start + count).storeBytes(of: value.bigEndian, as: UInt64.self)
        count &+= 8
    }

    /// Requires: four bytes from `offset` on are written already or reserved.
    @inlinable public mutating func store32(_ value: Int, at offset: Int) {
        UnsafeMutableRawPointer(start + offset)
            .storeBytes(of: UInt32(truncatingIfNeeded: value).bigEndian, as: UInt32.self)
    }

    /// Decimal digits, with a sign if negative.
    public mutating func appendDecimal(_ value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(unsigned: UInt64(value.magnitude))
    }

    public mutating func appendDecimal(unsigned value: UInt64) {
        reserve(20)
        var rest = value
        var digits = 1
        var power: UInt64 = 10
        while digits < 20, rest >= power {
            digits += 1
            let (next, overflow) = power.multipliedReportingOverflow(by: 10)
            if overflow { break }
            power = next
        }
        count += digits
        var position = count
        for _ in 0..<digits {
            position -= 1
            start[position] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        }
    }
}
