// TraceBifs.swift: erlang:trace/3, trace_pattern/3 and trace_info/2.

import CMachine
import Terms

let traceBifs: [Bif] = [
    Bif("erts_internal", "trace", 3, erts_internal_trace_3),
    Bif("erts_internal", "trace_pattern", 3, erts_internal_trace_pattern_3),
    Bif("erlang", "trace_info", 2, erlang_trace_info_2),
]

// MARK: - Processes

/// `PidSpec, true | false, Flags`: how many processes (and ports) match.
func erts_internal_trace_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let request = TraceRequest(arguments[2]) else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    guard arguments[1] == Atoms.true || arguments[1] == Atoms.false else { return process.badarg() }
    let on = arguments[1] == Atoms.true
    let tracer = on && request.tracer.isNil ? process.pointee.id : request.tracer
    let who = arguments[0]
    if who.isLocalPid {
        guard let target = ProcessTable.find(who),
            Tracees.change(target, who, on: on, request.flags, tracer: tracer)
        else { return process.badarg() }
        return .small(1)
    }
    switch who {
    case Atoms.all, Atoms.existing, Atoms.new, Atoms.processes, Atoms.existing_processes, Atoms.new_processes,
        Atoms.ports, Atoms.existing_ports, Atoms.new_ports:
        break
    default: return process.badarg()
    }
    var count = 0
    if [Atoms.all, Atoms.existing, Atoms.processes, Atoms.existing_processes].contains(who), request.flags != 0 {
        var found: [(Term, Ref<Process>)] = []
        ProcessTable.forEach { found.append(($0, $1)) }
        for (pid, target) in found where Tracees.change(target, pid, on: on, request.flags, tracer: tracer) { count += 1 }
        process.bump(found.count)
    }
    if [Atoms.all, Atoms.new, Atoms.processes, Atoms.new_processes].contains(who) {
        Tracees.changeNew(on: on, request.flags, tracer: tracer)
    }
    return .small(count)
}

// MARK: - Patterns

/// What one call of trace_pattern asks for.
private struct PatternRequest {
    enum Change { case off, on, restart, pause }
    var change = Change.on
    var program: UnsafeMutableRawPointer?
    var specification = Term.nil
    var flags: UInt32 = 0
    var metaTracer = Term.nil

    /// `[local | global | meta | {meta, Pid} | call_count | call_time]`
    mutating func parse(_ list: Term, own: Term) -> Bool {
        var isGlobal = false
        var rest = list
        while rest.isCons {
            let item = rest.head
            if item == Atoms.global {
                if flags != 0 { return false }
                isGlobal = true
            } else if isGlobal {
                return false
            } else if item == Atoms.local {
                flags |= BreakpointFlags.local
            } else if item == Atoms.meta {
                flags |= BreakpointFlags.meta
                if metaTracer.isNil { metaTracer = own }
            } else if item.isTuple(2), item.element(0) == Atoms.meta, let tracer = tracerTerm(item.element(1)) {
                flags |= BreakpointFlags.meta
                metaTracer = tracer
            } else if item == Atoms.call_count {
                flags |= BreakpointFlags.count
            } else if item == Atoms.call_time {
                flags |= BreakpointFlags.time
            } else {
                return false
            }
            rest = rest.tail
        }
        if flags == 0 { flags = BreakpointFlags.global }
        return rest.isNil
    }
}

/// The pattern for code to be loaded. Under the code-modification lock.
nonisolated(unsafe) private var onLoadPattern: PatternRequest? = nil

func erts_internal_trace_pattern_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var request = PatternRequest()
    let isEvent = arguments[0] == Atoms.send || arguments[0] == Atoms.receive
    switch arguments[1] {
    case Atoms.false: request.change = .off
    case Atoms.true, Term.nil: break
    case Atoms.restart: request.change = .restart
    case Atoms.pause: request.change = .pause
    default:
        guard let program = TracePrograms.compile?(process, arguments[1], !isEvent) else {
            return process.raise(Atoms.badarg, cause: Atoms.match_spec)
        }
        request.program = program
        var offHeap = OffHeapList()
        request.specification = copyToLiterals(arguments[1], offHeap: &offHeap).term
    }
    guard request.parse(arguments[2], own: process.pointee.id) else {
        return process.raise(Atoms.badarg, cause: Atoms.badopt)
    }
    let forCalls = BreakpointFlags.global | BreakpointFlags.local | BreakpointFlags.meta
    if request.program != nil, request.flags & forCalls == 0 {
        return process.raise(Atoms.badarg, cause: Atoms.call_count)
    }
    if isEvent { return setEventPattern(process, arguments[0], request, arguments[2]) }
    if arguments[0] == Atoms.on_load {
        withExportsLocked { onLoadPattern = request.change == .off ? nil : request }
        return .small(0)
    }
    guard let names = functionPattern(arguments[0]) else { return process.raise(Atoms.badarg, cause: .none) }
    process.bump(100)
    let count = withExportsLocked { apply(request, names) }
    return .small(count)
}

