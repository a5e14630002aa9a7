// Pace.swift: how the loops of native functions give way. A loop counts its work and asks `goesOn` in every round. On a
// fiber (CMachine/Fiber.h) that pauses when the reductions are used up; elsewhere it says no once the work exceeds a
// limit, and the native function then starts again on a fiber.

import CMachine

public struct Pace {
    /// Work up to which nobody needs to look.
    @usableFromInline var next: Int
    private var charged = 0
    private let unit: Int
    private let limit: Int
    /// The loop was stopped: what it made so far is of no use.
    public private(set) var isStopped = false

    /// `unit`: work of one reduction.
    @inlinable public init(unit: Int, reductions: Int = 1000) {
        self.init(unit: unit, limit: unit &* reductions, next: unit &* 128)
    }

    @usableFromInline init(unit: Int, limit: Int, next: Int) {
        self.unit = unit
        self.limit = limit
        self.next = next
    }

    /// For those who cannot start again: never stops, but on a fiber pauses.
    public static var endless: Pace { Pace(unit: 64, limit: .max, next: 64 * 128) }

    /// For those who hold a lock.
    public static var none: Pace { Pace(unit: 1, limit: .max, next: .max) }

    /// `work` so far. False: stop, the result is not wanted.
    @inline(__always) @inlinable public mutating func goesOn(_ work: Int) -> Bool { work < next || look(work) }

    /// Whether one piece of `work` at once is not too long; on a fiber it always is allowed, and pauses by itself.
    public mutating func allows(_ work: Int) -> Bool {
        if work < limit || vm_on_fiber() { return !isStopped }
        isStopped = true
        next = .min
        return false
    }

    @inline(never) @usableFromInline mutating func look(_ work: Int) -> Bool {
        if isStopped { return false }
        if vm_on_fiber() {
            isStopped = !vm_breathe(Int64((work &- charged) / unit))
            charged = work
            next = work &+ unit &* 128
        } else {
            isStopped = work >= limit
            next = limit
        }
        if isStopped { next = .min }
        return !isStopped
    }
}
