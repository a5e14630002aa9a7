// ByteReader.swift: a bounds-checked big-endian reader over raw bytes. It never copies; the bytes must outlive it.

/// Reads numbers from `bytes` from front to back.
public struct ByteReader {
    public let bytes: UnsafeRawBufferPointer
    public private(set) var offset = 0

    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    public var remaining: Int { bytes.count - offset }

    private mutating func take(_ count: Int) throws(LoadError) -> Int {
        guard count >= 0, count <= remaining else { throw LoadError(.truncated, at: offset) }
        let start = offset
        offset += count
        return start
    }

    public mutating func u8() throws(LoadError) -> Int { Int(bytes[try take(1)]) }

    public mutating func u16() throws(LoadError) -> Int {
        let at = try take(2)
        return Int(bytes[at]) << 8 | Int(bytes[at + 1])
    }

    public mutating func u32() throws(LoadError) -> Int {
        let at = try take(4)
        return Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
    }

    public mutating func slice(_ count: Int) throws(LoadError) -> UnsafeRawBufferPointer {
        let at = try take(count)
        return UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
    }

    /// A table size, checked against the bytes left before anything is allocated for it.
    public mutating func count(itemSize: Int) throws(LoadError) -> Int {
        let at = offset
        let count = try u32()
        guard count <= remaining / itemSize else { throw LoadError(.badCount, at: at) }
        return count
    }

    /// The value of a compact term that must be small, and its tag (beam-format, section 4).
    public mutating func compact() throws(LoadError) -> (tag: UInt8, value: Int) {
        let at = offset
        let first = try u8()
        let tag = UInt8(first & 7)
        if first & 8 == 0 { return (tag, first >> 4) }
        if first & 16 == 0 { return (tag, (first >> 5) << 8 | (try u8())) }
        guard first >> 5 < 7 else { throw LoadError(.badNumber, at: at) }
        let size = first >> 5 + 2
        let start = try take(size)
        var value = tag == 1 && bytes[start] & 0x80 != 0 ? -1 : 0
        for index in start..<start + size { value = value << 8 | Int(bytes[index]) }
        guard tag == 1 || value >= 0 else { throw LoadError(.badNumber, at: at) }
        return (tag, value)
    }
}
