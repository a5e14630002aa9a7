// FloatText.swift: floats as text, and back. The shortest text that reads back as the same float comes from Swift's
// own conversion, laid out as Erlang does it; the forms with a given number of decimals are those of OTP 25, with its
// rounding (otp25 "term and heap", section 7).

import Glibc

/// Bytes that are enough for `writeShortest`.
public let shortestFloatBytes = 32

/// Bytes that the forms with decimals may fill; what would be longer is refused.
public let floatTextLimit = 255

/// The shortest text of a finite float: plain if that is not longer than the scientific form and the value is below
/// 2^53, else scientific. Answers the number of bytes.
public func writeShortest(_ value: Double, _ out: UnsafeMutablePointer<UInt8>) -> Int {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { buffer in
        let digits = buffer.baseAddress.unsafelyUnwrapped
        var text = FloatWriter(out)
        if value.sign == .minus { text.append(0x2D) }
        if value == 0 {
            text.append(0x30)
            text.append(0x2E)
            text.append(0x30)
            return text.count
        }
        let (count, exponent) = shortestDigits(value.magnitude, digits)
        let plain = exponent < 0 ? count &- exponent &+ 1 : max(count &+ 1, exponent &+ 3)
        let exponentBytes = (exponent < 0 ? 1 : 0) &+ (exponent.magnitude < 10 ? 1 : exponent.magnitude < 100 ? 2 : 3)
        let scientific = max(count, 2) &+ 2 &+ exponentBytes
        if plain <= scientific, value.magnitude < 0x1p53 {
            text.appendPlain(digits, count, exponent)
        } else {
            text.appendScientific(digits, count, exponent)
        }
        return text.count
    }
}

/// The digit characters of the shortest decimal that reads back as `value` (finite, > 0), without leading or trailing
/// zeros, and the power of ten of the first one.
func shortestDigits(_ value: Double, _ out: UnsafeMutablePointer<UInt8>) -> (count: Int, exponent: Int) {
    var count = 0
    var exponent = -1  // of the first digit
    var givenExponent = 0
    var sawPoint = false
    var exponentIsNegative = false
    var inExponent = false
    for byte in value.description.utf8 {
        switch byte {
        case 0x2E: sawPoint = true
        case 0x65: inExponent = true
        case 0x2D: exponentIsNegative = true
        case 0x2B: break
        default:
            if inExponent {
                givenExponent = givenExponent &* 10 &+ Int(byte &- 0x30)
            } else if count == 0, byte == 0x30 {
                if sawPoint { exponent = exponent &- 1 }
            } else {
                if !sawPoint { exponent = exponent &+ 1 }
                out[count] = byte
                count = count &+ 1
            }
        }
    }
    while count > 1, out[count &- 1] == 0x30 { count = count &- 1 }
    return (count, exponent &+ (exponentIsNegative ? 0 &- givenExponent : givenExponent))
}

private struct FloatWriter {
    private let start: UnsafeMutablePointer<UInt8>
    var count = 0

    init(_ start: UnsafeMutablePointer<UInt8>) { self.start = start }

    mutating func append(_ byte: UInt8) {
        start[count] = byte
        count = count &+ 1
    }

    mutating func appendPlain(_ digits: UnsafeMutablePointer<UInt8>, _ digitCount: Int, _ exponent: Int) {
        if exponent < 0 {
            append(0x30)
            append(0x2E)
            for _ in 1..<(0 &- exponent) { append(0x30) }
        }
        for index in 0..<max(digitCount, exponent &+ 2) {
            if index == exponent &+ 1, exponent >= 0 { append(0x2E) }
            append(index < digitCount ? digits[index] : 0x30)
        }
    }

    mutating func appendScientific(_ digits: UnsafeMutablePointer<UInt8>, _ digitCount: Int, _ exponent: Int) {
        append(digits[0])
        append(0x2E)
        if digitCount == 1 { append(0x30) }
        for index in 1..<max(digitCount, 1) { append(digits[index]) }
        append(0x65)
        if exponent < 0 { append(0x2D) }
        let magnitude = exponent.magnitude
        if magnitude >= 100 { append(0x30 &+ UInt8(truncatingIfNeeded: magnitude / 100)) }
        if magnitude >= 10 { append(0x30 &+ UInt8(truncatingIfNeeded: magnitude / 10 % 10)) }
        append(0x30 &+ UInt8(truncatingIfNeeded: magnitude % 10))
    }
}

// MARK: - Given numbers of decimals

