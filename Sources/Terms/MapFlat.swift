// MapFlat.swift: making and changing flat maps (up to 32 keys). A new value for a key shares the keys tuple; storing
// the value that is there already gives the same map back.

public import CMachine

extension UnsafeMutablePointer where Pointee == Heap {
    /// A flat map with these keys; the caller fills the values (`pointer[3...]`). Requires: `keys` is a tuple of at
    /// most 32 keys in exact order, not empty.
    @inlinable @inline(__always) public func makeFlatMap(keys: Term, size: Int) -> (term: Term, values: Words) {
        let object = allocate(size &+ 3)
        object[0] = Header.map(size &+ 2, MapKind.flat)
        object[1] = UInt64(truncatingIfNeeded: size)
        object[2] = keys.raw
        return (.boxed(object), object + 3)
    }

    /// A flat map of sorted keys and their values, for map literals with constant keys. Requires: `keys` is a tuple of
    /// at most 32 keys in exact order; `values` holds as many.
    @inlinable public func flatMap(keys: Term, values: UnsafePointer<Term>) -> Term {
        let size = keys.tupleSize
        guard size > 0 else { return .emptyMap }
        let (map, slots) = makeFlatMap(keys: keys, size: size)
        for index in 0..<size { slots[index] = values[index].raw }
        return map
    }

    /// As above, from words. Requires: sorted different keys, at most 32.
    func flatMap(keys: Words, values: Words, size: Int) -> Term {
        guard size > 0 else { return .emptyMap }
        let (tuple, elements) = makeTuple(size)
        elements.update(from: keys, count: size)
        let (map, slots) = makeFlatMap(keys: tuple, size: size)
        slots.update(from: values, count: size)
        return map
    }

    /// `map` with another value at `index`. Requires: isFlatMap.
    @inlinable func flatReplacing(_ map: Term, at index: Int, _ value: Term) -> Term {
        let source = map.pointer
        if source[3 &+ index] == value.raw { return map }
        let words = Header.words(source[0]) &+ 1
        let object = allocate(words)
        object.update(from: source, count: words)
        object[3 &+ index] = value.raw
        return .boxed(object)
    }

    /// Requires: isFlatMap with less than 32 keys, `key` not among them.
    func flatInserting(_ map: Term, _ key: Term, _ value: Term) -> Term {
        let size = map.mapSize
        let position = flatPosition(map.flatKeys, size, key)
        let (tuple, keys) = makeTuple(size &+ 1)
        let (result, values) = makeFlatMap(keys: tuple, size: size &+ 1)
        if size > 0 {
            insertWord(key.raw, at: position, from: map.flatKeys, count: size, into: keys)
            insertWord(value.raw, at: position, from: map.flatValues, count: size, into: values)
        } else {
            keys[0] = key.raw
            values[0] = value.raw
        }
        return result
    }

    /// Requires: isFlatMap, index of one of its keys.
    func flatRemoving(_ map: Term, at index: Int) -> Term {
        let size = map.mapSize &- 1
        guard size > 0 else { return .emptyMap }
        let (tuple, keys) = makeTuple(size)
        let (result, values) = makeFlatMap(keys: tuple, size: size)
        keys.update(from: map.flatKeys, count: index)
        (keys + index).update(from: map.flatKeys + (index + 1), count: size &- index)
        values.update(from: map.flatValues, count: index)
        (values + index).update(from: map.flatValues + (index + 1), count: size &- index)
        return result
    }

    /// All pairs of two flat maps; the second wins.
    func flatMerging(_ first: Term, _ second: Term) -> Term {
        let firstSize = first.mapSize
        let secondSize = second.mapSize
        if firstSize == 0 { return second }
        if secondSize == 0 { return first }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4 * MapLimits.flat) { buffer in
            let keys = buffer.baseAddress.unsafelyUnwrapped
            let values = keys + 2 * MapLimits.flat
            let size = mergeFlatPairs(first, second, keys, values)
            if size > MapLimits.flat { return trieFromDistinct(keys, values, size) }
            let shared = size == secondSize ? second : size == firstSize ? first : Term.none
            if shared.isNone { return flatMap(keys: keys, values: values, size: size) }
            let (map, slots) = makeFlatMap(keys: Term(raw: shared.pointer[2]), size: size)
            slots.update(from: values, count: size)
            return map
        }
    }
}

/// Where `key` belongs among `count` sorted keys that do not have it.
func flatPosition(_ keys: Words, _ count: Int, _ key: Term) -> Int {
    var low = 0
    var high = count
    while low < high {
        let middle = (low &+ high) &>> 1
        if compareKeys(Term(raw: keys[middle]), key) < 0 { low = middle &+ 1 } else { high = middle }
    }
    return low
}

private func insertWord(_ word: UInt64, at position: Int, from source: Words, count: Int, into target: Words) {
    target.update(from: source, count: position)
    target[position] = word
    (target + (position + 1)).update(from: source + position, count: count &- position)
}

/// Writes the union to `keys` and `values` (room for 64 each), sorted; answers its size.
private func mergeFlatPairs(_ first: Term, _ second: Term, _ keys: Words, _ values: Words) -> Int {
    let sizes = (first.mapSize, second.mapSize)
    var (left, right, size) = (0, 0, 0)
    while left < sizes.0 || right < sizes.1 {
        let order =
            left == sizes.0
            ? 1 : right == sizes.1 ? -1 : compareKeys(Term(raw: first.flatKeys[left]), Term(raw: second.flatKeys[right]))
        if order < 0 {
            keys[size] = first.flatKeys[left]
            values[size] = first.flatValues[left]
            left &+= 1
        } else {
            keys[size] = second.flatKeys[right]
            values[size] = second.flatValues[right]
            right &+= 1
            if order == 0 { left &+= 1 }
        }
        size &+= 1
    }
    return size
}
