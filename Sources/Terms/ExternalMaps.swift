// ExternalMaps.swift: maps out of decoded pairs, and the pairs of a big map in the order they are written.

import CMachine
import Glibc

/// A map of `count` pairs (key, value, key, value, ...); nil if two keys are the same.
func decodedMap(_ heap: Ref<Heap>, pairs: UnsafeMutablePointer<Term>, count: Int) -> Term? {
    let map = heap.mapFromPairs(pairs, count: count)
    return map.mapSize == count ? map : nil
}

/// The pairs of a big map in the order they are written, in memory that the caller frees.
func externalPairs(_ map: Term, isDeterministic: Bool) -> Words {
    let size = map.mapSize * 16
    guard let memory = malloc(size) else { outOfMemory(size) }
    let pairs = memory.assumingMemoryBound(to: UInt64.self)
    if isDeterministic {
        mapSortedPairs(map, pairs)
        return pairs
    }
    var iterator = MapIterator(map, descending: true)
    var next = pairs
    while let pair = iterator.next() {
        next[0] = pair.key.raw
        next[1] = pair.value.raw
        next += 2
        if (next - pairs) & 2047 == 0 { _ = vm_breathe(64) }
    }
    return pairs
}
