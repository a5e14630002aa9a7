// CompareTests.swift: order and equality of terms. Checked against OTP 25.2.3.

import CMachine
import Terms
import Testing

/// Terms in ascending order, each in the external format.
private let ascending = [
    "8362FFFFFFFB",  // -5
    "8346BFE0000000000000",  // -0.5
    "836100",  // 0
    "83463FE0000000000000",  // 0.5
    "836101",  // 1
    "83463FF8000000000000",  // 1.5
    "834643E0000000000000",  // 2^63 as a float
    "836E08000100000000000080",  // 2^63 + 1
    "83640000",  // ''
    "8364000161",  // a
    "836400026162",  // ab
    "836800",  // {}
    "8368016102",  // {2}
    "836802610064000161",  // {0, a}
    "837400000000",  // #{}
    "8374000000016101640001" + "61",  // #{1 => a}
    "837400000001463FF0000000000000" + "64000161",  // #{1.0 => a}
    "836A",  // []
    "836B000101",  // [1]
    "836B00020100",  // [1, 0]
    "836D00000000",  // <<>>
    "834D000000010100",  // <<0:1>>
    "836D0000000100",  // <<0>>
    "834D000000010180",  // <<1:1>>
    "836D0000000180",  // <<128>>
]

@Test func standardOrder() throws {
    try withTermHeap { heap in
        let terms = try ascending.map { try #require(decoded(heap, hex: $0), "\($0)") }
        let again = try ascending.map { try #require(decoded(heap, hex: $0)) }
        for (i, a) in terms.enumerated() {
            for (j, b) in again.enumerated() {
                #expect(compareTerms(a, b) == (i < j ? -1 : i == j ? 0 : 1), "\(ascending[i]) and \(ascending[j])")
                #expect(termsEqual(a, b) == (i == j), "\(ascending[i]) and \(ascending[j])")
                #expect(termsIdentical(a, b) == (i == j), "\(ascending[i]) and \(ascending[j])")
            }
        }
    }
}

@Test func integersAgainstFloats() {
    withTermHeap { heap in
        let large = add(heap, shiftLeft(heap, .small(1), .small(53)), .small(1))
        let float = heap.float(0x1p53)
        #expect(!termsEqual(large, float))
        #expect(compareTerms(large, float) == 1)
        #expect(termsEqual(subtract(heap, large, .small(1)), float))
        #expect(!termsIdentical(.small(1), heap.float(1)))
        #expect(termsIdentical(heap.float(0), heap.float(-0.0)))
        // In the exact order every integer is before every float.
        #expect(compareExact(shiftLeft(heap, .small(1), .small(70)), heap.float(-0.5)) == -1)
        #expect(compareExact(heap.float(-0.5), .small(-1)) == 1)
        // Beyond the range of floats.
        let huge = shiftLeft(heap, .small(1), .small(2000))
        #expect(compareTerms(huge, heap.float(Double.greatestFiniteMagnitude)) == 1)
        #expect(compareTerms(negate(heap, huge), heap.float(-Double.greatestFiniteMagnitude)) == -1)
    }
}

@Test func deepTermsNeedNoNativeStack() {
    withTermHeap { heap in
        var a = Term.small(1)
        var b = Term.small(1)
        for _ in 0..<1_000_000 {
            a = heap.cons(heap.tuple(.small(0), a), .nil)
            b = heap.cons(heap.tuple(.small(0), b), .nil)
        }
        #expect(termsEqual(a, b))
        #expect(termsIdentical(a, b))
        #expect(compareTerms(a, b) == 0)
        #expect(compareTerms(heap.cons(a, .nil), heap.cons(b, .small(1))) == 1)
    }
}

@Test func orderOfTries() {
    withTermHeap { heap in
        func map(_ keys: some Sequence<Int>, value: (Int) -> Term = { _ in .small(0) }) -> Term {
            var map = Term.emptyMap
            for key in keys { map = heap.mapPut(map, .small(key), value(key)) }
            return map
        }
        let base = map(0..<100)
        #expect(termsIdentical(base, map((0..<100).reversed())))
        #expect(compareTerms(base, map(0..<101)) == -1)
        #expect(compareTerms(base, map(1..<101)) == -1)
        #expect(compareTerms(map(1..<101), base) == 1)
        // The values of the least key that differs decide.
        let first = map(0..<100) { $0 == 17 ? .small(1) : $0 == 3 ? .small(-1) : .small(0) }
        #expect(compareTerms(first, base) == -1)
        // Values compare with ==, keys exactly.
        let floats = map(0..<100) { _ in heap.float(0) }
        #expect(termsEqual(base, floats))
        #expect(!termsIdentical(base, floats))
        #expect(compareTerms(base, floats) == 0)
        #expect(compareExact(base, floats) == -1)
    }
}
