// TupleBifs.swift: tuples. Positions count from 1; a tuple has at most Layout.tupleLimit elements. The empty tuple is
// one shared object.

import CMachine
internal import Machine
import Terms

let tupleBifs: [Bif] = [
    Bif("erlang", "element", 2, erlang_element_2),
    Bif("erlang", "setelement", 3, erlang_setelement_3),
    Bif("erlang", "tuple_size", 1, erlang_tuple_size_1),
    Bif("erlang", "make_tuple", 2, erlang_make_tuple_2),
    Bif("erlang", "make_tuple", 3, erlang_make_tuple_3),
    Bif("erlang", "append_element", 2, erlang_append_element_2),
    Bif("erlang", "insert_element", 3, erlang_insert_element_3),
    Bif("erlang", "delete_element", 2, erlang_delete_element_2),
    Bif("erlang", "list_to_tuple", 1, erlang_list_to_tuple_1),
    Bif("erlang", "tuple_to_list", 1, erlang_tuple_to_list_1),
]

/// The position that `term` names as an index from 0, if it is below `limit`.
private func index(_ term: Term, below limit: Int) -> Int? {
    guard term.isSmall, term.smallValue >= 1, term.smallValue <= limit else { return nil }
    return term.smallValue &- 1
}

func erlang_element_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isTuple, let index = index(arguments[0], below: arguments[1].tupleSize) else {
        return process.badarg()
    }
    return arguments[1].element(index)
}

func erlang_setelement_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isTuple, let index = index(arguments[0], below: arguments[1].tupleSize) else {
        return process.badarg()
    }
    let size = arguments[1].tupleSize
    let (tuple, elements) = process.heap.makeTuple(size)
    elements.update(from: arguments[1].pointer + 1, count: size)
    elements[index] = arguments[2].raw
    return tuple
}

func erlang_tuple_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isTuple ? .small(arguments[0].tupleSize) : process.badarg()
}

// MARK: - Making tuples

private func makeTuple(_ heap: Ref<Heap>, _ size: Int, filledWith value: Term) -> Term {
    guard size > 0 else { return .emptyTuple }
    let (tuple, elements) = heap.makeTuple(size)
    elements.update(repeating: value.raw, count: size)
    return tuple
}

/// The size that `term` names, if a tuple can have it.
private func tupleSize(_ term: Term) -> Int? {
    guard term.isSmall, term.smallValue >= 0, term.smallValue <= Layout.tupleLimit else { return nil }
    return term.smallValue
}

func erlang_make_tuple_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let size = tupleSize(arguments[0]) else { return process.badarg() }
    return makeTuple(process.heap, size, filledWith: arguments[1])
}

/// Size, default, list of {Position, Value}.
func erlang_make_tuple_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let size = tupleSize(arguments[0]) else { return process.badarg() }
    let tuple = makeTuple(process.heap, size, filledWith: arguments[1])
    var list = arguments[2]
    while list.isCons {
        guard list.head.isTuple(2), let index = index(list.head.element(0), below: size) else { return process.badarg() }
        tuple.pointer[index &+ 1] = list.head.element(1).raw
        list = list.tail
    }
    return list.isNil ? tuple : process.badarg()
}

func erlang_append_element_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isTuple, arguments[0].tupleSize < Layout.tupleLimit else { return process.badarg() }
    let size = arguments[0].tupleSize
    let (tuple, elements) = process.heap.makeTuple(size &+ 1)
    elements.update(from: arguments[0].pointer + 1, count: size)
    elements[size] = arguments[1].raw
    return tuple
}

func erlang_insert_element_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isTuple, arguments[1].tupleSize < Layout.tupleLimit else { return process.badarg() }
    let size = arguments[1].tupleSize
    guard let index = index(arguments[0], below: size &+ 1) else { return process.badarg() }
    let (tuple, elements) = process.heap.makeTuple(size &+ 1)
    let source = arguments[1].pointer + 1
    elements.update(from: source, count: index)
    elements[index] = arguments[2].raw
    (elements + (index + 1)).update(from: source + index, count: size &- index)
    return tuple
}

func erlang_delete_element_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isTuple, let index = index(arguments[0], below: arguments[1].tupleSize) else {
        return process.badarg()
    }
    let size = arguments[1].tupleSize &- 1
    guard size > 0 else { return .emptyTuple }
    let (tuple, elements) = process.heap.makeTuple(size)
    let source = arguments[1].pointer + 1
    elements.update(from: source, count: index)
    (elements + index).update(from: source + (index + 1), count: size &- index)
    return tuple
}

// MARK: - Lists

func erlang_list_to_tuple_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let size = listLength(arguments[0])
    guard size >= 0, size <= Layout.tupleLimit else { return process.badarg() }
    guard size > 0 else { return .emptyTuple }
    let (tuple, elements) = process.heap.makeTuple(size)
    var list = arguments[0]
    for index in 0..<size {
        elements[index] = list.head.raw
        list = list.tail
    }
    return tuple
}

func erlang_tuple_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isTuple else { return process.badarg() }
    let size = arguments[0].tupleSize
    var list = Term.nil
    guard size > 0 else { return list }
    var cell = process.heap.allocate(2 * size)
    for index in stride(from: size, to: 0, by: -1) {
        cell[0] = arguments[0].pointer[index]
        cell[1] = list.raw
        list = .cons(cell)
        cell += 2
    }
    return list
}
