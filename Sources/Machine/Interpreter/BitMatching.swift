// BitMatching.swift: the matching half of the bit syntax, on Terms/BitMatch.swift. Words: `fail context ...`.

import CMachine
import Terms

/// A destination or size of `all` in bs_get_binary2.
private func field(_ c: Ref<Context>, _ size: UInt64, _ unit: UInt64) -> Int { fieldSize(c.source(size), unit: Int(unit)) }

/// `bs_start_match fail|0 live source destination`: a context stays what it is.
@inline(__always) func op_bs_start_match(_ m: Registers) -> Bool {
    let term = m.source(m.word(3))
    guard _fastPath(term.isBoxed), term.subtag == Subtag.matchContext else { return false }
    m.store(m.word(4), term)
    m.next(5)
    return true
}

func slow_bs_start_match(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let context = MatchContext.start(c.heap, c.source(pc[3]))
    guard !context.isNone else { return pc[1] == 0 ? c.raise(Atoms.badarg, 0) : codePointer(pc[1]) }
    return c.complete(context, to: pc[4], pc + 5, live: Int(pc[2]))
}

@inline(__always) private func alignedInteger(_ m: Registers, _ bits: Int, _ load: (Bytes) -> Int) -> Bool {
    let context = MatchContext(m.source(m.word(2)))
    let position = context.position
    guard _fastPath(position & 7 == 0) else { return false }
    guard context.end &- position >= bits else {
        m.jump(1)
        return true
    }
    context.position = position &+ bits
    m.store(m.word(3), .small(load(context.base + position &>> 3)))
    m.next(4)
    return true
}

/// `bs_get_integer_8 fail context destination`: unsigned, big-endian.
@inline(__always) func op_bs_get_integer_8(_ m: Registers) -> Bool { alignedInteger(m, 8) { Int($0[0]) } }

@inline(__always) func op_bs_get_integer_16(_ m: Registers) -> Bool {
    alignedInteger(m, 16) { Int($0[0]) &<< 8 | Int($0[1]) }
}

@inline(__always) func op_bs_get_integer_32(_ m: Registers) -> Bool {
    alignedInteger(m, 32) { Int(UInt32(bigEndian: UnsafeRawPointer($0).loadUnaligned(as: UInt32.self))) }
}

private func unalignedInteger(_ c: Ref<Context>, _ pc: CodePointer, _ bits: Int) -> CodePointer {
    let value = MatchContext(c.source(pc[2])).integer(c.heap, bits: bits, flags: 0)
    guard !value.isNone else { return codePointer(pc[1]) }
    c.store(pc[3], value)
    return pc + 4
}

