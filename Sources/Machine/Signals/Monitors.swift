// Monitors.swift: monitors and aliases. Both sides of a monitor keep an entry by the reference's numbers:
//
//     watcher   a: what is watched (a pid, a port, 0: only an alias)   b: name that was given, or 0   c: flags, tag
//     watched   a: the watcher's pid                                   b: name, or 0                  c: isTarget
//
// c: bits of MonitorFlags, and above them the address of a MonitorTag (16-byte aligned, so its low 4 bits are free)
// shifted left by 12.

public import CMachine
import Glibc
public import Terms

enum MonitorFlags {
    /// The entry is of the watched side.
    static let isTarget: UInt64 = 1
    /// The reference is an active alias.
    static let alias: UInt64 = 2
    /// Aliases end: with an unalias/1 only, with the monitor, with the first message that uses it.
    static let explicitUnalias: UInt64 = 4
    static let demonitorAlias: UInt64 = 8
    static let replyAlias: UInt64 = 16
    /// Watches the time offset.
    static let timeOffset: UInt64 = 32
    /// A port is watched.
    static let port: UInt64 = 64
}

/// A tag other than 'DOWN', copied.
struct MonitorTag {
    var tag: Term
    var fragment: Ref<Fragment>?
}

public enum Monitors {
    // MARK: Entries

    static func find(_ process: Ref<Process>, _ numbers: (UInt64, UInt64)) -> Ref<IdEntry>? {
        IdTable.find(process.pointee.monitors, IdKey(numbers: numbers))
    }

    static func tag(_ entry: Ref<IdEntry>) -> Ref<MonitorTag>? { Ref(bitPattern: UInt(entry.pointee.c &>> 12)) }

    static func remove(_ process: Ref<Process>, _ entry: Ref<IdEntry>) {
        if let tag = tag(entry) {
            freeFragments(tag.pointee.fragment)
            tag.deallocate()
        }
        IdTable.remove(&process.pointee.monitors, entry)
    }

    /// Adds the watcher's entry; `tag` nil: 'DOWN'.
    static func addOrigin(
        _ process: Ref<Process>, _ numbers: (UInt64, UInt64), target: Term, name: Term, flags: UInt64, tag: Term?
    ) {
        let entry = IdTable.insert(&process.pointee.monitors, IdKey(numbers: numbers))
        entry.pointee.a = target.raw
        entry.pointee.b = name.raw
        entry.pointee.c = flags
        if let tag {
            let copy = copyToFragment(tag, copyLiterals: true)
            let record = Ref<MonitorTag>.allocate(capacity: 1)
            record.initialize(to: MonitorTag(tag: copy.term, fragment: copy.fragment))
            entry.pointee.c |= UInt64(UInt(bitPattern: record)) &<< 12
        }
    }

    static func addTarget(_ process: Ref<Process>, _ numbers: (UInt64, UInt64), watcher: Term, name: Term) {
        let entry = IdTable.insert(&process.pointee.monitors, IdKey(numbers: numbers))
        entry.pointee.a = watcher.raw
        entry.pointee.b = name.raw
        entry.pointee.c = MonitorFlags.isTarget
    }

    // MARK: Requests

    /// Asks a local process or port to report its end. If there is none, the report comes at once.
    static func request(_ process: Ref<Process>, _ numbers: (UInt64, UInt64), target: Term, name: Term) {
        let exists: Bool
        if target.isLocalPort {
            exists = PortHooks.monitor?(target, process.pointee.id, numbers) ?? false
        } else if target.isLocalPid {
            let signal = newSignal(SignalKind.monitor, from: process.pointee.id, numbers: numbers)
            signal.pointee.payload = name
            exists = deliver(signal, to: target, from: process.pointee.scheduler)
        } else {
            exists = false
        }
        if !exists { sendDown(numbers, from: target, to: process.pointee.id, Atoms.noproc, on: process.pointee.scheduler) }
    }

