// OSSignals.swift: signals of the operating system. A handler only writes the number to the poll thread's pipe; the
// thread turns it into `{notify, sigterm}` for the process registered as erl_signal_server, or into work of its own.

import CMachine
import Glibc
import Machine
import Terms

/// What ^C does: +B flags.
public enum BreakHandling: Sendable {
    /// The break menu.
    case menu
    /// +Bc: ^C is a key for the shell; a SIGINT from elsewhere still brings up the menu.
    case interruptShell
    /// +Bi
    case ignored
    /// +B, +Bd: what the system does without a handler.
    case disabled
}

public enum OSSignals {
    /// `write` end for the handlers. Constant after boot.
    nonisolated(unsafe) private static var pipe: Int32 = -1

    private static let named: [(Int32, StaticString)] = [
        (SIGHUP, "sighup"), (SIGQUIT, "sigquit"), (SIGABRT, "sigabrt"), (SIGALRM, "sigalrm"), (SIGTERM, "sigterm"),
        (SIGUSR1, "sigusr1"), (SIGUSR2, "sigusr2"), (SIGCHLD, "sigchld"), (SIGSTOP, "sigstop"), (SIGTSTP, "sigtstp"),
    ]

    /// What a signal does from now on.
    enum Disposition { case ignore, byDefault, handle }

    static func set(_ signal: Int32, _ disposition: Disposition) {
        var action = sigaction()
        switch disposition {
        case .ignore: action.__sigaction_handler.sa_handler = SIG_IGN
        case .byDefault: action.__sigaction_handler.sa_handler = SIG_DFL
        case .handle:
            action.__sigaction_handler.sa_handler = { number in
                let saved = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(OSSignals.pipe, &byte, 1)
                errno = saved
            }
        }
        action.sa_flags = SA_RESTART
        sigaction(signal, &action, nil)
    }

    /// Dispositions of a fresh VM.
    static func start(_ breaks: BreakHandling) {
        pipe = PortPoll.wakeWriteEnd
        set(SIGPIPE, .ignore)
        set(SIGTERM, .handle)
        set(SIGUSR1, .handle)
        switch breaks {
        case .menu, .interruptShell:
            set(SIGINT, .handle)
            set(SIGQUIT, .handle)
            if breaks == .interruptShell { freeInterruptKey() }
        case .ignored: for signal in [SIGINT, SIGQUIT, SIGTSTP] { set(signal, .ignore) }
        case .disabled: break
        }
    }

    /// The terminal passes ^C on as a key, which user_drv takes for an interrupt of the shell.
    private static func freeInterruptKey() {
        var mode = termios()
        guard isatty(0) != 0, tcgetattr(0, &mode) == 0 else { return }
        withUnsafeMutableBytes(of: &mode.c_cc) { $0[Int(VINTR)] = 0 }
        tcsetattr(0, TCSANOW, &mode)
    }

    /// Signals that only a terminal port cares for.
    static func watchTerminal(_ on: Bool) {
        set(SIGWINCH, on ? .handle : .byDefault)
        set(SIGCONT, on ? .handle : .byDefault)
    }

    static func arrived(_ signal: Int32) {
        switch signal {
        case SIGWINCH: TerminalDriver.windowChanged()
        case SIGCONT: TerminalDriver.continued()
        case SIGINT: BreakMenu.run()
        default:
            let server = Registry.find(Atoms.erl_signal_server)
            guard let name = name(of: signal), server.isLocalPid else { return }
            deliver(to: server) { heap in heap.tuple(Atoms.notify, name) }
        }
    }

    private static func name(of signal: Int32) -> Term? {
        guard let entry = named.first(where: { $0.0 == signal }) else { return nil }
        return AtomTable.intern(entry.1.description)
    }

    static func number(of name: Term) -> Int32? {
        let text = name.atomText
        return named.first { $0.1.description == text }?.0
    }
}

func os_set_signal_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let disposition: OSSignals.Disposition
    switch arguments[1] {
    case Atoms.ignore: disposition = .ignore
    case Atoms.default: disposition = .byDefault
    case Atoms.handle: disposition = .handle
    default: return process.badarg()
    }
    guard arguments[0].isAtom, let signal = OSSignals.number(of: arguments[0]) else { return process.badarg() }
    OSSignals.set(signal, disposition)
    return Atoms.ok
}
