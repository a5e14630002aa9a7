// ArithmeticTests.swift: integers of any size by their identities, and the limits.

import CMachine
import Terms
import TestSupport
import Testing

private func randomInteger(_ heap: Ref<Heap>, _ random: inout TestRandom) -> Term {
    let limbs = Int.random(in: 0...20, using: &random)
    var term = Term.small(Int.random(in: -100...100, using: &random))
    for _ in 0..<limbs {
        // All-zero and all-one limbs find the carries.
        let limb = [0, UInt64.max, random.next()].randomElement(using: &random)!
        term = bitOr(heap, shiftLeft(heap, term, .small(64)), heap.integer(unsigned: limb))
    }
    return term
}

@Test func identitiesOfIntegers() {
    var random = TestRandom(state: 25)
    for _ in 0..<300 {
        withTermHeap { heap in
            let a = randomInteger(heap, &random)
            let b = randomInteger(heap, &random)
            let c = randomInteger(heap, &random)
            let shift = Term.small(Int.random(in: 0...200, using: &random))
            let power = shiftLeft(heap, .small(1), shift)
            #expect(termsIdentical(subtract(heap, add(heap, a, b), b), a))
            #expect(
                termsIdentical(
                    multiply(heap, a, add(heap, b, c)), add(heap, multiply(heap, a, b), multiply(heap, a, c))))
            if b != .small(0) {
                let quotient = intDivide(heap, a, b)
                let rest = remainder(heap, a, b)
                #expect(termsIdentical(add(heap, multiply(heap, quotient, b), rest), a))
                #expect(compareTerms(absolute(heap, rest), absolute(heap, b)) == -1)
            }
            #expect(
                termsIdentical(add(heap, bitAnd(heap, a, b), bitOr(heap, a, b)), add(heap, a, b)))
            #expect(termsIdentical(bitXor(heap, bitXor(heap, a, b), b), a))
            #expect(termsIdentical(bitNot(heap, a), subtract(heap, .small(-1), a)))
            #expect(termsIdentical(shiftLeft(heap, a, shift), multiply(heap, a, power)))
            #expect(termsIdentical(shiftRight(heap, shiftLeft(heap, a, shift), shift), a))
            // Shifting right rounds down.
            let floor = shiftRight(heap, a, shift)
            let lost = subtract(heap, a, multiply(heap, floor, power))
            #expect(compareTerms(lost, .small(0)) >= 0 && compareTerms(lost, power) < 0)
            #expect(compareTerms(a, b) == -compareTerms(b, a))
        }
    }
}

@Test func boundaryOfSmalls() {
    withTermHeap { heap in
        let over = add(heap, .small(Term.smallMax), .small(1))
        #expect(over.isBig && !over.bigIsNegative)
        #expect(negate(heap, over) == .small(Term.smallMin))
        #expect(subtract(heap, over, .small(1)) == .small(Term.smallMax))
        #expect(termsIdentical(intDivide(heap, .small(Term.smallMin), .small(-1)), over))
        #expect(intDivide(heap, .small(Term.smallMin), over) == .small(-1))
        #expect(remainder(heap, .small(Term.smallMin), over) == .small(0))
        #expect(termsIdentical(absolute(heap, .small(Term.smallMin)), over))
        #expect(termsIdentical(integerPart(heap, 0x1p59), over))
        #expect(integerPart(heap, -0x1p59) == .small(Term.smallMin))
    }
}

@Test func failuresOfArithmetic() {
    withTermHeap { heap in
        let float = heap.float(1)
        let largest = heap.float(Double.greatestFiniteMagnitude)
        let huge = shiftLeft(heap, .small(1), .small(2000))
        #expect(add(heap, .nil, .small(1)).isNone)
        #expect(add(heap, largest, largest).isNone)
        #expect(add(heap, huge, float).isNone)
        #expect(divide(heap, huge, huge).isNone)
        #expect(divide(heap, float, .small(0)).isNone)
        #expect(intDivide(heap, float, .small(1)).isNone)
        #expect(remainder(heap, .small(1), .small(0)).isNone)
        #expect(bitNot(heap, float).isNone)
        #expect(toFloat(heap, huge).isNone)
        let edge = shiftLeft(heap, .small(1), .small(33_554_367))
        #expect(edge.isBig)
        #expect(shiftLeft(heap, edge, .small(1)) == .systemLimit)
        #expect(add(heap, edge, edge) == .systemLimit)
        #expect(multiply(heap, edge, .small(2)) == .systemLimit)
        #expect(shiftLeft(heap, .small(1), huge) == .systemLimit)
        #expect(shiftLeft(heap, .small(0), huge) == .small(0))
        #expect(shiftRight(heap, .small(-1), huge) == .small(-1))
    }
}

@Test func roundingToIntegers() {
    withTermHeap { heap in
        let cases = [
            (2.5, 3), (-2.5, -3), (0.49999999999999994, 0), (-0.5, -1), (4503599627370497.5, 4503599627370498),
        ]
        for (value, expected) in cases {
            #expect(round(heap, heap.float(value)) == .small(expected))
        }
        #expect(floor(heap, heap.float(-0.1)) == .small(-1))
        #expect(ceiling(heap, heap.float(-0.1)) == .small(0))
        #expect(truncate(heap, heap.float(-1.9)) == .small(-1))
        let power = shiftLeft(heap, .small(1), .small(1023))
        #expect(termsIdentical(truncate(heap, heap.float(0x1p1023)), power))
        #expect(termsIdentical(truncate(heap, heap.float(-0x1p1023)), negate(heap, power)))
    }
}
