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
//     u     unsigned number                      w   no operand: a word for feedback, 0 at first
//
// Encoding: word 0 the handler; then, if the pattern has x or y letters, one word with their 16-bit byte offsets in
// order; then a word for each other operand in order. Rows are tried in order.
//
// Rows without `generic` are placed by hand-written parts of the decoder; their pattern lists the words (Operands.swift):
// [x>y] one packed word, the letters behind > are written; k a plain number or pointer (k:name says which); l the number
// of x registers that live on, which a collection in the slow path visits; n(...)(...) a count, then that many of each
// group; h(...) a tuple header, then a group for each element; v a source, or a pointer in a string segment.
//
// The upper halves of `l` and `w` words, and of packed words with two registers at most, belong to feedback
// (Machine/Interpreter/Feedback.swift): slow paths count there what they meet, so whoever reads the operand masks it.

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
    Instruction("move2_xy", nil, "[x>y,x>y]", .pure),
    Instruction("move2_yx", nil, "[y>x,y>x]", .pure),
    Instruction("move2_xx", nil, "[x>x,x>x]", .pure),
    Instruction("swap_xx", "swap", "xx", .pure),
    Instruction("swap", "swap", "dd", .pure),
    Instruction("init_y", "init", "y", .pure),
    Instruction("init_yregs", nil, "n(k)", .pure),
]

private let frames: [Instruction] = [
    Instruction("allocate", nil, "k:bytes l", .fast),
    Instruction("allocate_zero", nil, "k:bytes l", .fast),
    Instruction("allocate_heap", nil, "k:bytes k:heapBytes l", .fast),
    Instruction("allocate_heap_zero", nil, "k:bytes k:heapBytes l", .fast),
    Instruction("test_heap", nil, "k:bytes l", .fast),
    Instruction("collect", nil, "k:words l", .slow),
    Instruction("deallocate", nil, "k:bytes", .pure),
    Instruction("trim", nil, "k:bytes", .pure),
    Instruction("return", "return", "", .pure),
    Instruction("deallocate_return", nil, "k:bytes", .pure),
]

private let calls: [Instruction] = [
    Instruction("call", nil, "k:function k:location", .fast),
    Instruction("call_only", nil, "k:function", .fast),
    Instruction("call_last", nil, "k:function k:bytes", .fast),
    Instruction("call_ext", nil, "k:export k:location", .fast),
    Instruction("call_ext_only", nil, "k:export", .fast),
    Instruction("call_ext_last", nil, "k:export k:bytes", .fast),
    Instruction("call_bif", nil, "k:export k:location", .slow),
    // `target` is feedback too (FunTarget).
    Instruction("call_fun", nil, "k:arity k:target k:location", .fast),
    Instruction("call_fun2", nil, "k:arity s:fun k:target k:location", .fast),
    Instruction("trace_call", nil, "k:breakpoint", .slow),
    Instruction("trace_return", nil, "", .slow),
    Instruction("trace_return_to", nil, "", .slow),
    Instruction("trace_return_time", nil, "", .slow),
    Instruction("call_fun_last", nil, "k:arity k:bytes k:target k:location", .fast),
    Instruction("call_fun2_last", nil, "k:arity k:bytes s:fun k:target k:location", .fast),
    Instruction("apply", nil, "k:arity k:location", .slow),
    Instruction("apply_last", nil, "k:arity k:bytes k:location", .slow),
    Instruction("check_apply", nil, "k:arity k:location", .slow),
    Instruction("make_fun", nil, "k:entry d n(s)", .pure),
    Instruction("make_fun2", nil, "k:entry k:count", .slow),
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
        Instruction("is_tuple_of_arity_x", nil, "[x] f k:header", .pure),
        Instruction("is_tagged_tuple_x", "is_tagged_tuple", "fxui", .pure),
        Instruction("is_tagged_tuple", "is_tagged_tuple", "fsui", .pure),
        Instruction("is_function2", "is_function2", "fss", .pure),
        Instruction("is_lt_xx", "is_lt", "fxx", .fast),
        Instruction("is_lt_xi", "is_lt", "fxi", .fast),
        Instruction("is_lt_ix", "is_lt", "fix", .fast),
        Instruction("is_lt", "is_lt", "fssw", .fast),
        Instruction("is_ge_xx", "is_ge", "fxx", .fast),
        Instruction("is_ge_xi", "is_ge", "fxi", .fast),
        Instruction("is_ge_ix", "is_ge", "fix", .fast),
        Instruction("is_ge", "is_ge", "fssw", .fast),
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
        Instruction("select_val2_x", nil, "s f k:value k:value f f", .pure),
        Instruction("select_linear", nil, "s f n(k:value)(f)", .pure),
        Instruction("select_binary", nil, "s f n(k:value)(f)", .pure),
        Instruction("select_table", nil, "s f k:first n(f)", .pure),
        Instruction("select_terms", nil, "s f n(k:value)(f)", .slow),
        Instruction("select_tuple_arity", nil, "s f n(k:header)(f)", .pure),
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
    Instruction("get_tuple_element_xx", nil, "[x>x] k:bytes", .pure),
    Instruction("get_tuple_element_xy", nil, "[x>y] k:bytes", .pure),
    Instruction("get_tuple_element_yx", nil, "[y>x] k:bytes", .pure),
    Instruction("get_tuple_element2_xx", nil, "[x>xx] k:bytes k:bytes", .pure),
    Instruction("get_tuple_element", nil, "s k:bytes d", .pure),
    Instruction("set_tuple_element", "set_tuple_element", "ssu", .pure),
    Instruction("put_list_xxx", "put_list", "xxx", .pure),
    Instruction("put_list_yxx", "put_list", "yxx", .pure),
    Instruction("put_list_xcx", "put_list", "xcx", .pure),
    Instruction("put_list", "put_list", "ssd", .pure),
    Instruction("put_tuple2", nil, "d h(s)", .pure),
    Instruction("put_tuple2_2", nil, "d s s", .pure),
    Instruction("put_tuple2_3", nil, "d s s s", .pure),
    Instruction("put_map_assoc", nil, "s d l j n(ss)", .slow),
    Instruction("put_map_exact", nil, "s d l j n(ss)", .slow),
    Instruction("get_map_elements", nil, "s f n(sd)", .fast),
    Instruction("has_map_fields", nil, "s f n(s)", .slow),
]

