// TypeTests.swift: is_atom/1 and its like as functions; compiled code mostly has instructions for them.

import CMachine
import Machine
import Terms

let typeTestBifs: [Bif] = [
    Bif("erlang", "is_atom", 1, erlang_is_atom_1),
    Bif("erlang", "is_binary", 1, erlang_is_binary_1),
    Bif("erlang", "is_bitstring", 1, erlang_is_bitstring_1),
    Bif("erlang", "is_boolean", 1, erlang_is_boolean_1),
    Bif("erlang", "is_float", 1, erlang_is_float_1),
    Bif("erlang", "is_function", 1, erlang_is_function_1),
    Bif("erlang", "is_integer", 1, erlang_is_integer_1),
    Bif("erlang", "is_list", 1, erlang_is_list_1),
    Bif("erlang", "is_map", 1, erlang_is_map_1),
    Bif("erlang", "is_number", 1, erlang_is_number_1),
    Bif("erlang", "is_pid", 1, erlang_is_pid_1),
    Bif("erlang", "is_port", 1, erlang_is_port_1),
    Bif("erlang", "is_reference", 1, erlang_is_reference_1),
    Bif("erlang", "is_tuple", 1, erlang_is_tuple_1),
    Bif("erlang", "is_function", 2, erlang_is_function_2),
    Bif("erlang", "is_record", 2, erlang_is_record_2),
    Bif("erlang", "is_record", 3, erlang_is_record_3),
]

private func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

func erlang_is_atom_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isAtom)
}

func erlang_is_binary_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isBinary)
}

func erlang_is_bitstring_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isBitstring)
}

func erlang_is_boolean_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0] == Atoms.true || arguments[0] == Atoms.false)
}

func erlang_is_float_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isFloat)
}

func erlang_is_function_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isFun)
}

func erlang_is_integer_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isInteger)
}

func erlang_is_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isList)
}

func erlang_is_map_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isMap)
}

func erlang_is_number_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isNumber)
}

func erlang_is_pid_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isPid)
}

func erlang_is_port_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isPort)
}

func erlang_is_reference_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isReference)
}

func erlang_is_tuple_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    boolean(arguments[0].isTuple)
}

/// A negative arity or one that is no integer is badarg, even if the first argument is no fun.
func erlang_is_function_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let arity = arguments[1]
    if arity.isBig, !arity.bigIsNegative { return Atoms.false }
    guard arity.isSmall, arity.smallValue >= 0 else { return process.badarg() }
    return boolean(arguments[0].isFun && arguments[0].funArity == arity.smallValue)
}

func erlang_is_record_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let term = arguments[0]
    guard arguments[1].isAtom else { return process.badarg() }
    return boolean(term.isTuple && term.tupleSize > 0 && term.element(0) == arguments[1])
}

func erlang_is_record_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let term = arguments[0]
    guard arguments[1].isAtom, arguments[2].isSmall else { return process.badarg() }
    let size = arguments[2].smallValue
    return boolean(term.isTuple && size > 0 && term.tupleSize == size && term.element(0) == arguments[1])
}
