// SystemBifs.swift: statistics, system flags, nodes, and the end of the VM.

import CMachine
import Glibc
import Terms

let systemBifs: [Bif] = [
    Bif("erlang", "statistics", 1, erlang_statistics_1),
    Bif("erlang", "system_flag", 2, erlang_system_flag_2),
    Bif("erlang", "system_info", 1, erlang_system_info_1),
    Bif("erlang", "halt", 2, erlang_halt_2),
    Bif("erlang", "node", 0, erlang_node_0),
    Bif("erlang", "node", 1, erlang_node_1),
    Bif("erlang", "nodes", 0, erlang_nodes_0),
    Bif("erlang", "nodes", 1, erlang_nodes_1),
    Bif("erlang", "monitor_node", 2, erlang_monitor_node_2),
    Bif("erlang", "monitor_node", 3, erlang_monitor_node_3),
    Bif("erlang", "nif_error", 1, erlang_nif_error_1),
    Bif("erlang", "nif_error", 2, erlang_nif_error_2),
    Bif("erlang", "system_profile", 0, erlang_system_profile_0),
    Bif("erlang", "trace_delivered", 1, erlang_trace_delivered_1),
    Bif("erts_internal", "get_creation", 0, erts_internal_get_creation_0),
    Bif("erts_internal", "no_aux_work_threads", 0, erts_internal_no_aux_work_threads_0),
    Bif("erts_internal", "system_check", 1, erts_internal_system_check_1),
    Bif("erts_internal", "scheduler_wall_time", 1, erts_internal_scheduler_wall_time_1),
]

// MARK: - Statistics

/// What statistics/1 answered last, for the "since last call" numbers; atomic.
nonisolated(unsafe) private var lastReductions: UInt64 = 0
nonisolated(unsafe) private var lastRuntime: UInt64 = 0
nonisolated(unsafe) private var lastWallClock: UInt64 = 0

private func sinceLast(_ now: UInt64, _ last: UnsafeMutablePointer<UInt64>, _ heap: Ref<Heap>) -> Term {
    let before = vm_exchange(last, now)
    return heap.tuple(.small(Int(now)), .small(Int(now &- before)))
}

private func cpuMilliseconds() -> UInt64 {
    var usage = rusage()
    getrusage(0, &usage)  // RUSAGE_SELF
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    return UInt64(seconds) * 1000 + UInt64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000
}

func erlang_statistics_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let heap = process.heap
    switch arguments[0] {
    case Atoms.reductions, Atoms.exact_reductions:
        let slice = UInt64(max(sliceLength &- process.pointee.sliceReductions, 0))
        return sinceLast(Schedulers.reductions &+ slice, &lastReductions, heap)
    case Atoms.runtime: return sinceLast(cpuMilliseconds(), &lastRuntime, heap)
    case Atoms.wall_clock: return sinceLast(Clock.tick(), &lastWallClock, heap)
    case Atoms.context_switches: return heap.tuple(.small(Int(Schedulers.contextSwitches)), .small(0))
    case Atoms.garbage_collection:
        let (count, words) = Schedulers.collections
        return heap.tuple(.small(Int(count)), heap.integer(Int(words)), .small(0))
    case Atoms.microstate_accounting: return Microstates.list(heap)
    case Atoms.io:
        return heap.tuple(
            heap.tuple(Atoms.input, .small(Int(vm_load_relaxed(&ioCounters.input)))),
            heap.tuple(Atoms.output, .small(Int(vm_load_relaxed(&ioCounters.output)))))
    case Atoms.run_queue, Atoms.total_run_queue_lengths: return .small(queueLengths().reduce(0, +))
    case Atoms.total_run_queue_lengths_all: return .small(queueLengths().reduce(0, +) + Dirty.lengths().cpu + Dirty.lengths().io)
    case Atoms.run_queue_lengths: return heap.list(queueLengths().map { Term.small($0) } + [.small(Dirty.lengths().cpu)])
    case Atoms.run_queue_lengths_all:
        return heap.list(queueLengths().map { Term.small($0) } + [.small(Dirty.lengths().cpu), .small(Dirty.lengths().io)])
    case Atoms.active_tasks, Atoms.active_tasks_all:
        let tasks = activeTasks().map { Term.small($0) }
        return heap.list(arguments[0] == Atoms.active_tasks ? tasks + [.small(0)] : tasks + [.small(0), .small(0)])
    case Atoms.total_active_tasks, Atoms.total_active_tasks_all: return .small(activeTasks().reduce(0, +))
    case Atoms.scheduler_wall_time: return WallTime.list(heap, withIO: false)
    case Atoms.scheduler_wall_time_all: return WallTime.list(heap, withIO: true)
    default: return process.badarg()
    }
}