private let arithmetic: [Instruction] =
    [
        Instruction("add_xi", nil, "[x>x] k:constant j l", .fast),
        Instruction("add_xx", nil, "[xx>x] j l", .fast),
        Instruction("sub_xi", nil, "[x>x] k:constant j l", .fast),
        Instruction("sub_xx", nil, "[xx>x] j l", .fast),
    ]
    + ["add", "sub", "mul", "div", "rem", "band", "bor", "bxor", "bsl", "bsr", "fdiv_numbers"].map {
        Instruction($0, nil, "s s d j l", .fast)
    }
    + [
        Instruction("bif0", nil, "k:export d", .slow),
        Instruction("guard_bif1", nil, "k:export s d j l", .slow),
        Instruction("guard_bif2", nil, "k:export s s d j l", .slow),
        Instruction("guard_bif3", nil, "k:export s s s d j l", .slow),
        Instruction("self", nil, "d", .pure),
        Instruction("element", nil, "k:export s s d j l", .fast),
        Instruction("hd", nil, "k:export s d j l", .fast),
        Instruction("tl", nil, "k:export s d j l", .fast),
        Instruction("tuple_size", nil, "k:export s d j l", .fast),
        Instruction("map_size", nil, "k:export s d j l", .fast),
        Instruction("byte_size", nil, "k:export s d j l", .fast),
        Instruction("length", nil, "k:export s d j l", .slow),
    ]

private let floats: [Instruction] = [
    Instruction("fmove_load", nil, "s k:f", .pure),
    Instruction("fmove_store", nil, "k:f d", .pure),
    Instruction("fmove_copy", nil, "k:f k:f", .pure),
    Instruction("fconv", nil, "s k:f k:location", .fast),
    Instruction("fadd", nil, "k:f k:f k:f k:location", .fast),
    Instruction("fsub", nil, "k:f k:f k:f k:location", .fast),
    Instruction("fmul", nil, "k:f k:f k:f k:location", .fast),
    Instruction("fdiv", nil, "k:f k:f k:f k:location", .fast),
    Instruction("fnegate", nil, "k:f k:f", .pure),
]

private let exceptionInstructions: [Instruction] = [
    Instruction("catch", "catch", "yf", .pure),
    Instruction("catch_end", "catch_end", "y", .slow),
    Instruction("try_end", "try_end", "y", .pure),
    Instruction("try_case", "try_case", "y", .pure),
    Instruction("try_case_end", nil, "s k:location", .slow),
    Instruction("badmatch", nil, "s k:location", .slow),
    Instruction("case_end", nil, "s k:location", .slow),
    Instruction("badrecord", nil, "s k:location", .slow),
    Instruction("if_end", nil, "k:location", .slow),
    Instruction("function_clause", nil, "k:location", .slow),
    Instruction("raise", nil, "s s k:location", .slow),
    Instruction("raw_raise", nil, "k:location", .slow),
    Instruction("build_stacktrace", "build_stacktrace", "", .slow),
    // The code of a function that the code check refused.
    Instruction("invalid_code", nil, "k:location k:fault", .slow),
    // In front of an instruction that relies on what the code check could not show.
    Instruction("require_cons", nil, "s k:location", .fast),
    Instruction("require_map", nil, "s k:location", .fast),
    Instruction("require_float", nil, "s k:location", .fast),
    Instruction("require_tuple", nil, "s k:size k:location", .fast),
]

