// Decoder+Fusion.swift: instructions that are one with their predecessor. Only neighbours in the same basic block are
// fused: a label between them ends the chance (CodeBuffer.last).

import BeamFile
import CMachine
import Terms

extension Decoder {
    /// Instructions that join the one before instead of being emitted.
    mutating func decodeFused(_ opcode: Opcode) -> Bool {
        switch opcode {
        case .test_arity: return fuseTupleArity()
        case .return: return fuseReturn()
        default: return false
        }
    }

    /// is_tuple F x; test_arity F x N.
    private mutating func fuseTupleArity() -> Bool {
        guard let last = code.last, last.operation == .is_tuple_x, operand(1).kind == .x,
            code.words[last.start + 1] == UInt64(Self.xOffset(value(1))),
            code.words[last.start + 2] == UInt64(value(0))
        else { return false }
        code.append(Header.make(value(2), Subtag.tuple))
        code.replaceLast(.is_tuple_of_arity_x)
        return true
    }

    private mutating func fuseReturn() -> Bool {
        guard let last = code.last, last.operation == .deallocate else { return false }
        if let call = code.previous, call.operation == .call_fun || call.operation == .call_fun2 {
            fuseTailCall(call.operation, start: call.start, bytes: code.words[last.start + 1])
            return true
        }
        code.replaceLast(.deallocate_return)
        code.barrier()
        return true
    }

    /// call_fun; deallocate; return: the compiler has no instruction for the tail call of a fun, but it must be one.
    private mutating func fuseTailCall(_ operation: Op, start: Int, bytes: UInt64) {
        let operands = code.words[(start + 1)..<(code.count - 2)]
        code.removeLast(code.count - start)
        code.begin(operation == .call_fun ? .call_fun_last : .call_fun2_last)
        for (index, word) in operands.enumerated() {
            code.append(word)
            if index == 0 { code.append(bytes) }
        }
        code.barrier()
    }

    /// Two moves of the same kind become one.
    mutating func fuseWithPrevious(_ operation: Op) {
        let fused: Op
        switch operation {
        case .move_xy: fused = .move2_xy
        case .move_yx: fused = .move2_yx
        case .move_xx: fused = .move2_xx
        default: return
        }
        guard let first = code.previous, let second = code.last, first.operation == operation,
            first.start == second.start - 2
        else { return }
        code.setWord(first.start + 1, code.words[first.start + 1] | code.words[second.start + 1] << 32)
        code.setWord(first.start, handlerAddress(fused))
        code.removeLast(2)
        code.barrier()
    }
}
