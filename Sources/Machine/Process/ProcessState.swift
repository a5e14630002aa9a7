// ProcessState.swift: the atomic state word of a process and the changes made to it. Together with the signal lock it
// decides who may queue, run and free a process.
//
// Lock order (a thread that holds one may take those below it, never those above):
//     registry lock > signal lock of a process > timer wheel lock > run queue lock > process table lock
// Two signal locks are never held at once.
//
// A process is in exactly one place: whoever sets `queued` or `running` owns it until that bit is cleared again.
//   - `markRunnable` sets `queued` in the same atomic step in which it sees that neither `queued` nor `running` is set,
//     so a process is pushed exactly once however many threads wake it.
//   - `switchOut` clears `running` and sets `queued` in one step if something made it runnable while it ran.
// A wake-up cannot be lost: a receiver clears `active` only under its signal lock and with an empty outer queue; a
// sender appends under that lock and sets `active` before it lets go.

public import CMachine
import Terms

@frozen public enum ProcessState {
    /// Has something to run: is not waiting in a receive.
    public static let active: UInt32 = 1 << 0
    /// Is in a run queue, or its finder is about to put it there.
    public static let queued: UInt32 = 1 << 1
    /// A scheduler or a dirty thread has it.
    public static let running: UInt32 = 1 << 2
    /// suspendCount > 0: only signals are handled.
    public static let suspended: UInt32 = 1 << 3
    /// The outer queue holds signals that are no messages.
    public static let signals: UInt32 = 1 << 4
    /// Has begun to end; set by its own thread.
    public static let exiting: UInt32 = 1 << 5
    /// Takes no more signals; set once under the signal lock.
    public static let closed: UInt32 = 1 << 6
    /// The receive timeout has fired and was not yet seen.
    public static let timedOut: UInt32 = 1 << 7
    /// Belongs to the VM: survives init:restart, cannot be suspended.
    public static let system: UInt32 = 1 << 8
    /// In a garbage collection asked for by another process (shown as status garbage_collecting).
    public static let collecting: UInt32 = 1 << 9
    /// Something about the process is traced (Trace/Tracees.swift); set and cleared by whoever changes that.
    public static let traced: UInt32 = 1 << 10
    /// Waits for a dirty thread, or is on one: others handle its signals (Signals/DirtySignals.swift). Set by its scheduler,
    /// cleared by the dirty thread.
    public static let dirty: UInt32 = 1 << 11
    /// A dirty thread is at it.
    public static let dirtyRunning: UInt32 = 1 << 12
    /// Somebody handles the signals of a dirty process, which cannot go on meanwhile.
    public static let attended: UInt32 = 1 << 13
}

/// Bits of Process.flags.
@frozen public enum ProcessFlags {
    public static let trapExit: UInt32 = 1 << 0
    public static let sensitive: UInt32 = 1 << 1
    /// A native function wants the process to leave after its trap.
    public static let park: UInt32 = 1 << 2
    /// process_flag(async_dist, true)
    public static let asyncDistribution: UInt32 = 1 << 3
    public static let killOnHeapLimit: UInt32 = 1 << 4
    public static let reportHeapLimit: UInt32 = 1 << 5
    /// Left by hibernate/3; until the next time it waits, so it only says something of a process that does not run.
    public static let hibernating: UInt32 = 1 << 6
    /// Has a token of seq_trace.
    public static let sequential: UInt32 = 1 << 9
    /// Its stack may hold frames of traced calls.
    public static let tracedFrames: UInt32 = 1 << 8
    /// {monitor, ...}-like options said that the last slice ended in a wait.
    public static let schedulerBound: UInt32 = 1 << 7
    /// The block was nearly full after the last major collection: the next one makes it larger.
    public static let growHeap: UInt32 = 1 << 10
    /// It was left between two instructions to be collected, where no Location says where it is: it goes on before its
    /// signals are handled.
    public static let inside: UInt32 = 1 << 11
    /// Remembers its last calls (Trace/SavedCalls.swift).
    public static let savesCalls: UInt32 = 1 << 12
}

