// TableRegistry.swift: finding tables, and the list of all of them.
//
// A reference holds a MagicBinary whose `data` is the table's record, null once the table is deleted. Names are found
// by atom index in an array as large as the atom table may become (address space only). Both reads take no lock; the
// record's lock is taken next, and then the record is compared with what was asked for, because it may have been
// deleted, renamed or reused in between.

import CMachine
import Glibc
import Machine
import Terms

/// What an operation needs of the table.
enum TableAccess {
    case read, write, information
}

/// How the table is locked for it.
enum TableLocking {
    /// Others may read.
    case shared
    /// Writes to single objects: exclusive, except that fine-locked tables lock stripes.
    case record
    case exclusive
}

/// A locked table. `process` is needed again to unlock: it tells which counter of readers was used.
struct LockedTable {
    let table: Ref<Table>
    let process: Ref<Process>
    var isExclusive: Bool

    @inline(__always) func unlock() {
        if isExclusive { table.lock.unlockExclusive() } else { table.lock.unlockShared(process) }
    }

    /// Turns a shared lock into an exclusive one; somebody may have come in between, so the table may be gone: false.
    mutating func makeExclusive() -> Bool {
        if isExclusive { return true }
        let magic = table.pointee.magic
        table.lock.unlockShared(process)
        table.lock.lockExclusive()
        isExclusive = true
        return magic != nil && table.pointee.magic == magic
    }
}

enum TableRegistry {
    /// Identity of the kind of magic reference a table has.
    nonisolated(unsafe) static var kindMark: UInt8 = 0
    /// Records by atom index; null until the first table is made. Entries: `lock` to write, acquire to read.
    nonisolated(unsafe) static var names: UnsafeMutablePointer<UInt64>?
    /// Protects writing `names`, the list of all tables, and the pools.
    nonisolated(unsafe) static var lock = Lock()
    nonisolated(unsafe) static var first: Ref<Table>?
    nonisolated(unsafe) static var last: Ref<Table>?
    nonisolated(unsafe) static var count = 0
    /// Dead records, linked by `next`; those with many counters of readers apart.
    nonisolated(unsafe) static var pool: (Ref<Table>?, Ref<Table>?) = (nil, nil)

    static var kind: UnsafeRawPointer {
        withUnsafeMutablePointer(to: &kindMark) { UnsafeRawPointer($0) }
    }

    /// Address space for the names. Requires: `lock`.
    static func makeNames() {
        guard names == nil else { return }
        let size = AtomTable.limit * 8
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { outOfMemory(size) }
        names = memory.assumingMemoryBound(to: UInt64.self)
    }

    /// A record for a new table, all fields as in a new one except the lock.
    static func takeRecord(manyReaders: Bool) -> Ref<Table> {
        vm_lock(&lock)
        makeNames()
        let pooled = manyReaders ? pool.1 : pool.0
        if let pooled {
            if manyReaders { pool.1 = pooled.pointee.next } else { pool.0 = pooled.pointee.next }
        }
        vm_unlock(&lock)
        if let pooled {
            pooled.pointee.next = nil
            return pooled
        }
        let record = Ref<Table>.allocate(capacity: 1)
        record.initialize(to: Table())
        record.lock.create(manyReaders: manyReaders)
        return record
    }

    /// Gives a dead record back. Requires: nothing but its lock is in use.
    static func giveBack(_ table: Ref<Table>) {
        vm_lock(&lock)
        if table.pointee.lock.slotMask != 0 {
            table.pointee.next = pool.1
            pool.1 = table
        } else {
            table.pointee.next = pool.0
            pool.0 = table
        }
        vm_unlock(&lock)
    }

