// Heap.swift: making terms. A Heap never collects: memory handed out stays where it is until the running native
// function returns, so that native code needs no roots. When the block is full, fragments take the rest; the process
// collects at its next safepoint.

public import CMachine
#if canImport(Glibc)
    import Glibc
#endif

extension UnsafeMutablePointer where Pointee == Heap {
    /// `count` fresh words, not initialised. Requires: the caller fills all of them with a valid object before anything
    /// else can look at the heap.
    @inlinable @inline(__always) public func allocate(_ count: Int) -> Words {
        let top = pointee.top
        // In bytes: no division.
        if let top, let limit = pointee.limit, Int(bitPattern: limit) &- Int(bitPattern: top) >= count &<< 3 {
            pointee.top = top + count
            return top
        }
        return allocateFragment(count)
    }

    /// The slow half of `allocate`: takes the words from the newest fragment, or makes one.
    @inline(never) public func allocateFragment(_ count: Int) -> Words {
        if let newest = pointee.fragments, newest.pointee.capacity &- newest.pointee.used >= UInt64(count) {
            let words = newest.words + Int(newest.pointee.used)
            newest.pointee.used += UInt64(count)
            pointee.fragmentWords += UInt64(count)
            return words
        }
        let fragment = newFragment(capacity: count < 64 ? 64 : count + count >> 2)
        fragment.pointee.used = UInt64(count)
        fragment.pointee.next = pointee.fragments
        pointee.fragments = fragment
        pointee.fragmentWords += UInt64(count)
        return fragment.words
    }

    // MARK: Small objects

    @inlinable @inline(__always) public func cons(_ head: Term, _ tail: Term) -> Term {
        let cell = allocate(2)
        cell[0] = head.raw
        cell[1] = tail.raw
        return .cons(cell)
    }

    /// A tuple of `size` elements; the caller fills `pointer[1...]`. Requires: size > 0 or a caller that wants `{}`.
    @inlinable @inline(__always) public func makeTuple(_ size: Int) -> (term: Term, elements: Words) {
        let object = allocate(size &+ 1)
        object[0] = Header.make(size, Subtag.tuple)
        return (.boxed(object), object + 1)
    }

    @inlinable public func tuple(_ a: Term, _ b: Term) -> Term {
        let (term, elements) = makeTuple(2)
        elements[0] = a.raw
        elements[1] = b.raw
        return term
    }

    @inlinable public func tuple(_ a: Term, _ b: Term, _ c: Term) -> Term {
        let (term, elements) = makeTuple(3)
        elements[0] = a.raw
        elements[1] = b.raw
        elements[2] = c.raw
        return term
    }

    @inlinable public func tuple(_ a: Term, _ b: Term, _ c: Term, _ d: Term) -> Term {
        let (term, elements) = makeTuple(4)
        elements[0] = a.raw
        elements[1] = b.raw
        elements[2] = c.raw
        elements[3] = d.raw
        return term
    }

    @inlinable public func float(_ value: Double) -> Term {
        let object = allocate(2)
        object[0] = Header.make(1, Subtag.float)
        object[1] = value.bitPattern
        return .boxed(object)
    }

    /// Any machine integer: a small if it fits, else a big of one limb.
    @inlinable public func integer(_ value: Int) -> Term {
        if Term.fitsSmall(value) { return .small(value) }
        let object = allocate(2)
        object[0] = Header.make(1, value < 0 ? Subtag.negativeBig : Subtag.positiveBig)
        object[1] = UInt64(value.magnitude)
        return .boxed(object)
    }

    @inlinable public func integer(unsigned value: UInt64) -> Term {
        if value <= UInt64(Term.smallMax) { return .small(Int(value)) }
        let object = allocate(2)
        object[0] = Header.make(1, Subtag.positiveBig)
        object[1] = value
        return .boxed(object)
    }

    /// Links an off-heap object (word 2 is its link) that holds `bytes` bytes outside the heap.
    @inlinable public func linkOffHeap(_ object: Words, bytes: Int) {
        object[2] = UInt64(UInt(bitPattern: pointee.offHeap.first))
        pointee.offHeap.first = object
        pointee.offHeap.words &+= UInt64(truncatingIfNeeded: bytes &>> 3)
    }

    /// A list of `elements` ending in `tail`.
    public func list(_ elements: some BidirectionalCollection<Term>, tail: Term = .nil) -> Term {
        var list = tail
        for element in elements.reversed() { list = cons(element, list) }
        return list
    }

    /// A list of byte integers (what Erlang calls a string, of Latin-1 text).
    public func byteList(_ bytes: some BidirectionalCollection<UInt8>, tail: Term = .nil) -> Term {
        var list = tail
        for byte in bytes.reversed() { list = cons(.small(Int(byte)), list) }
        return list
    }

    /// A list of the code points of `text`.
    public func string(_ text: String) -> Term {
        var list = Term.nil
        for scalar in text.unicodeScalars.reversed() { list = cons(.small(Int(scalar.value)), list) }
        return list
    }
}

extension UnsafeMutablePointer where Pointee == Fragment {
    /// The words behind the header.
    @inlinable public var words: Words {
        Words(OpaquePointer(UnsafeMutableRawPointer(self) + MemoryLayout<Fragment>.size))
    }
}

/// An empty fragment with room for `capacity` words.
public func newFragment(capacity: Int) -> Ref<Fragment> {
    let size = MemoryLayout<Fragment>.size + capacity * 8
    guard let memory = malloc(size) else { outOfMemory(size) }
    let fragment = memory.assumingMemoryBound(to: Fragment.self)
    fragment.initialize(to: Fragment())
    fragment.pointee.capacity = UInt64(capacity)
    vm_count_memory(processMemory, memory, Int64(size))
    return fragment
}

/// Frees a chain of fragments whose objects own nothing, or are looked after by another list.
public func freeFragmentMemory(_ first: Ref<Fragment>?) {
    var next = first
    while let fragment = next {
        next = fragment.pointee.next
        let size = MemoryLayout<Fragment>.size + Int(fragment.pointee.capacity) * 8
        vm_count_memory(processMemory, fragment, -Int64(size))
        free(fragment)
    }
}

/// Frees a chain of fragments, each with what it owns.
public func freeFragments(_ first: Ref<Fragment>?) {
    var next = first
    while let fragment = next {
        next = fragment.pointee.next
        releaseOffHeap(fragment.pointee.offHeap)
    }
    freeFragmentMemory(first)
}

/// Frees what a heap without a block holds. Requires: nothing points into it any more.
public func freeScratch(_ heap: Ref<Heap>) {
    releaseOffHeap(heap.pointee.offHeap)
    freeFragments(heap.pointee.fragments)
    heap.pointee = Heap()
}

/// Ends the VM: memory ran out.
public func outOfMemory(_ bytes: Int) -> Never {
    complain("enigma: cannot allocate \(bytes) bytes of memory")
    exit(1)
}

/// One line on standard error.
public func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
