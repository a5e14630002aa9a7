// Online.swift: how many threads run processes: schedulers_online, dirty_cpu_schedulers_online, multi_scheduling.
//
// A normal scheduler beyond the number gives away its queue and goes on firing its timers. While multi-scheduling is
// blocked one thread of each kind is left (of the normal ones only, if only they are blocked).

import CMachine
import Terms

public enum Online {
    /// How many threads of each kind run processes now. Atomic, written under `lock`.
    nonisolated(unsafe) private static var normal: UInt32 = 0
    nonisolated(unsafe) private static var dirtyCPU: UInt32 = 0
    nonisolated(unsafe) private static var dirtyIO: UInt32 = 0

    private struct Blocker {
        let pid: Term
        var all = 0
        var normal = 0
    }

    /// Guards what follows.
    nonisolated(unsafe) private static var lock = Lock()
    nonisolated(unsafe) private static var wanted = 0
    nonisolated(unsafe) private static var wantedDirty = 0
    nonisolated(unsafe) private static var blockers: [Blocker] = []
    /// Their number; atomic.
    nonisolated(unsafe) private static var blockerCount: UInt32 = 0

    private static func locked<Result>(_ body: () -> Result) -> Result {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return body()
    }

    /// At boot, after Schedulers.boot.
    static func boot(schedulers: Int, dirtyCPU: Int) {
        locked {
            wanted = max(1, min(schedulers, Schedulers.count))
            wantedDirty = max(1, min(dirtyCPU, Schedulers.dirtyCPUCount))
            apply()
        }
    }

    /// Requires: the lock.
    private static func apply() {
        let (all, some) = blocked()
        vm_store_release32(&normal, UInt32(some ? 1 : wanted))
        vm_store_release32(&dirtyCPU, UInt32(all ? 1 : wantedDirty))
        vm_store_release32(&dirtyIO, UInt32(all ? 1 : Schedulers.dirtyIOCount))
    }

    /// Whether all kinds, and whether normal schedulers are blocked. Requires: the lock.
    private static func blocked() -> (all: Bool, some: Bool) {
        (blockers.contains { $0.all > 0 }, !blockers.isEmpty)
    }

    // MARK: Asked by the threads

    @inline(__always) static var normalCount: Int { Int(vm_load_acquire32(&normal)) }
    @inline(__always) static func isOff(_ scheduler: Ref<Scheduler>) -> Bool {
        scheduler.pointee.index >= vm_load_acquire32(&normal)
    }
    static func isOffDirty(_ scheduler: Ref<Scheduler>) -> Bool {
        let index = Int(scheduler.pointee.index) - Schedulers.count
        return scheduler.pointee.isDirty == 1
            ? index >= Int(vm_load_acquire32(&dirtyCPU))
            : index - Schedulers.dirtyCPUCount >= Int(vm_load_acquire32(&dirtyIO))
    }

    /// The thread is one too many: gives away what it has and sleeps until there is something to do or its state changes.
    @inline(never) static func rest(_ scheduler: Ref<Scheduler>) {
        while let process = scheduler.queue.pop() { Schedulers.push(process, from: nil) }
        vm_store_release32(&scheduler.pointee.resting, 1)
        Schedulers.sleep(scheduler)
        if !isOff(scheduler) { vm_store_release32(&scheduler.pointee.resting, 0) }
    }

    /// No thread that should rest runs a process.
    static var isSettled: Bool {
        (normalCount..<max(Schedulers.count, normalCount)).allSatisfy {
            vm_load_acquire32(&Schedulers.at($0).pointee.resting) == 1
        }
    }

    // MARK: Changed and asked by programs

    public static var schedulers: Int { locked { wanted } }
    public static var dirtySchedulers: Int { locked { wantedDirty } }

    /// Answers the number before. The dirty CPU threads change in proportion, as in OTP.
    static func setSchedulers(_ number: Int) -> Int {
        let old = locked {
            let old = wanted
            let percent = number * (Schedulers.dirtyCPUCount * 100 / Schedulers.count) / old
            wantedDirty = max(1, min(wantedDirty * percent / 100, Schedulers.dirtyCPUCount))
            wanted = number
            apply()
            return old
        }
        wakeAll()
        return old
    }

    /// Nil: more than normal schedulers are online.
    static func setDirtySchedulers(_ number: Int) -> Int? {
        let old: Int? = locked {
            guard number <= wanted else { return nil }
            let old = wantedDirty
            wantedDirty = number
            apply()
            return old
        }
        wakeAll()
        return old
    }

    static func block(_ pid: Term, all: Bool) {
        locked {
            let index = blockers.firstIndex { $0.pid == pid } ?? blockers.count
            if index == blockers.count { blockers.append(Blocker(pid: pid)) }
            if all { blockers[index].all += 1 } else { blockers[index].normal += 1 }
            blockersChanged()
        }
        wakeAll()
    }

    static func unblock(_ pid: Term, all: Bool) {
        locked {
            guard let index = blockers.firstIndex(where: { $0.pid == pid }) else { return }
            if all, blockers[index].all > 0 { blockers[index].all -= 1 }
            if !all, blockers[index].normal > 0 { blockers[index].normal -= 1 }
            if blockers[index].all + blockers[index].normal == 0 { blockers.remove(at: index) }
            blockersChanged()
        }
        wakeAll()
    }

    /// A process ends: it blocks nothing any more.
    static func release(_ pid: Term) {
        guard vm_load_acquire32(&blockerCount) > 0 else { return }
        locked {
            blockers.removeAll { $0.pid == pid }
            blockersChanged()
        }
        wakeAll()
    }

    /// Requires: the lock.
    private static func blockersChanged() {
        vm_store_release32(&blockerCount, UInt32(blockers.count))
        apply()
    }

    static var multiScheduling: Term {
        let (all, some) = locked { blocked() }
        return all ? Atoms.blocked : some ? Atoms.blocked_normal : Atoms.enabled
    }

    /// Pids of those who block; none is named where there is but one scheduler.
    static func blockerList(_ heap: Ref<Heap>, all: Bool) -> Term {
        if Schedulers.count == 1 { return .nil }
        let pids = locked { blockers.filter { all ? $0.all > 0 : $0.normal > 0 }.map(\.pid) }
        return heap.list(pids)
    }

    private static func wakeAll() {
        for index in 0..<Schedulers.count { Schedulers.wake(Schedulers.at(index)) }
        Dirty.wakeAll()
    }
}
