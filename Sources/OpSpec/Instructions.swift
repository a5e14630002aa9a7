// Instructions.swift: the one table of the specialised instructions that threaded code consists of. From it come the
// C handlers and Swift stubs, the operation numbers, the decoder's choice by operand kinds, the disassembler and the
// coverage report.
//
// A pattern has one letter per operand of the generic BEAM operation `generic`:
//
//     x y   that register                    s   any source: x, y or constant
//     c     constant (immediate or literal)  i   constant that is an immediate
//     d     any destination: x or y          f   label (not 0)
//     j     label or 0: a position, or a Location with bit 0 set ("raise here")
//     u     unsigned number
//
// Encoding: word 0 the handler; then, if the pattern has x or y letters, one word with their 16-bit byte offsets in
// order; then a word for each other operand in order. Rows are tried in order. Rows without `generic` are placed by
// hand-written parts of the decoder, which document their words.

/// How a handler leaves its fast path.
public enum Shape: Sendable {
    /// The fast path always succeeds.
    case pure
    /// A fast path that may give up, with a slow path out of line.
    case fast
    /// Only the out-of-line function.
    case slow
}

public struct Instruction: Sendable {
    public let name: String
    public let generic: String?
    public let pattern: String
    public let shape: Shape

    init(_ name: String, _ generic: String?, _ pattern: String, _ shape: Shape) {
        self.name = name
        self.generic = generic
        self.pattern = pattern
        self.shape = shape
    }
}

private let typeTests = [
    "integer", "float", "number", "atom", "pid", "reference", "port", "nil", "binary", "list", "nonempty_list",
    "tuple", "function", "boolean", "bitstr", "map",
]

public let instructions: [Instruction] =
    moves + frames + calls + tests + dataInstructions + arithmetic + floats + exceptionInstructions + receives
    + bitSyntax + entries

private let moves: [Instruction] = [
    Instruction("move_xx", "move", "xx", .pure),
    Instruction("move_xy", "move", "xy", .pure),
    Instruction("move_yx", "move", "yx", .pure),
    Instruction("move_yy", "move", "yy", .pure),
    Instruction("move_cx", "move", "cx", .pure),
    Instruction("move_cy", "move", "cy", .pure),
    // Two moves in a row; fused by the decoder.
    Instruction("move2_xy", nil, "xyxy", .pure),
    Instruction("move2_yx", nil, "yxyx", .pure),
    Instruction("move2_xx", nil, "xxxx", .pure),
    Instruction("swap_xx", "swap", "xx", .pure),
    Instruction("swap", "swap", "dd", .pure),
    Instruction("init_y", "init", "y", .pure),
    Instruction("init_yregs", nil, "count byteOffset...", .pure),
]

private let frames: [Instruction] = [
    Instruction("allocate", nil, "bytes live", .fast),
    Instruction("allocate_zero", nil, "bytes live", .fast),
    Instruction("allocate_heap", nil, "bytes heapBytes live", .fast),
    Instruction("allocate_heap_zero", nil, "bytes heapBytes live", .fast),
    Instruction("test_heap", nil, "bytes live", .fast),
    Instruction("collect", nil, "words live", .slow),
    Instruction("deallocate", nil, "bytes", .pure),
    Instruction("trim", nil, "bytes", .pure),
    Instruction("return", "return", "", .pure),
    Instruction("deallocate_return", nil, "bytes", .pure),
]

private let calls: [Instruction] = [
    Instruction("call", nil, "function location", .fast),
    Instruction("call_only", nil, "function", .fast),
    Instruction("call_last", nil, "function bytes", .fast),
    Instruction("call_ext", nil, "export location", .fast),
    Instruction("call_ext_only", nil, "export", .fast),
    Instruction("call_ext_last", nil, "export bytes", .fast),
    Instruction("call_bif", nil, "export location", .slow),
    Instruction("call_fun", nil, "arity location", .fast),
    Instruction("call_fun2", nil, "arity source location", .fast),
    Instruction("apply", nil, "arity location", .slow),
    Instruction("apply_last", nil, "arity bytes location", .slow),
    Instruction("make_fun", nil, "entry destination count source...", .pure),
    Instruction("make_fun2", nil, "entry count", .slow),
]

