// BigInteger.swift: integers as limbs, for GMP's mpn functions, and the way back to a term. A result is built in place
// at the top of the heap; `finish` cuts it to its real size, so nothing is copied. Results that fit become smalls: a
// big integer's magnitude is never below 2^59, nor -2^59 a big.

import CGMP
public import CMachine
import Glibc

typealias Limb = UInt
typealias Limbs = UnsafeMutablePointer<UInt>

enum BigInteger {
    /// Most limbs of an integer: what is below 2^33554368.
    static let limbLimit = 524_287
}

extension Term {
    /// Raw 4, which is no term: an arithmetic function failed because the result is too large. `Term.none` from them
    /// means bad arguments.
    @inlinable public static var systemLimit: Term { Term(raw: 4) }
    /// True of what an arithmetic function returns when it fails.
    @inlinable public var isFailure: Bool { raw <= 4 }
}

/// An integer operand: sign and magnitude. The limbs of a small live in the caller's `scratch`.
struct Operand {
    let limbs: Limbs
    let count: Int
    let isNegative: Bool

    /// Requires: an integer.
    @inline(__always) init(_ term: Term, _ scratch: Limbs) {
        if term.isSmall {
            let value = term.smallValue
            scratch[0] = value.magnitude
            limbs = scratch
            count = value == 0 ? 0 : 1
            isNegative = value < 0
        } else {
            limbs = UnsafeMutableRawPointer(term.bigLimbs).assumingMemoryBound(to: UInt.self)
            count = term.bigLimbCount
            isNegative = term.bigIsNegative
        }
    }
}

/// Runs `body` with two integers as operands.
@inline(__always) func withOperands<Result>(_ a: Term, _ b: Term, _ body: (Operand, Operand) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: UInt.self, capacity: 2) { scratch in
        let base = scratch.baseAddress.unsafelyUnwrapped
        return body(Operand(a, base), Operand(b, base + 1))
    }
}

/// Runs `body` with `count` limbs of scratch memory.
func withLimbs<Result>(_ count: Int, _ body: (Limbs) -> Result) -> Result {
    if count <= 128 {
        return withUnsafeTemporaryAllocation(of: UInt.self, capacity: max(count, 1)) {
            body($0.baseAddress.unsafelyUnwrapped)
        }
    }
    guard let memory = malloc(count * 8) else { outOfMemory(count * 8) }
    let result = body(memory.assumingMemoryBound(to: UInt.self))
    free(memory)
    return result
}

/// A big integer under construction: an object whose limbs are being computed.
struct NewBig {
    private let object: Words
    private let capacity: Int

    /// Room for `count` limbs. Until `finish`, nothing else may be allocated on the heap.
    @inline(__always) init(_ heap: Ref<Heap>, _ count: Int) {
        object = heap.allocate(count &+ 1)
        capacity = count
    }

    var limbs: Limbs {
        @inline(__always) get { UnsafeMutableRawPointer(object + 1).assumingMemoryBound(to: UInt.self) }
    }

    /// The term, of the lowest `count` limbs. Gives back the memory not needed.
    @inline(__always) func finish(_ heap: Ref<Heap>, _ count: Int, isNegative: Bool) -> Term {
        var count = count
        while count > 0, object[count] == 0 { count = count &- 1 }
        if count <= 1 {
            let magnitude = count == 0 ? 0 : object[1]
            if magnitude <= UInt64(Term.smallMax) &+ (isNegative ? 1 : 0) {
                heap.giveBack(object, capacity &+ 1, keeping: 0)
                let value = Int(truncatingIfNeeded: magnitude)
                return .small(isNegative ? 0 &- value : value)
            }
        }
        if count > BigInteger.limbLimit {
            heap.giveBack(object, capacity &+ 1, keeping: 0)
            return .systemLimit
        }
        object[0] = Header.make(count, isNegative ? Subtag.negativeBig : Subtag.positiveBig)
        heap.giveBack(object, capacity &+ 1, keeping: count &+ 1)
        return .boxed(object)
    }
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// Shortens the object allocated last. Requires: `object` came from `allocate(count)`, with no allocation since.
    @inlinable public func giveBack(_ object: Words, _ count: Int, keeping kept: Int) {
        if pointee.top == object + count {
            pointee.top = object + kept
        } else if kept < count {
            giveBackToFragment(count &- kept)
        }
    }

