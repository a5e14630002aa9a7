// Binary.swift: making and reading binaries.
//
// A binary of up to Layout.heapBinaryLimit bytes lives on the heap; a larger one is a handle (refc binary) to a
// shared `Binary`. A sub-binary names bits of one of those two, never of another sub-binary. Every handle on a heap's
// off-heap list owns one reference to its Binary.
//
// A handle with refcWritable has room behind its size, and one sub-binary with subBinaryWritable may claim that room
// (BitAppend.swift). Whoever copies such terms to another heap must clear both marks in the copy, and whoever moves
// objects keeps them.

public import CMachine
import Glibc

public typealias Bytes = UnsafeMutablePointer<UInt8>

/// Flags of a refc binary (word 5).
@frozen public enum RefcFlags {
    /// Bytes behind the handle's size may be written by the owner of the writable sub-binary.
    public static let writable: UInt64 = 1
    /// Appended to since the last collection.
    public static let activeWriter: UInt64 = 2
    /// A match context points into the bytes: they must not move while the handle lives.
    public static let pinned: UInt64 = 4
    /// A match context that survives the collection under way points into the bytes.
    public static let seen: UInt64 = 8
}

/// Word 3 of a sub-binary.
@frozen public enum SubBinary {
    public static let writable: UInt64 = 1 << 16
    @inlinable public static func word(bitSize: Int, bitOffset: Int) -> UInt64 {
        UInt64(truncatingIfNeeded: bitSize & 7 | (bitOffset & 7) &<< 8)
    }
}

// MARK: - The shared part

extension UnsafeMutablePointer where Pointee == Binary {
    /// The bytes behind the header.
    @inlinable public var bytes: Bytes {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Binary>.size).assumingMemoryBound(to: UInt8.self)
    }

    @inlinable public var referencesField: Words { UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt64.self) }

    /// One more handle.
    @inlinable public func retain() { _ = vm_fetch_add(referencesField, 1) }

    /// One handle less; the last one frees the object (a magic one runs its `destroy` first).
    public func release() {
        if vm_fetch_sub(referencesField, 1) == 1 { destroyBinary(self) }
    }
}

/// A Binary with room for `capacity` bytes, not initialised, with one reference.
public func newBinary(capacity: Int) -> Ref<Binary> {
    guard let memory = malloc(MemoryLayout<Binary>.size &+ capacity) else { outOfMemory(capacity) }
    let binary = memory.assumingMemoryBound(to: Binary.self)
    vm_count_memory(binaryMemory, memory, Int64(capacity))
    binary.initialize(to: Binary(references: 1, capacity: UInt64(capacity), flags: 0))
    return binary
}

/// Gives `binary` room for `capacity` bytes; it may move. Requires: one reference, and no pointer into it is kept.
public func resizeBinary(_ binary: Ref<Binary>, capacity: Int) -> Ref<Binary> {
    vm_count_memory(binaryMemory, binary, -Int64(binary.pointee.capacity))
    guard let memory = realloc(binary, MemoryLayout<Binary>.size &+ capacity) else { outOfMemory(capacity) }
    let moved = memory.assumingMemoryBound(to: Binary.self)
    vm_count_memory(binaryMemory, memory, Int64(capacity))
    moved.pointee.capacity = UInt64(capacity)
    return moved
}

@inline(never) private func destroyBinary(_ binary: Ref<Binary>) {
    if binary.pointee.flags & UInt64(binaryIsMagic) != 0 {
        let magic = UnsafeMutableRawPointer(binary).assumingMemoryBound(to: MagicBinary.self)
        magic.pointee.destroy?(magic)
    } else {
        vm_count_memory(binaryMemory, binary, -Int64(binary.pointee.capacity))
    }
    free(binary)
}

/// Gives up what the objects of an off-heap list own. The objects themselves are not used again.
public func releaseOffHeap(_ list: OffHeapList) {
    var next = list.first
    while let object = next {
        next = Words(bitPattern: UInt(object[2]))
        switch Header.subtag(object[0]) {
        case Subtag.refcBinary: Ref<Binary>(bitPattern: UInt(object[3])).unsafelyUnwrapped.release()
        case Subtag.fun: Term.boxed(object).funEntry.release()
        default: Ref<Binary>(bitPattern: UInt(object[1])).unsafelyUnwrapped.release()
        }
    }
}

