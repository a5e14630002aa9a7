// Spawn.swift: making a process: its structure, its heap block with the arguments, and its place in the run queue.

public import CMachine
import Glibc
public import Terms

/// How a process is made; the defaults are those of spawn/3.
public struct SpawnOptions {
    public var link = false
    public var monitor = false
    /// Bits of MonitorFlags for {monitor, [{alias, ...}]}.
    var monitorFlags: UInt64 = 0
    var monitorTag: Term? = nil
    public var priority = ProcessPriority.normal
    public var minHeapWords = ProcessDefaults.minHeapWords
    public var minBinaryWords = ProcessDefaults.minBinaryWords
    public var maxHeapWords = ProcessDefaults.maxHeapWords
    public var maxHeapFlags = ProcessDefaults.maxHeapFlags
    public var fullSweepAfter = ProcessDefaults.fullSweepAfter
    public var offHeapMessages = ProcessDefaults.offHeapMessages
    public var isSystem = false
    /// Numbers of the monitor's reference, if it was made before.
    var monitorNumbers: (UInt64, UInt64)? = nil

    public init() {}
}

/// What system_flag and the command line set for new processes. Written by one system_flag call at a time.
public enum ProcessDefaults {
    nonisolated(unsafe) public static var minHeapWords = 233
    nonisolated(unsafe) public static var minBinaryWords = 46_422
    nonisolated(unsafe) public static var maxHeapWords = 0
    nonisolated(unsafe) public static var maxHeapFlags = ProcessFlags.killOnHeapLimit | ProcessFlags.reportHeapLimit
    nonisolated(unsafe) public static var fullSweepAfter = 65_535
    nonisolated(unsafe) public static var offHeapMessages = false

    public static func setMinimumHeap(_ words: Int) { minHeapWords = HeapSizes.fitting(max(words, HeapSizes.minimum)) }
    public static func setMinimumBinaries(_ words: Int) {
        minBinaryWords = words <= 46_422 ? 46_422 : HeapSizes.fitting(words)
    }
}

/// What spawning answers.
public struct Spawned {
    public let pid: Term
    /// The monitor's reference numbers, if one was asked for.
    public let monitor: (UInt64, UInt64)?
}

/// Makes a process that calls module:name(arguments...). Nil: the process table is full. Requires: `arguments` is a proper
/// list of `arity` (at most 255) elements. `parent` nil: the VM itself.
public func spawnProcess(
    _ parent: Ref<Process>?, _ module: Term, _ name: Term, _ arguments: Term, arity: Int, _ options: SpawnOptions
) -> Spawned? {
    guard let (process, pid) = ProcessTable.allocate() else { return nil }
    prepare(process, pid, options)
    // The first process leads itself and the others of the VM.
    let leader = parent?.pointee.groupLeader ?? .localPid(0)
    makeHeap(process, arguments, arity: arity, leader: leader, minWords: options.minHeapWords)
    process.pointee.pc = Exports.findOrMake(module, name, arity).pointee.entry
    process.pointee.initialModule = module
    process.pointee.initialName = name
    process.pointee.initialArity = UInt32(arity)
    process.pointee.parent = parent?.pointee.id ?? .none
    process.pointee.scheduler = parent?.pointee.scheduler
    var numbers: (UInt64, UInt64)? = nil
    if let parent {
        let parentId = parent.pointee.id
        if options.link {
            Links.add(parent, pid)
            Links.add(process, parentId)
        }
        if options.monitor {
            let isAlias = options.monitorFlags & MonitorFlags.alias != 0
            let reference = options.monitorNumbers ?? (isAlias
                ? References.makeAlias(parent.pointee.scheduler, of: parentId) : References.make(parent.pointee.scheduler))
            numbers = reference
            Monitors.addOrigin(
                parent, reference, target: pid, name: .none, flags: options.monitorFlags, tag: options.monitorTag)
            Monitors.addTarget(process, reference, watcher: parentId, name: .none)
        }
    }
    ProcessTable.publish(process)
    if let parent { SequentialTrace.inherit(process, from: parent) }
    Tracees.inherit(process, pid, from: parent, isLinked: options.link)
    if let parent, parent.isTraced || process.isTraced {
        Trace.spawned(parent, process, pid, (module, name, arguments), isLinked: options.link)
    }
    if process.markRunnable(ProcessState.active) { Schedulers.push(process, from: parent?.pointee.scheduler) }
    return Spawned(pid: pid, monitor: numbers)
}

