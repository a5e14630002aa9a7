// Subtract.swift: `--`. Every element of the right side removes its first occurrence on the left. Short right sides are
// searched one by one; long ones become a table of elements with counts, so that the work stays linear.

import CMachine
import Glibc
internal import Machine
import Terms

let subtractBifs: [Bif] = [
    Bif("erlang", "--", 2, erlang_subtract_2),
    Bif("erlang", "subtract", 2, erlang_subtract_2),
]

func erlang_subtract_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var pace = Pace(unit: 100)
    let left = listLength(arguments[0], &pace)
    guard !pace.isStopped else { return process.giveWay(arguments) }
    let right = left < 0 ? 0 : listLength(arguments[1], &pace)
    guard left >= 0, right >= 0 else { return pace.isStopped ? process.giveWay(arguments) : process.badarg() }
    process.bump((left &+ right) / 32)
    if left == 0 || right == 0 { return arguments[0] }
    // Searching costs at most left * right comparisons.
    let isShort = right <= 16 || left <= 4
    if process.isLong(isShort ? left &* min(right, 16) / 16 : (left &+ right) / 16) { return process.goLong(arguments) }
    process.bump(isShort ? left &* min(right, 16) / 16 : (left &+ right) / 16)
    if isShort { return subtractShort(process.heap, arguments[0], left, arguments[1], right) }
    var table = Multiset(arguments[1], count: right)
    defer { table.release() }
    return subtract(process.heap, arguments[0], left, right) { table.remove($0) }
}

private func subtractShort(_ heap: Ref<Heap>, _ list: Term, _ left: Int, _ other: Term, _ right: Int) -> Term {
    withUnsafeTemporaryAllocation(of: Term.self, capacity: right) { elements in
        var rest = other
        for index in 0..<right {
            elements[index] = rest.head
            rest = rest.tail
        }
        var count = right
        return subtract(heap, list, left, right) { element in
            for index in 0..<count where isSameKey(elements[index], element) {
                count &-= 1
                elements[index] = elements[count]
                return true
            }
            return false
        }
    }
}

/// The elements of `list` that `take` does not take. When all of the right side is used up, the rest is shared.
@inline(__always)
private func subtract(
    _ heap: Ref<Heap>, _ list: Term, _ left: Int, _ right: Int, _ take: (Term) -> Bool
) -> Term {
    var rest = list
    var remaining = right
    var result = Term.nil
    var last: Words? = nil
    var count = 0
    while rest.isCons && remaining > 0 {
        let element = rest.head
        count &+= 1
        if count & 1023 == 0, !vm_breathe(128) { break }
        if take(element) {
            remaining &-= 1
        } else {
            let cell = heap.cons(element, .nil)
            if let last { last[1] = cell.raw } else { result = cell }
            last = cell.pointer
        }
        rest = rest.tail
    }
    if let last { last[1] = rest.raw } else { result = rest }
    return result
}

/// Elements with how often they occur: open addressing, by internal hash.
private struct Multiset {
    private struct Slot {
        var element: Term
        var hash: UInt32
        var count: UInt32
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let mask: Int

    /// Requires: `list` has `count` elements, count > 0.
    init(_ list: Term, count: Int) {
        let capacity = 1 << (Int.bitWidth - (2 * count - 1).leadingZeroBitCount)
        mask = capacity - 1
        guard let memory = calloc(capacity, MemoryLayout<Slot>.stride) else { outOfMemory(capacity * 16) }
        slots = memory.bindMemory(to: Slot.self, capacity: capacity)
        var rest = list
        var seen = 0
        while rest.isCons {
            seen &+= 1
            if seen & 1023 == 0, !vm_breathe(128) { break }
            let hash = internalHash(rest.head)
            let slot = find(rest.head, hash)
            if slots[slot].element.isNone { slots[slot] = Slot(element: rest.head, hash: hash, count: 0) }
            slots[slot].count &+= 1
            rest = rest.tail
        }
    }

    /// The slot of `element`, or the free one where it belongs.
    private func find(_ element: Term, _ hash: UInt32) -> Int {
        var slot = Int(hash) & mask
        while !slots[slot].element.isNone {
            if slots[slot].hash == hash && isSameKey(slots[slot].element, element) { break }
            slot = (slot &+ 1) & mask
        }
        return slot
    }

    /// Takes one occurrence away; false if there is none.
    mutating func remove(_ element: Term) -> Bool {
        let slot = find(element, internalHash(element))
        guard slots[slot].count > 0 else { return false }
        slots[slot].count &-= 1
        return true
    }

    func release() { free(slots) }
}
