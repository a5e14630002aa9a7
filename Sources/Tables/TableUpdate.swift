// TableUpdate.swift: changing elements of one object in place: update_element, update_counter.
//
// The object is looked up once and stays locked until it is changed. All requests are checked before the first is
// carried out. Where old and new values are immediate the object is changed where it is; otherwise a new one replaces it.

import CMachine
import Machine
import Terms

let tableUpdateBifs: [Bif] = [
    Bif("ets", "update_element", 3, ets_update_element_3),
    Bif("ets", "update_counter", 3, ets_update_counter_3),
    Bif("ets", "update_counter", 4, ets_update_counter_4),
]

/// One key's object in a set, held for a change. `object` is nil if the key is not there.
struct HeldObject {
    let table: Ref<Table>
    let key: Term
    private(set) var object: TableObject?
    private let hash: UInt32
    private let link: Bucket?

    /// Requires: the table is a set or ordered set, locked for writing to records.
    init(_ table: Ref<Table>, _ key: Term) {
        self.table = table
        self.key = key
        guard !table.isOrdered else {
            hash = 0
            link = nil
            object = table.treeFind(key)
            return
        }
        hash = tableHash(key)
        table.lockStripe(table.stripe(hash))
        var place = table.bucket(table.bucketIndex(hash))
        while let found = TableObject(place.pointee), !table.hasKey(found, key, hash) { place = found.base }
        link = place
        if let found = TableObject(place.pointee), !found.isDeleted { object = found } else { object = nil }
    }

    /// Puts `tuple`, which has the held key, in the place of the object, or makes it the key's object.
    mutating func store(_ tuple: Term) {
        let fresh = TableObject.make(tuple, inTree: table.isOrdered)
        guard let link else {
            if let object { table.treeReplace(object, by: fresh) } else { _ = table.treeInsert(fresh, onlyNew: false) }
            object = fresh
            return
        }
        let stripe = table.stripe(hash)
        fresh.hash = hash
        if let old = TableObject(link.pointee) {
            if old.isDeleted { stripe.pointee.objects &+= 1 }
            fresh.next = old.next
            stripe.pointee.words &+= fresh.words &- old.words
            old.free(inTree: false)
        } else {
            stripe.pointee.objects &+= 1
            stripe.pointee.words &+= fresh.allocatedWords(inTree: false)
        }
        link.pointee = fresh.word
        object = fresh
    }

    /// Lets go of the object.
    func release() {
        if table.isOrdered { return }
        let stripe = table.stripe(hash)
        let estimate = table.estimatedSize(stripe)
        table.unlockStripe(stripe)
        if estimate > Int(truncatingIfNeeded: table.pointee.active), !table.isFixed { table.grow(estimate) }
    }
}

/// A copy of a tuple's own words on the heap; its elements still lie where they did.
private func shallowCopy(_ tuple: Term, _ heap: Ref<Heap>) -> Words {
    let size = tuple.tupleSize
    let (_, elements) = heap.makeTuple(size)
    elements.update(from: tuple.pointer + 1, count: size)
    return elements
}

// MARK: - update_element

func ets_update_element_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .record) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    // A wrong type of table is told without its cause, as in OTP 25.
    if table.isBag { return process.badarg() }
    var held = HeldObject(table, arguments[1])
    defer { held.release() }
    guard let object = held.object else { return Atoms.false }
    let single = arguments[2].isTuple
    var inPlace = true
    var list = single ? Term.nil : arguments[2]
    if single, let failure = checkElement(arguments[2], object, table, process, &inPlace) { return failure }
    while list.isCons {
        if let failure = checkElement(list.head, object, table, process, &inPlace) { return failure }
        list = list.tail
    }
    guard list.isNil else { return process.badarg() }
    let target = inPlace ? object.tuple.pointer + 1 : shallowCopy(object.tuple, process.heap)
    if single {
        target[arguments[2].element(0).smallValue - 1] = arguments[2].element(1).raw
    }
    list = single ? Term.nil : arguments[2]
    while list.isCons {
        target[list.head.element(0).smallValue - 1] = list.head.element(1).raw
        list = list.tail
    }
    if !inPlace { held.store(.boxed(target - 1)) }
    return Atoms.true
}

/// Checks one {Position, Value}; answers what to return if it is wrong.
private func checkElement(
    _ request: Term, _ object: TableObject, _ table: Ref<Table>, _ process: Ref<Process>, _ inPlace: inout Bool
) -> Term? {
    guard request.isTuple(2), request.element(0).isSmall else { return process.badarg() }
    let position = request.element(0).smallValue
    if position == table.pointee.keyPosition { return process.tableError(Atoms.keypos) }
    guard position >= 1, position <= object.tuple.tupleSize else { return process.badarg() }
    if !request.element(1).isImmediate || !object.key(position).isImmediate { inPlace = false }
    return nil
}

// MARK: - update_counter

func ets_update_counter_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    updateCounter(process, arguments, default: .none)
}

