// Terminate.swift: the end of a process, in OTP's order: name and tables go first, then nobody finds the process any
// more, then links and monitors hear of it, then its memory is freed.

public import CMachine
import Glibc
public import Terms

/// Ends a process whose exit reason is in `reason` (class 0: it returned normally). Runs in the thread that has the
/// process, which must not touch it afterwards.
public func terminateProcess(_ process: Ref<Process>) {
    let pid = process.pointee.id
    let turn = Endings.enter()
    defer { Endings.leave(turn) }
    if process.pointee.native != nil { NativeCalls.cancel(process) }
    process.forgetCollection()
    if process.pointee.exceptionClass.isNone { process.pointee.reason = Atoms.normal }
    if process.pointee.exceptionClass == .small(ExceptionClass.error) { reportCrash(process) }
    process.setState(ProcessState.exiting)
    if pid == .localPid(0) || process.state & ProcessState.system != 0 {
        CrashDump.exit("System process \(printed(pid)) terminated: \(printed(process.pointee.reason))", caller: process)
    }
    tellOfEnd(process, process.pointee.reason)
    freeMemory(process)
    ProcessTable.release(process)
}

/// What others see of the end of a process.
private func tellOfEnd(_ process: Ref<Process>, _ reason: Term) {
    if process.isTraced { Trace.processEvent(process, Atoms.exit, reason) }
    if process.pointee.hasTimeout != 0 { cancelTimeout(process) }
    Registry.release(process)
    ExitHooks.tables?(process)
    ExitHooks.resources?(process)
    ProcessTable.withdraw(process)
    answerLeftovers(process, closeQueue(process))
    Suspending.releaseAll(process)
    Online.release(process.pointee.id)
    SystemMonitor.release(process.pointee.id)
    tellLinks(process, reason)
    tellMonitors(process, reason)
    Tracees.forget(process)
}

/// Ends a process that a dirty thread has for all others; the thread frees what is left when its function returns.
/// Requires: it is attended, and NativeCall.endReason is set.
func endOnDirtyThread(_ process: Ref<Process>) {
    guard let call = process.pointee.native else { return }
    call.pointee.endTurn = Endings.enter()
    tellOfEnd(process, call.pointee.endReason)
    answerLeftovers(process, call.pointee.postponed)
    call.pointee.postponed = nil
}

/// The rest of that, on the dirty thread.
func finishEnded(_ process: Ref<Process>) {
    guard let call = process.pointee.native else { return }
    let turn = call.pointee.endTurn
    if let signal = call.pointee.ending { freeSignal(signal) }
    process.pointee.native = nil
    free(call)
    freeMemory(process)
    ProcessTable.release(process)
    Endings.leave(turn)
}

/// From now on nothing is queued. Answers what was.
private func closeQueue(_ process: Ref<Process>) -> Ref<Signal>? {
    vm_lock(&process.pointee.signalLock)
    defer { vm_unlock(&process.pointee.signalLock) }
    process.setState(ProcessState.closed)
    return process.takeOuterLocked()
}

/// Signals that came too late get the answer of a process that does not exist.
private func answerLeftovers(_ process: Ref<Process>, _ first: Ref<Signal>?) {
    let pid = process.pointee.id
    let scheduler = process.pointee.scheduler
    var next = first
    while let signal = next {
        next = signal.pointee.next
        let from = signal.pointee.from
        switch signal.pointee.kind {
        case SignalKind.link: Links.sendExit(from: pid, to: from, Atoms.noproc, on: scheduler)
        case SignalKind.unlink: Links.handleUnlink(signal, process)
        case SignalKind.monitor: Monitors.sendDown(signal.numbers, from: pid, to: from, Atoms.noproc, on: scheduler)
        case SignalKind.demonitor: Monitors.handleDemonitor(signal, process)
        case SignalKind.unlinkAck: Links.handleAck(signal, process)
        case SignalKind.isAlive: reply(signal.numbers, to: from, from: process, Atoms.false)
        case SignalKind.processInfo: reply(signal.numbers, to: from, from: process, Atoms.undefined)
        case SignalKind.processFlag: reply(signal.numbers, to: from, from: process, Atoms.badtype)
        case SignalKind.groupLeader: reply(signal.numbers, to: from, from: process, Atoms.badarg)
        case SignalKind.suspend: Suspending.answerGone(signal, process)
        case SignalKind.systemTask: SystemTasks.answerGone(signal, process)
        default: break
        }
        freeSignal(signal)
    }
}

