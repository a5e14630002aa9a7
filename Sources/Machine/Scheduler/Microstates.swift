// Microstates.swift: statistics(microstate_accounting): what each thread spent its time with since the counting began. A
// thread counts itself what it spends on running processes and on collecting them; the rest of the time that it works is
// `other`, and what is left it slept. The threads have no other states here.

import CMachine
import Glibc
import Terms

enum Microstates {
    /// 1 while states are counted. Atomic; relaxed reads.
    nonisolated(unsafe) private static var on: UInt32 = 0
    /// Indexes of Scheduler.stateTime.
    static let emulator = 0
    static let collection = 1

    private struct Sample {
        var time: UInt64 = 0
        var worked: UInt64 = 0
        var emulator: UInt64 = 0
        var collection: UInt64 = 0
    }

    /// Guards what follows.
    nonisolated(unsafe) private static var lock = Lock()
    /// Where the counting of each thread began, and where it ended while it is off.
    nonisolated(unsafe) private static var start: [Sample] = []
    nonisolated(unsafe) private static var end: [Sample] = []

    @inline(__always) static var isOn: Bool { vm_load_acquire32(&on) != 0 }

    /// The time (ns) if states are counted, else 0.
    @inline(__always) static func begin() -> UInt64 { _slowPath(isOn) ? UInt64(Clock.osMonotonic()) : 0 }

    /// What began then counts as `state` on this thread.
    @inline(__always) static func end(_ start: UInt64, _ scheduler: Ref<Scheduler>?, _ state: Int) {
        if _slowPath(start != 0), let scheduler { add(start, scheduler, state) }
    }

    @inline(never) private static func add(_ start: UInt64, _ scheduler: Ref<Scheduler>, _ state: Int) {
        let field = scheduler.stateTimes + state
        vm_store_relaxed(field, field.pointee &+ (UInt64(Clock.osMonotonic()) &- start))
    }

    private static func sample(_ index: Int) -> Sample {
        let times = Schedulers.at(index).stateTimes
        let now = UInt64(Clock.osMonotonic())
        return Sample(
            time: now, worked: WallTime.work(index, now), emulator: vm_load_relaxed(times + emulator),
            collection: vm_load_relaxed(times + collection))
    }

    private static func samples() -> [Sample] { (0..<Schedulers.total).map { sample($0) } }

    /// Answers whether it was on.
    static func turn(on isWanted: Bool) -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        let wasOn = isOn
        if isWanted, !wasOn {
            // Goes on from where it stopped.
            let now = samples()
            for (index, sample) in now.enumerated() where index < start.count {
                start[index] = difference(sample, difference(end[index], start[index]))
            }
            if start.isEmpty { start = now }
        } else if !isWanted, wasOn {
            end = samples()
        }
        vm_store_release32(&on, isWanted ? 1 : 0)
        return wasOn
    }

    static func reset() -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        start = samples()
        end = start
        return isOn
    }

    private static func difference(_ a: Sample, _ b: Sample) -> Sample {
        Sample(
            time: a.time &- b.time, worked: a.worked &- b.worked, emulator: a.emulator &- b.emulator,
            collection: a.collection &- b.collection)
    }

    /// `[#{type => scheduler, id => 1, counters => #{emulator => N, ...}}, ...]`, in nanoseconds.
    static func list(_ heap: Ref<Heap>) -> Term {
        vm_lock(&lock)
        if start.isEmpty {
            start = samples()
            end = start
        }
        let until = isOn ? samples() : end
        let spent = zip(until, start).map { difference($0, $1) }
        vm_unlock(&lock)
        return heap.list(spent.enumerated().map { index, spent in thread(heap, index, spent) })
    }

    private static func thread(_ heap: Ref<Heap>, _ index: Int, _ spent: Sample) -> Term {
        let emulator = Int(spent.emulator) - Int(spent.collection)
        let other = Int(spent.worked) - Int(spent.emulator)
        let sleep = Int(spent.time) - Int(spent.worked)
        func count(_ value: Int) -> Term { heap.integer(max(0, value)) }
        let counters = map(
            heap,
            [
                (Atoms.aux, .small(0)), (Atoms.check_io, .small(0)), (Atoms.emulator, count(emulator)),
                (Atoms.gc, count(Int(spent.collection))), (Atoms.other, count(other)), (Atoms.port, .small(0)),
                (Atoms.sleep, count(sleep)),
            ])
        let isDirtyCPU = index >= Schedulers.count && index < Schedulers.count + Schedulers.dirtyCPUCount
        let type = index < Schedulers.count ? Atoms.scheduler : isDirtyCPU ? Atoms.dirty_cpu_scheduler : Atoms.dirty_io_scheduler
        let first = index < Schedulers.count ? 0 : isDirtyCPU ? Schedulers.count : Schedulers.count + Schedulers.dirtyCPUCount
        return map(heap, [(Atoms.counters, counters), (Atoms.id, .small(index - first + 1)), (Atoms.type, type)])
    }
}

extension UnsafeMutablePointer where Pointee == Scheduler {
    var stateTimes: UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Scheduler>.offset(of: \.stateTime).unsafelyUnwrapped)
            .assumingMemoryBound(to: UInt64.self)
    }
}
