// Arithmetic.swift: Erlang's arithmetic on terms. Each function returns the result, `Term.none` for arguments that
// are no numbers of the right kind or have no result (badarith), or `Term.systemLimit` for an integer that would be
// too large. `isFailure` tells both. Floats never become infinite or NaN: that is a failure too.

public import CMachine
import Glibc

// MARK: - Operands

/// The value of any number as a double; nil if it is no number or too large for one.
@inline(__always) func doubleValue(_ term: Term) -> Double? {
    if term.isSmall { return Double(term.smallValue) }
    if term.isFloat { return term.floatValue }
    return term.isBig ? doubleOfBig(term) : nil
}

/// A big integer as a double; nil if it is out of range. Rounds limb by limb, as OTP does: the result can be one unit
/// off the nearest double.
public func doubleOfBig(_ term: Term) -> Double? {
    let limbs = term.bigLimbs
    var index = term.bigLimbCount
    if index > 16 { return nil }
    var value = 0.0
    while index > 0 {
        index = index &- 1
        value = value * 0x1p64 + Double(limbs[index])
        if !value.isFinite { return nil }
    }
    return term.bigIsNegative ? -value : value
}

@inline(__always) private func finite(_ heap: Ref<Heap>, _ value: Double) -> Term {
    value.isFinite ? heap.float(value) : .none
}

// MARK: - Sums, products, quotients

public func add(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if a.raw & b.raw & 15 == 15 { return heap.integer(a.smallValue &+ b.smallValue) }
    if a.isFloat, b.isFloat { return finite(heap, a.floatValue + b.floatValue) }
    if a.isInteger, b.isInteger { return BigInteger.sum(heap, a, b, negatingSecond: false) }
    guard let x = doubleValue(a), let y = doubleValue(b) else { return .none }
    return finite(heap, x + y)
}

public func subtract(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if a.raw & b.raw & 15 == 15 { return heap.integer(a.smallValue &- b.smallValue) }
    if a.isFloat, b.isFloat { return finite(heap, a.floatValue - b.floatValue) }
    if a.isInteger, b.isInteger { return BigInteger.sum(heap, a, b, negatingSecond: true) }
    guard let x = doubleValue(a), let y = doubleValue(b) else { return .none }
    return finite(heap, x - y)
}

public func multiply(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if a.raw & b.raw & 15 == 15 {
        let (high, low) = a.smallValue.multipliedFullWidth(by: b.smallValue)
        let value = Int(bitPattern: low)
        if high == value &>> 63 { return heap.integer(value) }
        return BigInteger.product(heap, a, b)
    }
    if a.isFloat, b.isFloat { return finite(heap, a.floatValue * b.floatValue) }
    if a.isInteger, b.isInteger { return BigInteger.product(heap, a, b) }
    guard let x = doubleValue(a), let y = doubleValue(b) else { return .none }
    return finite(heap, x * y)
}

/// `/`: always a float.
public func divide(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    guard let x = doubleValue(a), let y = doubleValue(b) else { return .none }
    return finite(heap, x / y)
}

/// `div`: truncates.
public func intDivide(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if b == .small(0) { return .none }
    // -2^59 div -1 is the one quotient of smalls that is none; it fits a machine word.
    if a.raw & b.raw & 15 == 15 { return heap.integer(a.smallValue / b.smallValue) }
    guard a.isInteger, b.isInteger else { return .none }
    return BigInteger.quotient(heap, a, b)
}

/// `rem`: has the sign of `a`.
public func remainder(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if b == .small(0) { return .none }
    if a.raw & b.raw & 15 == 15 { return .small(a.smallValue % b.smallValue) }
    guard a.isInteger, b.isInteger else { return .none }
    return BigInteger.rest(heap, a, b)
}

public func negate(_ heap: Ref<Heap>, _ a: Term) -> Term {
    if a.isSmall { return heap.integer(0 &- a.smallValue) }
    if a.isFloat { return heap.float(-a.floatValue) }
    return a.isBig ? BigInteger.sum(heap, .small(0), a, negatingSecond: true) : .none
}

/// `abs/1`.
public func absolute(_ heap: Ref<Heap>, _ a: Term) -> Term {
    if a.isSmall { return a.smallValue < 0 ? negate(heap, a) : a }
    if a.isFloat { return a.floatValue < 0 ? heap.float(-a.floatValue) : a }
    guard a.isBig else { return .none }
    return a.bigIsNegative ? negate(heap, a) : a
}

// MARK: - Bits

public func bitAnd(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if a.raw & b.raw & 15 == 15 { return Term(raw: a.raw & b.raw) }
    return a.isInteger && b.isInteger ? BigInteger.and(heap, a, b) : .none
}

