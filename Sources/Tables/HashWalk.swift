// HashWalk.swift: going through the buckets of a hash table, with one stripe locked at a time.
//
// The order is OTP's: all buckets of a stripe, then those of the next. Between two calls of native functions a walk is
// remembered by its bucket index alone; the table is fixed meanwhile if nothing may be missed.

import CMachine
import Terms

struct HashWalk {
    let table: Ref<Table>
    /// Bucket the walk stands in; its stripe is locked unless `isDone`.
    private(set) var index: Int
    private(set) var isDone = false

    /// Starts in bucket `index`. If the table has no such bucket any more, the walk is done.
    init(_ table: Ref<Table>, at index: Int) {
        self.table = table
        self.index = index
        table.lockStripe(table.stripe(UInt32(truncatingIfNeeded: index)))
        if index >= Int(vm_load_acquire(&table.pointee.active)) { stop() }
    }

    /// Goes on in the bucket of a key's hash.
    init(_ table: Ref<Table>, hash: UInt32) {
        self.table = table
        table.lockStripe(table.stripe(hash))
        self.index = table.bucketIndex(hash)
    }

    var bucket: Bucket { table.bucket(index) }

    /// Moves to the next bucket; at the end nothing is locked any more.
    mutating func advance() {
        let mask = Int(table.pointee.stripeMask)
        index &+= mask &+ 1
        if index < Int(truncatingIfNeeded: vm_load_acquire(&table.pointee.active)) { return }
        table.unlockStripe(table.stripe(UInt32(truncatingIfNeeded: index & mask)))
        index = (index &+ 1) & mask
        if index == 0 {
            isDone = true
        } else {
            table.lockStripe(table.stripe(UInt32(truncatingIfNeeded: index)))
        }
    }

    /// Lets go of the stripe.
    mutating func stop() {
        if isDone { return }
        table.unlockStripe(table.stripe(UInt32(truncatingIfNeeded: index)))
        isDone = true
    }

    /// The first live object from `object` on, or in a later bucket.
    mutating func live(from object: TableObject?) -> TableObject? {
        var current = object
        while true {
            while let object = current {
                if !object.isDeleted { return object }
                current = object.next
            }
            advance()
            if isDone { return nil }
            current = TableObject(bucket.pointee)
        }
    }
}

extension UnsafeMutablePointer where Pointee == Table {
    func hashFirstKey(_ heap: Ref<Heap>) -> Term {
        var walk = HashWalk(self, at: 0)
        guard let object = walk.live(from: TableObject(walk.bucket.pointee)) else { return Atoms.endOfTable }
        let key = copyOut(object.key(pointee.keyPosition), to: heap)
        walk.stop()
        return key
    }

    /// The key after `key`; nil if the table has no such key, not even as a marked object.
    func hashNextKey(_ key: Term, _ heap: Ref<Heap>) -> Term? {
        let hash = tableHash(key)
        var walk = HashWalk(self, hash: hash)
        var current = TableObject(walk.bucket.pointee)
        while let object = current, !hasKey(object, key, hash) { current = object.next }
        guard let found = current else {
            walk.stop()
            return nil
        }
        var next = walk.live(from: found.next)
        while isBag, let object = next, hasKey(object, key, hash) { next = walk.live(from: object.next) }
        guard let next else { return Atoms.endOfTable }
        let result = copyOut(next.key(pointee.keyPosition), to: heap)
        walk.stop()
        return result
    }

    /// Objects of bucket `slot`; end_of_table behind the last one, nil beyond.
    func hashSlot(_ slot: Int, _ heap: Ref<Heap>) -> Term? {
        let active = Int(vm_load_acquire(&pointee.active))
        if slot > active { return nil }
        if slot == active { return Atoms.endOfTable }
        var walk = HashWalk(self, at: slot)
        if walk.isDone { return Atoms.endOfTable }
        var list = Term.nil
        var current = TableObject(walk.bucket.pointee)
        while let object = current {
            if !object.isDeleted { list = heap.cons(object.copy(to: heap), list) }
            current = object.next
        }
        walk.stop()
        return list
    }
}
