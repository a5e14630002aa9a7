// MapChange.swift: maps with keys added, changed or removed, and merged. Nothing is copied when nothing changes.
// Every `map` argument is a map; the caller has checked.

public import CMachine

/// What `putExact` found.
@frozen public enum MapUpdate {
    case done(Term)
    /// The first key that the map does not have.
    case missing(Term)
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// `map` with `key` set to `value`, as maps:put.
    public func mapPut(_ map: Term, _ key: Term, _ value: Term) -> Term {
        guard map.isFlatMap else { return trieSetting(map, key, value) }
        let size = map.mapSize
        if let index = flatIndex(map.flatKeys, size, key) { return flatReplacing(map, at: index, value) }
        return size < MapLimits.flat ? flatInserting(map, key, value) : trieInserting(map, key, value)
    }

    /// Requires: a flat map of 32 keys, `key` not among them.
    @inline(never) private func trieInserting(_ map: Term, _ key: Term, _ value: Term) -> Term {
        let size = map.mapSize
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * MapLimits.flat + 2) { buffer in
            let keys = buffer.baseAddress.unsafelyUnwrapped
            let values = keys + (MapLimits.flat + 1)
            keys.update(from: map.flatKeys, count: size)
            values.update(from: map.flatValues, count: size)
            keys[size] = key.raw
            values[size] = value.raw
            return trieFromDistinct(keys, values, size &+ 1)
        }
    }

    /// `map` with a new value for a key that it has, else nil, as maps:update.
    public func mapUpdate(_ map: Term, _ key: Term, _ value: Term) -> Term? {
        if map.isFlatMap {
            guard let index = flatIndex(map.flatKeys, map.mapSize, key) else { return nil }
            return flatReplacing(map, at: index, value)
        }
        guard mapSlot(map, key) != nil else { return nil }
        return trieSetting(map, key, value)
    }

    /// `map` without `key`; `map` itself if it does not have it.
    public func mapRemove(_ map: Term, _ key: Term) -> Term {
        if map.isFlatMap {
            guard let index = flatIndex(map.flatKeys, map.mapSize, key) else { return map }
            return flatRemoving(map, at: index)
        }
        return mapSlot(map, key) == nil ? map : trieRemoving(map, key)
    }

    /// `Map#{K => V, ...}`: `count` pairs (key, value, key, ...), later ones win.
    public func putAssoc(_ map: Term, pairs: UnsafePointer<Term>, count: Int) -> Term {
        if count == 1 { return mapPut(map, pairs[0], pairs[1]) }
        if map.isFlatMap {
            if map.mapSize == 0 { return mapFromPairs(pairs, count: count) }
            return putFlat(map, pairs, count)
        }
        var result = map
        for index in 0..<count { result = mapPut(result, pairs[2 &* index], pairs[2 &* index &+ 1]) }
        return result
    }

    /// `Map#{K := V, ...}`.
    public func putExact(_ map: Term, pairs: UnsafePointer<Term>, count: Int) -> MapUpdate {
        guard map.isFlatMap else {
            var result = map
            for index in 0..<count {
                let key = pairs[2 &* index]
                guard let next = mapUpdate(result, key, pairs[2 &* index &+ 1]) else { return .missing(key) }
                result = next
            }
            return .done(result)
        }
        var copy: Words? = nil
        for index in 0..<count {
            let key = pairs[2 &* index]
            let value = pairs[2 &* index &+ 1]
            guard let position = flatIndex(map.flatKeys, map.mapSize, key) else { return .missing(key) }
            if let copy {
                copy[3 &+ position] = value.raw
            } else if map.flatValues[position] != value.raw {
                copy = flatReplacing(map, at: position, value).pointer
            }
        }
        if let copy { return .done(.boxed(copy)) }
        return .done(map)
    }

    /// Several pairs into a flat map that is not empty, with at most one new object.
    private func putFlat(_ map: Term, _ pairs: UnsafePointer<Term>, _ count: Int) -> Term {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * MapLimits.flat + 2) { buffer in
            let keys = buffer.baseAddress.unsafelyUnwrapped
            let values = keys + (MapLimits.flat + 1)
            let oldSize = map.mapSize
            var size = oldSize
            keys.update(from: map.flatKeys, count: size)
            values.update(from: map.flatValues, count: size)
            var isChanged = false
            for index in 0..<count {
                let key = pairs[2 &* index]
                let value = pairs[2 &* index &+ 1]
                if let position = flatIndex(keys, size, key) {
                    if values[position] != value.raw {
                        values[position] = value.raw
                        isChanged = true
                    }
                    continue
                }
                insertSorted(key, value, keys, values, &size)
                if size > MapLimits.flat {
                    let big = trieFromDistinct(keys, values, size)
                    let done = index &+ 1
                    return done == count ? big : putAssoc(big, pairs: pairs + 2 &* done, count: count &- done)
                }
            }
            if size > oldSize { return flatMap(keys: keys, values: values, size: size) }
            guard isChanged else { return map }
            let (result, slots) = makeFlatMap(keys: Term(raw: map.pointer[2]), size: size)
            slots.update(from: values, count: size)
            return result
        }
    }

    // MARK: Merge

    /// All pairs of both; for keys of both the value of `second`. `work` grows by the number of pairs looked at.
    public func mapMerge(_ first: Term, _ second: Term, work: inout Int) -> Term {
        if first.raw == second.raw { return first }
        if first.isFlatMap && second.isFlatMap {
            work &+= first.mapSize &+ second.mapSize
            return flatMerging(first, second)
        }
        if first.isFlatMap || second.isFlatMap {
            work &+= first.isFlatMap ? first.mapSize : second.mapSize
            return mergeMixed(first, second)
        }
        var merge = TrieMerge(heap: self)
        let root = merge.nodes(first.pointer, second.pointer, 0, isRoot: true)
        root.pointer[1] = first.pointer[1] &+ second.pointer[1] &- UInt64(merge.common)
        work &+= merge.work
        return root
    }

    private func mergeMixed(_ first: Term, _ second: Term) -> Term {
        var result = second.isFlatMap ? first : second
        var iterator = MapIterator(second.isFlatMap ? second : first)
        while let (key, value) = iterator.next() {
            if second.isFlatMap || mapSlot(second, key) == nil { result = trieSetting(result, key, value) }
        }
        return result
    }
}

