// TableLookup.swift: reading tables by key and key by key: lookup, lookup_element, member, take, first, next, last,
// prev, slot.

import CMachine
import Machine
import Terms

let tableLookupBifs: [Bif] = [
    Bif("ets", "lookup", 2, ets_lookup_2),
    Bif("ets", "lookup_element", 3, ets_lookup_element_3),
    Bif("ets", "member", 2, ets_member_2),
    Bif("ets", "take", 2, ets_take_2),
    Bif("ets", "first", 1, ets_first_1),
    Bif("ets", "next", 2, ets_next_2),
    Bif("ets", "last", 1, ets_last_1),
    Bif("ets", "prev", 2, ets_prev_2),
    Bif("ets", "slot", 2, ets_slot_2),
    Bif("erts_internal", "ets_raw_first", 1, erts_internal_ets_raw_first_1),
    Bif("erts_internal", "ets_raw_next", 2, erts_internal_ets_raw_next_2),
    Bif("erts_internal", "ets_lookup_binary_info", 2, erts_internal_ets_lookup_binary_info_2),
    Bif("erts_internal", "ets_super_user", 1, erts_internal_ets_super_user_1),
]

func ets_lookup_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    let heap = process.heap
    if table.isOrdered {
        guard let object = table.treeFind(arguments[1]) else { return .nil }
        return heap.cons(object.copy(to: heap), .nil)
    }
    return table.hashLookup(arguments[1], heap)
}

func ets_lookup_element_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    guard arguments[2].isSmall, arguments[2].smallValue >= 1 else { return process.badarg() }
    let position = arguments[2].smallValue
    let found: Term?
    if table.isOrdered {
        if let object = table.treeFind(arguments[1]) {
            found =
                position <= object.tuple.tupleSize ? copyOut(object.key(position), to: process.heap) : Term.none
        } else {
            found = nil
        }
    } else {
        found = table.hashLookupElement(arguments[1], position, process.heap)
    }
    guard let found else { return process.tableError(Atoms.badkey) }
    return found.isNone ? process.badarg() : found
}

func ets_member_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    let found =
        table.isOrdered ? table.treeFind(arguments[1]) != nil : table.withHashObject(arguments[1]) { $0 != nil }
    return found ? Atoms.true : Atoms.false
}

func ets_take_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .record) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    let heap = process.heap
    guard table.isOrdered else { return table.hashTake(arguments[1], heap) }
    guard let object = table.treeFind(arguments[1]) else { return .nil }
    let list = heap.cons(object.copy(to: heap), .nil)
    table.treeRemove(object)
    object.free(inTree: true)
    return list
}

// MARK: - Key by key

/// Key of a tree's object, or the end.
private func treeKey(_ object: TableObject?, _ table: Ref<Table>, _ heap: Ref<Heap>) -> Term {
    guard let object else { return Atoms.endOfTable }
    return copyOut(object.key(table.pointee.keyPosition), to: heap)
}

func ets_first_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    return table.isOrdered ? treeKey(table.treeFirst, table, process.heap) : table.hashFirstKey(process.heap)
}

func ets_last_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    return table.isOrdered ? treeKey(table.treeLast, table, process.heap) : table.hashFirstKey(process.heap)
}

func ets_next_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    if table.isOrdered { return treeKey(table.treeAfter(arguments[1]), table, process.heap) }
    return table.hashNextKey(arguments[1], process.heap) ?? process.badarg()
}

func ets_prev_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    if table.isOrdered { return treeKey(table.treeBefore(arguments[1]), table, process.heap) }
    return table.hashNextKey(arguments[1], process.heap) ?? process.badarg()
}

func ets_slot_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    guard arguments[1].isSmall, arguments[1].smallValue >= 0 else { return process.badarg() }
    let slot = arguments[1].smallValue
    guard table.isOrdered else { return table.hashSlot(slot, process.heap) ?? process.badarg() }
    if slot > table.size { return process.badarg() }
    if slot == table.size { return Atoms.endOfTable }
    var current = table.treeFirst
    var left = slot
    while left > 0, let object = current {
        current = object.successor
        left -= 1
    }
    process.bump(slot / 10)
    guard let object = current else { return Atoms.endOfTable }
    return process.heap.cons(object.copy(to: process.heap), .nil)
}

// MARK: - For ets:info(T, binary)

/// As first and next. Marked objects are skipped: their binaries are about to go.
func erts_internal_ets_raw_first_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    ets_first_1(process, arguments)
}

func erts_internal_ets_raw_next_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    ets_next_2(process, arguments)
}

/// The off-heap binaries of the objects with a key: a list of {Address, Bytes, References}; false without the key.
func erts_internal_ets_lookup_binary_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, .shared) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    let key = arguments[1]
    if table.isOrdered {
        guard let object = table.treeFind(key) else { return Atoms.false }
        return addBinaries(of: object, to: .nil, process.heap)
    }
    return table.withHashObject(key) { first in
        guard let first else { return Atoms.false }
        var list = Term.nil
        var current: TableObject? = first
        while let object = current, table.hasKey(object, key, first.hash) {
            if !object.isDeleted { list = addBinaries(of: object, to: list, process.heap) }
            current = table.isBag ? object.next : nil
        }
        return list
    }
}

private func addBinaries(of object: TableObject, to list: Term, _ heap: Ref<Heap>) -> Term {
    var list = list
    var next = Words(bitPattern: UInt(object.base[2]))
    while let handle = next {
        next = Words(bitPattern: UInt(handle[2]))
        guard Header.subtag(handle[0]) == Subtag.refcBinary else { continue }
        let binary = Ref<Binary>(bitPattern: UInt(handle[3])).unsafelyUnwrapped
        let entry = heap.tuple(
            heap.integer(unsigned: UInt64(UInt(bitPattern: binary))), heap.integer(unsigned: binary.pointee.capacity),
            heap.integer(unsigned: vm_load_acquire(binary.referencesField)))
        list = heap.cons(entry, list)
    }
    return list
}

func erts_internal_ets_super_user_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let own = process.pointee.id.raw
    switch arguments[0] {
    case Atoms.true:
        // One at a time: whoever comes second waits for nothing and simply has no more rights than before.
        _ = vm_compare_exchange(&TableRegistry.superUser, 0, own)
    case Atoms.false:
        _ = vm_compare_exchange(&TableRegistry.superUser, own, 0)
    default:
        return process.badarg()
    }
    return Atoms.ok
}
