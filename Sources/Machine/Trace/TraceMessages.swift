// TraceMessages.swift: the messages that tracers get, and the events of processes that make them.

import CMachine
import Glibc
import Terms

enum Trace {
    // MARK: Sending

    /// `{trace, Pid, Part...}`, with what the flags add. False: the tracer has ended.
    @discardableResult
    static func send(_ process: Ref<Process>, _ flags: UInt32, to tracer: Term, _ parts: [Term]) -> Bool {
        // Nobody traces itself.
        if tracer == process.pointee.id { return true }
        let stamped = flags & TraceFlags.anyTimestamp != 0
        return sendBuilt(to: tracer, from: .none, on: process.pointee.scheduler) { heap in
            var words = [stamped ? Atoms.trace_ts : Atoms.trace, process.pointee.id]
            for part in parts { words.append(part.isImmediate ? part : copyTerm(part, to: heap)) }
            if flags & TraceFlags.schedulerId != 0 {
                words.append(.small(Int(process.pointee.scheduler.map { $0.pointee.index } ?? 0) + 1))
            }
            if stamped { words.append(timestamp(heap, flags)) }
            let (term, elements) = heap.makeTuple(words.count)
            for (index, word) in words.enumerated() { elements[index] = word.raw }
            return term
        }
    }

    static func timestamp(_ heap: Ref<Heap>, _ flags: UInt32) -> Term {
        if flags & TraceFlags.monotonic != 0 { return heap.integer(Int(Clock.monotonic())) }
        if flags & TraceFlags.strictMonotonic != 0 {
            return heap.tuple(heap.integer(Int(Clock.monotonic())), heap.integer(Int(References.uniqueMonotonic())))
        }
        let micro = Int(Clock.now())
        return heap.tuple(
            .small(micro / 1_000_000_000_000), .small(micro / 1_000_000 % 1_000_000), .small(micro % 1_000_000))
    }

    /// An event of a process that is traced for `wanted`. Terms that are built for it die with the next collection.
    static func event(_ process: Ref<Process>, _ wanted: UInt32, _ parts: [Term]) {
        let entry = Tracees.find(process)
        guard entry.flags & wanted != 0 else { return }
        if !send(process, entry.flags, to: entry.tracer, parts) { Tracees.forget(process) }
    }

    // MARK: Processes

    static func spawned(_ parent: Ref<Process>, _ child: Ref<Process>, _ pid: Term, _ call: (Term, Term, Term), isLinked: Bool) {
        let heap = parent.heap
        if parent.isTraced {
            event(parent, TraceFlags.procs, [Atoms.spawn, pid, heap.tuple(call.0, call.1, call.2)])
            if isLinked { event(parent, TraceFlags.procs, [Atoms.link, pid]) }
        }
        guard child.isTraced else { return }
        let entry = Tracees.find(pid: pid)
        guard entry.flags & TraceFlags.procs != 0 else { return }
        send(child, entry.flags, to: entry.tracer, [Atoms.spawned, parent.pointee.id, heap.tuple(call.0, call.1, call.2)])
        if isLinked { send(child, entry.flags, to: entry.tracer, [Atoms.getting_linked, parent.pointee.id]) }
    }

    /// `name`: what happened, to `object`.
    @inline(never) static func processEvent(_ process: Ref<Process>, _ name: Term, _ object: Term) {
        event(process, TraceFlags.procs, [name, object])
    }

    // MARK: Messages

    /// The patterns of trace_pattern(send | 'receive', ...).
    nonisolated(unsafe) static var sendPattern = EventPattern()
    nonisolated(unsafe) static var receivePattern = EventPattern()

    @inline(never) static func sent(_ process: Ref<Process>, to destination: Term, _ message: Term) {
        let entry = Tracees.find(process)
        guard entry.flags & TraceFlags.send != 0, sendPattern.isOn else { return }
        let extra = sendPattern.run(process, [destination, message])
        guard extra != Atoms.false, !sendPattern.hasProgram || entry.flags & TraceFlags.silent == 0 else { return }
        let exists = !destination.isLocalPid || ProcessTable.find(destination) != nil
        let name = exists ? Atoms.send : Atoms.send_to_non_existing_process
        let parts = [name, message, destination] + (extra == Atoms.true ? [] : [extra])
        if !send(process, entry.flags, to: entry.tracer, parts) { Tracees.forget(process) }
    }

