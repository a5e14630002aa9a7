// PortOpen.swift: erts_internal:open_port/2: from the arguments of open_port/2 to a port with its driver.

public import CMachine
import Glibc
import Machine
import Terms

/// Drivers that a port name can start with.
private enum DriverName {
    static let terminal = Array("tty_sl".utf8)
    static let udp = Array("udp_inet".utf8)
    static let ramFile = Array("ram_file_drv".utf8)
}

/// Why open_port fails; the cases are the atoms that erlang:open_port/2 turns into errors.
private enum OpenProblem: Error {
    case badArgument, badOption, systemLimit, einval
    case system(Int32)

    var atom: Term {
        switch self {
        case .badArgument: Atoms.badarg
        case .badOption: Atoms.badopt
        case .systemLimit: Atoms.system_limit
        case .einval: Atoms.einval
        case .system(let error): posixAtom(error)
        }
    }
}

private enum PortKind {
    case descriptors(Int32, Int32)
    case command([UInt8])
    case driver([UInt8])
    case executable([UInt8])

    init(_ name: Term) throws(OpenProblem) {
        guard name.isTuple, name.tupleSize > 0 else { throw .badArgument }
        switch name.element(0) {
        case Atoms.fd:
            guard name.tupleSize == 3, name.element(1).isSmall, name.element(2).isSmall else { throw .badArgument }
            guard let input = int32(name.element(1)), let output = int32(name.element(2)), input >= 0, output >= 0
            else { throw .einval }
            self = .descriptors(input, output)
        case Atoms.spawn: self = .command(try PortKind.text(name))
        case Atoms.spawn_driver: self = .driver(try PortKind.text(name))
        case Atoms.spawn_executable: self = .executable(try PortKind.text(name))
        default: throw .badArgument
        }
    }

    private static func text(_ name: Term) throws(OpenProblem) -> [UInt8] {
        guard name.tupleSize == 2, !name.element(1).isNil, let text = nativeBytes(ofName: name.element(1), allowingAtom: true)
        else { throw .badArgument }
        return text
    }

    /// The name that port_info shows.
    var shownName: [UInt8] {
        switch self {
        case .descriptors(let input, let output): Array("\(input)/\(output)".utf8)
        case .command(let text), .driver(let text), .executable(let text): text
        }
    }
}

/// Makes the driver of a port that has just been made. The port's lock is taken.
private func makeDriver(_ port: Port, _ kind: PortKind) throws(OpenProblem) -> PortDriver {
    switch kind {
    case .descriptors(let input, let output):
        let options = port.options
        let driver = DescriptorDriver(
            port, input: options.reads ? input : -1, output: options.writes ? output : -1, owned: false)
        return driver
    case .executable(let file):
        if withCString(file, { access($0, X_OK) }) != 0 { throw .system(errno) }
        return try child(port, ChildCommand(executable: file, port.options))
    case .command(let command):
        if let driver = try linkedIn(port, command) { return driver }
        return try child(port, ChildCommand(shell: command))
    case .driver(let command):
        guard let driver = try linkedIn(port, command) else { throw .badArgument }
        return driver
    }
}

private func child(_ port: Port, _ command: ChildCommand) throws(OpenProblem) -> PortDriver {
    let (driver, error) = SpawnDriver.start(port, command)
    guard let driver else { throw .system(error) }
    return driver
}

/// The driver that the first word of a command names, if there is one.
private func linkedIn(_ port: Port, _ command: [UInt8]) throws(OpenProblem) -> PortDriver? {
    let word = Array(command.prefix { $0 != 0x20 })
    switch word {
    case DriverName.terminal:
        guard let driver = TerminalDriver(port, command: command) else { throw .einval }
        return driver
    case DriverName.udp: return DatagramDriver(port)
    case DriverName.ramFile: return RamFileDriver(port)
    default: return nil
    }
}

func erts_internal_open_port_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    do throws(OpenProblem) {
        return try openPort(process, arguments[0], arguments[1])
    } catch {
        return error.atom
    }
}

private func openPort(_ process: Ref<Process>, _ name: Term, _ list: Term) throws(OpenProblem) -> Term {
    let options: PortOptions
    do throws(PortOptions.Problem) {
        options = try PortOptions(list)
    } catch {
        throw error == .badOption ? .badOption : .badArgument
    }
    let kind = try PortKind(name)
    switch kind {
    case .executable: break
    case .command, .driver: if options.arguments != nil || options.argument0 != nil { throw .badArgument }
    case .descriptors:
        if options.arguments != nil || options.argument0 != nil || options.tellsExitStatus { throw .badArgument }
    }
    let owner = process.pointee.id
    guard let port = PortTable.make(name: kind.shownName, owner: owner, options: options) else { throw .systemLimit }
    defer { vm_unlock(&port.lock) }
    do throws(OpenProblem) {
        port.driver = try makeDriver(port, kind)
    } catch {
        port.state = .closed
        PortTable.forget(port)
        throw error
    }
    port.links = [owner]
    Links.addPort(process, port.id)
    (port.driver as? DescriptorDriver)?.start()
    return port.id
}

/// A port that stands for the starter of child processes, so that programs find `#Port<0.0>` as in OTP.
private final class ForkerDriver: PortDriver {}

public enum PortBoot {
    /// Starts the poll thread, takes over signals and makes port 0. Call once, before the first process runs.
    public static func start(firstProcess: Term, breaks: BreakHandling = .menu) {
        connect()
        PortPoll.start()
        SystemInfoHooks.ports = { pollInfo($0, $1) }
        OSSignals.start(breaks)
        guard let port = PortTable.make(name: Array("forker".utf8), owner: firstProcess, options: PortOptions()) else {
            return
        }
        port.driver = ForkerDriver(port)
        vm_unlock(&port.lock)
    }

    /// Lets the machine find ports and native resources.
    private static func connect() {
        PortHooks.send = { PortSignals.send(from: $0, to: $1, $2) }
        PortHooks.setName = { PortTable.setName($0, $1) }
        PortHooks.link = { PortSignals.link($0, from: $1) }
        PortHooks.unlink = { PortSignals.unlink($0, from: $1) }
        PortHooks.monitor = { PortSignals.monitor($0, from: $1, $2) }
        PortHooks.demonitor = { PortSignals.demonitor($0, from: $1, $2) }
        PortHooks.exit = { PortSignals.exit($0, from: $1, $2, isLink: $3) }
        PortHooks.count = { PortTable.count }
        PortHooks.limit = { PortTable.limit }
        DumpHooks.ports = { writePorts($0) }
        DumpHooks.restoreTerminal = { TerminalDriver.restoreMode() }
        ExitHooks.resources = { closeFiles(ofExited: $0.pointee.id) }
        nifLoaded = { _, library, information in
            if library == "prim_file", information.isLocalPid { setFileClosingProcess(information) }
        }
    }

    /// Writes what ports have queued, for halting with flush. Waits for slow receivers, at most some seconds each.
    public static func flushPorts() {
        for port in PortTable.working { port.locked { if port.state != .closed { port.driver?.flushAtExit() } } }
    }
}
