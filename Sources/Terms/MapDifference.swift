// MapDifference.swift: the order of two tries of equal size. Maps order by their keys, sorted exactly, then by the
// values in that order. A trie is not sorted, so:
//
//     keys differ   the map that has the least of the keys which only one of them has is the smaller one
//     keys agree    the values of the least key whose values differ decide
//
// Either way a least key is wanted among candidates. Comparing keys may meet maps again; the search is therefore a
// state that the walk of Compare.swift keeps on its stack, and no native recursion.

import CMachine
import Glibc

struct MapDifference {
    /// What the walk does next. All pointers are to single words that hold the terms.
    enum Step {
        case keys(Words, Words)
        case values(Words, Words, exact: Bool)
        case done(Int)
    }

    /// Pairs of cons cell addresses, of the first and of the second map; 0 where a map lacks the key.
    private var candidates: UnsafeMutablePointer<(UInt64, UInt64)>?
    private var count = 0
    private var capacity = 0
    private var best = 0
    private var next = 0
    private var keysDiffer = false
    private let exact: Bool

    /// The search for two trie roots of equal size. `step` frees it in the end.
    static func make(_ a: Term, _ b: Term, exact: Bool) -> Ref<MapDifference> {
        guard let memory = malloc(MemoryLayout<MapDifference>.stride) else {
            outOfMemory(MemoryLayout<MapDifference>.stride)
        }
        let search = memory.assumingMemoryBound(to: MapDifference.self)
        search.initialize(to: MapDifference(exact: exact))
        search.pointee.differ(a, b)
        return search
    }

    private init(exact: Bool) { self.exact = exact }

    /// Takes the order of the two keys handed out last (anything the first time) and tells what to do next.
    static func step(_ address: UInt64, _ result: Int) -> Step {
        let search = Ref<MapDifference>(bitPattern: UInt(address)).unsafelyUnwrapped
        let step = search.pointee.advance(result)
        if case .keys = step { return step }
        free(search.pointee.candidates)
        free(search)
        return step
    }

    private mutating func advance(_ result: Int) -> Step {
        guard let candidates else { return .done(0) }
        if next > 0, result > 0 { best = next }
        next += 1
        if next < count { return .keys(key(candidates[best]), key(candidates[next])) }
        let (cellA, cellB) = candidates[best]
        if keysDiffer { return .done(cellA != 0 ? -1 : 1) }
        return .values(wordsAt(cellA) + 1, wordsAt(cellB) + 1, exact: exact)
    }

    private func key(_ candidate: (UInt64, UInt64)) -> Words { wordsAt(candidate.0 != 0 ? candidate.0 : candidate.1) }

    // MARK: Finding the candidates

    /// A key that only one map has.
    private mutating func addKey(_ a: UInt64, _ b: UInt64) {
        if !keysDiffer {
            keysDiffer = true
            count = 0
        }
        append(a, b)
    }

    private mutating func append(_ a: UInt64, _ b: UInt64) {
        if count == capacity {
            capacity = max(capacity * 2, 16)
            let size = capacity * 16
            guard let memory = realloc(candidates, size) else { outOfMemory(size) }
            candidates = memory.assumingMemoryBound(to: (UInt64, UInt64).self)
        }
        candidates.unsafelyUnwrapped[count] = (a, b)
        count += 1
    }

    /// Two leaves with the same key.
    private mutating func addValues(_ a: Term, _ b: Term) {
        if keysDiffer || (exact ? termsIdentical(a.tail, b.tail) : termsEqual(a.tail, b.tail)) { return }
        append(a.pointer.address, b.pointer.address)
    }

    /// Two children of the same slot. Native recursion here is as deep as a trie, not as a term.
    private mutating func differ(_ a: Term, _ b: Term) {
        if a == b { return }
        if a.isCons {
            if b.isCons, termsIdentical(a.head, b.head) {
                addValues(a, b)
            } else {
                differ(leaf: a, from: b, swapped: false)
            }
            return
        }
        if b.isCons {
            differ(leaf: b, from: a, swapped: true)
            return
        }
        let bitsA = Header.mapBitmap(a.header)
        let bitsB = Header.mapBitmap(b.header)
        var childA = Header.mapChildren(a.pointer)
        var childB = Header.mapChildren(b.pointer)
        var bit: UInt64 = 1
        while bit <= 0x8000 {
            let inA = bitsA & bit != 0
            let inB = bitsB & bit != 0
            if inA, inB {
                differ(Term(raw: childA[0]), Term(raw: childB[0]))
            } else if inA {
                addAll(Term(raw: childA[0]), swapped: false)
            } else if inB {
                addAll(Term(raw: childB[0]), swapped: true)
            }
            if inA { childA += 1 }
            if inB { childB += 1 }
            bit <<= 1
        }
    }

    /// A leaf of one map against whatever the other map has in that slot. `swapped`: the leaf is the second map's.
    private mutating func differ(leaf: Term, from other: Term, swapped: Bool) {
        let match = find(leaf.head, in: other)
        if let match {
            if swapped { addValues(match, leaf) } else { addValues(leaf, match) }
        } else {
            addAll(leaf, swapped: swapped)
        }
        addAll(other, swapped: !swapped, except: match)
    }

    /// The leaf with this key below `child`.
    private func find(_ key: Term, in child: Term) -> Term? {
        if child.isCons { return termsIdentical(child.head, key) ? child : nil }
        let children = MapShape.children(child.header)
        for index in 0..<children.count {
            if let leaf = find(key, in: Term(raw: child.pointer[children.offset + index])) { return leaf }
        }
        return nil
    }

    /// Every leaf below `child` as a key that the other map lacks.
    private mutating func addAll(_ child: Term, swapped: Bool, except: Term? = nil) {
        if child.isCons {
            if child == except { return }
            let address = child.pointer.address
            addKey(swapped ? 0 : address, swapped ? address : 0)
            return
        }
        let children = MapShape.children(child.header)
        for index in 0..<children.count {
            addAll(Term(raw: child.pointer[children.offset + index]), swapped: swapped, except: except)
        }
    }
}
