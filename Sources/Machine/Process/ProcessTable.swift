// ProcessTable.swift: all processes by pid, and the memory they live in.
//
// A pid's 28 data bits are handed out in order until every slot was used once; then the oldest freed slot is reused
// with its data raised by the table size, so that a pid comes back as late as possible. Looking up takes no lock. What
// it answers may end at any moment: memory of a Process only ever becomes another Process, so a thread that acts on one
// takes its signalLock and compares `id` (and ProcessState.closed) again.

public import CMachine
import Glibc
public import Terms

public enum ProcessTable {
    /// Processes that may exist at once; a power of two, constant after boot.
    nonisolated(unsafe) public private(set) static var limit = 0
    private static let dataBits: UInt64 = 28

    /// Slots by `data & (limit - 1)`. Release store under `lock`.
    nonisolated(unsafe) private static var slots: UnsafeMutablePointer<UInt64>! = nil

    /// Protects everything below.
    nonisolated(unsafe) private static var lock = Lock()
    /// Ring of data values to hand out again, once `firstUnused` has reached `limit`.
    nonisolated(unsafe) private static var freed: UnsafeMutablePointer<UInt32>! = nil
    nonisolated(unsafe) private static var freedHead = 0
    nonisolated(unsafe) private static var freedTail = 0
    nonisolated(unsafe) private static var firstUnused = 0
    nonisolated(unsafe) private static var unused: Ref<Process>? = nil
    /// Also read without the lock.
    nonisolated(unsafe) private static var count: UInt64 = 0

    /// Makes the table. Call once.
    public static func boot(limit requested: Int = 262_144) {
        guard slots == nil else { return }
        limit = 1024
        while limit < min(requested, 134_217_727) { limit *= 2 }
        slots = reserve(limit * 8).assumingMemoryBound(to: UInt64.self)
        freed = reserve(limit * 4).assumingMemoryBound(to: UInt32.self)
    }

    private static func reserve(_ size: Int) -> UnsafeMutableRawPointer {
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { outOfMemory(size) }
        return memory
    }

    /// Bytes of the structures of all processes.
    static var structureBytes: Int { processCount * MemoryLayout<Process>.size }

    public static var processCount: Int { Int(vm_load_relaxed(&count)) }

    /// The process with this pid, if it has not ended. Requires: isLocalPid.
    @inline(__always) public static func find(_ pid: Term) -> Ref<Process>? {
        let slot = slots + Int(truncatingIfNeeded: pid.idData & UInt64(limit &- 1))
        guard let process = Ref<Process>(bitPattern: UInt(vm_load_acquire(slot))), process.pointee.id == pid
        else { return nil }
        return process
    }

    /// A process structure with a pid of its own, not yet in the table; nil if the table is full.
    static func allocate() -> (process: Ref<Process>, pid: Term)? {
        vm_lock(&lock)
        guard Int(count) < limit else {
            vm_unlock(&lock)
            return nil
        }
        count += 1
        let data: UInt64
        if firstUnused < limit {
            data = UInt64(firstUnused)
            firstUnused += 1
        } else {
            data = UInt64(freed[freedHead & (limit - 1)])
            freedHead += 1
        }
        let reused = unused
        unused = reused?.pointee.nextInQueue
        vm_unlock(&lock)
        return (reused ?? makeStructure(), .localPid(data))
    }

    private static func makeStructure() -> Ref<Process> {
        guard let memory = calloc(1, MemoryLayout<Process>.size) else { outOfMemory(MemoryLayout<Process>.size) }
        return memory.assumingMemoryBound(to: Process.self)
    }

    /// Makes a process visible. Requires: its id is set and it can take signals.
    static func publish(_ process: Ref<Process>) {
        let slot = slots + Int(process.pointee.id.idData & UInt64(limit - 1))
        vm_store_release(slot, UInt64(UInt(bitPattern: process)))
    }

    /// Takes a process out: no look-up finds it any more.
    static func withdraw(_ process: Ref<Process>) {
        vm_store_release(slots + Int(process.pointee.id.idData & UInt64(limit - 1)), 0)
    }

    /// Gives the pid and the structure back. Requires: withdrawn, closed, and owned by the caller.
    static func release(_ process: Ref<Process>) {
        let data = process.pointee.id.idData
        vm_lock(&process.pointee.signalLock)
        process.pointee.id = .none
        vm_unlock(&process.pointee.signalLock)
        vm_lock(&lock)
        freed[freedTail & (limit - 1)] = UInt32((data + UInt64(limit)) & (1 << dataBits - 1))
        freedTail += 1
        count -= 1
        process.pointee.nextInQueue = unused
        unused = process
        vm_unlock(&lock)
    }

    /// Calls `body` with the pid of every process that has not ended, in table order.
    public static func forEach(_ body: (Term, Ref<Process>) -> Void) {
        vm_lock(&lock)
        let used = firstUnused
        vm_unlock(&lock)
        for index in 0..<used {
            guard let process = Ref<Process>(bitPattern: UInt(vm_load_acquire(slots + index))) else { continue }
            let pid = process.pointee.id
            if !pid.isNone, Int(pid.idData & UInt64(limit - 1)) == index { body(pid, process) }
        }
    }
}
