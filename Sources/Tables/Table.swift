// Table.swift: the record of one ETS table.
//
// Records are type-stable: a dead one is only reused for another table, its lock is never made anew. So a thread may
// find a record without any lock, take the record's lock and then check that it is still the table it looked for
// (TableRegistry.swift). What a field is protected by stands beside it; "table lock" means TableLock, taken exclusively
// to write.

import CMachine
import Glibc
import Terms

/// Properties of a table, bits of `Table.flags`.
enum TableFlags {
    static let isPrivate: UInt32 = 1
    static let isProtected: UInt32 = 2
    static let isPublic: UInt32 = 4
    static let protection: UInt32 = 7
    static let named: UInt32 = 8
    static let bag: UInt32 = 16
    static let duplicateBag: UInt32 = 32
    static let ordered: UInt32 = 64
    /// Writers of a hash table lock one stripe only.
    static let fineLocked: UInt32 = 128
    /// Made with {write_concurrency, true} or more, whatever that means for its locks.
    static let writeConcurrency: UInt32 = 256
    static let automaticLocks: UInt32 = 512
    static let readConcurrency: UInt32 = 1024
    static let compressed: UInt32 = 2048
    static let decentralizedCounters: UInt32 = 4096
    static let explicitLocks: UInt32 = 8192
    static let anyBag: UInt32 = bag | duplicateBag
}

/// A part of a hash table with its own lock and counts: the buckets whose index has the same low bits. Tables without
/// fine locking have one. Protected by its lock if the table is fine-locked and not held exclusively, else by the table
/// lock.
struct Stripe {
    var lock = Lock()
    var padding: UInt32 = 0
    var objects = 0
    var words = 0
    /// Hashes of objects that were marked deleted while the table was fixed.
    var deletions: Ref<Deletion>?
    var reserved: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
}

struct Deletion {
    var next: Ref<Deletion>?
    var hash: UInt32
}

/// How often one process has fixed one table. In the table's list (fixation lock) and in the list of the process
/// (OwnerIndex).
struct Fixation {
    var next: Ref<Fixation>?
    var nextOfProcess: Ref<Fixation>?
    var table: Ref<Table>
    var process: Term
    var count: Int
}

struct Table {
    var lock = TableLock()
    /// Table lock; a dead table has no magic and no protection bits.
    var flags: UInt32 = 0
    var keyPosition = 1
    var magic: Ref<MagicBinary>?  // table lock
    var name = Term.none  // table lock
    var owner = Term.none  // table lock
    var heir = Term.none  // table lock; a pid or `none`
    var heirData = Term.none  // table lock; lives in heirFragment if not immediate
    var heirFragments: Ref<Fragment>?

    // Lists: of the registry (registry lock), of the owner (lock of the owner's bucket).
    var next: Ref<Table>?
    var previous: Ref<Table>?
    var nextOwned: Ref<Table>?
    var previousOwned: Ref<Table>?

    /// Sum of the counts of `fixations` and of traversals under way; atomic.
    var fixCount: UInt64 = 0
    var fixations: Ref<Fixation>?  // fixation lock
    var fixationLock = Lock()
    var fixTime: Int64 = 0  // fixation lock: monotonic ns of the first of the present fixations
    var fixSystemTime: Int64 = 0

    // Hash tables
    var stripes: Ref<Stripe>! = nil
    var stripeMask: UInt32 = 0
    /// 1 while somebody splits or joins buckets; atomic.
    var resizing: UInt32 = 0
    /// Buckets in use; atomic, changed under the stripe of the bucket that is split or joined.
    var active: UInt64 = 0
    /// Segment 0 has 256 buckets, segment k has 256 << (k - 1).
    var segments: UnsafeMutablePointer<Words?>! = nil
    /// Buckets as OTP counts its allocated ones: the limits of growth follow from it. `resizing` or table lock.
    var slots = 0
    var shrinkLimit = 0

    // Trees
    var root: TableObject?  // table lock
    var treeObjects = 0
    var treeWords = 0
}

extension UnsafeMutablePointer where Pointee == Table {
    @inline(__always) var isOrdered: Bool { pointee.flags & TableFlags.ordered != 0 }
    @inline(__always) var isBag: Bool { pointee.flags & TableFlags.anyBag != 0 }
    @inline(__always) var isFineLocked: Bool { pointee.flags & TableFlags.fineLocked != 0 }
    @inline(__always) var isNamed: Bool { pointee.flags & TableFlags.named != 0 }
    @inline(__always) var isFixed: Bool { vm_load_acquire(&pointee.fixCount) != 0 }
    @inline(__always) var lock: Ref<TableLock> { UnsafeMutableRawPointer(self).assumingMemoryBound(to: TableLock.self) }

    /// Objects in the table: exact when nobody writes.
    var size: Int {
        if isOrdered { return pointee.treeObjects }
        var sum = 0
        for index in 0...Int(pointee.stripeMask) { sum &+= pointee.stripes[index].objects }
        return sum
    }

    /// Words of memory: the record, buckets and objects.
    var memoryWords: Int {
        let record = (MemoryLayout<Table>.size + MemoryLayout<TableLock>.size) / 8
        if isOrdered { return record + pointee.treeWords }
        var sum = record + (Int(pointee.stripeMask) + 1) * MemoryLayout<Stripe>.size / 8 + pointee.slots
        for index in 0...Int(pointee.stripeMask) { sum &+= pointee.stripes[index].words }
        return sum
    }

    /// The identifier of the table as a term: its name or its reference.
    func identifier(_ heap: Ref<Heap>) -> Term { isNamed ? pointee.name : reference(heap) }

    /// Requires: the table is locked and alive.
    func reference(_ heap: Ref<Heap>) -> Term {
        let magic = pointee.magic.unsafelyUnwrapped
        UnsafeMutableRawPointer(magic).assumingMemoryBound(to: Binary.self).retain()
        return heap.makeMagicReference(magic)
    }
}
