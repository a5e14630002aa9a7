// MapNext.swift: erts_internal:map_next/3, under maps:iterator, next and to_list, and the helpers of erts_debug:size/1.
//
// A path names the next leaf of a big map: nibble i is the position among the children of the node at level i; missing
// nibbles are 0. Results, for a flat map always whole:
//     iterator        {K1, V1, {K2, V2, ... none | [Path | Map]}}
//     a list Acc      [Path, Map, {Kn, Vn}, ... {K1, V1} | Acc], without path and map when nothing is left

import CMachine
internal import Machine
import Terms

let mapNextBifs: [Bif] = [
    Bif("erts_internal", "map_next", 3, erts_internal_map_next_3),
    Bif("erts_internal", "map_to_tuple_keys", 1, erts_internal_map_to_tuple_keys_1),
    Bif("erts_internal", "map_hashmap_children", 1, erts_internal_map_hashmap_children_1),
]

func erts_internal_map_next_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let (path, map, result) = (arguments[0], arguments[1], arguments[2])
    guard map.isMap, result == Atoms.iterator || result.isList else { return process.badarg() }
    if map.isFlatMap {
        guard path.isSmall, path.smallValue >= 0, path.smallValue <= map.mapSize else { return process.badarg() }
        return listFlatMap(process.heap, map, result)
    }
    guard let cursor = TrieCursor(map, path) else { return process.badarg() }
    var budget = max(1, Int(process.pointee.sliceReductions) / 4)
    if path == .small(0) { budget = min(budget, MapLimits.flat) }
    return listTrie(process, map, cursor, budget, result)
}

private func listFlatMap(_ heap: Ref<Heap>, _ map: Term, _ result: Term) -> Term {
    let isIterator = result == Atoms.iterator
    var term = isIterator ? Atoms.none : result
    for index in stride(from: map.mapSize &- 1, through: 0, by: -1) {
        let key = Term(raw: map.flatKeys[index])
        let value = Term(raw: map.flatValues[index])
        term = isIterator ? heap.tuple(key, value, term) : heap.cons(heap.tuple(key, value), term)
    }
    return term
}

private func listTrie(
    _ process: Ref<Process>, _ map: Term, _ start: TrieCursor, _ budget: Int, _ result: Term
) -> Term {
    let heap = process.heap
    let isIterator = result == Atoms.iterator
    var cursor = start
    var left = budget
    var list = result
    var first = Term.none
    var link: Words? = nil
    var hasMore = true
    while left > 0 && hasMore {
        let leaf = cursor.leaf
        if isIterator {
            let tuple = heap.tuple(leaf.head, leaf.tail, .nil)
            if let link { link[0] = tuple.raw } else { first = tuple }
            link = tuple.pointer + 3
        } else {
            list = heap.cons(heap.tuple(leaf.head, leaf.tail), list)
        }
        left &-= 1
        hasMore = cursor.advance()
    }
    process.bump(4 &* (budget &- left))
    if isIterator {
        link?[0] = hasMore ? heap.cons(cursor.path(heap), map).raw : Atoms.none.raw
        return first
    }
    return hasMore ? heap.cons(cursor.path(heap), heap.cons(map, list)) : list
}

/// A position in a trie that can be written down as a path. Its leaf is below the children at `positions`, always the
/// first from there on.
private struct TrieCursor {
    private var nodes = InlineArray<65, UInt64>(repeating: 0)
    private var positions = InlineArray<65, UInt8>(repeating: 0)
    private var depth = 0

    /// Follows `path` from the root; nil if it is no path of this map.
    init?(_ map: Term, _ path: Term) {
        guard path.isSmall && path.smallValue >= 0 || path.isBig && !path.bigIsNegative else { return nil }
        nodes[0] = map.raw
        while true {
            let position = Self.nibble(path, depth)
            guard Int(position) < Header.mapChildCount(Term(raw: nodes[depth]).header) else { return nil }
            positions[depth] = position
            if child.isCons { return }
            depth &+= 1
            nodes[depth] = childAbove.raw
        }
    }

    private static func nibble(_ path: Term, _ index: Int) -> UInt8 {
        let limb = index / 16
        let word: UInt64
        if path.isSmall {
            word = limb == 0 ? UInt64(path.smallValue) : 0
        } else {
            word = limb < path.bigLimbCount ? path.bigLimbs[limb] : 0
        }
        return UInt8(truncatingIfNeeded: word &>> UInt64(4 &* (index & 15)) & 15)
    }

    private var child: Term {
        Term(raw: Header.mapChildren(Term(raw: nodes[depth]).pointer)[Int(positions[depth])])
    }

    private var childAbove: Term {
        Term(raw: Header.mapChildren(Term(raw: nodes[depth &- 1]).pointer)[Int(positions[depth &- 1])])
    }

    /// The leaf under the cursor.
    var leaf: Term {
        mutating get {
            while !child.isCons {
                depth &+= 1
                nodes[depth] = childAbove.raw
                positions[depth] = 0
            }
            return child
        }
    }

    /// Steps past the leaf; false at the end. Requires: `leaf` was read.
    mutating func advance() -> Bool {
        while true {
            positions[depth] &+= 1
            if Int(positions[depth]) < Header.mapChildCount(Term(raw: nodes[depth]).header) { return true }
            if depth == 0 { return false }
            depth &-= 1
        }
    }

    func path(_ heap: Ref<Heap>) -> Term {
        var limbs = InlineArray<5, UInt64>(repeating: 0)
        for index in 0...depth { limbs[index / 16] |= UInt64(positions[index]) &<< UInt64(4 &* (index & 15)) }
        var count = 5
        while count > 1 && limbs[count &- 1] == 0 { count &-= 1 }
        if count == 1 { return heap.integer(unsigned: limbs[0]) }
        let object = heap.allocate(count &+ 1)
        object[0] = Header.make(count, Subtag.positiveBig)
        for index in 0..<count { object[1 &+ index] = limbs[index] }
        return .boxed(object)
    }
}

// MARK: - Shapes

func erts_internal_map_to_tuple_keys_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isMap else { return process.badmap(arguments[0]) }
    guard arguments[0].isFlatMap else { return process.badarg() }
    return Term(raw: arguments[0].pointer[2])
}

/// The children of a trie root or node. Inner nodes are terms only for erts_debug:size/1.
func erts_internal_map_hashmap_children_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isMap else { return process.badmap(arguments[0]) }
    guard !arguments[0].isFlatMap else { return process.badarg() }
    let object = arguments[0].pointer
    var list = Term.nil
    for index in 0..<Header.mapChildCount(object[0]) {
        list = process.heap.cons(Term(raw: Header.mapChildren(object)[index]), list)
    }
    return list
}
