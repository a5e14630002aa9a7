// ProcessInfoBifs.swift: what a process asks about itself and others, its flags, its dictionary, its collections.

import CMachine
import Terms

let processInfoBifs: [Bif] = [
    Bif("erlang", "self", 0, erlang_self_0),
    Bif("erlang", "make_ref", 0, erlang_make_ref_0),
    Bif("erlang", "processes", 0, erlang_processes_0),
    Bif("erlang", "process_info", 1, erlang_process_info_1),
    Bif("erlang", "process_info", 2, erlang_process_info_2),
    Bif("erlang", "process_flag", 2, erlang_process_flag_2),
    Bif("erts_internal", "process_flag", 3, erts_internal_process_flag_3),
    Bif("erlang", "put", 2, erlang_put_2),
    Bif("erlang", "get", 0, erlang_get_0),
    Bif("erlang", "get", 1, erlang_get_1),
    Bif("erlang", "get_keys", 0, erlang_get_keys_0),
    Bif("erlang", "get_keys", 1, erlang_get_keys_1),
    Bif("erlang", "erase", 0, erlang_erase_0),
    Bif("erlang", "erase", 1, erlang_erase_1),
    Bif("erlang", "bump_reductions", 1, erlang_bump_reductions_1),
    Bif("erts_internal", "garbage_collect", 1, erts_internal_garbage_collect_1),
    Bif("erts_internal", "request_system_task", 3, erts_internal_request_system_task_3),
    Bif("erts_internal", "request_system_task", 4, erts_internal_request_system_task_4),
    Bif("erts_internal", "is_system_process", 1, erts_internal_is_system_process_1),
    Bif("erts_internal", "is_process_executing_dirty", 1, erts_internal_is_process_executing_dirty_1),
    Bif("erts_internal", "dirty_process_handle_signals", 1, erts_internal_dirty_process_handle_signals_1),
    Bif("erlang", "dt_get_tag", 0, erlang_dt_get_tag_0),
    Bif("erlang", "dt_get_tag_data", 0, erlang_dt_get_tag_0),
    Bif("erlang", "dt_put_tag", 1, erlang_dt_get_tag_0),
    Bif("erlang", "dt_restore_tag", 1, erlang_dt_restore_tag_1),
    Bif("erlang", "dt_spread_tag", 1, erlang_dt_restore_tag_1),
    Bif("erlang", "dt_append_vm_tag_data", 1, erlang_dt_append_vm_tag_data_1),
    Bif("erlang", "dt_prepend_vm_tag_data", 1, erlang_dt_append_vm_tag_data_1),
]

func erlang_self_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { process.pointee.id }

func erlang_make_ref_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { process.makeReference() }

func erlang_processes_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var pids: [Term] = []
    ProcessTable.forEach { pid, _ in pids.append(pid) }
    pids.sort { $0.raw < $1.raw }
    return process.heap.list(pids)
}

// MARK: - process_info

func erlang_process_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid else { return process.badarg() }
    return ask(process, arguments[0], Atoms.all)
}

func erlang_process_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid else { return process.badarg() }
    var rest = arguments[1]
    if !rest.isList {
        guard ProcessInfo.isItem(rest) else { return process.badarg() }
    } else {
        while rest.isCons {
            guard ProcessInfo.isItem(rest.head) else { return process.badarg() }
            rest = rest.tail
        }
        guard rest.isNil else { return process.badarg() }
    }
    return ask(process, arguments[0], arguments[1])
}

