// Tracees.swift: which processes are traced, by whom and how. A traced process has ProcessState.traced; only then it looks
// here. Everything is under one lock, which nothing else is taken under but signal locks.

import CMachine
import Glibc
import Terms

struct Tracee {
    var flags: UInt32 = 0
    /// A pid, or [].
    var tracer = Term.nil
}

enum Tracees {
    nonisolated(unsafe) private static var lock = Lock()
    /// By pid. Under `lock`.
    nonisolated(unsafe) private static var table: [UInt64: Tracee] = [:]
    /// For processes to come. Under `lock`; `hasDefault` is also read without it.
    nonisolated(unsafe) private static var forNew = Tracee()
    nonisolated(unsafe) private static var hasDefault: UInt32 = 0

    /// What is traced about the process; no flags if nothing, or while it is sensitive.
    static func find(_ process: Ref<Process>) -> Tracee {
        guard process.isTraced, process.pointee.flags & ProcessFlags.sensitive == 0 else { return Tracee() }
        return find(pid: process.pointee.id)
    }

    static func find(pid: Term) -> Tracee {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return table[pid.raw] ?? Tracee()
    }

    static var newOnes: Tracee {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return forNew
    }

    /// Adds or removes flags. False: another process traces it.
    static func change(_ process: Ref<Process>, _ pid: Term, on: Bool, _ flags: UInt32, tracer: Term) -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        var entry = table[pid.raw] ?? Tracee()
        if !tracer.isNil, entry.flags != 0, entry.tracer != tracer, tracerTerm(entry.tracer) != nil { return false }
        entry.flags = on ? entry.flags | flags : entry.flags & ~flags
        if !tracer.isNil { entry.tracer = tracer }
        store(process, pid, entry)
        return true
    }

    /// Under `lock`.
    private static func store(_ process: Ref<Process>, _ pid: Term, _ entry: Tracee) {
        table[pid.raw] = entry.flags == 0 ? nil : entry
        vm_lock(&process.pointee.signalLock)
        if process.pointee.id == pid {
            if entry.flags != 0 {
                process.setState(ProcessState.traced)
            } else {
                _ = vm_fetch_and32(&process.pointee.state, ~ProcessState.traced)
            }
        }
        vm_unlock(&process.pointee.signalLock)
    }

    /// The process's own change of its flags (match specifications).
    static func update(_ process: Ref<Process>, _ body: (inout Tracee) -> Void) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        var entry = table[process.pointee.id.raw] ?? Tracee()
        body(&entry)
        if entry.tracer.isNil { entry.flags = 0 }
        store(process, process.pointee.id, entry)
    }

    /// Ends the tracing of a process: it ends, or its tracer has.
    static func forget(_ process: Ref<Process>) {
        guard process.isTraced else { return }
        update(process) { $0 = Tracee() }
    }

    static func changeNew(on: Bool, _ flags: UInt32, tracer: Term) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        forNew.flags = on ? forNew.flags | flags : forNew.flags & ~flags
        if !tracer.isNil { forNew.tracer = tracer }
        if forNew.flags == 0 { forNew.tracer = .nil }
        vm_store_release32(&hasDefault, forNew.flags == 0 ? 0 : 1)
    }

    /// The flags that a child gets, if `always` or `first` is set; `first` is over then.
    private static func handDown(_ entry: Tracee, _ always: UInt32, _ first: UInt32, _ parent: Ref<Process>) -> UInt32? {
        guard entry.flags & (always | first) != 0 else { return nil }
        guard entry.flags & first != 0 else { return entry.flags }
        update(parent) { $0.flags &= ~(always | first) }
        return entry.flags & ~(always | first)
    }

    /// A process that was just made takes what its parent hands down, or what holds for all new ones.
    /// (As in OTP 25, set_on_link works for spawn_link, and link/1 hands nothing down.)
    static func inherit(_ child: Ref<Process>, _ pid: Term, from parent: Ref<Process>?, isLinked: Bool) {
        if let parent, parent.isTraced {
            let entry = find(parent)
            let bySpawn = handDown(entry, TraceFlags.setOnSpawn, TraceFlags.setOnFirstSpawn, parent)
            let byLink = isLinked ? handDown(entry, TraceFlags.setOnLink, TraceFlags.setOnFirstLink, parent) : nil
            if let flags = byLink ?? bySpawn {
                _ = change(child, pid, on: true, flags, tracer: entry.tracer)
                return
            }
        }
        guard vm_load_acquire32(&hasDefault) != 0 else { return }
        let entry = newOnes
        if entry.flags != 0 { _ = change(child, pid, on: true, entry.flags, tracer: entry.tracer) }
    }
}
