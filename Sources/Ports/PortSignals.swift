// PortSignals.swift: signals to ports: what `Port ! Message` means, links, monitors, exits and names. Each function
// answers false when there is no such open port.

import CMachine
import Machine
import Terms

enum PortSignals {
    private static func on(_ id: Term, _ body: (Port) -> Void) -> Bool {
        guard let port = PortTable.find(id) else { return false }
        return port.locked {
            guard port.state == .open else { return false }
            body(port)
            return true
        }
    }

    /// `Port ! Message`: `{Owner, {command, Data}}`, `{Owner, close}`, `{Owner, {connect, Pid}}`. Anything else, or
    /// another process than the owner in front, sends the sender the exit signal `badsig`.
    static func send(from sender: Ref<Process>?, to id: Term, _ message: Term) -> Bool {
        on(id) { port in
            if !obey(port, message, sender), let sender { sendExit(from: id, to: sender.pointee.id, Atoms.badsig) }
        }
    }

    private static func obey(_ port: Port, _ message: Term, _ sender: Ref<Process>?) -> Bool {
        guard message.isTuple(2), message.element(0) == port.owner else { return false }
        let order = message.element(1)
        let owner = port.owner
        if order == Atoms.close {
            port.close(Atoms.normal)
            deliver(from: port.id, to: owner) { heap in heap.tuple(port.id, Atoms.closed) }
            return true
        }
        guard order.isTuple(2) else { return false }
        if order.element(0) == Atoms.command {
            let isGood = command(port, order.element(1))
            if !isGood { reportBadOutput(port) }
            return isGood
        }
        guard order.element(0) == Atoms.connect, order.element(1).isLocalPid else { return false }
        guard connect(port, to: order.element(1), sender) else { return false }
        deliver(from: port.id, to: owner) { heap in heap.tuple(port.id, Atoms.connected) }
        return true
    }

    private static func reportBadOutput(_ port: Port) {
        let text = "Bad value on output port '\(String(decoding: port.name, as: UTF8.self))'\n"
        sendToLogger(nil, Atoms.error, "~s~n") { $0.cons($0.string(text), .nil) }
    }

    /// A process has linked itself to the port.
    static func link(_ id: Term, from pid: Term) -> Bool {
        on(id) { port in if !port.links.contains(pid) { port.links.append(pid) } }
    }

    static func unlink(_ id: Term, from pid: Term) -> Bool {
        on(id) { port in port.links.removeAll { $0 == pid } }
    }

    static func monitor(_ id: Term, from pid: Term, _ numbers: (UInt64, UInt64)) -> Bool {
        on(id) { port in port.monitors.append(Port.Monitor(watcher: pid, numbers: numbers)) }
    }

    static func demonitor(_ id: Term, from pid: Term, _ numbers: (UInt64, UInt64)) -> Bool {
        on(id) { port in port.monitors.removeAll { $0.watcher == pid && $0.numbers == numbers } }
    }

    /// An exit signal; `isLink`: of a process that ended. `normal` counts only from the owner.
    static func exit(_ id: Term, from pid: Term, _ reason: Term, isLink: Bool) -> Bool {
        on(id) { port in
            if isLink {
                guard port.links.contains(pid) else { return }
                port.links.removeAll { $0 == pid }
            }
            if reason == Atoms.normal, pid != port.owner { return }
            // Reasons can be any term; the port keeps none beyond this call.
            port.close(reason, culprit: isLink ? pid : .none)
        }
    }
}