private let tests: [Instruction] =
    typeTests.flatMap { type in
        [
            Instruction("is_\(type)_x", "is_\(type)", "fx", .pure), Instruction("is_\(type)_y", "is_\(type)", "fy", .pure),
            Instruction("is_\(type)", "is_\(type)", "fs", .pure),
        ]
    } + [
        Instruction("jump", "jump", "f", .pure),
        Instruction("test_arity_x", "test_arity", "fxu", .pure),
        Instruction("test_arity", "test_arity", "fsu", .pure),
        Instruction("is_tuple_of_arity_x", nil, "fxu", .pure),
        Instruction("is_tagged_tuple_x", "is_tagged_tuple", "fxui", .pure),
        Instruction("is_tagged_tuple", "is_tagged_tuple", "fsui", .pure),
        Instruction("is_function2", "is_function2", "fss", .pure),
        Instruction("is_lt_xx", "is_lt", "fxx", .fast),
        Instruction("is_lt_xi", "is_lt", "fxi", .fast),
        Instruction("is_lt_ix", "is_lt", "fix", .fast),
        Instruction("is_lt", "is_lt", "fss", .fast),
        Instruction("is_ge_xx", "is_ge", "fxx", .fast),
        Instruction("is_ge_xi", "is_ge", "fxi", .fast),
        Instruction("is_ge_ix", "is_ge", "fix", .fast),
        Instruction("is_ge", "is_ge", "fss", .fast),
        Instruction("is_eq", "is_eq", "fss", .fast),
        Instruction("is_ne", "is_ne", "fss", .fast),
        Instruction("is_eq_exact_xi", "is_eq_exact", "fxi", .pure),
        Instruction("is_eq_exact_yi", "is_eq_exact", "fyi", .pure),
        Instruction("is_eq_exact_xx", "is_eq_exact", "fxx", .fast),
        Instruction("is_eq_exact", "is_eq_exact", "fss", .fast),
        Instruction("is_ne_exact_xi", "is_ne_exact", "fxi", .pure),
        Instruction("is_ne_exact_yi", "is_ne_exact", "fyi", .pure),
        Instruction("is_ne_exact", "is_ne_exact", "fss", .fast),
        // Sorted words of the immediates, then as many labels.
        Instruction("select_val2_x", nil, "register fail value value label label", .pure),
        Instruction("select_linear", nil, "source fail count value... label...", .pure),
        Instruction("select_binary", nil, "source fail count value... label...", .pure),
        Instruction("select_table", nil, "source fail first count label...", .pure),
        Instruction("select_terms", nil, "source fail count value... label...", .slow),
        Instruction("select_tuple_arity", nil, "source fail count header... label...", .pure),
    ]