/// Answers at once for the process itself; another one is asked by a signal, and the answer awaited.
private func ask(_ process: Ref<Process>, _ pid: Term, _ request: Term) -> Term {
    if pid == process.pointee.id {
        // What was sent to the process before counts: the slice ends, and the next one begins with the signals.
        if process.state & ProcessState.signals != 0 {
            process.pointee.sliceReductions = 0
            let isOne = request == Atoms.all
            let export = Exports.findOrMake(Atoms.erlang, Atoms.process_info, isOne ? 1 : 2)
            return isOne ? process.trap(to: export, pid) : process.trap(to: export, pid, request)
        }
        return InfoBuilder(process: process, heap: process.heap, isOwn: true).answer(request)
    }
    let numbers = References.make(process.pointee.scheduler)
    let signal = newSignal(SignalKind.processInfo, from: process.pointee.id, numbers: numbers)
    signal.carry(request)
    guard deliver(signal, to: pid, from: process.pointee.scheduler) else { return Atoms.undefined }
    let export = Exports.findOrMake(Atoms.erts_internal, Atoms.await_result, 1)
    return process.trap(to: export, process.heap.reference(numbers))
}

// MARK: - process_flag

func erlang_process_flag_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let value = arguments[1]
    switch arguments[0] {
    case Atoms.trap_exit: return setFlag(process, ProcessFlags.trapExit, value)
    case Atoms.sensitive: return setFlag(process, ProcessFlags.sensitive, value)
    case Atoms.error_handler:
        guard value.isAtom else { return process.badarg() }
        let old = errorHandler(process)
        ProcessExtra.of(process).pointee.errorHandler = value
        return old
    case Atoms.priority:
        guard let priority = ProcessPriority.of(value) else { return process.badarg() }
        let old = process.pointee.priority
        process.pointee.priority = priority
        return ProcessPriority.atom(old)
    case Atoms.max_heap_size:
        guard let limit = HeapLimit(value), limit.words == 0 || limit.words >= Int(process.pointee.minHeapWords)
        else { return process.badarg() }
        let old = maxHeapMap(
            process.heap, size: Int(process.pointee.maxHeapWords), flags: process.pointee.flags)
        process.pointee.maxHeapWords = UInt64(limit.words)
        let bits = ProcessFlags.killOnHeapLimit | ProcessFlags.reportHeapLimit
        process.pointee.flags = process.pointee.flags & ~bits | limit.flags & bits
        return old
    case Atoms.message_queue_data:
        guard value == Atoms.on_heap || value == Atoms.off_heap else { return process.badarg() }
        let old = process.pointee.queueData
        process.pointee.queueData = value == Atoms.off_heap ? 1 : 0
        return old == 1 ? Atoms.off_heap : Atoms.on_heap
    case Atoms.monitor_nodes: return monitorNodes(process, value, .nil)
    default:
        if arguments[0].isTuple(2), arguments[0].element(0) == Atoms.monitor_nodes {
            return monitorNodes(process, value, arguments[0].element(1))
        }
        return setNumber(process, arguments[0], value)
    }
}

/// Subscribes to nodes that come and go; `options` is [] or a map. No node ever does, so only the count is kept, for each
/// set of options. Answers how often the process was subscribed before.
private func monitorNodes(_ process: Ref<Process>, _ on: Term, _ options: Term) -> Term {
    guard on == Atoms.true || on == Atoms.false, let bits = nodeMonitorBits(options) else { return process.badarg() }
    let key = IdKey(UInt64(bits) + 1, 0)
    let old = Int(IdTable.find(process.pointee.extra.flatMap { _ in ProcessExtra.of(process).pointee.nodeMonitors }, key)?.pointee.a ?? 0)
    if on == Atoms.true {
        IdTable.insert(&ProcessExtra.of(process).pointee.nodeMonitors, key).pointee.a += 1
    } else if old > 0, let entry = IdTable.find(ProcessExtra.of(process).pointee.nodeMonitors, key) {
        IdTable.remove(&ProcessExtra.of(process).pointee.nodeMonitors, entry)
    }
    return .small(old)
}

/// The options as bits; nil: some are wrong.
private func nodeMonitorBits(_ options: Term) -> Int? {
    if options.isNil { return 0 }
    guard options.isMap else { return nil }
    var bits = 1
    var iterator = MapIterator(options)
    while let (key, value) = iterator.next() {
        switch (key, value) {
        case (Atoms.list, Atoms.true): bits &= ~1
        case (Atoms.connection_id, Atoms.true): bits |= 2
        case (Atoms.nodedown_reason, Atoms.true): bits |= 4
        case (Atoms.node_type, Atoms.visible): bits |= 8
        case (Atoms.node_type, Atoms.hidden): bits |= 16
        case (Atoms.node_type, Atoms.all): bits |= 24
        case (Atoms.connection_id, Atoms.false), (Atoms.nodedown_reason, Atoms.false): break
        default: return nil
        }
    }
    return bits
}

