// BitMatch.swift: matching of bit strings. A match context is a mutable boxed object of Erlang code under way; its
// position advances when a field was taken and stays when one did not match. It never reaches a program as a term.
//
// The context names the heap binary or handle itself; word 2 is that object's first byte, so that whoever moves
// objects sets it again from word 1. Positions and the end count bits from there.

public import CMachine

/// Flag bits of bit-syntax segments.
@frozen public enum BitFlags {
    public static let little = 2
    public static let signed = 4
    public static let native = 16
    /// Little-endian, or native on this machine.
    @inlinable public static func isLittle(_ flags: Int) -> Bool { flags & (little | native) != 0 }
    @inlinable public static func isSigned(_ flags: Int) -> Bool { flags & signed != 0 }
}

/// Bits of a field: `size` units, or -1 unless `size` is a small integer >= 0 and the product fits.
@inlinable public func fieldSize(_ size: Term, unit: Int) -> Int {
    guard size.isSmall, size.smallValue >= 0 else { return -1 }
    let (bits, overflow) = size.smallValue.multipliedReportingOverflow(by: unit)
    return overflow ? -1 : bits
}

/// A match context. The functions that take a field answer `Term.none`, or false, when it does not match.
@frozen public struct MatchContext {
    public let words: Words

    /// Requires: `term` is a match context.
    @inlinable public init(_ term: Term) { words = term.pointer }

    @inlinable public var binary: Term { Term(raw: words[1]) }
    @inlinable public var base: Bytes { Bytes(bitPattern: UInt(words[2])).unsafelyUnwrapped }
    @inlinable public var position: Int {
        get { Int(truncatingIfNeeded: words[3]) }
        nonmutating set { words[3] = UInt64(truncatingIfNeeded: newValue) }
    }
    @inlinable public var end: Int { Int(truncatingIfNeeded: words[4]) }
    /// Bits left.
    @inlinable public var remaining: Int { end &- position }

    /// A context at the start of `term`; a context stays as it is. None unless `term` is one of both.
    public static func start(_ heap: Ref<Heap>, _ term: Term) -> Term {
        guard term.isBoxed else { return .none }
        switch term.subtag {
        case Subtag.matchContext: return term
        case Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary: break
        default: return .none
        }
        let original = term.originalBinary
        let object = original.pointer
        // The room behind an append target may be claimed later, but its bytes must not move under the context.
        if Header.subtag(object[0]) == Subtag.refcBinary, object[5] != 0 { object[5] |= RefcFlags.pinned }
        let bits = Bits(term)
        let base = original.originalBytes
        let context = heap.allocate(Layout.matchContextWords)
        let start = (bits.base - base) &* 8 &+ bits.offset
        context[0] = Header.make(Layout.matchContextWords - 1, Subtag.matchContext)
        context[1] = original.raw
        context[2] = UInt64(UInt(bitPattern: base))
        context[3] = UInt64(truncatingIfNeeded: start)
        context[4] = UInt64(truncatingIfNeeded: start &+ bits.size)
        return .boxed(context)
    }

    // MARK: Integers

    /// An integer field of `bits` bits.
    @inlinable public func integer(_ heap: Ref<Heap>, bits: Int, flags: Int) -> Term {
        let at = position
        guard end &- at >= bits else { return .none }
        if at & 7 == 0, flags & ~1 == 0 {
            let p = base + at &>> 3
            switch bits {
            case 8:
                position = at &+ 8
                return .small(Int(p[0]))
            case 16:
                position = at &+ 16
                return .small(Int(p[0]) &<< 8 | Int(p[1]))
            case 32:
                position = at &+ 32
                return .small(Int(UInt32(bigEndian: UnsafeRawPointer(p).loadUnaligned(as: UInt32.self))))
            default: break
            }
        }
        return anyInteger(heap, bits: bits, flags: flags)
    }

    /// `integer` of any size, position and flags. Requires: that many bits are left.
    @inline(never) public func anyInteger(_ heap: Ref<Heap>, bits: Int, flags: Int) -> Term {
        if bits == 0 { return .small(0) }
        let start = position
        if bits > 64 {
            let result = bigInteger(heap, base, start, bits, flags)
            if !result.isNone { position = start &+ bits }
            return result
        }
        position = start &+ bits
        var value = readBits(base, start, bits)
        if BitFlags.isLittle(flags) { value = littleToValue(value, bits) }
        if BitFlags.isSigned(flags) {
            let shift = UInt64(64 &- bits)
            return heap.integer(Int(Int64(bitPattern: value &<< shift) &>> Int64(shift)))
        }
        return heap.integer(unsigned: value)
    }

    // MARK: Floats

