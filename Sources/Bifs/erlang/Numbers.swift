// Numbers.swift: conversions between numbers, and between numbers and text.

import CMachine
import Machine
import Terms

let numberBifs: [Bif] = [
    Bif("erlang", "abs", 1, erlang_abs_1),
    Bif("erlang", "float", 1, erlang_float_1),
    Bif("erlang", "round", 1, erlang_round_1),
    Bif("erlang", "trunc", 1, erlang_trunc_1),
    Bif("erlang", "floor", 1, erlang_floor_1),
    Bif("erlang", "ceil", 1, erlang_ceil_1),
    Bif("erlang", "integer_to_list", 1, erlang_integer_to_list_1),
    Bif("erlang", "integer_to_list", 2, erlang_integer_to_list_2),
    Bif("erlang", "integer_to_binary", 1, erlang_integer_to_binary_1),
    Bif("erlang", "integer_to_binary", 2, erlang_integer_to_binary_2),
    Bif("erlang", "list_to_integer", 1, erlang_list_to_integer_1),
    Bif("erlang", "list_to_integer", 2, erlang_list_to_integer_2),
    Bif("erlang", "binary_to_integer", 1, erlang_binary_to_integer_1),
    Bif("erlang", "binary_to_integer", 2, erlang_binary_to_integer_2),
    Bif("erlang", "float_to_list", 1, erlang_float_to_list_1),
    Bif("erlang", "float_to_list", 2, erlang_float_to_list_2),
    Bif("erlang", "float_to_binary", 1, erlang_float_to_binary_1),
    Bif("erlang", "float_to_binary", 2, erlang_float_to_binary_2),
    Bif("erlang", "list_to_float", 1, erlang_list_to_float_1),
    Bif("erlang", "binary_to_float", 1, erlang_binary_to_float_1),
    Bif("string", "list_to_integer", 1, string_list_to_integer_1),
    Bif("string", "list_to_float", 1, string_list_to_float_1),
]

// MARK: - Conversions

private func orBadarg(_ process: Ref<Process>, _ result: Term) -> Term { result.isFailure ? process.badarg() : result }

func erlang_abs_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let result = absolute(process.heap, arguments[0])
    return result == .systemLimit ? process.systemLimit() : orBadarg(process, result)
}

func erlang_float_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    orBadarg(process, toFloat(process.heap, arguments[0]))
}

func erlang_round_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    orBadarg(process, round(process.heap, arguments[0]))
}

func erlang_trunc_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    orBadarg(process, truncate(process.heap, arguments[0]))
}

func erlang_floor_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    orBadarg(process, floor(process.heap, arguments[0]))
}

func erlang_ceil_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    orBadarg(process, ceiling(process.heap, arguments[0]))
}

// MARK: - Integers and text

/// Reductions for so many digits.
private func charge(_ process: Ref<Process>, digits: Int) {
    if digits >= 16 { process.bump(digits / 16) }
}

/// Numbers with more digits are converted on a dirty thread: the conversion cannot be interrupted.
private func isHuge(_ process: Ref<Process>, digits: Int) -> Bool {
    _slowPath(digits > 20_000) && process.pointee.native == nil
}

private func base(_ term: Term) -> Int? {
    guard term.isSmall, term.smallValue >= 2, term.smallValue <= 36 else { return nil }
    return term.smallValue
}

private func integerList(_ process: Ref<Process>, _ arguments: Arguments, _ base: Int?) -> Term {
    let integer = arguments[0]
    guard integer.isInteger, let base else { return process.badarg() }
    if integer.isBig, isHuge(process, digits: integer.bigLimbCount &* 16) { return process.goDirty(arguments) }
    return withIntegerText(integer, base: base) { text in
        charge(process, digits: text.count)
        return process.heap.textList(text)
    }
}

private func integerBinary(_ process: Ref<Process>, _ arguments: Arguments, _ base: Int?) -> Term {
    let integer = arguments[0]
    guard integer.isInteger, let base else { return process.badarg() }
    if integer.isBig, isHuge(process, digits: integer.bigLimbCount &* 16) { return process.goDirty(arguments) }
    return withIntegerText(integer, base: base) { text in
        charge(process, digits: text.count)
        return process.heap.makeBinary(text)
    }
}

