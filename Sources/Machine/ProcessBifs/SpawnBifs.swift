// SpawnBifs.swift: spawn/3, spawn_link/3, spawn_opt/4 and spawn_request. The other members of the family are Erlang code
// on top of these.

import CMachine
import Terms

let spawnBifs: [Bif] = [
    Bif("erlang", "spawn", 3, erlang_spawn_3),
    Bif("erlang", "spawn_link", 3, erlang_spawn_link_3),
    Bif("erlang", "spawn_opt", 4, erlang_spawn_opt_4),
    Bif("erlang", "spawn_request_abandon", 1, erlang_spawn_request_abandon_1),
    Bif("erts_internal", "spawn_request", 4, erts_internal_spawn_request_4),
    Bif("erts_internal", "dist_spawn_request", 4, erts_internal_dist_spawn_request_4),
    Bif("erts_internal", "spawn_system_process", 3, erts_internal_spawn_system_process_3),
]

/// Length of a proper list, or nil.
func properLength(_ list: Term) -> Int? {
    var count = 0
    var rest = list
    while rest.isCons {
        count += 1
        rest = rest.tail
    }
    return rest.isNil ? count : nil
}

/// Spawns M:F(Args) given as three arguments; raises what is wrong with them.
private func spawn(_ process: Ref<Process>, _ arguments: Arguments, _ options: SpawnOptions) -> Term {
    guard arguments[0].isAtom, arguments[1].isAtom, let arity = properLength(arguments[2]) else {
        return process.badarg()
    }
    guard let spawned = spawnCall(process, arguments[0], arguments[1], arguments[2], arity, options) else {
        return process.systemLimit()
    }
    guard let monitor = spawned.monitor else { return spawned.pid }
    let heap = process.heap
    return heap.tuple(spawned.pid, heap.reference(monitor))
}

/// A call with more arguments than there can be fails in the new process, as apply/3 does.
private func spawnCall(
    _ process: Ref<Process>, _ module: Term, _ name: Term, _ list: Term, _ arity: Int, _ options: SpawnOptions
) -> Spawned? {
    if arity <= 255 { return spawnProcess(process, module, name, list, arity: arity, options) }
    let call = process.heap.list([module, name, list])
    guard let spawned = spawnProcess(process, Atoms.erlang, Atoms.apply, call, arity: 3, options) else { return nil }
    if let child = ProcessTable.find(spawned.pid) { child.setInitialCall(module, name, arity) }
    return spawned
}

func erlang_spawn_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    spawn(process, arguments, SpawnOptions())
}

func erlang_spawn_link_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var options = SpawnOptions()
    options.link = true
    return spawn(process, arguments, options)
}

func erts_internal_spawn_system_process_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var options = SpawnOptions()
    options.isSystem = true
    return spawn(process, arguments, options)
}

func erlang_spawn_opt_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom, arguments[1].isAtom, properLength(arguments[2]) != nil else { return process.badarg() }
    var request = SpawnRequest()
    guard request.parse(arguments[3], isRequest: false) == .good else {
        return process.raise(Atoms.badarg, cause: Atoms.badopt)
    }
    return spawn(process, arguments, request.options)
}

/// Options of spawn_opt, and those that only a request has.
private struct SpawnRequest {
    enum Outcome { case good, badOption, improper }

    var options = SpawnOptions()
    var tag = Atoms.spawn_reply
    var sendsSuccess = true
    var sendsError = true
    /// An option was given that makes OTP look at the sizes.
    private var setsOther = false

    mutating func parse(_ list: Term, isRequest: Bool) -> Outcome {
        guard properLength(list) != nil else { return .improper }
        var rest = list
        var outcome = Outcome.good
        // The options about the reply count even if others are wrong.
        while rest.isCons {
            if !parseOne(rest.head, isRequest: isRequest) { outcome = .badOption }
            rest = rest.tail
        }
        // As in OTP, min_bin_vheap_size alone changes nothing.
        if !setsOther { options.minBinaryWords = ProcessDefaults.minBinaryWords }
        return outcome
    }

