// SystemInfo.swift: erlang:system_info/1.

public import CMachine
import Glibc
public import Terms

/// What only the program's start knows. Set before the first process; constant afterwards.
public struct SystemFacts: Sendable {
    /// Emulator flags as system_info(emu_args) lists them.
    public var emulatorArguments: [String] = []
    public var releaseName = "25"
    public var version = "13.1.5"
    public var maxPorts = 65_536
    public var asyncThreads = 1
    public var correctsTime = true
    public var warpMode = "no_time_warp"
    public var portParallelism = false
    public var busyLimit = 1_048_576
    public var timingLevel: Int?
    public var compatibleRelease = 25
    public var ignoresBreak = false
    public init() {}
}
nonisolated(unsafe) public var systemFacts = SystemFacts()

/// Further keys: what tables, ports and the code server know. Answers no term for a key it does not know.
public enum SystemInfoHooks {
    nonisolated(unsafe) public static var tables: (@convention(thin) (Ref<Process>, Term) -> Term)? = nil
    nonisolated(unsafe) public static var ports: (@convention(thin) (Ref<Process>, Term) -> Term)? = nil
}

func erlang_system_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let key = arguments[0]
    if key == Atoms.scheduler_id {
        return .small(Int(process.pointee.scheduler.map { $0.pointee.index } ?? 0) + 1)
    }
    for result in [
        number(process.heap, key), constant(process.heap, key), composite(process.heap, key),
        SystemInfoHooks.tables?(process, key) ?? .none, SystemInfoHooks.ports?(process, key) ?? .none,
    ] where !result.isNone {
        return result
    }
    return process.badarg()
}