func erlang_integer_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    integerList(process, arguments, 10)
}

func erlang_integer_to_list_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    integerList(process, arguments, base(arguments[1]))
}

func erlang_integer_to_binary_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    integerBinary(process, arguments, 10)
}

func erlang_integer_to_binary_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    integerBinary(process, arguments, base(arguments[1]))
}

private func binaryInteger(_ process: Ref<Process>, _ arguments: Arguments, _ base: Int?) -> Term {
    let binary = arguments[0]
    if binary.isBinary, isHuge(process, digits: binary.byteCount) { return process.goDirty(arguments) }
    guard let base, let view = ByteView(binary) else { return process.badarg() }
    let result = parseInteger(process.heap, view.buffer, base: base)
    charge(process, digits: view.count)
    view.release()
    return result.isFailure ? (result.isNone ? process.badarg() : process.systemLimit()) : result
}

func erlang_binary_to_integer_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    binaryInteger(process, arguments, 10)
}

func erlang_binary_to_integer_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    binaryInteger(process, arguments, base(arguments[1]))
}

/// What the head of a list of characters says.
private enum ListInteger {
    case notList, noInteger
    /// `value` may be `Term.systemLimit`; `tail` is the list behind the digits.
    case integer(value: Term, tail: Term)
    /// Too many digits for this thread.
    case huge
}

/// A character of a list of digits as its value; 255 if it is none. As in OTP only the low byte of it counts.
@inline(__always) private func listDigit(_ element: Term) -> UInt8 {
    element.isSmall ? digitValue(UInt8(truncatingIfNeeded: element.smallValue)) : 255
}

private func leadingInteger(_ process: Ref<Process>, _ list: Term, base: Int) -> ListInteger {
    if list.isNil { return .noInteger }
    guard list.isCons else { return .notList }
    let isNegative = list.head == .small(0x2D)
    let first = isNegative || list.head == .small(0x2B) ? list.tail : list
    var tail = first
    var value = 0
    var fits = true
    var count = 0
    while tail.isCons {
        let digit = Int(listDigit(tail.head))
        if digit >= base { break }
        if fits {
            let (product, overflow) = value.multipliedReportingOverflow(by: base)
            let (sum, carry) = product.addingReportingOverflow(digit)
            fits = !overflow && !carry
            value = sum
        }
        count = count &+ 1
        tail = tail.tail
    }
    if count == 0 { return .noInteger }
    if isHuge(process, digits: count) { return .huge }
    charge(process, digits: count)
    if fits { return .integer(value: process.heap.integer(isNegative ? 0 &- value : value), tail: tail) }
    let result = withUnsafeTemporaryOrAllocatedBytes(count) { digits in
        var cell = first
        for index in 0..<count {
            digits[index] = listDigit(cell.head)
            cell = cell.tail
        }
        return makeInteger(process.heap, digits, count, base: base, isNegative: isNegative)
    }
    return .integer(value: result, tail: tail)
}

private func listInteger(_ process: Ref<Process>, _ arguments: Arguments, _ base: Int?) -> Term {
    guard let base else { return process.badarg() }
    switch leadingInteger(process, arguments[0], base: base) {
    case .integer(let value, let tail) where tail.isNil: return value.isFailure ? process.systemLimit() : value
    case .huge: return process.goDirty(arguments)
    default: return process.badarg()
    }
}

func erlang_list_to_integer_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    listInteger(process, arguments, 10)
}

func erlang_list_to_integer_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    listInteger(process, arguments, base(arguments[1]))
}

/// `{Integer, Rest}`, or `{error, no_integer | not_a_list}`.
func string_list_to_integer_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    switch leadingInteger(process, arguments[0], base: 10) {
    case .notList: process.heap.tuple(Atoms.error, Atoms.not_a_list)
    case .noInteger: process.heap.tuple(Atoms.error, Atoms.no_integer)
    case .integer(let value, let tail):
        value.isFailure ? process.systemLimit() : process.heap.tuple(value, tail)
    case .huge: process.goDirty(arguments)
    }
}
