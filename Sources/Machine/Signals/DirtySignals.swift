// DirtySignals.swift: signals to a process that waits for a dirty thread or is on one. It cannot handle them itself, so one
// of OTP's processes for that, erts_dirty_process_signal_handler, does it in its place.
//
// The native function has the heap and the exception fields of the process meanwhile; a signal that needs them waits for its
// end (NativeCall.postponed). The handler has the message queue, the links, the monitors. A process that is told to end does
// so for all others at once; its memory is freed when the function returns.

public import CMachine
import Glibc
import Terms

public enum DirtySignals {
    /// Pids of the handlers for processes of priority normal and low, high, and max. Set at boot.
    nonisolated(unsafe) private static var handlers = (Term.none, Term.none, Term.none)

    public static func setHandler(_ pid: Term, _ priority: UInt8) {
        switch priority {
        case ProcessPriority.max: handlers.2 = pid
        case ProcessPriority.high: handlers.1 = pid
        default: handlers.0 = pid
        }
    }

    static func isHandler(_ pid: Term) -> Bool { pid == handlers.0 || pid == handlers.1 || pid == handlers.2 }

    private static func handler(_ priority: UInt8) -> Term {
        priority == ProcessPriority.max ? handlers.2 : priority == ProcessPriority.high ? handlers.1 : handlers.0
    }

    /// Asks the handler to look at a process.
    static func request(_ pid: Term, _ priority: UInt8, from scheduler: Ref<Scheduler>?) {
        let handler = handler(priority)
        if !handler.isNone { sendBuilt(to: handler, on: scheduler) { _ in pid } }
    }

    /// Gives the handler a request that must not wait: `{Requester, Pid, Priority, Task}`.
    static func handOver(
        _ task: Term, of pid: Term, _ priority: Term, for requester: Term, from scheduler: Ref<Scheduler>?
    ) {
        sendBuilt(to: handler(ProcessPriority.of(priority) ?? ProcessPriority.normal), on: scheduler) {
            $0.tuple(requester, pid, priority, copyTerm(task, to: $0))
        }
    }

    // MARK: The process goes to a dirty thread and comes back

    /// From now on the signals are the handler's, those that are there already too.
    static func begin(_ process: Ref<Process>, _ scheduler: Ref<Scheduler>) {
        let old = vm_fetch_or32(&process.pointee.state, ProcessState.dirty)
        if old & ProcessState.signals != 0 { request(process.pointee.id, process.pointee.priority, from: scheduler) }
    }

    /// Takes them back, once nobody handles any. True: the process has ended meanwhile.
    static func finish(_ process: Ref<Process>) -> Bool {
        let mine = ProcessState.dirty | ProcessState.dirtyRunning
        while true {
            let old = process.state
            if old & ProcessState.attended != 0 {
                usleep(20)
            } else if vm_compare_exchange32(&process.pointee.state, old, old & ~mine) == old {
                if old & ProcessState.closed != 0 { return true }
                // It will not run, but who suspended it waits for an answer.
                if old & ProcessState.suspended != 0 { NativeCalls.returnPostponed(process) }
                return false
            }
        }
    }

    // MARK: The handler

    /// Calls `body` with a process that a dirty thread has, and keeps it there meanwhile. False: it is not there.
    static func attend(_ pid: Term, _ body: (Ref<Process>) -> Void) -> Bool {
        guard let process = ProcessTable.find(pid), take(process) else { return false }
        // The structure may belong to another process by now.
        let isMeant = process.pointee.id == pid && process.state & ProcessState.closed == 0
        if isMeant {
            body(process)
            if process.isExiting { endOnDirtyThread(process) }
        }
        _ = vm_fetch_and32(&process.pointee.state, ~ProcessState.attended)
        return isMeant
    }

    /// Sets `attended`; false if the process is not dirty.
    private static func take(_ process: Ref<Process>) -> Bool {
        while true {
            let old = process.state
            guard old & ProcessState.dirty != 0 else { return false }
            if old & ProcessState.attended != 0 {
                usleep(20)
            } else if vm_compare_exchange32(&process.pointee.state, old, old | ProcessState.attended) == old {
                return true
            }
        }
    }

    /// A signal ends the process. Keeps the signal, whose memory holds the reason.
    static func end(_ process: Ref<Process>, by signal: Ref<Signal>, _ reason: Term) {
        guard let call = process.pointee.native else { return freeSignal(signal) }
        signal.pointee.next = nil
        call.pointee.ending = signal
        call.pointee.endReason = reason
        process.setState(ProcessState.exiting)
    }
}
