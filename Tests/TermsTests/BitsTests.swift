// BitsTests.swift: bit runs, matching and construction against a model that handles one bit at a time.

import CMachine
import Terms
import TestSupport
import Testing

/// Bits as an array of 0 and 1.
private typealias Model = [UInt8]

private func bits(of bytes: [UInt8]) -> Model { bytes.flatMap { byte in (0..<8).map { byte >> (7 - UInt8($0)) & 1 } } }

private func bits(of term: Term) -> Model {
    let run = Bits(term)
    return (0..<run.size).map { UInt8(readBits(run.base, run.offset + $0, 1)) }
}

private func withHeap(_ body: (Ref<Heap>) -> Void) {
    bootTables()
    let heap = Ref<Heap>.allocate(capacity: 1)
    heap.initialize(to: Heap())
    body(heap)
    releaseOffHeap(heap.pointee.offHeap)
    heap.deallocate()
}

private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

@Test func copyAndCompareAtAnyOffset() {
    var random = Random(state: 1)
    for _ in 0..<3000 {
        let source = random.bytes(40)
        var target = random.bytes(40)
        let count = Int.random(in: 0...280, using: &random)
        let from = Int.random(in: 0...(320 - count), using: &random)
        let to = Int.random(in: 0...(320 - count), using: &random)
        var expected = bits(of: target)
        expected.replaceSubrange(to..<(to + count), with: bits(of: source)[from..<(from + count)])
        target.withUnsafeMutableBufferPointer { copyBits(source, from, $0.baseAddress!, to, count) }
        #expect(bits(of: target) == expected)
        #expect(compareBits(source, from, target, to, count) == 0)
        guard count > 0 else { continue }
        let flipped = to + Int.random(in: 0..<count, using: &random)
        target[flipped / 8] ^= 0x80 >> UInt8(flipped % 8)
        let order = compareBits(source, from, target, to, count)
        #expect(bits(of: target)[flipped] == 1 ? order < 0 : order > 0)
    }
}

/// The integer of a field, as a two's complement of `bits` bits, from the model.
private func modelInteger(_ field: ArraySlice<UInt8>, little: Bool) -> [UInt8] {
    // Most significant bit first.
    guard little else { return Array(field) }
    let list = Array(field)
    let whole = list.count & ~7
    var result = Array(list[whole...])
    for start in stride(from: whole - 8, through: 0, by: -8) { result += list[start..<(start + 8)] }
    return result
}

/// Two's complement bits of an integer term, most significant first.
private func bits(of term: Term, width: Int) -> [UInt8] {
    var limbs: [UInt64]
    if term.isSmall {
        limbs = [UInt64(bitPattern: Int64(term.smallValue))]
        while limbs.count * 64 < width { limbs.append(term.smallValue < 0 ? ~0 : 0) }
    } else {
        limbs = (0..<term.bigLimbCount).map { term.bigLimbs[$0] }
        while limbs.count * 64 < width { limbs.append(0) }
        if term.bigIsNegative {
            var carry: UInt64 = 1
            for index in limbs.indices {
                let (sum, overflow) = (~limbs[index]).addingReportingOverflow(carry)
                limbs[index] = sum
                carry = overflow ? 1 : 0
            }
        }
    }
    return (0..<width).reversed().map { UInt8(limbs[$0 / 64] >> UInt64($0 % 64) & 1) }
}

