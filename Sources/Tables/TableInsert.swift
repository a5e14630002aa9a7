// TableInsert.swift: putting objects into tables and taking them out: insert, insert_new, delete, delete_object and
// emptying.

import CMachine
import Machine
import Terms

let tableInsertBifs: [Bif] = [
    Bif("ets", "insert", 2, ets_insert_2),
    Bif("ets", "insert_new", 2, ets_insert_new_2),
    Bif("ets", "delete", 2, ets_delete_2),
    Bif("ets", "delete_object", 2, ets_delete_object_2),
    Bif("ets", "internal_delete_all", 2, ets_internal_delete_all_2),
]

func ets_insert_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    insert(process, arguments, onlyNew: false)
}

func ets_insert_new_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    insert(process, arguments, onlyNew: true)
}

private func insert(_ process: Ref<Process>, _ arguments: Arguments, onlyNew: Bool) -> Term {
    var object = arguments[1]
    if object.isCons {
        if !object.tail.isNil { return insertList(process, arguments, onlyNew) }
        object = object.head
    }
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .record) else { return .none }
    defer { locked.unlock() }
    if arguments[1].isNil { return Atoms.true }
    let table = locked.table
    guard object.isTuple, object.tupleSize >= table.pointee.keyPosition else { return process.badarg() }
    return put(object, table, onlyNew) ? Atoms.true : Atoms.false
}

@inline(__always) private func put(_ tuple: Term, _ table: Ref<Table>, _ onlyNew: Bool) -> Bool {
    let isOrdered = table.isOrdered
    let object = TableObject.make(tuple, inTree: isOrdered)
    if isOrdered { return table.treeInsert(object, onlyNew: onlyNew) }
    return table.hashInsert(object, onlyNew: onlyNew) == .inserted
}

/// All objects of a list at once: nobody sees only some of them.
private func insertList(_ process: Ref<Process>, _ arguments: Arguments, _ onlyNew: Bool) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .exclusive) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    let position = table.pointee.keyPosition
    var count = 0
    var list = arguments[1]
    let isHere = process.pointee.native == nil
    while list.isCons {
        // All at once means in one go, with the table locked: only the other schedulers must not wait.
        if isHere, count > 8000 { return process.goDirty(arguments) }
        guard list.head.isTuple, list.head.tupleSize >= position else { return process.badarg() }
        count += 1
        list = list.tail
    }
    guard list.isNil else { return process.badarg() }
    process.bump(count / 8)
    if onlyNew {
        list = arguments[1]
        while list.isCons {
            if table.hasKey(list.head.element(position - 1)) { return Atoms.false }
            list = list.tail
        }
    }
    if table.pointee.flags & TableFlags.bag != 0 || count > longList {
        putReversed(arguments[1], count, table)
        return Atoms.true
    }
    list = arguments[1]
    while list.isCons {
        _ = put(list.head, table, false)
        list = list.tail
    }
    return Atoms.true
}

/// Lists of which OTP 25 first makes a chain of all objects and then inserts them from its end. Programs see that in the
/// order of the objects of one key.
private let longList = 32_000

private func putReversed(_ objects: Term, _ count: Int, _ table: Ref<Table>) {
    let terms = UnsafeMutablePointer<Term>.allocate(capacity: count)
    defer { terms.deallocate() }
    var list = objects
    var index = 0
    while list.isCons {
        terms[index] = list.head
        index += 1
        list = list.tail
    }
    while index > 0 {
        index -= 1
        _ = put(terms[index], table, false)
    }
}

extension UnsafeMutablePointer where Pointee == Table {
    func hasKey(_ key: Term) -> Bool {
        isOrdered ? treeFind(key) != nil : withHashObject(key) { $0 != nil }
    }
}

// MARK: - Deleting

func ets_delete_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .record) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    if !table.isOrdered {
        table.hashDelete(arguments[1])
    } else if let object = table.treeFind(arguments[1]) {
        table.treeRemove(object)
        object.free(inTree: true)
    }
    return Atoms.true
}

func ets_delete_object_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .record) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    let object = arguments[1]
    let position = table.pointee.keyPosition
    guard object.isTuple, object.tupleSize >= position else { return process.badarg() }
    let key = object.element(position - 1)
    if !table.isOrdered {
        table.hashDelete(key, identicalTo: object)
    } else if let found = table.treeFind(key), termsIdentical(found.tuple, object) {
        table.treeRemove(found)
        found.free(inTree: true)
    }
    return Atoms.true
}

/// ets:delete_all_objects/1 and select_delete of everything: the number of objects there were.
func ets_internal_delete_all_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .exclusive) else { return .none }
    let table = locked.table
    if process.isLong(table.size / 10) {
        locked.unlock()
        return process.goLong(arguments)
    }
    let count = table.size
    if table.isOrdered || !table.isFixed {
        var contents = table.takeContents()
        locked.unlock()
        withUnsafeMutablePointer(to: &contents) { $0.freeContents() }
    } else {
        table.markAllDeleted()
        locked.unlock()
    }
    process.bump(count / 10)
    return .small(count)
}
