// SignalBifs.swift: sending, links, monitors, aliases, exit signals, names.

import CMachine
import Terms

let signalBifs: [Bif] = [
    Bif("erlang", "!", 2, erlang_send_2),
    Bif("erlang", "send", 2, erlang_send_2),
    Bif("erlang", "send", 3, erlang_send_3),
    Bif("erlang", "link", 1, erlang_link_1),
    Bif("erlang", "unlink", 1, erlang_unlink_1),
    Bif("erlang", "monitor", 2, erlang_monitor_2),
    Bif("erlang", "monitor", 3, erlang_monitor_3),
    Bif("erlang", "demonitor", 1, erlang_demonitor_1),
    Bif("erlang", "demonitor", 2, erlang_demonitor_2),
    Bif("erlang", "alias", 1, erlang_alias_1),
    Bif("erlang", "unalias", 1, erlang_unalias_1),
    Bif("erlang", "exit", 2, erlang_exit_2),
    Bif("erlang", "exit_signal", 2, erlang_exit_signal_2),
    Bif("erlang", "register", 2, erlang_register_2),
    Bif("erlang", "unregister", 1, erlang_unregister_1),
    Bif("erlang", "whereis", 1, erlang_whereis_1),
    Bif("erlang", "registered", 0, erlang_registered_0),
    Bif("erlang", "is_process_alive", 1, erlang_is_process_alive_1),
    Bif("erts_internal", "is_process_alive", 2, erts_internal_is_process_alive_2),
    Bif("erlang", "group_leader", 0, erlang_group_leader_0),
    Bif("erts_internal", "group_leader", 2, erts_internal_group_leader_2),
    Bif("erts_internal", "group_leader", 3, erts_internal_group_leader_3),
    Bif("erts_internal", "suspend_process", 2, erts_internal_suspend_process_2),
    Bif("erlang", "resume_process", 1, erlang_resume_process_1),
]

func truth(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

/// Answers `result`, after the process's signals have been looked at: a signal to oneself takes effect before the call
/// returns. The slice ends, and the next one begins with the signals.
private func afterSignals(_ process: Ref<Process>, _ result: Term) -> Term {
    if process.state & ProcessState.signals != 0 { process.pointee.sliceReductions = 0 }
    return result
}

// MARK: - Sending

func erlang_send_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if _slowPath(process.isTraced) { Trace.sent(process, to: arguments[0], arguments[1]) }
    return switch sendMessage(from: process, to: arguments[0], arguments[1]) {
    case .sent, .noConnection: arguments[1]
    case .badDestination: process.badarg()
    }
}

/// Options: nosuspend, noconnect.
func erlang_send_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var noConnect = false
    var rest = arguments[2]
    while rest.isCons {
        switch rest.head {
        case Atoms.noconnect: noConnect = true
        case Atoms.nosuspend: break
        default: return process.raise(Atoms.badarg, cause: Atoms.badopt)
        }
        rest = rest.tail
    }
    guard rest.isNil else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    if process.isTraced { Trace.sent(process, to: arguments[0], arguments[1]) }
    switch sendMessage(from: process, to: arguments[0], arguments[1]) {
    case .sent: return Atoms.ok
    case .noConnection: return noConnect ? Atoms.noconnect : Atoms.ok
    case .badDestination: return process.badarg()
    }
}

// MARK: - Links

func erlang_link_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let other = arguments[0]
    if other.isLocalPid || other.isLocalPort {
        if process.isTraced { Trace.processEvent(process, Atoms.link, other) }
        if Links.link(process, other) { return Atoms.true }
        guard process.trapsExits else { return process.raise(Atoms.noproc) }
        sendExit(from: other, to: process.pointee.id, Atoms.noproc, on: process.pointee.scheduler)
        return afterSignals(process, Atoms.true)
    }
    guard other.isBoxed, other.isPid else { return process.badarg() }
    // No connection to the other node: the link breaks at once.
    sendExit(from: process.pointee.id, to: process.pointee.id, Atoms.noconnection, on: process.pointee.scheduler)
    return afterSignals(process, Atoms.true)
}

