// Compare.swift: the order of all terms.
//
//     number < atom < reference < fun < port < pid < tuple < map < nil < list < bit string
//
// The standard order compares integers and floats by value, exactly (never by converting an integer to a double that
// cannot hold it). The exact order differs only in that every integer sorts before every float; it orders map keys.
// The walk keeps an explicit stack: the depth of a term is no limit.

public import CMachine
import Glibc

/// -1, 0 or 1: the standard order.
@inlinable @inline(__always) public func compareTerms(_ a: Term, _ b: Term) -> Int {
    if a.raw == b.raw { return 0 }
    if a.raw & b.raw & 15 == 15 { return Int64(bitPattern: a.raw) < Int64(bitPattern: b.raw) ? -1 : 1 }
    return compareUnequalWords(a, b, exact: false)
}

/// -1, 0 or 1: the order of map keys.
@inlinable @inline(__always) public func compareExact(_ a: Term, _ b: Term) -> Int {
    if a.raw == b.raw { return 0 }
    if a.raw & b.raw & 15 == 15 { return Int64(bitPattern: a.raw) < Int64(bitPattern: b.raw) ? -1 : 1 }
    return compareUnequalWords(a, b, exact: true)
}

/// The slow half of `compareTerms` and `compareExact`. Requires: the words differ.
@inline(never) public func compareUnequalWords(_ a: Term, _ b: Term, exact: Bool) -> Int {
    if a.isAtom, b.isAtom { return compareAtoms(a, b) }
    if a.isImmediate || b.isImmediate { return compareFlat(a, b, exact).unsafelyUnwrapped }
    let known = orderOfParts(a, b, exact, quickDepth)
    return known != undecided ? known : walk(a, b, exact)
}

@inline(never) private func walk(_ a: Term, _ b: Term, _ exact: Bool) -> Int {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: WorkStack.localWords) { words in
        var stack = WorkStack(words)
        let result = walkCompare(a, b, exact, &stack)
        stack.release()
        return result
    }
}

// MARK: - Terms of a few levels

/// How deep the order is looked for by native recursion, before a walk with a stack starts.
private let quickDepth = 12
/// No order: it takes the walk.
private let undecided = 2

/// Requires: the words differ.
@inline(__always) private func quickOrder(_ a: UInt64, _ b: UInt64, _ exact: Bool, _ depth: Int) -> Int {
    if a & b & 15 == 15 { return Int64(bitPattern: a) < Int64(bitPattern: b) ? -1 : 1 }
    let (first, second) = (Term(raw: a), Term(raw: b))
    if first.isAtom, second.isAtom { return compareAtoms(first, second) }
    return orderOfParts(first, second, exact, depth)
}

@inline(never) private func orderOfParts(_ a: Term, _ b: Term, _ exact: Bool, _ depth: Int) -> Int {
    if a.isBoxed, b.isBoxed, a.header == b.header, Header.subtag(a.header) == Subtag.tuple {
        guard depth > 0 else { return undecided }
        let count = Header.words(a.header)
        let (x, y) = (a.pointer, b.pointer)
        var index = 1
        while index <= count {
            if x[index] != y[index] {
                let known = quickOrder(x[index], y[index], exact, depth &- 1)
                if known != 0 { return known }
            }
            index = index &+ 1
        }
        return 0
    }
    if a.isCons, b.isCons { return orderOfLists(a.pointer, b.pointer, exact, depth) }
    return compareFlat(a, b, exact) ?? undecided
}

private func orderOfLists(_ a: Words, _ b: Words, _ exact: Bool, _ depth: Int) -> Int {
    guard depth > 0 else { return undecided }
    var (x, y) = (a, b)
    while true {
        if x[0] != y[0] {
            let known = quickOrder(x[0], y[0], exact, depth &- 1)
            if known != 0 { return known }
        }
        let (restX, restY) = (Term(raw: x[1]), Term(raw: y[1]))
        if restX == restY { return 0 }
        guard restX.isCons, restY.isCons else { return quickOrder(restX.raw, restY.raw, exact, depth &- 1) }
        x = restX.pointer
        y = restY.pointer
    }
}

// MARK: - Parts of the order

@inline(__always) func order<Value: Comparable>(_ a: Value, _ b: Value) -> Int { a < b ? -1 : a == b ? 0 : 1 }

/// The place of a term's kind in the order: by bits 2-5 of an immediate, and by the subtag.
@inline(__always) func kindRank(_ term: Term) -> Int {
    if term.isCons { return 9 }
    let ranks: UInt64 = term.isImmediate ? 0x0845_0845_0845_0145 : 0x7245_2AAA_A032_00A6
    let tags = term.isImmediate ? term.raw : term.header
    return Int(truncatingIfNeeded: ranks &>> (tags & 0x3C) & 15)
}

/// Order of atoms: by text.
public func compareAtoms(_ a: Term, _ b: Term) -> Int {
    if a == b { return 0 }
    let entryA = AtomTable.entry(a)
    let entryB = AtomTable.entry(b)
    let countA = Int(entryA.pointee.count)
    let countB = Int(entryB.pointee.count)
    if countA > 0, countB > 0, entryA.pointee.bytes[0] != entryB.pointee.bytes[0] {
        return entryA.pointee.bytes[0] < entryB.pointee.bytes[0] ? -1 : 1
    }
    let difference = memcmp(entryA.pointee.bytes, entryB.pointee.bytes, min(countA, countB))
    return difference != 0 ? (difference < 0 ? -1 : 1) : order(countA, countB)
}

