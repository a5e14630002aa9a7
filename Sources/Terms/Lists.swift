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

/// The same at a pace; -2 when that stopped it.
public func listLength(_ list: Term, _ pace: inout Pace) -> Int {
    var count = 0
    var rest = list
    while rest.isCons {
        count &+= 1
        rest = rest.tail
        guard pace.goesOn(count) else { return -2 }
    }
    return rest.isNil ? count : -1
}

/// Cells copied between two pauses on a fiber, and their price.
private let cellsPerBreath = 4096
private let breathPrice: Int64 = 4096 / 24

extension UnsafeMutablePointer where Pointee == Heap {
    /// How many cells may be made at the top of the heap without a look at the reductions, for `limit` in all.
    private func cellsAtTop(_ limit: Int) -> Int {
        guard let top = pointee.top, let end = pointee.limit, !vm_on_fiber() else { return 0 }
        return Swift.min(limit, (end - top) / 2)
    }

    /// A list and then `tail` in one pass, and the number of its elements. Nil, and nothing is taken, where the heap has no
    /// room for so many, there are more than `limit`, or it is no proper list.
    public func copyShortList(_ list: Term, limit: Int, tail: Term) -> (list: Term, count: Int)? {
        let room = cellsAtTop(limit)
        guard room > 0, list.isCons, let cells = pointee.top else { return nil }
        var cell = cells
        var rest = list
        let end = cells + 2 * room
        while rest.isCons {
            guard cell < end else { return nil }
            cell[0] = rest.head.raw
            cell[1] = Term.cons(cell + 2).raw
            cell += 2
            rest = rest.tail
        }
        guard rest.isNil else { return nil }
        cell[-1] = tail.raw
        pointee.top = cell
        return (.cons(cells), (cell - cells) / 2)
    }

    /// The same for the list in reverse.
    public func reverseShortList(_ list: Term, limit: Int, tail: Term) -> (list: Term, count: Int)? {
        let room = cellsAtTop(limit)
        guard room > 0, let cells = pointee.top else { return nil }
        var cell = cells
        var rest = list
        var result = tail
        let end = cells + 2 * room
        while rest.isCons {
            guard cell < end else { return nil }
            cell[0] = rest.head.raw
            cell[1] = result.raw
            result = .cons(cell)
            cell += 2
            rest = rest.tail
        }
        guard rest.isNil else { return nil }
        pointee.top = cell
        return (result, (cell - cells) / 2)
    }

    /// The first `count` elements of `list`, then `tail`. Requires: `list` has them. Pauses on a fiber.
    public func copyList(_ list: Term, count: Int, tail: Term) -> Term {
        guard count > 0 else { return tail }
        let cells = allocate(2 * count)
        var cell = cells
        var rest = list
        for index in 0..<count {
            if index & (cellsPerBreath - 1) == 0, index > 0, !vm_breathe(breathPrice) { return .nil }
            cell[0] = rest.head.raw
            cell[1] = Term.cons(cell + 2).raw
            cell += 2
            rest = rest.tail
        }
        cell[-1] = tail.raw
        return .cons(cells)
    }

    /// The first `count` elements of `list` in reverse, then `tail`. Requires: `list` has them. Pauses on a fiber.
    public func reverseList(_ list: Term, count: Int, tail: Term) -> Term {
        guard count > 0 else { return tail }
        var cell = allocate(2 * count)
        var rest = list
        var result = tail
        for index in 0..<count {
            if index & (cellsPerBreath - 1) == 0, index > 0, !vm_breathe(breathPrice) { return .nil }
            cell[0] = rest.head.raw
            cell[1] = result.raw
            result = .cons(cell)
            cell += 2
            rest = rest.tail
        }
        return result
    }
}
