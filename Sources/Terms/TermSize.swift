// TermSize.swift: how many heap words a term takes: as a copy without sharing (flat size), and as it lies in memory.
// Programs see both through erts_debug.

public import CMachine

/// Words of a full copy of `term` in which nothing is shared. Immediates and `{}` take none. A sub-binary counts as the
/// binary that a copy of it becomes.
public func flatSize(_ term: Term) -> Int {
    if term.isImmediate { return 0 }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { buffer in
        var stack = WordStack(buffer)
        defer { stack.release() }
        var sum = 0
        stack.push(term)
        while !stack.isEmpty { sum &+= addObject(Term(raw: stack.pop()), &stack) }
        return sum
    }
}

/// Words of what `term` reaches, every object counted once.
public func sharedSize(_ term: Term) -> Int {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { buffer in
        var stack = WordStack(buffer)
        defer { stack.release() }
        var seen: Set<UInt64> = []
        var sum = 0
        if !term.isImmediate { stack.push(term) }
        while !stack.isEmpty {
            let next = Term(raw: stack.pop())
            if seen.insert(next.raw).inserted { sum &+= addObject(next, &stack) }
        }
        return sum
    }
}

/// Words of one object; what it points at goes to the stack. Requires: no immediate.
private func addObject(_ term: Term, _ stack: inout WordStack) -> Int {
    func push(_ words: Words, _ count: Int) {
        for index in 0..<count where !Term(raw: words[index]).isImmediate { stack.push(words[index]) }
    }
    let object = term.pointer
    if term.isCons {
        push(object, 2)
        return 2
    }
    let words = Header.words(object[0]) &+ 1
    switch term.subtag {
    case Subtag.tuple:
        if words == 1 { return 0 }
        push(object + 1, words &- 1)
    case Subtag.map:
        let skipped = Header.mapKind(object[0]) == MapKind.node ? 1 : 2
        push(object + skipped, words &- skipped)
    case Subtag.fun:
        push(object + 4, words &- 4)
    case Subtag.subBinary: return subBinarySize(term)
    // OTP keeps as many numbers as the reference has, after two words of its own and a count.
    case Subtag.externalReference: return 4 &+ term.referenceWords.count / 2
    default: break
    }
    return words
}

private func subBinarySize(_ term: Term) -> Int {
    let bits = Bits(term)
    let loose = bits.offset &+ (bits.size & 7)
    let extra = loose > 8 ? 2 : loose > 0 ? 1 : 0
    let original =
        term.originalBinary.isBoxed(Subtag.refcBinary)
        ? Layout.refcBinaryWords : Layout.heapBinaryWords(bits.size &>> 3 &+ extra)
    return (extra > 0 ? Layout.subBinaryWords : 0) &+ original
}
