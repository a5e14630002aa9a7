// SequentialTrace.swift: seq_trace: a token that a process has and that goes with its messages, so that a chain of messages
// can be followed. The token is memory of its own, owned by the process or by the signal that carries it.

import CMachine
import Glibc
import Terms

let sequentialTraceBifs: [Bif] = [
    Bif("erlang", "seq_trace", 2, erlang_seq_trace_2),
    Bif("erlang", "seq_trace_info", 1, erlang_seq_trace_info_1),
    Bif("erlang", "seq_trace_print", 1, erlang_seq_trace_print_1),
    Bif("erlang", "seq_trace_print", 2, erlang_seq_trace_print_2),
]

struct SequentialToken {
    var flags = 0
    var label = Term.small(0)
    var fragment: Ref<Fragment>?
    var serial = 0
    var previous = 0
    var from: Term

    static let send = 1
    static let receive = 2
    static let print = 4
}

enum SequentialTrace {
    /// Signal.flags: `extra` is the address of a token.
    static let carriesToken: UInt32 = 1 << 31
    /// Who gets the messages: a pid, or `false`. Atomic, relaxed.
    nonisolated(unsafe) static var tracer: UInt64 = Atoms.false.raw

    static func token(_ process: Ref<Process>) -> Ref<SequentialToken>? {
        process.pointee.flags & ProcessFlags.sequential == 0 ? nil : ProcessExtra.find(process)?.pointee.token
    }

    static func free(_ token: Ref<SequentialToken>?) {
        guard let token else { return }
        if let fragment = token.pointee.fragment { freeFragments(fragment) }
        token.deallocate()
    }

    static func copy(_ token: Ref<SequentialToken>) -> Ref<SequentialToken> {
        let result = Ref<SequentialToken>.allocate(capacity: 1)
        result.initialize(to: token.pointee)
        setLabel(result, token.pointee.label)
        return result
    }

    /// Requires: the old label's memory is somebody else's, or freed.
    static func setLabel(_ token: Ref<SequentialToken>, _ label: Term) {
        let copy = copyToFragment(label, copyLiterals: true)
        token.pointee.label = copy.term
        token.pointee.fragment = copy.fragment
    }

    static func setToken(_ process: Ref<Process>, _ token: Ref<SequentialToken>?) {
        guard token != nil || process.pointee.flags & ProcessFlags.sequential != 0 else { return }
        let extra = ProcessExtra.of(process)
        free(extra.pointee.token)
        extra.pointee.token = token
        process.pointee.flags &= ~ProcessFlags.sequential
        if token != nil { process.pointee.flags |= ProcessFlags.sequential }
    }

    /// The process's token, made if it has none.
    static func make(_ process: Ref<Process>) -> Ref<SequentialToken> {
        if let token = token(process) { return token }
        let token = Ref<SequentialToken>.allocate(capacity: 1)
        token.initialize(to: SequentialToken(from: process.pointee.id))
        token.pointee.previous = ProcessExtra.of(process).pointee.lastCount
        setToken(process, token)
        return token
    }

    // MARK: Messages

    /// A message of a process with a token: reports it, and gives it a copy of the token.
    @inline(never) static func sending(_ process: Ref<Process>, _ signal: Ref<Signal>, to destination: Term) {
        guard let token = token(process), process.pointee.id.raw != vm_load_relaxed(&tracer) else { return }
        step(process, token)
        report(process, token, SequentialToken.send, Atoms.send, destination, signal.pointee.payload)
        signal.pointee.extra = Term(raw: UInt64(UInt(bitPattern: copy(token))))
        signal.pointee.flags |= carriesToken
    }

    /// The next serial number of the process.
    private static func step(_ process: Ref<Process>, _ token: Ref<SequentialToken>) {
        let extra = ProcessExtra.of(process)
        extra.pointee.traceClock += 1
        token.pointee.from = process.pointee.id
        token.pointee.serial = extra.pointee.traceClock
        token.pointee.previous = extra.pointee.lastCount
    }

    /// The process takes a message out of its queue, and its token with it.
    @inline(never) static func receiving(_ process: Ref<Process>, _ signal: Ref<Signal>) {
        guard signal.pointee.flags & carriesToken != 0 else { return setToken(process, nil) }
        let token = Ref<SequentialToken>(bitPattern: UInt(signal.pointee.extra.raw)).unsafelyUnwrapped
        signal.pointee.flags &= ~carriesToken
        setToken(process, token)
        let extra = ProcessExtra.of(process)
        extra.pointee.lastCount = token.pointee.serial
        extra.pointee.traceClock = max(extra.pointee.traceClock, token.pointee.serial)
        report(process, token, SequentialToken.receive, Atoms.receive, process.pointee.id, signal.pointee.payload)
    }

    /// A child has its parent's token.
    static func inherit(_ child: Ref<Process>, from parent: Ref<Process>) {
        if let token = token(parent) { setToken(child, copy(token)) }
    }

