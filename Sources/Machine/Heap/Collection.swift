// Collection.swift: when to collect a process and how large its block becomes (OTP's policy, otp25 "term and heap",
// section 2). Collector.swift does the copying.

import CMachine
import Glibc
import Terms

extension UnsafeMutablePointer where Pointee == Process {
    var blockWords: Int { pointee.stackEnd - pointee.heapStart }
    var stackWords: Int { pointee.stackEnd - pointee.stackTop }
    private var reserve: Int { Int(stackReserve) }

    /// Should be collected although the block is not full: much lies in fragments or in binaries.
    @inline(__always) var wantsCollection: Bool {
        pointee.heap.fragmentWords > UInt64(blockWords &>> 1) || pointee.heap.offHeap.words > pointee.binaryWordsLimit
    }

    /// Collects so that at least `need` words are free. Roots besides the process's own: x[0..<live] and `extra`.
    /// The stored stack and heap pointers are current before and after. False: the process exceeded its
    /// max_heap_size and must end (exceptionClass and reason are set).
    @inline(never) func collect(
        need: Int, x: Ref<Term>?, live: Int, extra: Ref<Term>? = nil, major: Bool = false,
        releasing release: Release? = nil
    ) -> Bool {
        let top = pointee.heap.top.unsafelyUnwrapped
        let used = top - pointee.heapStart
        let mature = pointee.highWater - pointee.heapStart
        let oldFree = pointee.oldEnd.map { $0 - pointee.oldTop! } ?? 0
        let needsMajor =
            major || pointee.minorSinceFull >= pointee.fullSweepAfter || (pointee.oldStart != nil && oldFree < mature)
            || pointee.oldOffHeap.words > pointee.oldBinaryWordsLimit
        guard checkLimit(used: used, need: need) else { return false }
        var moved: Int
        if needsMajor {
            moved = collectMajor(x, live, extra, release)
        } else {
            moved = collectMinor(x, live, extra, mature: mature)
        }
        let survivors = pointee.heap.top.unsafelyUnwrapped - pointee.heapStart
        if let size = adjustedSize(survivors + stackWords + need + reserve, wasMajor: needsMajor) {
            moved += survivors
            moveBlock(to: size, x, live, extra)
        }
        bump(max(1, moved / 10))
        verifyIfChecking()
        return true
    }

    /// New size of the block, or nil if it may stay.
    private func adjustedSize(_ needed: Int, wasMajor: Bool) -> Int? {
        let size = blockWords
        if size < needed { return HeapSizes.fitting(wasMajor ? needed + needed / 4 : needed) }
        if wasMajor {
            if size * 3 < needed * 4 { return HeapSizes.fitting(size + 1) }
            guard needed * 4 < size, size > Int(pointee.minHeapWords) else { return nil }
            return smaller(HeapSizes.fitting(max(needed * 2, Int(pointee.minHeapWords))), than: size)
        }
        guard size > 3000, needed * 4 < size, size > 8000 else { return nil }
        let oldSize = pointee.oldEnd.map { $0 - pointee.oldStart! } ?? 0
        let wanted = max(needed * 3, needed * 9 < oldSize ? oldSize / 8 : 0, Int(pointee.minHeapWords))
        return smaller(HeapSizes.fitting(wanted), than: size)
    }

    private func smaller(_ size: Int, than current: Int) -> Int? { size < current ? size : nil }

    // MARK: The kinds of collection

