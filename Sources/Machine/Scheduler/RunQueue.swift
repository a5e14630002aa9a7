// RunQueue.swift: the processes that wait for a scheduler, first in first out in each of four priorities. `max` and
// `high` go first; `low` takes part only at every eighth turn while there are `normal` ones. All functions take the
// queue's lock.

import CMachine
import Terms

extension UnsafeMutablePointer where Pointee == RunQueue {
    private var first: Ref<Ref<Process>?> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<RunQueue>.offset(of: \.first)!)
            .assumingMemoryBound(to: Ref<Process>?.self)
    }
    private var last: Ref<Ref<Process>?> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<RunQueue>.offset(of: \.last)!)
            .assumingMemoryBound(to: Ref<Process>?.self)
    }
    private var counts: Ref<UInt32> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<RunQueue>.offset(of: \.counts)!)
            .assumingMemoryBound(to: UInt32.self)
    }

    /// Processes in the queue; without the lock only a hint.
    @inline(__always) var length: UInt32 { vm_load_acquire32(&pointee.length) }

    /// Appends a process; answers the new length. Requires: the caller has set ProcessState.queued.
    func push(_ process: Ref<Process>) -> UInt32 {
        let priority = Int(process.pointee.priority)
        process.pointee.nextInQueue = nil
        vm_lock(&pointee.lock)
        if let tail = last[priority] { tail.pointee.nextInQueue = process } else { first[priority] = process }
        last[priority] = process
        counts[priority] &+= 1
        let length = pointee.length &+ 1
        vm_store_release32(&pointee.length, length)
        vm_unlock(&pointee.lock)
        return length
    }

    /// Takes the process whose turn it is.
    func pop() -> Ref<Process>? {
        guard length > 0 else { return nil }
        vm_lock(&pointee.lock)
        defer { vm_unlock(&pointee.lock) }
        return take(nextPriority())
    }

    /// The same for a thief, who stays away while the owner is at it.
    func steal() -> Ref<Process>? {
        guard length > 0, vm_try_lock(&pointee.lock) else { return nil }
        defer { vm_unlock(&pointee.lock) }
        return take(nextPriority())
    }

    private func nextPriority() -> Int {
        if first[0] != nil { return 0 }
        if first[1] != nil { return 1 }
        guard first[3] != nil else { return 2 }
        guard first[2] != nil else { return 3 }
        pointee.lowSkips &+= 1
        return pointee.lowSkips & 7 == 0 ? 3 : 2
    }

    private func take(_ priority: Int) -> Ref<Process>? {
        guard let process = first[priority] else { return nil }
        first[priority] = process.pointee.nextInQueue
        if first[priority] == nil { last[priority] = nil }
        process.pointee.nextInQueue = nil
        counts[priority] &-= 1
        vm_store_release32(&pointee.length, pointee.length &- 1)
        return process
    }

    /// Lengths by priority, as statistics show them.
    func lengths() -> (Int, Int, Int, Int) {
        vm_lock(&pointee.lock)
        defer { vm_unlock(&pointee.lock) }
        return (Int(counts[0]), Int(counts[1]), Int(counts[2]), Int(counts[3]))
    }
}
