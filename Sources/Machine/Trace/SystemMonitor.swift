// SystemMonitor.swift: erlang:system_monitor: one process is told of long collections, big heaps and long slices. What is
// not asked for costs one look at a flag at a collection or slice. No process ever waits for a busy port here, so there is
// nothing to tell of those.

import CMachine
import Terms

let systemMonitorBifs: [Bif] = [
    Bif("erlang", "system_monitor", 0, erlang_system_monitor_0),
    Bif("erlang", "system_monitor", 1, erlang_system_monitor_1),
    Bif("erlang", "system_monitor", 2, erlang_system_monitor_2),
]

enum SystemMonitor {
    private struct Setting {
        var pid = Term.none
        /// ms, 0: not asked for.
        var longCollection = 0
        var longSlice = 0
        /// Words, 0: not asked for.
        var largeHeap = 0
        var busyPort = false
        var busyDistribution = false

        var isEmpty: Bool { longCollection | longSlice | largeHeap == 0 && !busyPort && !busyDistribution }
    }

    /// Guards `setting`.
    nonisolated(unsafe) private static var lock = Lock()
    nonisolated(unsafe) private static var setting = Setting()
    /// Which of the events somebody wants; atomic, relaxed reads: a hint.
    nonisolated(unsafe) private static var wanted: UInt32 = 0
    private static let collections: UInt32 = 1
    private static let slices: UInt32 = 2
    private static let anything: UInt32 = 4

    private static func locked<Result>(_ body: () -> Result) -> Result {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return body()
    }

    // MARK: Asked and changed by programs

    /// `{Pid, Options}` in OTP's order, or `undefined`.
    static func term(_ heap: Ref<Heap>) -> Term {
        let current = locked { setting }
        guard !current.pid.isNone else { return Atoms.undefined }
        func pair(_ key: Term, _ value: Int) -> Term? { value == 0 ? nil : heap.tuple(key, .small(value)) }
        let options: [Term?] = [
            current.busyDistribution ? Atoms.busy_dist_port : nil, current.busyPort ? Atoms.busy_port : nil,
            pair(Atoms.large_heap, current.largeHeap), pair(Atoms.long_schedule, current.longSlice),
            pair(Atoms.long_gc, current.longCollection),
        ]
        return heap.tuple(current.pid, heap.list(options.compactMap { $0 }))
    }

    private static func replace(_ new: Setting) {
        locked {
            setting = new.isEmpty ? Setting() : new
            let bits =
                (setting.longCollection | setting.largeHeap != 0 ? collections : 0) | (setting.longSlice != 0 ? slices : 0)
                | (setting.pid.isNone ? 0 : anything)
            vm_store_release32(&wanted, bits)
        }
    }

    /// Nil: a bad option.
    private static func parse(_ pid: Term, _ options: Term) -> Setting? {
        var new = Setting()
        new.pid = pid
        var rest = options
        while rest.isCons {
            let option = rest.head
            rest = rest.tail
            if option == Atoms.busy_port { new.busyPort = true; continue }
            if option == Atoms.busy_dist_port { new.busyDistribution = true; continue }
            guard option.isTuple(2), option.element(1).isSmall, option.element(1).smallValue >= 0 else { return nil }
            let value = option.element(1).smallValue
            switch option.element(0) {
            case Atoms.long_gc: new.longCollection = max(1, value)
            case Atoms.long_schedule: new.longSlice = max(1, value)
            case Atoms.large_heap: new.largeHeap = max(16_384, value)
            default: return nil
            }
        }
        return rest.isNil ? new : nil
    }

    /// Answers the setting before, or badarg.
    static func set(_ process: Ref<Process>, _ pid: Term, _ options: Term) -> Term {
        let old = term(process.heap)
        if pid == Atoms.undefined {
            replace(Setting())
            return old
        }
        guard let new = parse(pid, options) else { return process.badarg() }
        guard new.isEmpty || (pid.isLocalPid && ProcessTable.find(pid) != nil) else { return process.badarg() }
        replace(new)
        return old
    }