    /// `{seq_trace, Label, {Kind, {Previous, Serial}, From, To, Message}}`, with the time if the flags say so.
    private static func report(
        _ process: Ref<Process>, _ token: Ref<SequentialToken>, _ flag: Int, _ kind: Term, _ destination: Term, _ message: Term
    ) {
        let receiver = Term(raw: vm_load_relaxed(&tracer))
        guard receiver.isLocalPid, token.pointee.flags & flag != 0, process.pointee.flags & ProcessFlags.sensitive == 0 else {
            return
        }
        let t = token.pointee
        let stamp = t.flags & 8 != 0 ? TraceFlags.timestamp : t.flags & 16 != 0 ? TraceFlags.strictMonotonic
            : t.flags & 32 != 0 ? TraceFlags.monotonic : 0
        sendBuilt(to: receiver, from: .none, on: process.pointee.scheduler) { heap in
            let (info, elements) = heap.makeTuple(5)
            elements[0] = kind.raw
            elements[1] = heap.tuple(.small(t.previous), .small(t.serial)).raw
            elements[2] = t.from.raw
            elements[3] = copyTerm(destination, to: heap).raw
            elements[4] = copyTerm(message, to: heap).raw
            let label = copyTerm(t.label, to: heap)
            if stamp == 0 { return heap.tuple(Atoms.seq_trace, label, info) }
            return heap.tuple(Atoms.seq_trace, label, info, Trace.timestamp(heap, stamp))
        }
    }

    static func print(_ process: Ref<Process>, _ token: Ref<SequentialToken>, _ message: Term) {
        step(process, token)
        report(process, token, SequentialToken.print, Atoms.print, .nil, message)
    }

    fileprivate static func flag(_ name: Term) -> Int? {
        switch name {
        case Atoms.send: SequentialToken.send
        case Atoms.receive: SequentialToken.receive
        case Atoms.print: SequentialToken.print
        case Atoms.timestamp: 8
        case Atoms.strict_monotonic_timestamp: 16
        case Atoms.monotonic_timestamp: 32
        default: nil
        }
    }

    /// `{Flags, Label, Serial, From, Previous}`, or [].
    static func term(_ heap: Ref<Heap>, _ token: Ref<SequentialToken>?) -> Term {
        guard let t = token?.pointee else { return .nil }
        let (term, elements) = heap.makeTuple(5)
        elements[0] = Term.small(t.flags).raw
        elements[1] = copyTerm(t.label, to: heap).raw
        elements[2] = Term.small(t.serial).raw
        elements[3] = t.from.raw
        elements[4] = Term.small(t.previous).raw
        return term
    }
}

func erlang_seq_trace_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let (what, value) = (arguments[0], arguments[1])
    let heap = process.heap
    if let bit = SequentialTrace.flag(what), value == Atoms.true || value == Atoms.false {
        let token = SequentialTrace.make(process)
        let old = token.pointee.flags & bit != 0
        token.pointee.flags = value == Atoms.true ? token.pointee.flags | bit : token.pointee.flags & ~bit
        return truth(old)
    }
    switch what {
    case Atoms.label:
        let token = SequentialTrace.make(process)
        let old = copyTerm(token.pointee.label, to: heap)
        if let fragment = token.pointee.fragment { freeFragments(fragment) }
        SequentialTrace.setLabel(token, value)
        return old
    case Atoms.serial:
        guard value.isTuple(2), value.element(0).isSmall, value.element(1).isSmall else { return process.badarg() }
        let token = SequentialTrace.make(process)
        let old = heap.tuple(.small(token.pointee.previous), .small(token.pointee.serial))
        token.pointee.previous = value.element(0).smallValue
        token.pointee.serial = value.element(1).smallValue
        let extra = ProcessExtra.of(process)
        extra.pointee.lastCount = token.pointee.previous
        extra.pointee.traceClock = token.pointee.serial
        return old
    case Atoms.sequential_trace_token:
        guard value.isNil else { return process.badarg() }
        let old = SequentialTrace.term(heap, SequentialTrace.token(process))
        SequentialTrace.setToken(process, nil)
        return old
    default: return process.badarg()
    }
}

func erlang_seq_trace_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let what = arguments[0]
    let heap = process.heap
    guard let token = SequentialTrace.token(process) else {
        if SequentialTrace.flag(what) != nil || what == Atoms.spawn { return heap.tuple(what, Atoms.false) }
        return what == Atoms.label || what == Atoms.serial ? .nil : process.badarg()
    }
    if let bit = SequentialTrace.flag(what) { return heap.tuple(what, truth(token.pointee.flags & bit != 0)) }
    switch what {
    case Atoms.label: return heap.tuple(what, copyTerm(token.pointee.label, to: heap))
    case Atoms.serial:
        return heap.tuple(what, heap.tuple(.small(token.pointee.previous), .small(token.pointee.serial)))
    default: return process.badarg()
    }
}

func erlang_seq_trace_print_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let token = SequentialTrace.token(process) else { return Atoms.false }
    SequentialTrace.print(process, token, arguments[0])
    return Atoms.true
}

/// Only if the token has this label.
func erlang_seq_trace_print_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let token = SequentialTrace.token(process), termsIdentical(arguments[0], token.pointee.label) else {
        return Atoms.false
    }
    SequentialTrace.print(process, token, arguments[1])
    return Atoms.true
}

/// system_flag(sequential_tracer, Pid | false)
func setSequentialTracer(_ process: Ref<Process>, _ value: Term) -> Term {
    guard value == Atoms.false || value.isLocalPid else { return process.badarg() }
    return Term(raw: vm_exchange(&SequentialTrace.tracer, value.raw))
}