/// Merges two tries node by node, sharing what only one of them has.
private struct TrieMerge {
    let heap: Ref<Heap>
    /// Keys that both have.
    var common = 0
    var work = 0
    /// `work` at the last pause.
    var paused = 0

    /// Depth of calls: MapLimits.levels.
    mutating func nodes(_ first: Words, _ second: Words, _ level: Int, isRoot: Bool) -> Term {
        if work &- paused > 512 {
            paused = work
            _ = vm_breathe(64)
        }
        let bitmap = Header.mapBitmap(first[0]) | Header.mapBitmap(second[0])
        let extra = isRoot ? 2 : 1
        let object = heap.allocate(bitmap.nonzeroBitCount &+ extra)
        object[0] = Header.map(
            bitmap.nonzeroBitCount &+ extra &- 1, isRoot ? MapKind.root : MapKind.node, bitmap: bitmap)
        var slot = object + extra
        var left = first + extra
        var right = second + extra
        for nibble in 0..<16 {
            let bit = UInt64(1) &<< UInt64(nibble)
            guard bitmap & bit != 0 else { continue }
            work &+= 1
            let isLeft = Header.mapBitmap(first[0]) & bit != 0
            let isRight = Header.mapBitmap(second[0]) & bit != 0
            if isLeft && isRight {
                slot[0] = children(Term(raw: left[0]), Term(raw: right[0]), level &+ 1).raw
            } else {
                slot[0] = isLeft ? left[0] : right[0]
            }
            if isLeft { left += 1 }
            if isRight { right += 1 }
            slot += 1
        }
        return .boxed(object)
    }

    private mutating func children(_ first: Term, _ second: Term, _ level: Int) -> Term {
        if first.raw == second.raw {
            common &+= leafCount(second)
            return second
        }
        if first.isBoxed && second.isBoxed { return nodes(first.pointer, second.pointer, level, isRoot: false) }
        if second.isCons {
            let leaf = TrieLeaf(key: second.head, cell: second)
            let hash = hashAtLevel(leaf.key, level)
            if first.isBoxed { return store(leaf, hash, first, level) }
            if isSameKey(first.head, leaf.key) {
                common &+= 1
                return second
            }
            return heap.joinLeaves(first, hashAtLevel(first.head, level), leaf, hash, level)
        }
        // A leaf of the first and a node of the second: the node wins.
        let hash = hashAtLevel(first.head, level)
        if hasKey(first.head, hash, second, level) {
            common &+= 1
            return second
        }
        return store(TrieLeaf(key: first.head, cell: first), hash, second, level)
    }

    private mutating func store(_ leaf: TrieLeaf, _ hash: UInt32, _ node: Term, _ level: Int) -> Term {
        let (copy, added) = heap.trieStoring(leaf, hash, in: node.pointer, level: level)
        if !added { common &+= 1 }
        return .boxed(copy)
    }

    private func hasKey(_ key: Term, _ hash: UInt32, _ node: Term, _ level: Int) -> Bool {
        var (hash, node, level) = (hash, node, level)
        while node.isBoxed {
            let bit = UInt64(1) &<< UInt64(hash & 15)
            let bitmap = Header.mapBitmap(node.header)
            guard bitmap & bit != 0 else { return false }
            node = Term(raw: node.pointer[1 &+ (bitmap & (bit &- 1)).nonzeroBitCount])
            level &+= 1
            hash = nextHash(hash, key, level)
        }
        return isSameKey(node.head, key)
    }

    private mutating func leafCount(_ child: Term) -> Int {
        guard child.isBoxed else { return 1 }
        var count = 0
        for index in 1...Header.mapChildCount(child.header) { count &+= leafCount(Term(raw: child.pointer[index])) }
        work &+= count
        return count
    }
}
