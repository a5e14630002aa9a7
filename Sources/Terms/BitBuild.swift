// BitBuild.swift: filling a bit string under construction, segment by segment. The memory belongs to a binary that
// BitCreate.swift, BitAppend.swift or `makeBitstring` made; `end` keeps every write inside it, whatever sizes the
// code computed before.

public import CMachine

/// What is wrong with a segment of a construction.
@frozen public enum BitError: UInt8, Sendable {
    case none
    /// The value has the wrong type or range.
    case type
    /// The size is no integer, or negative.
    case size
    /// The size is too large: the only error that is `system_limit`, not `badarg`.
    case limit
    /// The size of a bit string is no multiple of the segment's unit.
    case unit
    /// A bit string is shorter than the size of the segment.
    case short
    /// An integer is too large for a float.
    case noFloat
    /// No size of a float.
    case invalid

    /// The third element of the `cause` in error_info.
    public var atom: Term {
        switch self {
        case .none, .type: Atoms.type
        case .size, .limit: Atoms.size
        case .unit: Atoms.unit
        case .short: Atoms.short
        case .noFloat: Atoms.no_float
        case .invalid: Atoms.invalid
        }
    }

    public var reason: Term { self == .limit ? Atoms.system_limit : Atoms.badarg }
}

/// Where the next bits go.
@frozen public struct BitBuilder {
    public var base: Bytes
    /// Bits from `base`.
    public var position: Int
    /// Bits from `base` that may be written.
    public var end: Int

    @inlinable public init(base: Bytes, position: Int, end: Int) {
        self.base = base
        self.position = position
        self.end = end
    }

    /// A builder that takes nothing; its base is never used.
    @inlinable public static var empty: BitBuilder {
        BitBuilder(base: Bytes(bitPattern: 8).unsafelyUnwrapped, position: 0, end: 0)
    }

    @inlinable func hasRoom(_ bits: Int) -> Bool { bits >= 0 && end &- position >= bits }

    // MARK: Integers

    /// The low `bits` bits of an integer.
    @inlinable public mutating func putInteger(_ value: Term, bits: Int, flags: Int) -> BitError {
        guard hasRoom(bits) else { return .size }
        if value.isSmall, bits == 8, position & 7 == 0 {
            base[position &>> 3] = UInt8(truncatingIfNeeded: value.smallValue)
            position &+= 8
            return .none
        }
        return putAnyInteger(value, bits: bits, flags: flags)
    }

    @inline(never) public mutating func putAnyInteger(_ value: Term, bits: Int, flags: Int) -> BitError {
        let little = BitFlags.isLittle(flags)
        if value.isSmall {
            let number = UInt64(bitPattern: Int64(value.smallValue))
            if bits <= 64 {
                writeBits(base, position, bits, little && bits > 0 ? valueToLittle(number, bits) : number)
            } else {
                putLimbs(1, negate: false, fill: value.smallValue < 0 ? ~0 : 0, bits, little) { _ in number }
            }
        } else if value.isBig {
            let limbs = value.bigLimbs
            let negative = value.bigIsNegative
            putLimbs(value.bigLimbCount, negate: negative, fill: negative ? ~0 : 0, bits, little) { limbs[$0] }
        } else {
            return .type
        }
        position &+= bits
        return .none
    }

    /// Writes `bits` bits of the two's complement number whose low `count` limbs are `limb` (negated first if
    /// `negate`) and whose further limbs are `fill`.
    @inline(__always) private func putLimbs(
        _ count: Int, negate: Bool, fill: UInt64, _ bits: Int, _ little: Bool, _ limb: (Int) -> UInt64
    ) {
        var carry: UInt64 = 1
        var left = bits
        var index = 0
        while left > 0 {
            var word = fill
            if index < count {
                word = limb(index)
                if negate {
                    let (sum, overflow) = (~word).addingReportingOverflow(carry)
                    word = sum
                    carry = overflow ? 1 : 0
                }
            }
            let taken = left < 64 ? left : 64
            let start = little ? position &+ bits &- left : position &+ left &- taken
            writeBits(base, start, taken, little ? valueToLittle(word, taken) : word)
            left &-= taken
            index &+= 1
        }
    }

    // MARK: Floats

    /// A float or an integer as a float of 16, 32 or 64 bits. A finite number beyond the range of the short formats
    /// becomes their infinity. With `.invalid` the wrong value is the size, otherwise `value`.
    public mutating func putFloat(_ value: Term, bits: Int, flags: Int) -> BitError {
        guard bits == 64 || bits == 32 || bits == 16 else { return .invalid }
        guard hasRoom(bits) else { return .size }
        var pattern: UInt64
        if value.isSmall {
            let number = value.smallValue
            switch bits {
            case 64: pattern = Double(number).bitPattern
            case 32: pattern = UInt64(Float(number).bitPattern)
            default: pattern = UInt64(Float16(Double(number)).bitPattern)
            }
        } else {
            let number: Double
            if value.isFloat {
                number = value.floatValue
            } else if value.isBig {
                number = foldLimbs(value)
                if !number.isFinite { return .noFloat }
            } else {
                return .type
            }
            switch bits {
            case 64: pattern = number.bitPattern
            case 32: pattern = UInt64(Float(number).bitPattern)
            default: pattern = UInt64(Float16(number).bitPattern)
            }
        }
        if BitFlags.isLittle(flags) { pattern = valueToLittle(pattern, bits) }
        writeBits(base, position, bits, pattern)
        position &+= bits
        return .none
    }

