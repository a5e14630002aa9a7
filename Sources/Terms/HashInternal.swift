// HashInternal.swift: the hash of the VM's own tables: big maps, ETS, process dictionaries. Programs see it in the
// order of maps with more than 32 keys, so it computes what OTP 25 computes for every kind of term whose words are the
// same in every VM; immediates, remote nodes and external funs enter by word or address.
//
// Invariant: every bit that decides whether two terms are identical enters the hash, so that keys that collide under
// one salt part under another.

public import CMachine

/// Hash of `term` for internal tables.
@inlinable @inline(__always) public func internalHash(_ term: Term, salt: UInt32 = 0) -> UInt32 {
    let start = salt ^ 3_432_918_353
    if term.isImmediate { return HashMix.add(word: term.raw, HashMix.golden, to: start) }
    return internalHashSlow(term, start)
}

/// Hash of a map key at trie levels `8 * depth ..< 8 * depth + 8`.
@inlinable public func mapHash(_ key: Term, depth: Int = 0) -> UInt32 {
    if depth == 0 { return internalHash(key) }
    let salt = HashMix.add(UInt32(truncatingIfNeeded: depth), 1, HashMix.constant(22), to: 0)
    return internalHash(key, salt: salt)
}

@inline(never) @usableFromInline func internalHashSlow(_ term: Term, _ start: UInt32) -> UInt32 {
    if term.isBitstring { return HashMix.bitstring(term, to: start) }
    if term.isTuple, let hash = flatTupleHash(term.pointer, start) { return hash }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { buffer in
        var walk = InternalHash(hash: start, stack: WordStack(buffer))
        defer { walk.stack.release() }
        walk.add(term)
        while !walk.stack.isEmpty {
            let word = walk.stack.pop()
            if word == HashMark.tail { walk.addConstant(18) } else { walk.add(Term(raw: word)) }
        }
        return walk.hash
    }
}

/// Hash of a small tuple of immediates; nil: it is none.
@inline(__always) private func flatTupleHash(_ tuple: Words, _ start: UInt32) -> UInt32? {
    let size = Header.words(tuple[0])
    guard size <= 8 else { return nil }
    var hash = HashMix.add(UInt32(truncatingIfNeeded: size), 0, HashMix.constant(9), to: start)
    var index = 1
    while index <= size {
        guard tuple[index] & 3 == 3 else { return nil }
        hash = HashMix.add(word: tuple[index], HashMix.golden, to: hash)
        index = index &+ 1
    }
    return hash
}

private struct InternalHash {
    var hash: UInt32
    var stack: WordStack

    /// Marks where the structure of a list goes up or down.
    mutating func addConstant(_ number: UInt32) {
        let mixed = hash ^ HashMix.constant(number)
        hash = (mixed &<< 17) ^ (mixed &>> 15)
    }

    /// Adds one term; its parts go to the stack.
    mutating func add(_ term: Term) {
        if term.isImmediate {
            hash = HashMix.add(word: term.raw, HashMix.golden, to: hash)
        } else if term.isCons {
            addList(term)
        } else {
            addBoxed(term)
        }
    }

    /// Leading bytes are packed four to a word; the first other element and the rest go to the stack.
    mutating func addList(_ list: Term) {
        var list = list
        var packed: UInt32 = 0
        var count: UInt32 = 0
        while list.isCons, list.head.raw & ~0xFF0 == 15 {
            packed = packed &<< 8 | UInt32(truncatingIfNeeded: list.head.raw &>> 4)
            count &+= 1
            if count == 4 {
                hash = HashMix.add(packed, 0, HashMix.constant(4), to: hash)
                packed = 0
                count = 0
            }
            list = list.tail
        }
        if count > 0 { hash = HashMix.add(packed, count, HashMix.constant(22), to: hash) }
        guard list.isCons else {
            stack.push(list)
            return
        }
        addConstant(17)
        stack.push(list.tail)
        if !list.tail.isCons { stack.push(HashMark.tail) }
        stack.push(list.head)
    }

    mutating func addBoxed(_ term: Term) {
        let object = term.pointer
        switch term.subtag {
        case Subtag.tuple:
            let size = term.tupleSize
            hash = HashMix.add(UInt32(truncatingIfNeeded: size), 0, HashMix.constant(9), to: hash)
            for index in stride(from: size, to: 0, by: -1) { stack.push(object[index]) }
        case Subtag.map: addMap(object)
        case Subtag.fun: addFun(term)
        case Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary: hash = HashMix.bitstring(term, to: hash)
        case Subtag.positiveBig, Subtag.negativeBig: hash = HashMix.big(term, to: hash)
        case Subtag.float: hash = HashMix.add(word: HashMix.floatBits(term), HashMix.constant(12), to: hash)
        case Subtag.reference, Subtag.magicReference, Subtag.externalReference:
            let numbers = term.referenceNumbers
            if term.subtag == Subtag.externalReference {
                hash = HashMix.add(word: object[1], HashMix.constant(7), to: hash)
            }
            hash = HashMix.add(UInt32(truncatingIfNeeded: numbers.0), 0, HashMix.constant(7), to: hash)
            hash = HashMix.add(
                UInt32(truncatingIfNeeded: numbers.0 &>> 32), UInt32(truncatingIfNeeded: numbers.1),
                HashMix.constant(8), to: hash)
        case Subtag.externalPid:
            hash = HashMix.add(word: object[1], HashMix.constant(5), to: hash)
            hash = HashMix.add(word: object[2], HashMix.constant(5), to: hash)
        case Subtag.externalPort:
            hash = HashMix.add(word: object[1], HashMix.constant(6), to: hash)
            hash = HashMix.add(word: object[2], HashMix.constant(6), to: hash)
        default: preconditionFailure("internal hash of a header \(term.header)")
        }
    }

    /// Maps of equal content have the same shape, so the order of their pairs needs no care.
    mutating func addMap(_ object: Words) {
        let header = object[0]
        if Header.mapKind(header) == MapKind.flat {
            let size = Int(object[1])
            hash = HashMix.add(UInt32(truncatingIfNeeded: size), 0, HashMix.constant(16), to: hash)
            let keys = Term(raw: object[2]).pointer + 1
            for index in stride(from: size &- 1, through: 0, by: -1) {
                stack.push(object[3 &+ index])
                stack.push(keys[index])
            }
            return
        }
        if Header.mapKind(header) == MapKind.root {
            hash = HashMix.add(UInt32(truncatingIfNeeded: object[1]), 0, HashMix.constant(16), to: hash)
        }
        let children = Header.mapChildren(object)
        for index in 0..<Header.mapChildCount(header) {
            let child = Term(raw: children[index])
            if child.isCons {
                stack.push(child.tail)
                stack.push(child.head)
            } else {
                stack.push(child)
            }
        }
    }

    mutating func addFun(_ term: Term) {
        if term.funIsExternal {
            hash = HashMix.add(word: term.pointer[1], HashMix.constant(14), to: hash)
            return
        }
        let entry = term.funEntry
        let free = term.funFreeCount
        hash = HashMix.add(
            UInt32(truncatingIfNeeded: free), UInt32(truncatingIfNeeded: entry.pointee.module.raw),
            HashMix.constant(20), to: hash)
        hash = HashMix.add(entry.pointee.index, entry.pointee.oldUniq, HashMix.constant(21), to: hash)
        for index in stride(from: free &- 1, through: 0, by: -1) { stack.push(term.funFree(index)) }
    }
}