/// Fresh fields. The structure may have been another process: threads that looked that one up may still take the signal
/// lock, so the lock itself stays as it is and the id appears under it.
private func prepare(_ process: Ref<Process>, _ pid: Term, _ options: SpawnOptions) {
    vm_lock(&process.pointee.signalLock)
    let base = UnsafeMutableRawPointer(process)
    let lockStart = MemoryLayout<Process>.offset(of: \.signalLock)!
    let lockEnd = lockStart + MemoryLayout<Lock>.size
    memset(base, 0, lockStart)
    memset(base + lockEnd, 0, MemoryLayout<Process>.size - lockEnd)
    process.initializeQueues()
    process.pointee.state = options.isSystem ? ProcessState.system : 0
    process.pointee.id = pid
    vm_unlock(&process.pointee.signalLock)
    process.pointee.savedX = process.inlineRegisters
    process.pointee.savedXCapacity = 6
    process.pointee.priority = options.priority
    process.pointee.queueData = options.offHeapMessages ? 1 : 0
    process.pointee.trace = .nil
    process.pointee.reason = .nil
    process.pointee.minHeapWords = UInt32(clamping: options.minHeapWords)
    process.pointee.minBinaryWords = UInt32(clamping: options.minBinaryWords)
    process.pointee.maxHeapWords = UInt64(options.maxHeapWords)
    process.pointee.flags = options.maxHeapFlags
    process.pointee.fullSweepAfter = UInt32(clamping: options.fullSweepAfter)
    process.pointee.binaryWordsLimit = UInt64(options.minBinaryWords)
    process.pointee.oldBinaryWordsLimit = UInt64(options.minBinaryWords)
    process.pointee.sliceReductions = sliceLength
    process.pointee.started = UInt64(bitPattern: Clock.monotonic())
}

/// The block, with copies of the arguments on the heap and in the saved x registers, and the address that ends the
/// process at the bottom of the stack.
private func makeHeap(_ process: Ref<Process>, _ arguments: Term, arity: Int, leader: Term, minWords: Int) {
    var size = flatSize(leader)
    var rest = arguments
    while rest.isCons {
        size += flatSize(rest.head)
        rest = rest.tail
    }
    let reserve = Int(stackReserve)
    let words = HeapSizes.fitting(max(minWords, size + 1 + reserve))
    let block = allocateWords(words)
    process.pointee.heapStart = block
    process.pointee.highWater = block
    process.pointee.stackEnd = block + words
    process.pointee.stackTop = block + words - 1
    process.pointee.stackTop[0] = UInt64(UInt(bitPattern: normalExitAddress))
    process.pointee.heap.top = block
    process.pointee.heap.limit = process.pointee.stackTop - reserve
    process.pointee.groupLeader = copyTerm(leader, to: process.heap)
    if arity > 6 { process.growSavedX(arity) }
    let registers = process.pointee.savedX.unsafelyUnwrapped
    rest = arguments
    for index in 0..<arity {
        registers[index] = copyTerm(rest.head, to: process.heap)
        rest = rest.tail
    }
    process.pointee.liveX = UInt32(arity)
}

extension UnsafeMutablePointer where Pointee == Process {
    var inlineRegisters: Ref<Term> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Process>.offset(of: \.inlineX)!)
            .assumingMemoryBound(to: Term.self)
    }

    func releaseSavedX() {
        if pointee.savedXCapacity > 6 { pointee.savedX?.deallocate() }
        pointee.savedX = nil
        pointee.savedXCapacity = 0
    }
}
