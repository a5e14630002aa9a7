// HashTable.swift: sets, bags and duplicate bags: linear hashing with chains.
//
// Buckets are split and joined one at a time and at the same counts as in OTP 25, and chains are kept in the same
// order, so tables with the same history are traversed in the same order wherever keys hash alike.
//
// Invariants: a bucket is touched only under its stripe (or the table held exclusively); objects of one key stand
// together in their chain, newest first; while the table is fixed no bucket moves and a deleted object that may be the
// last of its key stays in its chain, marked.

import CMachine
import Glibc
import Terms

/// A bucket: the first object of its chain, as a word.
typealias Bucket = Words

enum HashLimits {
    static let firstSegment = 256
    /// What OTP allocates at a time; its limits of growth follow from it.
    static let segment = 2048
    static let segmentLimit = 40
    static let stripes = 64
}

/// Hash of a key. Atoms hash by their text, so that their order is the same in every run.
@inline(__always) func tableHash(_ key: Term) -> UInt32 {
    key.isAtom ? AtomTable.entry(key).pointee.hash : internalHash(key)
}

extension UnsafeMutablePointer where Pointee == Table {
    /// Requires: a new record whose flags are set.
    func createHash() {
        let stripes = isFineLocked ? HashLimits.stripes : 1
        pointee.stripes = .allocate(capacity: stripes)
        pointee.stripes.initialize(repeating: Stripe(), count: stripes)
        pointee.stripeMask = UInt32(stripes - 1)
        pointee.segments = .allocate(capacity: HashLimits.segmentLimit)
        pointee.segments.initialize(repeating: nil, count: HashLimits.segmentLimit)
        pointee.segments[0] = newSegment(HashLimits.firstSegment)
        pointee.active = UInt64(HashLimits.firstSegment)
        pointee.slots = HashLimits.firstSegment
        pointee.shrinkLimit = 0
        pointee.resizing = 0
    }

    // MARK: Addressing

    @inline(__always) func bucket(_ index: Int) -> Bucket {
        if index < HashLimits.firstSegment { return pointee.segments[0].unsafelyUnwrapped + index }
        let segment = Int.bitWidth &- 8 &- index.leadingZeroBitCount
        let start = HashLimits.firstSegment &<< (segment &- 1)
        return pointee.segments[segment].unsafelyUnwrapped + (index &- start)
    }

    /// Mask that covers `active` buckets.
    @inline(__always) func bucketMask(_ active: Int) -> Int {
        (1 &<< (Int.bitWidth &- (active &- 1).leadingZeroBitCount)) &- 1
    }

    /// Requires: the stripe of the hash is locked.
    @inline(__always) func bucketIndex(_ hash: UInt32) -> Int {
        let active = Int(truncatingIfNeeded: vm_load_acquire(&pointee.active))
        let mask = bucketMask(active)
        let index = Int(hash) & mask
        return index >= active ? index & (mask &>> 1) : index
    }

    @inline(__always) func stripe(_ hash: UInt32) -> Ref<Stripe> {
        pointee.stripes + Int(hash & pointee.stripeMask)
    }

    @inline(__always) func lockStripe(_ stripe: Ref<Stripe>) {
        if pointee.stripeMask != 0 { vm_lock(&stripe.pointee.lock) }
    }
    @inline(__always) func unlockStripe(_ stripe: Ref<Stripe>) {
        if pointee.stripeMask != 0 { vm_unlock(&stripe.pointee.lock) }
    }

    /// Objects in the whole table, judged by one stripe.
    @inline(__always) func estimatedSize(_ stripe: Ref<Stripe>) -> Int {
        stripe.pointee.objects &* (Int(pointee.stripeMask) &+ 1)
    }

    @inline(__always) func hasKey(_ object: TableObject, _ key: Term, _ hash: UInt32) -> Bool {
        object.hash == hash && termsIdentical(object.key(pointee.keyPosition), key)
    }

    // MARK: Reading

    /// Runs `body` with the first live object of `key` and its chain locked.
    @inline(__always)
    func withHashObject<Result>(_ key: Term, _ body: (TableObject?) -> Result) -> Result {
        let hash = tableHash(key)
        let stripe = stripe(hash)
        lockStripe(stripe)
        defer { unlockStripe(stripe) }
        var current = TableObject(bucket(bucketIndex(hash)).pointee)
        while let object = current {
            if hasKey(object, key, hash), !object.isDeleted { return body(object) }
            current = object.next
        }
        return body(nil)
    }

    /// The objects with `key`, as a list, in the order they were inserted in.
    func hashLookup(_ key: Term, _ heap: Ref<Heap>) -> Term {
        withHashObject(key) { first in
            guard let first else { return .nil }
            return hashList(from: first, key, heap).list
        }
    }