private func tellLinks(_ process: Ref<Process>, _ reason: Term) {
    let pid = process.pointee.id
    let scheduler = process.pointee.scheduler
    IdTable.forEachInOrder(process.pointee.links) { entry in
        guard entry.pointee.a == 0 else { return }
        let other = Term(raw: entry.pointee.key.first)
        if other.isLocalPort {
            _ = PortHooks.exit?(other, pid, reason, true)
        } else {
            Links.sendExit(from: pid, to: other, reason, on: scheduler)
        }
    }
}

private func tellMonitors(_ process: Ref<Process>, _ reason: Term) {
    let pid = process.pointee.id
    let scheduler = process.pointee.scheduler
    IdTable.forEachInOrder(process.pointee.monitors) { entry in
        let numbers = (entry.pointee.key.first, entry.pointee.key.second)
        let other = Term(raw: entry.pointee.a)
        if entry.pointee.c & MonitorFlags.isTarget != 0 {
            return Monitors.sendDown(numbers, from: pid, to: other, reason, on: scheduler)
        }
        if let tag = Monitors.tag(entry) {
            freeFragments(tag.pointee.fragment)
            tag.deallocate()
        }
        if other.isLocalPort {
            _ = PortHooks.demonitor?(other, pid, numbers)
        } else if other.isLocalPid {
            deliver(newSignal(SignalKind.demonitor, from: pid, numbers: numbers), to: other, from: scheduler)
        }
    }
}

private func freeMemory(_ process: Ref<Process>) {
    var next = process.pointee.messages
    while let signal = next {
        next = signal.pointee.next
        freeSignal(signal)
    }
    process.initializeQueues()
    // The heap's list has the objects of the adopted fragments too.
    releaseOffHeap(process.pointee.heap.offHeap)
    releaseOffHeap(process.pointee.oldOffHeap)
    freeFragmentMemory(process.pointee.heap.fragments)
    freeWords(process.pointee.heapStart, process.blockWords)
    freeWords(process.pointee.oldStart, process.oldWords)
    process.pointee.heap = Heap()
    process.releaseSavedX()
    process.pointee.markers?.deallocate()
    process.pointee.markers = nil
    free(process.pointee.links)
    free(process.pointee.monitors)
    process.pointee.links = nil
    process.pointee.monitors = nil
    Dictionary.free(process)
    ProcessExtra.free(process)
}

// MARK: - Reports

/// "Error in process <0.1.2> with exit value: ..."
private func reportCrash(_ process: Ref<Process>) {
    let isAlive = Nodes.local.pointee.name != Atoms.nonode_nohost
    let format = isAlive
        ? "Error in process ~p on node ~p with exit value:~n~p~n" : "Error in process ~p with exit value:~n~p~n"
    sendToLogger(process, Atoms.error, format) { heap in
        let tail = heap.cons(copyTerm(process.pointee.reason, to: heap), .nil)
        return heap.cons(
            process.pointee.id, isAlive ? heap.cons(Nodes.local.pointee.name, tail) : tail)
    }
}

/// Who gets the VM's reports: a pid, or the atom `logger` or `undefined`. Atomic, relaxed.
nonisolated(unsafe) var systemLogger: UInt64 = Atoms.logger.raw