/// CPUs of the machine, and those this program may use.
private func processors() -> (all: Int, online: Int) {
    (Int(sysconf(Int32(_SC_NPROCESSORS_CONF))), Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

private func number(_ heap: Ref<Heap>, _ key: Term) -> Term {
    let value: Int
    switch key {
    case Atoms.schedulers: value = Schedulers.count
    case Atoms.schedulers_online: value = Online.schedulers
    case Atoms.dirty_cpu_schedulers: value = Schedulers.dirtyCPUCount
    case Atoms.dirty_cpu_schedulers_online: value = Online.dirtySchedulers
    case Atoms.dirty_io_schedulers: value = Schedulers.dirtyIOCount
    case Atoms.process_count: value = ProcessTable.processCount
    case Atoms.process_limit: value = ProcessTable.limit
    case Atoms.atom_count: value = AtomTable.atomCount
    case Atoms.atom_limit: value = AtomTable.limit
    case Atoms.port_count: value = PortHooks.count?() ?? 0
    case Atoms.port_limit: value = systemFacts.maxPorts
    case Atoms.logical_processors: value = processors().all
    case Atoms.logical_processors_online, Atoms.logical_processors_available: value = processors().online
    case Atoms.wordsize: value = 8
    case Atoms.compat_rel: value = systemFacts.compatibleRelease
    case Atoms.creation: value = Int(Nodes.local.pointee.creation)
    case Atoms.context_reductions: value = Int(sliceLength)
    case Atoms.start_time: return heap.integer(Int(Clock.start))
    case Atoms.end_time: return heap.integer(8_646_911_283_000_000_000)
    case Atoms.thread_pool_size: value = systemFacts.asyncThreads
    case Atoms.dist_buf_busy_limit: value = systemFacts.busyLimit
    case Atoms.trace_control_word: value = Int(vm_load_relaxed(&traceControlWord))
    case Atoms.outstanding_system_requests_limit: value = Int(vm_load_relaxed(&outstandingRequestsLimit))
    case Atoms.delayed_node_table_gc: value = 60
    default: return .none
    }
    return .small(value)
}

private func constant(_ heap: Ref<Heap>, _ key: Term) -> Term {
    switch key {
    case Atoms.otp_release: heap.string(systemFacts.releaseName)
    case Atoms.version: heap.string(systemFacts.version)
    case Atoms.machine: heap.string("BEAM")
    case Atoms.nif_version: heap.string("2.16")
    case Atoms.driver_version: heap.string("3.3")
    case Atoms.system_architecture: heap.string("x86_64-pc-linux-gnu")
    case Atoms.system_version: heap.string(systemVersionText())
    case Atoms.build_type, Atoms.emu_type: Atoms.opt
    case Atoms.emu_flavor: Atoms.emu
    case Atoms.heap_type: Atoms.private
    case Atoms.message_queue_data: ProcessDefaults.offHeapMessages ? Atoms.off_heap : Atoms.on_heap
    case Atoms.smp_support, Atoms.threads, Atoms.kernel_poll, Atoms.eager_check_io: Atoms.true
    case Atoms.time_correction: systemFacts.correctsTime ? Atoms.true : Atoms.false
    case Atoms.port_parallelism: systemFacts.portParallelism ? Atoms.true : Atoms.false
    case Atoms.break_ignored: systemFacts.ignoresBreak ? Atoms.true : Atoms.false
    case Atoms.debug_compiled, Atoms.lock_checking, Atoms.dynamic_trace_probes, Atoms.ets_realloc_moves,
        Atoms.ets_always_compress:
        Atoms.false
    case Atoms.beam_jump_table: Atoms.true
    case Atoms.dynamic_trace: Atoms.none
    case Atoms.modified_timing_level: systemFacts.timingLevel.map { Term.small($0) } ?? Atoms.undefined
    case Atoms.multi_scheduling: Online.multiScheduling
    case Atoms.multi_scheduling_blockers: Online.blockerList(heap, all: true)
    case Atoms.normal_multi_scheduling_blockers: Online.blockerList(heap, all: false)
    case Atoms.dist_ctrl, Atoms.taints: .nil
    case Atoms.scheduler_bind_type: Atoms.unbound
    case Atoms.time_offset: Atoms.final
    case Atoms.time_warp_mode: AtomTable.intern(systemFacts.warpMode)
    case Atoms.tolerant_timeofday: Atoms.enabled
    case Atoms.system_logger: Term(raw: vm_load_relaxed(&systemLogger))
    default: .none
    }
}

/// The banner of the shell.
func systemVersionText() -> String {
    let count = Schedulers.count
    let cpu = Schedulers.dirtyCPUCount
    return (
        "Erlang/OTP \(systemFacts.releaseName) [erts-\(systemFacts.version)] [source] [64-bit] [smp:\(count):\(Online.schedulers)] "
            + "[ds:\(cpu):\(Online.dirtySchedulers):\(Schedulers.dirtyIOCount)] [async-threads:\(systemFacts.asyncThreads)]\n")
}

private func composite(_ heap: Ref<Heap>, _ key: Term) -> Term {
    if key.isTuple(2), key.element(0) == Atoms.wordsize {
        return key.element(1) == Atoms.internal || key.element(1) == Atoms.external ? .small(8) : .none
    }
    if key.isTuple(2) { return keyed(heap, key.element(0), key.element(1)) }
    switch key {
    case Atoms.os_type: return heap.tuple(Atoms.unix, Atoms.linux)
    case Atoms.os_version: return kernelVersion(heap)
    case Atoms.cpu_topology: return cpuTopology(heap)
    case Atoms.update_cpu_info: return Atoms.unchanged
    case Atoms.c_compiler_used: return heap.tuple(Atoms.undefined, Atoms.undefined)
    case Atoms.allocator: return allocators(heap)
    case Atoms.alloc_util_allocators: return .nil
    case Atoms.allocated_areas: return allocatedAreas(heap)
    case Atoms.cpu_quota: return Atoms.unknown
    case Atoms.dist: return DumpSystem.binary(heap) { DumpSystem.writeDistribution($0) }
    case Atoms.info: return DumpSystem.binary(heap) { DumpSystem.writeInfo($0) }
    case Atoms.loaded: return DumpSystem.binary(heap) { DumpSystem.writeLoaded($0) }
    case Atoms.snifs: return nativeFunctions(heap)
    case Atoms.fullsweep_after: return heap.tuple(key, .small(ProcessDefaults.fullSweepAfter))
    case Atoms.min_heap_size: return heap.tuple(key, .small(ProcessDefaults.minHeapWords))
    case Atoms.min_bin_vheap_size: return heap.tuple(key, .small(ProcessDefaults.minBinaryWords))
    case Atoms.max_heap_size:
        return maxHeapMap(heap, size: ProcessDefaults.maxHeapWords, flags: ProcessDefaults.maxHeapFlags)
    case Atoms.garbage_collection:
        return heap.list([
            heap.tuple(Atoms.max_heap_size, .small(ProcessDefaults.maxHeapWords)),
            heap.tuple(Atoms.min_bin_vheap_size, .small(ProcessDefaults.minBinaryWords)),
            heap.tuple(Atoms.min_heap_size, .small(ProcessDefaults.minHeapWords)),
            heap.tuple(Atoms.fullsweep_after, .small(ProcessDefaults.fullSweepAfter)),
        ])
    case Atoms.heap_sizes: return heap.list((0..<HeapSizes.count).map { Term.small(HeapSizes[$0]) })
    case Atoms.sequential_tracer: return heap.tuple(Atoms.sequential_tracer, Term(raw: vm_load_relaxed(&SequentialTrace.tracer)))
    case Atoms.scheduler_bindings:
        let (term, elements) = heap.makeTuple(Schedulers.count)
        for index in 0..<Schedulers.count { elements[index] = Atoms.unbound.raw }
        return term
    case Atoms.emu_args: return heap.list(systemFacts.emulatorArguments.map { heap.string($0) })
    case Atoms.os_monotonic_time_source: return timeSource(heap, "CLOCK_MONOTONIC", Clock.osMonotonic(), isMonotonic: true)
    case Atoms.os_system_time_source: return timeSource(heap, "CLOCK_REALTIME", Clock.osSystem(), isMonotonic: false)
    default: return .none
    }
}

/// `{Major, Minor, Release}` of the running kernel.
private func kernelVersion(_ heap: Ref<Heap>) -> Term {
    var names = utsname()
    uname(&names)
    let release = withUnsafeBytes(of: &names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let numbers = release.split(separator: ".").map { Int($0.prefix { $0.isNumber }) ?? 0 } + [0, 0, 0]
    return heap.tuple(.small(numbers[0]), .small(numbers[1]), .small(numbers[2]))
}

private func timeSource(_ heap: Ref<Heap>, _ clock: String, _ time: Int64, isMonotonic: Bool) -> Term {
    var entries = [
        heap.tuple(Atoms.function, Atoms.clock_gettime),
        heap.tuple(Atoms.clock_id, AtomTable.intern(clock)),
        heap.tuple(Atoms.resolution, .small(1_000_000_000)),
    ]
    if isMonotonic { entries.append(heap.tuple(Atoms.extended, Atoms.no)) }
    entries.append(heap.tuple(Atoms.parallel, Atoms.yes))
    entries.append(heap.tuple(Atoms.time, heap.integer(Int(time))))
    return heap.list(entries)
}

/// Tables of the process BIFs; the machine registers them itself.
let processBifTables: [[Bif]] = [
    systemMonitorBifs, spawnBifs, signalBifs, processInfoBifs, timeBifs, systemBifs, memoryBifs, traceBifs, sequentialTraceBifs,
]
