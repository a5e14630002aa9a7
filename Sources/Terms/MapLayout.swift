// MapLayout.swift: the memory of maps and the look-up of a key.
//
//     flat map    [1] size   [2] keys tuple, in exact order   [3...] values in the same order      up to 32 keys
//     trie root   [1] size   [2...] children                                                      more than 32 keys
//     trie node   [1...] children
//
// Header: words, subtag map, kind in bits 40-41, and for tries the bitmap of the children present in bits 48-63;
// children lie in ascending order of their bit. A child is a node, or a cons [Key | Value]: a leaf.
// Sizes are plain numbers, not terms.
//
// A key's way through the trie: level i takes nibble i of its internal hash, lowest first; every eight levels a new
// salt makes a new hash. Only a node with two or more leaves below exists, so a set of keys has one shape.

public import CMachine

@frozen public enum MapKind {
    public static let flat: UInt64 = 0
    public static let node: UInt64 = 1
    public static let root: UInt64 = 2
}

@frozen public enum MapLimits {
    /// Largest size of a flat map.
    public static let flat = 32
    /// Levels of a trie: 8 hashes of 32 bits. No two keys share all of them.
    public static let levels = 64
}

extension Header {
    @inlinable public static func map(_ words: Int, _ kind: UInt64, bitmap: UInt64 = 0) -> UInt64 {
        make(words, Subtag.map) | kind &<< 40 | bitmap &<< 48
    }
    /// One of MapKind. Requires: header of a map.
    @inlinable public static func mapKind(_ header: UInt64) -> UInt64 { header &>> 40 & 3 }
    @inlinable public static func mapBitmap(_ header: UInt64) -> UInt64 { header &>> 48 }
    /// Requires: header of a trie root or node.
    @inlinable public static func mapChildCount(_ header: UInt64) -> Int { (header &>> 48).nonzeroBitCount }
    /// First child. Requires: a trie root or node.
    @inlinable public static func mapChildren(_ object: Words) -> Words {
        object + (mapKind(object[0]) == MapKind.root ? 2 : 1)
    }
}

extension Term {
    /// The shared `{}`.
    @inlinable public static var emptyTuple: Term { vm_empty_tuple_term() }
    /// The shared `#{}`.
    @inlinable public static var emptyMap: Term { vm_empty_map_term() }

    /// Number of keys. Requires: isMap.
    @inlinable public var mapSize: Int { Int(truncatingIfNeeded: pointer[1]) }
    /// Requires: isMap.
    @inlinable public var isFlatMap: Bool { Header.mapKind(header) == MapKind.flat }
    /// Keys of a flat map, in exact order. Requires: isFlatMap.
    @inlinable @inline(__always) public var flatKeys: Words { Term(raw: pointer[2]).pointer + 1 }
    /// Values in the order of the keys. Requires: isFlatMap.
    @inlinable public var flatValues: Words { pointer + 3 }
}

/// Whether two keys are the same key.
@inlinable @inline(__always) public func isSameKey(_ a: Term, _ b: Term) -> Bool { termsIdentical(a, b) }

/// Exact order of two keys.
@inline(__always) func compareKeys(_ a: Term, _ b: Term) -> Int { compareExact(a, b) }

// MARK: - Look-up

/// The value of `key`, or nil. Requires: `map` isMap.
@inlinable @inline(__always) public func mapGet(_ map: Term, _ key: Term) -> Term? {
    guard let slot = mapSlot(map, key) else { return nil }
    return Term(raw: slot[0])
}

/// Where the value of `key` lies, or nil. Requires: `map` isMap.
public func mapSlot(_ map: Term, _ key: Term) -> Words? {
    let object = map.pointer
    guard Header.mapKind(object[0]) == MapKind.flat else { return trieSlot(object, key, mapHash(key)) }
    guard let index = flatIndex(map.flatKeys, Int(truncatingIfNeeded: object[1]), key) else { return nil }
    return object + (3 &+ index)
}

/// Position of `key` among `count` keys.
@inline(__always) func flatIndex(_ keys: Words, _ count: Int, _ key: Term) -> Int? {
    let index: Int
    if key.isImmediate {
        index = immediateIndex(keys, count, key.raw)
    } else if key.isTuple {
        index = tupleIndex(keys, count, key)
    } else {
        index = otherIndex(keys, count, key)
    }
    return index < 0 ? nil : index
}

/// As above, or -1.
@inline(never) private func immediateIndex(_ keys: Words, _ count: Int, _ key: UInt64) -> Int {
    var index = 0
    while index &+ 3 < count {
        if keys[index] == key { return index }
        if keys[index &+ 1] == key { return index &+ 1 }
        if keys[index &+ 2] == key { return index &+ 2 }
        if keys[index &+ 3] == key { return index &+ 3 }
        index = index &+ 4
    }
    while index < count {
        if keys[index] == key { return index }
        index = index &+ 1
    }
    return -1
}

@inline(never) private func otherIndex(_ keys: Words, _ count: Int, _ key: Term) -> Int {
    var index = 0
    while index < count {
        if isSameKey(Term(raw: keys[index]), key) { return index }
        index = index &+ 1
    }
    return -1
}

/// Most tuples differ in their last element, or in their size.
@inline(never) private func tupleIndex(_ keys: Words, _ count: Int, _ key: Term) -> Int {
    let parts = key.pointer
    let header = parts[0]
    let size = Header.words(header)
    let last = parts[size]
    var index = 0
    while index < count {
        let other = Term(raw: keys[index])
        if other.isBoxed, other.pointer[0] == header, other.pointer[size] == last || last & 3 != 3,
            tuplesAreIdentical(other.pointer, parts)
        {
            return index
        }
        index = index &+ 1
    }
    return -1
}

/// Where the value of `key` lies below `root`. Requires: a trie root, and `hash` is mapHash(key).
func trieSlot(_ root: Words, _ key: Term, _ hash: UInt32) -> Words? {
    var hash = hash
    var level = 0
    var bitmap = Header.mapBitmap(root[0])
    var children = root + 2
    while true {
        let bit = 1 &<< UInt64(hash & 15)
        guard bitmap & bit != 0 else { return nil }
        let child = Term(raw: children[(bitmap & (bit &- 1)).nonzeroBitCount])
        let object = child.pointer
        if child.isCons { return isSameKey(Term(raw: object[0]), key) ? object + 1 : nil }
        level &+= 1
        hash = nextHash(hash, key, level)
        bitmap = Header.mapBitmap(object[0])
        children = object + 1
    }
}

/// The hash whose low nibble is for `level`, given the one for the level above.
@inline(__always) func nextHash(_ hash: UInt32, _ key: Term, _ level: Int) -> UInt32 {
    _fastPath(level & 7 != 0) ? hash &>> 4 : rehash(key, level &>> 3)
}

/// Out of line: few keys get so deep.
@inline(never) private func rehash(_ key: Term, _ depth: Int) -> UInt32 { mapHash(key, depth: depth) }

/// The hash whose low nibble is for `level`.
@inline(__always) func hashAtLevel(_ key: Term, _ level: Int) -> UInt32 {
    let hash = _fastPath(level < 8) ? mapHash(key) : rehash(key, level &>> 3)
    return hash &>> UInt32(4 &* (level & 7))
}
