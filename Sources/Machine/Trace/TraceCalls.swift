// TraceCalls.swift: what happens at the stub of a traced function, at the body of a traced native function, and when
// they return.
//
// A call that is to be traced when it returns gets frames of its own below its return address:
//
//     e -> | address of trace_return | breakpoint and kind | tracer | ... | address of trace_return_to | return address
//
// The Location before such an address has no function, so stack traces pass over it.

import CMachine
import Glibc
import Terms

enum TraceCode {
    /// Code words whose addresses stand on stacks, each behind a Location without function.
    nonisolated(unsafe) static var onReturn: CodePointer! = nil
    nonisolated(unsafe) static var onReturnTo: CodePointer! = nil
    nonisolated(unsafe) static var onReturnTime: CodePointer! = nil

    static func boot() {
        func place(_ operation: Op, frame: UInt32) -> CodePointer {
            let location = Ref<Location>.allocate(capacity: 1)
            location.initialize(to: Location(function: nil, line: 0, frame: frame))
            let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
            words[0] = UInt64(UInt(bitPattern: location))
            words[1] = handlerAddress(operation)
            return CodePointer(words + 1)
        }
        onReturn = place(.trace_return, frame: 2)
        onReturnTo = place(.trace_return_to, frame: 0)
        onReturnTime = place(.trace_return_time, frame: 1)
        Breakpoints.handler = handlerAddress(.trace_call)
        Breakpoints.tracedBody = callTracedBody
    }
}

/// What a call wants when it returns.
private struct ReturnWishes {
    var value = false
    var exception = false
    var returnTo = false
    var isAny: Bool { value || exception || returnTo }
}

private func breakpoint(_ word: UInt64) -> Ref<Breakpoint> { Ref(bitPattern: UInt(word)).unsafelyUnwrapped }

/// The breakpoint and whether exceptions are wanted, as a small integer for the stack.
private func frameWord(_ record: Ref<Breakpoint>, exception: Bool) -> Term {
    .small((Int(bitPattern: record) >> 3) << 1 | (exception ? 1 : 0))
}
private func frameBreakpoint(_ word: Term) -> Ref<Breakpoint> {
    Ref(bitPattern: UInt((word.smallValue >> 1) << 3)).unsafelyUnwrapped
}

// MARK: - Calls

/// `trace_call breakpoint`: the first word of a traced function; its arguments are in x(0)....
func slow_trace_call(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let record = breakpoint(pc[1])
    let process = c.process
    let arity = record.pointee.arity
    process.pointee.location = nil
    let flags = record.pointee.flags
    if flags & BreakpointFlags.save != 0 { SavedCalls.note(process, record.pointee.export) }
    if flags & BreakpointFlags.counts != 0 { _ = vm_fetch_add(&record.pointee.calls, 1) }
    if flags & (BreakpointFlags.local | BreakpointFlags.global | BreakpointFlags.meta | BreakpointFlags.measures) != 0 {
        guard makeRoom(c, live: arity) else { return c.leaveExiting() }
        let entry = process.isTraced ? Tracees.find(process) : Tracee()
        if flags & BreakpointFlags.measures != 0, entry.flags & TraceFlags.call != 0 { pushTime(c, record) }
        if flags & (BreakpointFlags.local | BreakpointFlags.global) != 0, entry.flags & TraceFlags.call != 0 {
            let isLocal = flags & BreakpointFlags.local != 0
            let wishes = traceCall(process, record, UnsafePointer(c.x), entry, isMeta: false, isLocal: isLocal)
            pushFrames(c, record, wishes, tracer: Atoms.true)
        }
        if flags & BreakpointFlags.meta != 0, process.pointee.flags & ProcessFlags.sensitive == 0 {
            let tracer = record.pointee.metaTracer
            let meta = Tracee(flags: TraceFlags.call | TraceFlags.timestamp, tracer: tracer)
            let wishes = traceCall(process, record, UnsafePointer(c.x), meta, isMeta: true, isLocal: true)
            pushFrames(c, record, wishes, tracer: tracer)
        }
    }
    return record.pointee.entry
}

