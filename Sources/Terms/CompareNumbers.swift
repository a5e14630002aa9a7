// CompareNumbers.swift: the order of numbers. Integers and floats compare by exact value: an integer is never rounded
// to a double.

public import CMachine

/// Requires: two numbers. `exact`: integers sort before floats.
func compareNumbers(_ a: Term, _ b: Term, _ exact: Bool) -> Int {
    if a.isFloat {
        if b.isFloat { return order(a.floatValue, b.floatValue) }
        return exact ? 1 : -compare(integer: b, float: a.floatValue)
    }
    if b.isFloat { return exact ? -1 : compare(integer: a, float: b.floatValue) }
    return compareIntegers(a, b)
}

/// Requires: two integers.
public func compareIntegers(_ a: Term, _ b: Term) -> Int {
    if a.isSmall {
        if b.isSmall { return order(a.smallValue, b.smallValue) }
        return b.bigIsNegative ? 1 : -1
    }
    if b.isSmall { return a.bigIsNegative ? -1 : 1 }
    let isNegative = a.bigIsNegative
    if isNegative != b.bigIsNegative { return isNegative ? -1 : 1 }
    let magnitude = compareMagnitudes(a.bigLimbs, a.bigLimbCount, b.bigLimbs, b.bigLimbCount)
    return isNegative ? -magnitude : magnitude
}

/// Both without leading zero limbs.
func compareMagnitudes(_ a: Words, _ countA: Int, _ b: Words, _ countB: Int) -> Int {
    if countA != countB { return countA < countB ? -1 : 1 }
    var index = countA
    while index > 0 {
        index = index &- 1
        if a[index] != b[index] { return a[index] < b[index] ? -1 : 1 }
    }
    return 0
}

/// The order of an integer term and a finite double.
public func compare(integer: Term, float: Double) -> Int {
    if integer.isSmall {
        if float >= 0x1p63 { return -1 }
        if float < -0x1p63 { return 1 }
        let whole = Int(float)  // truncated, exactly: the magnitude is in range
        let value = integer.smallValue
        if value != whole { return value < whole ? -1 : 1 }
        return order(Double(whole), float)
    }
    let isNegative = integer.bigIsNegative
    if isNegative != (float < 0) { return isNegative ? -1 : 1 }
    let magnitude = compareMagnitude(integer.bigLimbs, integer.bigLimbCount, float.magnitude)
    return isNegative ? -magnitude : magnitude
}

/// The order of a magnitude of at least 2^59 and a double >= 0.
private func compareMagnitude(_ limbs: Words, _ count: Int, _ float: Double) -> Int {
    if float < 0x1p59 { return 1 }
    let top = limbs[count &- 1]
    let shift = top.leadingZeroBitCount
    let bits = count &* 64 &- shift
    let exponent = Int(float.exponent)
    if bits &- 1 != exponent { return bits &- 1 < exponent ? -1 : 1 }
    // Same bit length: line up the 64 leading bits of both. The double has no more than 53.
    var leading = top &<< UInt64(shift)
    if shift > 0, count > 1 { leading |= limbs[count &- 2] &>> UInt64(64 &- shift) }
    let significand = (float.significandBitPattern | 1 << 52) << 11
    if leading != significand { return leading < significand ? -1 : 1 }
    // Anything below the leading 64 bits makes the integer the greater one.
    if count > 1 {
        if shift > 0 ? limbs[count &- 2] &<< UInt64(shift) != 0 : limbs[count &- 2] != 0 { return 1 }
        var index = 0
        while index < count &- 2 {
            if limbs[index] != 0 { return 1 }
            index = index &+ 1
        }
    }
    return 0
}
