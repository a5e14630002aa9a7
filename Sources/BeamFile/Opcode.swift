// Opcode.swift: the generic instructions that OTP 25 loads, and what each of their operands may be. This is the one
// place that says so; arity, validation and the reader follow from it.
//
// Operand letters:
//     l  number of the label defined here      L  label            F  label, or 0 = raise      E  label of a function
//     A  arity, 0...255                        w  live x registers, 0...1024    m  frame words, 0...1024
//     u  unsigned number                       h  heap need: words or an allocation list
//     s  any value (register, constant)        k  constant         v  a value or an unsigned number, maybe too big
//     r  x or y register                       d  x or y register as destination               y  y register
//     f  float register                        e  value or float register    o  destination or float register
//     a  atom (not [])                         I  import           n  fun entry                t  line item
//     b  label or atom (bs_start_match4)       g  unsigned number or atom (call_fun2)
//     [  a list follows whose elements repeat the rest of the letters

/// The opcodes that may appear in a file; the numbers left out are obsolete.
public enum Opcode: UInt8, CaseIterable, Sendable {
    case label = 1, func_info = 2, int_code_end = 3, call = 4, call_last = 5, call_only = 6, call_ext = 7
    case call_ext_last = 8, bif0 = 9, bif1 = 10, bif2 = 11, allocate = 12, allocate_heap = 13, allocate_zero = 14
    case allocate_heap_zero = 15, test_heap = 16, `init` = 17, deallocate = 18, `return` = 19, send = 20
    case remove_message = 21, timeout = 22, loop_rec = 23, loop_rec_end = 24, wait = 25, wait_timeout = 26
    case is_lt = 39, is_ge = 40, is_eq = 41, is_ne = 42, is_eq_exact = 43, is_ne_exact = 44, is_integer = 45
    case is_float = 46, is_number = 47, is_atom = 48, is_pid = 49, is_reference = 50, is_port = 51, is_nil = 52
    case is_binary = 53, is_list = 55, is_nonempty_list = 56, is_tuple = 57, test_arity = 58, select_val = 59
    case select_tuple_arity = 60, jump = 61, `catch` = 62, catch_end = 63, move = 64, get_list = 65
    case get_tuple_element = 66, set_tuple_element = 67, put_list = 69, badmatch = 72, if_end = 73, case_end = 74
    case call_fun = 75, is_function = 77, call_ext_only = 78, bs_put_integer = 89, bs_put_binary = 90
    case bs_put_float = 91, bs_put_string = 92, fclearerror = 94, fcheckerror = 95, fmove = 96, fconv = 97
    case fadd = 98, fsub = 99, fmul = 100, fdiv = 101, fnegate = 102, make_fun2 = 103, `try` = 104, try_end = 105
    case try_case = 106, try_case_end = 107, raise = 108, bs_init2 = 109, bs_add = 111, apply = 112
    case apply_last = 113, is_boolean = 114, is_function2 = 115, bs_get_integer2 = 117, bs_get_float2 = 118
    case bs_get_binary2 = 119, bs_skip_bits2 = 120, bs_test_tail2 = 121, gc_bif1 = 124, gc_bif2 = 125
    case is_bitstr = 129, bs_test_unit = 131, bs_match_string = 132, bs_init_writable = 133, bs_append = 134
    case bs_private_append = 135, trim = 136, bs_init_bits = 137, bs_get_utf8 = 138, bs_skip_utf8 = 139
    case bs_get_utf16 = 140, bs_skip_utf16 = 141, bs_get_utf32 = 142, bs_skip_utf32 = 143, bs_utf8_size = 144
    case bs_put_utf8 = 145, bs_utf16_size = 146, bs_put_utf16 = 147, bs_put_utf32 = 148, on_load = 149
    case recv_mark = 150, recv_set = 151, gc_bif3 = 152, line = 153, put_map_assoc = 154, put_map_exact = 155
    case is_map = 156, has_map_fields = 157, get_map_elements = 158, is_tagged_tuple = 159, build_stacktrace = 160
    case raw_raise = 161, get_hd = 162, get_tl = 163, put_tuple2 = 164, bs_get_tail = 165, bs_start_match3 = 166
    case bs_get_position = 167, bs_set_position = 168, swap = 169, bs_start_match4 = 170, make_fun3 = 171
    case init_yregs = 172, recv_marker_bind = 173, recv_marker_clear = 174, recv_marker_reserve = 175
    case recv_marker_use = 176, bs_create_bin = 177, call_fun2 = 178, nif_start = 179, badrecord = 180

    /// The highest number that OTP 25 knows; files that need more are refused.
    public static let highest = 180
}

