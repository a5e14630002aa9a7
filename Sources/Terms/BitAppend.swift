// BitAppend.swift: building a binary by appending to it over and over in amortised constant time per byte.
//
// The first append copies into a new shared binary with room to spare and answers a writable sub-binary of it. The
// next append to that sub-binary writes behind it in place: the old term loses its mark, the new one gets it, so at
// any time one term at most may claim the room. Bytes that some term covers are never written again.
//
// The bytes may move (resize) only while the handle is the single reference and no match context points into them;
// otherwise growing takes a new handle.

public import CMachine

extension UnsafeMutablePointer where Pointee == Heap {
    /// A bit string with the bits of `term` and room for `bits` more, which `builder` fills. `unit`: the size of
    /// `term` must be a multiple of it.
    public func append(
        to term: Term, bits: Int, unit: Int, builder: inout BitBuilder
    ) -> (term: Term, error: BitError) {
        guard term.isBitstring else { return (term, .type) }
        let used = term.bitCount
        guard unit <= 1 || used % unit == 0 else { return (term, .unit) }
        let (total, overflow) = used.addingReportingOverflow(bits)
        guard !overflow, total <= Int.max - 8 else { return (term, .limit) }
        let object = term.pointer
        guard bits > 0 else {
            builder = BitBuilder(base: Bits(term).base, position: used, end: used)
            return (term, .none)
        }
        guard isAppendTarget(object) else { return (appendCopy(Bits(term), total, &builder), .none) }
        object[3] &= ~SubBinary.writable
        let handle = Term(raw: object[4]).pointer
        guard grow(handle, toBits: total) else { return (appendCopy(Bits(term), total, &builder), .none) }
        builder = BitBuilder(base: Term(raw: object[4]).originalBytes, position: used, end: total)
        let result = makeSubBinary(Term(raw: object[4]), 0, total)
        result.pointer[3] |= SubBinary.writable
        return (result, .none)
    }

    /// `append` to a term that nothing else refers to: grows it in place where possible.
    public func privateAppend(
        to term: Term, bits: Int, unit: Int, builder: inout BitBuilder
    ) -> (term: Term, error: BitError) {
        guard term.isBitstring, isAppendTarget(term.pointer) else {
            return append(to: term, bits: bits, unit: unit, builder: &builder)
        }
        let object = term.pointer
        let used = term.bitCount
        let (total, overflow) = used.addingReportingOverflow(bits)
        guard bits >= 0, !overflow, total <= Int.max - 8 else { return (term, .limit) }
        guard grow(Term(raw: object[4]).pointer, toBits: total) else {
            return (appendCopy(Bits(term), total, &builder), .none)
        }
        builder = BitBuilder(base: Term(raw: object[4]).originalBytes, position: used, end: total)
        object[1] = UInt64(truncatingIfNeeded: total &>> 3)
        object[3] = object[3] & ~7 | UInt64(truncatingIfNeeded: total & 7)
        return (term, .none)
    }

    /// An empty bit string to append to, with room for `hint` bytes (a term; 1024 unless it is a size).
    public func initWritable(_ hint: Term) -> Term {
        let size = hint.isSmall && hint.smallValue >= 0 ? min(hint.smallValue, 1 << 26) : 1024
        var builder = BitBuilder.empty
        return makeAppendTarget(capacity: size, bits: 0, &builder)
    }

    /// A sub-binary that starts where its handle starts and may claim the room behind itself.
    @inlinable func isAppendTarget(_ object: Words) -> Bool {
        guard Header.subtag(object[0]) == Subtag.subBinary, object[3] & SubBinary.writable != 0 else { return false }
        let handle = Term(raw: object[4]).pointer
        return Header.subtag(handle[0]) == Subtag.refcBinary && handle[5] & RefcFlags.writable != 0
    }

    /// Makes `handle` cover `bits` bits; false if its bytes would have to move but must not.
    private func grow(_ handle: Words, toBits bits: Int) -> Bool {
        let size = (bits &+ 7) &>> 3
        var binary = Ref<Binary>(bitPattern: UInt(handle[3])).unsafelyUnwrapped
        if UInt64(size) > binary.pointee.capacity {
            guard handle[5] & RefcFlags.pinned == 0, vm_load_acquire(binary.referencesField) == 1 else { return false }
            binary = resizeBinary(binary, capacity: appendCapacity(size))
            handle[3] = UInt64(UInt(bitPattern: binary))
            handle[4] = UInt64(UInt(bitPattern: binary.bytes))
        }
        let old = handle[1]
        if UInt64(size) > old {
            pointee.offHeap.words &+= UInt64(size) &>> 3 &- old &>> 3
            handle[1] = UInt64(size)
        }
        handle[5] |= RefcFlags.activeWriter
        return true
    }

    private func appendCopy(_ source: Bits, _ total: Int, _ builder: inout BitBuilder) -> Term {
        let size = (total &+ 7) &>> 3
        let result = makeAppendTarget(capacity: max(appendCapacity(size), 256), bits: total, &builder)
        copyBits(source.base, source.offset, builder.base, 0, source.size)
        builder.position = source.size
        return result
    }

    private func makeAppendTarget(capacity: Int, bits: Int, _ builder: inout BitBuilder) -> Term {
        let binary = newBinary(capacity: capacity)
        let handle = adoptHandle(binary, start: binary.bytes, count: (bits &+ 7) &>> 3)
        handle[5] = RefcFlags.writable | RefcFlags.activeWriter
        builder = BitBuilder(base: binary.bytes, position: 0, end: bits)
        let result = makeSubBinary(.boxed(handle), 0, bits)
        result.pointer[3] |= SubBinary.writable
        return result
    }
}

/// Room for `size` bytes and growth: twice as much, a fifth more for large ones.
private func appendCapacity(_ size: Int) -> Int {
    size > 1 << 24 ? size &+ size / 5 : size &* 2
}

/// What a collection does with an append buffer that survives it. True: nobody appended to it since the last one, so it may
/// be shrunk. One that a match context points into (RefcFlags.seen, set by the collector) stays as it is.
public func settleWriter(_ handle: Words) -> Bool {
    let flags = handle[5]
    let isSeen = flags & RefcFlags.seen != 0
    handle[5] = flags & ~(RefcFlags.seen | RefcFlags.activeWriter | (isSeen ? 0 : RefcFlags.pinned))
    if isSeen || flags & RefcFlags.activeWriter != 0 || flags & RefcFlags.writable == 0 { return false }
    let binary = Ref<Binary>(bitPattern: UInt(handle[3])).unsafelyUnwrapped
    return vm_load_acquire(binary.referencesField) == 1 && binary.pointee.capacity &- handle[1] >= 8
}

/// Shrinks the bytes of an idle append buffer to its size, and as much again as 100 / `share` says; 0: to its size alone.
public func shrinkWriter(_ handle: Words, keeping share: UInt64) {
    let binary = Ref<Binary>(bitPattern: UInt(handle[3])).unsafelyUnwrapped
    let wanted = share == 0 ? handle[1] : handle[1] &+ handle[1] &* 100 / share
    guard wanted &+ 8 < binary.pointee.capacity || share == 0 else { return }
    let moved = resizeBinary(binary, capacity: Int(wanted))
    handle[3] = UInt64(UInt(bitPattern: moved))
    handle[4] = UInt64(UInt(bitPattern: moved.bytes))
}
