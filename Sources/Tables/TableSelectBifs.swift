// TableSelectBifs.swift: ets:select and match in all their forms.
//
// Continuations have OTP's shapes. Hash tables: {Table, Bucket, Limit, Program, Rest, RestLength}, where Rest holds
// results found in the last bucket beyond the limit. Ordered sets: {Table, LastKey, End, Limit, Program, [], Reverse, 0}.

import CMachine
import Machine
import Terms

let tableSelectBifs: [Bif] = [
    Bif("ets", "select", 1, ets_select_1),
    Bif("ets", "select", 2, ets_select_2),
    Bif("ets", "select", 3, ets_select_3),
    Bif("ets", "select_reverse", 1, ets_select_1),
    Bif("ets", "select_reverse", 2, ets_select_reverse_2),
    Bif("ets", "select_reverse", 3, ets_select_reverse_3),
    Bif("ets", "match", 1, ets_select_1),
    Bif("ets", "match", 2, ets_match_2),
    Bif("ets", "match", 3, ets_match_3),
    Bif("ets", "match_object", 1, ets_select_1),
    Bif("ets", "match_object", 2, ets_match_object_2),
    Bif("ets", "match_object", 3, ets_match_object_3),
    Bif("ets", "select_count", 2, ets_select_count_2),
    Bif("ets", "select_replace", 2, ets_select_replace_2),
    Bif("ets", "internal_select_delete", 2, ets_internal_select_delete_2),
]

func ets_select_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    selectAll(process, arguments, arguments[1], reversed: false)
}

func ets_select_reverse_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    selectAll(process, arguments, arguments[1], reversed: true)
}

func ets_select_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    selectSome(process, arguments, arguments[1], arguments[2], reversed: false)
}

func ets_select_reverse_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    selectSome(process, arguments, arguments[1], arguments[2], reversed: true)
}

/// [{Pattern, [], [Result]}]
private func simpleSpecification(_ process: Ref<Process>, _ pattern: Term, _ result: Term) -> Term {
    let heap = process.heap
    return heap.cons(heap.tuple(pattern, .nil, heap.cons(result, .nil)), .nil)
}

func ets_match_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let specification = simpleSpecification(process, arguments[1], Atoms.dollarDollar)
    return selectAll(process, arguments, specification, reversed: false)
}

func ets_match_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let specification = simpleSpecification(process, arguments[1], Atoms.dollarDollar)
    return selectSome(process, arguments, specification, arguments[2], reversed: false)
}

func ets_match_object_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let specification = simpleSpecification(process, arguments[1], Atoms.dollarUnderscore)
    return selectAll(process, arguments, specification, reversed: false)
}

func ets_match_object_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let specification = simpleSpecification(process, arguments[1], Atoms.dollarUnderscore)
    return selectSome(process, arguments, specification, arguments[2], reversed: false)
}

// MARK: - Without a limit

/// Locks the table of a selection and makes the selection. Nil: answer `result`.
private func begin(
    _ process: Ref<Process>, _ arguments: Arguments, _ specification: Term, _ action: SelectAction, _ result: inout Term
) -> (LockedTable, Selection)? {
    let isReading = action == .collect || action == .count
    guard
        let locked = TableRegistry.acquire(
            process, arguments[0], isReading ? .read : .write, isReading ? .shared : .record)
    else { return nil }
    if process.isLong(locked.table.size) {
        locked.unlock()
        result = process.goLong(arguments)
        return nil
    }
    if action == .replace, locked.table.pointee.flags & TableFlags.bag != 0 {
        locked.unlock()
        result = process.tableError(Atoms.table_type)
        return nil
    }
    guard let selection = Selection.make(process, locked.table, specification, action) else {
        locked.unlock()
        return nil
    }
    return (locked, selection)
}

private func selectAll(_ process: Ref<Process>, _ arguments: Arguments, _ specification: Term, reversed: Bool) -> Term {
    var result = Term.none
    guard let (locked, selection) = begin(process, arguments, specification, .collect, &result) else { return result }
    defer { selection.program.free() }
    var traversal = Traversal(process, locked, selection.program, .collect)
    defer { traversal.end() }
    // The list grows at its front, so the objects are taken in the opposite order.
    traversal.visitAll(selection, ascending: reversed)
    process.bump(traversal.visited)
    return traversal.isBroken ? .none : traversal.list
}

func ets_select_count_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    count(process, arguments, .count)
}

func ets_select_replace_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    count(process, arguments, .replace)
}

func ets_internal_select_delete_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    count(process, arguments, .delete)
}

