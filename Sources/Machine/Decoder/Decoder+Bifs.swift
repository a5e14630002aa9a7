// Decoder+Bifs.swift: bif and gc_bif instructions: arithmetic and the hottest guard BIFs have handlers of their own.

import BeamFile
import CMachine
import Terms

extension Decoder {
    mutating func decodeBif(_ opcode: Opcode) {
        switch opcode {
        case .bif0: decodeBif0()
        case .bif1: emitBif(import: 1, arguments: 2, count: 1, fail: 0, live: nil)
        case .bif2: emitBif(import: 1, arguments: 2, count: 2, fail: 0, live: nil)
        case .gc_bif1: emitBif(import: 2, arguments: 3, count: 1, fail: 0, live: 1)
        case .gc_bif2:
            if !decodeArithmetic() { emitBif(import: 2, arguments: 3, count: 2, fail: 0, live: 1) }
        default: emitBif(import: 2, arguments: 3, count: 3, fail: 0, live: 1)
        }
    }

    private mutating func decodeBif0() {
        let export = module.imports[value(0)]
        if export.pointee.module == Atoms.erlang, export.pointee.name == Atoms.self_ {
            code.begin(.`self`)
            appendWord(1)
            return
        }
        code.begin(.bif0)
        appendPointer(export)
        appendWord(1)
    }

    /// `export arguments... destination j live`. A bif without live registers of its own cannot collect: its result
    /// then waits for the next heap test, so live is told as 0 and `noCollection` set.
    private mutating func emitBif(import row: Int, arguments: Int, count: Int, fail: Int, live: Int?) {
        let export = module.imports[value(row)]
        code.begin(bifOperation(export, count, canCollect: live != nil))
        appendPointer(export)
        for index in 0..<count { appendWord(arguments + index) }
        appendWord(arguments + count)
        appendFail(fail)
        code.append(live.map { value($0) } ?? Decoder.noCollection)
    }

    /// Told as `live` of instructions at which the live registers are not known.
    static var noCollection: Int { 0xFFFF }

    private func bifOperation(_ export: Ref<Export>, _ count: Int, canCollect: Bool) -> Op {
        guard export.pointee.module == Atoms.erlang else { return general(count) }
        switch (export.pointee.name, count) {
        case (Atoms.element, 2): return .element
        case (Atoms.hd, 1): return .hd
        case (Atoms.tl, 1): return .tl
        case (Atoms.tuple_size, 1): return .tuple_size
        case (Atoms.map_size, 1): return .map_size
        case (Atoms.byte_size, 1): return .byte_size
        case (Atoms.length, 1): return .length
        default: return general(count)
        }
    }

    private func general(_ count: Int) -> Op { count == 1 ? .guard_bif1 : count == 2 ? .guard_bif2 : .guard_bif3 }

    // MARK: Arithmetic

    /// `gc_bif2 Fail Live Import A B Dst` of an integer operator.
    private mutating func decodeArithmetic() -> Bool {
        let export = module.imports[value(2)].pointee
        guard export.module == Atoms.erlang, let operation = arithmeticOperation(export.name) else { return false }
        let a = operand(3)
        let b = operand(4)
        let target = operand(5)
        if target.kind == .x, a.kind == .x, operation == .add || operation == .sub, b.kind == .x || b.kind == .integer,
            b.kind == .x || constant(b).isSmall
        {
            emitHot(operation, a, b, target)
            return true
        }
        // Addition commutes: a constant on the left is as good as one on the right, but for the order of arguments in
        // an exception, so only registers are swapped out of the general form.
        code.begin(operation)
        appendWord(3)
        appendWord(4)
        appendWord(5)
        appendFail(0)
        code.append(value(1))
        return true
    }

    private mutating func emitHot(_ operation: Op, _ a: Operand, _ b: Operand, _ target: Operand) {
        var packed = UInt64(Self.xOffset(a.value))
        if b.kind == .x {
            code.begin(operation == .add ? .add_xx : .sub_xx)
            packed |= UInt64(Self.xOffset(b.value)) << 16 | UInt64(Self.xOffset(target.value)) << 32
            code.append(packed)
        } else {
            code.begin(operation == .add ? .add_xi : .sub_xi)
            packed |= UInt64(Self.xOffset(target.value)) << 16
            code.append(packed)
            code.append(constant(b).raw)
        }
        appendFail(0)
        code.append(value(1))
    }

    private func arithmeticOperation(_ name: Term) -> Op? {
        switch name {
        case Atoms.plus: .add
        case Atoms.minus: .sub
        case Atoms.times: .mul
        case Atoms.div: .div
        case Atoms.rem: .rem
        case Atoms.band: .band
        case Atoms.bor: .bor
        case Atoms.bxor: .bxor
        case Atoms.bsl: .bsl
        case Atoms.bsr: .bsr
        case Atoms.slash: .fdiv_numbers
        default: nil
        }
    }
}
