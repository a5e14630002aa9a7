// Lowering+Bits.swift: the matching half of the bit syntax where the field is whole bytes at a byte boundary.
// Words of a match context: [2] first byte, [3] position, [4] end, both in bits from [2].

import CLLVM
import CMachine
import Machine
import Terms

extension Lowering {
    func lowerBits() -> Bool {
        switch current.op {
        case .bs_start_match: startMatch()
        case .bs_get_integer_8: alignedInteger(bits: 8)
        case .bs_get_integer_16: alignedInteger(bits: 16)
        case .bs_get_integer_32: alignedInteger(bits: 32)
        case .bs_skip_bits: return skipBits()
        case .bs_test_tail:
            let context = object(value(1))
            pass(if: ir.equal(remaining(context), raw(2)), failAt: 0)
        case .bs_test_unit:
            let context = object(value(1))
            let rest: Value = LLVMBuildURem(ir.builder, remaining(context), ir.word(raw(2)), "")
            pass(if: ir.equal(rest, 0), failAt: 0)
        case .bs_get_position: set(1, small(word(object(value(0)), 3)))
        case .bs_set_position: setWord(object(value(0)), 3, smallValue(value(1)))
        default: return false
        }
        return true
    }

    private func remaining(_ context: Value) -> Value { ir.sub(word(context, 4), word(context, 3)) }

    /// A term that is a context already stays what it is.
    private func startMatch() {
        let term = value(2)
        let boxed = newBlock("boxed")
        let slow = newBlock("start")
        let fast = newBlock("context")
        let done = newBlock("done")
        ir.branch(ir.equal(ir.and(term, 3), 2), boxed, slow)
        ir.position(boxed)
        ir.branch(ir.equal(ir.and(word(object(term), 0), 63), Subtag.matchContext << 2), fast, slow)
        ir.position(fast)
        set(3, term)
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
    }

    private func alignedInteger(bits: Int) {
        guard let fail = failBlock(0) else { return }
        let context = object(value(1))
        let position = word(context, 3)
        let slow = newBlock("unaligned")
        let aligned = newBlock("aligned")
        let inside = newBlock("inside")
        let done = newBlock("done")
        ir.branchRarely(ir.compare(LLVMIntNE, ir.and(position, 7), ir.int(0)), slow, aligned)
        ir.position(aligned)
        ir.branch(ir.compare(LLVMIntSGE, ir.sub(word(context, 4), position), ir.int(bits)), inside, fail)
        ir.position(inside)
        setWord(context, 3, ir.add(position, ir.int(bits)))
        let bytes = ir.offset(ir.toPointer(word(context, 2)), ir.shiftRightLogical(position, ir.int(3)))
        let type: LLVMTypeRef = LLVMIntTypeInContext(ir.context, UInt32(bits))
        var loaded: Value = LLVMBuildLoad2(ir.builder, type, bytes, "")
        LLVMSetAlignment(loaded, 1)
        if bits > 8 { loaded = ir.call(ir.declare("llvm.bswap.i\(bits)", type, [type]), [loaded]) }
        set(2, small(LLVMBuildZExt(ir.builder, loaded, ir.i64, "")))
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
    }

    /// A size known here.
    private func skipBits() -> Bool {
        guard case .constant(let size) = current.operands[2], Term(raw: size).isSmall, size >> 32 == 0,
            let fail = failBlock(0)
        else { return false }
        let bits = Term(raw: size).smallValue * Int(raw(3))
        let context = object(value(1))
        let position = word(context, 3)
        let inside = newBlock("inside")
        ir.branch(ir.compare(LLVMIntSGE, ir.sub(word(context, 4), position), ir.int(bits)), inside, fail)
        ir.position(inside)
        setWord(context, 3, ir.add(position, ir.int(bits)))
        return true
    }
}
