// Decoder+Families.swift: which part of the decoder takes a generic instruction that no row of the table fits.

public import BeamFile

extension Decoder {
    enum Family { case frame, call, bif, select, data, float, `try`, raising, receive, matching, character, create, construction }

    /// Nil: nothing takes it, or it needs no code.
    static func family(_ opcode: Opcode) -> Family? {
        switch opcode {
        case .allocate, .allocate_zero, .allocate_heap, .allocate_heap_zero, .test_heap, .deallocate, .trim: .frame
        case .call, .call_last, .call_only, .call_ext, .call_ext_last, .call_ext_only, .call_fun, .call_fun2, .apply,
            .apply_last, .make_fun2, .make_fun3:
            .call
        case .bif0, .bif1, .bif2, .gc_bif1, .gc_bif2, .gc_bif3: .bif
        case .select_val, .select_tuple_arity: .select
        case .put_tuple2, .get_tuple_element, .put_map_assoc, .put_map_exact, .get_map_elements, .has_map_fields,
            .init_yregs:
            .data
        case .fmove, .fconv, .fadd, .fsub, .fmul, .fdiv, .fnegate: .float
        case .try: .try
        case .badmatch, .case_end, .try_case_end, .badrecord, .if_end, .raise, .raw_raise, .send: .raising
        case .loop_rec, .loop_rec_end, .wait, .wait_timeout: .receive
        case .bs_start_match3, .bs_start_match4, .bs_get_integer2, .bs_get_float2, .bs_get_binary2, .bs_skip_bits2,
            .bs_test_tail2, .bs_test_unit, .bs_match_string, .bs_get_tail, .bs_get_position, .bs_set_position:
            .matching
        case .bs_get_utf8, .bs_get_utf16, .bs_get_utf32, .bs_skip_utf8, .bs_skip_utf16, .bs_skip_utf32: .character
        case .bs_create_bin: .create
        case .bs_init2, .bs_init_bits, .bs_append, .bs_private_append, .bs_put_integer, .bs_put_float, .bs_put_binary,
            .bs_put_string, .bs_put_utf8, .bs_put_utf16, .bs_put_utf32, .bs_utf8_size, .bs_utf16_size, .bs_add,
            .bs_init_writable:
            .construction
        default: nil
        }
    }

    /// Instructions that only say something about the code around them.
    static func isRemark(_ opcode: Opcode) -> Bool {
        switch opcode {
        case .label, .line, .func_info, .nif_start, .on_load, .int_code_end, .fclearerror, .fcheckerror, .recv_mark,
            .recv_set:
            true
        default: false
        }
    }
}

/// Whether code with this instruction runs. After boot.
public func decoderAccepts(_ opcode: Opcode) -> Bool {
    Decoder.isRemark(opcode) || Decoder.family(opcode) != nil || !InstructionTable.candidates(opcode).isEmpty
}
