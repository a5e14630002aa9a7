// Bits.swift: runs of bits in memory. Bit 0 of a run is the most significant bit of its first byte. Nothing here
// reads a byte that holds no bit of the run, or changes a bit outside the target run.

public import CMachine
import Glibc

/// The bits of a bit string: `size` bits, the first at bit `offset` (0-7, from the most significant) of `base[0]`.
/// Valid until the heap that holds the term is collected.
@frozen public struct Bits {
    public var base: Bytes
    public var offset: Int
    public var size: Int

    @inlinable public init(base: Bytes, offset: Int, size: Int) {
        self.base = base
        self.offset = offset
        self.size = size
    }

    /// Requires: isBitstring.
    @inlinable public init(_ term: Term) {
        let object = term.pointer
        if Header.subtag(object[0]) == Subtag.subBinary {
            base = Term(raw: object[4]).originalBytes + Int(truncatingIfNeeded: object[2])
            offset = Int(truncatingIfNeeded: object[3] &>> 8 & 7)
            size = Int(truncatingIfNeeded: object[1]) &* 8 &+ Int(truncatingIfNeeded: object[3] & 7)
        } else {
            base = term.originalBytes
            offset = 0
            size = Int(truncatingIfNeeded: object[1]) &* 8
        }
    }

    @inlinable public var isWholeBytes: Bool { size & 7 == 0 }
    /// Bytes that `size` bits fill, rounded up.
    @inlinable public var byteCount: Int { (size &+ 7) &>> 3 }

    /// Copies all bits to `target`, starting at bit 0 of it. Unused bits of the last target byte stay.
    @inlinable public func copy(to target: Bytes) { copyBits(base, offset, target, 0, size) }

    /// Less than, equal to or greater than zero: order of bit strings (bit by bit, a prefix is less).
    public static func compare(_ a: Bits, _ b: Bits) -> Int {
        let order = compareBits(a.base, a.offset, b.base, b.offset, a.size < b.size ? a.size : b.size)
        return order != 0 ? order : a.size < b.size ? -1 : a.size > b.size ? 1 : 0
    }

    public static func equal(_ a: Bits, _ b: Bits) -> Bool {
        a.size == b.size && compareBits(a.base, a.offset, b.base, b.offset, a.size) == 0
    }
}

/// The bytes of a binary, contiguous: the term's own when it starts at a byte boundary, else a copy that `release`
/// frees. Valid until the heap is collected.
@frozen public struct ByteView {
    public let start: Bytes
    public let count: Int
    @usableFromInline let isCopy: Bool

    /// Nil unless `term` is a binary of whole bytes.
    public init?(_ term: Term) {
        guard term.isBinary else { return nil }
        self.init(wholeBytesOf: Bits(term))
    }

    /// The whole bytes of `bits`; bits beyond them are left out.
    public init(wholeBytesOf bits: Bits) {
        count = bits.size >> 3
        isCopy = bits.offset != 0
        if isCopy {
            guard let memory = malloc(max(count, 1)) else { outOfMemory(count) }
            start = memory.assumingMemoryBound(to: UInt8.self)
            copyBits(bits.base, bits.offset, start, 0, count << 3)
        } else {
            start = bits.base
        }
    }

    /// `count` bytes for the caller to fill.
    public init(allocating count: Int) {
        guard let memory = malloc(max(count, 1)) else { outOfMemory(count) }
        start = memory.assumingMemoryBound(to: UInt8.self)
        self.count = count
        isCopy = true
    }

    @inlinable public var buffer: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }

    public func release() {
        if isCopy { free(start) }
    }
}

// MARK: - Words

/// The 8 bytes at `p` as a big-endian number.
@inlinable public func loadBig64(_ p: UnsafePointer<UInt8>) -> UInt64 {
    UInt64(bigEndian: UnsafeRawPointer(p).loadUnaligned(as: UInt64.self))
}

@inlinable public func storeBig64(_ p: Bytes, _ value: UInt64) {
    UnsafeMutableRawPointer(p).storeBytes(of: value.bigEndian, as: UInt64.self)
}

/// The 64 bits from bit `offset` (0-7) of `p`. Requires: they exist.
@inlinable func readWord(_ p: UnsafePointer<UInt8>, _ offset: Int) -> UInt64 {
    let word = loadBig64(p)
    if offset == 0 { return word }
    return word &<< UInt64(offset) | UInt64(p[8]) &>> UInt64(8 &- offset)
}

/// `count` bits (0-64) from bit `position` of `base` as an unsigned number.
@inlinable public func readBits(_ base: UnsafePointer<UInt8>, _ position: Int, _ count: Int) -> UInt64 {
    guard count > 0 else { return 0 }
    var p = base + position &>> 3
    let offset = position & 7
    if count == 64 { return readWord(p, offset) }
    let last = offset &+ count
    var value = UInt64(p[0]) & (0xFF &>> UInt64(offset))
    var taken = 8
    while taken &+ 8 <= last {
        p += 1
        value = value &<< 8 | UInt64(p[0])
        taken &+= 8
    }
    if taken >= last { return value &>> UInt64(taken &- last) }
    let rest = UInt64(last &- taken)
    return value &<< rest | UInt64(p[1]) &>> (8 &- rest)
}