    @inline(never) @usableFromInline func giveBackToFragment(_ count: Int) {
        guard let newest = pointee.fragments else { return }
        newest.pointee.used -= UInt64(count)
        pointee.fragmentWords -= UInt64(count)
    }
}

// MARK: - Sums, products, quotients

extension BigInteger {
    /// a + b, or a - b if `negatingSecond`.
    static func sum(_ heap: Ref<Heap>, _ a: Term, _ b: Term, negatingSecond: Bool) -> Term {
        withOperands(a, b) { a, b in
            let secondIsNegative = b.isNegative != negatingSecond
            let comparison = a.count != b.count ? a.count &- b.count : 0
            let (long, short) = comparison >= 0 ? (a, b) : (b, a)
            let longIsNegative = comparison >= 0 ? a.isNegative : secondIsNegative
            let new = NewBig(heap, long.count &+ 1)
            if a.isNegative == secondIsNegative {
                let carry = __gmpn_add(new.limbs, long.limbs, long.count, short.limbs, short.count)
                new.limbs[long.count] = carry
                return new.finish(heap, long.count &+ 1, isNegative: longIsNegative)
            }
            if long.count == short.count, long.count > 0, __gmpn_cmp(long.limbs, short.limbs, long.count) < 0 {
                _ = __gmpn_sub_n(new.limbs, short.limbs, long.limbs, long.count)
                return new.finish(heap, long.count, isNegative: !longIsNegative)
            }
            if long.count > 0 { _ = __gmpn_sub(new.limbs, long.limbs, long.count, short.limbs, short.count) }
            return new.finish(heap, long.count, isNegative: longIsNegative)
        }
    }

    static func product(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
        let isSquare = a == b
        return withOperands(a, b) { a, b in
            let (long, short) = a.count >= b.count ? (a, b) : (b, a)
            if short.count == 0 { return .small(0) }
            if long.count &+ short.count &- 1 > limbLimit { return .systemLimit }
            let isNegative = a.isNegative != b.isNegative
            let count = long.count &+ short.count
            let new = NewBig(heap, count)
            if short.count == 1 {
                new.limbs[long.count] = __gmpn_mul_1(new.limbs, long.limbs, long.count, short.limbs[0])
            } else if isSquare {
                __gmpn_sqr(new.limbs, long.limbs, long.count)
            } else {
                _ = __gmpn_mul(new.limbs, long.limbs, long.count, short.limbs, short.count)
            }
            return new.finish(heap, count, isNegative: isNegative)
        }
    }

    /// Truncated quotient. Requires: b is not 0.
    static func quotient(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
        withOperands(a, b) { a, b in
            if a.count < b.count { return .small(0) }
            let count = a.count &- b.count &+ 1
            let new = NewBig(heap, count)
            if b.count == 1 {
                _ = __gmpn_divrem_1(new.limbs, 0, a.limbs, a.count, b.limbs[0])
            } else {
                withLimbs(b.count) { rest in
                    __gmpn_tdiv_qr(new.limbs, rest, 0, a.limbs, a.count, b.limbs, b.count)
                }
            }
            return new.finish(heap, count, isNegative: a.isNegative != b.isNegative)
        }
    }

    /// Remainder of the truncated division, with the sign of a. Requires: b is not 0.
    static func rest(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
        let dividend = a
        return withOperands(a, b) { a, b in
            if a.count < b.count { return dividend }
            let new = NewBig(heap, b.count)
            if b.count == 1 {
                new.limbs[0] = __gmpn_mod_1(a.limbs, a.count, b.limbs[0])
            } else {
                withLimbs(a.count &- b.count &+ 1) { quotient in
                    __gmpn_tdiv_qr(quotient, new.limbs, 0, a.limbs, a.count, b.limbs, b.count)
                }
            }
            return new.finish(heap, b.count, isNegative: a.isNegative)
        }
    }

    /// The integer with this sign and magnitude; leading zero limbs are fine.
    static func make(_ heap: Ref<Heap>, _ limbs: UnsafePointer<UInt>, _ count: Int, isNegative: Bool) -> Term {
        let new = NewBig(heap, count)
        new.limbs.update(from: limbs, count: count)
        return new.finish(heap, count, isNegative: isNegative)
    }
}
