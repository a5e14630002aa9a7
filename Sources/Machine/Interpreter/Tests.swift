// Tests.swift: comparisons, tuple tests and selections. A test that fails jumps to its label.

import CMachine
import Terms

@inline(__always) func op_jump(_ m: Registers) { m.jump(1) }

// MARK: - Tuples and funs

@inline(__always) func op_test_arity_x(_ m: Registers) {
    m.branch(m.x(m.packed(0)).header == m.word(3), 4, fail: 2)
}

@inline(__always) func op_test_arity(_ m: Registers) {
    m.branch(m.source(m.word(2)).header == m.word(3), 4, fail: 1)
}

/// is_tuple and test_arity of the same x register in one.
@inline(__always) func op_is_tuple_of_arity_x(_ m: Registers) {
    let term = m.x(m.packed(0))
    m.branch(term.isBoxed && term.header == m.word(3), 4, fail: 2)
}

@inline(__always) func op_is_tagged_tuple_x(_ m: Registers) {
    let term = m.x(m.packed(0))
    m.branch(term.isBoxed && term.header == m.word(3) && term.pointer[1] == m.word(4), 5, fail: 2)
}

@inline(__always) func op_is_tagged_tuple(_ m: Registers) {
    let term = m.source(m.word(2))
    m.branch(term.isBoxed && term.header == m.word(3) && term.pointer[1] == m.word(4), 5, fail: 1)
}

@inline(__always) func op_is_function2(_ m: Registers) {
    let term = m.source(m.word(2))
    let arity = m.source(m.word(3))
    m.branch(term.isFun && arity.isSmall && arity.smallValue == term.funArity, 4, fail: 1)
}

// MARK: - Order

/// Both small: their words compare as the integers do.
@inline(__always) func bothSmall(_ a: Term, _ b: Term) -> Bool { a.raw & b.raw & 15 == 15 }
@inline(__always) private func less(_ a: Term, _ b: Term) -> Bool { Int64(bitPattern: a.raw) < Int64(bitPattern: b.raw) }

@inline(__always) private func lessTest(
    _ m: Registers, _ a: Term, _ b: Term, _ expected: Bool, _ words: Int, fail: Int
) -> Bool {
    guard _fastPath(bothSmall(a, b)) else { return false }
    m.branch(less(a, b) == expected, words, fail: fail)
    return true
}

@inline(__always) func op_is_lt_xx(_ m: Registers) -> Bool {
    lessTest(m, m.x(m.packed(0)), m.x(m.packed(1)), true, 3, fail: 2)
}
@inline(__always) func op_is_lt_xi(_ m: Registers) -> Bool {
    lessTest(m, m.x(m.packed(0)), Term(raw: m.word(3)), true, 4, fail: 2)
}
@inline(__always) func op_is_lt_ix(_ m: Registers) -> Bool {
    lessTest(m, Term(raw: m.word(3)), m.x(m.packed(0)), true, 4, fail: 2)
}
@inline(__always) func op_is_lt(_ m: Registers) -> Bool {
    lessTest(m, m.source(m.word(2)), m.source(m.word(3)), true, 5, fail: 1)
}
@inline(__always) func op_is_ge_xx(_ m: Registers) -> Bool {
    lessTest(m, m.x(m.packed(0)), m.x(m.packed(1)), false, 3, fail: 2)
}
@inline(__always) func op_is_ge_xi(_ m: Registers) -> Bool {
    lessTest(m, m.x(m.packed(0)), Term(raw: m.word(3)), false, 4, fail: 2)
}
@inline(__always) func op_is_ge_ix(_ m: Registers) -> Bool {
    lessTest(m, Term(raw: m.word(3)), m.x(m.packed(0)), false, 4, fail: 2)
}
@inline(__always) func op_is_ge(_ m: Registers) -> Bool {
    lessTest(m, m.source(m.word(2)), m.source(m.word(3)), false, 5, fail: 1)
}

private func branch(_ condition: Bool, _ next: CodePointer, _ fail: UInt64) -> CodePointer {
    condition ? next : codePointer(fail)
}

/// The comparison of two operands that are not both small integers. `cell`: the word for Feedback.
private func order(_ cell: CodePointer, _ a: Term, _ b: Term) -> Int {
    Feedback.note(cell, a, b)
    return compareTerms(a, b)
}

func slow_is_lt_xx(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 1, c.packedX(pc, 0), c.packedX(pc, 1)) < 0, pc + 3, pc[2])
}
func slow_is_lt_xi(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 1, c.packedX(pc, 0), Term(raw: pc[3])) < 0, pc + 4, pc[2])
}
func slow_is_lt_ix(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 1, Term(raw: pc[3]), c.packedX(pc, 0)) < 0, pc + 4, pc[2])
}
func slow_is_lt(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 4, c.source(pc[2]), c.source(pc[3])) < 0, pc + 5, pc[1])
}
func slow_is_ge_xx(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 1, c.packedX(pc, 0), c.packedX(pc, 1)) >= 0, pc + 3, pc[2])
}
func slow_is_ge_xi(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 1, c.packedX(pc, 0), Term(raw: pc[3])) >= 0, pc + 4, pc[2])
}
func slow_is_ge_ix(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 1, Term(raw: pc[3]), c.packedX(pc, 0)) >= 0, pc + 4, pc[2])
}
func slow_is_ge(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(order(pc + 4, c.source(pc[2]), c.source(pc[3])) >= 0, pc + 5, pc[1])
}

// MARK: - Equality