/// Writes the low `count` bits (0-64) of `value` from bit `position` of `base` on.
@inlinable public func writeBits(_ base: Bytes, _ position: Int, _ count: Int, _ value: UInt64) {
    guard count > 0 else { return }
    var p = base + position &>> 3
    let offset = position & 7
    var left = count
    if offset != 0 {
        let room = 8 &- offset
        let taken = left < room ? left : room
        let shift = UInt64(room &- taken)
        let mask = UInt8(truncatingIfNeeded: (1 &<< UInt64(taken) &- 1) &<< shift)
        let bits = UInt8(truncatingIfNeeded: (value &>> UInt64(left &- taken)) &<< shift)
        p[0] = p[0] & ~mask | bits & mask
        p += 1
        left &-= taken
    }
    while left >= 8 {
        left &-= 8
        p[0] = UInt8(truncatingIfNeeded: value &>> UInt64(left))
        p += 1
    }
    if left > 0 {
        let mask = UInt8(truncatingIfNeeded: 0xFF00 &>> UInt64(left))
        p[0] = p[0] & ~mask | UInt8(truncatingIfNeeded: value &<< UInt64(8 &- left)) & mask
    }
}

// MARK: - Runs

/// Copies `count` bits from bit `sourcePosition` of `source` to bit `targetPosition` of `target`. The runs do not
/// overlap. Other bits of the target's first and last byte stay as they are.
@inlinable public func copyBits(
    _ source: UnsafePointer<UInt8>, _ sourcePosition: Int, _ target: Bytes, _ targetPosition: Int, _ count: Int
) {
    if (sourcePosition | targetPosition | count) & 7 == 0 {
        (target + targetPosition &>> 3).update(from: source + sourcePosition &>> 3, count: count &>> 3)
    } else {
        copyLooseBits(source, sourcePosition, target, targetPosition, count)
    }
}

/// `copyBits` that pauses on a fiber.
public func copyManyBits(
    _ source: UnsafePointer<UInt8>, _ sourcePosition: Int, _ target: Bytes, _ targetPosition: Int, _ count: Int
) {
    var done = 0
    while count &- done > 1 << 20 {
        copyBits(source, sourcePosition &+ done, target, targetPosition &+ done, 1 << 20)
        done &+= 1 << 20
        if !vm_breathe(128) { return }
    }
    copyBits(source, sourcePosition &+ done, target, targetPosition &+ done, count &- done)
}

/// `copyBits` for runs that do not start or end at byte boundaries.
@inline(never) @usableFromInline func copyLooseBits(
    _ source: UnsafePointer<UInt8>, _ sourcePosition: Int, _ target: Bytes, _ targetPosition: Int, _ count: Int
) {
    var from = sourcePosition
    var to = targetPosition
    var left = count
    let head = min((8 &- to & 7) & 7, left)
    writeBits(target, to, head, readBits(source, from, head))
    from &+= head
    to &+= head
    left &-= head
    let offset = from & 7
    var p = source + from &>> 3
    var q = target + to &>> 3
    if offset == 0 {
        memcpy(q, p, left &>> 3)
        p += left &>> 3
        q += left &>> 3
    } else {
        while left >= 64 {
            storeBig64(q, readWord(p, offset))
            p += 8
            q += 8
            left &-= 64
        }
        while left >= 8 {
            q[0] = p[0] &<< UInt8(offset) | p[1] &>> UInt8(8 &- offset)
            p += 1
            q += 1
            left &-= 8
        }
    }
    left &= 7
    writeBits(q, 0, left, readBits(p, offset, left))
}

/// Less than, equal to or greater than zero: the order of two runs of `count` bits.
public func compareBits(
    _ a: UnsafePointer<UInt8>, _ aPosition: Int, _ b: UnsafePointer<UInt8>, _ bPosition: Int, _ count: Int
) -> Int {
    var p = a + aPosition &>> 3
    var q = b + bPosition &>> 3
    let aOffset = aPosition & 7
    let bOffset = bPosition & 7
    var left = count
    if aOffset | bOffset == 0 {
        let order = memcmp(p, q, left &>> 3)
        if order != 0 { return Int(order) }
        p += left &>> 3
        q += left &>> 3
        left &= 7
    } else {
        while left >= 64 {
            let x = readWord(p, aOffset)
            let y = readWord(q, bOffset)
            if x != y { return x < y ? -1 : 1 }
            p += 8
            q += 8
            left &-= 64
        }
    }
    let x = readBits(p, aOffset, left)
    let y = readBits(q, bOffset, left)
    return x < y ? -1 : x > y ? 1 : 0
}
