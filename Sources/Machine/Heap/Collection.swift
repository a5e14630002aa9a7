// Collection.swift: when to collect a process and how large its block becomes (OTP's policy, otp25 "term and heap",
// section 2). Collector.swift does the copying.

import CMachine
import Glibc
import Terms

extension UnsafeMutablePointer where Pointee == Process {
    var blockWords: Int { pointee.stackEnd - pointee.heapStart }
    var stackWords: Int { pointee.stackEnd - pointee.stackTop }
    private var reserve: Int { Int(stackReserve) }

    var oldWords: Int { pointee.oldStart.map { pointee.oldEnd.unsafelyUnwrapped - $0 } ?? 0 }
    var oldUsed: Int { pointee.oldStart.map { pointee.oldTop.unsafelyUnwrapped - $0 } ?? 0 }
    /// Words of the young generation, with the fragments.
    private var youngUsed: Int { usedWords + Int(pointee.heap.fragmentWords) }
    var usedWords: Int { pointee.heap.top.unsafelyUnwrapped - pointee.heapStart }

    /// Should be collected although the block is not full: the fragments would not fit into its free part, or much lies in
    /// binaries.
    @inline(__always) var wantsCollection: Bool {
        let free = Int(bitPattern: pointee.stackTop) &- Int(bitPattern: pointee.heap.top)
        return Int(truncatingIfNeeded: pointee.heap.fragmentWords) &<< 3 > free
            || pointee.heap.offHeap.words > pointee.binaryWordsLimit
    }

    /// Collects so that at least `need` words are free. Roots besides the process's own: x[0..<live] and `extra`.
    /// The stored stack and heap pointers are current before and after. False: the process exceeded its
    /// max_heap_size and must end (exceptionClass and reason are set).
    @inline(never) func collect(
        need: Int, x: Ref<Term>?, live: Int, extra: Ref<Term>? = nil, major: Bool = false, isRunning: Bool = true,
        releasing release: Release? = nil
    ) -> Bool {
        // OTP's code calls its collector, whose return address is on the stack meanwhile, and counts it.
        let stack = stackWords + (isRunning ? 1 : 0)
        let isMinor = !major && pointee.minorSinceFull < pointee.fullSweepAfter
        let traced = isTraced
        if traced { Trace.collecting(self, isMinor ? Atoms.gc_minor_start : Atoms.gc_major_start, words: need) }
        var end = isMinor ? Atoms.gc_minor_end : Atoms.gc_major_end
        defer { if traced { Trace.collecting(self, end, words: 0) } }
        let start = Microstates.begin()
        let monitored = SystemMonitor.beginCollection()
        var before = youngUsed
        var moved: Int
        var size: Int?
        if isMinor, !checkMinorLimit(stack) { return false }
        if isMinor, prepareMinor() {
            moved = collectMinor(x, live, extra, size: blockSize(stack + youngUsed))
            size = sizeAfterMinor(usedWords + stack + need + reserve)
        } else {
            if traced, isMinor {
                Trace.collecting(self, end, words: 0)
                Trace.collecting(self, Atoms.gc_major_start, words: need)
                end = Atoms.gc_major_end
            }
            guard let target = majorSize(stack, release) else { return false }
            before += oldUsed
            moved = collectMajor(x, live, extra, release, size: target)
            size = sizeAfterMajor(usedWords + stack + need + reserve)
        }
        if let scheduler = pointee.scheduler { scheduler.countCollection(freed: before - moved) }
        if let size {
            moved += usedWords / 10
            moveBlock(to: size, x, live, extra)
        }
        bump(max(1, moved / 10))
        verifyIfChecking()
        Microstates.end(start, pointee.scheduler, Microstates.collection)
        if _slowPath(monitored != 0) { SystemMonitor.collected(self, monitored) }
        return true
    }

    /// A major collection into a block of just the right size, for a process without a stack that will not run for a while.
    func collectTightly(x: Ref<Term>?, live: Int) -> Bool {
        guard collect(need: 0, x: x, live: live, major: true, isRunning: false) else { return false }
        moveBlock(to: usedWords + reserve, x, live, nil)
        return true
    }

    // MARK: Sizes

    /// The size of a block for `words`, never below the process's least size.
    private func blockSize(_ words: Int) -> Int { max(HeapSizes.fitting(words), Int(pointee.minHeapWords)) }

    private func smaller(_ size: Int) -> Int? { size < blockWords ? size : nil }

    /// New size of the block after a minor collection, or nil if it may stay. Small blocks do not shrink: after what was
    /// mature has gone to the old generation, little is left for a moment.
    private func sizeAfterMinor(_ needed: Int) -> Int? {
        let size = blockWords
        if needed > size { return blockSize(needed) }
        guard size > 3000, needed * 4 < size, size > 8000 || size > oldWords else { return nil }
        let wanted = max(needed * 3, needed * 27 < oldWords ? oldWords / 8 : 0)
        return smaller(blockSize(wanted))
    }

    /// The same after a major one. A block that is nearly full grows the next time.
    private func sizeAfterMajor(_ needed: Int) -> Int? {
        let size = blockWords
        if needed > size { return blockSize(needed) }
        if size * 3 < needed * 4 {
            pointee.flags |= ProcessFlags.growHeap
            return nil
        }
        guard needed * 4 < size, size > ProcessDefaults.minHeapWords else { return nil }
        return smaller(blockSize(needed * 2))
    }

