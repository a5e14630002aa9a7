// MapBuild.swift: making a map from many pairs at once. A big map is built bottom up: the pairs are distributed by the
// nibbles of their keys' hashes, which keeps their order, so the last of several equal keys can win.

public import CMachine
import Glibc

/// A pair on its way into a trie.
private struct HashedPair {
    /// Hash for the eight levels under way.
    var hash: UInt32
    var key: Term
    var value: Term
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// A map of `count` pairs (key, value, key, ...) in any order; of equal keys the last one wins.
    public func mapFromPairs(_ pairs: UnsafePointer<Term>, count: Int) -> Term {
        if count == 0 { return .emptyMap }
        if count > MapLimits.flat { return bigMap(count) { (pairs[2 &* $0], pairs[2 &* $0 &+ 1]) } }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * MapLimits.flat) { buffer in
            let keys = buffer.baseAddress.unsafelyUnwrapped
            let values = keys + MapLimits.flat
            var size = 0
            for index in 0..<count {
                insertSorted(pairs[2 &* index], pairs[2 &* index &+ 1], keys, values, &size)
            }
            return flatMap(keys: keys, values: values, size: size)
        }
    }

    /// A big map of different keys. Requires: more than 32.
    func trieFromDistinct(_ keys: Words, _ values: Words, _ count: Int) -> Term {
        bigMap(count) { (Term(raw: keys[$0]), Term(raw: values[$0])) }
    }

    /// A map of more than 32 pairs, which may turn out to be fewer keys.
    @inline(__always)
    private func bigMap(_ count: Int, _ pair: (Int) -> (key: Term, value: Term)) -> Term {
        let size = 2 * count * MemoryLayout<HashedPair>.stride
        guard let memory = malloc(size) else { outOfMemory(size) }
        defer { free(memory) }
        let pairs = memory.bindMemory(to: HashedPair.self, capacity: 2 * count)
        for index in 0..<count {
            if index & 1023 == 1023 { _ = vm_breathe(128) }
            let (key, value) = pair(index)
            pairs[index] = HashedPair(hash: mapHash(key), key: key, value: value)
        }
        var build = TrieBuild(heap: self)
        let root = build.node(pairs, pairs + count, count, 0, kind: MapKind.root)
        return build.finish(root)
    }
}

/// Inserts into sorted keys, or replaces key and value of an equal key.
func insertSorted(_ key: Term, _ value: Term, _ keys: Words, _ values: Words, _ size: inout Int) {
    var position = size
    while position > 0 {
        let order = compareKeys(Term(raw: keys[position &- 1]), key)
        if order == 0 {
            keys[position &- 1] = key.raw
            values[position &- 1] = value.raw
            return
        }
        if order < 0 { break }
        position &-= 1
    }
    (keys + (position + 1)).update(from: keys + position, count: size &- position)
    (values + (position + 1)).update(from: values + position, count: size &- position)
    keys[position] = key.raw
    values[position] = value.raw
    size &+= 1
}

private struct TrieBuild {
    let heap: Ref<Heap>
    /// Leaves made: the number of different keys.
    var size = 0

    /// The node of `level` for `count` pairs, with `scratch` room for as many. Depth of calls: MapLimits.levels.
    mutating func node(
        _ pairs: Ref<HashedPair>, _ scratch: Ref<HashedPair>, _ count: Int, _ level: Int, kind: UInt64 = MapKind.node
    ) -> Term {
        var ends = InlineArray<17, Int>(repeating: 0)
        for index in 0..<count { ends[Int(pairs[index].hash & 15) &+ 1] &+= 1 }
        var bitmap: UInt64 = 0
        for nibble in 0..<16 {
            if ends[nibble &+ 1] > 0 { bitmap |= 1 &<< UInt64(nibble) }
            ends[nibble &+ 1] &+= ends[nibble]
        }
        var next = ends
        for index in 0..<count {
            let nibble = Int(pairs[index].hash & 15)
            scratch[next[nibble]] = pairs[index]
            next[nibble] &+= 1
        }
        let extra = kind == MapKind.root ? 2 : 1
        let object = heap.allocate(bitmap.nonzeroBitCount &+ extra)
        object[0] = Header.map(bitmap.nonzeroBitCount &+ extra &- 1, kind, bitmap: bitmap)
        var slot = object + extra
        for nibble in 0..<16 where ends[nibble &+ 1] > ends[nibble] {
            let start = ends[nibble]
            let child = child(scratch + start, pairs + start, ends[nibble &+ 1] &- start, level &+ 1)
            slot[0] = child.raw
            slot += 1
        }
        return .boxed(object)
    }

    /// What goes below one slot of the level above.
    mutating func child(_ pairs: Ref<HashedPair>, _ scratch: Ref<HashedPair>, _ count: Int, _ level: Int) -> Term {
        var count = count
        if count > 1, let distinct = dropEqualKeys(pairs, count) { count = distinct }
        // The limit is never reached by different keys.
        if count == 1 || level > MapLimits.levels {
            size &+= 1
            if size & 255 == 0 { _ = vm_breathe(64) }
            return heap.cons(pairs[count &- 1].key, pairs[count &- 1].value)
        }
        if count == 2 { return join(pairs[0], pairs[1], level) }
        for index in 0..<count { pairs[index].hash = nextHash(pairs[index].hash, pairs[index].key, level) }
        return node(pairs, scratch, count, level)
    }

    /// Two pairs of different keys, whose hashes are still those of the level above.
    private mutating func join(_ first: HashedPair, _ second: HashedPair, _ level: Int) -> Term {
        size &+= 2
        if size & 254 == 0 { _ = vm_breathe(64) }
        let leaf = TrieLeaf(key: second.key, cell: heap.cons(second.key, second.value))
        let hashes = (nextHash(first.hash, first.key, level), nextHash(second.hash, second.key, level))
        return heap.joinLeaves(heap.cons(first.key, first.value), hashes.0, leaf, hashes.1, level)
    }

    /// If all hashes agree: leaves one pair of every key, the last, and answers how many. Else nil.
    private func dropEqualKeys(_ pairs: Ref<HashedPair>, _ count: Int) -> Int? {
        for index in 1..<count where pairs[index].hash != pairs[0].hash { return nil }
        var distinct = 1
        for index in 1..<count {
            let pair = pairs[index]
            var found = 0
            while found < distinct && !isSameKey(pairs[found].key, pair.key) { found &+= 1 }
            pairs[found] = pair
            if found == distinct { distinct &+= 1 }
        }
        return distinct
    }

    /// The map under `root`: flat if few keys are left.
    func finish(_ root: Term) -> Term {
        root.pointer[1] = UInt64(size)
        if size > MapLimits.flat { return root }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * MapLimits.flat) { buffer in
            let keys = buffer.baseAddress.unsafelyUnwrapped
            let values = keys + MapLimits.flat
            var count = 0
            var iterator = MapIterator(root)
            while let (key, value) = iterator.next() { insertSorted(key, value, keys, values, &count) }
            return heap.flatMap(keys: keys, values: values, size: count)
        }
    }
}
