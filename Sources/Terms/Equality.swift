// Equality.swift: `==` and `=:=`. Both walk two terms side by side and stop at the first difference; neither orders
// anything, so maps need only equal shapes (equal key sets have equal flat keys or equal tries). The walk keeps an
// explicit stack: the depth of a term is no limit.

public import CMachine

/// `a == b`: integers and floats by value, but the keys of maps as `=:=` does.
@inlinable @inline(__always) public func termsEqual(_ a: Term, _ b: Term) -> Bool {
    if a.raw == b.raw { return true }
    if a.raw & b.raw & 3 == 3 { return false }
    return unequalWordsAreEqual(a, b)
}

/// `a =:= b`: 1 and 1.0 differ, 0.0 and -0.0 do not.
@inlinable @inline(__always) public func termsIdentical(_ a: Term, _ b: Term) -> Bool {
    if a.raw == b.raw { return true }
    if (a.raw ^ b.raw) & 3 != 0 || a.raw & 3 == 3 { return false }
    return unequalWordsAreIdentical(a, b)
}

/// How a pair on the stack is compared.
private enum Mode {
    static let loose: UInt64 = 0
    static let exact: UInt64 = 1
    /// Children of trie nodes: a cons is a leaf, whose key is compared exactly and whose value loosely.
    static let looseLeaf: UInt64 = 2
}

/// The slow half of `termsEqual`. Requires: the words differ and not both are immediate.
@inline(never) public func unequalWordsAreEqual(_ a: Term, _ b: Term) -> Bool { walkOrCompare(a, b, false) }

/// The slow half of `termsIdentical`. Requires: the words differ; two lists or two boxed terms.
@inline(never) public func unequalWordsAreIdentical(_ a: Term, _ b: Term) -> Bool {
    if a.isBoxed, Header.subtag(a.header) == Subtag.tuple {
        switch tuplesAtOnce(a.pointer, b.pointer) {
        case .equal: return true
        case .unequal: return false
        case .nested: break
        }
    }
    return partsAreIdentical(a, b)
}

/// Requires: a tuple, and any boxed term.
@inline(__always) func tuplesAreIdentical(_ a: Words, _ b: Words) -> Bool {
    switch tuplesAtOnce(a, b) {
    case .equal: true
    case .unequal: false
    case .nested: partsAreIdentical(.boxed(a), .boxed(b))
    }
}

// MARK: - Terms of a few levels

/// How deep `=:=` looks by native recursion, before it starts a walk with a stack.
private let quickDepth = 12

@inline(never) private func partsAreIdentical(_ a: Term, _ b: Term) -> Bool {
    switch identityOfParts(a, b, quickDepth) {
    case .equal: true
    case .unequal: false
    case .nested: walkOrCompare(a, b, true)
    }
}

/// Whether two words differ in a way that no look behind them can mend. Requires: they differ.
@inline(__always) private func differForSure(_ a: UInt64, _ b: UInt64) -> Bool { (a ^ b) & 3 != 0 || a & 3 == 3 }

/// Whether a tuple and a boxed term are identical, if their words tell: most map keys that are tuples hold immediates.
@inline(__always) private func tuplesAtOnce(_ a: Words, _ b: Words) -> FlatEquality {
    if a[0] != b[0] { return .unequal }
    var index = Header.words(a[0])
    var result = FlatEquality.equal
    while index > 0 {
        if a[index] != b[index] {
            if differForSure(a[index], b[index]) { return .unequal }
            result = .nested
        }
        index = index &- 1
    }
    return result
}

/// `.nested`: not known. Requires: the words differ.
@inline(__always) private func identity(_ a: UInt64, _ b: UInt64, _ depth: Int) -> FlatEquality {
    if differForSure(a, b) { return .unequal }
    let (first, second) = (Term(raw: a), Term(raw: b))
    if first.isBoxed, Header.subtag(first.header) == Subtag.tuple {
        let known = tuplesAtOnce(first.pointer, second.pointer)
        if known != .nested { return known }
    }
    return identityOfParts(first, second, depth)
}

