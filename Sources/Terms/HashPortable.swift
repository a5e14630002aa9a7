// HashPortable.swift: erlang:phash2, the hash that is the same in every Erlang VM and release. Programs store it on
// disk and send it to other nodes, so every kind of term must give exactly OTP's value.

public import CMachine

/// The 32-bit value under phash2/1,2: phash2(T, 1 bsl 32). `steps`, when given, counts terms visited (the work done).
/// At a pace; without use if that stops it.
public func portableHash(_ term: Term, steps: inout Int, pace: inout Pace) -> UInt32 {
    if term.isAtom { return AtomTable.entry(term).pointee.hash }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { buffer in
        var walk = PortableHash(pace: pace, stack: WordStack(buffer))
        defer { walk.stack.release() }
        walk.add(term)
        while !walk.stack.isEmpty {
            walk.steps &+= 1
            guard walk.pace.goesOn(walk.steps) else { break }
            switch walk.stack.pop() {
            case HashMark.mapPair:
                walk.pairs ^= walk.hash
                walk.hash = 0
            case HashMark.mapEnd:
                walk.hash = UInt32(truncatingIfNeeded: walk.stack.pop())
                walk.hash = HashMix.add(walk.pairs, 0, HashMix.constant(19), to: walk.hash)
                walk.pairs = UInt32(truncatingIfNeeded: walk.stack.pop())
            case let word: walk.add(Term(raw: word))
            }
        }
        steps &+= walk.steps
        pace = walk.pace
        return walk.hash
    }
}

public func portableHash(_ term: Term, steps: inout Int) -> UInt32 {
    var pace = Pace.none
    return portableHash(term, steps: &steps, pace: &pace)
}

public func portableHash(_ term: Term) -> UInt32 {
    var steps = 0
    return portableHash(term, steps: &steps)
}

private struct PortableHash {
    var hash: UInt32 = 0
    /// Exclusive or of the hashes of the pairs of the map under way: independent of their order.
    var pairs: UInt32 = 0
    var steps = 0
    var pace: Pace
    var stack: WordStack

    mutating func add(_ x: UInt32, _ y: UInt32, _ number: UInt32) {
        hash = HashMix.add(x, y, HashMix.constant(number), to: hash)
    }

    mutating func add(_ term: Term) {
        if term.isCons {
            addList(term)
        } else if term.isBoxed {
            addBoxed(term)
        } else {
            addImmediate(term)
        }
    }

    mutating func addImmediate(_ term: Term) {
        if term.isSmall {
            addSmall(term.smallValue)
        } else if term.isAtom {
            let value = AtomTable.entry(term).pointee.hash
            if hash == 0 { hash = value } else { add(value, 0, 3) }
        } else if term.isNil {
            if hash == 0 { hash = 3_468_870_702 } else { add(2, 0, 2) }
        } else if term.isLocalPid {
            add(UInt32(truncatingIfNeeded: term.idData & 0x7FFF), 0, 5)
        } else {
            add(UInt32(truncatingIfNeeded: term.idData), UInt32(truncatingIfNeeded: term.idData &>> 32), 6)
        }
    }

    mutating func addSmall(_ value: Int) {
        if value >= -(1 << 27) && value < 1 << 27 {
            let low = UInt32(truncatingIfNeeded: value)
            if value < 0 { add(0 &- low, 0, 1) }
            add(low, 0, 1)
        } else {
            hash = HashMix.add(word: UInt64(value.magnitude), HashMix.constant(value < 0 ? 10 : 11), to: hash)
        }
    }

    /// Leading bytes are packed four to a word; the first other element and the rest go to the stack.
    mutating func addList(_ list: Term) {
        var list = list
        var packed: UInt32 = 0
        var count = 0
        while list.isCons, list.head.raw & ~0xFF0 == 15 {
            packed = packed &<< 8 | UInt32(truncatingIfNeeded: list.head.raw &>> 4)
            count &+= 1
            if count & 3 == 0 {
                add(packed, 0, 4)
                packed = 0
                if count & 4095 == 0, !pace.goesOn(steps &+ count) { break }
            }
            list = list.tail
        }
        steps &+= count
        if count & 3 != 0 { add(packed, 0, 4) }
        if list.isCons {
            stack.push(list.tail)
            stack.push(list.head)
        } else {
            stack.push(list)
        }
    }

    mutating func addBoxed(_ term: Term) {
        let object = term.pointer
        switch term.subtag {
        case Subtag.tuple:
            let size = term.tupleSize
            add(UInt32(truncatingIfNeeded: size), 0, 9)
            for index in stride(from: size, to: 0, by: -1) { stack.push(object[index]) }
        case Subtag.map: addMap(object)
        case Subtag.fun: addFun(term)
        case Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary:
            guard pace.allows(steps &+ Bits(term).size / 96) else { return }
            hash = HashMix.bitstring(term, to: hash)
            // One step per block of 12 bytes.
            steps &+= Bits(term).size / 96
        case Subtag.positiveBig, Subtag.negativeBig:
            hash = HashMix.big(term, to: hash)
            steps &+= term.bigLimbCount
        case Subtag.float:
            let bits = HashMix.floatBits(term)
            add(UInt32(truncatingIfNeeded: bits &>> 32), UInt32(truncatingIfNeeded: bits), 12)
        case Subtag.reference, Subtag.magicReference, Subtag.externalReference:
            add(UInt32(truncatingIfNeeded: term.referenceNumbers.0), 0, 7)
        case Subtag.externalPid: add(UInt32(truncatingIfNeeded: object[2]), 0, 5)
        case Subtag.externalPort:
            add(UInt32(truncatingIfNeeded: object[2]), UInt32(truncatingIfNeeded: object[2] &>> 32), 6)
        default: preconditionFailure("portable hash of a header \(term.header)")
        }
    }

    mutating func addMap(_ object: Words) {
        let header = object[0]
        let kind = Header.mapKind(header)
        if kind != MapKind.node {
            add(UInt32(truncatingIfNeeded: object[1]), 0, 16)
            if object[1] == 0 { return }
            stack.push(UInt64(pairs))
            stack.push(UInt64(hash))
            stack.push(HashMark.mapEnd)
            hash = 0
            pairs = 0
        }
        if kind == MapKind.flat {
            let keys = Term(raw: object[2]).pointer + 1
            for index in 0..<Int(object[1]) {
                stack.push(HashMark.mapPair)
                stack.push(object[3 &+ index])
                stack.push(keys[index])
            }
            return
        }
        let children = Header.mapChildren(object)
        for index in 0..<Header.mapChildCount(header) {
            let child = Term(raw: children[index])
            if child.isCons {
                stack.push(HashMark.mapPair)
                stack.push(child.tail)
                stack.push(child.head)
            } else {
                stack.push(child)
            }
        }
    }

    mutating func addFun(_ term: Term) {
        if term.funIsExternal {
            let export = term.funExport
            add(export.pointee.arity, AtomTable.entry(export.pointee.module).pointee.hash, 1)
            add(AtomTable.entry(export.pointee.name).pointee.hash, 0, 14)
            return
        }
        let entry = term.funEntry
        let free = term.funFreeCount
        add(UInt32(truncatingIfNeeded: free), AtomTable.entry(entry.pointee.module).pointee.hash, 1)
        add(entry.pointee.index, entry.pointee.oldUniq, 1)
        for index in stride(from: free &- 1, through: 0, by: -1) { stack.push(term.funFree(index)) }
    }
}
