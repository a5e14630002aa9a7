// HashOld.swift: erlang:phash/2, the portable hash of before phash2, kept for old data: multiply by a prime that
// depends on the kind of term, add a byte or a word.

public import CMachine

/// The 32-bit value under erlang:phash/2. `steps` counts terms visited.
/// At a pace; without use if that stops it.
public func oldHash(_ term: Term, steps: inout Int, pace: inout Pace) -> UInt32 {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { buffer in
        var walk = OldHash(stack: WordStack(buffer))
        defer { walk.stack.release() }
        walk.add(term)
        while !walk.stack.isEmpty {
            walk.steps &+= 1
            guard pace.goesOn(walk.steps) else { break }
            let word = walk.stack.pop()
            if word == HashMark.tail {
                walk.hash = walk.hash &* OldHash.prime(8)
            } else if word == HashMark.mapEnd {
                walk.add(UInt32(truncatingIfNeeded: walk.stack.pop()), times: 9)
            } else if word == HashMark.mapPair {
                walk.addRest(Term(raw: walk.stack.pop()))
            } else {
                walk.add(Term(raw: word))
            }
        }
        steps &+= walk.steps
        return walk.hash
    }
}

private struct OldHash {
    var hash: UInt32 = 0
    var steps = 0
    var stack: WordStack

    /// The primes, numbered from 1.
    static func prime(_ number: Int) -> UInt32 {
        switch number {
        case 1: 268_440_163
        case 2: 268_439_161
        case 3: 268_435_459
        case 4: 268_436_141
        case 5: 268_438_633
        case 6: 268_437_017
        case 7: 268_438_039
        case 8: 268_437_511
        case 9: 268_439_627
        case 10: 268_440_479
        case 11: 268_440_577
        case 12: 268_440_581
        case 13: 268_440_593
        default: 268_440_611
        }
    }

    mutating func add(_ value: UInt32, times number: Int) { hash = hash &* Self.prime(number) &+ value }

    /// The low `count` bytes, lowest first.
    mutating func addBytes(_ value: UInt64, _ count: Int, times number: Int) {
        for index in 0..<count { add(UInt32(truncatingIfNeeded: value &>> UInt64(8 &* index)) & 0xFF, times: number) }
    }

    mutating func scale(_ number: Int) { hash = hash &* Self.prime(number) }

    mutating func add(_ term: Term) {
        if term.isCons {
            addList(term)
        } else if term.isBoxed {
            addBoxed(term)
        } else if term.isSmall {
            addInteger(UInt64(term.smallValue.magnitude), isNegative: term.smallValue < 0)
        } else if term.isAtom {
            add(AtomTable.entry(term).pointee.hash, times: 1)
        } else if term.isNil {
            add(1, times: 3)
        } else if term.isLocalPid {
            addBytes(term.idData & 0x7FFF, 4, times: 5)
            scale(6)
        } else {
            addPort(term.idData)
        }
    }

    mutating func addInteger(_ magnitude: UInt64, isNegative: Bool) {
        addBytes(magnitude, magnitude &>> 32 == 0 ? 4 : 8, times: 2)
        scale(isNegative ? 4 : 3)
    }

    mutating func addPort(_ number: UInt64) {
        if number &>> 32 != 0 { addBytes(number &>> 32, 4, times: 11) }
        addBytes(number, 4, times: 9)
        scale(10)
    }

    mutating func addList(_ list: Term) {
        var list = list
        while list.head.raw & ~0xFF0 == 15 {
            add(UInt32(truncatingIfNeeded: list.head.raw &>> 4), times: 2)
            steps &+= 1
            if steps & 4095 == 0, !vm_breathe(64) { return }
            guard list.tail.isCons else {
                stack.push(HashMark.tail)
                stack.push(list.tail)
                return
            }
            list = list.tail
        }
        stack.push(list.tail)
        stack.push(HashMark.mapPair)
        stack.push(list.head)
    }

    /// What follows the first other element of a list.
    mutating func addRest(_ tail: Term) {
        if tail.isCons {
            addList(tail)
        } else {
            stack.push(HashMark.tail)
            stack.push(tail)
        }
    }

    mutating func addBoxed(_ term: Term) {
        let object = term.pointer
        switch term.subtag {
        case Subtag.tuple:
            let size = term.tupleSize
            stack.push(UInt64(size))
            stack.push(HashMark.mapEnd)
            for index in stride(from: size, to: 0, by: -1) { stack.push(object[index]) }
        case Subtag.map: hash = hash &* Self.prime(13) &+ Self.prime(14) &+ portableHash(term, steps: &steps)
        case Subtag.fun: addFun(term)
        case Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary: addBitstring(term)
        case Subtag.positiveBig, Subtag.negativeBig:
            let last = term.bigLimbCount &- 1
            for index in 0..<last { addBytes(term.bigLimbs[index], 8, times: 2) }
            addInteger(term.bigLimbs[last], isNegative: term.bigIsNegative)
        case Subtag.float:
            let bits = HashMix.floatBits(term)
            add(UInt32(truncatingIfNeeded: bits) ^ UInt32(truncatingIfNeeded: bits &>> 32), times: 6)
        case Subtag.reference, Subtag.magicReference, Subtag.externalReference:
            addBytes(term.referenceNumbers.0, 4, times: 9)
            scale(10)
        case Subtag.externalPid:
            addBytes(object[2] & 0xFFFF_FFFF, 4, times: 5)
            scale(6)
        case Subtag.externalPort: addPort(object[2])
        default: preconditionFailure("old hash of a header \(term.header)")
        }
    }

    mutating func addBitstring(_ term: Term) {
        let bits = Bits(term)
        let size = bits.size &>> 3
        for index in 0..<size {
            if index & 4095 == 4095, !vm_breathe(64) { break }
            add(UInt32(readBits(bits.base, bits.offset &+ index &* 8, 8)), times: 1)
        }
        let rest = bits.size & 7
        if rest > 0 {
            add(UInt32(readBits(bits.base, bits.offset &+ size &* 8, rest)), times: 1)
            hash = hash &* Self.prime(12) &+ UInt32(rest)
        }
        add(UInt32(truncatingIfNeeded: size), times: 4)
        steps &+= size
    }

    mutating func addFun(_ term: Term) {
        if term.funIsExternal {
            let export = term.funExport
            add(export.pointee.arity, times: 11)
            add(AtomTable.entry(export.pointee.module).pointee.hash, times: 1)
            add(AtomTable.entry(export.pointee.name).pointee.hash, times: 1)
            return
        }
        let entry = term.funEntry
        let free = term.funFreeCount
        add(UInt32(truncatingIfNeeded: free), times: 10)
        add(AtomTable.entry(entry.pointee.module).pointee.hash, times: 1)
        add(entry.pointee.index, times: 2)
        add(entry.pointee.oldUniq, times: 2)
        for index in stride(from: free &- 1, through: 0, by: -1) { stack.push(term.funFree(index)) }
    }
}
