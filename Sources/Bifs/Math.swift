// Math.swift: module math, over the C library. What is not finite is a badarith.

import CMachine
import Glibc
import Machine
import Terms

let mathBifs: [Bif] = [
    Bif("math", "acos", 1, math_acos_1),
    Bif("math", "acosh", 1, math_acosh_1),
    Bif("math", "asin", 1, math_asin_1),
    Bif("math", "asinh", 1, math_asinh_1),
    Bif("math", "atan", 1, math_atan_1),
    Bif("math", "atan2", 2, math_atan2_2),
    Bif("math", "atanh", 1, math_atanh_1),
    Bif("math", "ceil", 1, math_ceil_1),
    Bif("math", "cos", 1, math_cos_1),
    Bif("math", "cosh", 1, math_cosh_1),
    Bif("math", "erf", 1, math_erf_1),
    Bif("math", "erfc", 1, math_erfc_1),
    Bif("math", "exp", 1, math_exp_1),
    Bif("math", "floor", 1, math_floor_1),
    Bif("math", "fmod", 2, math_fmod_2),
    Bif("math", "log", 1, math_log_1),
    Bif("math", "log10", 1, math_log10_1),
    Bif("math", "log2", 1, math_log2_1),
    Bif("math", "pow", 2, math_pow_2),
    Bif("math", "sin", 1, math_sin_1),
    Bif("math", "sinh", 1, math_sinh_1),
    Bif("math", "sqrt", 1, math_sqrt_1),
    Bif("math", "tan", 1, math_tan_1),
    Bif("math", "tanh", 1, math_tanh_1),
]

private enum Operand {
    case value(Double)
    /// No number (badarg) or one that no float can hold (badarith).
    case badarg, badarith

    init(_ term: Term) {
        if term.isFloat {
            self = .value(term.floatValue)
        } else if term.isSmall {
            self = .value(Double(term.smallValue))
        } else if term.isBig {
            self = doubleOfBig(term).map { .value($0) } ?? .badarith
        } else {
            self = .badarg
        }
    }
}

private func finite(_ process: Ref<Process>, _ value: Double) -> Term {
    value.isFinite ? process.heap.float(value) : process.badarith()
}

@inline(__always)
private func call(_ process: Ref<Process>, _ arguments: Arguments, _ function: (Double) -> Double) -> Term {
    switch Operand(arguments[0]) {
    case .value(let x): finite(process, function(x))
    case .badarg: process.badarg()
    case .badarith: process.badarith()
    }
}

/// The first argument that is wrong decides the reason.
@inline(__always)
private func call2(_ process: Ref<Process>, _ arguments: Arguments, _ function: (Double, Double) -> Double) -> Term {
    switch (Operand(arguments[0]), Operand(arguments[1])) {
    case (.value(let x), .value(let y)): finite(process, function(x, y))
    case (.badarg, _), (.value, .badarg): process.badarg()
    default: process.badarith()
    }
}

func math_acos_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.acos)
}

func math_acosh_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.acosh)
}

func math_asin_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.asin)
}

func math_asinh_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.asinh)
}

func math_atan_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.atan)
}

func math_atan2_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call2(process, arguments, Glibc.atan2)
}

func math_atanh_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.atanh)
}

func math_ceil_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.ceil)
}

func math_cos_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.cos)
}

func math_cosh_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.cosh)
}

func math_erf_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.erf)
}

func math_erfc_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.erfc)
}

func math_exp_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.exp)
}

func math_floor_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.floor)
}

func math_fmod_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call2(process, arguments, Glibc.fmod)
}

func math_log_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.log)
}

func math_log10_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.log10)
}

func math_log2_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.log2)
}

func math_pow_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call2(process, arguments, Glibc.pow)
}

func math_sin_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.sin)
}

func math_sinh_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.sinh)
}

func math_sqrt_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.sqrt)
}

func math_tan_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.tan)
}

func math_tanh_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    call(process, arguments, Glibc.tanh)
}