    /// List of the objects of `key` from `first` on, and the first object behind them.
    private func hashList(from first: TableObject, _ key: Term, _ heap: Ref<Heap>) -> (list: Term, end: TableObject?) {
        var list = heap.cons(first.copy(to: heap), .nil)
        var current = first.next
        guard isBag else { return (list, current) }
        let hash = first.hash
        while let object = current, hasKey(object, key, hash) {
            if !object.isDeleted { list = heap.cons(object.copy(to: heap), list) }
            current = object.next
        }
        return (list, current)
    }

    /// `lookup_element`: the element, or in bags a list of them. Nil: no such key; none: the position is too large.
    func hashLookupElement(_ key: Term, _ position: Int, _ heap: Ref<Heap>) -> Term? {
        withHashObject(key) { first in
            guard let first else { return nil }
            guard isBag else {
                guard position <= first.tuple.tupleSize else { return Term.none }
                return copyOut(first.key(position), to: heap)
            }
            let hash = first.hash
            var current: TableObject? = first
            while let object = current, hasKey(object, key, hash) {
                if !object.isDeleted, position > object.tuple.tupleSize { return Term.none }
                current = object.next
            }
            var list = Term.nil
            current = first
            while let object = current, hasKey(object, key, hash) {
                if !object.isDeleted { list = heap.cons(copyOut(object.key(position), to: heap), list) }
                current = object.next
            }
            return list
        }
    }

    // MARK: Inserting

    enum InsertResult {
        case inserted
        /// `insert_new` met the key.
        case exists
    }

    /// Puts a finished object into the table, which owns it from now on. `onlyNew`: unless the key is there.
    func hashInsert(_ object: TableObject, onlyNew: Bool) -> InsertResult {
        let key = object.key(pointee.keyPosition)
        let hash = tableHash(key)
        object.hash = hash
        let stripe = stripe(hash)
        lockStripe(stripe)
        var link = bucket(bucketIndex(hash))
        while let found = TableObject(link.pointee) {
            if hasKey(found, key, hash) {
                if !isBag { return replace(object, link, found, stripe, onlyNew) }
                if onlyNew {
                    if hasLiveObject(from: found, key, hash) { return give(up: object, stripe, .exists) }
                } else if pointee.flags & TableFlags.bag != 0, let same = sameObject(object, link, key, hash) {
                    revive(same, link, stripe)
                    return give(up: object, stripe, .inserted)
                }
                break
            }
            link = found.base
        }
        object.next = TableObject(link.pointee)
        link.pointee = object.word
        stripe.pointee.objects &+= 1
        stripe.pointee.words &+= object.allocatedWords(inTree: false)
        let estimate = estimatedSize(stripe)
        unlockStripe(stripe)
        if estimate > Int(truncatingIfNeeded: pointee.active), !isFixed { grow(estimate) }
        return .inserted
    }

    private func give(up object: TableObject, _ stripe: Ref<Stripe>, _ result: InsertResult) -> InsertResult {
        unlockStripe(stripe)
        object.free(inTree: false)
        return result
    }

    private func replace(
        _ object: TableObject, _ link: Bucket, _ old: TableObject, _ stripe: Ref<Stripe>, _ onlyNew: Bool
    ) -> InsertResult {
        if old.isDeleted {
            stripe.pointee.objects &+= 1
        } else if onlyNew {
            return give(up: object, stripe, .exists)
        }
        object.next = old.next
        link.pointee = object.word
        stripe.pointee.words &+= object.words &- old.words
        unlockStripe(stripe)
        old.free(inTree: false)
        return .inserted
    }

    private func hasLiveObject(from first: TableObject, _ key: Term, _ hash: UInt32) -> Bool {
        var current: TableObject? = first
        while let object = current, hasKey(object, key, hash) {
            if !object.isDeleted { return true }
            current = object.next
        }
        return false
    }

    /// The link to an object identical to `object` among those of its key.
    private func sameObject(_ object: TableObject, _ first: Bucket, _ key: Term, _ hash: UInt32) -> Bucket? {
        var link = first
        while let other = TableObject(link.pointee), hasKey(other, key, hash) {
            if termsIdentical(other.tuple, object.tuple) { return link }
            link = other.base
        }
        return nil
    }

    /// Makes the object at `link` live again; it counts as inserted now, so it becomes the first of its key.
    private func revive(_ link: Bucket, _ first: Bucket, _ stripe: Ref<Stripe>) {
        let object = TableObject(link.pointee).unsafelyUnwrapped
        guard object.isDeleted else { return }
        object.isDeleted = false
        stripe.pointee.objects &+= 1
        guard link != first else { return }
        link.pointee = object.base[0]
        object.base[0] = first.pointee
        first.pointee = object.word
    }

