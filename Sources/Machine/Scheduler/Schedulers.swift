// Schedulers.swift: the scheduler threads: their structures, waking them, and where a runnable process goes.
//
// A sleeping thread is woken without loss: it sets `sleeping` and then looks at all queues once more; who pushes does so
// before looking at `sleeping`. Both looks are atomic read-modify-writes, so at least one side sees the other.

public import CMachine
import Glibc
public import Terms

public enum Schedulers {
    /// Normal schedulers first, then dirty CPU, then dirty I/O threads. Constant after boot.
    nonisolated(unsafe) private static var all: UnsafeMutablePointer<Scheduler>! = nil
    nonisolated(unsafe) public private(set) static var count = 0
    nonisolated(unsafe) public private(set) static var dirtyCPUCount = 0
    nonisolated(unsafe) public private(set) static var dirtyIOCount = 0
    nonisolated(unsafe) private static var started = false
    /// How many normal schedulers sleep; atomic, a hint.
    nonisolated(unsafe) private static var sleepers: UInt32 = 0
    /// Set when the VM stops: threads leave their loops. Atomic.
    nonisolated(unsafe) private static var stopping: UInt32 = 0
    /// Processes that threads without a scheduler made runnable go round; a hint.
    nonisolated(unsafe) private static var nextTarget: UInt32 = 0

    /// Threads of all kinds.
    public static var total: Int { count + dirtyCPUCount + dirtyIOCount }

    /// Makes the structures. Call once, before the first process is made.
    public static func boot(schedulers: Int, dirtyCPU: Int, dirtyIO: Int) {
        guard all == nil else { return }
        count = max(1, min(schedulers, 1000))
        dirtyCPUCount = max(1, min(dirtyCPU, count))
        dirtyIOCount = max(1, min(dirtyIO, 1024))
        let size = total * MemoryLayout<Scheduler>.stride
        guard let memory = calloc(1, size) else { outOfMemory(size) }
        all = memory.assumingMemoryBound(to: Scheduler.self)
        let now = Clock.tick()
        for index in 0..<total {
            let scheduler = all + index
            scheduler.pointee.index = UInt32(index)
            scheduler.pointee.isDirty = index < count ? 0 : index < count + dirtyCPUCount ? 1 : 2
            scheduler.timers.initializeWheel(index: index, now: now)
        }
    }

    /// Scheduler number `index`, counted from 0 over all kinds.
    public static func at(_ index: Int) -> Ref<Scheduler> { all + index }

    /// There are threads besides the caller's.
    static var isStarted: Bool { started }

    static var isStopping: Bool { vm_load_acquire32(&stopping) != 0 }

    /// Starts the threads; `run()` makes the calling thread scheduler 0.
    public static func run() -> Never {
        started = true
        for index in 1..<max(total, 1) { startThread(index) }
        schedulerMain(at(0))
        while true { pause() }
    }

    private static func startThread(_ index: Int) {
        let result = vm_start_thread(
            { argument in
                let scheduler = argument!.assumingMemoryBound(to: Scheduler.self)
                if scheduler.pointee.isDirty == 0 { schedulerMain(scheduler) } else { dirtyMain(scheduler) }
                return nil
            }, at(index), 8 << 20)
        guard result == 0 else {
            complain("enigma: cannot start a thread (error \(result))")
            exit(1)
        }
    }

    // MARK: - Runnable processes

    /// Puts a process where it will run: the caller's queue, for what it was woken by is in this CPU's cache, or in turn
    /// when the caller is no scheduler. Requires: the caller has set ProcessState.queued.
    @inline(__always) static func push(_ process: Ref<Process>, from scheduler: Ref<Scheduler>?) {
        if let scheduler, scheduler.pointee.isDirty == 0, !Online.isOff(scheduler) {
            let length = scheduler.queue.push(process)
            // The caller may be another thread that acts for a process of this scheduler (a port's, say).
            if vm_load_acquire32(&scheduler.pointee.sleeping) == 1 { wake(scheduler) }
            // The caller is busy with something: whoever idles may have it.
            if length > 1, vm_load_acquire32(&sleepers) > 0 { wakeOne(except: scheduler) }
            return
        }
        pushFromOutside(process)
    }

    @inline(never) private static func pushFromOutside(_ process: Ref<Process>) {
        let count = Online.normalCount
        var index = Int(vm_fetch_add32(&nextTarget, 1)) % count
        // Prefer a thread that idles.
        for offset in 0..<count where vm_load_acquire32(&at((index + offset) % count).pointee.sleeping) == 1 {
            index = (index + offset) % count
            break
        }
        _ = at(index).queue.push(process)
        wake(at(index))
    }