func erlang_unlink_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let other = arguments[0]
    if other.isLocalPid || other.isLocalPort {
        if process.isTraced { Trace.processEvent(process, Atoms.unlink, other) }
        Links.unlink(process, other)
        return Atoms.true
    }
    return other.isPid || other.isPort ? Atoms.true : process.badarg()
}

// MARK: - Monitors

func erlang_monitor_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    monitor(process, arguments[0], arguments[1], flags: 0, tag: nil)
}

func erlang_monitor_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let options = MonitorOptions(arguments[2]) else {
        return process.raise(Atoms.badarg, cause: Atoms.badopt)
    }
    return monitor(process, arguments[0], arguments[1], flags: options.flags, tag: options.tag)
}

private func monitor(_ process: Ref<Process>, _ kind: Term, _ object: Term, flags: UInt64, tag: Term?) -> Term {
    let isAlias = flags & MonitorFlags.alias != 0
    let scheduler = process.pointee.scheduler
    let numbers = isAlias ? References.makeAlias(scheduler, of: process.pointee.id) : References.make(scheduler)
    func made() -> Term { process.heap.reference(numbers) }
    if kind == Atoms.time_offset {
        guard object == Atoms.clock_service else { return process.badarg() }
        Monitors.addOrigin(
            process, numbers, target: .none, name: .none, flags: flags | MonitorFlags.timeOffset, tag: tag)
        return made()
    }
    guard kind == Atoms.process || kind == Atoms.port else { return process.raise(Atoms.badarg, cause: Atoms.badtype) }
    let isPort = kind == Atoms.port
    var target = object
    var name = Term.none
    if object.isTuple(2), object.element(0).isAtom, object.element(1).isAtom {
        guard object.element(1) == Nodes.local.pointee.name else {
            guard !isPort, Nodes.local.pointee.name != Atoms.nonode_nohost else { return process.badarg() }
            return notConnected(process, numbers, object, flags, tag, made())
        }
        name = object.element(0)
    } else if object.isAtom {
        name = object
    } else if object.isBoxed, isPort ? object.isPort : object.isPid {
        return notConnected(process, numbers, object, flags, tag, made())
    } else if isPort ? !object.isLocalPort : !object.isLocalPid {
        return process.badarg()
    }
    if !name.isNone {
        target = Registry.find(name)
        // A name of the other kind counts as none.
        if target.isNone || (isPort ? !target.isLocalPort : !target.isLocalPid) { target = Atoms.undefined }
    }
    if target == process.pointee.id {
        if isAlias {
            Monitors.addOrigin(process, numbers, target: .none, name: .none, flags: flags, tag: nil)
        }
        return made()
    }
    let kindFlag = isPort ? MonitorFlags.port : 0
    Monitors.addOrigin(process, numbers, target: target, name: name, flags: flags | kindFlag, tag: tag)
    Monitors.request(process, numbers, target: target, name: name)
    return made()
}

/// What cannot be reached is reported at once: `{Tag, Ref, process, Object, noconnection}`.
private func notConnected(
    _ process: Ref<Process>, _ numbers: (UInt64, UInt64), _ object: Term, _ flags: UInt64, _ tag: Term?, _ made: Term
) -> Term {
    if flags & MonitorFlags.explicitUnalias != 0 {
        Monitors.addOrigin(process, numbers, target: .none, name: .none, flags: flags, tag: nil)
    }
    sendBuilt(to: process.pointee.id, from: process.pointee.id, on: process.pointee.scheduler) { heap in
        let (term, elements) = heap.makeTuple(5)
        elements[0] = (tag.map { copyTerm($0, to: heap) } ?? Atoms.DOWN).raw
        elements[1] = copyTerm(made, to: heap).raw
        elements[2] = (object.isPort ? Atoms.port : Atoms.process).raw
        elements[3] = copyTerm(object, to: heap).raw
        elements[4] = Atoms.noconnection.raw
        return term
    }
    return made
}

func erlang_demonitor_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isReference else { return process.badarg() }
    _ = Monitors.demonitor(process, arguments[0].referenceNumbers)
    return Atoms.true
}