/// Room for the frames, as the function's own checks do not count them.
private func makeRoom(_ c: Ref<Context>, live: Int) -> Bool {
    let free = c.e - c.process.pointee.heap.top.unsafelyUnwrapped
    return free >= 16 + Int(stackReserve) || c.collect(need: 16, live: live)
}

private func pushFrames(_ c: Ref<Context>, _ record: Ref<Breakpoint>, _ wishes: ReturnWishes, tracer: Term) {
    if wishes.returnTo, codePointer(c.e[0]) != TraceCode.onReturnTo { c.pushReturn(TraceCode.onReturnTo) }
    guard wishes.value || wishes.exception else { return }
    c.process.pointee.flags |= ProcessFlags.tracedFrames
    c.e -= 2
    c.e[1] = tracer.raw
    c.e[0] = frameWord(record, exception: wishes.exception).raw
    c.pushReturn(TraceCode.onReturn)
}

/// Sends the call message, unless the specification says otherwise; answers what is wanted at the return.
private func traceCall(
    _ process: Ref<Process>, _ record: Ref<Breakpoint>, _ arguments: UnsafePointer<Term>, _ entry: Tracee, isMeta: Bool,
    isLocal: Bool
) -> ReturnWishes {
    var wishes = ReturnWishes()
    var result = Atoms.true
    // Nobody traces itself.
    if entry.tracer == process.pointee.id { return wishes }
    if let program = isMeta ? record.pointee.metaProgram : record.pointee.program {
        var bits: UInt32 = 0
        result = TracePrograms.run!(program, process, arguments, record.pointee.arity, &bits)
        guard !result.isNone else { return wishes }
        wishes.value = bits & TracePrograms.wantsReturn != 0
        wishes.exception = bits & TracePrograms.wantsException != 0
    }
    // The specification may have changed the flags.
    let flags = isMeta ? entry.flags : Tracees.find(process).flags | entry.flags & TraceFlags.call
    if !isMeta, flags & TraceFlags.silent != 0 { return ReturnWishes() }
    if result == Atoms.false { return wishes }
    if !isMeta, isLocal, flags & TraceFlags.returnTo != 0 { wishes.returnTo = true }
    var what = Term.small(record.pointee.arity)
    let heap = process.heap
    if flags & TraceFlags.arity == 0 {
        what = .nil
        for index in (0..<record.pointee.arity).reversed() { what = heap.cons(tracedArgument(heap, arguments[index]), what) }
    }
    let call = heap.tuple(record.pointee.module, record.pointee.name, what)
    let parts = [Atoms.call, call] + (result == Atoms.true ? [] : [result])
    if !Trace.send(process, entry.flags, to: entry.tracer, parts) {
        if isMeta { clearMeta(record) } else { Tracees.forget(process) }
        return ReturnWishes()
    }
    return wishes
}

/// A binary that is being matched is shown as what is left of it.
private func tracedArgument(_ heap: Ref<Heap>, _ term: Term) -> Term {
    term.isBoxed(Subtag.matchContext) ? MatchContext(term).tail(heap) : term
}

/// The tracer of a meta trace has ended.
private func clearMeta(_ record: Ref<Breakpoint>) {
    withExportsLocked {
        record.pointee.flags &= ~BreakpointFlags.meta
        Breakpoints.install(record)
    }
}

// MARK: - Returns

/// `trace_return`: below it on the stack are the breakpoint and the tracer (`true`: the process's own).
func slow_trace_return(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let record = frameBreakpoint(Term(raw: c.e[0]))
    let tracer = Term(raw: c.e[1])
    c.e += 2
    reportReturn(c.process, record, tracer, Atoms.return_from, c.x[0])
    return c.popReturn()
}