private func setEventPattern(_ process: Ref<Process>, _ event: Term, _ request: PatternRequest, _ flags: Term) -> Term {
    guard flags.isNil, request.change == .on || request.change == .off else { return process.badarg() }
    let pattern = EventPattern(
        isOn: request.change == .on, program: request.program, specification: request.specification)
    withExportsLocked { if event == Atoms.send { Trace.sendPattern = pattern } else { Trace.receivePattern = pattern } }
    return .small(1)
}

private typealias FunctionPattern = (module: Term?, name: Term?, arity: Int?)

/// `{M, F, A}` with `'_'` only at the end.
private func functionPattern(_ term: Term) -> FunctionPattern? {
    guard term.isTuple(3), term.element(0).isAtom, term.element(1).isAtom else { return nil }
    let (module, name, arity) = (term.element(0), term.element(1), term.element(2))
    guard arity.isSmall || arity == Atoms.underscore else { return nil }
    if module == Atoms.underscore, name != Atoms.underscore { return nil }
    if name == Atoms.underscore, arity != Atoms.underscore { return nil }
    return (
        module == Atoms.underscore ? nil : module, name == Atoms.underscore ? nil : name,
        arity.isSmall ? arity.smallValue : nil
    )
}

/// Under the lock: sets the pattern for all functions that match; their number.
private func apply(_ request: PatternRequest, _ names: FunctionPattern) -> Int {
    var count = 0
    Modules.forEachCurrent(names.module) { count += apply(request, names, in: $0) }
    Exports.forEach { export in
        let e = export.pointee
        guard export.isNative, names.module == nil || e.module == names.module,
            names.name == nil || e.name == names.name, names.arity == nil || Int(e.arity) == names.arity
        else { return }
        set(request, Breakpoints.make(native: export))
        count += 1
    }
    return count
}

private func apply(_ request: PatternRequest, _ names: FunctionPattern, in module: LoadedModule) -> Int {
    var count = 0
    for index in 0..<module.functionCount {
        let function = module.functions + index
        let f = function.pointee
        guard names.name == nil || f.name == names.name, names.arity == nil || Int(f.arity) == names.arity else { continue }
        let export = module.export(of: function)
        if let export, export.isNative { continue }
        if request.flags == BreakpointFlags.global, export == nil { continue }
        set(request, Breakpoints.make(function, export: export))
        count += 1
    }
    return count
}

/// Under the lock: changes what is traced at one function.
private func set(_ request: PatternRequest, _ record: Ref<Breakpoint>) {
    let flags = request.flags
    var now = record.pointee.flags
    switch request.change {
    case .off:
        now &= ~flags
        if flags == BreakpointFlags.global { now &= ~BreakpointFlags.local }
        if flags & BreakpointFlags.count != 0 { now &= ~BreakpointFlags.counts }
        if flags & BreakpointFlags.time != 0 { now &= ~BreakpointFlags.measures }
    case .on:
        // A global pattern takes the place of all others.
        now = flags == BreakpointFlags.global ? flags : now & ~BreakpointFlags.global | flags
        if flags & (BreakpointFlags.local | BreakpointFlags.global) != 0 {
            record.pointee.program = request.program
            record.pointee.specification = request.specification
        }
        if flags & BreakpointFlags.meta != 0 {
            record.pointee.metaProgram = request.program
            record.pointee.metaSpecification = request.specification
            record.pointee.metaTracer = request.metaTracer
        }
        restart(flags, record, &now)
    case .restart: if now & flags == flags { restart(flags, record, &now) }
    case .pause:
        if flags & BreakpointFlags.count != 0 { now &= ~BreakpointFlags.counts }
        if flags & BreakpointFlags.time != 0 { now &= ~BreakpointFlags.measures }
    }
    record.pointee.flags = now
    Breakpoints.install(record)
}

private func restart(_ flags: UInt32, _ record: Ref<Breakpoint>, _ now: inout UInt32) {
    if flags & BreakpointFlags.count != 0 {
        record.pointee.calls = 0
        now |= BreakpointFlags.counts
    }
    if flags & BreakpointFlags.time != 0 {
        CallTimes.reset(record)
        now |= BreakpointFlags.measures
    }
}

/// Makes the machine ready to trace. Once at boot.
func bootTracing() {
    TraceCode.boot()
    Modules.onCurrent = { module in
        if let request = onLoadPattern { _ = apply(request, (module.name, nil, nil), in: module) }
    }
}

// MARK: - trace_info

