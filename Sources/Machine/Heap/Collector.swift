// Collector.swift: the generational copying collector of one process; it runs on the process's own thread.
//
//     heapStart      highWater        top                     stackTop      stackEnd
//     |    mature    |     young      |         free          |    stack    |
//
// A minor collection copies what is alive in the young part (and in fragments) to a new block and promotes what is
// alive in the mature part to the old generation; a major one copies everything to a new block. Scanning follows
// Cheney: a copied object leaves its new address behind (a boxed object in its header word, a cons cell as head 0 and
// the new cell in the tail). Return addresses on the stack are tagged as headers and so are never mistaken for terms.
//
// Literals are outside every process and never copied. Off-heap objects are found again through the heap's list: one
// that left no new address is dead, and its binary loses a reference.

import CMachine
import Glibc
import Terms

/// A region that objects are copied to; scanned from `scan` to `top`.
struct CopySpace {
    var top: Words
    var scan: Words

    init(_ start: Words) {
        top = start
        scan = start
    }
}

struct Collector {
    let process: Ref<Process>
    /// What is not copied although it is no literal: the old generation in a minor collection.
    let keepStart: UInt
    let keepSize: UInt
    /// What is promoted: the mature part in a minor collection.
    let matureStart: UInt
    let matureSize: UInt
    /// Literals that are copied like everything else, though from private copies (LiteralCollection.swift).
    var released = ReleasedAreas()
    var young: CopySpace
    var old: CopySpace

    // MARK: Copying

    /// Makes the term in `slot` point at the new copy of its object.
    @inline(__always) mutating func forward(_ slot: Words) {
        let raw = slot[0]
        switch raw & 3 {
        case 1: slot[0] = forwardCons(raw)
        case 2: slot[0] = forwardBoxed(raw)
        default: break
        }
    }

    /// Where the object at `address` is copied from; 0: it stays.
    @inline(__always) private func source(_ address: UInt) -> UInt {
        if address &- keepStart < keepSize { return 0 }
        guard address &- literalBase < literalSize else { return address }
        return released.source(address)
    }

    @inline(__always) private mutating func forwardCons(_ raw: UInt64) -> UInt64 {
        let address = source(UInt(raw &- 1))
        guard address != 0 else { return raw }
        let cell = Words(bitPattern: address).unsafelyUnwrapped
        if cell[0] == 0 { return cell[1] }
        let target: Words
        if address &- matureStart < matureSize {
            target = old.top
            old.top = target + 2
        } else {
            target = young.top
            young.top = target + 2
        }
        target[0] = cell[0]
        target[1] = cell[1]
        let new = Term.cons(target).raw
        cell[0] = 0
        cell[1] = new
        return new
    }

    @inline(__always) private mutating func forwardBoxed(_ raw: UInt64) -> UInt64 {
        let address = source(UInt(raw &- 2))
        guard address != 0 else { return raw }
        let object = Words(bitPattern: address).unsafelyUnwrapped
        let header = object[0]
        if header & 3 != 0 { return header }
        // The empty tuple and the empty map are shared constants outside every heap.
        if header == 0 { return Term.emptyTuple.raw }
        if header == Header.make(2, Subtag.map), object[1] == 0 { return Term.emptyMap.raw }
        let count = Header.words(header) &+ 1
        let target: Words
        if address &- matureStart < matureSize {
            target = old.top
            old.top = target + count
        } else {
            target = young.top
            young.top = target + count
        }
        for i in 0..<count { target[i] = object[i] }
        let new = Term.boxed(target).raw
        object[0] = new
        return new
    }

    /// Forwards every term in `words[0..<count]`, which holds no headers but may hold return addresses.
    @inline(__always) mutating func forwardAll(_ words: Words, _ count: Int) {
        for i in 0..<count { forward(words + i) }
    }

    /// Scans both regions until nothing new was copied.
    mutating func scanAll() {
        repeat {
            scanYoung()
            scanOld()
        } while young.scan != young.top
    }

    private mutating func scanYoung() {
        var scan = young.scan
        while scan < young.top { scan = scanObject(scan) }
        young.scan = scan
    }

    private mutating func scanOld() {
        var scan = old.scan
        while scan < old.top { scan = scanObject(scan) }
        old.scan = scan
    }

    /// Forwards the terms of the object or cons half at `scan`; answers what follows it.
    @inline(__always) private mutating func scanObject(_ scan: Words) -> Words {
        let word = scan[0]
        guard word & 3 == 0 else {
            forward(scan)
            return scan + 1
        }
        let count = Header.words(word)
        let end = scan + (count &+ 1)
        var first: Words
        switch Header.subtag(word) {
        case Subtag.tuple: first = scan + 1
        case Subtag.map: first = scan + (word &>> 40 & 3 == 1 ? 1 : 2)
        case Subtag.fun: first = scan + 4
        case Subtag.subBinary: first = scan + 4
        case Subtag.matchContext:
            forward(scan + 1)
            let binary = Term(raw: scan[1]).pointer
            if Header.subtag(binary[0]) == Subtag.refcBinary, binary[5] & RefcFlags.pinned != 0 {
                binary[5] |= RefcFlags.seen
            }
            scan[2] = UInt64(UInt(bitPattern: binaryBase(Term(raw: scan[1]))))
            return end
        default: return end
        }
        while first < end {
            forward(first)
            first += 1
        }
        return end
    }

    // MARK: Roots

    mutating func forwardRoots(_ x: Ref<Term>?, _ live: Int, _ extra: Ref<Term>?) {
        if let x { forwardAll(Self.words(x), live) }
        if let extra { forward(Self.words(extra)) }
        let p = process
        let stack = p.pointee.stackTop
        forwardAll(stack, p.pointee.stackEnd - stack)
        forwardField(&p.pointee.groupLeader)
        forwardField(&p.pointee.reason)
        forwardField(&p.pointee.trace)
        forwardField(&p.pointee.exceptionArguments)
        forwardField(&p.pointee.exceptionInfo)
        var collector = self
        forEachRoot(of: p) { collector.forward(Self.words($0)) }
        self = collector
    }

    private mutating func forwardField(_ field: inout Term) {
        withUnsafeMutablePointer(to: &field) { forward(Self.words($0)) }
    }

    private static func words(_ terms: Ref<Term>) -> Words {
        UnsafeMutableRawPointer(terms).assumingMemoryBound(to: UInt64.self)
    }
}

/// First byte of the binary a match context reads.
@inline(__always) private func binaryBase(_ binary: Term) -> UnsafeMutableRawPointer {
    let object = binary.pointer
    switch binary.subtag {
    case Subtag.refcBinary: return UnsafeMutableRawPointer(bitPattern: UInt(object[4])).unsafelyUnwrapped
    case Subtag.subBinary: return binaryBase(Term(raw: object[4])) + Int(truncatingIfNeeded: object[2])
    default: return UnsafeMutableRawPointer(object + 2)
    }
}
