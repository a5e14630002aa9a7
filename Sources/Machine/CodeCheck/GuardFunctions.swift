// GuardFunctions.swift: the native functions that code may call by other instructions than calls, and those that the
// compiler knows never to return.

import CMachine
import Terms

enum GuardFunctions {
    /// Their result is an immediate or part of an argument.
    private static let simple = """
        == /= =< < >= > =:= =/= and or xor not/1 is_atom/1 is_binary/1 is_bitstring/1 is_boolean/1 is_float/1 is_function/1 \
        is_function is_integer/1 is_list/1 is_map/1 is_map_key is_number/1 is_pid/1 is_port/1 is_record is_record/3 \
        is_reference/1 is_tuple/1 hd/1 tl/1 element map_get map_size/1 tuple_size/1 node/0 node/1 self/0 get/1
        """
    private static let allocating = """
        + - * / div rem band bor bxor bsl bsr +/1 -/1 bnot/1 abs/1 binary_part binary_part/3 bit_size/1 byte_size/1 ceil/1 \
        float/1 floor/1 length/1 round/1 size/1 trunc/1
        """
    private static let raising = "error/1 error/2 error/3 exit/1 throw/1 nif_error/1 nif_error/2"

    /// Once, after the native functions are registered and before a module is loaded.
    static func boot() {
        mark(simple, ExportFlags.guard)
        mark(allocating, ExportFlags.guard | ExportFlags.allocates)
        mark(raising, ExportFlags.raises)
    }

    /// Names of erlang functions with their arities; 2 where none is told.
    private static func mark(_ names: String, _ flags: UInt32) {
        for item in names.split(separator: " ") {
            let parts = item.count > 1 ? item.split(separator: "/") : [item]
            let hasArity = parts.count == 2 && Int(parts[1]) != nil
            let name = AtomTable.intern(String(hasArity ? parts[0] : item))
            let arity = hasArity ? Int(parts[1]) ?? 2 : 2
            guard let export = Exports.find(Atoms.erlang, name, arity), export.isNative else { continue }
            export.pointee.flags |= flags
        }
    }
}
