// Receives.swift: send and the instructions of a receive. The queue itself is Signals'.
//
//     L: loop_rec F   peek at the message at the save pointer; none: continue at F
//        ... match; on success remove_message; otherwise loop_rec_end L
//     F: wait L | wait_timeout L T, timeout

import CMachine
import Terms

/// `send location`: x(0) ! x(1).
func slow_send(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let export = Exports.findOrMake(Atoms.erlang, Atoms.send, 2)
    let process = c.process
    process.pointee.location = locationOperand(pc[1])
    process.pointee.currentBif = export
    process.pointee.sliceReductions -= 1
    guard let body = export.pointee.bif else { return c.raise(Atoms.undef, pc[1]) }
    let result = body(process, UnsafePointer(c.x))
    guard !result.isNone else { return c.raiseFromBif(export, returning: false) }
    c.x[0] = result
    return process.pointee.sliceReductions > 0 ? pc + 2 : c.leaveYielding(at: pc + 2, live: 1)
}

/// `loop_rec fail destination location`
func slow_loop_rec(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let process = c.process
    process.pointee.location = locationOperand(pc[3])
    // Signals may be handled now, among them the question whether the process runs old code.
    process.pointee.pc = pc
    guard let message = receivePeek(process) else {
        return process.isExiting ? c.leaveExiting() : codePointer(pc[1])
    }
    c.store(pc[2], message)
    return pc + 4
}

/// `loop_rec_end label`
func slow_loop_rec_end(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let process = c.process
    receiveNext(process)
    process.pointee.sliceReductions -= 1
    let label = codePointer(pc[1])
    return process.pointee.sliceReductions > 0
        ? label : c.leaveYielding(at: label, live: 0, location: process.pointee.location)
}

func slow_remove_message(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    receiveRemove(c.process)
    SavedCalls.note(c.process, Atoms.receive.raw)
    return pc + 1
}

/// `wait label location`
func slow_wait(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let process = c.process
    process.pointee.location = locationOperand(pc[2])
    return c.waitForMessage(pc, at: codePointer(pc[1]))
}

extension UnsafeMutablePointer where Pointee == Context {
    /// Leaves until something arrives, and continues at `label` then. What arrived meanwhile is taken in here, because
    /// a receive without clauses (timer:sleep/1) never looks at the queue and would find the process busy for ever.
    fileprivate func waitForMessage(_ pc: CodePointer, at label: CodePointer) -> CodePointer {
        let process = process
        guard receiveWait(process) else { return leaveWaiting(at: label) }
        process.pointee.pc = pc
        _ = handleSignals(process)
        if process.isExiting { return leaveExiting() }
        process.pointee.sliceReductions -= 1
        return process.pointee.sliceReductions > 0
            ? label : leaveYielding(at: label, live: 0, location: process.pointee.location)
    }
}

/// `wait_timeout label source location`: continues behind itself when the time is over.
func slow_wait_timeout(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let process = c.process
    process.pointee.location = locationOperand(pc[3])
    switch receiveSetTimeout(process, c.source(pc[2])) {
    case .invalid: return c.raise(Atoms.timeout_value, pc[3])
    case .expired: return pc + 4
    case .waiting: break
    }
    // The process waits at this instruction: a message makes it look at the queue, the timer lets it pass.
    return c.waitForMessage(pc, at: codePointer(pc[1]))
}

func slow_timeout(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    SavedCalls.note(c.process, Atoms.timeout.raw)
    receiveTimedOut(c.process)
    return pc + 1
}

func slow_recv_marker_reserve(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.store(pc[1], receiveMarkerReserve(c.process))
    return pc + 2
}

func slow_recv_marker_bind(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    receiveMarkerBind(c.process, c.source(pc[1]), c.source(pc[2]))
    return pc + 3
}

func slow_recv_marker_use(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    receiveMarkerUse(c.process, c.source(pc[1]))
    return pc + 2
}

func slow_recv_marker_clear(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    receiveMarkerClear(c.process, c.source(pc[1]))
    return pc + 2
}
