// TimerWheel.swift: a hierarchical timer wheel: adding and removing take constant time. One per scheduler; every function
// requires the wheel's lock unless it says otherwise.
//
// Time runs in ticks of 1 ms. A node lies on the level of the highest base-64 digit in which its deadline differs from
// `elapsed`, in the slot of that digit. When `elapsed` reaches the start of a slot, its nodes fire (level 0) or move
// down. A slot keeps the order of insertion, so timers of one tick fire in the order in which they were set.

import CMachine
import Terms

/// What a node belongs to; TimerNode.kind.
enum TimerKind {
    /// The receive timeout of the process it is embedded in.
    static let receive: UInt32 = 0
    /// The head of a ReferenceTimer.
    static let reference: UInt32 = 1
}

extension UnsafeMutablePointer where Pointee == TimerWheel {
    private static var far: UInt64 { 1 << 48 - 1 }

    func initializeWheel(index: Int, now: UInt64) {
        pointee.index = UInt32(index)
        pointee.elapsed = now
        pointee.next = UInt64.max
    }

    // MARK: Slots

    @inline(__always) private var first: Ref<Ref<TimerNode>?> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<TimerWheel>.offset(of: \.first)!)
            .assumingMemoryBound(to: Ref<TimerNode>?.self)
    }
    @inline(__always) private var last: Ref<Ref<TimerNode>?> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<TimerWheel>.offset(of: \.last)!)
            .assumingMemoryBound(to: Ref<TimerNode>?.self)
    }
    @inline(__always) private var occupied: Words {
        (UnsafeMutableRawPointer(self) + MemoryLayout<TimerWheel>.offset(of: \.occupied)!)
            .assumingMemoryBound(to: UInt64.self)
    }

    /// Adds a node with its deadline set. A deadline that has passed fires with the next advance.
    func add(_ node: Ref<TimerNode>) {
        node.pointee.wheel = self
        node.pointee.isLinked = 1
        place(node)
        pointee.count &+= 1
        updateNext()
    }

    private func place(_ node: Ref<TimerNode>) {
        let elapsed = pointee.elapsed
        // What is due now goes to the next tick's slot; what is beyond the horizon is looked at again there.
        var deadline = node.pointee.deadline
        if deadline <= elapsed { deadline = elapsed &+ 1 }
        if deadline &- elapsed > Self.far { deadline = elapsed &+ Self.far }
        var level = (63 &- (deadline ^ elapsed).leadingZeroBitCount) / 6
        if level >= timerLevels {
            // A carry ran through all levels: the last slot of the top level comes before it.
            level = timerLevels - 1
            deadline = elapsed | (1 << 48 - 1)
        }
        let digit = Int(deadline &>> UInt64(level &* 6) & 63)
        let slot = level &* 64 &+ digit
        node.pointee.slot = UInt64(slot)
        node.pointee.next = nil
        node.pointee.previous = last[slot]
        if let tail = last[slot] { tail.pointee.next = node } else { first[slot] = node }
        last[slot] = node
        occupied[level] |= 1 &<< UInt64(digit)
    }

    /// Takes a node out. Requires: isLinked.
    func remove(_ node: Ref<TimerNode>) {
        unlink(node)
        node.pointee.isLinked = 0
        pointee.count &-= 1
    }

    private func unlink(_ node: Ref<TimerNode>) {
        let slot = Int(node.pointee.slot)
        if let previous = node.pointee.previous {
            previous.pointee.next = node.pointee.next
        } else {
            first[slot] = node.pointee.next
        }
        if let next = node.pointee.next {
            next.pointee.previous = node.pointee.previous
        } else {
            last[slot] = node.pointee.previous
        }
        if first[slot] == nil { occupied[slot / 64] &= ~(1 &<< UInt64(slot % 64)) }
    }

    // MARK: Time

    /// The start of the next slot that has nodes, and where it is.
    private func nextSlot() -> (tick: UInt64, slot: Int)? {
        let elapsed = pointee.elapsed
        for level in 0..<timerLevels where occupied[level] != 0 {
            let shift = UInt64(level * 6)
            let current = elapsed &>> shift & 63
            // Nodes of a level lie in the digits behind the current one: those before it would differ in a higher digit.
            let ahead = occupied[level] & ~(UInt64.max &>> (63 &- current))
            guard ahead != 0 else { continue }
            let digit = UInt64(ahead.trailingZeroBitCount)
            let base = elapsed & ~((1 &<< (shift &+ 6)) &- 1)
            return (base | digit &<< shift, level * 64 + Int(digit))
        }
        return nil
    }

    private func updateNext() { vm_store_relaxed(&pointee.next, nextSlot()?.tick ?? UInt64.max) }

    /// Moves the time to `now` and calls `fire` for every node whose deadline has come; it is no longer linked then.
    func advance(to now: UInt64, _ fire: (Ref<TimerNode>) -> Void) {
        while let (tick, slot) = nextSlot(), tick <= now {
            pointee.elapsed = tick
            var node = first[slot]
            first[slot] = nil
            last[slot] = nil
            occupied[slot / 64] &= ~(1 &<< UInt64(slot % 64))
            while let current = node {
                node = current.pointee.next
                if current.pointee.deadline <= tick {
                    current.pointee.isLinked = 0
                    pointee.count &-= 1
                    fire(current)
                } else {
                    place(current)
                }
            }
        }
        if now > pointee.elapsed { pointee.elapsed = now }
        updateNext()
    }

    /// The tick up to which nothing happens; readable without the lock, as a hint.
    var nextTick: UInt64 { vm_load_relaxed(&pointee.next) }
}
