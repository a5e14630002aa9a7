// TableObject.swift: an object as a table keeps it: one block of memory with the tuple and everything it points at.
//
//              -2       -1       0          1                2                 3       4 ...
//            +-------+--------+----------+----------------+-----------------+-------+------------------+
//     tree   | right | parent | left     | height         | first off-heap  | words | tuple, its parts |
//            +-------+--------+----------+----------------+-----------------+-------+------------------+
//     hash                    | next     | hash | deleted | first off-heap  | words | tuple, its parts |
//                             +----------+----------------+-----------------+-------+------------------+
//
// No pointer inside leads out of the block, except to what is never freed and to counted off-heap objects, which the
// block's own list holds. So an object is copied word by word, and a term of it may be read as long as the table is
// locked.

import CMachine
import Glibc
import Terms

struct TableObject: Equatable {
    let base: Words

    static let headerWords = 4
    static let treeWords = 2

    @inline(__always) init(_ base: Words) { self.base = base }
    @inline(__always) init?(_ word: UInt64) {
        guard let base = Words(bitPattern: UInt(word)) else { return nil }
        self.base = base
    }

    @inline(__always) var word: UInt64 { UInt64(UInt(bitPattern: base)) }
    @inline(__always) var tuple: Term { .boxed(base + TableObject.headerWords) }
    @inline(__always) var words: Int { Int(truncatingIfNeeded: base[3]) }
    /// Requires: the tuple has that many elements (every object of a table has its key).
    @inline(__always) func key(_ position: Int) -> Term { Term(raw: base[TableObject.headerWords &+ position]) }

    // MARK: In a chain

    @inline(__always) var next: TableObject? {
        get { TableObject(base[0]) }
        nonmutating set { base[0] = newValue?.word ?? 0 }
    }
    @inline(__always) var hash: UInt32 {
        get { UInt32(truncatingIfNeeded: base[1]) }
        nonmutating set { base[1] = base[1] & ~0xFFFF_FFFF | UInt64(newValue) }
    }
    /// Kept only so that a traversal that stands on it finds its way.
    @inline(__always) var isDeleted: Bool {
        get { base[1] &>> 32 != 0 }
        nonmutating set { base[1] = base[1] & 0xFFFF_FFFF | (newValue ? 1 &<< 32 : 0) }
    }

    // MARK: In a tree

    @inline(__always) var left: TableObject? {
        get { TableObject(base[0]) }
        nonmutating set { base[0] = newValue?.word ?? 0 }
    }
    @inline(__always) var right: TableObject? {
        get { TableObject(base[-2]) }
        nonmutating set { base[-2] = newValue?.word ?? 0 }
    }
    @inline(__always) var parent: TableObject? {
        get { TableObject(base[-1]) }
        nonmutating set { base[-1] = newValue?.word ?? 0 }
    }
    @inline(__always) var height: Int {
        get { Int(truncatingIfNeeded: base[1]) }
        nonmutating set { base[1] = UInt64(truncatingIfNeeded: newValue) }
    }

    // MARK: Life

    /// A copy of `tuple` outside every process. The link words are zero.
    static func make(_ tuple: Term, inTree: Bool) -> TableObject {
        let extra = inTree ? treeWords : 0
        let size = tuple.tupleSize
        let elements = tuple.pointer
        var flat = true
        var index = 1
        while index <= size {
            if !Term(raw: elements[index]).isImmediate {
                flat = false
                break
            }
            index &+= 1
        }
        let words = flat ? size &+ 1 : flatSize(tuple, copyLiterals: true)
        let bytes = (words &+ headerWords &+ extra) &* 8
        guard let memory = malloc(bytes) else { outOfMemory(bytes) }
        let base = memory.assumingMemoryBound(to: UInt64.self) + extra
        if inTree {
            base[-2] = 0
            base[-1] = 0
        }
        base[0] = 0
        base[1] = 0
        base[2] = 0
        base[3] = UInt64(words)
        let target = base + headerWords
        if flat {
            target.update(from: elements, count: words)
        } else {
            var heap = Heap()
            heap.top = target
            heap.limit = target + words
            _ = copyTerm(tuple, to: &heap, copyLiterals: true)
            base[2] = UInt64(UInt(bitPattern: heap.offHeap.first))
        }
        return TableObject(base)
    }

    /// Gives the memory back.
    func free(inTree: Bool) {
        if base[2] != 0 { releaseOffHeap(OffHeapList(first: Words(bitPattern: UInt(base[2])), words: 0)) }
        Glibc.free(inTree ? base - TableObject.treeWords : base)
    }

    /// Words of memory taken, for `ets:info(T, memory)`.
    func allocatedWords(inTree: Bool) -> Int { words &+ TableObject.headerWords &+ (inTree ? TableObject.treeWords : 0) }

    /// The tuple, copied to `heap`.
    @inline(__always) func copy(to heap: Ref<Heap>) -> Term {
        copyBlock(base + TableObject.headerWords, words: words, to: heap)
    }
}

/// Copies one element out of an object.
@inline(__always) func copyOut(_ term: Term, to heap: Ref<Heap>) -> Term {
    term.isImmediate ? term : copyTerm(term, to: heap)
}