    /// A process ends.
    static func release(_ pid: Term) {
        guard vm_load_acquire32(&wanted) != 0, locked({ setting.pid }) == pid else { return }
        replace(Setting())
    }

    // MARK: Told by the machine

    /// The time (ns) if an event of this kind is wanted, else 0.
    @inline(__always) private static func begin(_ kind: UInt32) -> UInt64 {
        _slowPath(vm_load_acquire32(&wanted) & kind != 0) ? UInt64(Clock.osMonotonic()) : 0
    }
    @inline(__always) static func beginCollection() -> UInt64 { begin(collections) }
    @inline(__always) static func beginSlice() -> UInt64 { begin(slices) }

    private static func milliseconds(since start: UInt64) -> Int { (Int(Clock.osMonotonic()) - Int(start)) / 1_000_000 }

    /// A collection that began at `start` has ended.
    @inline(never) static func collected(_ process: Ref<Process>, _ start: UInt64) {
        let current = locked { setting }
        let pid = process.pointee.id
        guard !current.pid.isNone, current.pid != pid else { return }
        let time = milliseconds(since: start)
        if current.longCollection != 0, time >= current.longCollection {
            tell(current.pid, process, Atoms.long_gc) { heap in
                heap.cons(heap.tuple(Atoms.timeout, .small(time)), sizes(process, heap))
            }
        }
        let size = process.blockWords + process.oldWords + Int(process.pointee.heap.fragmentWords)
        if current.largeHeap != 0, size >= current.largeHeap {
            tell(current.pid, process, Atoms.large_heap) { sizes(process, $0) }
        }
    }

    private static func sizes(_ process: Ref<Process>, _ heap: Ref<Heap>) -> Term {
        func pair(_ key: Term, _ value: Int) -> Term { heap.tuple(key, .small(value)) }
        return heap.list([
            pair(Atoms.old_heap_block_size, process.oldWords), pair(Atoms.heap_block_size, process.blockWords),
            pair(Atoms.mbuf_size, Int(process.pointee.heap.fragmentWords)), pair(Atoms.stack_size, process.stackWords + 1),
            pair(Atoms.old_heap_size, process.oldUsed), pair(Atoms.heap_size, process.usedWords),
        ])
    }

    /// A process has run since `start`.
    @inline(never) static func ran(_ process: Ref<Process>, _ start: UInt64, hasEnded: Bool) {
        let current = locked { setting }
        let time = milliseconds(since: start)
        guard !current.pid.isNone, current.pid != process.pointee.id, current.longSlice != 0, time >= current.longSlice else {
            return
        }
        tell(current.pid, process, Atoms.long_schedule) { heap in
            let place = hasEnded || process.pointee.flags & ProcessFlags.inside != 0 ? nil : Whereabouts(process, isOwn: false)
            let out = place.map { heap.tuple($0.module, $0.name, .small($0.arity)) } ?? Atoms.undefined
            return heap.list([
                heap.tuple(Atoms.timeout, .small(time)), heap.tuple(Atoms.in_, Atoms.undefined), heap.tuple(Atoms.out, out),
            ])
        }
    }

    private static func tell(_ pid: Term, _ process: Ref<Process>, _ event: Term, _ build: (Ref<Heap>) -> Term) {
        sendBuilt(to: pid, from: .none, on: process.pointee.scheduler) { heap in
            heap.tuple(Atoms.monitor, process.pointee.id, event, build(heap))
        }
    }
}

func erlang_system_monitor_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { SystemMonitor.term(process.heap) }

/// `undefined | {Pid, Options}`
func erlang_system_monitor_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if arguments[0] == Atoms.undefined { return SystemMonitor.set(process, Atoms.undefined, .nil) }
    guard arguments[0].isTuple(2) else { return process.badarg() }
    return SystemMonitor.set(process, arguments[0].element(0), arguments[0].element(1))
}

func erlang_system_monitor_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    SystemMonitor.set(process, arguments[0], arguments[1])
}