/// Bytes that ports read and wrote; atomic, counted by ports.
public struct IOCounters: Sendable {
    public var input: UInt64 = 0
    public var output: UInt64 = 0
}
nonisolated(unsafe) public var ioCounters = IOCounters()

private func queueLengths() -> [Int] {
    (0..<Schedulers.count).map { Int(Schedulers.at($0).queue.length) }
}

/// Waiting and running processes of each scheduler.
private func activeTasks() -> [Int] {
    (0..<Schedulers.count).map { index in
        let scheduler = Schedulers.at(index)
        return Int(scheduler.queue.length) + (vm_load_acquire32(&scheduler.pointee.sleeping) == 0 ? 1 : 0)
    }
}

// MARK: - System flags

func erlang_system_flag_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let value = arguments[1]
    let heap = process.heap
    switch arguments[0] {
    case Atoms.max_heap_size:
        guard let limit = HeapLimit(value) else { return process.badarg() }
        let old = maxHeapMap(heap, size: ProcessDefaults.maxHeapWords, flags: ProcessDefaults.maxHeapFlags)
        ProcessDefaults.maxHeapWords = limit.words
        ProcessDefaults.maxHeapFlags = limit.flags
        return old
    case Atoms.multi_scheduling:
        return multiScheduling(process, value)
    case Atoms.scheduler_wall_time:
        guard value == Atoms.true || value == Atoms.false else { return process.badarg() }
        return WallTime.turn(on: value == Atoms.true) ? Atoms.true : Atoms.false
    case Atoms.microstate_accounting:
        guard value == Atoms.true || value == Atoms.false || value == Atoms.reset else { return process.badarg() }
        let wasOn = value == Atoms.reset ? Microstates.reset() : Microstates.turn(on: value == Atoms.true)
        return wasOn ? Atoms.true : Atoms.false
    case Atoms.time_offset: return value == Atoms.finalize ? Atoms.final : process.badarg()
    case Atoms.sequential_tracer: return setSequentialTracer(process, value)
    case Atoms.system_logger:
        guard value.isLocalPid || value == Atoms.undefined || value == Atoms.logger else { return process.badarg() }
        return Term(raw: vm_exchange(&systemLogger, value.raw))
    case Atoms.sequential_tracer: return value == Atoms.false ? Atoms.false : process.badarg()
    case Atoms.reset_seq_trace: return value == Atoms.true ? Atoms.true : process.badarg()
    case Atoms.scheduler_bind_type: return value == Atoms.unbound ? Atoms.unbound : process.badarg()
    case Atoms.backtrace_depth, Atoms.fullsweep_after, Atoms.min_heap_size, Atoms.min_bin_vheap_size,
        Atoms.schedulers_online, Atoms.dirty_cpu_schedulers_online:
        break
    default: return process.raise(Atoms.badarg, cause: Atoms.badopt)
    }
    guard value.isSmall, value.smallValue >= 0 else { return process.badarg() }
    let number = value.smallValue
    switch arguments[0] {
    case Atoms.backtrace_depth:
        let old = vm_exchange(&backtraceDepth, UInt64(min(number, 1024)))
        return .small(Int(old))
    case Atoms.trace_control_word:
        guard number <= UInt32.max else { return process.badarg() }
        return .small(Int(vm_exchange(&traceControlWord, UInt64(number))))
    case Atoms.outstanding_system_requests_limit:
        guard number >= 1, number <= 134_217_727 else { return process.badarg() }
        return .small(Int(vm_exchange(&outstandingRequestsLimit, UInt64(number))))
    case Atoms.fullsweep_after: return swap(&ProcessDefaults.fullSweepAfter, min(number, 0xFFFF))
    case Atoms.min_heap_size:
        return swap(&ProcessDefaults.minHeapWords, HeapSizes.fitting(max(number, HeapSizes.minimum)))
    case Atoms.min_bin_vheap_size:
        return swap(&ProcessDefaults.minBinaryWords, number <= 46_422 ? 46_422 : HeapSizes.fitting(number))
    case Atoms.schedulers_online:
        guard number >= 1, number <= Schedulers.count else { return process.badarg() }
        return whenSettled(process, .small(Online.setSchedulers(number)))
    case Atoms.dirty_cpu_schedulers_online:
        guard number >= 1, number <= Schedulers.dirtyCPUCount, let old = Online.setDirtySchedulers(number) else {
            return process.badarg()
        }
        return .small(old)
    default: return process.badarg()
    }
}

