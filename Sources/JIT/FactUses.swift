// FactUses.swift: for which registers, and from where on, it pays to know that they hold small integers or tuples.
// Facts that no instruction ahead can use would only make another version of the same code.

import CMachine
import Machine
import Terms

extension FunctionBody {
    /// Registers of which facts help in the block or after it, by block. `entered`: local functions whose code the same
    /// native function goes on with.
    func findFactUses(_ entered: (Ref<Function>) -> Bool) -> [RegisterSet] {
        setsAtStarts { self.factUses(of: $0, $1, $2, entered) }
    }

    /// The same after each instruction of a block, in order.
    func factUsesAfter(_ number: Int, _ uses: [RegisterSet], _ entered: (Ref<Function>) -> Bool) -> [RegisterSet] {
        setsAfter(number, uses) { self.factUses(of: $0, $1, $2, entered) }
    }

    private func factUses(
        of instruction: Instruction, _ behind: RegisterSet, _ starts: [RegisterSet], _ entered: (Ref<Function>) -> Bool
    ) -> RegisterSet {
        if Self.isLocalCall(instruction.op), case .raw(let word) = instruction.operands[0] {
            let callee = Ref<Function>(bitPattern: UInt(word))!
            if callee == function { return starts[blockAt[entry]!] }
            return entered(callee) ? RegisterSet(0..<Int(callee.pointee.arity)) : RegisterSet()
        }
        let movesFact = Self.isMove(instruction.op) && instruction.writes.contains(where: behind.contains)
        guard movesFact || Self.usesFacts(instruction.op) || (Self.isReturn(instruction.op) && entered(function)) else {
            return RegisterSet()
        }
        var set = RegisterSet(Self.isReturn(instruction.op) ? [0] : [])
        for operand in instruction.operands { if case .x(let register) = operand { set.insert(register) } }
        return set
    }

    private static func isMove(_ op: Op) -> Bool {
        switch op {
        case .move_xx, .move2_xx, .move2_xy, .move2_yx, .swap_xx, .swap: true
        default: false
        }
    }
    private static func isLocalCall(_ op: Op) -> Bool { op == .call || op == .call_only || op == .call_last }
    private static func isReturn(_ op: Op) -> Bool { op == .return || op == .deallocate_return }

    /// Whether its code may be shorter for what is known of its operands.
    private static func usesFacts(_ op: Op) -> Bool {
        switch op {
        case .move_xx, .move_xy, .move_yx, .move_yy, .move_cx, .move_cy, .move2_xx, .move2_xy, .move2_yx, .swap_xx, .swap, .init_y,
            .init_yregs, .allocate, .allocate_zero, .allocate_heap, .allocate_heap_zero, .test_heap, .deallocate, .trim,
            .return, .deallocate_return, .call_ext, .call_ext_only, .call_ext_last, .call_fun, .call_fun2, .call_fun_last,
            .call_fun2_last, .apply, .apply_last, .make_fun, .make_fun2, .send, .get_list_xxx, .get_list_xxy, .get_list_xyx,
            .get_list, .get_hd_xx, .get_hd, .get_tl_xx, .get_tl, .get_tuple_element_xx, .get_tuple_element_xy,
            .get_tuple_element_yx, .get_tuple_element2_xx, .get_tuple_element, .put_list_xxx, .put_list_yxx, .put_list_xcx,
            .put_list, .put_tuple2, .put_tuple2_2, .put_tuple2_3, .get_map_elements, .is_nonempty_list_x, .is_nonempty_list_y,
            .is_nonempty_list, .is_list_x, .is_list_y, .is_list, .is_nil_x, .is_nil_y, .is_nil, .is_atom_x, .is_atom_y, .is_atom,
            .is_map_x, .is_map_y, .is_map, .is_eq_exact_xi, .is_eq_exact_yi, .is_ne_exact_xi, .is_ne_exact_yi, .jump, .catch,
            .catch_end, .try_case, .try_end, .badmatch, .case_end, .if_end, .function_clause, .raise, .count_call:
            false
        default: true
        }
    }
}
