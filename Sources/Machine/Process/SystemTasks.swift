// SystemTasks.swift: erts_internal:request_system_task: work that one process asks another to do in its own thread:
// {garbage_collect, Id, major | minor}, {check_process_code, Id, Module}, and from the VM {copy_literals, Id, How}. The answer
// is {Type, Id, Result}.

import CMachine
import Terms

enum SystemTasks {
    /// Sends a task to a process; one that has ended answers at once.
    static func request(_ task: Term, of pid: Term, for requester: Term, on scheduler: Ref<Scheduler>?) {
        let signal = newSignal(SignalKind.systemTask, from: requester)
        signal.carry(task)
        if deliver(signal, to: pid, from: scheduler) { return }
        sendBuilt(to: requester, from: pid, on: scheduler) {
            $0.tuple(task.element(0), copyTerm(task.element(1), to: $0), resultOfEnded(task.element(0)))
        }
    }

    /// A process that has ended holds no literals.
    private static func resultOfEnded(_ kind: Term) -> Term { kind == Atoms.copy_literals ? Atoms.ok : Atoms.false }

    static func handle(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        guard let (kind, id, argument) = parts(signal.pointee.payload) else { return }
        switch kind {
        case Atoms.garbage_collect:
            let done = collect(process, major: argument != Atoms.minor)
            answer(signal, process, kind, id, done ? Atoms.true : Atoms.false)
        case Atoms.check_process_code:
            answer(signal, process, kind, id, CodeHooks.checkCode?(process, argument) ?? Atoms.false)
        case Atoms.copy_literals:
            let result = LiteralReleases.answer(process, mayCollect: argument != Atoms.init_)
            answer(signal, process, kind, id, result)
        default: break
        }
    }

    /// Leaves a request for a long collection to a dirty thread, if the process is not entered yet.
    static func collectLater(_ signal: Ref<Signal>, _ process: Ref<Process>) -> Bool {
        guard let (kind, _, argument) = parts(signal.pointee.payload), kind == Atoms.garbage_collect,
            process.isLongCollection(major: argument != Atoms.minor), process.pointee.collectionNeed == 0,
            process.pointee.scheduler?.pointee.isBetween == 1
        else { return false }
        process.requestCollection(need: 0, major: argument != Atoms.minor)
        process.pointee.collectionRequest = signal
        return true
    }

    static func answerCollection(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        guard let (kind, id, _) = parts(signal.pointee.payload) else { return }
        answer(signal, process, kind, id, Atoms.true)
    }

    /// The live x registers are saved in a process that is switched out; one in the middle of a receive has none.
    private static func collect(_ process: Ref<Process>, major: Bool) -> Bool {
        process.setState(ProcessState.collecting)
        defer { _ = vm_fetch_and32(&process.pointee.state, ~ProcessState.collecting) }
        let live = Int(process.pointee.liveX)
        if !process.collect(need: 0, x: process.pointee.savedX, live: live, major: major, isRunning: false) {
            process.mustExit(Atoms.killed)
        }
        return true
    }

    static func answerGone(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        guard let (kind, id, _) = parts(signal.pointee.payload) else { return }
        answer(signal, process, kind, id, resultOfEnded(kind))
    }

    private static func parts(_ request: Term) -> (Term, Term, Term)? {
        guard request.isTuple(3) else { return nil }
        return (request.element(0), request.element(1), request.element(2))
    }

    private static func answer(_ signal: Ref<Signal>, _ process: Ref<Process>, _ kind: Term, _ id: Term, _ result: Term) {
        sendBuilt(to: signal.pointee.from, from: process.pointee.id, on: process.pointee.scheduler) {
            $0.tuple(kind, copyTerm(id, to: $0), result)
        }
    }
}
