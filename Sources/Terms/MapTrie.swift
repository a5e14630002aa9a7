// MapTrie.swift: changing big maps (tries). Changes copy the nodes on the key's way and share everything else. All
// walks go down once, so their native stack does not depend on the map.

import CMachine

/// A key and its value on the way into a trie.
struct TrieLeaf {
    let key: Term
    /// The cons [Key | Value].
    let cell: Term
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// A copy of a root or node.
    private func copyNode(_ node: Words) -> Words {
        let words = Header.words(node[0]) &+ 1
        let copy = allocate(words)
        copy.update(from: node, count: words)
        return copy
    }

    /// A copy with one child more, for `bit`.
    private func copyNode(_ node: Words, adding bit: UInt64, _ child: Term) -> Words {
        let header = node[0]
        let bitmap = Header.mapBitmap(header)
        let words = Header.words(header) &+ 1
        let kind = Header.mapKind(header)
        let before = (kind == MapKind.root ? 2 : 1) &+ (bitmap & (bit &- 1)).nonzeroBitCount
        let copy = allocate(words &+ 1)
        copy.update(from: node, count: before)
        copy[0] = Header.map(words, kind, bitmap: bitmap | bit)
        copy[before] = child.raw
        (copy + (before + 1)).update(from: node + before, count: words &- before)
        return copy
    }

    /// A copy without the child for `bit`.
    private func copyNode(_ node: Words, removing bit: UInt64) -> Words {
        let header = node[0]
        let bitmap = Header.mapBitmap(header)
        let words = Header.words(header) &+ 1
        let kind = Header.mapKind(header)
        let before = (kind == MapKind.root ? 2 : 1) &+ (bitmap & (bit &- 1)).nonzeroBitCount
        let copy = allocate(words &- 1)
        copy.update(from: node, count: before)
        copy[0] = Header.map(words &- 2, kind, bitmap: bitmap & ~bit)
        (copy + before).update(from: node + (before + 1), count: words &- before &- 1)
        return copy
    }

    /// Nodes from `level` down to where two leaves part. Requires: different keys; the hashes are those at `level`.
    func joinLeaves(_ old: Term, _ oldHash: UInt32, _ new: TrieLeaf, _ newHash: UInt32, _ level: Int) -> Term {
        var level = level
        var newHash = newHash
        var oldHash = oldHash
        var top = Term.none
        var link: Words? = nil
        while newHash & 15 == oldHash & 15 {
            // Cannot happen with different keys; gives the new one rather than run on.
            guard level < MapLimits.levels else { break }
            let node = allocate(2)
            node[0] = Header.map(1, MapKind.node, bitmap: 1 &<< UInt64(newHash & 15))
            if let link { link[0] = Term.boxed(node).raw } else { top = .boxed(node) }
            link = node + 1
            level &+= 1
            newHash = nextHash(newHash, new.key, level)
            oldHash = nextHash(oldHash, old.head, level)
        }
        let node: Words
        if newHash & 15 == oldHash & 15 {
            node = allocate(2)
            node[1] = new.cell.raw
        } else {
            node = allocate(3)
            let newIsFirst = newHash & 15 < oldHash & 15
            node[1] = newIsFirst ? new.cell.raw : old.raw
            node[2] = newIsFirst ? old.raw : new.cell.raw
        }
        let bitmap = UInt64(1) &<< UInt64(newHash & 15) | UInt64(1) &<< UInt64(oldHash & 15)
        node[0] = Header.map(bitmap.nonzeroBitCount, MapKind.node, bitmap: bitmap)
        if let link { link[0] = Term.boxed(node).raw } else { top = .boxed(node) }
        return top
    }

    /// `node` (root or node at `level`) with a leaf more, or the leaf in place of the one with its key.
    /// `added`: whether the key is new. The size of a root is left to the caller.
    func trieStoring(_ leaf: TrieLeaf, _ hash: UInt32, in node: Words, level: Int) -> (node: Words, added: Bool) {
        var hash = hash
        var level = level
        var source = node
        var top: Words? = nil
        var link: Words? = nil
        while true {
            let bit = UInt64(1) &<< UInt64(hash & 15)
            let bitmap = Header.mapBitmap(source[0])
            let isPresent = bitmap & bit != 0
            let copy = isPresent ? copyNode(source) : copyNode(source, adding: bit, leaf.cell)
            if let link { link[0] = Term.boxed(copy).raw } else { top = copy }
            if !isPresent { return (top.unsafelyUnwrapped, true) }
            let slot = Header.mapChildren(copy) + (bitmap & (bit &- 1)).nonzeroBitCount
            let child = Term(raw: slot[0])
            level &+= 1
            if child.isCons {
                if isSameKey(child.head, leaf.key) {
                    slot[0] = leaf.cell.raw
                    return (top.unsafelyUnwrapped, false)
                }
                let newHash = nextHash(hash, leaf.key, level)
                slot[0] = joinLeaves(child, hashAtLevel(child.head, level), leaf, newHash, level).raw
                return (top.unsafelyUnwrapped, true)
            }
            hash = nextHash(hash, leaf.key, level)
            source = child.pointer
            link = slot
        }
    }