    /// Wakes a thread if it sleeps.
    static func wake(_ scheduler: Ref<Scheduler>) {
        if vm_compare_exchange32(&scheduler.pointee.sleeping, 1, 0) == 1 {
            vm_futex_wake(&scheduler.pointee.sleeping, 1)
        }
    }

    private static func wakeOne(except scheduler: Ref<Scheduler>) {
        let own = Int(scheduler.pointee.index)
        for offset in 1..<max(count, 2) {
            let other = at((own + offset) % count)
            if Online.isOff(other) { continue }
            if vm_compare_exchange32(&other.pointee.sleeping, 1, 0) == 1 {
                vm_futex_wake(&other.pointee.sleeping, 1)
                return
            }
        }
    }

    /// A process for an idle thread: from its own queue, or from the longest others'.
    static func findWork(_ scheduler: Ref<Scheduler>) -> Ref<Process>? {
        if let process = scheduler.queue.pop() { return process }
        let own = Int(scheduler.pointee.index)
        for offset in 1..<max(count, 2) {
            if let process = at((own + offset) % count).queue.steal() { return process }
        }
        return nil
    }

    private static var hasWork: Bool {
        for index in 0..<count where at(index).queue.length > 0 { return true }
        return false
    }

    /// Sleeps until there is work, a timer of this thread is due, or something woke it.
    static func sleep(_ scheduler: Ref<Scheduler>) {
        _ = vm_fetch_or32(&scheduler.pointee.sleeping, 1)
        _ = vm_fetch_add32(&sleepers, 1)
        let isBusy = Online.isOff(scheduler) ? scheduler.queue.length > 0 : hasWork || scheduler.pointee.resting == 1
        if !isBusy, !isStopping, !Blocking.isRequested {
            let next = scheduler.timers.nextTick
            var limit: Int64 = -1
            if next != UInt64.max {
                limit = next > UInt64(Int64.max) / 1_000_000 ? -1 : max(0, Int64(next) * 1_000_000 - Clock.sinceBoot())
            }
            if limit != 0 {
                let before = UInt64(Clock.osMonotonic())
                scheduler.addActive(until: before)
                vm_futex_wait(&scheduler.pointee.sleeping, 1, limit)
                vm_store_relaxed(&scheduler.pointee.activeSince, UInt64(Clock.osMonotonic()))
            }
        }
        _ = vm_fetch_sub32(&sleepers, 1)
        _ = vm_fetch_and32(&scheduler.pointee.sleeping, 0)
    }

    /// Which threads run Erlang code now: nil if the system cannot tell. For `haveLeft`.
    public static func noteSlices() -> [UInt64]? {
        // What this thread has stored is seen by every slice that starts from here on.
        guard vm_barrier_everywhere() else { return nil }
        return (0..<total).map { vm_load_acquire(&at($0).pointee.slices) }
    }

    /// Every slice that ran when `slices` was noted is over.
    public static func haveLeft(_ slices: [UInt64]) -> Bool {
        slices.indices.allSatisfy { slices[$0] & 1 == 0 || vm_load_acquire(&at($0).pointee.slices) != slices[$0] }
    }

    /// Total reductions of all threads.
    public static var reductions: UInt64 {
        var sum: UInt64 = 0
        for index in 0..<total { sum &+= vm_load_relaxed(&at(index).pointee.reductions) }
        return sum
    }

    /// Garbage collections of all processes, and the words they freed.
    static var collections: (count: UInt64, words: UInt64) {
        var sum: (count: UInt64, words: UInt64) = (0, 0)
        for index in 0..<total {
            sum.count &+= vm_load_relaxed(&at(index).pointee.collections)
            sum.words &+= vm_load_relaxed(&at(index).pointee.reclaimed)
        }
        return sum
    }

    public static var contextSwitches: UInt64 {
        var sum: UInt64 = 0
        for index in 0..<total { sum &+= vm_load_relaxed(&at(index).pointee.switches) }
        return sum
    }
}

extension UnsafeMutablePointer where Pointee == Scheduler {
    /// The thread stops working: what it did is added up. Only it writes the two fields; others read them.
    func addActive(until now: UInt64) {
        let worked = now &- pointee.activeSince
        vm_store_relaxed(&pointee.activeSince, 0)
        vm_store_relaxed(&pointee.activeTime, pointee.activeTime &+ worked)
    }

    /// A process was collected on this thread.
    @inline(__always) func countCollection(freed words: Int) {
        vm_store_relaxed(&pointee.collections, pointee.collections &+ 1)
        vm_store_relaxed(&pointee.reclaimed, pointee.reclaimed &+ UInt64(max(0, words)))
    }

    @inline(__always) var queue: Ref<RunQueue> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: RunQueue.self)
    }
    @inline(__always) var timers: Ref<TimerWheel> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Scheduler>.offset(of: \.timers)!)
            .assumingMemoryBound(to: TimerWheel.self)
    }
}
