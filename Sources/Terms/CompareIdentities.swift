// CompareIdentities.swift: the order of pids, ports, references, funs (without their free variables) and bit strings.
// Terms that name a node order by the node's name and creation; local ones stand for the node that this VM is now.

public import CMachine
import Glibc

/// The node that this VM is: nonode@nohost until distribution names it. Replaced as a whole when that happens.
public enum LocalNode {
    /// Written at boot and when the node gets its name, with all schedulers at rest.
    nonisolated(unsafe) public static var entry: Ref<NodeEntry>? = nil

    public static var name: Term { entry?.pointee.name ?? Atoms.nonode_nohost }
    public static var creation: UInt32 { entry?.pointee.creation ?? 0 }
}

/// The node of an external pid, port or reference; nil for the local ones.
private func node(_ term: Term) -> Ref<NodeEntry>? {
    guard term.isBoxed else { return nil }
    switch term.subtag {
    case Subtag.externalPid, Subtag.externalPort, Subtag.externalReference: return term.externalNode
    default: return nil
    }
}

private func compareNodes(_ a: Term, _ b: Term) -> Int {
    let nodeA = node(a)
    let nodeB = node(b)
    if nodeA == nodeB { return 0 }
    let byName = compareAtoms(nodeA?.pointee.name ?? LocalNode.name, nodeB?.pointee.name ?? LocalNode.name)
    if byName != 0 { return byName }
    return order(nodeA?.pointee.creation ?? LocalNode.creation, nodeB?.pointee.creation ?? LocalNode.creation)
}

/// Pids: serial, number, then node.
func comparePids(_ a: Term, _ b: Term) -> Int {
    func parts(_ pid: Term) -> (serial: UInt64, number: UInt64) {
        if pid.isLocalPid { return (pid.idData &>> 15, pid.idData & 0x7FFF) }
        return (pid.pointer[2] &>> 32, pid.pointer[2] & 0xFFFF_FFFF)
    }
    let partsA = parts(a)
    let partsB = parts(b)
    if partsA.serial != partsB.serial { return order(partsA.serial, partsB.serial) }
    if partsA.number != partsB.number { return order(partsA.number, partsB.number) }
    return compareNodes(a, b)
}

/// Ports: node, then number.
func comparePorts(_ a: Term, _ b: Term) -> Int {
    let byNode = compareNodes(a, b)
    if byNode != 0 { return byNode }
    return order(a.isLocalPort ? a.idData : a.pointer[2], b.isLocalPort ? b.idData : b.pointer[2])
}

/// References: node, then the numbers, the last one first. An alias has its pid as further number.
func compareReferences(_ a: Term, _ b: Term) -> Int {
    let byNode = compareNodes(a, b)
    if byNode != 0 { return byNode }
    let pidA = a.isAliasReference ? a.pointer[3] : 0
    let pidB = b.isAliasReference ? b.pointer[3] : 0
    if pidA != pidB { return order(pidA, pidB) }
    let numbersA = a.referenceNumbers
    let numbersB = b.referenceNumbers
    if numbersA.1 != numbersB.1 { return order(numbersA.1, numbersB.1) }
    let highA = numbersA.0 &>> 32
    let highB = numbersB.0 &>> 32
    if highA != highB { return order(highA, highB) }
    return order(numbersA.0 & 0xFFFF_FFFF, numbersB.0 & 0xFFFF_FFFF)
}

/// Local funs before external ones; what is left to compare when this is 0 are the free variables, equal in number.
func compareFunIdentity(_ a: Term, _ b: Term) -> Int {
    let externalA = a.funIsExternal
    let externalB = b.funIsExternal
    if externalA != externalB { return externalB ? -1 : 1 }
    if externalA {
        let exportA = a.funExport
        let exportB = b.funExport
        if exportA == exportB { return 0 }
        let byModule = compareAtoms(exportA.pointee.module, exportB.pointee.module)
        if byModule != 0 { return byModule }
        let byName = compareAtoms(exportA.pointee.name, exportB.pointee.name)
        return byName != 0 ? byName : order(exportA.pointee.arity, exportB.pointee.arity)
    }
    let entryA = a.funEntry
    let entryB = b.funEntry
    if entryA != entryB {
        let byModule = compareAtoms(entryA.pointee.module, entryB.pointee.module)
        if byModule != 0 { return byModule }
        if entryA.pointee.index != entryB.pointee.index { return order(entryA.pointee.index, entryB.pointee.index) }
        let byUniq = order(entryA.pointee.oldUniq, entryB.pointee.oldUniq)
        if byUniq != 0 { return byUniq }
    }
    return order(a.funFreeCount, b.funFreeCount)
}

// MARK: - Bit strings

/// `size` bits from bit `offset` (0-7) of `base`.
private struct BitRange {
    var base: UnsafePointer<UInt8>
    var offset = 0
    var size: Int

    init(_ term: Term) {
        let object = term.pointer
        var original = object
        var start = 0
        size = Int(truncatingIfNeeded: object[1]) &<< 3
        if term.subtag == Subtag.subBinary {
            size = size &+ Int(truncatingIfNeeded: object[3] & 0xFF)
            offset = Int(truncatingIfNeeded: object[3] &>> 8 & 0xFF)
            start = Int(truncatingIfNeeded: object[2])
            original = Term(raw: object[4]).pointer
        }
        let first =
            Header.subtag(original[0]) == Subtag.heapBinary
            ? UnsafeRawPointer(original + 2)
            : UnsafeRawPointer(bitPattern: UInt(original[4])).unsafelyUnwrapped
        base = first.assumingMemoryBound(to: UInt8.self) + start
    }

    /// The eight bits from bit `position` on; bits past the end are 0.
    func byte(at position: Int) -> UInt8 {
        let first = offset &+ position
        let shift = UInt8(truncatingIfNeeded: first & 7)
        let left = size &- position
        var value = base[first &>> 3] &<< shift
        if shift != 0, left > 8 &- Int(shift) { value |= base[first &>> 3 &+ 1] &>> (8 &- shift) }
        return left >= 8 ? value : value & (0xFF as UInt8) &<< UInt8(truncatingIfNeeded: 8 &- left)
    }
}

/// Bit by bit; a prefix is the smaller one.
func compareBitstrings(_ a: Term, _ b: Term) -> Int {
    let bitsA = BitRange(a)
    let bitsB = BitRange(b)
    let common = min(bitsA.size, bitsB.size)
    var position = 0
    if bitsA.offset | bitsB.offset == 0 {
        let difference = memcmp(bitsA.base, bitsB.base, common &>> 3)
        if difference != 0 { return difference < 0 ? -1 : 1 }
        position = common & ~7
    }
    while position < common {
        var byteA = bitsA.byte(at: position)
        var byteB = bitsB.byte(at: position)
        let left = common &- position
        if left < 8 {
            let mask = (0xFF as UInt8) &<< UInt8(truncatingIfNeeded: 8 &- left)
            byteA &= mask
            byteB &= mask
        }
        if byteA != byteB { return byteA < byteB ? -1 : 1 }
        position = position &+ 8
    }
    return order(bitsA.size, bitsB.size)
}

func bitstringsAreEqual(_ a: Term, _ b: Term) -> Bool {
    BitRange(a).size == BitRange(b).size && compareBitstrings(a, b) == 0
}
