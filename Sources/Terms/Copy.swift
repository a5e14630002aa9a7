// Copy.swift: copying a term to another heap: messages, arguments of a new process, table objects, literals.
//
// The size is counted first, so that the copy is one block. Then the copy grows as in a copying collector: objects are
// moved over shallowly, and a scan pointer runs behind and replaces the pointers in them, so the block itself is the
// work list. What is shared in the source is copied as often as it is met, as in OTP.
//
// Terms in the literal range are not copied unless asked for. Handles of binaries and magic references are made anew
// and counted; a part of a binary becomes a handle or a heap binary of just that part.

public import CMachine
import Glibc

/// Which literals a copy leaves where they are: all but those that are being released, or none. Taken once for both passes
/// of a copy, for it may change in between.
public struct KeptLiterals {
    let size: UInt
    let released: Words?

    public init(copyLiterals: Bool) {
        size = copyLiterals ? 0 : literalSize
        released = Literals.released
    }

    @inline(__always) var keepsNone: Bool { size == 0 }

    @inline(__always) func keeps(_ address: UInt) -> Bool {
        address &- literalBase < size && (released == nil || !isReleased(address))
    }

    private func isReleased(_ address: UInt) -> Bool {
        AddressRanges.find(released.unsafelyUnwrapped, UInt64(address)) != nil
    }
}

/// Words that a copy of `term` takes.
@inlinable public func flatSize(_ term: Term, copyLiterals: Bool = false) -> Int {
    term.isImmediate ? 0 : pointerFlatSize(term, KeptLiterals(copyLiterals: copyLiterals))
}

/// A copy of `term` on `heap`. What is kept outside the heaps and message queues of processes takes `copyLiterals`, for
/// nobody would find it when a literal area is released.
@inlinable public func copyTerm(_ term: Term, to heap: Ref<Heap>, copyLiterals: Bool = false) -> Term {
    term.isImmediate ? term : copyPointer(term, to: heap, KeptLiterals(copyLiterals: copyLiterals))
}

/// A copy of `term` in a fragment of exactly its size; no fragment if nothing needs copying.
public func copyToFragment(_ term: Term, copyLiterals: Bool = false) -> (term: Term, fragment: Ref<Fragment>?) {
    if term.isImmediate { return (term, nil) }
    let literals = KeptLiterals(copyLiterals: copyLiterals)
    let size = pointerFlatSize(term, literals)
    if size == 0 { return (term, nil) }
    let fragment = newFragment(capacity: size)
    fragment.pointee.used = UInt64(size)
    var copier = Copier(fragment.words, literals)
    let copy = withUnsafeMutablePointer(to: &fragment.pointee.offHeap) { copier.run(term, $0) }
    return (copy, fragment)
}

/// A copy of `term` in a block of the literal range: what modules and persistent terms keep. `offHeap` gets what the
/// copy owns outside of it.
public func copyToLiterals(_ term: Term, offHeap: Ref<OffHeapList>) -> (term: Term, block: Words?, words: Int) {
    if term.isImmediate { return (term, nil, 0) }
    let all = KeptLiterals(copyLiterals: true)
    let size = pointerFlatSize(term, all)
    let block = Literals.allocate(size)
    var copier = Copier(block, all)
    return (copier.run(term, offHeap), block, size)
}

/// `copyTerm` of a boxed term or a cons.
@inline(never) public func copyPointer(_ term: Term, to heap: Ref<Heap>, _ literals: KeptLiterals) -> Term {
    let size = pointerFlatSize(term, literals)
    if size == 0 { return term }
    var copier = Copier(heap.allocate(size), literals)
    return withUnsafeMutablePointer(to: &heap.pointee.offHeap) { copier.run(term, $0) }
}

// MARK: - Size

/// `flatSize` of a boxed term or a cons.
@inline(never) public func pointerFlatSize(_ term: Term, _ literals: KeptLiterals) -> Int {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { buffer in
        var stack = WordStack(buffer)
        var size = 0
        var current = term.raw
        while true {
            let pointer = Words(bitPattern: UInt(current & ~3)).unsafelyUnwrapped
            var next: UInt64 = 3
            if literals.keeps(UInt(bitPattern: pointer)) {
                // Stays where it is.
            } else if current & 3 == 1 {
                size &+= 2
                let head = pointer[0]
                let tail = pointer[1]
                next = tail
                if head & 3 != 3 {
                    if tail & 3 == 3 { next = head } else { stack.push(head) }
                }
            } else {
                let header = pointer[0]
                var first = 1
                let count = Header.words(header)
                size &+= header == 0 ? 0 : count &+ 1  // the only `{}` is shared
                switch Header.subtag(header) {
                case Subtag.tuple: break
                case Subtag.map: first = header &>> 40 & 3 == 1 ? 1 : 2
                case Subtag.fun:
                    // A creator of another node is boxed.
                    if pointer[4] & 3 != 3 { next = pointer[4] }
                    first = Layout.funWords
                case Subtag.subBinary:
                    size &+= partWords(pointer) &- Layout.subBinaryWords
                    first = count &+ 1
                default: first = count &+ 1
                }
                while first <= count {
                    let element = pointer[first]
                    first &+= 1
                    if element & 3 != 3 {
                        if next != 3 { stack.push(next) }
                        next = element
                    }
                }
            }
            if next & 3 == 3 {
                if stack.isEmpty { break }
                next = stack.pop()
            }
            current = next
        }
        stack.release()
        return size
    }
}