/// Operand letters by opcode.
let operandKinds: [(Opcode, StaticString)] = [
    (.label, "l"), (.func_info, "aaA"), (.int_code_end, ""), (.call, "AE"), (.call_last, "AEm"), (.call_only, "AE"),
    (.call_ext, "AI"), (.call_ext_last, "AIm"), (.bif0, "Id"), (.bif1, "FIsd"), (.bif2, "FIssd"), (.allocate, "mw"),
    (.allocate_heap, "mhw"), (.allocate_zero, "mw"), (.allocate_heap_zero, "mhw"), (.test_heap, "hw"),
    (.`init`, "y"), (.deallocate, "m"), (.return, ""), (.send, ""), (.remove_message, ""), (.timeout, ""),
    (.loop_rec, "Ld"), (.loop_rec_end, "L"), (.wait, "L"), (.wait_timeout, "Ls"), (.is_lt, "Lss"), (.is_ge, "Lss"),
    (.is_eq, "Lss"), (.is_ne, "Lss"), (.is_eq_exact, "Lss"), (.is_ne_exact, "Lss"), (.is_integer, "Ls"),
    (.is_float, "Ls"), (.is_number, "Ls"), (.is_atom, "Ls"), (.is_pid, "Ls"), (.is_reference, "Ls"),
    (.is_port, "Ls"), (.is_nil, "Ls"), (.is_binary, "Ls"), (.is_list, "Ls"), (.is_nonempty_list, "Ls"),
    (.is_tuple, "Ls"), (.test_arity, "Lsu"), (.select_val, "sL[kL"), (.select_tuple_arity, "sL[uL"), (.jump, "L"),
    (.catch, "yL"), (.catch_end, "y"), (.move, "sd"), (.get_list, "sdd"), (.get_tuple_element, "sud"),
    (.set_tuple_element, "sdu"), (.put_list, "ssd"), (.badmatch, "s"), (.if_end, ""), (.case_end, "s"),
    (.call_fun, "A"), (.is_function, "Ls"), (.call_ext_only, "AI"), (.bs_put_integer, "Fvuus"),
    (.bs_put_binary, "Fvuus"), (.bs_put_float, "Fvuus"), (.bs_put_string, "uu"), (.fclearerror, ""),
    (.fcheckerror, "F"), (.fmove, "eo"), (.fconv, "ef"), (.fadd, "Ffff"), (.fsub, "Ffff"), (.fmul, "Ffff"),
    (.fdiv, "Ffff"), (.fnegate, "Fff"), (.make_fun2, "n"), (.try, "yL"), (.try_end, "y"), (.try_case, "y"),
    (.try_case_end, "s"), (.raise, "ss"), (.bs_init2, "Fvhwud"), (.bs_add, "Fssud"), (.apply, "A"),
    (.apply_last, "Am"), (.is_boolean, "Ls"), (.is_function2, "Lss"), (.bs_get_integer2, "Lrwsuud"),
    (.bs_get_float2, "Lrwsuud"), (.bs_get_binary2, "Lrwsuud"), (.bs_skip_bits2, "Lrsuu"), (.bs_test_tail2, "Lru"),
    (.gc_bif1, "FwIsd"), (.gc_bif2, "FwIssd"), (.is_bitstr, "Ls"), (.bs_test_unit, "Lru"),
    (.bs_match_string, "Lruu"), (.bs_init_writable, ""), (.bs_append, "Fvhwusud"), (.bs_private_append, "Fvusud"),
    (.trim, "mm"), (.bs_init_bits, "Fvhwud"), (.bs_get_utf8, "Lrwud"), (.bs_skip_utf8, "Lrwu"),
    (.bs_get_utf16, "Lrwud"), (.bs_skip_utf16, "Lrwu"), (.bs_get_utf32, "Lrwud"), (.bs_skip_utf32, "Lrwu"),
    (.bs_utf8_size, "Fsd"), (.bs_put_utf8, "Fus"), (.bs_utf16_size, "Fsd"), (.bs_put_utf16, "Fus"),
    (.bs_put_utf32, "Fus"), (.on_load, ""), (.recv_mark, "L"), (.recv_set, "L"), (.gc_bif3, "FwIsssd"), (.line, "t"),
    (.put_map_assoc, "Fsdw[ss"), (.put_map_exact, "Fsdw[ss"), (.is_map, "Ls"), (.has_map_fields, "Ls[s"),
    (.get_map_elements, "Ls[sd"), (.is_tagged_tuple, "Lsua"), (.build_stacktrace, ""), (.raw_raise, ""),
    (.get_hd, "sd"), (.get_tl, "sd"), (.put_tuple2, "d[s"), (.bs_get_tail, "rdw"), (.bs_start_match3, "Lswd"),
    (.bs_get_position, "rdw"), (.bs_set_position, "rs"), (.swap, "dd"), (.bs_start_match4, "bwsd"),
    (.make_fun3, "nd[s"), (.init_yregs, "[y"), (.recv_marker_bind, "ss"), (.recv_marker_clear, "s"),
    (.recv_marker_reserve, "d"), (.recv_marker_use, "s"), (.bs_create_bin, "Fhwud[auusvv"), (.call_fun2, "gAs"),
    (.nif_start, ""), (.badrecord, "s"),
]