/// The order of two terms if it can be told without looking into elements; nil for two tuples, maps, conses or funs
/// that agree so far. Not nil if one is immediate.
func compareFlat(_ a: Term, _ b: Term, _ exact: Bool) -> Int? {
    if a.isAtom, b.isAtom { return compareAtoms(a, b) }
    let rank = kindRank(a)
    let rankB = kindRank(b)
    if rank != rankB { return rank < rankB ? -1 : 1 }
    switch rank {
    case 0: return compareNumbers(a, b, exact)
    case 1: return compareAtoms(a, b)
    case 2: return compareReferences(a, b)
    case 3:
        let result = compareFunIdentity(a, b)
        return result != 0 || a.funFreeCount == 0 ? result : nil
    case 4: return comparePorts(a, b)
    case 5: return comparePids(a, b)
    case 6:
        let size = a.tupleSize
        let sizeB = b.tupleSize
        return size != sizeB ? order(size, sizeB) : size == 0 ? 0 : nil
    case 7:
        let size = a.pointer[1]
        let sizeB = b.pointer[1]
        return size != sizeB ? order(size, sizeB) : size == 0 ? 0 : nil
    case 8: return 0
    case 9: return nil
    default:
        let result = Bits.compare(Bits(a), Bits(b))
        return result < 0 ? -1 : result > 0 ? 1 : 0
    }
}

// MARK: - The walk

/// What an entry of the stack stands for.
private enum Entry {
    static let loose: UInt64 = 0
    static let exact: UInt64 = 1
    /// A search for the least key under way: the first word is its MapDifference.
    static let leastKey: UInt64 = 2
}

/// Entries of the stack: two addresses of words still to compare, and `count << 2 | Entry`.
private func walkCompare(_ first: Term, _ second: Term, _ firstExact: Bool, _ stack: inout WorkStack) -> Int {
    var a = first
    var b = second
    var exact = firstExact
    while true {
        var result = 0
        var arrayA = a.pointer
        var arrayB = b.pointer
        var count = 0
        var arrayExact = exact
        if a.isCons, b.isCons {
            while arrayA[0] == arrayB[0] {
                let tailA = Term(raw: arrayA[1])
                let tailB = Term(raw: arrayB[1])
                guard tailA.raw != tailB.raw, tailA.isCons, tailB.isCons else { break }
                arrayA = tailA.pointer
                arrayB = tailB.pointer
            }
            count = 2
        } else if let known = compareFlat(a, b, exact) {
            result = known
        } else {
            let header = a.header
            switch Header.subtag(header) {
            case Subtag.tuple:
                count = Header.words(header)
                arrayA += 1
                arrayB += 1
            case Subtag.fun:
                count = a.funFreeCount
                arrayA += Layout.funWords
                arrayB += Layout.funWords
            default:
                if Header.mapKind(header) == MapKind.flat {
                    arrayA += 3
                    arrayB += 3
                    let values = a.pointer[1] &<< 2 | (exact ? Entry.exact : Entry.loose)
                    stack.push(arrayA.address, arrayB.address, values)
                    arrayA -= 1
                    arrayB -= 1
                    count = 1
                    arrayExact = true
                } else {
                    let search = MapDifference.make(a, b, exact: exact).address
                    stack.push(search, search, Entry.leastKey)
                }
            }
        }
        // Settle `result`, or find the next pair that may differ.
        while true {
            if result == 0 {
                while count > 0, arrayA[0] == arrayB[0] {
                    arrayA += 1
                    arrayB += 1
                    count = count &- 1
                }
                if count > 0 {
                    a = Term(raw: arrayA[0])
                    b = Term(raw: arrayB[0])
                    guard a.raw & b.raw & 15 == 15 else { break }
                    result = Int64(bitPattern: a.raw) < Int64(bitPattern: b.raw) ? -1 : 1
                }
            }
            // Here either the array is done or a difference is known, which ends everything up to the innermost
            // search for a key.
            if stack.isEmpty { return result }
            let (addressA, addressB, rest) = stack.pop()
            if rest & 3 == Entry.leastKey {
                switch MapDifference.step(addressA, result) {
                case .keys(let keyA, let keyB):
                    stack.push(addressA, addressA, Entry.leastKey)
                    arrayA = keyA
                    arrayB = keyB
                    count = 1
                    arrayExact = true
                    result = 0
                case .values(let valueA, let valueB, let valuesExact):
                    arrayA = valueA
                    arrayB = valueB
                    count = 1
                    arrayExact = valuesExact
                    result = 0
                case .done(let known):
                    count = 0
                    result = known
                }
            } else if result == 0 {
                arrayA = wordsAt(addressA)
                arrayB = wordsAt(addressB)
                count = Int(truncatingIfNeeded: rest &>> 2)
                arrayExact = rest & 3 == Entry.exact
            }
        }
        if count > 1 {
            let rest = UInt64(truncatingIfNeeded: count &- 1) &<< 2
            stack.push((arrayA + 1).address, (arrayB + 1).address, rest | (arrayExact ? Entry.exact : Entry.loose))
        }
        exact = arrayExact
    }
}