    /// Copies the young part and the fragments to a block of at least the present size, promotes the mature part.
    private func collectMinor(_ x: Ref<Term>?, _ live: Int, _ extra: Ref<Term>?, mature: Int) -> Int {
        let used = pointee.heap.top.unsafelyUnwrapped - pointee.heapStart
        if mature > 0, pointee.oldStart == nil {
            let size = HeapSizes.fitting(max(mature * 2, blockWords))
            let block = allocateWords(size)
            pointee.oldStart = block
            pointee.oldTop = block
            pointee.oldEnd = block + size
        }
        let oldTop = pointee.oldTop
        let bound = used - mature + Int(pointee.heap.fragmentWords) + stackWords + reserve
        let size = max(blockWords, HeapSizes.fitting(bound))
        let block = allocateWords(size)
        var collector = Collector(
            process: self, keepStart: UInt(bitPattern: pointee.oldStart),
            keepSize: UInt(bitPattern: pointee.oldEnd) - UInt(bitPattern: pointee.oldStart),
            matureStart: UInt(bitPattern: pointee.heapStart), matureSize: UInt(mature * 8), young: CopySpace(block),
            old: CopySpace(oldTop ?? block))
        if oldTop == nil { collector.old = CopySpace(Words(bitPattern: 8).unsafelyUnwrapped) }
        collector.forwardRoots(x, live, extra)
        collector.scanAll()
        let fragments = pointee.heap.fragments
        sweepOffHeap(&pointee.heap.offHeap, promoted: &pointee.oldOffHeap)
        if oldTop != nil { pointee.oldTop = collector.old.top }
        install(block, size, top: collector.young.top)
        dropFragments(fragments)
        pointee.highWater = collector.young.top
        pointee.minorSinceFull += 1
        return (collector.young.top - block) + (oldTop.map { collector.old.top - $0 } ?? 0)
    }

    /// Copies everything to one new block.
    private func collectMajor(_ x: Ref<Term>?, _ live: Int, _ extra: Ref<Term>?, _ release: Release?) -> Int {
        let used = pointee.heap.top.unsafelyUnwrapped - pointee.heapStart
        let oldUsed = pointee.oldTop.map { $0 - pointee.oldStart! } ?? 0
        let bound = used + oldUsed + Int(pointee.heap.fragmentWords) + stackWords + reserve
            + (release?.literals.reduce(0) { $0 + $1.words } ?? 0)
        let size = max(HeapSizes.fitting(bound), Int(pointee.minHeapWords))
        let block = allocateWords(size)
        let none = Words(bitPattern: 8).unsafelyUnwrapped
        var collector = Collector(
            process: self, keepStart: 0, keepSize: 0, matureStart: 0, matureSize: 0, young: CopySpace(block),
            old: CopySpace(none))
        if let release { collector.released = ReleasedAreas(release) }
        collector.forwardRoots(x, live, extra)
        collector.scanAll()
        let fragments = pointee.heap.fragments
        var both = OffHeapList()
        if let release {
            collector.released.forEachMoved(release) { object in
                let isBinary = Header.subtag(object[0]) == Subtag.refcBinary
                Ref<Binary>(bitPattern: UInt(object[isBinary ? 3 : 1])).unsafelyUnwrapped.retain()
                link(object, &both)
            }
            collector.released.free(release)
        }
        sweepOffHeap(&pointee.heap.offHeap, into: &both)
        sweepOffHeap(&pointee.oldOffHeap, into: &both)
        // What survives a full collection counts as old: the next minor one need not look at its binaries again.
        pointee.heap.offHeap = both
        install(block, size, top: collector.young.top)
        dropFragments(fragments)
        free(pointee.oldStart)
        pointee.oldStart = nil
        pointee.oldTop = nil
        pointee.oldEnd = nil
        pointee.highWater = collector.young.top
        pointee.minorSinceFull = 0
        updateBinaryLimit()
        return collector.young.top - block
    }