/// Priorities as stored in Process.priority; also indexes into run queues.
@frozen public enum ProcessPriority {
    public static let max: UInt8 = 0
    public static let high: UInt8 = 1
    public static let normal: UInt8 = 2
    public static let low: UInt8 = 3

    public static func atom(_ priority: UInt8) -> Term {
        switch priority {
        case max: Atoms.max
        case high: Atoms.high
        case low: Atoms.low
        default: Atoms.normal
        }
    }

    public static func of(_ atom: Term) -> UInt8? {
        switch atom {
        case Atoms.max: max
        case Atoms.high: high
        case Atoms.normal: normal
        case Atoms.low: low
        default: nil
        }
    }
}

extension UnsafeMutablePointer where Pointee == Process {
    /// The state as other threads left it.
    @inlinable public var state: UInt32 { vm_load_acquire32(&pointee.state) }
    /// Has begun to end, or must do so at once.
    @inlinable public var isExiting: Bool { state & ProcessState.exiting != 0 }
    @inlinable public var isTraced: Bool { state & ProcessState.traced != 0 }
    @inlinable public var trapsExits: Bool { pointee.flags & ProcessFlags.trapExit != 0 }

    @inline(__always) static func isRunnable(_ state: UInt32) -> Bool {
        state & ProcessState.signals != 0
            || state & (ProcessState.active | ProcessState.suspended) == ProcessState.active
    }

    /// Sets `bits`. True: the caller must push the process on a run queue.
    @inline(__always) func markRunnable(_ bits: UInt32) -> Bool {
        var old = state
        while true {
            // Whoever has or queues the process looks at the bits again before it lets go.
            if old & bits == bits, old & (ProcessState.queued | ProcessState.running) != 0 { return false }
            var new = old | bits
            let push = old & (ProcessState.queued | ProcessState.running) == 0 && Self.isRunnable(new)
            if push { new |= ProcessState.queued }
            let seen = vm_compare_exchange32(&pointee.state, old, new)
            if seen == old { return push }
            old = seen
        }
    }

    /// Clears `bits`. True: the caller must push the process (it became runnable by that).
    func clearState(_ bits: UInt32) -> Bool {
        var old = state
        while true {
            var new = old & ~bits
            let push = new & (ProcessState.queued | ProcessState.running) == 0 && Self.isRunnable(new)
            if push { new |= ProcessState.queued }
            let seen = vm_compare_exchange32(&pointee.state, old, new)
            if seen == old { return push }
            old = seen
        }
    }

    func setState(_ bits: UInt32) { _ = vm_fetch_or32(&pointee.state, bits) }

    /// Taken from a run queue: `queued` becomes `running`.
    func switchIn() {
        var old = state
        while true {
            let seen = vm_compare_exchange32(
                &pointee.state, old, (old & ~ProcessState.queued) | ProcessState.running)
            if seen == old { return }
            old = seen
        }
    }

    /// Lets go of a process that ran. True: it is runnable and the caller must push it.
    func switchOut() -> Bool {
        var old = state
        while true {
            var new = old & ~ProcessState.running
            let push = Self.isRunnable(new)
            if push { new |= ProcessState.queued }
            let seen = vm_compare_exchange32(&pointee.state, old, new)
            if seen == old { return push }
            old = seen
        }
    }

    /// Clears `active` unless the receive timeout has fired. Requires: the signal lock, an empty outer queue.
    func beginWaiting() -> Bool {
        var old = state
        while old & (ProcessState.timedOut | ProcessState.exiting) == 0 {
            let seen = vm_compare_exchange32(&pointee.state, old, old & ~ProcessState.active)
            if seen == old { return true }
            old = seen
        }
        return false
    }
}
