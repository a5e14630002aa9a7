// MD5.swift: the MD5 digest (RFC 1321), by blocks, over raw bytes.

private let sineTable: [UInt32] = [
    0xD76AA478, 0xE8C7B756, 0x242070DB, 0xC1BDCEEE, 0xF57C0FAF, 0x4787C62A, 0xA8304613, 0xFD469501,
    0x698098D8, 0x8B44F7AF, 0xFFFF5BB1, 0x895CD7BE, 0x6B901122, 0xFD987193, 0xA679438E, 0x49B40821,
    0xF61E2562, 0xC040B340, 0x265E5A51, 0xE9B6C7AA, 0xD62F105D, 0x02441453, 0xD8A1E681, 0xE7D3FBC8,
    0x21E1CDE6, 0xC33707D6, 0xF4D50D87, 0x455A14ED, 0xA9E3E905, 0xFCEFA3F8, 0x676F02D9, 0x8D2A4C8A,
    0xFFFA3942, 0x8771F681, 0x6D9D6122, 0xFDE5380C, 0xA4BEEA44, 0x4BDECFA9, 0xF6BB4B60, 0xBEBFBC70,
    0x289B7EC6, 0xEAA127FA, 0xD4EF3085, 0x04881D05, 0xD9D4D039, 0xE6DB99E5, 0x1FA27CF8, 0xC4AC5665,
    0xF4292244, 0x432AFF97, 0xAB9423A7, 0xFC93A039, 0x655B59C3, 0x8F0CCC92, 0xFFEFF47D, 0x85845DD1,
    0x6FA87E4F, 0xFE2CE6E0, 0xA3014314, 0x4E0811A1, 0xF7537E82, 0xBD3AF235, 0x2AD7D2BB, 0xEB86D391,
]

/// A digest under way: `update` any number of times, then `finish`.
public struct MD5 {
    private var a: UInt32 = 0x6745_2301
    private var b: UInt32 = 0xEFCD_AB89
    private var c: UInt32 = 0x98BA_DCFE
    private var d: UInt32 = 0x1032_5476
    private var length: UInt64 = 0
    /// Bytes of an unfinished block.
    private var pending: [UInt8] = []

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var rest = bytes[...]
        if !pending.isEmpty {
            let taken = rest.prefix(64 - pending.count)
            pending.append(contentsOf: taken)
            rest = rest.dropFirst(taken.count)
            guard pending.count == 64 else { return }
            let block = pending
            block.withUnsafeBytes { blocks($0) }
            pending.removeAll(keepingCapacity: true)
        }
        let whole = rest.count & ~63
        blocks(UnsafeRawBufferPointer(rebasing: rest.prefix(whole)))
        pending.append(contentsOf: rest.dropFirst(whole))
    }

    /// The 16 bytes of the digest.
    public mutating func finish() -> [UInt8] {
        let bits = length &* 8
        var tail: [UInt8] = [0x80]
        while (pending.count + tail.count) & 63 != 56 { tail.append(0) }
        for shift in 0..<8 { tail.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift * 8))) }
        tail.withUnsafeBytes { update($0) }
        return [a, b, c, d].flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32($0 * 8)) } }
    }

    // MARK: Stored digests

    /// Bytes of a stored digest: four state words, the bit count, the unfinished block padded to 64 bytes.
    public static let storedBytes = 88

    /// Goes on where `store` left off. Requires: `storedBytes` bytes.
    public init(stored: UnsafeRawBufferPointer) {
        func word(_ index: Int) -> UInt32 {
            UInt32(littleEndian: stored.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
        }
        (a, b, c, d) = (word(0), word(1), word(2), word(3))
        length = (UInt64(word(5)) << 32 | UInt64(word(4))) >> 3
        pending = [UInt8](stored[24..<(24 + Int(length & 63))])
    }

    public func store(to target: UnsafeMutableRawBufferPointer) {
        let bits = length &* 8
        let words = [a, b, c, d, UInt32(truncatingIfNeeded: bits), UInt32(truncatingIfNeeded: bits >> 32)]
        for (index, word) in words.enumerated() {
            target.storeBytes(of: word.littleEndian, toByteOffset: index * 4, as: UInt32.self)
        }
        for index in 0..<64 { target[24 + index] = index < pending.count ? pending[index] : 0 }
    }

    private mutating func blocks(_ bytes: UnsafeRawBufferPointer) {
        sineTable.withUnsafeBufferPointer { sines in
            guard let table = sines.baseAddress, var block = bytes.baseAddress else { return }
            for _ in 0..<bytes.count >> 6 {
                mix(block, table)
                block += 64
            }
        }
    }

    private mutating func mix(_ block: UnsafeRawPointer, _ table: UnsafePointer<UInt32>) {
        var (p, q, r, s) = (a, b, c, d)
        @inline(__always) func word(_ index: Int) -> UInt32 {
            UInt32(littleEndian: block.loadUnaligned(fromByteOffset: (index & 15) &* 4, as: UInt32.self))
        }
        @inline(__always) func step(_ mixed: UInt32, _ at: Int, _ index: Int, _ shift: UInt32) {
            let sum = p &+ mixed &+ table[at] &+ word(index)
            (p, s, r, q) = (s, r, q, q &+ (sum &<< shift | sum &>> (32 &- shift)))
        }
        @inline(__always) func round(
            _ first: Int, _ stride: Int, _ start: Int, _ shifts: (UInt32, UInt32, UInt32, UInt32), _ body: () -> UInt32
        ) {
            var at = first
            var index = start
            while at < first + 16 {
                step(body(), at, index, shifts.0)
                step(body(), at + 1, index &+ stride, shifts.1)
                step(body(), at + 2, index &+ stride &* 2, shifts.2)
                step(body(), at + 3, index &+ stride &* 3, shifts.3)
                index &+= stride &* 4
                at += 4
            }
        }
        round(0, 1, 0, (7, 12, 17, 22)) { s ^ q & (r ^ s) }
        round(16, 5, 1, (5, 9, 14, 20)) { r ^ s & (q ^ r) }
        round(32, 3, 5, (4, 11, 16, 23)) { q ^ r ^ s }
        round(48, 7, 0, (6, 10, 15, 21)) { r ^ (q | ~s) }
        a &+= p
        b &+= q
        c &+= r
        d &+= s
    }
}
