// Lowering+Stress.swift: --jit-exit-stress: native code gives up at random, so that what a side exit must write back is
// tested at every kind of place.

import CLLVM
import Machine

/// The random numbers: one state for all threads, which may lose steps.
private enum ExitRandom {
    nonisolated(unsafe) private static let state: UnsafeMutablePointer<UInt64> = {
        let state = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        state.pointee = 1
        return state
    }()
    static var address: UInt64 { UInt64(UInt(bitPattern: state)) }
}

extension Lowering {
    /// At the start of each block and before some other instructions one visit in eight leaves.
    func stressExit(atStart: Bool) {
        let isChosen = (UInt64(current.start) &* 0x9E37_79B9_7F4A_7C15 &+ unit.number) >> 61 == 0
        guard current.op != .count_call, atStart || isChosen else { return }
        let state = ir.toPointer(ir.word(ExitRandom.address))
        var next = ir.load(ir.i64, state, .process)
        next = ir.xor(next, ir.shiftLeft(next, ir.int(13)))
        next = ir.xor(next, ir.shiftRightLogical(next, ir.int(7)))
        next = ir.xor(next, ir.shiftLeft(next, ir.int(17)))
        ir.store(next, state, .process)
        let leaving = newBlock("stressed")
        let staying = newBlock("staying")
        ir.branchRarely(ir.equal(ir.shiftRightLogical(next, ir.int(61)), 0), leaving, staying)
        ir.position(leaving)
        leaveToInterpreter()
        ir.position(staying)
    }

    /// An earlier heap test has answered for one of `bytes`: ends the VM if it was wrong.
    func demandPromisedRoom(_ bytes: Int) {
        let wrong = newBlock("wrong")
        demandRoom(ir.int(bytes + known.room + waitingBytes), or: wrong)
        let here = ir.currentBlock
        ir.position(wrong)
        ir.call(ir.declare("llvm.trap", ir.void, []), [])
        LLVMBuildUnreachable(ir.builder)
        ir.position(here)
    }
}