/// As printf's `format` (one int precision, one double) into `out` of 256 bytes; nil if the text is longer than
/// `floatTextLimit`.
private func print(
    _ format: StaticString, _ decimals: Int32, _ value: Double, _ out: UnsafeMutablePointer<UInt8>
) -> Int? {
    if decimals > 300 { return nil }
    let count = format.utf8Start.withMemoryRebound(to: CChar.self, capacity: format.utf8CodeUnitCount + 1) { format in
        UnsafeMutableRawPointer(out).withMemoryRebound(to: CChar.self, capacity: 256) { out in
            withVaList([decimals, value]) { Int(vsnprintf(out, 256, format, $0)) }
        }
    }
    return count > floatTextLimit ? nil : count
}

/// `d.ddde+dd` with that many decimals (a negative number means 6) into `out` of 256 bytes; nil if too long.
public func writeScientific(_ value: Double, decimals: Int32, _ out: UnsafeMutablePointer<UInt8>) -> Int? {
    print("%.*e", decimals, value, out)
}

/// `ddd.ddd` with that many decimals into `out` of 256 bytes; nil if negative or too long. `compact` strips zeros at
/// the end but one behind the point.
///
/// Up to 2^53 and 18 decimals the fraction is scaled by a power of ten in floating point and then rounded, halves away
/// from zero; beyond, the decimal expansion is exact. Without a point, `compact` strips the zeros of the integer
/// there. All of that is OTP's.
public func writeFixed(_ value: Double, decimals: Int32, compact: Bool, _ out: UnsafeMutablePointer<UInt8>) -> Int? {
    if decimals < 0 { return nil }
    if value.magnitude > 0x1p53 || decimals > 18 {
        guard let count = print("%.*f", decimals, value, out) else { return nil }
        return compact ? withoutTrailingZeros(out, count) : count
    }
    let magnitude = value.magnitude
    var whole: UInt64
    var fraction: UInt64 = 0
    if decimals == 0 {
        whole = UInt64(magnitude.rounded(.toNearestOrAwayFromZero))
    } else {
        let scale = powersOfTen(Int(decimals))
        let down = magnitude.rounded(.down)
        let scaled = ((magnitude - down) * scale).rounded(.toNearestOrAwayFromZero)
        whole = UInt64(down)
        if scaled >= scale { whole += 1 } else { fraction = UInt64(scaled) }
    }
    var count = 0
    if value.sign == .minus {
        out[0] = 0x2D
        count = 1
    }
    count = count &+ writeUnsigned(whole, out + count)
    if decimals > 0 {
        let point = count
        out[point] = 0x2E
        count = point &+ 1 &+ Int(decimals)
        for index in stride(from: count - 1, to: point, by: -1) {
            out[index] = 0x30 | UInt8(truncatingIfNeeded: fraction % 10)
            fraction /= 10
        }
        if compact { return withoutTrailingZeros(out, count) }
    }
    return count
}

private func powersOfTen(_ exponent: Int) -> Double {
    var power = 1.0
    for _ in 0..<exponent { power *= 10 }  // exact up to 10^22
    return power
}

private func writeUnsigned(_ value: UInt64, _ out: UnsafeMutablePointer<UInt8>) -> Int {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 72) { buffer in
        let end = buffer.baseAddress.unsafelyUnwrapped + 72
        let count = writeInteger(Int(value), base: 10, before: end)
        out.update(from: end - count, count: count)
        return count
    }
}

private func withoutTrailingZeros(_ text: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
    var count = count
    while count > 1, text[count &- 1] == 0x30 { count = count &- 1 }
    return text[count &- 1] == 0x2E ? count &+ 1 : count
}

// MARK: - Reading

/// The float that `text` is: optional sign, digits, point or comma, digits, optional exponent. Nil for anything else
/// and for what is too large. A zero byte ends the text. `text` has a spare byte behind `count` and is written to.
public func parseFloat(_ text: UnsafeMutablePointer<UInt8>, count: Int) -> Double? {
    text[count] = 0
    var position = 0
    func skipDigits() -> Bool {
        let first = position
        while text[position] &- 0x30 < 10 { position = position &+ 1 }
        return position > first
    }
    func skipSign() {
        if text[position] == 0x2B || text[position] == 0x2D { position = position &+ 1 }
    }
    skipSign()
    guard skipDigits(), text[position] == 0x2E || text[position] == 0x2C else { return nil }
    text[position] = 0x2E
    position = position &+ 1
    guard skipDigits() else { return nil }
    if text[position] | 0x20 == 0x65 {
        position = position &+ 1
        skipSign()
        guard skipDigits() else { return nil }
    }
    guard text[position] == 0 else { return nil }
    let value = UnsafeRawPointer(text).withMemoryRebound(to: CChar.self, capacity: count + 1) { strtod($0, nil) }
    return value.isFinite ? value : nil
}