func ets_update_counter_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    updateCounter(process, arguments, default: arguments[3])
}

private func updateCounter(_ process: Ref<Process>, _ arguments: Arguments, default base: Term) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .record) else { return .none }
    defer { locked.unlock() }
    let table = locked.table
    if !base.isNone, !base.isTuple { return process.badarg() }
    if table.isBag { return process.tableError(Atoms.table_type) }
    var held = HeldObject(table, arguments[1])
    defer { held.release() }
    if let object = held.object, let result = addInPlace(arguments[2], object, table) { return result }

    // The slow way works on a copy: several requests may change one position, and the values may be big.
    let heap = process.heap
    let source: Term
    if let object = held.object {
        source = object.tuple
    } else if base.isNone {
        return process.tableError(Atoms.badkey)
    } else {
        // A default without room for the key has no counter either.
        guard base.tupleSize >= table.pointee.keyPosition else { return process.tableError(Atoms.position) }
        source = base
    }
    let elements = shallowCopy(source, heap)
    elements[table.pointee.keyPosition - 1] = held.object?.key(table.pointee.keyPosition).raw ?? arguments[1].raw
    let change = CounterChange(elements: elements, size: source.tupleSize, keyPosition: table.pointee.keyPosition)
    let request = arguments[2]
    let result: Term
    if request.isInteger || request.isTuple {
        let single = request.isTuple ? request : heap.tuple(.small(table.pointee.keyPosition + 1), request)
        if let failure = change.check(single, process) { return failure }
        result = change.apply(single, heap)
    } else {
        var list = request
        while list.isCons {
            if let failure = change.check(list.head, process) { return failure }
            list = list.tail
        }
        guard list.isNil else { return process.badarg() }
        result = change.applyAll(request, heap)
    }
    if result.isNone { return process.systemLimit() }
    if held.object == nil || !request.isNil { held.store(.boxed(elements - 1)) }
    return result
}

/// Adds a small number to a small counter, where the object is. Nil: it takes the slow way.
@inline(__always)
private func addInPlace(_ request: Term, _ object: TableObject, _ table: Ref<Table>) -> Term? {
    var position = table.pointee.keyPosition &+ 1
    var increment = request
    if request.isTuple(2), request.element(0).isSmall {
        position = request.element(0).smallValue
        increment = request.element(1)
    }
    guard increment.isSmall, position >= 1, position <= object.tuple.tupleSize,
        position != table.pointee.keyPosition
    else { return nil }
    let old = object.key(position)
    guard old.isSmall else { return nil }
    let sum = old.smallValue &+ increment.smallValue
    guard Term.fitsSmall(sum) else { return nil }
    object.tuple.pointer[position] = Term.small(sum).raw
    return .small(sum)
}

/// The elements being counted in: a copy that becomes the new object.
private struct CounterChange {
    let elements: Words
    let size: Int
    let keyPosition: Int

    /// {Position, Increment} or {Position, Increment, Threshold, SetValue}; what to return if it is wrong.
    func check(_ request: Term, _ process: Ref<Process>) -> Term? {
        guard request.isTuple else { return process.badarg() }
        if request.tupleSize == 4 {
            guard request.element(2).isInteger, request.element(3).isInteger else { return process.badarg() }
        } else if request.tupleSize != 2 {
            return process.badarg()
        }
        guard request.element(0).isSmall, request.element(1).isInteger else { return process.badarg() }
        let position = request.element(0).smallValue
        if position == keyPosition { return process.tableError(Atoms.keypos) }
        guard position >= 1, position <= size else { return process.tableError(Atoms.position) }
        return Term(raw: elements[position - 1]).isInteger ? nil : process.badarg()
    }

    /// Carries out a checked request; none if the number grows too large.
    func apply(_ request: Term, _ heap: Ref<Heap>) -> Term {
        let index = request.element(0).smallValue - 1
        let increment = request.element(1)
        var sum = add(heap, Term(raw: elements[index]), increment)
        if sum.isFailure { return .none }
        if request.tupleSize == 4 {
            let isNegative = compareTerms(increment, .small(0)) < 0
            let order = compareTerms(sum, request.element(2))
            if isNegative ? order < 0 : order > 0 { sum = request.element(3) }
        }
        // The result belongs to the caller's heap: what stood in the table does not leave it.
        sum = copyOut(sum, to: heap)
        elements[index] = sum.raw
        return sum
    }

    /// Carries out a list of requests; the list of the new values.
    func applyAll(_ requests: Term, _ heap: Ref<Heap>) -> Term {
        var reversed = Term.nil
        var list = requests
        while list.isCons {
            let sum = apply(list.head, heap)
            if sum.isNone { return .none }
            reversed = heap.cons(sum, reversed)
            list = list.tail
        }
        var result = Term.nil
        while reversed.isCons {
            result = heap.cons(reversed.head, result)
            reversed = reversed.tail
        }
        return result
    }
}