    /// A float field of 16, 32 or 64 bits (0 bits are 0.0); infinities and NaN do not match.
    public func float(_ heap: Ref<Heap>, bits: Int, flags: Int) -> Term {
        guard remaining >= bits else { return .none }
        if bits == 0 { return heap.float(0.0) }
        guard bits == 64 || bits == 32 || bits == 16 else { return .none }
        var value = readBits(base, position, bits)
        if BitFlags.isLittle(flags) { value = littleToValue(value, bits) }
        let number =
            switch bits {
            case 64: Double(bitPattern: value)
            case 32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: value)))
            default: Double(Float16(bitPattern: UInt16(truncatingIfNeeded: value)))
            }
        guard number.isFinite else { return .none }
        position &+= bits
        return heap.float(number)
    }

    // MARK: Bit strings

    /// A bit-string field of `bits` bits.
    @inlinable public func bitstring(_ heap: Ref<Heap>, bits: Int) -> Term {
        let at = position
        guard end &- at >= bits else { return .none }
        position = at &+ bits
        return heap.extract(binary, at, bits)
    }

    /// All that is left, if that is a multiple of `unit` bits; takes it.
    @inlinable public func rest(_ heap: Ref<Heap>, unit: Int) -> Term {
        // Damaged code may have set a position beyond the end, taken from another context.
        guard hasUnit(unit), remaining >= 0 else { return .none }
        let at = position
        position = end
        return heap.extract(binary, at, end &- at)
    }

    /// All that is left, without taking it.
    @inlinable public func tail(_ heap: Ref<Heap>) -> Term { heap.extract(binary, min(position, end), max(remaining, 0)) }

    @inlinable public func skip(_ bits: Int) -> Bool {
        guard remaining >= bits else { return false }
        position &+= bits
        return true
    }

    @inlinable @inline(__always) public func hasUnit(_ unit: Int) -> Bool {
        let left = remaining
        return unit & (unit &- 1) == 0 ? left & (unit &- 1) == 0 : left % unit == 0
    }

    /// Takes `bits` bits if they equal those of `string`.
    @inlinable public func matchString(_ string: UnsafePointer<UInt8>, bits: Int) -> Bool {
        guard remaining >= bits, compareBits(base, position, string, 0, bits) == 0 else { return false }
        position &+= bits
        return true
    }

    // MARK: Characters

    @inlinable public func utf8() -> Term {
        let at = position
        if at & 7 == 0, end &- at >= 8 {
            let byte = base[at &>> 3]
            if byte < 0x80 {
                position = at &+ 8
                return .small(Int(byte))
            }
        }
        return longUtf8()
    }

    @inline(never) public func longUtf8() -> Term {
        let available = min(remaining &>> 3, 4)
        guard available > 0 else { return .none }
        let word = readBits(base, position, available &* 8) &<< UInt64(64 &- available &* 8)
        let lead = UInt8(truncatingIfNeeded: word &>> 56)
        let length = utf8Length(lead: lead)
        guard length > 0, length <= available else { return .none }
        let value = decodeUtf8(word, length)
        guard value >= 0 else { return .none }
        position &+= length &* 8
        return .small(value)
    }

    public func utf16(flags: Int) -> Term {
        let left = remaining
        guard left >= 16 else { return .none }
        let first = unit16(0, flags)
        if first < 0xD800 || first > 0xDFFF {
            position &+= 16
            return .small(first)
        }
        guard first < 0xDC00, left >= 32 else { return .none }
        let second = unit16(16, flags)
        guard second >= 0xDC00, second <= 0xDFFF else { return .none }
        position &+= 32
        return .small(0x10000 &+ (first & 0x3FF) &<< 10 &+ second & 0x3FF)
    }

    private func unit16(_ distance: Int, _ flags: Int) -> Int {
        let value = Int(readBits(base, position &+ distance, 16))
        return BitFlags.isLittle(flags) ? value &>> 8 | (value & 0xFF) &<< 8 : value
    }

    public func utf32(flags: Int) -> Term {
        guard remaining >= 32 else { return .none }
        var value = readBits(base, position, 32)
        if BitFlags.isLittle(flags) { value = littleToValue(value, 32) }
        guard isCodePoint(Int(value)) else { return .none }
        position &+= 32
        return .small(Int(value))
    }
}

/// A Unicode code point that can be encoded: 0 to 0x10FFFF without surrogates.
@inlinable public func isCodePoint(_ value: Int) -> Bool {
    value >= 0 && value <= 0x10FFFF && !(value >= 0xD800 && value <= 0xDFFF)
}

/// Bytes of the UTF-8 sequence that starts with `lead`; 0 if none does.
@inlinable public func utf8Length(lead: UInt8) -> Int {
    lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0
}

/// The code point of the `length` bytes at the top of `word`, or -1 if they are not valid. Requires: `length` is what
/// `utf8Length` says of the first.
@inlinable public func decodeUtf8(_ word: UInt64, _ length: Int) -> Int {
    let lead = Int(word &>> 56)
    if length == 1 { return lead }
    var value = lead & (0x7F &>> length)
    var shift: UInt64 = 48
    for _ in 1..<length {
        let byte = Int(word &>> shift & 0xFF)
        if byte & 0xC0 != 0x80 { return -1 }
        value = value &<< 6 | byte & 0x3F
        shift &-= 8
    }
    if length == 3 { return value >= 0x800 && isCodePoint(value) ? value : -1 }
    if length == 4 { return value >= 0x10000 && value <= 0x10FFFF ? value : -1 }
    return value
}

