// CompareIdentities.swift: the order of pids, ports, references and funs (without their free variables). Terms that
// name a node order by the node's name and creation; local ones stand for the node that this VM is now.

import CMachine

private func compareNodes(_ a: Term, _ b: Term) -> Int {
    if !a.isBoxed && !b.isBoxed { return 0 }
    let nodeA = a.node
    let nodeB = b.node
    if nodeA == nodeB { return 0 }
    let byName = compareAtoms(nodeA.pointee.name, nodeB.pointee.name)
    return byName != 0 ? byName : order(nodeA.pointee.creation, nodeB.pointee.creation)
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

/// References: node, then the numbers, the last one first. An alias has its pid as further numbers.
func compareReferences(_ a: Term, _ b: Term) -> Int {
    let byNode = compareNodes(a, b)
    if byNode != 0 { return byNode }
    let further = order(furtherNumbers(a), furtherNumbers(b))
    if further != 0 { return further }
    let wordsA = a.referenceNumbers
    let wordsB = b.referenceNumbers
    let highest = order(wordsA.1 & 0xFFFF_FFFF, wordsB.1 & 0xFFFF_FFFF)
    return highest != 0 ? highest : order(wordsA.0, wordsB.0)
}

/// Numbers 3 and 4 of a reference, 0 if it has but three.
private func furtherNumbers(_ reference: Term) -> UInt64 {
    if reference.isAliasReference { return reference.pointer[3] }
    guard reference.subtag == Subtag.externalReference else { return 0 }
    return reference.pointer[4] &<< 32 | reference.pointer[3] &>> 32
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
