// Dirty.swift: threads for native functions that block or run long. A process that is to call one leaves Erlang code
// with its arguments saved; a thread of the right pool calls the function and puts the process back into a run queue.
//
// While a dirty thread has it, the process keeps ProcessState.running, so nobody else queues or frees it. Its signals are
// handled elsewhere (Signals/DirtySignals.swift).

import CMachine
import Glibc
import Terms

/// The pools; Process.dirtyKind.
@frozen public enum DirtyKind {
    public static let cpu: UInt8 = 1
    public static let io: UInt8 = 2
}

/// Marks the running process for a dirty pool. It must leave Erlang code next (exit reason parked); `native` is the call.
func scheduleDirty(_ process: Ref<Process>, _ kind: UInt8) { process.pointee.dirtyKind = kind }

enum Dirty {
    /// A queue for each pool; the futex words count what was ever queued.
    nonisolated(unsafe) private static var cpu = RunQueue()
    nonisolated(unsafe) private static var io = RunQueue()
    nonisolated(unsafe) private static var cpuTicket: UInt32 = 0
    nonisolated(unsafe) private static var ioTicket: UInt32 = 0

    static func enqueue(_ process: Ref<Process>) {
        if process.pointee.dirtyKind == DirtyKind.cpu {
            _ = withUnsafeMutablePointer(to: &cpu) { $0.push(process) }
            _ = vm_fetch_add32(&cpuTicket, 1)
            vm_futex_wake(&cpuTicket, 1)
        } else {
            _ = withUnsafeMutablePointer(to: &io) { $0.push(process) }
            _ = vm_fetch_add32(&ioTicket, 1)
            vm_futex_wake(&ioTicket, 1)
        }
    }

    /// Counts changes of the threads online; those that are not wait for the next one.
    nonisolated(unsafe) private static var onlineTicket: UInt32 = 0

    /// Threads look anew whether they are online.
    static func wakeAll() {
        _ = vm_fetch_add32(&onlineTicket, 1)
        _ = vm_fetch_add32(&cpuTicket, 1)
        _ = vm_fetch_add32(&ioTicket, 1)
        vm_futex_wake(&onlineTicket, Int32.max)
        vm_futex_wake(&cpuTicket, Int32.max)
        vm_futex_wake(&ioTicket, Int32.max)
    }

    /// Waits while the thread is not online.
    private static func rest(_ scheduler: Ref<Scheduler>) {
        let ticket = vm_load_acquire32(&onlineTicket)
        guard Online.isOffDirty(scheduler), !Schedulers.isStopping else { return }
        // It may have been woken for a process: another one takes it.
        if scheduler.pointee.isDirty == 1 { vm_futex_wake(&cpuTicket, 1) } else { vm_futex_wake(&ioTicket, 1) }
        vm_futex_wait(&onlineTicket, ticket, -1)
    }

    /// The next process of the pool; sleeps until there is one.
    static func next(_ scheduler: Ref<Scheduler>) -> Ref<Process>? {
        let kind = scheduler.pointee.isDirty
        while !Schedulers.isStopping {
            if _slowPath(Online.isOffDirty(scheduler)) {
                rest(scheduler)
                continue
            }
            let ticket = kind == 1 ? vm_load_acquire32(&cpuTicket) : vm_load_acquire32(&ioTicket)
            let process =
                kind == 1
                ? withUnsafeMutablePointer(to: &cpu) { $0.pop() } : withUnsafeMutablePointer(to: &io) { $0.pop() }
            if let process { return process }
            if kind == 1 { vm_futex_wait(&cpuTicket, ticket, -1) } else { vm_futex_wait(&ioTicket, ticket, -1) }
        }
        return nil
    }

    static func lengths() -> (cpu: Int, io: Int) { (Int(vm_load_acquire32(&cpu.length)), Int(vm_load_acquire32(&io.length))) }
}

/// The body of a dirty thread.
func dirtyMain(_ scheduler: Ref<Scheduler>) {
    while let process = Dirty.next(scheduler) {
        process.pointee.scheduler = scheduler
        vm_store_relaxed(&scheduler.pointee.activeSince, UInt64(Clock.osMonotonic()))
        runDirty(process)
        let hasEnded = DirtySignals.finish(process)
        scheduler.addActive(until: UInt64(Clock.osMonotonic()))
        process.pointee.dirtyKind = 0
        if hasEnded {
            finishEnded(process)
        } else if process.switchOut() {
            // An exception stays in the process: entering Erlang code raises it.
            Schedulers.push(process, from: nil)
        }
    }
}

private func runDirty(_ process: Ref<Process>) {
    process.setState(ProcessState.dirtyRunning)
    if process.pointee.collectionNeed != 0 { return process.collectAsRequested() }
    guard let call = process.pointee.native, !process.isExiting else { return }
    let start = Microstates.begin()
    call.pointee.result = call.pointee.body(process, call.arguments)
    Microstates.end(start, process.pointee.scheduler, Microstates.emulator)
}