private func setFlag(_ process: Ref<Process>, _ bit: UInt32, _ value: Term) -> Term {
    let old = process.pointee.flags & bit != 0
    if value == Atoms.true {
        process.pointee.flags |= bit
    } else if value == Atoms.false {
        process.pointee.flags &= ~bit
    } else {
        return process.badarg()
    }
    return truth(old)
}

private func setNumber(_ process: Ref<Process>, _ flag: Term, _ value: Term) -> Term {
    let known = [
        Atoms.min_heap_size, Atoms.min_bin_vheap_size, Atoms.fullsweep_after, Atoms.save_calls, Atoms.scheduler,
    ]
    guard known.contains(flag) else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    guard value.isSmall, value.smallValue >= 0 else { return process.badarg() }
    let number = value.smallValue
    let old: Int
    switch flag {
    case Atoms.min_heap_size:
        old = Int(process.pointee.minHeapWords)
        process.pointee.minHeapWords = UInt32(clamping: HeapSizes.fitting(max(number, HeapSizes.minimum)))
    case Atoms.min_bin_vheap_size:
        old = Int(process.pointee.minBinaryWords)
        process.pointee.minBinaryWords = UInt32(clamping: number <= 46_422 ? 46_422 : HeapSizes.fitting(number))
    case Atoms.fullsweep_after:
        old = Int(process.pointee.fullSweepAfter)
        process.pointee.fullSweepAfter = UInt32(number & 0xFFFF)
    case Atoms.save_calls:
        guard number <= 10_000 else { return process.badarg() }
        old = SavedCalls.set(process, number)
    case Atoms.scheduler:
        // A hint: the process still runs wherever there is room.
        guard number <= Schedulers.count else { return process.badarg() }
        old = ProcessExtra.find(process)?.pointee.boundTo ?? 0
        ProcessExtra.of(process).pointee.boundTo = number
    default: return process.badarg()
    }
    return .small(old)
}

/// process_flag/3 knows only save_calls. Another process sets it itself and answers.
func erts_internal_process_flag_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let request = process.heap.tuple(arguments[1], arguments[2])
    if arguments[0] == process.pointee.id { return setSavedCalls(process, request) }
    guard arguments[0].isLocalPid else { return Atoms.badtype }
    let numbers = References.make(process.pointee.scheduler)
    let signal = newSignal(SignalKind.processFlag, from: process.pointee.id, numbers: numbers)
    signal.carry(request)
    guard deliver(signal, to: arguments[0], from: process.pointee.scheduler) else { return Atoms.badtype }
    return process.heap.reference(numbers)
}

/// `{save_calls, N}`: the old number, or badarg.
func setSavedCalls(_ process: Ref<Process>, _ request: Term) -> Term {
    let value = request.element(1)
    guard request.element(0) == Atoms.save_calls, value.isSmall, (0...10_000).contains(value.smallValue) else {
        return Atoms.badarg
    }
    return .small(SavedCalls.set(process, value.smallValue))
}

// MARK: - The dictionary

func erlang_put_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    Dictionary.put(process, arguments[0], arguments[1])
}

func erlang_get_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Dictionary.get(process, arguments[0]) }

func erlang_erase_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    Dictionary.erase(process, arguments[0])
}

func erlang_get_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let heap = process.heap
    var list = Term.nil
    Dictionary.forEach(process) { list = heap.cons(heap.tuple($0, $1), list) }
    return list
}

func erlang_erase_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let all = erlang_get_0(process, arguments)
    Dictionary.free(process)
    return all
}

func erlang_get_keys_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let heap = process.heap
    var list = Term.nil
    Dictionary.forEach(process) { key, _ in list = heap.cons(key, list) }
    return list
}