/// Options: flush, info.
func erlang_demonitor_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var info = false
    var flush = false
    var rest = arguments[1]
    while rest.isCons {
        switch rest.head {
        case Atoms.info: info = true
        case Atoms.flush: flush = true
        default: return process.badarg()
        }
        rest = rest.tail
    }
    guard rest.isNil, arguments[0].isReference else { return process.badarg() }
    let found = Monitors.demonitor(process, arguments[0].referenceNumbers)
    let result = truth(!info || found)
    guard flush, !found else { return result }
    let export = Exports.findOrMake(Atoms.erts_internal, Atoms.flush_monitor_messages, 3)
    return process.trap(to: export, arguments[0], Atoms.false, result)
}

// MARK: - Aliases

/// Options: explicit_unalias (the default), reply.
func erlang_alias_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var flags = MonitorFlags.alias | MonitorFlags.explicitUnalias
    var rest = arguments[0]
    while rest.isCons {
        switch rest.head {
        case Atoms.explicit_unalias: flags = MonitorFlags.alias | MonitorFlags.explicitUnalias
        case Atoms.reply: flags = MonitorFlags.alias | MonitorFlags.replyAlias
        default: return process.badarg()
        }
        rest = rest.tail
    }
    guard rest.isNil else { return process.badarg() }
    let numbers = References.makeAlias(process.pointee.scheduler, of: process.pointee.id)
    Monitors.addOrigin(process, numbers, target: .none, name: .none, flags: flags, tag: nil)
    return process.heap.reference(numbers)
}

func erlang_unalias_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isReference else { return process.badarg() }
    return truth(Monitors.unalias(process, arguments[0].referenceNumbers))
}

// MARK: - Exit signals

func erlang_exit_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    exitSignal(process, arguments, endsSelf: true)
}

/// exit/2 to oneself ends the process before it returns, even with reason normal; exit_signal/2 is a signal like others.
private func exitSignal(_ process: Ref<Process>, _ arguments: Arguments, endsSelf: Bool) -> Term {
    let target = arguments[0]
    if target.isLocalPid {
        let ends = endsSelf && target == process.pointee.id && (arguments[1] == Atoms.kill || !process.trapsExits)
        sendExit(from: process.pointee.id, to: target, arguments[1], isOwnEnd: ends, on: process.pointee.scheduler)
        return ends ? afterSignals(process, Atoms.true) : Atoms.true
    }
    if target.isLocalPort {
        _ = PortHooks.exit?(target, process.pointee.id, arguments[1], false)
        return afterSignals(process, Atoms.true)
    }
    return target.isPid || target.isPort ? Atoms.true : process.badarg()
}

func erlang_exit_signal_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    exitSignal(process, arguments, endsSelf: false)
}

// MARK: - Names

func erlang_register_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let name = arguments[0]
    guard name.isAtom, name != Atoms.undefined, arguments[1].isLocalPid || arguments[1].isLocalPort else {
        return process.badarg()
    }
    switch Registry.register(name, arguments[1]) {
    case .registered:
        if let owner = tracedOwner(arguments[1]) { Trace.processEvent(owner, Atoms.register, name) }
        return Atoms.true
    case .taken: return process.badarg()
    case .hasName: return process.raise(Atoms.badarg, cause: Atoms.registered_name)
    case .ended: return process.raise(Atoms.badarg, cause: Atoms.notalive)
    }
}

/// The process with this pid if it is traced.
private func tracedOwner(_ pid: Term) -> Ref<Process>? {
    guard pid.isLocalPid, let owner = ProcessTable.find(pid), owner.isTraced else { return nil }
    return owner
}

func erlang_unregister_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    let owner = tracedOwner(Registry.find(arguments[0]))
    guard Registry.unregister(arguments[0]) else { return process.badarg() }
    if let owner { Trace.processEvent(owner, Atoms.unregister, arguments[0]) }
    return Atoms.true
}

func erlang_whereis_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    let owner = Registry.find(arguments[0])
    return owner.isNone ? Atoms.undefined : owner
}

func erlang_registered_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.list(Registry.registered)
}

// MARK: - Questions to processes