private func multiScheduling(_ process: Ref<Process>, _ value: Term) -> Term {
    let pid = process.pointee.id
    switch value {
    case Atoms.block: Online.block(pid, all: true)
    case Atoms.block_normal: Online.block(pid, all: false)
    case Atoms.unblock: Online.unblock(pid, all: true)
    case Atoms.unblock_normal: Online.unblock(pid, all: false)
    default: return process.badarg()
    }
    return whenSettled(process, Online.multiScheduling)
}

/// Answers `result` once the schedulers that are not to run any more have stopped.
private func whenSettled(_ process: Ref<Process>, _ result: Term) -> Term {
    if Online.isSettled { return result }
    process.pointee.sliceReductions = 0
    return process.trap(to: settling, result)
}

private nonisolated(unsafe) let settling: Ref<Export> = {
    let export = Exports.makePrivate(Atoms.erlang, Atoms.system_flag, 1)
    export.pointee.bif = { process, arguments in whenSettled(process, arguments[0]) }
    export.makeNative(handler: handlerSlots.callBif, flags: 0)
    return export
}()

/// What match specifications see as get_tcw. Atomic.
nonisolated(unsafe) public var traceControlWord: UInt64 = 0
/// Atomic.
nonisolated(unsafe) public var outstandingRequestsLimit: UInt64 = 4

private func swap(_ field: inout Int, _ value: Int) -> Term {
    let old = field
    field = value
    return .small(old)
}

// MARK: - Nodes

func erlang_node_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Nodes.local.pointee.name }

func erlang_node_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let term = arguments[0]
    guard term.isPid || term.isPort || term.isReference else { return process.badarg() }
    guard term.isBoxed, [Subtag.externalPid, Subtag.externalPort, Subtag.externalReference].contains(term.subtag) else {
        return Nodes.local.pointee.name
    }
    return term.externalNode.pointee.name
}

/// This node is connected to none.
func erlang_nodes_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { .nil }

func erlang_nodes_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var kinds: [Term] = []
    var rest = arguments[0]
    if rest.isAtom { kinds = [rest] }
    while rest.isCons {
        kinds.append(rest.head)
        rest = rest.tail
    }
    guard rest.isNil || rest.isAtom else { return process.badarg() }
    var isThis = false
    for kind in kinds {
        switch kind {
        case Atoms.this, Atoms.known: isThis = true
        case Atoms.visible, Atoms.hidden, Atoms.connected: break
        default: return process.badarg()
        }
    }
    return isThis ? process.heap.cons(Nodes.local.pointee.name, .nil) : .nil
}

func erlang_monitor_node_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    monitorNode(process, arguments[0], arguments[1])
}

func erlang_monitor_node_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var rest = arguments[2]
    while rest.isCons, rest.head == Atoms.allow_passive_connect { rest = rest.tail }
    guard rest.isNil else { return process.badarg() }
    return monitorNode(process, arguments[0], arguments[1])
}