private func count(_ process: Ref<Process>, _ arguments: Arguments, _ action: SelectAction) -> Term {
    var result = Term.none
    guard let (locked, selection) = begin(process, arguments, arguments[1], action, &result) else { return result }
    defer { selection.program.free() }
    var traversal = Traversal(process, locked, selection.program, action)
    defer { traversal.end() }
    traversal.visitAll(selection, ascending: true)
    process.bump(traversal.visited)
    if traversal.isBroken { return .none }
    let table = traversal.table
    if action == .delete, !table.isOrdered, table.size < table.pointee.shrinkLimit, !table.isFixed {
        table.shrink(table.size)
    }
    return .small(traversal.found)
}

// MARK: - With a limit

private func selectSome(
    _ process: Ref<Process>, _ arguments: Arguments, _ specification: Term, _ limit: Term, reversed: Bool
) -> Term {
    let identifier = arguments[0]
    var result = Term.none
    guard limit.isSmall, limit.smallValue > 0 else {
        guard let locked = TableRegistry.acquire(process, identifier, .read, .shared) else { return .none }
        locked.unlock()
        return process.badarg()
    }
    guard let (locked, selection) = begin(process, arguments, specification, .collect, &result) else { return result }
    var traversal = Traversal(process, locked, selection.program, .collect)
    var isKept = false
    defer {
        traversal.end()
        if !isKept { selection.program.free() }
        process.bump(traversal.visited)
    }
    let program = ProgramOwner {
        isKept = true
        return MatchReference.make(selection.program, process)
    }
    if locked.table.isOrdered {
        return firstNodes(process, locked.table, selection, &traversal, identifier, limit, reversed, program)
    }
    switch selection.knowledge {
    case .impossible: return Atoms.endOfTable
    case .keys:
        traversal.visit(keys: selection.keys)
        if traversal.visited == 0 { return Atoms.endOfTable }
        return hashResult(process, locked.table, &traversal, -1, identifier, limit, isFirst: true, program)
    default:
        let next = traversal.visitBuckets(from: 0, limit: limit.smallValue)
        return hashResult(process, locked.table, &traversal, next, identifier, limit, isFirst: true, program)
    }
}

/// Makes the term that owns the program when a continuation needs it.
private struct ProgramOwner {
    let make: () -> Term
    init(_ make: @escaping () -> Term) { self.make = make }
}

/// The table of a continuation: a name may be taken by another table, so it is a reference.
private func continuationTable(_ identifier: Term, _ table: Ref<Table>, _ heap: Ref<Heap>) -> Term {
    identifier.isAtom ? table.reference(heap) : identifier
}

private func hashResult(
    _ process: Ref<Process>, _ table: Ref<Table>, _ traversal: inout Traversal, _ next: Int, _ identifier: Term,
    _ limit: Term, isFirst: Bool, _ program: ProgramOwner
) -> Term {
    if traversal.isBroken { return .none }
    let heap = process.heap
    let most = limit.smallValue
    var results = traversal.list
    var rest = Term.nil
    var restLength = 0
    while traversal.found - restLength > most {
        rest = heap.cons(results.head, rest)
        results = results.tail
        restLength += 1
    }
    if isFirst, restLength > 0 {
        // As in OTP the first call keeps the order in which the rest was found.
        var reversed = Term.nil
        while rest.isCons {
            reversed = heap.cons(rest.head, reversed)
            rest = rest.tail
        }
        rest = reversed
    }
    if restLength == 0, next < 0 {
        return results.isNil ? Atoms.endOfTable : heap.tuple(results, Atoms.endOfTable)
    }
    let (continuation, elements) = heap.makeTuple(6)
    elements[0] = continuationTable(identifier, table, heap).raw
    elements[1] = Term.small(next).raw
    elements[2] = limit.raw
    elements[3] = program.make().raw
    elements[4] = rest.raw
    elements[5] = Term.small(restLength).raw
    return heap.tuple(results, continuation)
}

private func firstNodes(
    _ process: Ref<Process>, _ table: Ref<Table>, _ selection: Selection, _ traversal: inout Traversal,
    _ identifier: Term, _ limit: Term, _ reversed: Bool, _ program: ProgramOwner
) -> Term {
    var start = reversed ? table.treeLast : table.treeFirst
    var end: Term?
    switch selection.knowledge {
    case .impossible: return Atoms.endOfTable
    case .keys:
        if let object = table.treeFind(selection.keys[0]) { traversal.visit(node: object) }
        if traversal.list.isNil { return Atoms.endOfTable }
        return process.heap.tuple(traversal.list, Atoms.endOfTable)
    case .nothing: break
    case .range(let from, let to):
        start = reversed ? table.treeLast(in: to) : table.treeFirst(in: from)
        end = reversed ? from : to
    }
    let last = traversal.visitNodes(from: start, to: end, ascending: !reversed, limit: limit.smallValue)
    return treeResult(process, table, traversal, last, identifier, end, limit, reversed, program)
}