// MARK: - Byte order and big integers

/// The number of a little-endian field of `bits` bits (1-64), given the same bits read as a big-endian number. The
/// last, partial byte of such a field holds its most significant bits.
@inlinable public func littleToValue(_ read: UInt64, _ bits: Int) -> UInt64 {
    let partial = UInt64(bits & 7)
    let whole = UInt64(bits & ~7)
    if whole == 0 { return read }
    let low = (read &>> partial).byteSwapped &>> (64 &- whole)
    return partial == 0 ? low : low | (read & (1 &<< partial &- 1)) &<< whole
}

/// The other direction: what to write as a big-endian number of `bits` bits so that a little-endian field holds the
/// low bits of `value`.
@inlinable public func valueToLittle(_ value: UInt64, _ bits: Int) -> UInt64 {
    let partial = UInt64(bits & 7)
    let whole = UInt64(bits & ~7)
    if whole == 0 { return value }
    let high = value.byteSwapped &>> (64 &- whole)
    return partial == 0 ? high : high &<< partial | (value &>> whole) & (1 &<< partial &- 1)
}

/// Limbs of the largest integer.
public let maximumLimbs = 524_287

/// The integer in `bits` (> 64) bits from bit `start` of `base`; none if it is larger than the largest integer.
func bigInteger(_ heap: Ref<Heap>, _ base: Bytes, _ start: Int, _ bits: Int, _ flags: Int) -> Term {
    let count = (bits &+ 63) &>> 6
    guard count <= maximumLimbs &+ 1 else { return .none }
    let object = heap.allocate(count &+ 1)
    let limbs = object + 1
    let topBits = bits &- (count &- 1) &* 64
    if BitFlags.isLittle(flags) {
        for index in 0..<(count &- 1) { limbs[index] = readBits(base, start &+ index &* 64, 64).byteSwapped }
        limbs[count &- 1] = littleToValue(readBits(base, start &+ (count &- 1) &* 64, topBits), topBits)
    } else {
        for index in 0..<(count &- 1) { limbs[index] = readBits(base, start &+ bits &- (index &+ 1) &* 64, 64) }
        limbs[count &- 1] = readBits(base, start, topBits)
    }
    let negative = BitFlags.isSigned(flags) && limbs[count &- 1] &>> UInt64(topBits &- 1) & 1 == 1
    if negative {
        limbs[count &- 1] |= ~0 &<< UInt64(topBits &- 1)
        var carry: UInt64 = 1
        for index in 0..<count {
            let (sum, overflow) = (~limbs[index]).addingReportingOverflow(carry)
            limbs[index] = sum
            carry = overflow ? 1 : 0
        }
    }
    return normalizedInteger(heap, object, count: count, negative: negative)
}

/// Turns the magnitude of `count` limbs behind `object` (the object made last on `heap`) into the shortest integer
/// term; none if it is larger than the largest integer.
public func normalizedInteger(_ heap: Ref<Heap>, _ object: Words, count: Int, negative: Bool) -> Term {
    let limbs = object + 1
    var used = count
    while used > 0, limbs[used &- 1] == 0 { used &-= 1 }
    if used == 0 || used == 1 && limbs[0] <= UInt64(Term.smallMax) &+ (negative ? 1 : 0) {
        let magnitude = used == 0 ? 0 : Int(limbs[0])
        heap.shrinkLast(object, from: count &+ 1, to: 0)
        return .small(negative ? 0 &- magnitude : magnitude)
    }
    guard used <= maximumLimbs else {
        heap.shrinkLast(object, from: count &+ 1, to: 0)
        return .none
    }
    heap.shrinkLast(object, from: count &+ 1, to: used &+ 1)
    object[0] = Header.make(used, negative ? Subtag.negativeBig : Subtag.positiveBig)
    return .boxed(object)
}

/// All bits of a run as an unsigned number (or as `flags` say); none if it is larger than the largest integer.
public func integer(_ heap: Ref<Heap>, of bits: Bits, flags: Int) -> Term {
    if bits.size > 64 { return bigInteger(heap, bits.base, bits.offset, bits.size, flags) }
    var value = readBits(bits.base, bits.offset, bits.size)
    if BitFlags.isLittle(flags), bits.size > 0 { value = littleToValue(value, bits.size) }
    if BitFlags.isSigned(flags), bits.size > 0 {
        let shift = UInt64(64 &- bits.size)
        return heap.integer(Int(Int64(bitPattern: value &<< shift) &>> Int64(shift)))
    }
    return heap.integer(unsigned: value)
}