/// Decided by the words alone: same word, or at least one side an immediate that is equal only to itself.
@inline(__always) private func exactTest(
    _ m: Registers, _ a: Term, _ b: Term, _ expected: Bool, _ words: Int, fail: Int
) -> Bool {
    if a == b {
        m.branch(expected, words, fail: fail)
        return true
    }
    guard _fastPath(a.isImmediate || b.isImmediate) else { return false }
    m.branch(!expected, words, fail: fail)
    return true
}

@inline(__always) func op_is_eq_exact_xi(_ m: Registers) {
    m.branch(m.x(m.packed(0)).raw == m.word(3), 4, fail: 2)
}
@inline(__always) func op_is_eq_exact_yi(_ m: Registers) {
    m.branch(m.y(m.packed(0)).raw == m.word(3), 4, fail: 2)
}
@inline(__always) func op_is_ne_exact_xi(_ m: Registers) {
    m.branch(m.x(m.packed(0)).raw != m.word(3), 4, fail: 2)
}
@inline(__always) func op_is_ne_exact_yi(_ m: Registers) {
    m.branch(m.y(m.packed(0)).raw != m.word(3), 4, fail: 2)
}
@inline(__always) func op_is_eq_exact_xx(_ m: Registers) -> Bool {
    exactTest(m, m.x(m.packed(0)), m.x(m.packed(1)), true, 3, fail: 2)
}
@inline(__always) func op_is_eq_exact(_ m: Registers) -> Bool {
    exactTest(m, m.source(m.word(2)), m.source(m.word(3)), true, 4, fail: 1)
}
@inline(__always) func op_is_ne_exact(_ m: Registers) -> Bool {
    exactTest(m, m.source(m.word(2)), m.source(m.word(3)), false, 4, fail: 1)
}

/// `==`: words decide unless a number may equal a number of the other kind.
@inline(__always) private func equalTest(_ m: Registers, _ expected: Bool) -> Bool {
    let a = m.source(m.word(2))
    let b = m.source(m.word(3))
    guard _fastPath(a == b || a.isImmediate && b.isImmediate) else { return false }
    m.branch((a == b) == expected, 4, fail: 1)
    return true
}
@inline(__always) func op_is_eq(_ m: Registers) -> Bool { equalTest(m, true) }
@inline(__always) func op_is_ne(_ m: Registers) -> Bool { equalTest(m, false) }

func slow_is_eq_exact_xx(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(termsIdentical(c.packedX(pc, 0), c.packedX(pc, 1)), pc + 3, pc[2])
}
func slow_is_eq_exact(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(termsIdentical(c.source(pc[2]), c.source(pc[3])), pc + 4, pc[1])
}
func slow_is_ne_exact(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(!termsIdentical(c.source(pc[2]), c.source(pc[3])), pc + 4, pc[1])
}
func slow_is_eq(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(termsEqual(c.source(pc[2]), c.source(pc[3])), pc + 4, pc[1])
}
func slow_is_ne(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    branch(!termsEqual(c.source(pc[2]), c.source(pc[3])), pc + 4, pc[1])
}

extension UnsafeMutablePointer where Pointee == Context {
    func packedX(_ pc: CodePointer, _ k: Int) -> Term {
        Term(raw: UnsafeRawPointer(self).load(fromByteOffset: packed(pc, k), as: UInt64.self))
    }
}

// MARK: - Selection

/// `select_val2_x register fail value value label label`
@inline(__always) func op_select_val2_x(_ m: Registers) {
    let value = m.x(m.int(1)).raw
    if value == m.word(3) {
        m.jump(5)
    } else if value == m.word(4) {
        m.jump(6)
    } else {
        m.jump(2)
    }
}

/// `select_linear source fail count value... label...`
@inline(__always) func op_select_linear(_ m: Registers) {
    let value = m.source(m.word(1)).raw
    let count = m.int(3)
    for i in 0..<count where m.word(4 &+ i) == value {
        m.jump(4 &+ count &+ i)
        return
    }
    m.jump(2)
}

/// The values are sorted as unsigned words.
@inline(__always) func op_select_binary(_ m: Registers) {
    let value = m.source(m.word(1)).raw
    let count = m.int(3)
    var low = 0
    var high = count
    while low < high {
        let middle = (low &+ high) &>> 1
        if m.word(4 &+ middle) < value { low = middle &+ 1 } else { high = middle }
    }
    if low < count, m.word(4 &+ low) == value { m.jump(4 &+ count &+ low) } else { m.jump(2) }
}

/// `select_table source fail first count label...`: small integers first..<first+count.
@inline(__always) func op_select_table(_ m: Registers) {
    let value = m.source(m.word(1))
    guard value.isSmall else { return m.jump(2) }
    let index = UInt(bitPattern: value.smallValue &- m.int(3))
    if index < UInt(bitPattern: m.int(4)) { m.jump(5 &+ Int(bitPattern: index)) } else { m.jump(2) }
}

/// `select_tuple_arity source fail count header... label...`
@inline(__always) func op_select_tuple_arity(_ m: Registers) {
    let term = m.source(m.word(1))
    let count = m.int(3)
    if term.isBoxed {
        let header = term.header
        for i in 0..<count where m.word(4 &+ i) == header {
            m.jump(4 &+ count &+ i)
            return
        }
    }
    m.jump(2)
}

/// Values of any kind, compared with =:=.
func slow_select_terms(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let value = c.source(pc[1])
    let count = Int(pc[3])
    for i in 0..<count where termsIdentical(value, Term(raw: pc[4 + i])) { return codePointer(pc[4 + count + i]) }
    return codePointer(pc[2])
}
