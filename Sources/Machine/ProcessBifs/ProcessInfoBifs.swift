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
    case Atoms.monitor_nodes: return value == Atoms.true || value == Atoms.false ? .small(0) : process.badarg()
    default:
        if arguments[0].isTuple(2), arguments[0].element(0) == Atoms.monitor_nodes {
            return value == Atoms.true || value == Atoms.false ? .small(0) : process.badarg()
        }
        return setNumber(process, arguments[0], value)
    }
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
    guard value.isSmall, value.smallValue >= 0 else {
        return process.raise(Atoms.badarg, cause: flag.isAtom ? .none : Atoms.badtype)
    }
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
        old = ProcessExtra.find(process)?.pointee.saveCalls ?? 0
        ProcessExtra.of(process).pointee.saveCalls = number
    case Atoms.scheduler:
        // Processes are not bound to schedulers; the number is only checked.
        guard number <= Schedulers.count else { return process.badarg() }
        old = 0
    default: return process.raise(Atoms.badarg, cause: Atoms.badtype)
    }
    return .small(old)
}

/// process_flag/3 knows only save_calls.
func erts_internal_process_flag_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid, arguments[1] == Atoms.save_calls, arguments[2].isSmall else {
        return arguments[1] == Atoms.save_calls ? Atoms.badarg : Atoms.badtype
    }
    guard arguments[0] == process.pointee.id else {
        return ProcessTable.find(arguments[0]) == nil ? Atoms.badarg : .small(0)
    }
    return erlang_process_flag_2(process, arguments + 1)
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
    guard arguments[0].isInteger else { return process.badarg() }
    guard arguments[0].isSmall else {
        if arguments[0].bigIsNegative { return process.badarg() }
        process.bump(Int(sliceLength))
        return Atoms.true
    }
    guard arguments[0].smallValue >= 1 else { return process.badarg() }
    process.bump(min(arguments[0].smallValue, Int(sliceLength)))
    return Atoms.true
}

/// No x register is live across a call, so the process may be collected right here.
func erts_internal_garbage_collect_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let mode = arguments[0]
    guard mode == Atoms.major || mode == Atoms.minor else { return process.badarg() }
    if !process.collect(need: 0, x: nil, live: 0, major: mode == Atoms.major) { process.setState(ProcessState.signals) }
    if process.isExiting { process.pointee.sliceReductions = 0 }
    return Atoms.true
}

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
    return truth(ProcessTable.find(arguments[0])?.pointee.dirtyKind ?? 0 != 0)
}

/// Signals to a process on a dirty thread wait until it is back: `false`, nothing was done for it.
func erts_internal_dirty_process_handle_signals_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid else { return Atoms.false }
    return ProcessTable.find(arguments[0]) == nil ? Atoms.false : Atoms.normal
}

// MARK: - Dynamic trace tags: there is no dynamic tracing, so a tag is never kept

func erlang_dt_get_tag_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Atoms.undefined }
func erlang_dt_restore_tag_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Atoms.true }
func erlang_dt_append_vm_tag_data_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { arguments[0] }