    // MARK: Deleting

    /// Deletes the objects of `key`; with `object`, only those identical to it (of which a bag has one).
    func hashDelete(_ key: Term, identicalTo wanted: Term? = nil) {
        let hash = tableHash(key)
        let stripe = stripe(hash)
        lockStripe(stripe)
        var link = bucket(bucketIndex(hash))
        var freed: TableObject?
        var keys = 0
        var deleted = 0
        while let object = TableObject(link.pointee) {
            if hasKey(object, key, hash) {
                if !object.isDeleted {
                    keys += 1
                    if wanted == nil || termsIdentical(object.tuple, wanted.unsafelyUnwrapped) {
                        deleted += 1
                        let isLast = wanted != nil && pointee.flags & TableFlags.duplicateBag == 0
                        if !removeOrMark(object, link, stripe, keepOne: keys == 1, &freed) { link = object.base }
                        if isLast { break }
                        continue
                    }
                }
            } else if keys > 0 {
                break
            }
            link = object.base
        }
        finishDeletion(stripe, deleted, freed)
    }

    /// Takes the object out of its chain, or marks it if the table is fixed and it shall stay: false then.
    private func removeOrMark(
        _ object: TableObject, _ link: Bucket, _ stripe: Ref<Stripe>, keepOne: Bool, _ freed: inout TableObject?
    ) -> Bool {
        stripe.pointee.objects &-= 1
        if keepOne, isFixed {
            object.isDeleted = true
            rememberDeletion(object.hash, stripe)
            return false
        }
        link.pointee = object.base[0]
        stripe.pointee.words &-= object.allocatedWords(inTree: false)
        object.next = freed
        freed = object
        return true
    }

    private func finishDeletion(_ stripe: Ref<Stripe>, _ deleted: Int, _ freed: TableObject?) {
        let estimate = estimatedSize(stripe)
        unlockStripe(stripe)
        if deleted > 0, estimate < pointee.shrinkLimit, !isFixed { shrink(estimate) }
        freeChain(freed)
    }

    func freeChain(_ first: TableObject?) {
        var current = first
        while let object = current {
            current = object.next
            object.free(inTree: false)
        }
    }

    func hashTake(_ key: Term, _ heap: Ref<Heap>) -> Term {
        let hash = tableHash(key)
        let stripe = stripe(hash)
        lockStripe(stripe)
        var link = bucket(bucketIndex(hash))
        var freed: TableObject?
        var deleted = 0
        var list = Term.nil
        while let object = TableObject(link.pointee) {
            if hasKey(object, key, hash), !object.isDeleted {
                let found = hashList(from: object, key, heap)
                list = found.list
                while let taken = TableObject(link.pointee), taken != found.end {
                    if taken.isDeleted {
                        link = taken.base
                        continue
                    }
                    deleted += 1
                    if !removeOrMark(taken, link, stripe, keepOne: deleted == 1, &freed) { link = taken.base }
                }
                break
            }
            link = object.base
        }
        finishDeletion(stripe, deleted, freed)
        return list
    }

    // MARK: Fixation

    func rememberDeletion(_ hash: UInt32, _ stripe: Ref<Stripe>) {
        let deletion = Ref<Deletion>.allocate(capacity: 1)
        deletion.initialize(to: Deletion(next: stripe.pointee.deletions, hash: hash))
        stripe.pointee.deletions = deletion
    }

    /// Frees the marked objects, unless somebody fixed the table again. Called when the last fixation ended.
    func purgeDeletions() {
        for index in 0...Int(pointee.stripeMask) {
            let stripe = pointee.stripes + index
            lockStripe(stripe)
            while !isFixed, let deletion = stripe.pointee.deletions {
                stripe.pointee.deletions = deletion.pointee.next
                purge(deletion.pointee.hash, stripe)
                deletion.deallocate()
            }
            unlockStripe(stripe)
        }
    }

    private func purge(_ hash: UInt32, _ stripe: Ref<Stripe>) {
        var link = bucket(bucketIndex(hash))
        while let object = TableObject(link.pointee) {
            if object.isDeleted {
                link.pointee = object.base[0]
                stripe.pointee.words &-= object.allocatedWords(inTree: false)
                object.free(inTree: false)
            } else {
                link = object.base
            }
        }
    }

    var hasDeletions: Bool {
        if isOrdered { return false }
        for index in 0...Int(pointee.stripeMask) where pointee.stripes[index].deletions != nil { return true }
        return false
    }
}
