// Arithmetic.swift: integer operations with fast paths for small integers, and guard BIFs.
//
// All of them end in `... destination j live`: j is a label to jump to on failure or a Location to raise at, live the
// number of x registers that hold terms should the slow path collect. The upper half of live is Feedback.

import CMachine
import Terms

@inline(__always) private func sum(_ a: Term, _ b: Term) -> Term? {
    let (value, overflow) = Int64(bitPattern: a.raw &- 15).addingReportingOverflow(Int64(bitPattern: b.raw))
    guard _fastPath(bothSmall(a, b)), _fastPath(!overflow) else { return nil }
    return Term(raw: UInt64(bitPattern: value))
}

@inline(__always) private func difference(_ a: Term, _ b: Term) -> Term? {
    let (value, overflow) = Int64(bitPattern: a.raw).subtractingReportingOverflow(Int64(bitPattern: b.raw &- 15))
    guard _fastPath(bothSmall(a, b)), _fastPath(!overflow) else { return nil }
    return Term(raw: UInt64(bitPattern: value))
}

/// `add_xi source destination | constant j live`
@inline(__always) func op_add_xi(_ m: Registers) -> Bool {
    guard let value = sum(m.x(m.packed(0)), Term(raw: m.word(2))) else { return false }
    m.setX(m.packed(1), value)
    m.next(5)
    return true
}

@inline(__always) func op_add_xx(_ m: Registers) -> Bool {
    guard let value = sum(m.x(m.packed(0)), m.x(m.packed(1))) else { return false }
    m.setX(m.packed(2), value)
    m.next(4)
    return true
}

@inline(__always) func op_sub_xi(_ m: Registers) -> Bool {
    guard let value = difference(m.x(m.packed(0)), Term(raw: m.word(2))) else { return false }
    m.setX(m.packed(1), value)
    m.next(5)
    return true
}

@inline(__always) func op_sub_xx(_ m: Registers) -> Bool {
    guard let value = difference(m.x(m.packed(0)), m.x(m.packed(1))) else { return false }
    m.setX(m.packed(2), value)
    m.next(4)
    return true
}

@inline(__always) private func binary(_ m: Registers, _ operation: (Term, Term) -> Term?) -> Bool {
    guard let value = operation(m.source(m.word(1)), m.source(m.word(2))) else { return false }
    m.store(m.word(3), value)
    m.next(6)
    return true
}

@inline(__always) func op_add(_ m: Registers) -> Bool { binary(m, sum) }
@inline(__always) func op_sub(_ m: Registers) -> Bool { binary(m, difference) }

@inline(__always) func op_mul(_ m: Registers) -> Bool {
    binary(m) { a, b in
        let (value, overflow) = Int64(bitPattern: a.raw &- 15).multipliedReportingOverflow(by: Int64(b.smallValue))
        guard _fastPath(bothSmall(a, b)), _fastPath(!overflow) else { return nil }
        return Term(raw: UInt64(bitPattern: value) | 15)
    }
}

@inline(__always) func op_div(_ m: Registers) -> Bool {
    binary(m) { a, b in
        // smallMin div -1 is no small.
        guard _fastPath(bothSmall(a, b)), b.raw != 15, b.raw != UInt64.max else { return nil }
        return .small(a.smallValue / b.smallValue)
    }
}

@inline(__always) func op_rem(_ m: Registers) -> Bool {
    binary(m) { a, b in
        guard _fastPath(bothSmall(a, b)), b.raw != 15, b.raw != UInt64.max else { return nil }
        return .small(a.smallValue % b.smallValue)
    }
}

@inline(__always) func op_band(_ m: Registers) -> Bool {
    binary(m) { a, b in _fastPath(bothSmall(a, b)) ? Term(raw: a.raw & b.raw) : nil }
}

@inline(__always) func op_bor(_ m: Registers) -> Bool {
    binary(m) { a, b in _fastPath(bothSmall(a, b)) ? Term(raw: a.raw | b.raw) : nil }
}

@inline(__always) func op_bxor(_ m: Registers) -> Bool {
    binary(m) { a, b in _fastPath(bothSmall(a, b)) ? Term(raw: (a.raw ^ b.raw) | 15) : nil }
}

@inline(__always) func op_bsr(_ m: Registers) -> Bool {
    binary(m) { a, b in
        guard _fastPath(bothSmall(a, b)), b.smallValue >= 0 else { return nil }
        return .small(a.smallValue &>> min(b.smallValue, 63))
    }
}

@inline(__always) func op_bsl(_ m: Registers) -> Bool {
    binary(m) { a, b in
        guard _fastPath(bothSmall(a, b)) else { return nil }
        let shift = b.smallValue
        guard shift >= 0, shift < 59 else { return nil }
        let value = a.smallValue &<< shift
        guard value &>> shift == a.smallValue, Term.fitsSmall(value) else { return nil }
        return .small(value)
    }
}

/// `/` of two numbers: floats only in the fast path; the result needs two heap words.
@inline(__always) func op_fdiv_numbers(_ m: Registers) -> Bool { false }

// MARK: - Slow paths

