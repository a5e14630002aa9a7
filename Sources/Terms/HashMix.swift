// HashMix.swift: the mixing steps that phash2 and the internal hash share: Bob Jenkins' 96-bit mix of 1996 and his
// block hash, which programs can observe through phash2 and the order of big maps.

import CMachine

@frozen public enum HashMix {
    @inlinable public static var golden: UInt32 { 0x9E37_79B9 }

    /// The `number`-th multiple of the golden ratio: one constant per kind of term.
    @inlinable public static func constant(_ number: UInt32) -> UInt32 { golden &* number }

    /// One full mix of the three words.
    @inlinable @inline(__always)
    public static func mix(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
        a = (a &- b &- c) ^ (c &>> 13)
        b = (b &- c &- a) ^ (a &<< 8)
        c = (c &- a &- b) ^ (b &>> 13)
        a = (a &- b &- c) ^ (c &>> 12)
        b = (b &- c &- a) ^ (a &<< 16)
        c = (c &- a &- b) ^ (b &>> 5)
        a = (a &- b &- c) ^ (c &>> 3)
        b = (b &- c &- a) ^ (a &<< 10)
        c = (c &- a &- b) ^ (b &>> 15)
    }

    /// Mixes two words into `hash`, with the constant of the kind of term.
    @inlinable @inline(__always)
    public static func add(_ x: UInt32, _ y: UInt32, _ constant: UInt32, to hash: UInt32) -> UInt32 {
        var a = x &+ constant
        var b = y &+ constant
        var c = hash
        mix(&a, &b, &c)
        return c
    }

    /// The low and the high half of a word.
    @inlinable @inline(__always)
    public static func add(word: UInt64, _ constant: UInt32, to hash: UInt32) -> UInt32 {
        add(UInt32(truncatingIfNeeded: word), UInt32(truncatingIfNeeded: word &>> 32), constant, to: hash)
    }

    /// Hash of `count` bytes that start `bit` bits into `bytes`. The length counts modulo 2^32 as a number.
    static func block(_ bytes: UnsafePointer<UInt8>, bit: Int, count: Int, initial: UInt32) -> UInt32 {
        var a = golden
        var b = golden
        var c = initial
        func byte(_ index: Int) -> UInt32 {
            if bit == 0 { return UInt32(bytes[index]) }
            return UInt32((bytes[index] << UInt8(bit)) | (bytes[index &+ 1] >> UInt8(8 &- bit)))
        }
        func word(_ index: Int) -> UInt32 {
            if bit == 0 {
                return UnsafeRawPointer(bytes + index).loadUnaligned(as: UInt32.self)
            }
            return byte(index) | byte(index &+ 1) &<< 8 | byte(index &+ 2) &<< 16 | byte(index &+ 3) &<< 24
        }
        var index = 0
        while count &- index >= 12 {
            a = a &+ word(index)
            b = b &+ word(index &+ 4)
            c = c &+ word(index &+ 8)
            mix(&a, &b, &c)
            index &+= 12
            if index % (12 << 12) == 0, !vm_breathe(64) { break }
        }
        c = c &+ UInt32(truncatingIfNeeded: count)
        var place = 0
        while index < count {
            let value = byte(index)
            // The lowest byte of c belongs to the length, so its bytes sit one place higher.
            if place < 4 {
                a = a &+ value &<< UInt32(8 &* place)
            } else if place < 8 {
                b = b &+ value &<< UInt32(8 &* (place &- 4))
            } else {
                c = c &+ value &<< UInt32(8 &* (place &- 7))
            }
            place &+= 1
            index &+= 1
        }
        mix(&a, &b, &c)
        return c
    }

    /// Both visible hashes treat bit strings alike. Requires: isBitstring.
    static func bitstring(_ term: Term, to hash: UInt32) -> UInt32 {
        let bits = Bits(term)
        // phash2 has always cut the size to 32 bits.
        let size = Int(UInt32(truncatingIfNeeded: bits.size &>> 3))
        let rest = bits.size & 7
        let initial = constant(13) &+ hash
        if size == 0 && rest == 0 { return initial }
        let result = block(bits.base, bit: bits.offset, count: size, initial: initial)
        if rest == 0 { return result }
        let last = readBits(bits.base, bits.offset &+ bits.size &- rest, rest)
        return add(UInt32(rest), UInt32(last), constant(15), to: result)
    }

    /// Requires: isBig.
    static func big(_ term: Term, to hash: UInt32) -> UInt32 {
        let kind = constant(term.bigIsNegative ? 10 : 11)
        let limbs = term.bigLimbs
        var hash = hash
        for index in 0..<term.bigLimbCount { hash = add(word: limbs[index], kind, to: hash) }
        return hash
    }

    /// The bits of a float, with both zeros alike because they are equal.
    static func floatBits(_ term: Term) -> UInt64 {
        let value = term.floatValue
        return value == 0 ? 0 : value.bitPattern
    }
}

/// Pseudo terms that the walks keep on their stacks, told from terms by the header tag.
enum HashMark {
    static let tail: UInt64 = 4
    static let mapPair: UInt64 = 8
    static let mapEnd: UInt64 = 12
}
