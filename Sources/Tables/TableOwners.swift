// TableOwners.swift: which process owns and which has fixed which tables, and what happens when it ends.
//
// A process's tables and fixations are found through a bucket of its pid. Order of locks: table, fixation lock, bucket;
// the registry's lock is the innermost. Nothing here calls into the scheduler with a lock held.

public import CMachine
import Glibc
import Machine
public import Terms

/// Whether a local pid names a process that has not begun to exit.
func isLivingProcess(_ pid: Term) -> Bool {
    guard let process = ProcessTable.find(pid) else { return false }
    return !process.isExiting
}

struct OwnerBucket {
    var lock = Lock()
    var padding: UInt32 = 0
    var tables: Ref<Table>?
    var fixations: Ref<Fixation>?
}

enum OwnerIndex {
    static let bucketCount = 1024
    /// Made with the first table; never moved. Written under the registry's lock.
    nonisolated(unsafe) static var buckets: Ref<OwnerBucket>?

    static func make() {
        vm_lock(&TableRegistry.lock)
        if buckets == nil {
            let memory = Ref<OwnerBucket>.allocate(capacity: bucketCount)
            memory.initialize(repeating: OwnerBucket(), count: bucketCount)
            buckets = memory
        }
        vm_unlock(&TableRegistry.lock)
    }

    /// Requires: `make` was called (a table exists).
    static func bucket(_ pid: Term) -> Ref<OwnerBucket> {
        buckets.unsafelyUnwrapped + Int(truncatingIfNeeded: pid.idData & UInt64(bucketCount - 1))
    }

    /// Puts a table on its owner's list.
    static func add(_ table: Ref<Table>) {
        let bucket = bucket(table.pointee.owner)
        vm_lock(&bucket.pointee.lock)
        table.pointee.previousOwned = nil
        table.pointee.nextOwned = bucket.pointee.tables
        bucket.pointee.tables?.pointee.previousOwned = table
        bucket.pointee.tables = table
        vm_unlock(&bucket.pointee.lock)
    }

    static func remove(_ table: Ref<Table>) {
        let bucket = bucket(table.pointee.owner)
        vm_lock(&bucket.pointee.lock)
        let next = table.pointee.nextOwned
        let previous = table.pointee.previousOwned
        next?.pointee.previousOwned = previous
        if let previous { previous.pointee.nextOwned = next } else { bucket.pointee.tables = next }
        table.pointee.nextOwned = nil
        table.pointee.previousOwned = nil
        vm_unlock(&bucket.pointee.lock)
    }

    static func firstTable(of pid: Term) -> Ref<Table>? {
        let bucket = bucket(pid)
        vm_lock(&bucket.pointee.lock)
        defer { vm_unlock(&bucket.pointee.lock) }
        var current = bucket.pointee.tables
        while let table = current {
            if table.pointee.owner == pid { return table }
            current = table.pointee.nextOwned
        }
        return nil
    }

    static func add(_ fixation: Ref<Fixation>) {
        let bucket = bucket(fixation.pointee.process)
        vm_lock(&bucket.pointee.lock)
        fixation.pointee.nextOfProcess = bucket.pointee.fixations
        bucket.pointee.fixations = fixation
        vm_unlock(&bucket.pointee.lock)
    }

    static func remove(_ fixation: Ref<Fixation>) {
        let bucket = bucket(fixation.pointee.process)
        vm_lock(&bucket.pointee.lock)
        defer { vm_unlock(&bucket.pointee.lock) }
        if bucket.pointee.fixations == fixation {
            bucket.pointee.fixations = fixation.pointee.nextOfProcess
            return
        }
        var current = bucket.pointee.fixations
        while let entry = current {
            if entry.pointee.nextOfProcess == fixation {
                entry.pointee.nextOfProcess = fixation.pointee.nextOfProcess
                return
            }
            current = entry.pointee.nextOfProcess
        }
    }

