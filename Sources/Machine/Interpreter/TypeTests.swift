// TypeTests.swift: is_atom, is_list, ... in their three operand forms: x register, y register, any source.

import CMachine
import Terms

extension Term {
    @inline(__always) fileprivate var isBoolean: Bool { raw == Atoms.true.raw || raw == Atoms.false.raw }
    @inline(__always) fileprivate var isIntegerTerm: Bool { isSmall || isBig }
    @inline(__always) fileprivate var isNumberTerm: Bool { isSmall || isBig || isFloat }
    /// A bit string of whole bytes.
    @inline(__always) fileprivate var isBinaryTerm: Bool {
        guard isBoxed else { return false }
        switch subtag {
        case Subtag.refcBinary, Subtag.heapBinary: return true
        case Subtag.subBinary: return pointer[3] & 0xFF == 0
        default: return false
        }
    }
}

@inline(__always) func op_is_integer_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isIntegerTerm, 3, fail: 2) }
@inline(__always) func op_is_integer_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isIntegerTerm, 3, fail: 2) }
@inline(__always) func op_is_integer(_ m: Registers) { m.branch(m.source(m.word(2)).isIntegerTerm, 3, fail: 1) }

@inline(__always) func op_is_float_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isFloat, 3, fail: 2) }
@inline(__always) func op_is_float_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isFloat, 3, fail: 2) }
@inline(__always) func op_is_float(_ m: Registers) { m.branch(m.source(m.word(2)).isFloat, 3, fail: 1) }

@inline(__always) func op_is_number_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isNumberTerm, 3, fail: 2) }
@inline(__always) func op_is_number_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isNumberTerm, 3, fail: 2) }
@inline(__always) func op_is_number(_ m: Registers) { m.branch(m.source(m.word(2)).isNumberTerm, 3, fail: 1) }

@inline(__always) func op_is_atom_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isAtom, 3, fail: 2) }
@inline(__always) func op_is_atom_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isAtom, 3, fail: 2) }
@inline(__always) func op_is_atom(_ m: Registers) { m.branch(m.source(m.word(2)).isAtom, 3, fail: 1) }

@inline(__always) func op_is_pid_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isPid, 3, fail: 2) }
@inline(__always) func op_is_pid_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isPid, 3, fail: 2) }
@inline(__always) func op_is_pid(_ m: Registers) { m.branch(m.source(m.word(2)).isPid, 3, fail: 1) }

@inline(__always) func op_is_reference_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isReference, 3, fail: 2) }
@inline(__always) func op_is_reference_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isReference, 3, fail: 2) }
@inline(__always) func op_is_reference(_ m: Registers) { m.branch(m.source(m.word(2)).isReference, 3, fail: 1) }

@inline(__always) func op_is_port_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isPort, 3, fail: 2) }
@inline(__always) func op_is_port_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isPort, 3, fail: 2) }
@inline(__always) func op_is_port(_ m: Registers) { m.branch(m.source(m.word(2)).isPort, 3, fail: 1) }

@inline(__always) func op_is_nil_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isNil, 3, fail: 2) }
@inline(__always) func op_is_nil_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isNil, 3, fail: 2) }
@inline(__always) func op_is_nil(_ m: Registers) { m.branch(m.source(m.word(2)).isNil, 3, fail: 1) }

@inline(__always) func op_is_binary_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isBinaryTerm, 3, fail: 2) }
@inline(__always) func op_is_binary_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isBinaryTerm, 3, fail: 2) }
@inline(__always) func op_is_binary(_ m: Registers) { m.branch(m.source(m.word(2)).isBinaryTerm, 3, fail: 1) }

@inline(__always) func op_is_list_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isList, 3, fail: 2) }
@inline(__always) func op_is_list_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isList, 3, fail: 2) }
@inline(__always) func op_is_list(_ m: Registers) { m.branch(m.source(m.word(2)).isList, 3, fail: 1) }

@inline(__always) func op_is_nonempty_list_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isCons, 3, fail: 2) }
@inline(__always) func op_is_nonempty_list_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isCons, 3, fail: 2) }
@inline(__always) func op_is_nonempty_list(_ m: Registers) { m.branch(m.source(m.word(2)).isCons, 3, fail: 1) }

@inline(__always) func op_is_tuple_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isTuple, 3, fail: 2) }
@inline(__always) func op_is_tuple_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isTuple, 3, fail: 2) }
@inline(__always) func op_is_tuple(_ m: Registers) { m.branch(m.source(m.word(2)).isTuple, 3, fail: 1) }

@inline(__always) func op_is_function_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isFun, 3, fail: 2) }
@inline(__always) func op_is_function_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isFun, 3, fail: 2) }
@inline(__always) func op_is_function(_ m: Registers) { m.branch(m.source(m.word(2)).isFun, 3, fail: 1) }

@inline(__always) func op_is_boolean_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isBoolean, 3, fail: 2) }
@inline(__always) func op_is_boolean_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isBoolean, 3, fail: 2) }
@inline(__always) func op_is_boolean(_ m: Registers) { m.branch(m.source(m.word(2)).isBoolean, 3, fail: 1) }

@inline(__always) func op_is_bitstr_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isBitstring, 3, fail: 2) }
@inline(__always) func op_is_bitstr_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isBitstring, 3, fail: 2) }
@inline(__always) func op_is_bitstr(_ m: Registers) { m.branch(m.source(m.word(2)).isBitstring, 3, fail: 1) }

@inline(__always) func op_is_map_x(_ m: Registers) { m.branch(m.x(m.packed(0)).isMap, 3, fail: 2) }
@inline(__always) func op_is_map_y(_ m: Registers) { m.branch(m.y(m.packed(0)).isMap, 3, fail: 2) }
@inline(__always) func op_is_map(_ m: Registers) { m.branch(m.source(m.word(2)).isMap, 3, fail: 1) }
