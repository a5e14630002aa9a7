// Floats.swift: float registers hold raw doubles; an operation whose result is not finite raises badarith.

import CMachine
import Terms

/// `fmove_load source float`: the term is a float (the compiler proved it); anything else reads as badarith later.
@inline(__always) func op_fmove_load(_ m: Registers) {
    let term = m.source(m.word(1))
    m.setFloat(2, term.isFloat ? term.floatValue : .nan)
    m.next(3)
}

/// `fmove_store float destination`; an earlier heap test reserved the two words.
@inline(__always) func op_fmove_store(_ m: Registers) {
    let value = m.float(1)
    let object = m.take(2)
    object[0] = Header.make(1, Subtag.float)
    object[1] = value.bitPattern
    m.store(m.word(2), .boxed(object))
    m.next(3)
}

@inline(__always) func op_fmove_copy(_ m: Registers) {
    m.setFloat(2, m.float(1))
    m.next(3)
}

/// `fconv source float location`
@inline(__always) func op_fconv(_ m: Registers) -> Bool {
    let term = m.source(m.word(1))
    if _fastPath(term.isSmall) {
        m.setFloat(2, Double(term.smallValue))
    } else if term.isFloat {
        m.setFloat(2, term.floatValue)
    } else {
        return false
    }
    m.next(4)
    return true
}

func slow_fconv(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let term = c.source(pc[1])
    guard term.isBig, let value = doubleOfBig(term) else { return c.raise(Atoms.badarith, pc[3]) }
    c.setFloat(pc[2], value)
    return pc + 4
}

@inline(__always) private func operate(_ m: Registers, _ value: Double) -> Bool {
    guard _fastPath(value.isFinite) else { return false }
    m.setFloat(3, value)
    m.next(5)
    return true
}

@inline(__always) func op_fadd(_ m: Registers) -> Bool { operate(m, m.float(1) + m.float(2)) }
@inline(__always) func op_fsub(_ m: Registers) -> Bool { operate(m, m.float(1) - m.float(2)) }
@inline(__always) func op_fmul(_ m: Registers) -> Bool { operate(m, m.float(1) * m.float(2)) }
@inline(__always) func op_fdiv(_ m: Registers) -> Bool { operate(m, m.float(1) / m.float(2)) }

func slow_fadd(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raise(Atoms.badarith, pc[4]) }
func slow_fsub(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raise(Atoms.badarith, pc[4]) }
func slow_fmul(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raise(Atoms.badarith, pc[4]) }
func slow_fdiv(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raise(Atoms.badarith, pc[4]) }

/// OTP subtracts from 0.0, so the negative of 0.0 is 0.0 here (and -0.0 where the operand is not known to be a float).
@inline(__always) func op_fnegate(_ m: Registers) {
    m.setFloat(2, 0.0 - m.float(1))
    m.next(3)
}