private let receives: [Instruction] = [
    Instruction("send", nil, "k:location", .slow),
    Instruction("loop_rec", nil, "f d k:location", .slow),
    Instruction("loop_rec_end", nil, "f", .slow),
    Instruction("remove_message", "remove_message", "", .slow),
    Instruction("wait", nil, "f k:location", .slow),
    Instruction("wait_timeout", nil, "f s k:location", .slow),
    Instruction("timeout", "timeout", "", .slow),
    Instruction("recv_marker_reserve", "recv_marker_reserve", "d", .slow),
    Instruction("recv_marker_bind", "recv_marker_bind", "ss", .slow),
    Instruction("recv_marker_use", "recv_marker_use", "s", .slow),
    Instruction("recv_marker_clear", "recv_marker_clear", "s", .slow),
]

private let bitSyntax: [Instruction] = [
    Instruction("bs_start_match", nil, "j l s d", .fast),
    Instruction("bs_get_integer", nil, "f s l s k:unit k:flags d", .slow),
    Instruction("bs_get_integer_8", nil, "f s d", .fast),
    Instruction("bs_get_integer_16", nil, "f s d", .fast),
    Instruction("bs_get_integer_32", nil, "f s d", .fast),
    Instruction("bs_get_float", nil, "f s l s k:unit k:flags d", .slow),
    Instruction("bs_get_binary", nil, "f s l s k:unit k:flags d", .slow),
    Instruction("bs_skip_bits", nil, "f s s k:unit", .fast),
    Instruction("bs_test_tail", nil, "f s k:bits", .pure),
    Instruction("bs_test_unit", nil, "f s k:unit", .pure),
    Instruction("bs_match_string", nil, "f s k:bits k:pointer", .slow),
    Instruction("bs_get_utf8", nil, "f s d", .slow),
    Instruction("bs_get_utf16", nil, "f s k:flags d", .slow),
    Instruction("bs_get_utf32", nil, "f s k:flags d", .slow),
    Instruction("bs_skip_utf8", nil, "f s", .slow),
    Instruction("bs_skip_utf16", nil, "f s k:flags", .slow),
    Instruction("bs_skip_utf32", nil, "f s k:flags", .slow),
    Instruction("bs_get_tail", nil, "s d l", .slow),
    Instruction("bs_get_position", nil, "s d", .pure),
    Instruction("bs_set_position", nil, "s s", .pure),
    Instruction("bs_create_bin", nil, "j l k:words k:unit d n(kkkkvs)", .slow),
    Instruction("bs_init", nil, "j s k:isBits k:words l d", .slow),
    Instruction("bs_append", nil, "j s k:words l k:unit s d", .slow),
    Instruction("bs_private_append", nil, "j s k:unit s d", .slow),
    Instruction("bs_put_integer", nil, "j s k:unit k:flags s", .slow),
    Instruction("bs_put_float", nil, "j s k:unit k:flags s", .slow),
    Instruction("bs_put_binary", nil, "j s k:unit s", .slow),
    Instruction("bs_put_string", nil, "k:bytes k:pointer", .slow),
    Instruction("bs_put_utf8", nil, "j s", .slow),
    Instruction("bs_put_utf16", nil, "j k:flags s", .slow),
    Instruction("bs_put_utf32", nil, "j k:flags s", .slow),
    Instruction("bs_utf8_size", nil, "s d", .slow),
    Instruction("bs_utf16_size", nil, "s d", .slow),
    Instruction("bs_add", nil, "j s s k:unit d", .slow),
    Instruction("bs_init_writable", nil, "", .slow),
]

/// First words of functions, exports and of code that the machine itself places.
private let entries: [Instruction] = [
    // At the entry of a function while the JIT is on: asks for it to be compiled once its calls are used up.
    Instruction("count_call", nil, "k:function", .fast),
    Instruction("decode_function", nil, "", .slow),
    Instruction("call_undefined", nil, "", .slow),
    Instruction("enter_bif", nil, "", .slow),
    Instruction("resume_native", nil, "", .slow),
    Instruction("start_dirty", nil, "", .slow),
    Instruction("finish_dirty", nil, "", .slow),
    Instruction("apply_3", nil, "", .slow),
    Instruction("apply_2", nil, "", .slow),
    Instruction("hibernate_3", nil, "", .slow),
    Instruction("yield_0", nil, "", .slow),
    Instruction("normal_exit", nil, "", .slow),
]