    private mutating func parseOne(_ option: Term, isRequest: Bool) -> Bool {
        if option == Atoms.link {
            options.link = true
            return true
        }
        if option == Atoms.monitor {
            options.monitor = true
            return true
        }
        guard option.isTuple(2) else { return false }
        let value = option.element(1)
        switch option.element(0) {
        case Atoms.monitor: return parseMonitor(value)
        case Atoms.priority:
            guard let priority = ProcessPriority.of(value) else { return false }
            options.priority = priority
            setsOther = true
        case Atoms.message_queue_data:
            guard value == Atoms.on_heap || value == Atoms.off_heap else { return false }
            options.offHeapMessages = value == Atoms.off_heap
        case Atoms.max_heap_size:
            guard let limit = HeapLimit(value) else { return false }
            options.maxHeapWords = limit.words
            options.maxHeapFlags = limit.flags
            setsOther = true
        case Atoms.reply where isRequest: return parseReply(value)
        case Atoms.reply_tag where isRequest: tag = value
        default: return parseNumber(option.element(0), value)
        }
        return true
    }

    /// The options that concern this node; the rest is for the other one to check.
    mutating func parseRemote(_ option: Term, isRequest: Bool) -> Bool {
        if option == Atoms.monitor { options.monitor = true }
        guard option.isTuple(2) else { return true }
        let value = option.element(1)
        switch option.element(0) {
        case Atoms.monitor: return parseMonitor(value)
        case Atoms.reply: return isRequest && parseReply(value)
        case Atoms.reply_tag:
            tag = value
            return isRequest
        default: return true
        }
    }

    private mutating func parseNumber(_ name: Term, _ value: Term) -> Bool {
        guard value.isSmall, value.smallValue >= 0 else { return false }
        let number = value.smallValue
        setsOther = setsOther || name != Atoms.min_bin_vheap_size
        switch name {
        case Atoms.min_heap_size: options.minHeapWords = HeapSizes.fitting(max(number, HeapSizes.minimum))
        case Atoms.min_bin_vheap_size:
            options.minBinaryWords = number <= 46_422 ? 46_422 : HeapSizes.fitting(number)
        case Atoms.fullsweep_after: options.fullSweepAfter = number & 0xFFFF
        case Atoms.scheduler: return number <= Schedulers.count
        default: return false
        }
        return true
    }

    private mutating func parseMonitor(_ list: Term) -> Bool {
        guard let parsed = MonitorOptions(list) else { return false }
        options.monitor = true
        options.monitorFlags = parsed.flags
        options.monitorTag = parsed.tag
        return true
    }

    private mutating func parseReply(_ value: Term) -> Bool {
        switch value {
        case Atoms.yes: (sendsSuccess, sendsError) = (true, true)
        case Atoms.no: (sendsSuccess, sendsError) = (false, false)
        case Atoms.error_only: (sendsSuccess, sendsError) = (false, true)
        case Atoms.success_only: (sendsSuccess, sendsError) = (true, false)
        default: return false
        }
        return true
    }
}

/// The options of monitor/3 and {monitor, Options}.
struct MonitorOptions {
    var flags: UInt64 = 0
    var tag: Term? = nil

    init?(_ list: Term) {
        var rest = list
        while rest.isCons {
            let option = rest.head
            guard option.isTuple(2) else { return nil }
            switch option.element(0) {
            case Atoms.tag: tag = option.element(1)
            case Atoms.alias:
                guard let bits = aliasFlags(option.element(1)) else { return nil }
                flags = bits
            default: return nil
            }
            rest = rest.tail
        }
        guard rest.isNil else { return nil }
    }
}

private func aliasFlags(_ mode: Term) -> UInt64? {
    switch mode {
    case Atoms.explicit_unalias: MonitorFlags.alias | MonitorFlags.explicitUnalias
    case Atoms.demonitor: MonitorFlags.alias | MonitorFlags.demonitorAlias
    case Atoms.reply_demonitor: MonitorFlags.alias | MonitorFlags.replyAlias
    default: nil
    }
}

/// `max_heap_size`: a number of words, or #{size => N, kill => Boolean, error_logger => Boolean}.
struct HeapLimit {
    var words = 0
    var flags = ProcessDefaults.maxHeapFlags