/// There is no distribution: another node is down at once.
private func monitorNode(_ process: Ref<Process>, _ node: Term, _ flag: Term) -> Term {
    guard node.isAtom, flag == Atoms.true || flag == Atoms.false else { return process.badarg() }
    guard Nodes.local.pointee.name != Atoms.nonode_nohost else { return process.raise(Atoms.notalive) }
    if flag == Atoms.true, node != Nodes.local.pointee.name {
        sendBuilt(to: process.pointee.id, on: process.pointee.scheduler) { $0.tuple(Atoms.nodedown, node) }
    }
    return Atoms.true
}

func erts_internal_get_creation_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    .small(Int(Nodes.local.pointee.creation))
}

// MARK: - The rest

func erlang_nif_error_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { process.raise(arguments[0]) }

func erlang_nif_error_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isList else { return process.badarg() }
    _ = process.raise(arguments[0])
    process.pointee.exceptionArguments = arguments[1]
    return .none
}

/// Nothing is profiled.
func erlang_system_profile_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Atoms.undefined }

/// `{trace_delivered, Pid, Ref}` comes at once.
func erlang_trace_delivered_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let subject = arguments[0]
    guard subject.isLocalPid || subject == Atoms.all else { return process.badarg() }
    let numbers = References.make(process.pointee.scheduler)
    sendBuilt(to: process.pointee.id, on: process.pointee.scheduler) {
        $0.tuple(Atoms.trace_delivered, subject, $0.reference(numbers))
    }
    return process.heap.reference(numbers)
}

func erts_internal_no_aux_work_threads_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    .small(Schedulers.count + 1)
}

/// `schedulers`: every scheduler reports with the reference.
func erts_internal_system_check_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0] == Atoms.schedulers else { return process.badarg() }
    let numbers = References.make(process.pointee.scheduler)
    for _ in 0..<Schedulers.count {
        sendBuilt(to: process.pointee.id, on: process.pointee.scheduler) { $0.reference(numbers) }
    }
    return process.heap.reference(numbers)
}

/// Wall time is not measured: every scheduler answers `undefined`.
func erts_internal_scheduler_wall_time_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0] == Atoms.true || arguments[0] == Atoms.false else { return process.badarg() }
    let numbers = References.make(process.pointee.scheduler)
    for _ in 0..<Schedulers.count {
        sendBuilt(to: process.pointee.id, on: process.pointee.scheduler) { $0.reference(numbers) }
    }
    return process.heap.reference(numbers)
}

/// `halt(Status | abort | Slogan, [{flush, Boolean}])`
func erlang_halt_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var flush = true
    var rest = arguments[1]
    while rest.isCons {
        let option = rest.head
        guard option.isTuple(2), option.element(0) == Atoms.flush,
            option.element(1) == Atoms.true || option.element(1) == Atoms.false
        else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
        flush = option.element(1) == Atoms.true
        rest = rest.tail
    }
    guard rest.isNil else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    let status = arguments[0]
    if status == Atoms.abort {
        DumpHooks.restoreTerminal?()
        abort()
    }
    if status.isSmall, status.smallValue >= 0 {
        if flush { ExitHooks.flushPorts?() }
        DumpHooks.restoreTerminal?()
        // Not exit: other threads still run code whose data exit would tear down.
        _exit(Int32(truncatingIfNeeded: status.smallValue & 0xFF))
    }
    guard status.isList, let slogan = sloganText(status) else { return process.badarg() }
    CrashDump.exit(slogan, caller: process)
}

/// Up to 1023 characters of a string.
private func sloganText(_ list: Term) -> String? {
    var text = ""
    var rest = list
    var count = 0
    while rest.isCons {
        guard rest.head.isSmall, let value = UInt32(exactly: rest.head.smallValue), let scalar = Unicode.Scalar(value)
        else { return nil }
        if count < 1023 { text.unicodeScalars.append(scalar) }
        count += 1
        rest = rest.tail
    }
    return rest.isNil ? text : nil
}