    /// A big integer as BEAM converts it for a segment: limb by limb from the top, rounding at every step.
    private func foldLimbs(_ value: Term) -> Double {
        let limbs = value.bigLimbs
        var number = 0.0
        var index = value.bigLimbCount
        while index > 0 {
            index &-= 1
            number = number * 0x1p64 + Double(limbs[index])
        }
        return value.bigIsNegative ? -number : number
    }

    // MARK: Bit strings

    /// The first `bits` bits of a bit string.
    public mutating func putBitstring(_ value: Term, bits: Int) -> BitError {
        guard value.isBitstring else { return .type }
        let source = Bits(value)
        guard source.size >= bits else { return .short }
        return put(source, bits)
    }

    /// A whole bit string, whose size must be a multiple of `unit`.
    public mutating func putWhole(_ value: Term, unit: Int) -> BitError {
        guard value.isBitstring else { return .type }
        let source = Bits(value)
        guard unit <= 1 || source.size % unit == 0 else { return .unit }
        return put(source, source.size)
    }

    @inlinable mutating func put(_ source: Bits, _ bits: Int) -> BitError {
        guard hasRoom(bits) else { return .size }
        copyBits(source.base, source.offset, base, position, bits)
        position &+= bits
        return .none
    }

    public mutating func putString(_ bytes: UnsafePointer<UInt8>, count: Int) -> BitError {
        guard hasRoom(count &* 8) else { return .size }
        copyBits(bytes, 0, base, position, count &* 8)
        position &+= count &* 8
        return .none
    }

    // MARK: Characters

    public mutating func putUtf8(_ value: Term) -> BitError {
        guard value.isSmall, isCodePoint(value.smallValue) else { return .type }
        let (word, length) = encodeUtf8(value.smallValue)
        return putWord(word, length &* 8)
    }

    public mutating func putUtf16(_ value: Term, flags: Int) -> BitError {
        guard value.isSmall, isCodePoint(value.smallValue) else { return .type }
        let little = BitFlags.isLittle(flags)
        let number = UInt64(value.smallValue)
        if number < 0x10000 { return putWord(little ? valueToLittle(number, 16) : number, 16) }
        let first = 0xD800 | (number &- 0x10000) &>> 10
        let second = 0xDC00 | number & 0x3FF
        if little { return putWord(valueToLittle(first, 16) &<< 16 | valueToLittle(second, 16), 32) }
        return putWord(first &<< 16 | second, 32)
    }

    public mutating func putUtf32(_ value: Term, flags: Int) -> BitError {
        guard value.isSmall, isCodePoint(value.smallValue) else { return .type }
        let number = UInt64(value.smallValue)
        return putWord(BitFlags.isLittle(flags) ? valueToLittle(number, 32) : number, 32)
    }

    @inline(__always) private mutating func putWord(_ word: UInt64, _ bits: Int) -> BitError {
        guard hasRoom(bits) else { return .size }
        writeBits(base, position, bits, word)
        position &+= bits
        return .none
    }
}

/// The UTF-8 bytes of a code point, as the low bytes of a big-endian word. Requires: isCodePoint.
@inlinable public func encodeUtf8(_ value: Int) -> (word: UInt64, length: Int) {
    let v = UInt64(truncatingIfNeeded: value)
    if v < 0x80 { return (v, 1) }
    if v < 0x800 { return (0xC080 | (v &>> 6) &<< 8 | v & 0x3F, 2) }
    if v < 0x10000 { return (0xE08080 | (v &>> 12) &<< 16 | (v &>> 6 & 0x3F) &<< 8 | v & 0x3F, 3) }
    return (0xF080_8080 | (v &>> 18) &<< 24 | (v &>> 12 & 0x3F) &<< 16 | (v &>> 6 & 0x3F) &<< 8 | v & 0x3F, 4)
}

/// Bytes that `putUtf8` will need for `value` (4 for what it will refuse).
@inlinable public func utf8Size(_ value: Term) -> Int {
    guard value.isSmall else { return 4 }
    let number = value.smallValue
    return number < 0x80 ? 1 : number < 0x800 ? 2 : number < 0x10000 ? 3 : 4
}

/// Bytes that `putUtf16` will need for `value` (4 for what it will refuse).
@inlinable public func utf16Size(_ value: Term) -> Int {
    value.isSmall && value.smallValue >= 0 && value.smallValue < 0x10000 ? 2 : 4
}
