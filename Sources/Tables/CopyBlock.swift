// CopyBlock.swift: copying a block of finished terms word by word. Unlike a general copy it needs no stack and reads
// memory in order, because everything a table object points at lies in its own block.

import CMachine
import Terms

/// Copies the `count` words at `source`, which begin with a tuple, to `heap`; pointers into the block are moved along.
func copyBlock(_ source: Words, words count: Int, to heap: Ref<Heap>) -> Term {
    let target = heap.allocate(count)
    let start = UInt64(UInt(bitPattern: source))
    let length = UInt64(truncatingIfNeeded: count &* 8)
    let distance = UInt64(UInt(bitPattern: target)) &- start
    var index = 0
    while index < count {
        let word = source[index]
        switch word & 3 {
        case 3:
            target[index] = word
            index &+= 1
        case 0:
            index = copyObject(word, source, target, at: index, start, length, distance, heap)
        default:
            target[index] = (word & ~3) &- start < length ? word &+ distance : word
            index &+= 1
        }
    }
    return .boxed(target)
}

/// Copies the part of the boxed object at `index` that holds no terms; answers where to go on.
@inline(__always)
private func copyObject(
    _ header: UInt64, _ source: Words, _ target: Words, at index: Int, _ start: UInt64, _ length: UInt64,
    _ distance: UInt64, _ heap: Ref<Heap>
) -> Int {
    target[index] = header
    switch Header.subtag(header) {
    case Subtag.tuple:
        return index &+ 1
    case Subtag.map:
        // A node of a trie has terms only; the others have their size first.
        if header &>> 40 & 3 == 1 { return index &+ 1 }
        target[index &+ 1] = source[index &+ 1]
        return index &+ 2
    case Subtag.refcBinary, Subtag.magicReference:
        return copyCounted(header, source, target, at: index, heap)
    case Subtag.subBinary:
        target[index &+ 1] = source[index &+ 1]
        target[index &+ 2] = source[index &+ 2]
        target[index &+ 3] = source[index &+ 3]
        return index &+ 4
    case Subtag.fun:
        target[index &+ 1] = source[index &+ 1]
        target[index &+ 2] = 0
        target[index &+ 3] = source[index &+ 3]
        let fun = Term.boxed(source + index)
        if !fun.funIsExternal { fun.funEntry.noteCopy() }
        return index &+ 4
    default:
        let end = index &+ 1 &+ Header.words(header)
        var position = index &+ 1
        while position < end {
            target[position] = source[position]
            position &+= 1
        }
        return end
    }
}

/// Copies a handle, which takes a reference of its own.
@inline(never)
private func copyCounted(_ header: UInt64, _ source: Words, _ target: Words, at index: Int, _ heap: Ref<Heap>) -> Int {
    let words = 1 &+ Header.words(header)
    (target + index).update(from: source + index, count: words)
    let isBinary = Header.subtag(header) == Subtag.refcBinary
    let owned = source[index &+ (isBinary ? 3 : 1)]
    Ref<Binary>(bitPattern: UInt(owned)).unsafelyUnwrapped.retain()
    heap.linkOffHeap(target + index, bytes: isBinary ? Int(truncatingIfNeeded: source[index &+ 1]) : 0)
    return index &+ words
}
