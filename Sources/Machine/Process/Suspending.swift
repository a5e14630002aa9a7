// Suspending.swift: erlang:suspend_process and resume_process. The suspended process counts in `suspendCount` how many
// suspend it (under its signal lock); the suspender keeps how often it did, so that its end resumes.

import CMachine
import Terms

enum Suspending {
    /// Signal.flags: the sender suspends the process already.
    static let again: UInt32 = 1
    /// Signal.flags: the process is suspended, but was on a dirty thread; the answer comes when it is back.
    static let answerDue: UInt32 = 2

    // MARK: In the suspended process

    static func handle(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        if signal.pointee.flags & answerDue != 0 {
            answer(signal, process, Atoms.suspended)
            return freeSignal(signal)
        }
        vm_lock(&process.pointee.signalLock)
        if signal.pointee.flags & again == 0 { process.pointee.suspendCount += 1 }
        process.setState(ProcessState.suspended)
        vm_unlock(&process.pointee.signalLock)
        if process.state & ProcessState.dirty != 0 {
            signal.pointee.flags |= answerDue
            if NativeCalls.postpone(signal, process) { return }
        }
        answer(signal, process, Atoms.suspended)
        freeSignal(signal)
    }

    static func answerGone(_ signal: Ref<Signal>, _ process: Ref<Process>) { answer(signal, process, Atoms.exited) }

    /// A synchronous request gets `{Ref, true | false}`, an asynchronous one `{Tag, suspended | exited}`.
    private static func answer(_ signal: Ref<Signal>, _ process: Ref<Process>, _ result: Term) {
        let asker = signal.pointee.from
        if signal.pointee.extra.raw != 0 {
            let value = result == Atoms.suspended ? Atoms.true : Atoms.badarg
            return reply(signal.numbers, to: asker, from: process, value)
        }
        guard !signal.pointee.payload.isNone else { return }
        let tag = signal.pointee.payload
        sendBuilt(to: asker, from: process.pointee.id, on: process.pointee.scheduler) {
            $0.tuple(copyTerm(tag, to: $0), result)
        }
    }

    // MARK: In the suspending process

    /// How often `process` suspends `pid`.
    static func count(_ process: Ref<Process>, _ pid: Term) -> Int {
        guard let extra = ProcessExtra.find(process) else { return 0 }
        return Int(IdTable.find(extra.pointee.suspended, IdKey(id: pid))?.pointee.a ?? 0)
    }

    /// Adds one to it.
    static func note(_ process: Ref<Process>, _ pid: Term) {
        IdTable.insert(&ProcessExtra.of(process).pointee.suspended, IdKey(id: pid)).pointee.a += 1
    }

    /// Takes one back; false if there was none.
    static func resume(_ process: Ref<Process>, _ pid: Term) -> Bool {
        guard let extra = ProcessExtra.find(process),
            let entry = IdTable.find(extra.pointee.suspended, IdKey(id: pid))
        else { return false }
        entry.pointee.a -= 1
        if entry.pointee.a > 0 { return true }
        IdTable.remove(&extra.pointee.suspended, entry)
        release(pid, from: process.pointee.scheduler)
        return true
    }

    /// One suspender less: the last one lets the process run. The request to suspend may still be on its way: both are
    /// signals of one sender, so this is one too if the process has signals that it did not handle.
    private static func release(_ pid: Term, from scheduler: Ref<Scheduler>?) {
        let signal = newSignal(SignalKind.call, from: .none)
        let call: SignalCall = { process, _ in
            vm_lock(&process.pointee.signalLock)
            if process.pointee.suspendCount > 0 { process.pointee.suspendCount -= 1 }
            let isFree = process.pointee.suspendCount == 0
            vm_unlock(&process.pointee.signalLock)
            // The process has `running`, so it is looked at again when it is put away.
            if isFree { _ = process.clearState(ProcessState.suspended) }
        }
        signal.pointee.number = UInt64(UInt(bitPattern: unsafeBitCast(call, to: UnsafeRawPointer.self)))
        deliver(signal, to: pid, from: scheduler)
    }

    /// The suspender ends.
    static func releaseAll(_ process: Ref<Process>) {
        guard let extra = ProcessExtra.find(process) else { return }
        IdTable.forEach(extra.pointee.suspended) {
            release(Term(raw: $0.pointee.key.first), from: process.pointee.scheduler)
        }
    }
}