/// What an object of an off-heap list owns has one owner more: a copy of the object.
public func retainOffHeap(_ object: Words) {
    switch Header.subtag(object[0]) {
    case Subtag.refcBinary: Ref<Binary>(bitPattern: UInt(object[3])).unsafelyUnwrapped.retain()
    case Subtag.fun: Term.boxed(object).funEntry.retain()
    default: Ref<Binary>(bitPattern: UInt(object[1])).unsafelyUnwrapped.retain()
    }
}

// MARK: - Making terms

extension UnsafeMutablePointer where Pointee == Heap {
    /// A binary of `count` bytes; the caller fills the bytes before anything else looks at them.
    @inlinable public func makeBinary(_ count: Int) -> (term: Term, bytes: Bytes) {
        if count > Layout.heapBinaryLimit { return makeRefcBinary(count) }
        let words = Layout.heapBinaryWords(count)
        let object = allocate(words)
        object[words &- 1] = 0
        object[0] = Header.make(words &- 1, Subtag.heapBinary)
        object[1] = UInt64(truncatingIfNeeded: count)
        return (.boxed(object), UnsafeMutableRawPointer(object + 2).assumingMemoryBound(to: UInt8.self))
    }

    /// A binary with a copy of `count` bytes.
    @inlinable public func makeBinary(_ bytes: UnsafePointer<UInt8>, count: Int) -> Term {
        let (term, target) = makeBinary(count)
        target.update(from: bytes, count: count)
        return term
    }

    public func makeBinary(_ bytes: UnsafeBufferPointer<UInt8>) -> Term {
        let (term, target) = makeBinary(bytes.count)
        if let start = bytes.baseAddress { target.update(from: start, count: bytes.count) }
        return term
    }

    /// A binary with the UTF-8 text of `text`.
    public func makeBinary(_ text: String) -> Term {
        var text = text
        return text.withUTF8 { makeBinary($0) }
    }

    @inline(never) public func makeRefcBinary(_ count: Int) -> (term: Term, bytes: Bytes) {
        let binary = newBinary(capacity: count)
        return (adopt(binary, count: count), binary.bytes)
    }

    /// A handle for the first `count` bytes of `binary`; takes over one reference.
    public func adopt(_ binary: Ref<Binary>, count: Int) -> Term {
        .boxed(adoptHandle(binary, start: binary.bytes, count: count))
    }

    /// The handle object of `adopt`, for `count` bytes at `start`, which lies in `binary`.
    public func adoptHandle(_ binary: Ref<Binary>, start: Bytes, count: Int) -> Words {
        let object = allocate(Layout.refcBinaryWords)
        object[0] = Header.make(Layout.refcBinaryWords - 1, Subtag.refcBinary)
        object[1] = UInt64(truncatingIfNeeded: count)
        linkOffHeap(object, bytes: count)
        object[3] = UInt64(UInt(bitPattern: binary))
        object[4] = UInt64(UInt(bitPattern: start))
        object[5] = 0
        return object
    }

    /// A magic reference to `magic`; takes over one reference to it. Its numbers are set already.
    public func makeMagicReference(_ magic: Ref<MagicBinary>) -> Term {
        let object = allocate(Layout.magicReferenceWords)
        object[0] = Header.make(Layout.magicReferenceWords - 1, Subtag.magicReference)
        object[1] = UInt64(UInt(bitPattern: magic))
        linkOffHeap(object, bytes: 0)
        return .boxed(object)
    }

    /// The bits `bitOffset..<bitOffset + bitSize` of `term`. A short whole number of bytes becomes a heap binary, so
    /// that it does not keep a large one alive; the rest becomes a sub-binary.
    /// Requires: isBitstring, and the range lies within it.
    public func subBinary(of term: Term, bitOffset: Int, bitSize: Int) -> Term {
        let object = term.pointer
        if Header.subtag(object[0]) == Subtag.subBinary {
            let start = Int(object[2]) &* 8 &+ Int(object[3] &>> 8 & 7) &+ bitOffset
            return extract(Term(raw: object[4]), start, bitSize)
        }
        return extract(term, bitOffset, bitSize)
    }

