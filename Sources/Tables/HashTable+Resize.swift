// HashTable+Resize.swift: growing and shrinking a hash table a few buckets at a time, and emptying it.
//
// Only one thread resizes (`resizing`). A bucket and the one it is split into or joined with have the same low bits and
// so the same stripe, which is held while both change and `active` moves; readers of other stripes find the same
// bucket before and after.

import CMachine
import Glibc
import Terms

func newSegment(_ buckets: Int) -> Words {
    guard let memory = calloc(buckets, 8) else { outOfMemory(buckets * 8) }
    return memory.assumingMemoryBound(to: UInt64.self)
}

extension UnsafeMutablePointer where Pointee == Table {
    private func beginResizing() -> Bool {
        !isFineLocked || vm_compare_exchange32(&pointee.resizing, 0, 1) == 0
    }

    private func endResizing() {
        if isFineLocked { vm_store_release32(&pointee.resizing, 0) }
    }

    /// Splits up to five buckets, if the table has more objects than buckets.
    @inline(never) func grow(_ objects: Int) {
        guard beginResizing() else { return }
        defer { endResizing() }
        var rounds = 5
        while rounds > 0, objects > Int(pointee.active) {
            rounds -= 1
            let active = Int(pointee.active)
            if active == pointee.slots { addSegment(active) }
            let mask = bucketMask(active + 1)
            let from = active & (mask >> 1)
            let stripe = stripe(UInt32(truncatingIfNeeded: from))
            lockStripe(stripe)
            if isFixed {
                unlockStripe(stripe)
                return
            }
            vm_store_release(&pointee.active, UInt64(active + 1))
            split(from, mask, stripe)
            unlockStripe(stripe)
        }
    }

    private func addSegment(_ active: Int) {
        pointee.slots += HashLimits.segment
        setShrinkLimit()
        var index = 1
        var end = HashLimits.firstSegment
        while end < pointee.slots {
            if pointee.segments[index] == nil { pointee.segments[index] = newSegment(end) }
            index += 1
            end *= 2
        }
    }

    private func setShrinkLimit() {
        let enough = pointee.slots >= HashLimits.firstSegment + 2 * HashLimits.segment
        let sampled = pointee.stripeMask == 0 || pointee.slots >= 100 * HashLimits.stripes
        pointee.shrinkLimit = enough && sampled ? (pointee.slots - HashLimits.segment) / 2 : 0
    }

    /// Divides the chain of bucket `from` by the mask's highest bit; both parts keep their order.
    private func split(_ from: Int, _ mask: Int, _ stripe: Ref<Stripe>) {
        let high = UInt32(truncatingIfNeeded: mask ^ (mask >> 1))
        var stay = bucket(from)
        var move = bucket(from | Int(high))
        var current = TableObject(stay.pointee)
        while let object = current {
            current = object.next
            if object.isDeleted {
                stripe.pointee.words &-= object.allocatedWords(inTree: false)
                object.free(inTree: false)
            } else if object.hash & high != 0 {
                move.pointee = object.word
                move = object.base
            } else {
                stay.pointee = object.word
                stay = object.base
            }
        }
        stay.pointee = 0
        move.pointee = 0
    }

    /// Joins up to five buckets with those they were split from.
    @inline(never) func shrink(_ objects: Int) {
        guard beginResizing() else { return }
        defer { endResizing() }
        var rounds = 5
        while rounds > 0, objects < pointee.shrinkLimit {
            rounds -= 1
            let source = Int(pointee.active) - 1
            guard source >= HashLimits.firstSegment else { return }
            let target = source & (bucketMask(source + 1) >> 1)
            let stripe = stripe(UInt32(truncatingIfNeeded: target))
            lockStripe(stripe)
            if isFixed {
                unlockStripe(stripe)
                return
            }
            join(source, target)
            vm_store_release(&pointee.active, UInt64(source))
            unlockStripe(stripe)
            if pointee.slots - source >= HashLimits.segment { removeSegment(source) }
        }
    }