    /// Ends a monitor. False: there is none with this reference.
    static func demonitor(_ process: Ref<Process>, _ numbers: (UInt64, UInt64)) -> Bool {
        guard let entry = find(process, numbers), entry.pointee.c & MonitorFlags.isTarget == 0,
            entry.pointee.a != 0 || entry.pointee.c & MonitorFlags.timeOffset != 0
        else { return false }
        let target = Term(raw: entry.pointee.a)
        endMonitor(process, entry)
        if target.isLocalPort {
            _ = PortHooks.demonitor?(target, process.pointee.id, numbers)
        } else if target.isLocalPid {
            let signal = newSignal(SignalKind.demonitor, from: process.pointee.id, numbers: numbers)
            deliver(signal, to: target, from: process.pointee.scheduler)
        }
        return true
    }

    /// The monitor is over; an alias that lives until unalias/1 stays.
    private static func endMonitor(_ process: Ref<Process>, _ entry: Ref<IdEntry>) {
        let flags = entry.pointee.c
        guard flags & MonitorFlags.alias != 0, flags & MonitorFlags.explicitUnalias != 0 else {
            return remove(process, entry)
        }
        entry.pointee.a = 0
        entry.pointee.b = 0
    }

    // MARK: Aliases

    /// Whether a message to this alias may come in; one with the reply flag ends by that, and its monitor with it.
    static func useAlias(_ process: Ref<Process>, _ numbers: (UInt64, UInt64)) -> Bool {
        guard let entry = find(process, numbers), entry.pointee.c & MonitorFlags.alias != 0 else { return false }
        if entry.pointee.c & MonitorFlags.replyAlias != 0 {
            entry.pointee.c &= ~(MonitorFlags.alias | MonitorFlags.explicitUnalias)
            if entry.pointee.a == 0 { remove(process, entry) } else { _ = demonitor(process, numbers) }
        }
        return true
    }

    /// False: no active alias.
    static func unalias(_ process: Ref<Process>, _ numbers: (UInt64, UInt64)) -> Bool {
        guard let entry = find(process, numbers), entry.pointee.c & MonitorFlags.alias != 0 else { return false }
        entry.pointee.c &= ~(MonitorFlags.alias | MonitorFlags.explicitUnalias)
        if entry.pointee.a == 0, entry.pointee.c & MonitorFlags.timeOffset == 0 { remove(process, entry) }
        return true
    }

    // MARK: Signals

    static func handleMonitor(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        addTarget(process, signal.numbers, watcher: signal.pointee.from, name: signal.pointee.payload)
    }

    static func handleDemonitor(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        guard let entry = find(process, signal.numbers), entry.pointee.c & MonitorFlags.isTarget != 0 else { return }
        remove(process, entry)
    }

    /// What a process monitors has ended: `{Tag, Ref, process | port, Object, Reason}`.
    static func handleDown(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        let numbers = signal.numbers
        guard let entry = find(process, numbers), entry.pointee.c & MonitorFlags.isTarget == 0, entry.pointee.a != 0
        else { return freeSignal(signal) }
        let flags = entry.pointee.c
        let name = Term(raw: entry.pointee.b)
        let target = Term(raw: entry.pointee.a)
        let reason = signal.pointee.payload
        var heap = Heap()
        signal.pointee.payload = withUnsafeMutablePointer(to: &heap) { heap in
            let tag = tag(entry).map { copyTerm($0.pointee.tag, to: heap) } ?? Atoms.DOWN
            let reference = heap.reference(numbers)
            let object = name.isNone ? target : heap.tuple(name, Nodes.local.pointee.name)
            let isPort = flags & MonitorFlags.port != 0
            let (term, elements) = heap.makeTuple(5)
            elements[0] = tag.raw
            elements[1] = reference.raw
            elements[2] = (isPort ? Atoms.port : Atoms.process).raw
            elements[3] = object.raw
            elements[4] = reason.raw
            return term
        }
        signal.takeFragments(&heap)
        endMonitor(process, entry)
        signal.pointee.kind = SignalKind.message
        process.appendMessage(signal)
    }

    /// Reports the end of `from` to the process that watches it under this reference.
    public static func sendDown(
        _ numbers: (UInt64, UInt64), from: Term, to pid: Term, _ reason: Term, on scheduler: Ref<Scheduler>? = nil
    ) {
        let signal = newSignal(SignalKind.down, from: from, numbers: numbers)
        signal.carry(reason)
        deliver(signal, to: pid, from: scheduler)
    }
}