    /// Size of the block that a major collection fills; nil: the process must end.
    private func majorSize(_ stack: Int, _ release: Release?) -> Int? {
        let before = youngUsed + oldUsed
        var size = blockSize(stack + before + reserve)
        if size == blockWords, pointee.flags & ProcessFlags.growHeap != 0 { size = HeapSizes.above(size) }
        let total = before + (oldWords - oldUsed) + (pointee.stackEnd - pointee.heap.top.unsafelyUnwrapped) + size
        guard checkLimit(total, extra: size, extraOld: 0) else { return nil }
        // Literals that the process holds move to its heap.
        let literals = release?.literals.reduce(0) { $0 + $1.words } ?? 0
        return literals == 0 ? size : max(size, blockSize(stack + before + reserve + literals))
    }

    /// max_heap_size counts what the process has, and what the collection is about to allocate.
    private func checkMinorLimit(_ stack: Int) -> Bool {
        guard pointee.maxHeapWords > 0 else { return true }
        let before = youngUsed
        // With the unused words between heap and stack.
        let unused = pointee.stackTop - pointee.heap.top.unsafelyUnwrapped - (stack - stackWords)
        let needsOld = pointee.oldStart == nil && pointee.highWater != pointee.heapStart
        let extraOld = needsOld ? HeapSizes.above(before) : 0
        let extra = blockSize(stack + unused + before)
        return checkLimit(before + (needsOld ? extraOld : oldWords) + extra, extra: extra, extraOld: extraOld)
    }

    private func checkLimit(_ total: Int, extra: Int, extraOld: Int) -> Bool {
        let limit = pointee.maxHeapWords
        return limit == 0 || UInt64(total) <= limit || allowOversize(total, extra: extra, extraOld: extraOld)
    }

    // MARK: The kinds of collection

    /// Makes the old generation that a minor collection promotes to. False: there is nothing mature yet, or no room for it:
    /// a major collection is due.
    private func prepareMinor() -> Bool {
        let mature = pointee.highWater - pointee.heapStart
        if pointee.oldStart == nil {
            guard mature > 0 else { return false }
            let size = HeapSizes.above(youngUsed)
            let block = allocateWords(size)
            pointee.oldStart = block
            pointee.oldTop = block
            pointee.oldEnd = block + size
        }
        return mature <= oldWords - oldUsed && pointee.oldOffHeap.words < pointee.oldBinaryWordsLimit
    }

    /// Copies the young part and the fragments to another block, and the mature part to the old generation.
    private func collectMinor(_ x: Ref<Term>?, _ live: Int, _ extra: Ref<Term>?, size: Int) -> Int {
        let mature = pointee.highWater - pointee.heapStart
        let oldTop = pointee.oldTop
        let block = allocateWords(size)
        var collector = Collector(
            process: self, keepStart: UInt(bitPattern: pointee.oldStart),
            keepSize: UInt(bitPattern: pointee.oldEnd) - UInt(bitPattern: pointee.oldStart),
            matureStart: UInt(bitPattern: pointee.heapStart), matureSize: UInt(mature * 8), young: CopySpace(block),
            old: CopySpace(oldTop.unsafelyUnwrapped))
        collector.forwardRoots(x, live, extra)
        collector.scanAll()
        let fragments = pointee.heap.fragments
        sweepOffHeap(&pointee.heap.offHeap, promoted: &pointee.oldOffHeap)
        pointee.oldTop = collector.old.top
        install(block, size, top: collector.young.top)
        dropFragments(fragments)
        pointee.highWater = collector.young.top
        pointee.minorSinceFull += 1
        return (collector.young.top - block) + (collector.old.top - oldTop.unsafelyUnwrapped)
    }

    /// Copies everything to one new block.
    private func collectMajor(
        _ x: Ref<Term>?, _ live: Int, _ extra: Ref<Term>?, _ release: Release?, size: Int
    ) -> Int {
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
                retainOffHeap(object)
                link(object, &both)
            }
            collector.released.free(release)
        }
        sweepOffHeap(&pointee.heap.offHeap, into: &both)
        sweepOffHeap(&pointee.oldOffHeap, into: &both)
        pointee.oldBinaryWordsLimit = nextBinaryLimit(pointee.heap.offHeap.words, pointee.oldBinaryWordsLimit)
        settle(&both)
        pointee.binaryWordsLimit = nextBinaryLimit(both.words, pointee.binaryWordsLimit)
        pointee.heap.offHeap = both
        install(block, size, top: collector.young.top)
        dropFragments(fragments)
        freeWords(pointee.oldStart, oldWords)
        pointee.oldStart = nil
        pointee.oldTop = nil
        pointee.oldEnd = nil
        pointee.highWater = collector.young.top
        pointee.minorSinceFull = 0
        pointee.flags &= ~ProcessFlags.growHeap
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
        freeWords(pointee.heapStart, blockWords)
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
}

/// Words for a block, not initialised.
func allocateWords(_ count: Int) -> Words {
    guard let memory = malloc(count * 8) else { outOfMemory(count * 8) }
    vm_count_memory(processMemory, memory, Int64(count * 8))
    return memory.assumingMemoryBound(to: UInt64.self)
}

func freeWords(_ block: Words?, _ count: Int) {
    guard let block else { return }
    vm_count_memory(processMemory, block, -Int64(count * 8))
    free(block)
}