    private func join(_ source: Int, _ target: Int) {
        let last = bucket(target)
        let old = last.pointee
        last.pointee = bucket(source).pointee
        bucket(source).pointee = 0
        var link = last
        while let object = TableObject(link.pointee) { link = object.base }
        link.pointee = old
    }

    /// Requires: buckets from `active` on are empty and nobody can reach them.
    private func removeSegment(_ active: Int) {
        pointee.slots -= HashLimits.segment
        setShrinkLimit()
        var index = 1
        var start = HashLimits.firstSegment
        while index < HashLimits.segmentLimit {
            if start >= pointee.slots, let segment = pointee.segments[index] {
                pointee.segments[index] = nil
                Glibc.free(segment)
            }
            index += 1
            start *= 2
        }
    }

    // MARK: Emptying

    /// Frees the objects of up to about `limit` buckets from `index` on; answers where to go on, or nil at the end.
    /// Requires: the table is held exclusively or unreachable.
    func freeBuckets(from index: Int, limit: Int) -> Int? {
        let active = Int(pointee.active)
        let end = Swift.min(active, index + limit)
        var position = index
        while position < end {
            let bucket = bucket(position)
            freeChain(TableObject(bucket.pointee))
            bucket.pointee = 0
            position += 1
        }
        return end == active ? nil : end
    }

    /// Empties the table; the result owns what was in it. Requires: exclusive, and not fixed unless it is ordered.
    func takeContents() -> Table {
        var contents = Table()
        contents.flags = pointee.flags
        if isOrdered {
            contents.root = pointee.root
            pointee.root = nil
            pointee.treeObjects = 0
            pointee.treeWords = 0
            return contents
        }
        contents.segments = pointee.segments
        contents.active = pointee.active
        pointee.segments = .allocate(capacity: HashLimits.segmentLimit)
        pointee.segments.initialize(repeating: nil, count: HashLimits.segmentLimit)
        pointee.segments[0] = newSegment(HashLimits.firstSegment)
        pointee.active = UInt64(HashLimits.firstSegment)
        pointee.slots = HashLimits.firstSegment
        pointee.shrinkLimit = 0
        forgetDeletions()
        for index in 0...Int(pointee.stripeMask) {
            pointee.stripes[index].words = 0
            pointee.stripes[index].objects = 0
        }
        return contents
    }

    /// Frees what `takeContents` gave. Pauses on a fiber.
    func freeContents() {
        if isOrdered {
            while !freeTree(limit: 1000) { _ = vm_breathe(100) }
            return
        }
        var position: Int? = 0
        while let index = position {
            position = freeBuckets(from: index, limit: 1000)
            _ = vm_breathe(100)
        }
        freeSegments()
        pointee.segments.deallocate()
    }

    /// Marks all objects of a fixed table deleted. Requires: exclusive.
    func markAllDeleted() {
        for position in 0..<Int(pointee.active) {
            var current = TableObject(bucket(position).pointee)
            guard let first = current else { continue }
            while let object = current {
                object.isDeleted = true
                current = object.next
            }
            let stripe = stripe(first.hash)
            let deletion = Ref<Deletion>.allocate(capacity: 1)
            deletion.initialize(to: Deletion(next: stripe.pointee.deletions, hash: first.hash))
            stripe.pointee.deletions = deletion
        }
        for index in 0...Int(pointee.stripeMask) { pointee.stripes[index].objects = 0 }
    }

    func forgetDeletions() {
        for index in 0...Int(pointee.stripeMask) {
            while let deletion = pointee.stripes[index].deletions {
                pointee.stripes[index].deletions = deletion.pointee.next
                deletion.deallocate()
            }
        }
    }

    private func freeSegments() {
        for index in 0..<HashLimits.segmentLimit {
            if let segment = pointee.segments[index] { Glibc.free(segment) }
            pointee.segments[index] = nil
        }
    }

    /// Frees everything but the record. Requires: unreachable, and the buckets are empty.
    func destroyHash() {
        forgetDeletions()
        freeSegments()
        pointee.segments.deallocate()
        pointee.segments = nil
        pointee.stripes.deallocate()
        pointee.stripes = nil
    }
}