func erlang_trace_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let (what, key) = (arguments[0], arguments[1])
    let heap = process.heap
    if what == Atoms.send || what == Atoms.receive {
        guard key == Atoms.match_spec else { return process.badarg() }
        let pattern = what == Atoms.send ? Trace.sendPattern : Trace.receivePattern
        let value = !pattern.isOn ? Atoms.false : pattern.hasProgram ? pattern.specification : Atoms.true
        return heap.tuple(key, value)
    }
    if what == Atoms.on_load { return onLoadInfo(process, key) }
    if what.isTuple { return functionInfo(process, what, key) }
    let tracee: Tracee
    if what == Atoms.new || what == Atoms.new_processes {
        tracee = Tracees.newOnes
    } else if what == Atoms.new_ports || what.isLocalPort {
        tracee = Tracee()
    } else if what.isLocalPid {
        guard key == Atoms.flags || key == Atoms.tracer else { return process.badarg() }
        guard ProcessTable.find(what) != nil else { return Atoms.undefined }
        tracee = Tracees.find(pid: what)
    } else {
        return process.raise(Atoms.badarg, cause: Atoms.badopt)
    }
    switch key {
    case Atoms.flags: return heap.tuple(key, TraceFlags.list(heap, tracee.flags))
    case Atoms.tracer: return heap.tuple(key, tracee.tracer)
    default: return process.badarg()
    }
}

private func onLoadInfo(_ process: Ref<Process>, _ key: Term) -> Term {
    let heap = process.heap
    guard let pattern = withExportsLocked({ onLoadPattern }) else { return heap.tuple(key, Atoms.false) }
    let flags = pattern.flags
    let isCall = flags & (BreakpointFlags.global | BreakpointFlags.local) != 0
    let isMeta = flags & BreakpointFlags.meta != 0
    let traced = flags & BreakpointFlags.global != 0 ? Atoms.global : isCall ? Atoms.local : Atoms.false
    let values: [(Term, Term)] = [
        (Atoms.traced, traced), (Atoms.match_spec, isCall ? pattern.specification : Atoms.false),
        (Atoms.meta, isMeta ? pattern.metaTracer : Atoms.false),
        (Atoms.meta_match_spec, isMeta ? pattern.specification : Atoms.false),
        (Atoms.call_count, truth(flags & BreakpointFlags.count != 0)),
    ]
    if key == Atoms.all { return heap.tuple(key, heap.list(values.map { heap.tuple($0.0, $0.1) })) }
    if key == Atoms.call_time { return heap.tuple(key, truth(flags & BreakpointFlags.time != 0)) }
    guard let value = values.first(where: { $0.0 == key }) else { return process.badarg() }
    return heap.tuple(key, value.1)
}

private func functionInfo(_ process: Ref<Process>, _ what: Term, _ key: Term) -> Term {
    guard let names = functionPattern(what), let module = names.module, let name = names.name, let arity = names.arity else {
        return process.badarg()
    }
    let heap = process.heap
    guard let record = traced(module, name, arity) else { return heap.tuple(key, Atoms.undefined) }
    guard let record, record.pointee.flags != 0 else { return heap.tuple(key, Atoms.false) }
    let r = record.pointee
    let isCall = r.flags & (BreakpointFlags.global | BreakpointFlags.local) != 0
    let isMeta = r.flags & BreakpointFlags.meta != 0
    let kind = r.flags & BreakpointFlags.global != 0 ? Atoms.global : isCall ? Atoms.local : Atoms.false
    func value(_ key: Term) -> Term? {
        switch key {
        case Atoms.traced: kind
        case Atoms.match_spec: isCall ? r.specification : Atoms.false
        case Atoms.meta: isMeta ? r.metaTracer : .nil
        case Atoms.meta_match_spec: isMeta ? r.metaSpecification : Atoms.false
        case Atoms.call_count:
            r.flags & BreakpointFlags.count != 0 ? heap.integer(unsigned: r.calls) : Atoms.false
        case Atoms.call_time: r.flags & BreakpointFlags.time != 0 ? CallTimes.list(heap, record) : Atoms.false
        default: nil
        }
    }
    if key == Atoms.all {
        let keys = [
            Atoms.traced, Atoms.match_spec, Atoms.meta, Atoms.meta_match_spec, Atoms.call_time, Atoms.call_count,
        ]
        // Without a meta tracer the list says false, the single item [].
        let pairs = keys.map { heap.tuple($0, $0 == Atoms.meta && !isMeta ? Atoms.false : value($0)!) }
        return heap.tuple(key, heap.list(pairs))
    }
    return value(key).map { heap.tuple(key, $0) } ?? process.badarg()
}

/// The record of a function: nil in the first place if there is no such function, in the second if it was never traced.
private func traced(_ module: Term, _ name: Term, _ arity: Int) -> Ref<Breakpoint>?? {
    withExportsLocked {
        if arity >= 0, arity <= 255, let export = Exports.find(module, name, arity), export.isNative {
            return .some(Breakpoints.find(native: export))
        }
        var result: Ref<Breakpoint>?? = nil
        Modules.forEachCurrent(module) { code in
            for index in 0..<code.functionCount {
                let function = code.functions + index
                guard function.pointee.name == name, Int(function.pointee.arity) == arity else { continue }
                result = .some(Breakpoints.find(function))
                return
            }
        }
        return result
    }
}
