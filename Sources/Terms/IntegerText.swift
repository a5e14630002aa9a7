// IntegerText.swift: integers as text in base 2 to 36, and back. Large ones go through GMP's conversions, which are
// subquadratic.

import CGMP
public import CMachine
import Glibc

/// Writes the digits of `value` (upper case, with a sign if negative) so that they end before `end`; answers how many
/// bytes that took, at most 65.
public func writeInteger(_ value: Int, base: Int, before end: UnsafeMutablePointer<UInt8>) -> Int {
    var position = end
    var rest = value.magnitude
    if base == 10 {
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            position -= 1
            position.pointee = 0x30 | UInt8(truncatingIfNeeded: digit)
            rest = quotient
        } while rest != 0
    } else {
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: UInt(base))
            position -= 1
            position.pointee = digitText(UInt8(truncatingIfNeeded: digit))
            rest = quotient
        } while rest != 0
    }
    if value < 0 {
        position -= 1
        position.pointee = 0x2D
    }
    return end - position
}

@inline(__always) private func digitText(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 &+ digit : 0x37 &+ digit }

/// The value of a digit character in any base; 255 if it is none.
@inline(__always) public func digitValue(_ character: UInt8) -> UInt8 {
    if character &- 0x30 < 10 { return character &- 0x30 }
    let letter = (character | 0x20) &- 0x61
    return letter < 26 ? letter &+ 10 : 255
}

/// Runs `body` with the text of an integer. Requires: isInteger, base in 2...36.
public func withIntegerText<Result>(
    _ integer: Term, base: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result
) -> Result {
    if integer.isSmall {
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 72) { buffer in
            let end = buffer.baseAddress.unsafelyUnwrapped + 72
            let count = writeInteger(integer.smallValue, base: base, before: end)
            return body(UnsafeBufferPointer(start: end - count, count: count))
        }
    }
    let limbs = integer.bigLimbCount
    // GMP wants the limbs for itself, one more of them, and room for a digit more than there may be.
    let scratchSize = (limbs &+ 1) &* 8
    let source = UnsafeMutableRawPointer(integer.bigLimbs).assumingMemoryBound(to: UInt.self)
    let digits = __gmpn_sizeinbase(source, limbs, Int32(base)) &+ 2
    guard let memory = malloc(scratchSize &+ digits &+ 1) else { outOfMemory(scratchSize + digits + 1) }
    let scratch = memory.assumingMemoryBound(to: UInt.self)
    scratch.update(from: source, count: limbs)
    let text = (memory + scratchSize).assumingMemoryBound(to: UInt8.self)
    let written = __gmpn_get_str(text + 1, Int32(base), scratch, limbs)
    var first = 1
    while first < written, text[first] == 0 { first = first &+ 1 }
    var index = first
    while index <= written {
        text[index] = digitText(text[index])
        index = index &+ 1
    }
    if integer.bigIsNegative {
        first = first &- 1
        text[first] = 0x2D
    }
    let result = body(UnsafeBufferPointer(start: text + first, count: written &+ 1 &- first))
    free(memory)
    return result
}

/// The integer that `text` is: an optional sign, then digits, nothing else. None if the syntax is wrong,
/// `Term.systemLimit` if the number is too large. Requires: base in 2...36.
public func parseInteger(_ heap: Ref<Heap>, _ text: UnsafeBufferPointer<UInt8>, base: Int) -> Term {
    var first = 0
    var isNegative = false
    if text.count > 0, text[0] == 0x2D || text[0] == 0x2B {
        isNegative = text[0] == 0x2D
        first = 1
    }
    let count = text.count &- first
    if count <= 0 { return .none }
    if count > 12 {
        return withUnsafeTemporaryOrAllocatedBytes(count) { digits in
            var index = 0
            while index < count {
                let digit = digitValue(text[first &+ index])
                if digit >= base { return .none }
                digits[index] = digit
                index = index &+ 1
            }
            return makeInteger(heap, digits, count, base: base, isNegative: isNegative)
        }
    }
    // Twelve digits of base 36 fit a machine word.
    var value = 0
    for index in first..<text.count {
        let digit = Int(digitValue(text[index]))
        if digit >= base { return .none }
        value = value &* base &+ digit
    }
    return heap.integer(isNegative ? 0 &- value : value)
}

/// The integer with these digit values (not characters), most significant first.
public func makeInteger(
    _ heap: Ref<Heap>, _ digits: UnsafePointer<UInt8>, _ count: Int, base: Int, isNegative: Bool
) -> Term {
    var digits = digits
    var count = count
    while count > 0, digits[0] == 0 {
        digits += 1
        count = count &- 1
    }
    if count <= 18, base <= 10 {
        var value = 0
        for index in 0..<count { value = value &* base &+ Int(digits[index]) }
        return heap.integer(isNegative ? 0 &- value : value)
    }
    if count == 0 { return .small(0) }
    // 2^bits > base, so this many limbs are enough; GMP wants one more.
    let bits = Int.bitWidth - (base - 1).leadingZeroBitCount
    let minimumBits = bits - 1
    if count &- 1 > (BigInteger.limbLimit &* 64) / max(minimumBits, 1) { return .systemLimit }
    let limbs = (count &* bits) / 64 &+ 2
    let new = NewBig(heap, limbs)
    let written = __gmpn_set_str(new.limbs, digits, count, Int32(base))
    return new.finish(heap, written, isNegative: isNegative)
}

/// Runs `body` with `count` bytes of scratch memory.
public func withUnsafeTemporaryOrAllocatedBytes<Result>(
    _ count: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Result
) -> Result {
    if count <= 1024 {
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(count, 1)) {
            body($0.baseAddress.unsafelyUnwrapped)
        }
    }
    guard let memory = malloc(count) else { outOfMemory(count) }
    let result = body(memory.assumingMemoryBound(to: UInt8.self))
    free(memory)
    return result
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// A list of the bytes of `text`, in one piece of memory.
    public func textList(_ text: UnsafeBufferPointer<UInt8>, tail: Term = .nil) -> Term {
        let count = text.count
        if count == 0 { return tail }
        let cells = allocate(count &* 2)
        var cell = cells
        for byte in text {
            cell[0] = Term.small(Int(byte)).raw
            cell[1] = Term.cons(cell + 2).raw
            cell += 2
        }
        cell[-1] = tail.raw
        return .cons(cells)
    }
}