public func bitOr(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if a.raw & b.raw & 15 == 15 { return Term(raw: a.raw | b.raw) }
    return a.isInteger && b.isInteger ? BigInteger.or(heap, a, b) : .none
}

public func bitXor(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
    if a.raw & b.raw & 15 == 15 { return .small(a.smallValue ^ b.smallValue) }
    return a.isInteger && b.isInteger ? BigInteger.xor(heap, a, b) : .none
}

public func bitNot(_ heap: Ref<Heap>, _ a: Term) -> Term {
    if a.isSmall { return .small(~a.smallValue) }
    return a.isBig ? BigInteger.sum(heap, .small(-1), a, negatingSecond: true) : .none
}

/// `bsl`; a negative distance shifts right.
public func shiftLeft(_ heap: Ref<Heap>, _ a: Term, _ distance: Term) -> Term {
    guard a.isInteger else { return .none }
    if distance.isSmall {
        let count = distance.smallValue
        return count >= 0 ? shiftLeft(heap, a, count) : shiftRight(heap, a, 0 &- count)
    }
    guard distance.isBig else { return .none }
    if distance.bigIsNegative { return isNegative(a) ? .small(-1) : .small(0) }
    return a == .small(0) ? a : .systemLimit
}

/// `bsr`: rounds down; a negative distance shifts left.
public func shiftRight(_ heap: Ref<Heap>, _ a: Term, _ distance: Term) -> Term {
    guard a.isInteger else { return .none }
    if distance.isSmall {
        let count = distance.smallValue
        return count >= 0 ? shiftRight(heap, a, count) : shiftLeft(heap, a, 0 &- count)
    }
    guard distance.isBig else { return .none }
    if !distance.bigIsNegative { return isNegative(a) ? .small(-1) : .small(0) }
    return a == .small(0) ? a : .systemLimit
}

/// Requires: an integer.
private func isNegative(_ a: Term) -> Bool { a.isSmall ? a.smallValue < 0 : a.bigIsNegative }

private func shiftLeft(_ heap: Ref<Heap>, _ a: Term, _ count: Int) -> Term {
    if count == 0 { return a }
    if a.isSmall {
        let value = a.smallValue
        if value == 0 { return a }
        let shifted = count < 64 ? value &<< count : 0
        if count < 64, shifted &>> count == value { return heap.integer(shifted) }
    }
    return BigInteger.shiftLeft(heap, a, count)
}

private func shiftRight(_ heap: Ref<Heap>, _ a: Term, _ count: Int) -> Term {
    if count == 0 { return a }
    if a.isSmall { return .small(a.smallValue &>> min(count, 63)) }
    return BigInteger.shiftRight(heap, a, count)
}

// MARK: - Conversions

/// `float/1`: none if `a` is no number or out of range.
public func toFloat(_ heap: Ref<Heap>, _ a: Term) -> Term {
    if a.isFloat { return a }
    guard let value = doubleValue(a) else { return .none }
    return heap.float(value)
}

/// The integer part of a finite double.
public func integerPart(_ heap: Ref<Heap>, _ value: Double) -> Term {
    let whole = value.rounded(.towardZero)
    if whole.magnitude < 0x1p63 { return heap.integer(Int(whole)) }
    // 53 bits of significand, shifted left by at least 11.
    let shift = Int(whole.exponent) - 52
    let significand = UInt(truncatingIfNeeded: whole.significandBitPattern | 1 << 52)
    let count = (shift + 53 + 63) / 64
    let new = NewBig(heap, count)
    new.limbs.update(repeating: 0, count: count)
    let word = shift >> 6
    let bits = UInt(shift & 63)
    new.limbs[word] = significand &<< bits
    if word + 1 < count { new.limbs[word + 1] = bits == 0 ? 0 : significand &>> (64 - bits) }
    return new.finish(heap, count, isNegative: value < 0)
}

/// `trunc/1`.
public func truncate(_ heap: Ref<Heap>, _ a: Term) -> Term { toInteger(heap, a, .towardZero) }
/// `round/1`: halves go away from zero.
public func round(_ heap: Ref<Heap>, _ a: Term) -> Term { toInteger(heap, a, .toNearestOrAwayFromZero) }
/// `floor/1`.
public func floor(_ heap: Ref<Heap>, _ a: Term) -> Term { toInteger(heap, a, .down) }
/// `ceil/1`.
public func ceiling(_ heap: Ref<Heap>, _ a: Term) -> Term { toInteger(heap, a, .up) }

@inline(__always)
private func toInteger(_ heap: Ref<Heap>, _ a: Term, _ rule: FloatingPointRoundingRule) -> Term {
    if a.isFloat { return integerPart(heap, a.floatValue.rounded(rule)) }
    return a.isInteger ? a : .none
}