    /// Enters a new table, under its name if it is a named one: false if the name is taken.
    static func enter(_ table: Ref<Table>) -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if table.isNamed, !bind(table.pointee.name, to: table) { return false }
        table.pointee.previous = last
        table.pointee.next = nil
        if let last { last.pointee.next = table } else { first = table }
        last = table
        count += 1
        return true
    }

    /// Takes a table out of the list and frees its name. Requires: the table is locked exclusively.
    static func remove(_ table: Ref<Table>) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if table.isNamed { unbind(table.pointee.name, from: table) }
        let next = table.pointee.next
        let previous = table.pointee.previous
        if let next { next.pointee.previous = previous } else { last = previous }
        if let previous { previous.pointee.next = next } else { first = next }
        table.pointee.next = nil
        table.pointee.previous = nil
        count -= 1
    }

    /// Requires: `lock`.
    private static func bind(_ name: Term, to table: Ref<Table>) -> Bool {
        let entry = names.unsafelyUnwrapped + name.atomIndex
        if entry.pointee != 0 { return false }
        vm_store_release(entry, UInt64(UInt(bitPattern: table)))
        return true
    }

    /// Requires: `lock`.
    private static func unbind(_ name: Term, from table: Ref<Table>) {
        let entry = names.unsafelyUnwrapped + name.atomIndex
        if entry.pointee == UInt64(UInt(bitPattern: table)) { vm_store_release(entry, 0) }
    }

    /// Gives a named table another name; false if it is taken. Requires: the table is locked exclusively.
    static func rename(_ table: Ref<Table>, to name: Term) -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        guard bind(name, to: table) else { return false }
        unbind(table.pointee.name, from: table)
        table.pointee.name = name
        return true
    }

    // MARK: Finding

    /// The record an identifier stands for at this moment, or why there is none: `type` or `id`.
    @inline(__always) static func find(_ identifier: Term, _ cause: inout Term) -> Ref<Table>? {
        if identifier.isAtom {
            cause = Atoms.id
            guard let names else { return nil }
            return Ref(bitPattern: UInt(vm_load_acquire(names + identifier.atomIndex)))
        }
        guard let magic = tableMagic(identifier) else {
            cause = Atoms.type
            return nil
        }
        cause = Atoms.id
        guard let data = vm_load_pointer(dataField(magic)) else { return nil }
        return Ref(mutating: data.assumingMemoryBound(to: Table.self))
    }

    /// The magic binary of a reference to a table, alive or not.
    @inline(__always) static func tableMagic(_ identifier: Term) -> Ref<MagicBinary>? {
        guard identifier.isBoxed(Subtag.magicReference) else { return nil }
        let magic = identifier.magicBinary
        return magic.pointee.kind == kind ? magic : nil
    }

    @inline(__always) static func dataField(_ magic: Ref<MagicBinary>) -> UnsafeMutablePointer<UnsafeRawPointer?> {
        (UnsafeMutableRawPointer(magic) + MemoryLayout<MagicBinary>.offset(of: \.data).unsafelyUnwrapped)
            .assumingMemoryBound(to: UnsafeRawPointer?.self)
    }

    /// Whether the locked record is what the identifier meant.
    @inline(__always) static func isStill(_ table: Ref<Table>, _ identifier: Term) -> Bool {
        if identifier.isAtom { return table.isNamed && table.pointee.name == identifier && table.pointee.magic != nil }
        return table.pointee.magic == identifier.magicBinary
    }

    /// Finds and locks a table; nil after it stored the exception in the process.
    @inline(__always)
    static func acquire(
        _ process: Ref<Process>, _ identifier: Term, _ access: TableAccess, _ locking: TableLocking
    ) -> LockedTable? {
        var cause = Term.none
        guard let locked = acquire(process, identifier, access, locking, &cause) else {
            _ = process.tableError(cause)
            return nil
        }
        return locked
    }

    /// The same, but tells the cause instead of raising.
    @inline(__always)
    static func acquire(
        _ process: Ref<Process>, _ identifier: Term, _ access: TableAccess, _ locking: TableLocking,
        _ cause: inout Term
    ) -> LockedTable? {
        while true {
            guard let table = find(identifier, &cause) else { return nil }
            let exclusive = locking == .exclusive || locking == .record && !table.isFineLocked
            if exclusive { table.lock.lockExclusive() } else { table.lock.lockShared(process) }
            let locked = LockedTable(table: table, process: process, isExclusive: exclusive)
            // A record reused for a table of another kind may have been locked too weakly: isStill is false then.
            guard isStill(table, identifier), exclusive || locking == .shared || table.isFineLocked else {
                locked.unlock()
                continue
            }
            let flags = table.pointee.flags
            let allowed: Bool
            switch access {
            case .read: allowed = flags & (TableFlags.isProtected | TableFlags.isPublic) != 0
            case .write: allowed = flags & TableFlags.isPublic != 0
            case .information: allowed = true
            }
            if allowed || table.pointee.owner == process.pointee.id || isSuperUser(process, access) { return locked }
            locked.unlock()
            cause = Atoms.access
            return nil
        }
    }

    /// Pid of the process that reads what it may not (erts_internal:ets_super_user/1), 0 = none; atomic.
    nonisolated(unsafe) static var superUser: UInt64 = 0

    @inline(never) private static func isSuperUser(_ process: Ref<Process>, _ access: TableAccess) -> Bool {
        vm_load_acquire(&superUser) == process.pointee.id.raw
    }
}

extension UnsafeMutablePointer where Pointee == Process {
    /// badarg with the `cause` that erl_stdlib_errors explains.
    @inline(never) func tableError(_ cause: Term) -> Term { raise(Atoms.badarg, cause: cause) }
}
