// BreakMenu.swift: what ^C brings up. It runs on the poll thread while the schedulers stand still, so it has the standard
// descriptors for itself; the terminal is in line mode meanwhile.

import CMachine
import Glibc
import Machine
import Terms

enum BreakMenu {
    private enum Next { case menu, more, leave }

    static func run() {
        guard Blocking.block(from: nil) else { return }
        TerminalDriver.restoreMode()
        let output = DumpOutput(descriptor: 1, addsReturns: true)
        output.line()
        writeMenu(output)
        loop: while true {
            output.flush()
            let key = readKey()
            switch act(key, output) {
            case .menu: writeMenu(output)
            case .more: continue
            case .leave: break loop
            }
        }
        output.flush()
        TerminalDriver.continued()
        Blocking.unblock()
    }

    private static func writeMenu(_ output: DumpOutput) {
        output.line("BREAK: (a)bort (A)bort with dump (c)ontinue (p)roc info (i)nfo")
        output.line("       (l)oaded (v)ersion (k)ill (D)b-tables (d)istribution")
    }

    private static func act(_ key: UInt8?, _ output: DumpOutput) -> Next {
        switch key {
        case nil, UInt8(ascii: "a"), UInt8(ascii: "q"): stop(output)
        case UInt8(ascii: "A"):
            CrashDump.writeOnRequest(output)
            output.flush()
            DumpHooks.restoreTerminal?()
            signal(SIGABRT, SIG_DFL)
            abort()
        case UInt8(ascii: "c"): return .leave
        case UInt8(ascii: "p"): DumpSystem.writeProcesses(output)
        case UInt8(ascii: "i"): DumpSystem.writeInfo(output)
        case UInt8(ascii: "l"): DumpSystem.writeLoaded(output)
        case UInt8(ascii: "v"): output.line("Erlang (BEAM) emulator version \(systemFacts.version)")
        case UInt8(ascii: "k"): chooseVictim(output)
        case UInt8(ascii: "D"): DumpHooks.tables?(output)
        case UInt8(ascii: "d"): DumpSystem.writeDistribution(output)
        case UInt8(ascii: "o"): writePorts(output)
        case UInt8(ascii: "\n"): return .more
        case let key?:
            let shown = String(decoding: [key], as: UTF8.self)
            output.line("Invalid option '\(shown)'. Please enter one of the following:")
            return .menu
        }
        return .leave
    }

    private static func stop(_ output: DumpOutput) -> Never {
        output.flush()
        DumpHooks.restoreTerminal?()
        _exit(0)
    }

    /// Shows the processes from the youngest on, until one is killed or the user has enough.
    private static func chooseVictim(_ output: DumpOutput) {
        var processes: [(Term, Ref<Process>)] = []
        ProcessTable.forEach { processes.append(($0, $1)) }
        output.line("\n\nProcess Information\n\n--------------------------------------------------")
        for (pid, process) in processes.reversed() {
            DumpProcess.write(process, caller: nil, withStack: true, output)
            output.line("(k)ill (n)ext (r)eturn:")
            output.flush()
            choice: while true {
                switch readKey() {
                case nil: stop(output)
                case UInt8(ascii: "k"):
                    _ = sendExit(from: pid, to: pid, Atoms.kill)
                    return
                case UInt8(ascii: "n"): break choice
                case UInt8(ascii: "r"): return
                default: break
                }
            }
        }
    }

    /// The first key of the next line that is not empty; nil at the end of input.
    private static func readKey() -> UInt8? {
        var first: UInt8?
        while true {
            var byte: UInt8 = 0
            var wait = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, -1) >= 0 || errno == EINTR else { return nil }
            let count = read(0, &byte, 1)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count == 1 else { return first }
            if byte == UInt8(ascii: "\n") { return first ?? byte }
            if first == nil { first = byte }
        }
    }
}