private let dataInstructions: [Instruction] = [
    Instruction("get_list_xxx", "get_list", "xxx", .pure),
    Instruction("get_list_xxy", "get_list", "xxy", .pure),
    Instruction("get_list_xyx", "get_list", "xyx", .pure),
    Instruction("get_list", "get_list", "sdd", .pure),
    Instruction("get_hd_xx", "get_hd", "xx", .pure),
    Instruction("get_hd", "get_hd", "sd", .pure),
    Instruction("get_tl_xx", "get_tl", "xx", .pure),
    Instruction("get_tl", "get_tl", "sd", .pure),
    Instruction("get_tuple_element_xx", nil, "xx bytes", .pure),
    Instruction("get_tuple_element_xy", nil, "xy bytes", .pure),
    Instruction("get_tuple_element_yx", nil, "yx bytes", .pure),
    Instruction("get_tuple_element2_xx", nil, "xxx bytes bytes", .pure),
    Instruction("get_tuple_element", nil, "source bytes destination", .pure),
    Instruction("set_tuple_element", "set_tuple_element", "ssu", .pure),
    Instruction("put_list_xxx", "put_list", "xxx", .pure),
    Instruction("put_list_yxx", "put_list", "yxx", .pure),
    Instruction("put_list_xcx", "put_list", "xcx", .pure),
    Instruction("put_list", "put_list", "ssd", .pure),
    Instruction("put_tuple2", nil, "destination header source...", .pure),
    Instruction("put_tuple2_2", nil, "destination source source", .pure),
    Instruction("put_tuple2_3", nil, "destination source source source", .pure),
    Instruction("put_map_assoc", nil, "source destination live j count (key value)...", .slow),
    Instruction("put_map_exact", nil, "source destination live j count (key value)...", .slow),
    Instruction("get_map_elements", nil, "source fail count (key destination)...", .fast),
    Instruction("has_map_fields", nil, "source fail count key...", .slow),
]

private let arithmetic: [Instruction] =
    [
        Instruction("add_xi", nil, "xx i j live", .fast),
        Instruction("add_xx", nil, "xxx j live", .fast),
        Instruction("sub_xi", nil, "xx i j live", .fast),
        Instruction("sub_xx", nil, "xxx j live", .fast),
    ]
    + ["add", "sub", "mul", "div", "rem", "band", "bor", "bxor", "bsl", "bsr", "fdiv_numbers"].map {
        Instruction($0, nil, "s s d j live", .fast)
    }
    + [
        Instruction("bif0", nil, "export destination", .slow),
        Instruction("guard_bif1", nil, "export s d j live", .slow),
        Instruction("guard_bif2", nil, "export s s d j live", .slow),
        Instruction("guard_bif3", nil, "export s s s d j live", .slow),
        Instruction("self", nil, "destination", .pure),
        Instruction("element", nil, "s s d j live", .fast),
        Instruction("hd", nil, "s d j live", .fast),
        Instruction("tl", nil, "s d j live", .fast),
        Instruction("tuple_size", nil, "s d j live", .fast),
        Instruction("map_size", nil, "s d j live", .fast),
        Instruction("byte_size", nil, "s d j live", .fast),
        Instruction("length", nil, "s d j live", .slow),
    ]

private let floats: [Instruction] = [
    Instruction("fmove_load", nil, "s f", .pure),
    Instruction("fmove_store", nil, "f d", .pure),
    Instruction("fmove_copy", nil, "f f", .pure),
    Instruction("fconv", nil, "s f location", .fast),
    Instruction("fadd", nil, "f f f location", .fast),
    Instruction("fsub", nil, "f f f location", .fast),
    Instruction("fmul", nil, "f f f location", .fast),
    Instruction("fdiv", nil, "f f f location", .fast),
    Instruction("fnegate", nil, "f f", .pure),
]

private let exceptionInstructions: [Instruction] = [
    Instruction("catch", "catch", "yf", .pure),
    Instruction("catch_end", "catch_end", "y", .slow),
    Instruction("try_end", "try_end", "y", .pure),
    Instruction("try_case", "try_case", "y", .pure),
    Instruction("try_case_end", nil, "s location", .slow),
    Instruction("badmatch", nil, "s location", .slow),
    Instruction("case_end", nil, "s location", .slow),
    Instruction("badrecord", nil, "s location", .slow),
    Instruction("if_end", nil, "location", .slow),
    Instruction("function_clause", nil, "location", .slow),
    Instruction("raise", nil, "s s location", .slow),
    Instruction("raw_raise", nil, "location", .slow),
    Instruction("build_stacktrace", "build_stacktrace", "", .slow),
    // A position that validated code cannot reach.
    Instruction("unreachable", nil, "", .slow),
]