    init?(_ value: Term) {
        if value.isSmall, value.smallValue >= 0 {
            words = value.smallValue
        } else if value.isMap {
            guard let size = mapGet(value, Atoms.size), size.isSmall, size.smallValue >= 0 else { return nil }
            words = size.smallValue
            guard set(mapGet(value, Atoms.kill), ProcessFlags.killOnHeapLimit),
                set(mapGet(value, Atoms.error_logger), ProcessFlags.reportHeapLimit)
            else { return nil }
        } else {
            return nil
        }
        if words != 0, words < ProcessDefaults.minHeapWords { return nil }
    }

    private mutating func set(_ value: Term?, _ bit: UInt32) -> Bool {
        guard let value else { return true }
        if value == Atoms.true { flags |= bit } else if value == Atoms.false { flags &= ~bit } else { return false }
        return true
    }
}

/// The process calls erts_internal:spawn_init({M,F,A}). Answers a reference, or an atom that tells what is wrong.
func erts_internal_spawn_request_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom, arguments[1].isAtom, let arity = properLength(arguments[2]) else { return Atoms.badarg }
    var request = SpawnRequest()
    let outcome = request.parse(arguments[3], isRequest: true)
    if outcome == .improper { return Atoms.badopt }
    let heap = process.heap
    let isAlias = outcome == .good && request.options.monitorFlags & MonitorFlags.alias != 0
    let scheduler = process.pointee.scheduler
    let numbers = isAlias ? References.makeAlias(scheduler, of: process.pointee.id) : References.make(scheduler)
    let reference = heap.reference(numbers)
    guard outcome == .good else {
        return answer(process, reference, request, error: Atoms.badopt)
    }
    request.options.monitorNumbers = numbers
    let list = heap.cons(heap.tuple(arguments[0], arguments[1], arguments[2]), .nil)
    guard
        let spawned = spawnProcess(process, Atoms.erts_internal, Atoms.spawn_init, list, arity: 1, request.options)
    else { return answer(process, reference, request, error: Atoms.system_limit) }
    if let child = ProcessTable.find(spawned.pid) { child.setInitialCall(arguments[0], arguments[1], arity) }
    return answer(process, reference, request, pid: spawned.pid)
}

extension UnsafeMutablePointer where Pointee == Process {
    /// What process_info tells as initial_call. The process may run already; it reads this only for such questions.
    fileprivate func setInitialCall(_ module: Term, _ name: Term, _ arity: Int) {
        pointee.initialModule = module
        pointee.initialName = name
        pointee.initialArity = UInt32(clamping: arity)
    }
}

/// `{Tag, Reference, ok | error, Pid | Reason}` into the own queue.
private func answer(
    _ process: Ref<Process>, _ reference: Term, _ request: SpawnRequest, pid: Term? = nil, error: Term = .nil
) -> Term {
    if pid != nil ? request.sendsSuccess : request.sendsError {
        sendBuilt(to: process.pointee.id, from: process.pointee.id, on: process.pointee.scheduler) { heap in
            heap.tuple(
                copyTerm(request.tag, to: heap), copyTerm(reference, to: heap), pid == nil ? Atoms.error : Atoms.ok,
                pid ?? error)
        }
    }
    return reference
}

/// `Node, {M,F,Args}, Options, spawn_request | spawn_opt`: no other node is connected, so the answer is an error message.
func erts_internal_dist_spawn_request_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let call = arguments[1]
    guard arguments[0].isAtom, arguments[0] != Nodes.local.pointee.name, call.isTuple(3), call.element(0).isAtom,
        call.element(1).isAtom, properLength(call.element(2)) != nil
    else { return Atoms.badarg }
    let isRequest = arguments[3] == Atoms.spawn_request
    var request = SpawnRequest()
    var rest = arguments[2]
    var isGood = true
    while rest.isCons, isGood {
        isGood = request.parseRemote(rest.head, isRequest: isRequest)
        rest = rest.tail
    }
    let heap = process.heap
    let reference = heap.reference(References.make(process.pointee.scheduler))
    if !isGood { return isRequest ? answer(process, reference, request, error: Atoms.badopt) : Atoms.badarg }
    guard rest.isNil else { return Atoms.badarg }
    _ = answer(process, reference, request, error: Atoms.noconnection)
    return isRequest ? reference : heap.tuple(reference, truth(request.options.monitor))
}

/// Requests to this node are done when they return: there is nothing to abandon.
func erlang_spawn_request_abandon_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isReference ? Atoms.false : process.badarg()
}