private func treeResult(
    _ process: Ref<Process>, _ table: Ref<Table>, _ traversal: Traversal, _ last: TableObject?, _ identifier: Term,
    _ end: Term?, _ limit: Term, _ reversed: Bool, _ program: ProgramOwner
) -> Term {
    if traversal.isBroken { return .none }
    let heap = process.heap
    if traversal.found == 0 { return Atoms.endOfTable }
    var results = Term.nil
    var list = traversal.list
    while list.isCons {
        results = heap.cons(list.head, results)
        list = list.tail
    }
    guard let last else { return heap.tuple(results, Atoms.endOfTable) }
    let (continuation, elements) = heap.makeTuple(8)
    elements[0] = identifier.raw
    elements[1] = copyOut(last.key(table.pointee.keyPosition), to: heap).raw
    elements[2] = (end ?? .nil).raw
    elements[3] = limit.raw
    elements[4] = program.make().raw
    elements[5] = Term.nil.raw
    elements[6] = Term.small(reversed ? 1 : 0).raw
    elements[7] = Term.small(0).raw
    return heap.tuple(results, continuation)
}

/// select/1, select_reverse/1, match/1, match_object/1.
func ets_select_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let continuation = arguments[0]
    if continuation == Atoms.endOfTable { return continuation }
    guard continuation.isTuple, continuation.tupleSize >= 1 else { return process.badarg() }
    guard let locked = TableRegistry.acquire(process, continuation.element(0), .read, .shared) else { return .none }
    if process.isLong(locked.table.size) {
        locked.unlock()
        return process.goLong(arguments)
    }
    let isValid = locked.table.isOrdered ? isTreeContinuation(continuation) : isHashContinuation(continuation)
    guard isValid, let program = MatchReference.program(continuation.element(locked.table.isOrdered ? 4 : 3)) else {
        locked.unlock()
        return process.badarg()
    }
    var traversal = Traversal(process, locked, program, .collect)
    defer { traversal.end() }
    return locked.table.isOrdered
        ? continueTree(process, &traversal, continuation) : continueHash(process, &traversal, continuation)
}

private func isHashContinuation(_ continuation: Term) -> Bool {
    continuation.tupleSize == 6 && continuation.element(1).isSmall && continuation.element(2).isSmall
        && continuation.element(2).smallValue > 0 && continuation.element(4).isList && continuation.element(5).isSmall
        && continuation.element(5).smallValue >= 0
        && hasLength(continuation.element(4), continuation.element(5).smallValue)
}

private func isTreeContinuation(_ continuation: Term) -> Bool {
    continuation.tupleSize == 8 && continuation.element(3).isSmall && continuation.element(3).smallValue > 0
        && continuation.element(5).isList && continuation.element(6).isSmall && continuation.element(7).isSmall
}

private func continueHash(_ process: Ref<Process>, _ traversal: inout Traversal, _ continuation: Term) -> Term {
    let table = traversal.table
    let bucket = continuation.element(1).smallValue
    let limit = continuation.element(2)
    let found = continuation.element(5).smallValue
    traversal.list = continuation.element(4)
    traversal.found = found
    let owner = ProgramOwner { continuation.element(3) }
    let identifier = continuation.element(0)
    if bucket < 0 || found >= limit.smallValue {
        return hashResult(process, table, &traversal, bucket, identifier, limit, isFirst: false, owner)
    }
    // The table may have shrunk since, if nobody fixed it.
    guard bucket < Int(vm_load_acquire(&table.pointee.active)) else { return process.badarg() }
    let next = traversal.visitBuckets(from: bucket, limit: limit.smallValue)
    process.bump(traversal.visited)
    return hashResult(process, table, &traversal, next, identifier, limit, isFirst: false, owner)
}

/// Whether a list has at least `count` cells: the continuation may be forged.
private func hasLength(_ list: Term, _ count: Int) -> Bool {
    var current = list
    var left = count
    while left > 0, current.isCons {
        left -= 1
        current = current.tail
    }
    return left == 0
}

private func continueTree(_ process: Ref<Process>, _ traversal: inout Traversal, _ continuation: Term) -> Term {
    let table = traversal.table
    let limit = continuation.element(3)
    let reversed = continuation.element(6).smallValue != 0
    let key = continuation.element(1)
    let end: Term? = continuation.element(2).isNil ? nil : continuation.element(2)
    let start = reversed ? table.treeBefore(key) : table.treeAfter(key)
    let last = traversal.visitNodes(from: start, to: end, ascending: !reversed, limit: limit.smallValue)
    process.bump(traversal.visited)
    let owner = ProgramOwner { continuation.element(4) }
    return treeResult(process, table, traversal, last, continuation.element(0), end, limit, reversed, owner)
}
