// WallTime.swift: statistics(scheduler_wall_time): how long each thread worked since the counting was turned on.

import CMachine
import Glibc
import Terms

enum WallTime {
    /// When the counting began (ns), 0 while it is off. Atomic.
    nonisolated(unsafe) private static var since: UInt64 = 0
    /// Work of each thread before that (ns), written before `since`.
    nonisolated(unsafe) private static var before: UnsafeMutablePointer<UInt64>?

    /// Answers whether it was on. Two callers at once only disturb the figures.
    static func turn(on: Bool) -> Bool {
        let wasOn = vm_load_acquire(&since) != 0
        if on, !wasOn {
            let base = before ?? .allocate(capacity: Schedulers.total)
            let now = UInt64(Clock.osMonotonic())
            for index in 0..<Schedulers.total { base[index] = work(index, now) }
            before = base
            vm_store_release(&since, now)
        } else if !on {
            vm_store_release(&since, 0)
        }
        return wasOn
    }

    /// Time that thread `index` has worked so far.
    static func work(_ index: Int, _ now: UInt64) -> UInt64 {
        let scheduler = Schedulers.at(index)
        let done = vm_load_relaxed(&scheduler.pointee.activeTime)
        let start = vm_load_relaxed(&scheduler.pointee.activeSince)
        return start == 0 || start > now ? done : done &+ (now &- start)
    }

    /// `[{Id, Active, Total}]`, or `undefined` while it is off. Dirty I/O threads only `withIO`.
    static func list(_ heap: Ref<Heap>, withIO: Bool) -> Term {
        let start = vm_load_acquire(&since)
        guard start != 0, let before else { return Atoms.undefined }
        let now = UInt64(Clock.osMonotonic())
        let count = withIO ? Schedulers.total : Schedulers.count + Schedulers.dirtyCPUCount
        let total = now &- start
        return heap.list(
            (0..<count).map { index in
                let worked = work(index, now)
                let active = min(total, worked > before[index] ? worked - before[index] : 0)
                return heap.tuple(.small(index + 1), .small(Int(active)), .small(Int(total)))
            })
    }
}