private func reportReturn(_ process: Ref<Process>, _ record: Ref<Breakpoint>, _ tracer: Term, _ what: Term, _ value: Term) {
    var entry = Tracee(flags: TraceFlags.call | TraceFlags.timestamp, tracer: tracer)
    if tracer == Atoms.true { entry = Tracees.find(process) }
    guard entry.flags & TraceFlags.call != 0, !entry.tracer.isNil else { return }
    let heap = process.heap
    let function = heap.tuple(record.pointee.module, record.pointee.name, .small(record.pointee.arity))
    Trace.send(process, entry.flags, to: entry.tracer, [what, function, value])
}

/// `trace_return_to`: tells where the process returns to.
func slow_trace_return_to(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let process = c.process
    process.pointee.location = nil
    let entry = Tracees.find(process)
    if entry.flags & TraceFlags.returnTo != 0 {
        let place = TraceActions.caller(process)
        Trace.send(process, entry.flags, to: entry.tracer, [Atoms.return_to, place])
    }
    return c.popReturn()
}

extension TraceCode {
    /// An exception passes a frame at `slot`, right above its address: reports it if that is wanted.
    @inline(never) static func unwound(
        _ process: Ref<Process>, _ address: UInt64, _ slot: Words, _ exceptionClass: Term, _ reason: Term
    ) {
        guard codePointer(address) == onReturn else { return }
        let word = Term(raw: slot[0])
        guard word.smallValue & 1 == 1 else { return }
        reportReturn(
            process, frameBreakpoint(word), Term(raw: slot[1]), Atoms.exception_from,
            process.heap.tuple(exceptionClass, reason))
    }
}

// MARK: - Native functions

/// Stands in for the body of a traced native function.
private func callTracedBody(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let export = process.pointee.currentBif, let record = withExportsLocked({ Breakpoints.find(native: export) }),
        let body = record.pointee.body
    else { return process.undef() }
    let flags = record.pointee.flags
    if flags & BreakpointFlags.save != 0 { SavedCalls.note(process, export) }
    if flags & BreakpointFlags.counts != 0 { _ = vm_fetch_add(&record.pointee.calls, 1) }
    var own = ReturnWishes()
    var meta = ReturnWishes()
    let tracer = record.pointee.metaTracer
    let entry = process.isTraced ? Tracees.find(process) : Tracee()
    if flags & (BreakpointFlags.local | BreakpointFlags.global) != 0, entry.flags & TraceFlags.call != 0 {
        let isLocal = flags & BreakpointFlags.local != 0
        own = traceCall(process, record, arguments, entry, isMeta: false, isLocal: isLocal)
    }
    if flags & BreakpointFlags.meta != 0, process.pointee.flags & ProcessFlags.sensitive == 0 {
        let kind = Tracee(flags: TraceFlags.call | TraceFlags.timestamp, tracer: tracer)
        meta = traceCall(process, record, arguments, kind, isMeta: true, isLocal: true)
    }
    let started = flags & BreakpointFlags.measures != 0 ? Clock.monotonic() : 0
    let result = body(process, arguments)
    if flags & BreakpointFlags.measures != 0, entry.flags & TraceFlags.call != 0 {
        CallTimes.add(record, process.pointee.id, Clock.monotonic() - started, calls: 1)
    }
    if own.isAny || meta.isAny { reportNativeReturn(process, record, result, own, meta, tracer) }
    return result
}

private func reportNativeReturn(
    _ process: Ref<Process>, _ record: Ref<Breakpoint>, _ result: Term, _ own: ReturnWishes, _ meta: ReturnWishes,
    _ tracer: Term
) {
    // A native function that goes on in Erlang code returns there.
    if result.isNone, process.pointee.exceptionClass == .small(ExceptionClass.trap) { return }
    for (wishes, tracer) in [(meta, tracer), (own, Atoms.true)] {
        if !result.isNone {
            if wishes.value || wishes.exception { reportReturn(process, record, tracer, Atoms.return_from, result) }
        } else if wishes.exception {
            let exceptionClass = switch process.pointee.exceptionClass.smallValue {
            case ExceptionClass.exit: Atoms.exit
            case ExceptionClass.throw: Atoms.throw
            default: Atoms.error
            }
            let value = process.heap.tuple(exceptionClass, process.pointee.reason)
            reportReturn(process, record, tracer, Atoms.exception_from, value)
        }
        if wishes.returnTo, !result.isNone {
            let entry = Tracees.find(process)
            Trace.send(process, entry.flags, to: entry.tracer, [Atoms.return_to, TraceActions.caller(process)])
        }
    }
}