extension UnsafeMutablePointer where Pointee == Context {
    fileprivate func finishArithmetic(
        _ operation: ArithmeticOperation, _ a: Term, _ b: Term, destination: UInt64, fail: UInt64, live: CodePointer,
        isIncrement: Bool
    ) -> CodePointer {
        // X - 0 in a body is X + 0 in OTP, which is seen in -0.0.
        let addsZero = isIncrement && operation == .sub && b == .small(0) && fail & 1 == 1
        let result = (addsZero ? .add : operation).apply(heap, a, b)
        Feedback.note(live, a, b, result: result)
        guard !result.isFailure else {
            let reason = result == .systemLimit ? Atoms.system_limit : Atoms.badarith
            return isIncrement ? failOrRaise(reason, fail) : failArithmetic(operation, a, b, reason, fail)
        }
        return complete(result, to: destination, live + 1, live: Feedback.operand(live.pointee))
    }

    /// Adding a small constant to a register, or subtracting one that is not negative, is an instruction of its own in OTP
    /// and names no function when it fails; otherwise the
    /// operators are native functions as far as stack traces go: {erlang,'+',[A,B],...} is the first frame.
    private func failArithmetic(
        _ operation: ArithmeticOperation, _ a: Term, _ b: Term, _ reason: Term, _ fail: UInt64
    ) -> CodePointer {
        guard fail & 1 == 1 else { return codePointer(fail) }
        x[0] = a
        x[1] = b
        process.pointee.location = locationOperand(fail)
        return raiseFromBif(Exports.findOrMake(Atoms.erlang, operation.name, 2), reason, returning: false)
    }
}

enum ArithmeticOperation {
    case add, sub, mul, div, rem, band, bor, bxor, bsl, bsr, slash

    var name: Term {
        switch self {
        case .add: Atoms.plus
        case .sub: Atoms.minus
        case .mul: Atoms.times
        case .div: Atoms.div
        case .rem: Atoms.rem
        case .band: Atoms.band
        case .bor: Atoms.bor
        case .bxor: Atoms.bxor
        case .bsl: Atoms.bsl
        case .bsr: Atoms.bsr
        case .slash: Atoms.slash
        }
    }

    func apply(_ heap: Ref<Heap>, _ a: Term, _ b: Term) -> Term {
        switch self {
        case .add: Terms.add(heap, a, b)
        case .sub: Terms.subtract(heap, a, b)
        case .mul: Terms.multiply(heap, a, b)
        case .div: Terms.intDivide(heap, a, b)
        case .rem: Terms.remainder(heap, a, b)
        case .band: Terms.bitAnd(heap, a, b)
        case .bor: Terms.bitOr(heap, a, b)
        case .bxor: Terms.bitXor(heap, a, b)
        case .bsl: Terms.shiftLeft(heap, a, b)
        case .bsr: Terms.shiftRight(heap, a, b)
        case .slash: Terms.divide(heap, a, b)
        }
    }
}

private func general(_ c: Ref<Context>, _ pc: CodePointer, _ operation: ArithmeticOperation) -> CodePointer {
    func isRegister(_ word: UInt64) -> Bool { word & 3 == 0 }
    func isSmall(_ word: UInt64) -> Bool { word & 15 == 15 }
    let isIncrement =
        isRegister(pc[1]) && isSmall(pc[2]) && (operation == .add || operation == .sub && Int64(bitPattern: pc[2]) > 0)
        || isSmall(pc[1]) && isRegister(pc[2]) && operation == .add
    return c.finishArithmetic(
        operation, c.source(pc[1]), c.source(pc[2]), destination: pc[3], fail: pc[4], live: pc + 5,
        isIncrement: isIncrement)
}

func slow_add(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .add) }
func slow_sub(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .sub) }
func slow_mul(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .mul) }
func slow_div(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .div) }
func slow_rem(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .rem) }
func slow_band(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .band) }
func slow_bor(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .bor) }
func slow_bxor(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .bxor) }
func slow_bsl(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .bsl) }
func slow_bsr(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .bsr) }
func slow_fdiv_numbers(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { general(c, pc, .slash) }

private func withConstant(_ c: Ref<Context>, _ pc: CodePointer, _ operation: ArithmeticOperation) -> CodePointer {
    c.finishArithmetic(
        operation, c.packedX(pc, 0), Term(raw: pc[2]), destination: UInt64(packed(pc, 1)), fail: pc[3], live: pc + 4,
        isIncrement: operation == .add || Int64(bitPattern: pc[2]) > 0)
}

private func withRegister(_ c: Ref<Context>, _ pc: CodePointer, _ operation: ArithmeticOperation) -> CodePointer {
    c.finishArithmetic(
        operation, c.packedX(pc, 0), c.packedX(pc, 1), destination: UInt64(packed(pc, 2)), fail: pc[2], live: pc + 3,
        isIncrement: false)
}

func slow_add_xi(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { withConstant(c, pc, .add) }
func slow_add_xx(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { withRegister(c, pc, .add) }
func slow_sub_xi(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { withConstant(c, pc, .sub) }
func slow_sub_xx(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { withRegister(c, pc, .sub) }