/// `.nested`: not known. Requires: two lists or two boxed terms; if the first is a tuple, `tuplesAtOnce` says `.nested`.
@inline(never) private func identityOfParts(_ a: Term, _ b: Term, _ depth: Int) -> FlatEquality {
    guard depth > 0 else { return .nested }
    if a.isCons { return identityOfLists(a.pointer, b.pointer, depth) }
    let (x, y) = (a.pointer, b.pointer)
    let header = x[0]
    var index: Int
    switch Header.subtag(header) {
    case Subtag.tuple: index = 1
    case Subtag.map where Header.mapKind(header) == MapKind.flat:
        guard header == y[0] else { return .unequal }
        // The tuple of keys, then the values.
        index = 2
    default: return flatEquality(a, b, true)
    }
    let last = Header.words(header)
    while index <= last {
        if x[index] != y[index] {
            let known = identity(x[index], y[index], depth &- 1)
            if known != .equal { return known }
        }
        index = index &+ 1
    }
    return .equal
}

private func identityOfLists(_ a: Words, _ b: Words, _ depth: Int) -> FlatEquality {
    var (x, y) = (a, b)
    while true {
        if x[0] != y[0] {
            let known = identity(x[0], y[0], depth &- 1)
            if known != .equal { return known }
        }
        let (restX, restY) = (Term(raw: x[1]), Term(raw: y[1]))
        if restX == restY { return .equal }
        guard restX.isCons, restY.isCons else { return identity(restX.raw, restY.raw, depth &- 1) }
        x = restX.pointer
        y = restY.pointer
    }
}

// MARK: - Any terms

/// Requires: the words differ and not both are immediate.
@inline(never) private func walkOrCompare(_ a: Term, _ b: Term, _ exact: Bool) -> Bool {
    if a.isBoxed, b.isBoxed {
        switch flatEquality(a, b, exact) {
        case .equal: return true
        case .unequal: return false
        case .nested: break
        }
    } else if (a.raw ^ b.raw) & 3 != 0 {
        return !exact && mixedNumbersAreEqual(a, b)
    }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: WorkStack.localWords) { words in
        var stack = WorkStack(words)
        let result = walkEqual(a, b, exact ? Mode.exact : Mode.loose, &stack)
        stack.release()
        return result
    }
}

/// Requires: one is no number of the other's kind (an immediate against a boxed term, or a list against anything).
private func mixedNumbersAreEqual(_ a: Term, _ b: Term) -> Bool {
    if a.isSmall, b.isFloat { return compare(integer: a, float: b.floatValue) == 0 }
    if b.isSmall, a.isFloat { return compare(integer: b, float: a.floatValue) == 0 }
    return false
}

private enum FlatEquality { case equal, unequal, nested }

/// Boxed terms without elements, and the cheap reasons for containers to differ. Requires: both boxed.
@inline(__always) private func flatEquality(_ a: Term, _ b: Term, _ exact: Bool) -> FlatEquality {
    let headerA = a.header
    let headerB = b.header
    let kind = Header.subtag(headerA)
    switch kind {
    case Subtag.tuple, Subtag.map:
        return headerA == headerB ? .nested : .unequal
    case Subtag.float:
        if Header.subtag(headerB) == Subtag.float { return a.floatValue == b.floatValue ? .equal : .unequal }
        return !exact && b.isBig && compare(integer: b, float: a.floatValue) == 0 ? .equal : .unequal
    case Subtag.positiveBig, Subtag.negativeBig:
        if headerA == headerB { return wordsAreEqual(a.pointer, b.pointer, Header.words(headerA)) ? .equal : .unequal }
        return !exact && Header.subtag(headerB) == Subtag.float && compare(integer: a, float: b.floatValue) == 0
            ? .equal : .unequal
    case Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary:
        return b.isBitstring && Bits.equal(Bits(a), Bits(b)) ? .equal : .unequal
    case Subtag.fun:
        guard Header.subtag(headerB) == Subtag.fun, headerA == headerB else { return .unequal }
        if a.pointer[1] == b.pointer[1], a.funIsExternal == b.funIsExternal {
            return a.funFreeCount == 0 ? .equal : .nested
        }
        if exact { return .unequal }
        return compareFunIdentity(a, b) != 0 ? .unequal : a.funFreeCount == 0 ? .equal : .nested
    default:
        if !a.isReference {
            return headerA == headerB && wordsAreEqual(a.pointer, b.pointer, Header.words(headerA)) ? .equal : .unequal
        }
        return b.isReference && compareReferences(a, b) == 0 ? .equal : .unequal
    }
}

