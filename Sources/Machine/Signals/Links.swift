// Links.swift: links between processes, and from processes to ports. Each side keeps an entry by the other's identity:
//
//     a: identity of an unlink request that was not acknowledged yet, 0 = active
//
// unlink/1 keeps the entry until the other side acknowledges. An exit signal that comes in between belongs to a link that
// was taken back and is dropped, while a link made anew meanwhile works.

public import CMachine
public import Terms

public enum Links {
    // MARK: The process's own table

    static func add(_ process: Ref<Process>, _ other: Term) {
        IdTable.insert(&process.pointee.links, IdKey(id: other)).pointee.a = 0
    }

    static func isActive(_ process: Ref<Process>, _ other: Term) -> Bool {
        IdTable.find(process.pointee.links, IdKey(id: other))?.pointee.a == 0
    }

    /// Removes the link; false if there was no active one.
    static func takeActive(_ process: Ref<Process>, _ other: Term) -> Bool {
        guard let entry = IdTable.find(process.pointee.links, IdKey(id: other)) else { return false }
        let wasActive = entry.pointee.a == 0
        IdTable.remove(&process.pointee.links, entry)
        return wasActive
    }

    // MARK: Requests

    /// Links the process to a local process or port. False: there is no such process.
    static func link(_ process: Ref<Process>, _ other: Term) -> Bool {
        if other == process.pointee.id || isActive(process, other) { return true }
        add(process, other)
        let exists: Bool
        if other.isLocalPort {
            exists = PortHooks.link?(other, process.pointee.id) ?? false
        } else {
            let signal = newSignal(SignalKind.link, from: process.pointee.id)
            exists = deliver(signal, to: other, from: process.pointee.scheduler)
        }
        if !exists { _ = takeActive(process, other) }
        return exists
    }

    static func unlink(_ process: Ref<Process>, _ other: Term) {
        guard let entry = IdTable.find(process.pointee.links, IdKey(id: other)), entry.pointee.a == 0 else { return }
        if other.isLocalPort {
            IdTable.remove(&process.pointee.links, entry)
            _ = PortHooks.unlink?(other, process.pointee.id)
            return
        }
        process.pointee.nextMarker &+= 1
        let identity = process.pointee.nextMarker
        entry.pointee.a = identity
        let signal = newSignal(SignalKind.unlink, from: process.pointee.id)
        signal.pointee.number = identity
        if !deliver(signal, to: other, from: process.pointee.scheduler) {
            // It has ended. Its exit signal may be on the way or in our queue: dropped without an active entry.
            _ = takeActive(process, other)
        }
    }

    // MARK: Signals

    static func handleLink(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        add(process, signal.pointee.from)
        if process.isTraced { Trace.processEvent(process, Atoms.getting_linked, signal.pointee.from) }
    }

    static func handleUnlink(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        let from = signal.pointee.from
        if takeActive(process, from), process.isTraced { Trace.processEvent(process, Atoms.getting_unlinked, from) }
        let acknowledgement = newSignal(SignalKind.unlinkAck, from: process.pointee.id)
        acknowledgement.pointee.number = signal.pointee.number
        deliver(acknowledgement, to: from, from: process.pointee.scheduler)
    }

    static func handleAck(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        guard let entry = IdTable.find(process.pointee.links, IdKey(id: signal.pointee.from)),
            entry.pointee.a == signal.pointee.number
        else { return }
        IdTable.remove(&process.pointee.links, entry)
    }

    // MARK: For ports

    /// The exit signal of a link to `pid` that broke.
    public static func sendExit(from: Term, to pid: Term, _ reason: Term, on scheduler: Ref<Scheduler>? = nil) {
        let signal = newSignal(SignalKind.linkExit, from: from)
        signal.carry(reason)
        deliver(signal, to: pid, from: scheduler)
    }

    /// A port links itself to a process (its owner): both sides have the link afterwards.
    public static func sendLink(from: Term, to pid: Term, on scheduler: Ref<Scheduler>? = nil) -> Bool {
        deliver(newSignal(SignalKind.link, from: from), to: pid, from: scheduler)
    }

    /// The same for the running process itself.
    public static func addPort(_ process: Ref<Process>, _ port: Term) { add(process, port) }
    public static func removePort(_ process: Ref<Process>, _ port: Term) { _ = takeActive(process, port) }
}

/// An exit/2 signal. False: there is no such process.
@discardableResult
public func sendExit(
    from sender: Term, to pid: Term, _ reason: Term, isOwnEnd: Bool = false, on scheduler: Ref<Scheduler>? = nil
) -> Bool {
    let signal = newSignal(SignalKind.exit, from: sender)
    signal.pointee.flags = isOwnEnd ? SignalKind.exitFlagOwnEnd : 0
    signal.carry(reason)
    return deliver(signal, to: pid, from: scheduler)
}