private let receives: [Instruction] = [
    Instruction("send", nil, "location", .slow),
    Instruction("loop_rec", nil, "fail destination location", .slow),
    Instruction("loop_rec_end", nil, "label", .slow),
    Instruction("remove_message", "remove_message", "", .slow),
    Instruction("wait", nil, "label location", .slow),
    Instruction("wait_timeout", nil, "label source location", .slow),
    Instruction("timeout", "timeout", "", .slow),
    Instruction("recv_marker_reserve", "recv_marker_reserve", "d", .slow),
    Instruction("recv_marker_bind", "recv_marker_bind", "ss", .slow),
    Instruction("recv_marker_use", "recv_marker_use", "s", .slow),
    Instruction("recv_marker_clear", "recv_marker_clear", "s", .slow),
]

private let bitSyntax: [Instruction] = [
    Instruction("bs_start_match", nil, "fail|0 live source destination", .fast),
    Instruction("bs_get_integer", nil, "fail context live size unit flags destination", .slow),
    Instruction("bs_get_integer_8", nil, "fail context destination", .fast),
    Instruction("bs_get_integer_16", nil, "fail context destination", .fast),
    Instruction("bs_get_integer_32", nil, "fail context destination", .fast),
    Instruction("bs_get_float", nil, "fail context live size unit flags destination", .slow),
    Instruction("bs_get_binary", nil, "fail context live size unit flags destination", .slow),
    Instruction("bs_skip_bits", nil, "fail context size unit", .fast),
    Instruction("bs_test_tail", nil, "fail context bits", .pure),
    Instruction("bs_test_unit", nil, "fail context unit", .pure),
    Instruction("bs_match_string", nil, "fail context bits pointer", .slow),
    Instruction("bs_get_utf8", nil, "fail context destination", .slow),
    Instruction("bs_get_utf16", nil, "fail context flags destination", .slow),
    Instruction("bs_get_utf32", nil, "fail context flags destination", .slow),
    Instruction("bs_skip_utf8", nil, "fail context", .slow),
    Instruction("bs_skip_utf16", nil, "fail context flags", .slow),
    Instruction("bs_skip_utf32", nil, "fail context flags", .slow),
    Instruction("bs_get_tail", nil, "context destination live", .slow),
    Instruction("bs_get_position", nil, "context destination", .pure),
    Instruction("bs_set_position", nil, "context source", .pure),
    Instruction("bs_create_bin", nil, "j live words unit destination count (type segment unit flags value size)...", .slow),
    Instruction("bs_init", nil, "j size isBits words live destination", .slow),
    Instruction("bs_append", nil, "j bits words live unit binary destination", .slow),
    Instruction("bs_private_append", nil, "j bits unit binary destination", .slow),
    Instruction("bs_put_integer", nil, "j size unit flags source", .slow),
    Instruction("bs_put_float", nil, "j size unit flags source", .slow),
    Instruction("bs_put_binary", nil, "j size unit source", .slow),
    Instruction("bs_put_string", nil, "bytes pointer", .slow),
    Instruction("bs_put_utf8", nil, "j source", .slow),
    Instruction("bs_put_utf16", nil, "j flags source", .slow),
    Instruction("bs_put_utf32", nil, "j flags source", .slow),
    Instruction("bs_utf8_size", nil, "source destination", .slow),
    Instruction("bs_utf16_size", nil, "source destination", .slow),
    Instruction("bs_add", nil, "j source source unit destination", .slow),
    Instruction("bs_init_writable", nil, "", .slow),
]

/// First words of functions, exports and of code that the machine itself places.
private let entries: [Instruction] = [
    Instruction("decode_function", nil, "", .slow),
    Instruction("call_undefined", nil, "", .slow),
    Instruction("enter_bif", nil, "", .slow),
    Instruction("apply_3", nil, "", .slow),
    Instruction("apply_2", nil, "", .slow),
    Instruction("hibernate_3", nil, "", .slow),
    Instruction("yield_0", nil, "", .slow),
    Instruction("normal_exit", nil, "", .slow),
    Instruction("continue_exception", nil, "", .slow),
]