@Test func integersRoundTripAtAnyOffset() {
    var random = Random(state: 2)
    withHeap { heap in
        for round in 0..<6000 {
            let count = round % 2 == 0 ? Int.random(in: 0...70, using: &random) : Int.random(in: 0...300, using: &random)
            let offset = Int.random(in: 0...15, using: &random)
            let flags = [0, 2, 4, 6, 16, 20][round % 6]
            var bytes = random.bytes(45)
            if round % 5 == 0 { bytes = bytes.map { _ in round % 10 == 0 ? 0 : 0xFF } }
            let term = heap.makeBinary(bytes, count: bytes.count)
            let context = MatchContext(MatchContext.start(heap, term))
            #expect(context.skip(offset))
            let value = context.integer(heap, bits: count, flags: flags)
            #expect(!value.isNone && context.position == offset + count)
            let field = bits(of: bytes)[offset..<(offset + count)]
            let expected = modelInteger(field, little: flags & 18 != 0)
            #expect(bits(of: value, width: count) == expected)
            if flags & 4 == 0 { #expect(value.isSmall ? value.smallValue >= 0 : !value.bigIsNegative) }
            if value.isBig { #expect(value.bigLimbs[value.bigLimbCount - 1] != 0) }

            var target = random.bytes(45)
            var after = bits(of: target)
            after.replaceSubrange(offset..<(offset + count), with: field)
            target.withUnsafeMutableBufferPointer {
                var builder = BitBuilder(base: $0.baseAddress!, position: offset, end: offset + count)
                #expect(builder.putInteger(value, bits: count, flags: flags) == .none)
            }
            #expect(bits(of: target) == after)
        }
    }
}

@Test func subBinariesNameTheRightBits() {
    var random = Random(state: 3)
    withHeap { heap in
        for _ in 0..<2000 {
            let bytes = random.bytes(Int.random(in: 1...200, using: &random))
            var term = heap.makeBinary(bytes, count: bytes.count)
            var model = bits(of: bytes)
            for _ in 0..<3 {
                let from = Int.random(in: 0...model.count, using: &random)
                let count = Int.random(in: 0...(model.count - from), using: &random)
                term = heap.subBinary(of: term, bitOffset: from, bitSize: count)
                model = Array(model[from..<(from + count)])
                #expect(term.bitCount == model.count && bits(of: term) == model)
                #expect(term.originalBinary.subtag != Subtag.subBinary)
            }
        }
    }
}

@Test func appendingKeepsEarlierTerms() {
    var random = Random(state: 4)
    withHeap { heap in
        var term = heap.makeBinary("start")
        var model = bits(of: term)
        var earlier: [(Term, Model)] = []
        for round in 0..<3000 {
            let count = Int.random(in: 0...40, using: &random)
            let value = random.next() >> UInt64(64 - max(count, 1))
            var builder = BitBuilder.empty
            let result = heap.append(to: term, bits: count, unit: 1, builder: &builder)
            #expect(result.error == .none)
            let number = heap.integer(unsigned: value)
            #expect(builder.putInteger(number, bits: count, flags: 0) == .none)
            if round % 7 == 0 { _ = MatchContext.start(heap, result.term) }
            if round % 100 == 0 { earlier.append((term, model)) }
            // A second append to an older term must not disturb the newer one.
            if round % 50 == 0 {
                let other = heap.append(to: term, bits: 16, unit: 1, builder: &builder)
                #expect(builder.putInteger(.small(0xAAAA), bits: 16, flags: 0) == .none)
                #expect(bits(of: other.term).count == model.count + 16)
            }
            term = result.term
            model += (0..<count).reversed().map { UInt8(value >> UInt64($0) & 1) }
        }
        #expect(bits(of: term) == model)
        for (old, expected) in earlier { #expect(bits(of: old) == expected) }
    }
}

@Test func charactersRoundTrip() {
    withHeap { heap in
        for value in [0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF] {
            for offset in 0..<9 {
                let (term, bytes) = heap.makeBitstring(offset + 128)
                var builder = BitBuilder(base: bytes, position: offset, end: offset + 128)
                #expect(builder.putUtf8(.small(value)) == .none)
                #expect(builder.putUtf16(.small(value), flags: 2) == .none)
                #expect(builder.putUtf32(.small(value), flags: 0) == .none)
                let context = MatchContext(MatchContext.start(heap, term))
                _ = context.skip(offset)
                #expect(context.utf8() == .small(value))
                #expect(context.utf16(flags: 2) == .small(value))
                #expect(context.utf32(flags: 0) == .small(value))
                #expect(context.position == builder.position)
            }
        }
        for bad: [UInt8] in [[0x80], [0xC1, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] {
            let context = MatchContext(MatchContext.start(heap, heap.makeBinary(bad, count: bad.count)))
            #expect(context.utf8().isNone && context.position == 0)
        }
    }
}