    static func firstFixedTable(of pid: Term) -> Ref<Table>? {
        let bucket = bucket(pid)
        vm_lock(&bucket.pointee.lock)
        defer { vm_unlock(&bucket.pointee.lock) }
        var current = bucket.pointee.fixations
        while let fixation = current {
            if fixation.pointee.process == pid { return fixation.pointee.table }
            current = fixation.pointee.nextOfProcess
        }
        return nil
    }
}

// MARK: - Fixing

extension UnsafeMutablePointer where Pointee == Table {
    /// One more fixation by the process. Requires: the table is locked.
    func fix(by process: Ref<Process>) {
        let pid = process.pointee.id
        vm_lock(&pointee.fixationLock)
        _ = vm_fetch_add(&pointee.fixCount, 1)
        if pointee.fixations == nil {
            pointee.fixTime = Clock.monotonic()
            pointee.fixSystemTime = Clock.system()
        }
        var current = pointee.fixations
        while let fixation = current {
            if fixation.pointee.process == pid {
                fixation.pointee.count += 1
                vm_unlock(&pointee.fixationLock)
                return
            }
            current = fixation.pointee.next
        }
        let fixation = Ref<Fixation>.allocate(capacity: 1)
        fixation.initialize(
            to: Fixation(next: pointee.fixations, nextOfProcess: nil, table: self, process: pid, count: 1))
        pointee.fixations = fixation
        OwnerIndex.add(fixation)
        vm_unlock(&pointee.fixationLock)
    }

    /// Takes back one fixation of the process (or all of them). Requires: the table is locked, for writing to records.
    func unfix(by pid: Term, all: Bool = false) {
        vm_lock(&pointee.fixationLock)
        var previous: Ref<Fixation>?
        var current = pointee.fixations
        while let fixation = current, fixation.pointee.process != pid {
            previous = fixation
            current = fixation.pointee.next
        }
        guard let fixation = current else {
            vm_unlock(&pointee.fixationLock)
            return
        }
        let taken = all ? fixation.pointee.count : 1
        fixation.pointee.count -= taken
        _ = vm_fetch_sub(&pointee.fixCount, UInt64(taken))
        if fixation.pointee.count == 0 {
            if let previous { previous.pointee.next = fixation.pointee.next } else { pointee.fixations = fixation.pointee.next }
            OwnerIndex.remove(fixation)
            fixation.deallocate()
        }
        vm_unlock(&pointee.fixationLock)
        if !isFixed, hasDeletions { purgeDeletions() }
    }

    /// Forgets all fixations. Requires: exclusive.
    func dropFixations() {
        vm_lock(&pointee.fixationLock)
        while let fixation = pointee.fixations {
            pointee.fixations = fixation.pointee.next
            OwnerIndex.remove(fixation)
            fixation.deallocate()
        }
        pointee.fixCount = 0
        vm_unlock(&pointee.fixationLock)
    }
}

// MARK: - Heirs

extension UnsafeMutablePointer where Pointee == Table {
    /// Requires: exclusive, or the table is not known yet.
    func setHeir(_ heir: Term, _ data: Term, _ process: Ref<Process>) {
        freeHeirData()
        let isAlive = heir == process.pointee.id || heir.isLocalPid && isLivingProcess(heir)
        pointee.heir = isAlive ? heir : Atoms.none
        guard isAlive else { return }
        if data.isImmediate {
            pointee.heirData = data
            return
        }
        var heap = Heap()
        pointee.heirData = copyTerm(data, to: &heap, copyLiterals: true)
        pointee.heirFragments = heap.fragments
        // Word 2 of the last object links to nothing else: keep the list in the fragment, which owns it.
        heap.fragments?.pointee.offHeap = heap.offHeap
    }

    func freeHeirData() {
        pointee.heirData = Atoms.undefined
        guard let first = pointee.heirFragments else { return }
        releaseOffHeap(first.pointee.offHeap)
        freeFragmentMemory(first)
        pointee.heirFragments = nil
    }

