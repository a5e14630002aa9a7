// BigIntegerBits.swift: bitwise operations and shifts of integers of any size. Negative numbers behave as if they had
// infinitely many sign bits; the limbs hold magnitudes, so they are turned into two's complement on the fly.

import CGMP
import CMachine

/// The limbs of an integer in two's complement, least significant first.
private struct TwosComplement {
    let limbs: Limbs
    let count: Int
    let mask: UInt
    var carry: UInt

    @inline(__always) init(_ operand: Operand) {
        limbs = operand.limbs
        count = operand.count
        mask = operand.isNegative ? ~0 : 0
        carry = operand.isNegative ? 1 : 0
    }

    @inline(__always) mutating func next(_ index: Int) -> UInt {
        let limb = index < count ? limbs[index] : 0
        let (value, overflow) = (limb ^ mask).addingReportingOverflow(carry)
        carry = overflow ? 1 : 0
        return value
    }
}

extension BigInteger {
    @inline(__always)
    private static func combine(_ heap: Ref<Heap>, _ a: Term, _ b: Term, _ operation: (UInt, UInt) -> UInt) -> Term {
        withOperands(a, b) { a, b in
            let count = max(a.count, b.count) &+ 1
            let new = NewBig(heap, count)
            let limbs = new.limbs
            var sourceA = TwosComplement(a)
            var sourceB = TwosComplement(b)
            for index in 0..<count { limbs[index] = operation(sourceA.next(index), sourceB.next(index)) }
            let isNegative = limbs[count &- 1] &>> 63 == 1
            if isNegative { _ = __gmpn_neg(limbs, limbs, count) }
            return new.finish(heap, count, isNegative: isNegative)
        }
    }

    static func and(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term { combine(heap, a, b) { $0 & $1 } }
    static func or(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term { combine(heap, a, b) { $0 | $1 } }
    static func xor(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term { combine(heap, a, b) { $0 ^ $1 } }

    /// a * 2^distance. Requires: distance >= 0.
    static func shiftLeft(_ heap: Ref<Heap>, _ a: Term, _ distance: Int) -> Term {
        withOperands(a, a) { a, _ in
            if a.count == 0 { return .small(0) }
            let words = distance &>> 6
            if words >= limbLimit &+ 1 { return .systemLimit }
            let bits = UInt32(truncatingIfNeeded: distance & 63)
            // The last limb is there only if bits spill into it: the limit is checked before the memory is taken.
            let spills = bits > a.limbs[a.count &- 1].leadingZeroBitCount
            if a.count &+ words &+ (spills ? 1 : 0) > limbLimit { return .systemLimit }
            let count = a.count &+ words &+ 1
            let new = NewBig(heap, count)
            let limbs = new.limbs
            limbs.update(repeating: 0, count: words)
            if bits == 0 {
                (limbs + words).update(from: a.limbs, count: a.count)
                limbs[count &- 1] = 0
            } else {
                limbs[count &- 1] = __gmpn_lshift(limbs + words, a.limbs, a.count, bits)
            }
            return new.finish(heap, count, isNegative: a.isNegative)
        }
    }

    /// floor(a / 2^distance). Requires: distance >= 0.
    static func shiftRight(_ heap: Ref<Heap>, _ a: Term, _ distance: Int) -> Term {
        withOperands(a, a) { a, _ in
            let words = distance &>> 6
            if words >= a.count { return .small(a.isNegative ? -1 : 0) }
            let bits = UInt32(truncatingIfNeeded: distance & 63)
            let count = a.count &- words
            let new = NewBig(heap, count &+ 1)
            let limbs = new.limbs
            var lost: UInt = 0
            if bits == 0 {
                limbs.update(from: a.limbs + words, count: count)
            } else {
                lost = __gmpn_rshift(limbs, a.limbs + words, count, bits)
            }
            limbs[count] = 0
            if a.isNegative {
                var index = 0
                while lost == 0, index < words {
                    lost = a.limbs[index]
                    index = index &+ 1
                }
                if lost != 0 { _ = __gmpn_add_1(limbs, limbs, count &+ 1, 1) }
            }
            return new.finish(heap, count &+ 1, isNegative: a.isNegative)
        }
    }
}
