// PortBifs.swift: native functions on ports. The erts_internal ones answer an atom that the Erlang code around them
// turns into an exception (`badarg`, `badopt`, ...), so they never raise.

import CMachine
import Glibc
import Machine
import Terms

/// The open port with this id or registered name. Its lock is not taken.
private func findPort(_ term: Term) -> Port? {
    PortTable.find(term.isAtom ? Registry.find(term) : term)
}

/// Calls `body` with the open port, locked; nil if there is none.
func withOpenPort(_ term: Term, _ body: (Port) -> Term) -> Term? {
    guard let port = findPort(term) else { return nil }
    return port.locked { port.state == .open ? body(port) : nil }
}

/// Runs a command on a port; false if the data is no I/O list. Requires: the port's lock.
func command(_ port: Port, _ data: Term) -> Bool {
    guard let bytes = iolistBytes(data) else { return false }
    defer { bytes.release() }
    port.outputBytes += bytes.count
    PortStatistics.count(output: bytes.count)
    return port.driver.output(bytes.buffer)
}

func erts_internal_port_command_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var (forces, noSuspend) = (false, false)
    var rest = arguments[2]
    while rest.isCons {
        switch rest.head {
        case Atoms.force: forces = true
        case Atoms.nosuspend: noSuspend = true
        default: return Atoms.badopt
        }
        rest = rest.tail
    }
    guard rest.isNil else { return Atoms.badopt }
    return withOpenPort(arguments[0]) { port in
        // Only socket drivers accept data while they are busy.
        if forces, !(port.driver is DatagramDriver) { return Atoms.notsup }
        if noSuspend, !forces, port.driver.queuedBytes >= port.options.busyLimit { return Atoms.false }
        return command(port, arguments[1]) ? Atoms.true : Atoms.badarg
    } ?? Atoms.badarg
}

func erts_internal_port_control_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let operation = uint32(arguments[1]) else { return Atoms.badarg }
    return withOpenPort(arguments[0]) { port in
        guard let bytes = iolistBytes(arguments[2]) else { return Atoms.badarg }
        defer { bytes.release() }
        guard let answer = port.driver.control(process.pointee.id, operation, bytes.buffer) else { return Atoms.badarg }
        return process.heap.byteList(answer)
    } ?? Atoms.badarg
}

/// No driver here takes calls with terms.
func erts_internal_port_call_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Atoms.badarg }

func erts_internal_port_close_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withOpenPort(arguments[0]) { port in
        port.close(Atoms.normal)
        return Atoms.true
    } ?? Atoms.badarg
}

func erts_internal_port_connect_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isLocalPid else { return Atoms.badarg }
    return withOpenPort(arguments[0]) { port in
        connect(port, to: arguments[1], process) ? Atoms.true : Atoms.badarg
    } ?? Atoms.badarg
}

/// Makes `pid` the owner and links it. False if it does not exist. Requires: the port's lock.
func connect(_ port: Port, to pid: Term, _ process: Ref<Process>?) -> Bool {
    if !port.links.contains(pid) {
        if let process, process.pointee.id == pid {
            Links.addPort(process, port.id)
        } else if !Links.sendLink(from: port.id, to: pid) {
            return false
        }
        port.links.append(pid)
    }
    port.owner = pid
    return true
}

func erlang_ports_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.list(PortTable.all.map(\.id))
}

func erlang_port_set_data_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withOpenPort(arguments[0]) { port in
        discard(port.dataHeap)
        port.dataHeap = Heap()
        port.data = copyTerm(arguments[1], to: &port.dataHeap, copyLiterals: true)
        return Atoms.true
    } ?? process.badarg()
}

func erlang_port_get_data_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withOpenPort(arguments[0]) { port in
        port.data.isNone ? Atoms.undefined : copyTerm(port.data, to: process.heap)
    } ?? process.badarg()
}

// MARK: - port_info

/// `{Item, Value}`, `[]` for a name the port does not have, nil for an unknown item. Requires: the port's lock.
private func info(_ port: Port, _ item: Term, _ heap: Ref<Heap>) -> Term? {
    let value: Term
    switch item {
    case Atoms.name: value = port.name.withUnsafeBufferPointer { heap.nativeText($0) }
    case Atoms.links: value = heap.list(port.links)
    case Atoms.id: value = heap.integer(Int(port.number) * 8)
    case Atoms.connected: value = port.owner
    case Atoms.input: value = heap.integer(port.inputBytes)
    case Atoms.output: value = heap.integer(port.outputBytes)
    case Atoms.os_pid: value = port.osProcess > 0 ? .small(Int(port.osProcess)) : Atoms.undefined
    case Atoms.monitors: value = .nil
    case Atoms.monitored_by: value = heap.list(port.monitors.map(\.watcher))
    case Atoms.registered_name:
        value = PortTable.name(of: port)
        if value.isNone { return .nil }
    case Atoms.queue_size: value = heap.integer(port.driver.queuedBytes)
    case Atoms.parallelism: value = port.options.parallelism ? Atoms.true : Atoms.false
    case Atoms.memory: value = heap.integer(40 + port.driver.queuedBytes)
    case Atoms.locking: value = Atoms.port_level
    default: return nil
    }
    return heap.tuple(item, value)
}

/// Whether this can name a port; `undefined` is the answer for one that does not exist.
private func isPortName(_ term: Term) -> Bool { term.isAtom || term.isPort }

func erts_internal_port_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard isPortName(arguments[0]) else { return Atoms.badarg }
    let items = [
        Atoms.registered_name, Atoms.name, Atoms.links, Atoms.id, Atoms.connected, Atoms.input, Atoms.output,
        Atoms.os_pid,
    ]
    return withOpenPort(arguments[0]) { port in
        process.heap.list(items.compactMap { info(port, $0, process.heap) }.filter { !$0.isNil })
    } ?? Atoms.undefined
}

func erts_internal_port_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard isPortName(arguments[0]) else { return Atoms.badarg }
    let known = [
        Atoms.registered_name, Atoms.name, Atoms.links, Atoms.id, Atoms.connected, Atoms.input, Atoms.output,
        Atoms.os_pid, Atoms.monitors, Atoms.monitored_by, Atoms.queue_size, Atoms.parallelism, Atoms.memory,
        Atoms.locking,
    ]
    guard known.contains(arguments[1]) else { return Atoms.badarg }
    return withOpenPort(arguments[0]) { info($0, arguments[1], process.heap) ?? Atoms.badarg } ?? Atoms.undefined
}

let portBifsTable: [Bif] = [
    Bif("erts_internal", "open_port", 2, erts_internal_open_port_2),
    Bif("erts_internal", "port_command", 3, erts_internal_port_command_3),
    Bif("erts_internal", "port_control", 3, erts_internal_port_control_3),
    Bif("erts_internal", "port_call", 3, erts_internal_port_call_3),
    Bif("erts_internal", "port_close", 1, erts_internal_port_close_1),
    Bif("erts_internal", "port_connect", 2, erts_internal_port_connect_2),
    Bif("erts_internal", "port_info", 1, erts_internal_port_info_1),
    Bif("erts_internal", "port_info", 2, erts_internal_port_info_2),
    Bif("erlang", "ports", 0, erlang_ports_0),
    Bif("erlang", "port_set_data", 2, erlang_port_set_data_2),
    Bif("erlang", "port_get_data", 1, erlang_port_get_data_1),
    Bif("os", "set_signal", 2, os_set_signal_2),
]