    /// A big map with `key` set to `value`. Requires: a trie root.
    func trieSetting(_ map: Term, _ key: Term, _ value: Term) -> Term {
        let hash = mapHash(key)
        var present = key
        if let slot = trieSlot(map.pointer, key, hash) {
            if slot[0] == value.raw { return map }
            // The very key that is there: storing finds it by its word.
            present = Term(raw: slot[-1])
        }
        let leaf = TrieLeaf(key: present, cell: cons(key, value))
        let (root, added) = trieStoring(leaf, hash, in: map.pointer, level: 0)
        if added { root[1] &+= 1 }
        return .boxed(root)
    }

    /// A big map without `key`. Requires: a trie root that has the key.
    func trieRemoving(_ map: Term, _ key: Term) -> Term {
        let root = map.pointer
        if Int(root[1]) &- 1 <= MapLimits.flat { return flattenTrie(map, without: key) }
        return withUnsafeTemporaryAllocation(of: (node: Words, bit: UInt64).self, capacity: MapLimits.levels + 1) { path in
            var depth = 0
            var hash = mapHash(key)
            var node = root
            while true {
                let bit = UInt64(1) &<< UInt64(hash & 15)
                path[depth] = (node, bit)
                let position = (Header.mapBitmap(node[0]) & (bit &- 1)).nonzeroBitCount
                let child = Term(raw: Header.mapChildren(node)[position])
                if child.isCons { break }
                depth &+= 1
                hash = nextHash(hash, key, depth)
                node = child.pointer
            }
            return removeAtEnd(of: path, depth)
        }
    }

    /// Removes the leaf at the end of `path` and copies the way up. A node left with a single leaf becomes that leaf.
    private func removeAtEnd(of path: UnsafeMutableBufferPointer<(node: Words, bit: UInt64)>, _ last: Int) -> Term {
        var depth = last
        var (node, bit) = path[depth]
        var replacement = survivingLeaf(node, bit, depth)
        if replacement.isNone {
            let copy = copyNode(node, removing: bit)
            if depth == 0 { copy[1] &-= 1 }
            replacement = .boxed(copy)
        }
        while depth > 0 {
            depth &-= 1
            (node, bit) = path[depth]
            if replacement.isCons && depth > 0 && Header.mapChildCount(node[0]) == 1 { continue }
            let copy = copyNode(node)
            if depth == 0 { copy[1] &-= 1 }
            let position = (Header.mapBitmap(node[0]) & (bit &- 1)).nonzeroBitCount
            Header.mapChildren(copy)[position] = replacement.raw
            replacement = .boxed(copy)
        }
        return replacement
    }

    /// The other child, if `node` is no root, has two children and the other one is a leaf.
    private func survivingLeaf(_ node: Words, _ bit: UInt64, _ depth: Int) -> Term {
        guard depth > 0, Header.mapChildCount(node[0]) == 2 else { return .none }
        let isFirst = Header.mapBitmap(node[0]) & (bit &- 1) == 0
        let other = Term(raw: node[isFirst ? 2 : 1])
        return other.isCons ? other : .none
    }

    /// The flat map of a trie of 33 keys without `key`.
    private func flattenTrie(_ map: Term, without key: Term) -> Term {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * MapLimits.flat) { buffer in
            let keys = buffer.baseAddress.unsafelyUnwrapped
            let values = keys + MapLimits.flat
            var size = 0
            var iterator = MapIterator(map)
            while let (other, value) = iterator.next() {
                if isSameKey(other, key) { continue }
                let position = flatPosition(keys, size, other)
                (keys + (position + 1)).update(from: keys + position, count: size &- position)
                (values + (position + 1)).update(from: values + position, count: size &- position)
                keys[position] = other.raw
                values[position] = value.raw
                size &+= 1
            }
            return flatMap(keys: keys, values: values, size: size)
        }
    }
}