/// Compares `count` words behind the headers.
private func wordsAreEqual(_ a: Words, _ b: Words, _ count: Int) -> Bool {
    var index = 1
    while index <= count {
        if a[index] != b[index] { return false }
        index = index &+ 1
    }
    return true
}

/// The walk. Entries of the stack: two addresses of words still to compare, and `count << 2 | mode`.
private func walkEqual(_ first: Term, _ second: Term, _ firstMode: UInt64, _ stack: inout WorkStack) -> Bool {
    var a = first
    var b = second
    var mode = firstMode
    while true {
        // One pair whose words differ; not both immediate.
        var arrayA: Words
        var arrayB: Words
        var count = 0
        var arrayMode = mode
        if a.isCons {
            guard b.isCons else { return false }
            arrayA = a.pointer
            arrayB = b.pointer
            if mode == Mode.looseLeaf {
                stack.push((arrayA + 1).address, (arrayB + 1).address, 1 << 2 | Mode.loose)
                count = 1
                arrayMode = Mode.exact
            } else {
                while arrayA[0] == arrayB[0] {
                    let tailA = Term(raw: arrayA[1])
                    let tailB = Term(raw: arrayB[1])
                    guard tailA.raw != tailB.raw, tailA.isCons, tailB.isCons else { break }
                    arrayA = tailA.pointer
                    arrayB = tailB.pointer
                }
                count = 2
            }
        } else if a.isBoxed, b.isBoxed {
            arrayA = a.pointer
            arrayB = b.pointer
            switch flatEquality(a, b, mode == Mode.exact) {
            case .unequal: return false
            case .equal: break
            case .nested:
                let header = a.header
                let kind = Header.subtag(header)
                if kind == Subtag.tuple {
                    count = Header.words(header)
                    arrayA += 1
                    arrayB += 1
                } else if kind == Subtag.fun {
                    count = a.funFreeCount
                    arrayA += Layout.funWords
                    arrayB += Layout.funWords
                } else {
                    guard MapShape.sizesAreEqual(arrayA, arrayB, header) else { return false }
                    let children = MapShape.children(header)
                    arrayA += children.offset
                    arrayB += children.offset
                    count = children.count
                    if Header.mapKind(header) == MapKind.flat {
                        if mode != Mode.exact, count > 1 {
                            let rest = UInt64(truncatingIfNeeded: count &- 1) &<< 2
                            stack.push((arrayA + 1).address, (arrayB + 1).address, rest | Mode.loose)
                            count = 1
                            arrayMode = Mode.exact
                        }
                    } else if mode != Mode.exact {
                        arrayMode = Mode.looseLeaf
                    }
                }
            }
        } else {
            guard mode != Mode.exact, mixedNumbersAreEqual(a, b) else { return false }
            arrayA = a.pointerOrAny
            arrayB = arrayA
        }
        // The next differing pair of words, of this array or of one on the stack.
        while true {
            while count > 0, arrayA[0] == arrayB[0] {
                arrayA += 1
                arrayB += 1
                count = count &- 1
            }
            if count > 0 { break }
            if stack.isEmpty { return true }
            let (addressA, addressB, rest) = stack.pop()
            arrayA = wordsAt(addressA)
            arrayB = wordsAt(addressB)
            count = Int(truncatingIfNeeded: rest &>> 2)
            arrayMode = rest & 3
        }
        a = Term(raw: arrayA[0])
        b = Term(raw: arrayB[0])
        if a.raw & b.raw & 3 == 3 { return false }
        if count > 1 {
            let rest = UInt64(truncatingIfNeeded: count &- 1) &<< 2
            stack.push((arrayA + 1).address, (arrayB + 1).address, rest | arrayMode)
        }
        mode = arrayMode
    }
}

extension Term {
    /// Any non-null pointer: for arrays of no elements.
    fileprivate var pointerOrAny: Words { Words(bitPattern: 8).unsafelyUnwrapped }
}
