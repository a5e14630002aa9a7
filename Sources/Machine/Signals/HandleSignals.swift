// HandleSignals.swift: a process takes over its outer queue: messages move to the inner queue, other signals take effect,
// in the order in which they arrived. Runs when the process is switched in and when a receive finds no message; for a
// process that a dirty thread has, elsewhere (DirtySignals.swift).

import CMachine
import Terms

/// Handles everything in the outer queue. False: the process must end.
@discardableResult
func handleSignals(_ process: Ref<Process>) -> Bool {
    let messages = process.pointee.messageCount
    var next = process.takeOuter()
    var handled = 0
    while let signal = next {
        next = signal.pointee.next
        if SignalKind.isMessage(signal.pointee.kind) {
            process.appendMessage(signal)
            continue
        }
        handled += 1
        handle(signal, process)
        if process.isExiting {
            returnToQueue(process, next)
            break
        }
        // What comes after a request for a collection waits for it.
        if _slowPath(process.pointee.collectionNeed != 0) {
            returnToQueue(process, next)
            if next != nil { process.setState(ProcessState.signals) }
            break
        }
    }
    if process.state & ProcessState.dirty == 0 { process.bump(handled) }
    // What a signal left behind (EXIT, DOWN, ...) must be looked at as if it had arrived.
    if process.pointee.messageCount > messages { process.setState(ProcessState.active) }
    return !process.isExiting
}

/// Puts signals back at the front of the outer queue: the process must end and they are answered when the queue is
/// closed, or they had to wait.
func returnToQueue(_ process: Ref<Process>, _ first: Ref<Signal>?) {
    guard let first else { return }
    var last = first
    while let next = last.pointee.next { last = next }
    vm_lock(&process.pointee.signalLock)
    nextLink(last).pointee = process.pointee.outerFirst
    if process.pointee.outerFirst == nil { process.pointee.outerLast = nextLink(last) }
    process.pointee.outerFirst = first
    vm_unlock(&process.pointee.signalLock)
}

private func handle(_ signal: Ref<Signal>, _ process: Ref<Process>) {
    switch signal.pointee.kind {
    case SignalKind.aliasMessage: return handleAliasMessage(signal, process)
    case SignalKind.exit: return handleExit(signal, process)
    case SignalKind.linkExit: return handleLinkExit(signal, process)
    case SignalKind.link: Links.handleLink(signal, process)
    case SignalKind.unlink: Links.handleUnlink(signal, process)
    case SignalKind.unlinkAck: Links.handleAck(signal, process)
    case SignalKind.monitor: Monitors.handleMonitor(signal, process)
    case SignalKind.demonitor: Monitors.handleDemonitor(signal, process)
    case SignalKind.down: return Monitors.handleDown(signal, process)
    case SignalKind.groupLeader:
        // Its heap belongs to the native function.
        if signal.pointee.fragments != nil, NativeCalls.postpone(signal, process) { return }
        handleGroupLeader(signal, process)
    case SignalKind.isAlive: reply(signal.numbers, to: signal.pointee.from, from: process, Atoms.true)
    case SignalKind.processInfo: ProcessInfo.handle(signal, process)
    case SignalKind.suspend: return Suspending.handle(signal, process)
    case SignalKind.systemTask:
        if NativeCalls.postpone(signal, process) { return }
        if SystemTasks.collectLater(signal, process) { return }
        SystemTasks.handle(signal, process)
    case SignalKind.processFlag:
        reply(signal.numbers, to: signal.pointee.from, from: process, setSavedCalls(process, signal.pointee.payload))
    case SignalKind.call:
        unsafeBitCast(UInt(signal.pointee.number), to: SignalCall.self)(process, signal.pointee.payload)
    default: break
    }
    freeSignal(signal)
}

/// A message to an alias: an ordinary message if the alias is active.
private func handleAliasMessage(_ signal: Ref<Signal>, _ process: Ref<Process>) {
    guard Monitors.useAlias(process, signal.numbers) else { return freeSignal(signal) }
    signal.pointee.kind = SignalKind.message
    process.appendMessage(signal)
}

// MARK: - Exit signals

private func handleExit(_ signal: Ref<Signal>, _ process: Ref<Process>) {
    let reason = signal.pointee.payload
    if reason == Atoms.kill { return endBySignal(signal, process, Atoms.killed) }
    if process.trapsExits { return turnIntoMessage(signal, process) }
    if reason == Atoms.normal, signal.pointee.flags & SignalKind.exitFlagOwnEnd == 0 { return freeSignal(signal) }
    endBySignal(signal, process, reason)
}

private func handleLinkExit(_ signal: Ref<Signal>, _ process: Ref<Process>) {
    guard Links.takeActive(process, signal.pointee.from) else { return freeSignal(signal) }
    if process.isTraced { Trace.processEvent(process, Atoms.getting_unlinked, signal.pointee.from) }
    let reason = signal.pointee.payload
    if process.trapsExits { return turnIntoMessage(signal, process) }
    if reason == Atoms.normal { return freeSignal(signal) }
    endBySignal(signal, process, reason)
}

/// `{'EXIT', From, Reason}`
private func turnIntoMessage(_ signal: Ref<Signal>, _ process: Ref<Process>) {
    var heap = Heap()
    signal.pointee.payload = withUnsafeMutablePointer(to: &heap) {
        $0.tuple(Atoms.EXIT, signal.pointee.from, signal.pointee.payload)
    }
    signal.takeFragments(&heap)
    signal.pointee.kind = SignalKind.message
    process.appendMessage(signal)
}

private func endBySignal(_ signal: Ref<Signal>, _ process: Ref<Process>, _ reason: Term) {
    if process.state & ProcessState.dirty != 0 { return DirtySignals.end(process, by: signal, reason) }
    process.adopt(signal)
    process.mustExit(reason)
    freeSignal(signal)
}

extension UnsafeMutablePointer where Pointee == Process {
    /// Makes the process end with this exit reason as soon as its thread gets to it.
    func mustExit(_ reason: Term) {
        pointee.exceptionClass = .small(ExceptionClass.exit)
        pointee.reason = reason
        pointee.trace = .nil
        setState(ProcessState.exiting | ProcessState.active)
    }
}

// MARK: - Group leader

private func handleGroupLeader(_ signal: Ref<Signal>, _ process: Ref<Process>) {
    if process.state & ProcessState.system != 0 {
        // Processes of the VM keep theirs.
        return reply(signal.numbers, to: signal.pointee.from, from: process, Atoms.badarg)
    }
    process.adopt(signal)
    process.pointee.groupLeader = signal.pointee.payload
    reply(signal.numbers, to: signal.pointee.from, from: process, Atoms.true)
}
