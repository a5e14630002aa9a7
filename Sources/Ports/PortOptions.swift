// PortOptions.swift: the arguments of open_port/2.

import CMachine
import Glibc
import Machine
import Terms

struct PortOptions {
    /// Bytes of a length in front of each packet: 0 (stream), 1, 2 or 4.
    var packetBytes = 0
    /// Longest line, 0: no lines.
    var lineLength = 0
    var usesStandardIO = true
    var mergesErrors = false
    var reads = false
    var writes = false
    var isBinary = false
    var tellsEnd = false
    var tellsExitStatus = false
    /// Queued bytes above which the port is busy.
    var busyLimit = 8192
    var parallelism = false
    var directory: [UInt8]?
    var environment: [Environment.Variable]?
    var arguments: [[UInt8]]?
    var argument0: [UInt8]?

    init() {}

    enum Problem: Error { case badOption, badArgument }

    init(_ list: Term) throws(Problem) {
        var rest = list
        while rest.isCons {
            let option = rest.head
            if option.isTuple(2) {
                try take(option.element(0), option.element(1))
            } else {
                try take(option)
            }
            rest = rest.tail
        }
        guard rest.isNil else { throw .badOption }
        if !reads, !writes { (reads, writes) = (true, true) }
        if lineLength > 0, packetBytes > 0 { throw .badOption }
        if mergesErrors, !usesStandardIO { throw .badOption }
    }

    private mutating func take(_ option: Term) throws(Problem) {
        switch option {
        case Atoms.stream: packetBytes = 0
        case Atoms.use_stdio: usesStandardIO = true
        case Atoms.nouse_stdio: usesStandardIO = false
        case Atoms.stderr_to_stdout: mergesErrors = true
        case Atoms.line: lineLength = 512
        case Atoms.binary: isBinary = true
        case Atoms.in_: reads = true
        case Atoms.out: writes = true
        case Atoms.eof: tellsEnd = true
        case Atoms.exit_status: tellsExitStatus = true
        case Atoms.hide, Atoms.overlapped_io: break
        default: throw .badOption
        }
    }

    private mutating func take(_ option: Term, _ value: Term) throws(Problem) {
        switch option {
        case Atoms.packet:
            guard value == .small(1) || value == .small(2) || value == .small(4) else { throw .badOption }
            packetBytes = value.smallValue
        case Atoms.line:
            guard value.isSmall, value.smallValue > 0 else { throw .badOption }
            lineLength = value.smallValue
        case Atoms.env: environment = try PortOptions.environment(value)
        case Atoms.args: arguments = try PortOptions.arguments(value)
        case Atoms.arg0:
            guard let name = nativeBytes(ofName: value, allowingAtom: true) else { throw .badOption }
            argument0 = name
        case Atoms.cd:
            // OTP looks at it later, and an empty list means no directory.
            if value.isNil { directory = nil } else {
                guard let name = nativeBytes(ofName: value, allowingAtom: true) else { throw .badArgument }
                directory = name
            }
        case Atoms.parallelism:
            guard value == Atoms.true || value == Atoms.false else { throw .badOption }
            parallelism = value == Atoms.true
        case Atoms.busy_limits_port: busyLimit = try PortOptions.busyLimit(value)
        case Atoms.busy_limits_msgq: _ = try PortOptions.busyLimit(value)
        default: throw .badOption
        }
    }

    /// `{Low, High}` or `disabled`: the high limit.
    private static func busyLimit(_ value: Term) throws(Problem) -> Int {
        if value == Atoms.disabled { return .max }
        guard value.isTuple(2), let low = uint64(value.element(0)), let high = uint64(value.element(1)), low >= 1,
            high >= 1, low < UInt64.max, high < UInt64.max
        else { throw .badOption }
        return Int(clamping: high)
    }

    /// The VM's environment with the changes of a list of `{Name, Value | false}`.
    private static func environment(_ list: Term) throws(Problem) -> [Environment.Variable] {
        var variables = Environment.all
        var rest = list
        while rest.isCons {
            let change = rest.head
            guard change.isTuple(2), let name = environmentName(change.element(0)) else { throw .badOption }
            if change.element(1) == Atoms.false {
                Environment.change(&variables, name, nil)
            } else {
                guard let value = nativeBytes(ofList: change.element(1)) else { throw .badOption }
                Environment.change(&variables, name, value)
            }
            rest = rest.tail
        }
        guard rest.isNil else { throw .badOption }
        return variables
    }

    private static func arguments(_ list: Term) throws(Problem) -> [[UInt8]] {
        var arguments: [[UInt8]] = []
        var rest = list
        while rest.isCons {
            let argument = rest.head
            guard let bytes = nativeBytes(ofName: argument, allowingAtom: true) else { throw .badOption }
            arguments.append(bytes)
            rest = rest.tail
        }
        guard rest.isNil else { throw .badOption }
        return arguments
    }
}