/// Sends `{log, Level, Format, Args, Metadata}` to the system logger, or the process registered as `logger`. `process` nil: from the VM.
public func sendToLogger(
    _ process: Ref<Process>?, _ level: Term, _ format: String, _ arguments: (Ref<Heap>) -> Term
) {
    let time = Clock.osSystem() / 1000
    let chosen = Term(raw: vm_load_relaxed(&systemLogger))
    guard chosen != Atoms.undefined else { return complainUnlogged(format, arguments) }
    let receiver = chosen.isLocalPid ? chosen : Registry.find(Atoms.logger)
    let sent = receiver.isLocalPid && sendBuilt(
        to: receiver, from: process?.pointee.id ?? .none, on: process?.pointee.scheduler
    ) { heap in
        let tag = level == Atoms.info ? Atoms.info_msg : level == Atoms.warning ? Atoms.warning_msg : level
        let old = map(heap, [(Atoms.emulator, Atoms.true), (Atoms.tag, tag)])
        var pairs: [(Term, Term)] = [(Atoms.error_logger, old), (Atoms.time, heap.integer(Int(time)))]
        if let process {
            pairs.append((Atoms.pid, process.pointee.id))
            pairs.append((Atoms.gl, copyTerm(process.pointee.groupLeader, to: heap)))
        }
        let (term, elements) = heap.makeTuple(5)
        elements[0] = Atoms.log.raw
        elements[1] = level.raw
        elements[2] = heap.string(format).raw
        elements[3] = arguments(heap).raw
        elements[4] = map(heap, pairs).raw
        return term
    }
    if !sent { complainUnlogged(format, arguments) }
}

/// The report on standard error, as nobody is there yet to format it.
private func complainUnlogged(_ format: String, _ arguments: (Ref<Heap>) -> Term) {
    var scratch = Heap()
    withUnsafeMutablePointer(to: &scratch) { heap in
        var list = arguments(heap)
        var text = ""
        var rest = Substring(format)
        while let mark = rest.firstIndex(of: "~") {
            text += rest[rest.startIndex..<mark]
            let isValue = rest[mark...].dropFirst().first == "p"
            if isValue, list.isCons {
                text += printed(list.head)
                list = list.tail
            } else if !isValue {
                text += "\n"
            }
            rest = rest[mark...].dropFirst(2)
        }
        complain(text + rest)
        freeScratch(heap)
    }
}

/// A small map of these pairs.
func map(_ heap: Ref<Heap>, _ pairs: [(Term, Term)]) -> Term {
    var words: [Term] = []
    for (key, value) in pairs {
        words.append(key)
        words.append(value)
    }
    return words.withUnsafeBufferPointer { heap.mapFromPairs($0.baseAddress!, count: pairs.count) }
}

extension UnsafeMutablePointer where Pointee == Process {
    /// The process would exceed its max_heap_size with `total` words, of which `extra` and `extraOld` are not allocated yet:
    /// reports it, and answers whether it may go on.
    func allowOversize(_ total: Int, extra: Int, extraOld: Int) -> Bool {
        let flags = pointee.flags
        let kill = flags & ProcessFlags.killOnHeapLimit != 0
        if flags & ProcessFlags.reportHeapLimit != 0 { reportOversize(total, extra, extraOld, kill: kill) }
        if kill {
            mustExit(Atoms.killed)
            return false
        }
        return true
    }

    private func reportOversize(_ total: Int, _ extra: Int, _ extraOld: Int, kill: Bool) {
        let process = self
        let format = """
            \u{20}    Process:            ~p ~n     Context:            maximum heap size reached~n\
            \u{20}    Max Heap Size:      ~p~n     Total Heap Size:    ~p~n     Kill:               ~p~n\
            \u{20}    Error Logger:       ~p~n     Message Queue Len:  ~p~n     GC Info:            ~p~n
            """
        sendToLogger(process, Atoms.error, format) { heap in
            heap.list([
                process.pointee.id, .small(Int(process.pointee.maxHeapWords)), .small(total), kill ? Atoms.true : Atoms.false,
                Atoms.true, .small(Int(process.pointee.outerCount)),
                ProcessInfo.collectionInfo(process, heap, extra: extra, extraOld: extraOld),
            ])
        }
    }
}
