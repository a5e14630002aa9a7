// Operators.swift: the operators as functions, as `apply`, match specifications and erl_eval call them.

import CMachine
import Machine
import Terms

let operatorBifs: [Bif] = [
    Bif("erlang", "+", 1, erlang_plus_1),
    Bif("erlang", "+", 2, erlang_plus_2),
    Bif("erlang", "-", 1, erlang_minus_1),
    Bif("erlang", "-", 2, erlang_minus_2),
    Bif("erlang", "*", 2, erlang_times_2),
    Bif("erlang", "/", 2, erlang_slash_2),
    Bif("erlang", "div", 2, erlang_div_2),
    Bif("erlang", "rem", 2, erlang_rem_2),
    Bif("erlang", "band", 2, erlang_band_2),
    Bif("erlang", "bor", 2, erlang_bor_2),
    Bif("erlang", "bxor", 2, erlang_bxor_2),
    Bif("erlang", "bnot", 1, erlang_bnot_1),
    Bif("erlang", "bsl", 2, erlang_bsl_2),
    Bif("erlang", "bsr", 2, erlang_bsr_2),
    Bif("erlang", "==", 2, erlang_equal_2),
    Bif("erlang", "/=", 2, erlang_notEqual_2),
    Bif("erlang", "=:=", 2, erlang_exactEqual_2),
    Bif("erlang", "=/=", 2, erlang_exactNotEqual_2),
    Bif("erlang", "<", 2, erlang_less_2),
    Bif("erlang", "=<", 2, erlang_lessEqual_2),
    Bif("erlang", ">", 2, erlang_greater_2),
    Bif("erlang", ">=", 2, erlang_greaterEqual_2),
    Bif("erlang", "not", 1, erlang_not_1),
    Bif("erlang", "and", 2, erlang_and_2),
    Bif("erlang", "or", 2, erlang_or_2),
    Bif("erlang", "xor", 2, erlang_xor_2),
]

// MARK: - Arithmetic

func erlang_plus_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(add(process.heap, arguments[0], .small(0)))
}

func erlang_plus_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(add(process.heap, arguments[0], arguments[1]))
}

func erlang_minus_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(negate(process.heap, arguments[0]))
}

func erlang_minus_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(subtract(process.heap, arguments[0], arguments[1]))
}

func erlang_times_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(multiply(process.heap, arguments[0], arguments[1]))
}

func erlang_slash_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(divide(process.heap, arguments[0], arguments[1]))
}

func erlang_div_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(intDivide(process.heap, arguments[0], arguments[1]))
}

func erlang_rem_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(remainder(process.heap, arguments[0], arguments[1]))
}

func erlang_band_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(bitAnd(process.heap, arguments[0], arguments[1]))
}

func erlang_bor_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(bitOr(process.heap, arguments[0], arguments[1]))
}

func erlang_bxor_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(bitXor(process.heap, arguments[0], arguments[1]))
}

func erlang_bnot_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(bitNot(process.heap, arguments[0]))
}

func erlang_bsl_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(shiftLeft(process.heap, arguments[0], arguments[1]))
}

func erlang_bsr_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.arithmetic(shiftRight(process.heap, arguments[0], arguments[1]))
}

// MARK: - Comparison

private func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

func erlang_equal_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(termsEqual(arguments[0], arguments[1]))
}

func erlang_notEqual_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(!termsEqual(arguments[0], arguments[1]))
}

func erlang_exactEqual_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(termsIdentical(arguments[0], arguments[1]))
}

func erlang_exactNotEqual_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(!termsIdentical(arguments[0], arguments[1]))
}

func erlang_less_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(compareTerms(arguments[0], arguments[1]) < 0)
}

func erlang_lessEqual_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(compareTerms(arguments[0], arguments[1]) <= 0)
}

func erlang_greater_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(compareTerms(arguments[0], arguments[1]) > 0)
}

func erlang_greaterEqual_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(compareTerms(arguments[0], arguments[1]) >= 0)
}

// MARK: - Booleans

/// Both arguments must be booleans, whatever the first one is.
private func logic(_ process: Ref<Process>, _ arguments: Arguments, _ operation: (Bool, Bool) -> Bool) -> Term {
    let a = arguments[0]
    let b = arguments[1]
    guard a == Atoms.true || a == Atoms.false, b == Atoms.true || b == Atoms.false else { return process.badarg() }
    return boolean(operation(a == Atoms.true, b == Atoms.true))
}

func erlang_not_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if arguments[0] == Atoms.true { return Atoms.false }
    return arguments[0] == Atoms.false ? Atoms.true : process.badarg()
}

func erlang_and_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    logic(process, arguments) { $0 && $1 }
}

func erlang_or_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    logic(process, arguments) { $0 || $1 }
}

func erlang_xor_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    logic(process, arguments) { $0 != $1 }
}