    /// Changes the owner. Requires: exclusive.
    func setOwner(_ pid: Term) {
        OwnerIndex.remove(self)
        pointee.owner = pid
        OwnerIndex.add(self)
    }
}

// MARK: - Ends

/// Deletes a table. Requires: `table` is locked exclusively; it is unlocked and gone afterwards. Answers about how many
/// reductions that took.
@discardableResult
func destroyTable(_ table: Ref<Table>) -> Int {
    let magic = table.pointee.magic.unsafelyUnwrapped
    table.pointee.flags &= ~TableFlags.protection
    TableRegistry.remove(table)
    vm_store_pointer(TableRegistry.dataField(magic), nil)
    table.pointee.magic = nil
    OwnerIndex.remove(table)
    table.freeHeirData()
    table.dropFixations()
    table.lock.unlockExclusive()
    UnsafeMutableRawPointer(magic).assumingMemoryBound(to: Binary.self).release()
    let objects = table.size
    if table.isOrdered {
        while !table.freeTree(limit: 1000) { _ = vm_breathe(100) }
    } else {
        var position: Int? = 0
        while let index = position {
            position = table.freeBuckets(from: index, limit: 1000)
            _ = vm_breathe(100)
        }
        table.destroyHash()
    }
    table.reset()
    TableRegistry.giveBack(table)
    return 1 + objects / 10
}

extension UnsafeMutablePointer where Pointee == Table {
    /// Makes all fields new except the lock.
    func reset() {
        var fresh = Table()
        fresh.lock = pointee.lock
        let tail = MemoryLayout<TableLock>.size
        withUnsafeBytes(of: &fresh) { bytes in
            _ = memcpy(
                UnsafeMutableRawPointer(self) + tail, bytes.baseAddress.unsafelyUnwrapped + tail,
                MemoryLayout<Table>.size - tail)
        }
    }
}

/// Called once when a process ends, after it ceased to count as alive and before its links and monitors hear of it:
/// its tables go to their heirs or are deleted, its fixations end.
public func tablesOwnerExit(_ process: Ref<Process>) {
    guard OwnerIndex.buckets != nil else { return }
    let pid = process.pointee.id
    while let table = OwnerIndex.firstTable(of: pid) {
        table.lock.lockExclusive()
        guard table.pointee.magic != nil, table.pointee.owner == pid else {
            table.lock.unlockExclusive()
            continue
        }
        if !giveToHeir(table, process) { process.bump(destroyTable(table)) }
    }
    while let table = OwnerIndex.firstFixedTable(of: pid) {
        table.lock.lockExclusive()
        if table.pointee.magic != nil { table.unfix(by: pid, all: true) }
        table.lock.unlockExclusive()
    }
}

/// Hands a table of the exiting process on; false, and still locked, if there is no living heir.
private func giveToHeir(_ table: Ref<Table>, _ process: Ref<Process>) -> Bool {
    let heir = table.pointee.heir
    guard heir.isLocalPid, heir != process.pointee.id, isLivingProcess(heir) else { return false }
    table.setOwner(heir)
    let data = copyOut(table.pointee.heirData, to: process.heap)
    let identifier = table.identifier(process.heap)
    table.lock.unlockExclusive()
    sendTransfer(process, heir, identifier, data)
    return true
}

/// Tells `receiver` that a table is its own now. If it ended meanwhile, its end may have missed the table.
func sendTransfer(_ process: Ref<Process>, _ receiver: Term, _ identifier: Term, _ data: Term) {
    _ = sendMessage(from: process, to: receiver, process.heap.tuple(Atoms.ETS_TRANSFER, identifier, process.pointee.id, data))
    guard !isLivingProcess(receiver) else { return }
    while let table = OwnerIndex.firstTable(of: receiver) {
        table.lock.lockExclusive()
        if table.pointee.magic != nil, table.pointee.owner == receiver {
            destroyTable(table)
        } else {
            table.lock.unlockExclusive()
        }
    }
}
