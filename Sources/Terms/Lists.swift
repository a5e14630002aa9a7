// Lists.swift: walking and making lists of any length.

public import CMachine

/// Number of elements of a proper list; -1 for anything else.
@inlinable public func listLength(_ list: Term) -> Int {
    var count = 0
    var rest = list
    while rest.isCons {
        count &+= 1
        rest = rest.tail
    }
    return rest.isNil ? count : -1
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// The first `count` elements of `list`, then `tail`. Requires: `list` has them.
    public func copyList(_ list: Term, count: Int, tail: Term) -> Term {
        guard count > 0 else { return tail }
        let cells = allocate(2 * count)
        var cell = cells
        var rest = list
        for _ in 0..<count {
            cell[0] = rest.head.raw
            cell[1] = Term.cons(cell + 2).raw
            cell += 2
            rest = rest.tail
        }
        cell[-1] = tail.raw
        return .cons(cells)
    }

    /// The first `count` elements of `list` in reverse, then `tail`. Requires: `list` has them.
    public func reverseList(_ list: Term, count: Int, tail: Term) -> Term {
        guard count > 0 else { return tail }
        var cell = allocate(2 * count)
        var rest = list
        var result = tail
        for _ in 0..<count {
            cell[0] = rest.head.raw
            cell[1] = result.raw
            result = .cons(cell)
            cell += 2
            rest = rest.tail
        }
        return result
    }
}