    /// `subBinary` of a heap binary or a handle.
    @inlinable public func extract(_ original: Term, _ bitOffset: Int, _ bitSize: Int) -> Term {
        if bitSize & 7 == 0, bitSize <= Layout.heapBinaryLimit &* 8 {
            let (term, bytes) = makeBinary(bitSize &>> 3)
            copyBits(original.originalBytes, bitOffset, bytes, 0, bitSize)
            return term
        }
        return makeSubBinary(original, bitOffset, bitSize)
    }

    /// A sub-binary object, whatever its size. Requires: `original` is a heap binary or a handle.
    @inlinable public func makeSubBinary(_ original: Term, _ bitOffset: Int, _ bitSize: Int) -> Term {
        let object = allocate(Layout.subBinaryWords)
        object[0] = Header.make(Layout.subBinaryWords &- 1, Subtag.subBinary)
        object[1] = UInt64(truncatingIfNeeded: bitSize &>> 3)
        object[2] = UInt64(truncatingIfNeeded: bitOffset &>> 3)
        object[3] = SubBinary.word(bitSize: bitSize, bitOffset: bitOffset)
        object[4] = original.raw
        return .boxed(object)
    }

    /// Gives back the end of an object made last: it keeps `kept` of its `count` words.
    @inlinable public func shrinkLast(_ object: Words, from count: Int, to kept: Int) {
        if let top = pointee.top, top == object + count {
            pointee.top = object + kept
        } else if let newest = pointee.fragments, newest.words + Int(newest.pointee.used) == object + count {
            newest.pointee.used &-= UInt64(count &- kept)
            pointee.fragmentWords &-= UInt64(count &- kept)
        }
    }

    /// A bit string of `bitSize` bits and its bytes, of which the caller fills that many bits; the unused bits of the
    /// last byte are zero.
    public func makeBitstring(_ bitSize: Int) -> (term: Term, bytes: Bytes) {
        let whole = makeBinary((bitSize &+ 7) &>> 3)
        if bitSize & 7 == 0 { return whole }
        whole.bytes[bitSize &>> 3] = 0
        return (makeSubBinary(whole.term, 0, bitSize), whole.bytes)
    }
}

// MARK: - Reading

extension Term {
    /// First byte of a heap binary or a handle. Requires: one of these.
    @inlinable public var originalBytes: Bytes {
        let object = pointer
        if Header.subtag(object[0]) == Subtag.heapBinary {
            return UnsafeMutableRawPointer(object + 2).assumingMemoryBound(to: UInt8.self)
        }
        return Bytes(bitPattern: UInt(object[4])).unsafelyUnwrapped
    }

    /// The shared part of a refc binary. Requires: a refc binary.
    @inlinable public var sharedBinary: Ref<Binary> { Ref(bitPattern: UInt(pointer[3])).unsafelyUnwrapped }

    /// The heap binary or handle that holds the bits. Requires: isBitstring.
    @inlinable public var originalBinary: Term {
        let object = pointer
        return Header.subtag(object[0]) == Subtag.subBinary ? Term(raw: object[4]) : self
    }

    /// Whole bytes, as `size/1` counts them: bits beyond them do not count. Requires: isBitstring.
    @inlinable public var wholeByteCount: Int { Int(truncatingIfNeeded: pointer[1]) }

    /// As `byte_size/1`: bits beyond whole bytes count as a byte. Requires: isBitstring.
    @inlinable public var byteCount: Int {
        let object = pointer
        let whole = Int(truncatingIfNeeded: object[1])
        return Header.subtag(object[0]) == Subtag.subBinary && object[3] & 7 != 0 ? whole &+ 1 : whole
    }

    /// As `bit_size/1`. Requires: isBitstring.
    @inlinable public var bitCount: Int {
        let object = pointer
        let whole = Int(truncatingIfNeeded: object[1]) &* 8
        return Header.subtag(object[0]) == Subtag.subBinary ? whole &+ Int(object[3] & 7) : whole
    }

    /// A bit string of whole bytes.
    @inlinable public var isBinary: Bool {
        guard isBitstring else { return false }
        let object = pointer
        return Header.subtag(object[0]) != Subtag.subBinary || object[3] & 7 == 0
    }
}