func erlang_get_keys_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let heap = process.heap
    let wanted = arguments[0]
    var list = Term.nil
    Dictionary.forEach(process) { key, value in if termsIdentical(value, wanted) { list = heap.cons(key, list) } }
    return list
}

// MARK: - Collections and system tasks

func erlang_bump_reductions_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isSmall, arguments[0].smallValue >= 0 else { return process.badarg() }
    process.bump(min(arguments[0].smallValue, Int(sliceLength)))
    return Atoms.true
}

/// No x register is live across a call, so the process may be collected right here.
func erts_internal_garbage_collect_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let mode = arguments[0]
    guard mode == Atoms.major || mode == Atoms.minor else { return process.badarg() }
    if process.isLongCollection(major: mode == Atoms.major), !stressCollection {
        process.requestCollection(need: 0, major: mode == Atoms.major)
        process.requestPark()
        return process.trap(to: collected)
    }
    if !process.collect(need: 0, x: nil, live: 0, major: mode == Atoms.major) { process.setState(ProcessState.signals) }
    if process.isExiting { process.pointee.sliceReductions = 0 }
    return Atoms.true
}

/// Where a process is after a dirty thread has collected it.
private nonisolated(unsafe) let collected: Ref<Export> = {
    let export = Exports.makePrivate(Atoms.erts_internal, Atoms.garbage_collect, 0)
    export.pointee.bif = { _, _ in Atoms.true }
    export.makeNative(handler: handlerSlots.callBif, flags: 0)
    return export
}()

func erts_internal_request_system_task_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    request(process, requester: process.pointee.id, arguments)
}

func erts_internal_request_system_task_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid else { return process.badarg() }
    return request(process, requester: arguments[0], arguments + 1)
}

/// `Pid, Priority, {Type, Id, Argument...}`
private func request(_ process: Ref<Process>, requester: Term, _ arguments: Arguments) -> Term {
    let task = arguments[2]
    guard arguments[0].isLocalPid, arguments[1].isAtom,
        arguments[1] == Atoms.inherit || ProcessPriority.of(arguments[1]) != nil, task.isTuple, task.tupleSize >= 3
    else { return process.badarg() }
    let kind = task.element(0)
    let argument = task.element(2)
    switch kind {
    case Atoms.garbage_collect:
        guard argument == Atoms.major || argument == Atoms.minor else { return process.badarg() }
    case Atoms.check_process_code:
        guard argument.isAtom else { return process.badarg() }
    default: return process.badarg()
    }
    let isDirty = (ProcessTable.find(arguments[0])?.state ?? 0) & ProcessState.dirty != 0
    if kind == Atoms.check_process_code, isDirty, task.tupleSize == 3 {
        DirtySignals.handOver(task, of: arguments[0], arguments[1], for: requester, from: process.pointee.scheduler)
        return Atoms.ok
    }
    SystemTasks.request(task, of: arguments[0], for: requester, on: process.pointee.scheduler)
    return Atoms.ok
}

func erts_internal_is_system_process_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid else { return process.badarg() }
    guard let other = ProcessTable.find(arguments[0]) else { return Atoms.false }
    return truth(other.state & ProcessState.system != 0)
}

func erts_internal_is_process_executing_dirty_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid else { return process.badarg() }
    return truth((ProcessTable.find(arguments[0])?.state ?? 0) & ProcessState.dirty != 0)
}

/// For the processes that handle the signals of dirty ones.
func erts_internal_dirty_process_handle_signals_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard DirtySignals.isHandler(process.pointee.id) else { return process.notsup() }
    guard arguments[0].isLocalPid else { return process.badarg() }
    return DirtySignals.attend(arguments[0]) { handleSignals($0) } ? Atoms.ok : Atoms.normal
}

// MARK: - Dynamic trace tags: there is no dynamic tracing, so a tag is never kept

func erlang_dt_get_tag_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Atoms.undefined }
func erlang_dt_restore_tag_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Atoms.true }
func erlang_dt_append_vm_tag_data_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { arguments[0] }
