// PortSpawn.swift: ports of child processes: `{spawn, Command}` (by the shell) and `{spawn_executable, File}`. The child
// gets its own session, default signal dispositions, and no other descriptors than 0-2 (and 3, 4 with nouse_stdio).

import CMachine
import Glibc
import Machine
import Terms

/// What a child process is started with.
struct ChildCommand {
    var file: [UInt8]
    var arguments: [[UInt8]]

    /// A command line for the shell, which the command replaces.
    init(shell command: [UInt8]) {
        file = Array("/bin/sh".utf8)
        arguments = [file, Array("-c".utf8), Array("exec ".utf8) + command]
    }

    init(executable: [UInt8], _ options: PortOptions) {
        file = executable
        arguments = [options.argument0 ?? executable] + (options.arguments ?? [])
    }
}

final class SpawnDriver: DescriptorDriver {
    private var processDescriptor: Int32 = -1
    private var isRunning = true
    private var waitStatus: Int32 = 0
    private var sawEnd = false

    /// Starts the child. An error number if that is not possible; errors of the child itself show as its exit status.
    static func start(_ port: Port, _ command: ChildCommand) -> (driver: SpawnDriver?, error: Int32) {
        guard let fromChild = Pipe(), let toChild = Pipe() else { return (nil, errno) }
        let options = port.options
        var pid: pid_t = 0
        let error = spawn(command, options, input: toChild.reading, output: fromChild.writing, &pid)
        close(toChild.reading)
        close(fromChild.writing)
        if !options.reads { close(fromChild.reading) }
        if !options.writes { close(toChild.writing) }
        for end in [fromChild.reading, toChild.writing] { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
        let driver = SpawnDriver(
            port, input: options.reads ? fromChild.reading : -1, output: options.writes ? toChild.writing : -1,
            owned: true)
        if error == 0 {
            port.osProcess = pid
            driver.processDescriptor = vm_pidfd_open(pid)
        } else {
            // As if a child had got that far and then failed with the number as its status.
            if let directory = options.directory, withCString(directory, { access($0, X_OK) }) != 0 {
                complain("spawn: Could not cd to \(String(decoding: directory, as: UTF8.self))\r")
            }
            driver.isRunning = false
            driver.waitStatus = error << 8
        }
        return (driver, 0)
    }

    /// The two ends of a pipe, above the descriptors that a child uses.
    private struct Pipe {
        var reading: Int32
        var writing: Int32

        init?() {
            var ends: [Int32] = [0, 0]
            guard vm_pipe(&ends, false) == 0 else { return nil }
            reading = Pipe.moved(ends[0])
            writing = Pipe.moved(ends[1])
            if reading < 0 || writing < 0 {
                close(reading)
                close(writing)
                return nil
            }
        }

        private static func moved(_ descriptor: Int32) -> Int32 {
            guard descriptor < 10 else { return descriptor }
            defer { close(descriptor) }
            return fcntl(descriptor, F_DUPFD_CLOEXEC, 10)
        }
    }

    private static func spawn(
        _ command: ChildCommand, _ options: PortOptions, input: Int32, output: Int32, _ pid: inout pid_t
    ) -> Int32 {
        let variables = (options.environment ?? Environment.all).map { $0.name + [0x3D] + $0.value }
        return withCStrings(command.arguments) { arguments in
            withCStrings(variables) { environment in
                withCString(command.file) { file in
                    withCString(options.directory ?? []) { directory in
                        var setup = ChildSetup(
                            file: file, arguments: arguments, environment: environment,
                            directory: options.directory == nil ? nil : directory, input: options.writes ? input : -1,
                            inputTarget: options.usesStandardIO ? 0 : 3, output: options.reads ? output : -1,
                            outputTarget: options.usesStandardIO ? 1 : 4, errors: options.mergesErrors ? output : -1,
                            firstClosed: options.usesStandardIO ? 3 : 5)
                        return vm_spawn(&pid, &setup)
                    }
                }
            }
        }
    }

    override func start() {
        super.start()
        if processDescriptor >= 0 { PortPoll.watch(processDescriptor, for: port, .process) }
    }

    override func endOfInput() {
        stopReading()
        if port.options.tellsExitStatus {
            if isRunning {
                sawEnd = true
                return
            }
            reportExit()
        }
        port.inputEnded()
    }

    override func processEnded(_ status: Int32) {
        isRunning = false
        waitStatus = status
        processDescriptor = -1
        // Without input there is no end of input, and OTP does not report the status either.
        guard port.options.tellsExitStatus, sawEnd else { return }
        reportExit()
        port.inputEnded()
    }

    /// The exit status, or 128 and the number of the signal that ended the child.
    private func reportExit() {
        let signal = waitStatus & 0x7F
        port.reportExitStatus(signal == 0 ? waitStatus >> 8 & 0xFF : 128 + signal)
    }

    override func stop() {
        super.stop()
        if processDescriptor >= 0 {
            PortPoll.watch(processDescriptor, for: nil, [])
            PortPoll.adopt(processDescriptor, pid: port.osProcess)
            processDescriptor = -1
        }
    }
}

/// Calls `body` with bytes as a C string (cut at a zero).
func withCString<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (bytes + [0]).withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [[UInt8]], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { withCString($0) { strdup($0) } }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers)
}