/// A process that runs or has signals is asked by a signal, so that an exit signal sent before has its effect.
func erlang_is_process_alive_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let pid = arguments[0]
    guard pid.isLocalPid else { return process.badarg() }
    if pid == process.pointee.id { return Atoms.true }
    guard let other = ProcessTable.find(pid) else { return Atoms.false }
    let state = other.state
    if state & (ProcessState.signals | ProcessState.running | ProcessState.exiting) == 0 {
        return truth(other.pointee.id == pid)
    }
    return process.trap(to: Exports.findOrMake(Atoms.erts_internal, Atoms.is_process_alive, 1), pid)
}

func erts_internal_is_process_alive_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid, arguments[1].isReference else { return process.badarg() }
    let numbers = arguments[1].referenceNumbers
    let signal = newSignal(SignalKind.isAlive, from: process.pointee.id, numbers: numbers)
    if !deliver(signal, to: arguments[0], from: process.pointee.scheduler) {
        reply(numbers, to: process.pointee.id, from: process, Atoms.false)
    }
    return Atoms.ok
}

func erlang_group_leader_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { process.pointee.groupLeader }

/// True or badarg when done at once, false when the other process must be asked.
func erts_internal_group_leader_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isPid else { return Atoms.badarg }
    if arguments[1] == process.pointee.id {
        process.pointee.groupLeader = arguments[0]
        return Atoms.true
    }
    guard arguments[1].isLocalPid else { return arguments[1].isPid ? Atoms.true : Atoms.badarg }
    return ProcessTable.find(arguments[1]) == nil ? Atoms.badarg : Atoms.false
}

func erts_internal_group_leader_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isPid, arguments[1].isLocalPid, arguments[2].isReference else { return process.badarg() }
    let numbers = arguments[2].referenceNumbers
    let signal = newSignal(SignalKind.groupLeader, from: process.pointee.id, numbers: numbers)
    signal.carry(arguments[0])
    if !deliver(signal, to: arguments[1], from: process.pointee.scheduler) {
        reply(numbers, to: process.pointee.id, from: process, Atoms.badarg)
    }
    return Atoms.ok
}

// MARK: - Suspending

/// Options: unless_suspending, asynchronous, {asynchronous, Tag}. Answers a boolean, a reference to wait for, badarg or
/// badopt.
func erts_internal_suspend_process_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let pid = arguments[0]
    guard pid.isLocalPid, pid != process.pointee.id else { return Atoms.badarg }
    var unlessSuspending = false
    var asynchronous = false
    var tag = Term.none
    var rest = arguments[1]
    while rest.isCons {
        let option = rest.head
        if option == Atoms.unless_suspending {
            unlessSuspending = true
        } else if option == Atoms.asynchronous {
            asynchronous = true
        } else if option.isTuple(2), option.element(0) == Atoms.asynchronous {
            asynchronous = true
            tag = option.element(1)
        } else {
            return Atoms.badopt
        }
        rest = rest.tail
    }
    guard rest.isNil else { return Atoms.badopt }
    if unlessSuspending, Suspending.count(process, pid) > 0 { return Atoms.false }
    let numbers = asynchronous ? (0, 0) : References.make(process.pointee.scheduler)
    let signal = newSignal(SignalKind.suspend, from: process.pointee.id, numbers: numbers)
    // The process counts its suspenders, not how often each of them suspends it.
    signal.pointee.flags = Suspending.count(process, pid) > 0 ? Suspending.again : 0
    if !tag.isNone { signal.carry(tag) }
    let exists = deliver(signal, to: pid, from: process.pointee.scheduler)
    if exists {
        Suspending.note(process, pid)
    } else {
        guard asynchronous else { return Atoms.badarg }
        if !tag.isNone {
            sendBuilt(to: process.pointee.id, from: pid, on: process.pointee.scheduler) {
                $0.tuple(copyTerm(tag, to: $0), Atoms.badarg)
            }
        }
    }
    return asynchronous ? Atoms.true : process.heap.reference(numbers)
}

func erlang_resume_process_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isLocalPid, Suspending.resume(process, arguments[0]) else { return process.badarg() }
    return Atoms.true
}
