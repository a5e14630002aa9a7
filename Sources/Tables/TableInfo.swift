// TableInfo.swift: what ets:info tells, and the list of all tables.

import CMachine
import Glibc
import Machine
import Terms

let tableInfoBifs: [Bif] = [
    Bif("ets", "info", 1, ets_info_1),
    Bif("ets", "info", 2, ets_info_2),
    Bif("ets", "internal_request_all", 0, ets_internal_request_all_0),
]

func ets_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var cause = Term.none
    guard let locked = TableRegistry.acquire(process, arguments[0], .information, .shared, &cause) else {
        return cause == Atoms.id ? Atoms.undefined : process.tableError(cause)
    }
    defer { locked.unlock() }
    let heap = process.heap
    // The last of these comes first in the list.
    let items = (
        Atoms.protection, Atoms.keypos, Atoms.type, Atoms.named_table, Atoms.node, Atoms.size, Atoms.name, Atoms.heir,
        Atoms.owner, Atoms.memory, Atoms.compressed, Atoms.write_concurrency, Atoms.read_concurrency,
        Atoms.decentralized_counters, Atoms.id
    )
    var list = Term.nil
    withUnsafeBytes(of: items) { bytes in
        for item in bytes.bindMemory(to: Term.self) {
            list = heap.cons(heap.tuple(item, tableInfo(locked.table, item, heap)), list)
        }
    }
    return list
}

func ets_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if arguments[1] == Atoms.binary {
        let collector = Exports.findOrMake(Atoms.erts_internal, Atoms.ets_info_binary, 1)
        return process.trap(to: collector, arguments[0])
    }
    var cause = Term.none
    guard let locked = TableRegistry.acquire(process, arguments[0], .information, .shared, &cause) else {
        return cause == Atoms.id ? Atoms.undefined : process.tableError(cause)
    }
    defer { locked.unlock() }
    let result = tableInfo(locked.table, arguments[1], process.heap)
    return result.isNone ? process.badarg() : result
}

private func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

/// One item of information; none if there is no such item. Requires: the table is locked.
func tableInfo(_ table: Ref<Table>, _ item: Term, _ heap: Ref<Heap>) -> Term {
    let flags = table.pointee.flags
    switch item {
    case Atoms.size: return .small(table.size)
    case Atoms.memory: return .small(table.memoryWords)
    case Atoms.type:
        if flags & TableFlags.ordered != 0 { return Atoms.ordered_set }
        if flags & TableFlags.bag != 0 { return Atoms.bag }
        return flags & TableFlags.duplicateBag != 0 ? Atoms.duplicate_bag : Atoms.set
    case Atoms.owner: return table.pointee.owner
    case Atoms.heir: return table.pointee.heir
    case Atoms.protection:
        if flags & TableFlags.isPrivate != 0 { return Atoms.private }
        return flags & TableFlags.isPublic != 0 ? Atoms.public : Atoms.protected
    case Atoms.write_concurrency:
        if flags & TableFlags.explicitLocks != 0 {
            return heap.tuple(
                Atoms.debug_hash_fixed_number_of_locks, .small(Int(table.pointee.stripeMask) + 1))
        }
        if flags & TableFlags.automaticLocks != 0 { return Atoms.auto }
        return boolean(flags & TableFlags.writeConcurrency != 0)
    case Atoms.read_concurrency: return boolean(flags & TableFlags.readConcurrency != 0)
    case Atoms.name: return table.pointee.name
    case Atoms.keypos: return .small(table.pointee.keyPosition)
    case Atoms.node: return Nodes.local.pointee.name
    case Atoms.named_table: return boolean(table.isNamed)
    case Atoms.compressed: return boolean(flags & TableFlags.compressed != 0)
    case Atoms.id: return table.reference(heap)
    case Atoms.decentralized_counters: return boolean(flags & TableFlags.decentralizedCounters != 0)
    case Atoms.fixed: return boolean(table.isFixed)
    case Atoms.safe_fixed, Atoms.safe_fixed_monotonic_time: return fixationInfo(table, item, heap)
    case Atoms.stats: return chainStatistics(table, heap)
    default: return .none
    }
}

/// {Time, [{Pid, Count}]} of the fixations, or false.
private func fixationInfo(_ table: Ref<Table>, _ item: Term, _ heap: Ref<Heap>) -> Term {
    vm_lock(&table.pointee.fixationLock)
    defer { vm_unlock(&table.pointee.fixationLock) }
    guard table.isFixed else { return Atoms.false }
    var list = Term.nil
    var current = table.pointee.fixations
    while let fixation = current {
        list = heap.cons(heap.tuple(fixation.pointee.process, .small(fixation.pointee.count)), list)
        current = fixation.pointee.next
    }
    if item == Atoms.safe_fixed_monotonic_time { return heap.tuple(heap.integer(Int(table.pointee.fixTime)), list) }
    let microseconds = Int(table.pointee.fixSystemTime) / 1000
    let time = heap.tuple(
        .small(microseconds / 1_000_000_000_000), .small(microseconds / 1_000_000 % 1_000_000),
        .small(microseconds % 1_000_000))
    return heap.tuple(time, list)
}

/// {Buckets, Average, Deviation, ExpectedDeviation, Shortest, Longest, Kept, Locks} of a hash table's chains.
private func chainStatistics(_ table: Ref<Table>, _ heap: Ref<Heap>) -> Term {
    if table.isOrdered { return Atoms.false }
    var kept = 0
    var sum = 0
    var squares = 0
    var shortest = Int.max
    var longest = 0
    var walk = HashWalk(table, at: 0)
    while !walk.isDone {
        var length = 0
        var current = TableObject(walk.bucket.pointee)
        while let object = current {
            length += 1
            if object.isDeleted { kept += 1 }
            current = object.next
        }
        sum += length
        squares += length * length
        shortest = min(shortest, length)
        longest = max(longest, length)
        walk.advance()
    }
    let buckets = Int(table.pointee.active)
    let average = Double(sum) / Double(buckets)
    let variance = (Double(squares) - average * Double(sum)) / Double(max(buckets - 1, 1))
    let expected = (average * (1 - 1 / Double(buckets))).squareRoot()
    let (result, elements) = heap.makeTuple(8)
    elements[0] = Term.small(buckets).raw
    elements[1] = heap.float(average).raw
    elements[2] = heap.float(max(variance, 0).squareRoot()).raw
    elements[3] = heap.float(expected).raw
    elements[4] = Term.small(shortest).raw
    elements[5] = Term.small(longest).raw
    elements[6] = Term.small(kept).raw
    elements[7] = Term.small(Int(table.pointee.stripeMask) + 1).raw
    return result
}

/// ets:all/0 waits for one answer {Reference, Tables} from every scheduler; here the first answer has all tables and
/// the others none.
func ets_internal_request_all_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let heap = process.heap
    let reference = process.makeReference()
    var list = Term.nil
    vm_lock(&TableRegistry.lock)
    var current = TableRegistry.last
    while let table = current {
        // A table on the list keeps its name and its magic until it is taken off, which needs this lock.
        if table.isNamed {
            list = heap.cons(table.pointee.name, list)
        } else if table.pointee.magic != nil {
            list = heap.cons(table.reference(heap), list)
        }
        current = table.pointee.previous
    }
    vm_unlock(&TableRegistry.lock)
    for index in 0..<max(Schedulers.count, 1) {
        _ = sendMessage(from: process, to: process.pointee.id, heap.tuple(reference, index == 0 ? list : .nil))
    }
    return reference
}