// MARK: - call_time

/// Time spent in functions, by process: from the call (or a return to it) to the next call or return of a measured one.
enum CallTimes {
    nonisolated(unsafe) private static var lock = Lock()
    /// By breakpoint, then by pid: calls and nanoseconds. Under `lock`.
    nonisolated(unsafe) private static var table: [UInt: [UInt64: (calls: Int, time: Int64)]] = [:]
    /// By pid: what runs, and since when. Under `lock`.
    nonisolated(unsafe) private static var running: [UInt64: (record: Ref<Breakpoint>, since: Int64)] = [:]

    static func add(_ record: Ref<Breakpoint>, _ pid: Term, _ time: Int64, calls: Int) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        addLocked(record, pid, time, calls: calls)
    }

    private static func addLocked(_ record: Ref<Breakpoint>, _ pid: Term, _ time: Int64, calls: Int) {
        let old = table[UInt(bitPattern: record), default: [:]][pid.raw] ?? (0, 0)
        table[UInt(bitPattern: record), default: [:]][pid.raw] = (old.calls + calls, old.time + time)
    }

    /// The process goes into another function (nil: out of all). Answers what it was in.
    static func enter(_ pid: Term, _ record: Ref<Breakpoint>?, isCall: Bool) -> Ref<Breakpoint>? {
        let now = Clock.monotonic()
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        let before = running[pid.raw]
        if let before { addLocked(before.record, pid, now - before.since, calls: 0) }
        if let record, isCall { addLocked(record, pid, 0, calls: 1) }
        running[pid.raw] = record.map { ($0, now) }
        return before?.record
    }

    /// A process is switched out (`since` then does not count) or in.
    static func pause(_ pid: Term) { _ = enter(pid, currentOf(pid), isCall: false) }
    static func goOn(_ pid: Term) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if let before = running[pid.raw] { running[pid.raw] = (before.record, Clock.monotonic()) }
    }

    private static func currentOf(_ pid: Term) -> Ref<Breakpoint>? {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return running[pid.raw]?.record
    }

    static func reset(_ record: Ref<Breakpoint>) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        table[UInt(bitPattern: record)] = nil
    }

    /// `[{Pid, Calls, Seconds, Microseconds}]`
    static func list(_ heap: Ref<Heap>, _ record: Ref<Breakpoint>) -> Term {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        var list = Term.nil
        for (pid, value) in table[UInt(bitPattern: record)] ?? [:] {
            let micro = Int(value.time / 1000)
            list = heap.cons(
                heap.tuple(
                    Term(raw: pid), .small(value.calls), .small(micro / 1_000_000), .small(micro % 1_000_000)), list)
        }
        return list
    }
}

private func pushTime(_ c: Ref<Context>, _ record: Ref<Breakpoint>) {
    let before = CallTimes.enter(c.process.pointee.id, record, isCall: true)
    let top = codePointer(c.e[0])
    // A tail call leaves the frame of the one before in its place.
    if top == TraceCode.onReturnTime || top == TraceCode.onReturn || top == TraceCode.onReturnTo { return }
    c.e -= 1
    c.e[0] = (before.map { frameWord($0, exception: false) } ?? Term.nil).raw
    c.pushReturn(TraceCode.onReturnTime)
}

func slow_trace_return_time(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let word = Term(raw: c.e[0])
    c.e += 1
    _ = CallTimes.enter(c.process.pointee.id, word.isSmall ? frameBreakpoint(word) : nil, isCall: false)
    return c.popReturn()
}
