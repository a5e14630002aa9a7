// HashTests.swift: the hashes that programs see, against values of the real VM.

import CMachine
import Terms
import TestSupport
import Testing

private func hash(old term: Term) -> UInt32 {
    var steps = 0
    var pace = Pace.none
    return oldHash(term, steps: &steps, pace: &pace)
}

@Test func portableAndOldHashesAreThoseOfTheRealVM() {
    withTermHeap { heap in
        for vector in hashVectors {
            guard let term = decoded(heap, hex: vector.term) else {
                Issue.record("cannot decode \(vector.term)")
                continue
            }
            #expect(UInt64(portableHash(term)) == vector.portable, "phash2 of \(vector.term)")
            #expect(UInt64(hash(old: term)) + 1 == vector.old, "phash of \(vector.term)")
        }
    }
}

@Test func hashOfBitsDoesNotDependOnWhereTheyLie() {
    withTermHeap { heap in
        var random = TestRandom(state: 3)
        let source = (0..<40).map { _ in UInt8.random(in: 0...255, using: &random) }
        let binary = source.withUnsafeBufferPointer { heap.makeBinary($0) }
        for size in [0, 1, 7, 8, 95, 96, 97, 200] {
            for offset in 0..<9 {
                let part = heap.subBinary(of: binary, bitOffset: offset, bitSize: size)
                let (copy, target) = heap.makeBitstring(size)
                Bits(part).copy(to: target)
                #expect(portableHash(part) == portableHash(copy))
                #expect(internalHash(part) == internalHash(copy))
                #expect(hash(old: part) == hash(old: copy))
            }
        }
    }
}

@Test func hashesOfDeepTermsNeedNoNativeStack() {
    withTermHeap { heap in
        var term = Term.nil
        for index in 0..<1_000_000 {
            term = index & 1 == 0 ? heap.tuple(.small(index), term) : heap.cons(term, .small(1000))
        }
        _ = portableHash(term)
        _ = internalHash(term)
        _ = hash(old: term)
        #expect(flatSize(term) == 500_000 * 5)
    }
}