/// Bytes that hold the bits of a sub-binary, and whether it begins and ends at their borders.
@inline(__always) private func part(_ object: Words) -> (bytes: Int, isWhole: Bool) {
    let bits = Int(object[3] & 7)
    let offset = Int(object[3] &>> 8 & 7)
    return (Int(object[1]) &+ (bits &+ offset &+ 7) &>> 3, bits | offset == 0)
}

/// Words of the copy of a sub-binary.
private func partWords(_ object: Words) -> Int {
    let (bytes, isWhole) = part(object)
    let original = bytes <= Layout.heapBinaryLimit ? Layout.heapBinaryWords(bytes) : Layout.refcBinaryWords
    return isWhole ? original : original &+ Layout.subBinaryWords
}

// MARK: - Copy

private struct Copier {
    private let block: Words
    /// The next free word of the block.
    private var free: Words
    private let literals: KeptLiterals

    init(_ block: Words, _ literals: KeptLiterals) {
        self.block = block
        free = block
        self.literals = literals
    }

    /// Requires: `term` is boxed or a cons, and the block has the size of its copy.
    mutating func run(_ term: Term, _ offHeap: Ref<OffHeapList>) -> Term {
        let root = move(term.raw, offHeap)
        var scan = block
        while scan < free {
            let word = scan[0]
            if word & 3 == 3 {
                scan += 1
            } else if word & 3 == 0 {
                switch Header.subtag(word) {
                case Subtag.tuple: scan += 1
                case Subtag.map: scan += word &>> 40 & 3 == 1 ? 1 : 2
                case Subtag.fun:
                    if scan[4] & 3 != 3 { scan[4] = move(scan[4], offHeap) }
                    scan += Layout.funWords
                default: scan += Header.words(word) &+ 1
                }
            } else {
                scan[0] = move(word, offHeap)
                scan += 1
            }
        }
        return Term(raw: root)
    }

    /// Copies the object or cell that `word` points at, with the pointers it holds.
    @inline(__always) private mutating func move(_ word: UInt64, _ offHeap: Ref<OffHeapList>) -> UInt64 {
        let source = Words(bitPattern: UInt(word & ~3)).unsafelyUnwrapped
        if literals.keeps(UInt(bitPattern: source)) { return word }
        let target = free
        if word & 3 == 1 {
            target[0] = source[0]
            target[1] = source[1]
            free = target + 2
            return UInt64(UInt(bitPattern: target)) | 1
        }
        let header = source[0]
        if header == 0 { return Term.emptyTuple.raw }
        let subtag = Header.subtag(header)
        if subtag == Subtag.subBinary { return movePart(source, offHeap) }
        let count = Header.words(header) &+ 1
        var index = 0
        while index < count {
            target[index] = source[index]
            index &+= 1
        }
        free = target + count
        if subtag == Subtag.refcBinary {
            target[5] = 0
            Ref<Binary>(bitPattern: UInt(target[3])).unsafelyUnwrapped.retain()
            link(target, bytes: target[1], offHeap)
        } else if subtag == Subtag.magicReference {
            Ref<Binary>(bitPattern: UInt(target[1])).unsafelyUnwrapped.retain()
            link(target, bytes: 0, offHeap)
        } else if subtag == Subtag.fun, !Term.boxed(target).funIsExternal {
            // Who looks through the processes does not see a copy that is kept outside of them.
            if literals.keepsNone {
                Term.boxed(target).funEntry.retain()
                link(target, bytes: 0, offHeap)
            } else {
                Term.boxed(target).funEntry.noteCopy()
            }
        }
        return UInt64(UInt(bitPattern: target)) | 2
    }

    private func link(_ object: Words, bytes: UInt64, _ offHeap: Ref<OffHeapList>) {
        object[2] = UInt64(UInt(bitPattern: offHeap.pointee.first))
        offHeap.pointee.first = object
        offHeap.pointee.words &+= bytes &>> 3
    }

    /// A sub-binary: only the bytes that it covers, or a handle for them; a sub-binary again if bits are cut off.
    private mutating func movePart(_ source: Words, _ offHeap: Ref<OffHeapList>) -> UInt64 {
        let (bytes, isWhole) = part(source)
        let original = Term(raw: source[4])
        let start = original.originalBytes + Int(source[2])
        let target = free
        if bytes <= Layout.heapBinaryLimit {
            let words = Layout.heapBinaryWords(bytes)
            target[words &- 1] = 0
            target[0] = Header.make(words &- 1, Subtag.heapBinary)
            target[1] = UInt64(bytes)
            memcpy(target + 2, start, bytes)
            free = target + words
        } else {
            target[0] = Header.make(Layout.refcBinaryWords - 1, Subtag.refcBinary)
            target[1] = UInt64(bytes)
            target[3] = original.pointer[3]
            target[4] = UInt64(UInt(bitPattern: start))
            target[5] = 0
            Ref<Binary>(bitPattern: UInt(target[3])).unsafelyUnwrapped.retain()
            link(target, bytes: UInt64(bytes), offHeap)
            free = target + Layout.refcBinaryWords
        }
        let whole = UInt64(UInt(bitPattern: target)) | 2
        if isWhole { return whole }
        let sub = free
        sub[0] = source[0]
        sub[1] = source[1]
        sub[2] = 0
        sub[3] = source[3] & ~SubBinary.writable
        sub[4] = whole
        free = sub + Layout.subBinaryWords
        return UInt64(UInt(bitPattern: sub)) | 2
    }
}