    @inline(never) static func received(_ process: Ref<Process>, from sender: Term, _ message: Term) {
        let entry = Tracees.find(process)
        guard entry.flags & TraceFlags.receive != 0, receivePattern.isOn else { return }
        let node = sender.isPid ? Nodes.local.pointee.name : Atoms.system
        let extra = receivePattern.run(process, [node, sender.isPid ? sender : Atoms.undefined, message])
        guard extra != Atoms.false, !receivePattern.hasProgram || entry.flags & TraceFlags.silent == 0 else { return }
        let parts = [Atoms.receive, message] + (extra == Atoms.true ? [] : [extra])
        if !send(process, entry.flags, to: entry.tracer, parts) { Tracees.forget(process) }
    }

    // MARK: Scheduling and collecting

    @inline(never) static func scheduled(_ process: Ref<Process>, _ what: Term) {
        let entry = Tracees.find(process)
        let isEnd = what == Atoms.out_exited || what == Atoms.out_exiting || what == Atoms.in_exiting
        let wanted = TraceFlags.running | TraceFlags.runningProcs | (isEnd ? TraceFlags.exiting : 0)
        guard entry.flags & wanted != 0 else { return }
        var place = Term.small(0)
        if !isEnd, let function = process.pointee.location?.pointee.function {
            place = process.heap.tuple(
                function.pointee.moduleName, function.pointee.name, .small(Int(function.pointee.arity)))
        } else if !isEnd {
            let p = process.pointee
            place = process.heap.tuple(p.initialModule, p.initialName, .small(Int(p.initialArity)))
        }
        if !send(process, entry.flags, to: entry.tracer, [what, place]) { Tracees.forget(process) }
    }

    /// `words`: what the collection needs (at its start) or has freed (at its end).
    @inline(never) static func collecting(_ process: Ref<Process>, _ what: Term, words: Int) {
        let entry = Tracees.find(process)
        guard entry.flags & TraceFlags.garbageCollection != 0 else { return }
        // Not on the process's heap, which is being collected.
        var scratch = Heap()
        withUnsafeMutablePointer(to: &scratch) { heap in
            let info = heap.cons(heap.tuple(Atoms.wordsize, .small(words)), ProcessInfo.collectionInfo(process, heap, extra: 0, extraOld: 0))
            if !send(process, entry.flags, to: entry.tracer, [what, info]) { Tracees.forget(process) }
            if let first = heap.pointee.fragments { freeFragments(first) }
        }
    }
}

/// The pattern of an event: on without condition at first.
struct EventPattern {
    var isOn = true
    var program: UnsafeMutableRawPointer?
    var specification = Term.nil
    var hasProgram: Bool { program != nil }

    /// false: no message; true: the plain one; another term: what is added to it.
    func run(_ process: Ref<Process>, _ arguments: [Term]) -> Term {
        guard let program else { return Atoms.true }
        let result = arguments.withUnsafeBufferPointer {
            var wishes: UInt32 = 0
            return TracePrograms.run!(program, process, $0.baseAddress!, $0.count, &wishes)
        }
        return result.isNone ? Atoms.false : result
    }
}

/// Match specifications in the dialect of tracing; plugged in by the code that compiles them. Programs are never freed:
/// another process may be running one.
public enum TracePrograms {
    /// Nil: it is wrong.
    nonisolated(unsafe) public static var compile: (
        @convention(c) (_ process: Ref<Process>, _ specification: Term, _ isCall: Bool) -> UnsafeMutableRawPointer?
    )? = nil
    /// Result of the first clause that matches `arguments`; none if none does.
    nonisolated(unsafe) public static var run: (
        @convention(c) (
            _ program: UnsafeMutableRawPointer, _ process: Ref<Process>, _ arguments: UnsafePointer<Term>, _ arity: Int,
            _ wishes: UnsafeMutablePointer<UInt32>
        ) -> Term
    )? = nil
    /// Bits of `wishes`: messages when the call returns, or raises.
    public static let wantsReturn: UInt32 = 1
    public static let wantsException: UInt32 = 2
}
