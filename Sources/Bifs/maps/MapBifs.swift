// MapBifs.swift: the module maps, and the map BIFs of erlang. maps:get/2, is_key/2 and their guard forms share bodies.
// A big map costs one reduction per 15 pairs listed and per 8 merged.

import CMachine
internal import Machine
import Terms

let mapBifs: [Bif] = [
    Bif("maps", "find", 2, maps_find_2),
    Bif("maps", "get", 2, maps_get_2),
    Bif("erlang", "map_get", 2, maps_get_2),
    Bif("maps", "is_key", 2, maps_is_key_2),
    Bif("erlang", "is_map_key", 2, maps_is_key_2),
    Bif("erlang", "map_size", 1, erlang_map_size_1),
    Bif("maps", "put", 3, maps_put_3),
    Bif("maps", "update", 3, maps_update_3),
    Bif("maps", "remove", 2, maps_remove_2),
    Bif("maps", "take", 2, maps_take_2),
    Bif("maps", "merge", 2, maps_merge_2),
    Bif("maps", "keys", 1, maps_keys_1),
    Bif("maps", "values", 1, maps_values_1),
    Bif("maps", "from_list", 1, maps_from_list_1),
    Bif("maps", "from_keys", 2, maps_from_keys_2),
]

// MARK: - One key

func maps_find_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isMap else { return process.badmap(arguments[1]) }
    guard let value = mapGet(arguments[1], arguments[0]) else { return Atoms.error }
    return process.heap.tuple(Atoms.ok, value)
}

func maps_get_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isMap else { return process.badmap(arguments[1]) }
    guard let value = mapGet(arguments[1], arguments[0]) else { return process.badkey(arguments[0]) }
    return value
}

func maps_is_key_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isMap else { return process.badmap(arguments[1]) }
    return mapSlot(arguments[1], arguments[0]) == nil ? Atoms.false : Atoms.true
}

func erlang_map_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isMap else { return process.badmap(arguments[0]) }
    return .small(arguments[0].mapSize)
}

func maps_put_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[2].isMap else { return process.badmap(arguments[2]) }
    return process.heap.mapPut(arguments[2], arguments[0], arguments[1])
}

func maps_update_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[2].isMap else { return process.badmap(arguments[2]) }
    guard let map = process.heap.mapUpdate(arguments[2], arguments[0], arguments[1]) else {
        return process.badkey(arguments[0])
    }
    return map
}

func maps_remove_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isMap else { return process.badmap(arguments[1]) }
    return process.heap.mapRemove(arguments[1], arguments[0])
}

func maps_take_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isMap else { return process.badmap(arguments[1]) }
    guard let value = mapGet(arguments[1], arguments[0]) else { return Atoms.error }
    return process.heap.tuple(value, process.heap.mapRemove(arguments[1], arguments[0]))
}

// MARK: - Whole maps

func maps_merge_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isMap else { return process.badmap(arguments[0]) }
    guard arguments[1].isMap else { return process.badmap(arguments[1]) }
    if process.isLong(min(arguments[0].mapSize, arguments[1].mapSize) / 4) { return process.goLong(arguments) }
    var work = 0
    let map = process.heap.mapMerge(arguments[0], arguments[1], work: &work)
    process.bump(work / 8)
    return map
}

func maps_keys_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isMap else { return process.badmap(arguments[0]) }
    return listPairs(process, arguments) { $0.key }
}

func maps_values_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isMap else { return process.badmap(arguments[0]) }
    return listPairs(process, arguments) { $0.value }
}

/// A list with something of every pair: flat maps in key order, big maps in descending trie order.
@inline(__always)
private func listPairs(
    _ process: Ref<Process>, _ arguments: Arguments, _ part: ((key: Term, value: Term)) -> Term
) -> Term {
    let map = arguments[0]
    let size = map.mapSize
    guard size > 0 else { return .nil }
    if process.isLong(size / 15) { return process.goLong(arguments) }
    process.bump(size / 15)
    let cells = process.heap.allocate(2 * size)
    var iterator = MapIterator(map, descending: true)
    var cell = cells
    while let pair = iterator.next() {
        cell[0] = part(pair).raw
        cell[1] = Term.cons(cell + 2).raw
        cell += 2
        if (cell - cells) & 4095 == 0, !vm_breathe(128) { break }
    }
    cell[-1] = Term.nil.raw
    return .cons(cells)
}

// MARK: - From lists

func maps_from_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    mapFromList(process, arguments) { element in
        guard element.isTuple(2) else { return nil }
        return (element.element(0), element.element(1))
    }
}

func maps_from_keys_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let value = arguments[1]
    return mapFromList(process, arguments) { ($0, value) }
}

@inline(__always)
private func mapFromList(
    _ process: Ref<Process>, _ arguments: Arguments, _ pair: (Term) -> (key: Term, value: Term)?
) -> Term {
    let list = arguments[0]
    var pace = Pace(unit: 32)
    let length = listLength(list, &pace)
    guard length >= 0 else { return pace.isStopped ? process.giveWay(arguments) : process.badarg() }
    if length == 0 { return .emptyMap }
    if process.isLong(length / 8) { return process.goLong(arguments) }
    let pairs = UnsafeMutablePointer<Term>.allocate(capacity: 2 * length)
    defer { pairs.deallocate() }
    var rest = list
    for index in 0..<length {
        guard let (key, value) = pair(rest.head) else { return process.badarg() }
        pairs[2 &* index] = key
        pairs[2 &* index &+ 1] = value
        rest = rest.tail
        if index & 4095 == 4095, !vm_breathe(64) { return process.badarg() }
    }
    process.bump(length / 8)
    return process.heap.mapFromPairs(pairs, count: length)
}