    /// Copies the young generation, just collected, to a block of another size; nothing is promoted.
    private func moveBlock(to size: Int, _ x: Ref<Term>?, _ live: Int, _ extra: Ref<Term>?) {
        let block = allocateWords(size)
        let none = Words(bitPattern: 8).unsafelyUnwrapped
        var collector = Collector(
            process: self, keepStart: UInt(bitPattern: pointee.oldStart),
            keepSize: UInt(bitPattern: pointee.oldEnd) - UInt(bitPattern: pointee.oldStart), matureStart: 0,
            matureSize: 0, young: CopySpace(block), old: CopySpace(none))
        collector.forwardRoots(x, live, extra)
        collector.scanAll()
        var list = OffHeapList()
        sweepOffHeap(&pointee.heap.offHeap, into: &list)
        pointee.heap.offHeap = list
        install(block, size, top: collector.young.top)
        pointee.highWater = collector.young.top
    }

    // MARK: Parts

    /// Makes `block` the process's block; the stack moves to its end.
    private func install(_ block: Words, _ size: Int, top: Words) {
        let stack = stackWords
        let end = block + size
        memcpy(end - stack, pointee.stackTop, stack * 8)
        free(pointee.heapStart)
        pointee.heapStart = block
        pointee.stackEnd = end
        pointee.stackTop = end - stack
        pointee.heap.top = top
        pointee.heap.limit = end - stack - reserve
    }

    /// Their off-heap objects are in the heap's own list.
    private func dropFragments(_ first: Ref<Fragment>?) {
        freeFragmentMemory(first)
        pointee.heap.fragments = nil
        pointee.heap.fragmentWords = 0
    }

    /// Keeps the objects of `list` that were copied, linked at their new place in `into`; releases the others.
    private func sweepOffHeap(_ list: inout OffHeapList, into: inout OffHeapList) {
        var object = list.first
        list = OffHeapList()
        while let current = object {
            object = Words(bitPattern: UInt(current[2]))
            guard current[0] & 3 != 0 else {
                release(current)
                continue
            }
            link(Term(raw: current[0]).pointer, &into)
        }
    }

    /// The same, splitting what was promoted from what stays young.
    private func sweepOffHeap(_ list: inout OffHeapList, promoted: inout OffHeapList) {
        var young = OffHeapList()
        let start = UInt(bitPattern: pointee.oldStart)
        let size = UInt(bitPattern: pointee.oldEnd) - start
        var object = list.first
        while let current = object {
            object = Words(bitPattern: UInt(current[2]))
            guard current[0] & 3 != 0 else {
                release(current)
                continue
            }
            let new = Term(raw: current[0]).pointer
            if UInt(bitPattern: new) &- start < size { link(new, &promoted) } else { link(new, &young) }
        }
        list = young
    }

    private func release(_ object: Words) {
        object[2] = 0
        releaseOffHeap(OffHeapList(first: object, words: 0))
    }

    private func link(_ object: Words, _ list: inout OffHeapList) {
        object[2] = UInt64(UInt(bitPattern: list.first))
        list.first = object
        if Header.subtag(object[0]) == Subtag.refcBinary { list.words += object[1] >> 3 }
    }

    private func updateBinaryLimit() {
        let used = pointee.heap.offHeap.words
        var limit = max(pointee.binaryWordsLimit, 46422)
        while used / 3 > limit / 4 { limit += limit / 2 + limit / 8 }
        if used < limit / 4 { limit = max(limit / 2, UInt64(pointee.minBinaryWords)) }
        pointee.binaryWordsLimit = limit
        pointee.oldBinaryWordsLimit = limit
    }

    /// max_heap_size: counts both generations, fragments and the block about to be allocated.
    private func checkLimit(used: Int, need: Int) -> Bool {
        let limit = pointee.maxHeapWords
        guard limit > 0 else { return true }
        let total =
            blockWords * 2 + (pointee.oldEnd.map { $0 - pointee.oldStart! } ?? 0) + Int(pointee.heap.fragmentWords) + need
        return UInt64(total) <= limit || allowOversize(total)
    }
}

/// Words for a block, not initialised.
func allocateWords(_ count: Int) -> Words {
    guard let memory = malloc(count * 8) else { outOfMemory(count * 8) }
    return memory.assumingMemoryBound(to: UInt64.self)
}
