// MapIterator.swift: visiting the pairs of a map without allocating. Ascending order is the order of the keys' ways
// through the trie (flat maps: exact key order); it is what maps:iterator shows. For big maps maps:keys, to_list and the
// external format show the reverse.

public import CMachine

/// Valid until the heap of the map is collected.
@frozen public struct MapIterator {
    /// One word per level of a trie: address of the next child in the low bits, children left in the high byte.
    @usableFromInline var path: InlineArray<65, UInt64>
    /// Levels under way; -1 for a flat map.
    @usableFromInline var depth: Int
    @usableFromInline let step: Int
    // Flat maps: the next position, positions left.
    @usableFromInline var keys: Words
    @usableFromInline var values: Words
    @usableFromInline var left: Int

    /// `descending` walks a trie backwards; flat maps go in key order either way, as in every function that lists them.
    /// Requires: isMap.
    public init(_ map: Term, descending: Bool = false) {
        let object = map.pointer
        path = InlineArray(repeating: 0)
        step = descending ? -1 : 1
        keys = object
        values = object
        left = 0
        if Header.mapKind(object[0]) == MapKind.flat {
            depth = -1
            left = Int(truncatingIfNeeded: object[1])
            keys = map.flatKeys
            values = map.flatValues
        } else {
            depth = 0
            enter(object)
        }
    }

    @usableFromInline mutating func enter(_ node: Words) {
        let count = Header.mapChildCount(node[0])
        let children = Header.mapChildren(node)
        let first = step > 0 ? children : children + (count &- 1)
        path[depth] = UInt64(UInt(bitPattern: first)) | UInt64(truncatingIfNeeded: count) &<< 56
    }

    /// The next pair, or nil.
    @inlinable public mutating func next() -> (key: Term, value: Term)? {
        if depth < 0 {
            guard left > 0 else { return nil }
            left &-= 1
            let pair = (key: Term(raw: keys[0]), value: Term(raw: values[0]))
            keys += 1
            values += 1
            return pair
        }
        guard let leaf = nextLeaf() else { return nil }
        return (leaf.head, leaf.tail)
    }

    /// The next leaf cell [Key | Value] of a big map. Requires: the map is not flat.
    @inlinable public mutating func nextLeaf() -> Term? {
        while true {
            let word = path[depth]
            if word &>> 56 == 0 {
                if depth == 0 { return nil }
                depth &-= 1
                continue
            }
            let slot = Words(bitPattern: UInt(word & 0xFF_FFFF_FFFF_FFFF)).unsafelyUnwrapped
            path[depth] = word &- 1 &<< 56 &+ UInt64(bitPattern: Int64(8 &* step))
            let child = Term(raw: slot[0])
            if child.isCons { return child }
            depth &+= 1
            enter(child.pointer)
        }
    }
}

/// Writes the pairs of `map` to `pairs` (key, value, key, ...), sorted in exact key order. Requires: room for
/// 2 * mapSize words.
public func mapSortedPairs(_ map: Term, _ pairs: Words) {
    var iterator = MapIterator(map)
    var count = 0
    while let (key, value) = iterator.next() {
        pairs[2 &* count] = key.raw
        pairs[2 &* count &+ 1] = value.raw
        count &+= 1
        if count & 1023 == 0 { _ = vm_breathe(64) }
    }
    if map.isFlatMap { return }
    pairs.withMemoryRebound(to: (UInt64, UInt64).self, capacity: count) { start in
        var buffer = UnsafeMutableBufferPointer(start: start, count: count)
        var compared = 0
        buffer.sort {
            compared &+= 1
            if compared & 1023 == 0 { _ = vm_breathe(64) }
            return compareKeys(Term(raw: $0.0), Term(raw: $1.0)) < 0
        }
    }
}