func slow_bs_get_integer_8(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { unalignedInteger(c, pc, 8) }
func slow_bs_get_integer_16(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { unalignedInteger(c, pc, 16) }
func slow_bs_get_integer_32(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { unalignedInteger(c, pc, 32) }

/// `bs_get_integer fail context live size unit flags destination`
func slow_bs_get_integer(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let bits = field(c, pc[4], pc[5])
    guard bits >= 0 else { return codePointer(pc[1]) }
    let value = MatchContext(c.source(pc[2])).integer(c.heap, bits: bits, flags: Int(pc[6]))
    guard !value.isNone else { return codePointer(pc[1]) }
    return c.complete(value, to: pc[7], pc + 8, live: Int(pc[3]))
}

func slow_bs_get_float(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let bits = field(c, pc[4], pc[5])
    guard bits >= 0 else { return codePointer(pc[1]) }
    let value = MatchContext(c.source(pc[2])).float(c.heap, bits: bits, flags: Int(pc[6]))
    guard !value.isNone else { return codePointer(pc[1]) }
    return c.complete(value, to: pc[7], pc + 8, live: Int(pc[3]))
}

func slow_bs_get_binary(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let context = MatchContext(c.source(pc[2]))
    let value: Term
    if pc[4] == Atoms.all.raw {
        value = context.rest(c.heap, unit: Int(pc[5]))
    } else {
        let bits = field(c, pc[4], pc[5])
        guard bits >= 0 else { return codePointer(pc[1]) }
        value = context.bitstring(c.heap, bits: bits)
    }
    guard !value.isNone else { return codePointer(pc[1]) }
    return c.complete(value, to: pc[7], pc + 8, live: Int(pc[3]))
}

/// `bs_skip_bits fail context size unit`
@inline(__always) func op_bs_skip_bits(_ m: Registers) -> Bool {
    let size = m.source(m.word(3))
    guard _fastPath(size.isSmall), size.raw >> 32 == 0 else { return false }
    let bits = size.smallValue &* m.int(4)
    m.branch(MatchContext(m.source(m.word(2))).skip(bits), 5, fail: 1)
    return true
}

func slow_bs_skip_bits(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let context = MatchContext(c.source(pc[2]))
    if pc[3] == Atoms.all.raw {
        guard context.hasUnit(Int(pc[4])) else { return codePointer(pc[1]) }
        context.position = context.end
        return pc + 5
    }
    let bits = field(c, pc[3], pc[4])
    return bits >= 0 && context.skip(bits) ? pc + 5 : codePointer(pc[1])
}

@inline(__always) func op_bs_test_tail(_ m: Registers) {
    m.branch(MatchContext(m.source(m.word(2))).remaining == m.int(3), 4, fail: 1)
}

@inline(__always) func op_bs_test_unit(_ m: Registers) {
    m.branch(MatchContext(m.source(m.word(2))).hasUnit(m.int(3)), 4, fail: 1)
}

/// `bs_match_string fail context bits pointer`
func slow_bs_match_string(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let string = UnsafePointer<UInt8>(bitPattern: UInt(pc[4])) ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped
    return MatchContext(c.source(pc[2])).matchString(string, bits: Int(pc[3])) ? pc + 5 : codePointer(pc[1])
}

private func character(_ c: Ref<Context>, _ pc: CodePointer, _ value: Term, _ words: Int) -> CodePointer {
    guard !value.isNone else { return codePointer(pc[1]) }
    c.store(pc[words - 1], value)
    return pc + words
}

func slow_bs_get_utf8(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    character(c, pc, MatchContext(c.source(pc[2])).utf8(), 4)
}

func slow_bs_get_utf16(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    character(c, pc, MatchContext(c.source(pc[2])).utf16(flags: Int(pc[3])), 5)
}

func slow_bs_get_utf32(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    character(c, pc, MatchContext(c.source(pc[2])).utf32(flags: Int(pc[3])), 5)
}

private func skip(_ pc: CodePointer, _ value: Term, _ words: Int) -> CodePointer {
    value.isNone ? codePointer(pc[1]) : pc + words
}

func slow_bs_skip_utf8(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    skip(pc, MatchContext(c.source(pc[2])).utf8(), 3)
}

func slow_bs_skip_utf16(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    skip(pc, MatchContext(c.source(pc[2])).utf16(flags: Int(pc[3])), 4)
}

func slow_bs_skip_utf32(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    skip(pc, MatchContext(c.source(pc[2])).utf32(flags: Int(pc[3])), 4)
}

/// `bs_get_tail context destination live`
func slow_bs_get_tail(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.complete(MatchContext(c.source(pc[1])).tail(c.heap), to: pc[2], pc + 4, live: Int(pc[3]))
}

/// `bs_get_position context destination`: the position in bits fits a small integer.
@inline(__always) func op_bs_get_position(_ m: Registers) {
    m.store(m.word(2), .small(MatchContext(m.source(m.word(1))).position))
    m.next(3)
}

@inline(__always) func op_bs_set_position(_ m: Registers) {
    MatchContext(m.source(m.word(1))).position = m.source(m.word(2)).smallValue
    m.next(3)
}
