// TableNew.swift: making tables and changing what they are: new, delete, rename, give_away, setopts, whereis.

import CMachine
import Machine
import Terms

let tableLifeBifs: [Bif] = [
    Bif("ets", "new", 2, ets_new_2),
    Bif("ets", "delete", 1, ets_delete_1),
    Bif("ets", "rename", 2, ets_rename_2),
    Bif("ets", "give_away", 3, ets_give_away_3),
    Bif("ets", "setopts", 2, ets_setopts_2),
    Bif("ets", "whereis", 1, ets_whereis_1),
    Bif("ets", "safe_fixtable", 2, ets_safe_fixtable_2),
]

/// Options of `ets:new/2`.
private struct TableOptions {
    var flags = TableFlags.isProtected
    var keyPosition = 1
    var heir = Atoms.none
    var heirData = Atoms.undefined
    var concurrentWrites = false
    var automatic = false
    var explicitLocks = false
    var decentralized = false
    var decentralizedOption: Bool?
    var manyReaders = false

    private static let kinds = TableFlags.anyBag | TableFlags.ordered

    /// Takes one option; false if it is none.
    mutating func take(_ option: Term) -> Bool {
        if option.isTuple(2) { return take(option.element(0), option.element(1)) }
        if option.isTuple(3) {
            guard option.element(0) == Atoms.heir, option.element(1).isLocalPid else { return false }
            heir = option.element(1)
            heirData = option.element(2)
            return true
        }
        switch option {
        case Atoms.bag: setKind(TableFlags.bag)
        case Atoms.duplicate_bag: setKind(TableFlags.duplicateBag)
        case Atoms.ordered_set:
            setKind(TableFlags.ordered)
            decentralized = true
        case Atoms.public: setProtection(TableFlags.isPublic)
        case Atoms.private: setProtection(TableFlags.isPrivate)
        case Atoms.named_table: flags |= TableFlags.named
        case Atoms.compressed: flags |= TableFlags.compressed
        // As in OTP, these two do not undo what an earlier option said.
        case Atoms.set, Atoms.protected: break
        default: return false
        }
        return true
    }

    private mutating func setKind(_ kind: UInt32) { flags = flags & ~TableOptions.kinds | kind }
    private mutating func setProtection(_ bits: UInt32) { flags = flags & ~TableFlags.protection | bits }

    private mutating func take(_ name: Term, _ value: Term) -> Bool {
        switch name {
        case Atoms.keypos:
            guard value.isSmall, value.smallValue > 0 else { return false }
            keyPosition = value.smallValue
        case Atoms.write_concurrency: return takeWriteConcurrency(value)
        case Atoms.read_concurrency:
            guard value == Atoms.true || value == Atoms.false else { return false }
            manyReaders = value == Atoms.true
        case Atoms.heir:
            guard value == Atoms.none else { return false }
            heir = Atoms.none
            heirData = Atoms.undefined
        case Atoms.decentralized_counters:
            guard value == Atoms.true || value == Atoms.false else { return false }
            decentralizedOption = value == Atoms.true
        default: return false
        }
        return true
    }

    private mutating func takeWriteConcurrency(_ value: Term) -> Bool {
        automatic = false
        explicitLocks = false
        switch value {
        case Atoms.auto:
            decentralized = true
            automatic = true
            concurrentWrites = true
        case Atoms.true:
            if flags & TableFlags.ordered == 0 { decentralized = false }
            concurrentWrites = true
        case Atoms.false:
            concurrentWrites = false
        default:
            guard value.isTuple(2), value.element(0) == Atoms.debug_hash_fixed_number_of_locks,
                value.element(1).isSmall, (1...32768).contains(value.element(1).smallValue)
            else { return false }
            decentralized = true
            concurrentWrites = true
            explicitLocks = true
        }
        return true
    }

    /// The flags of the finished table; nil if the options do not go together.
    var finalFlags: UInt32? {
        var result = flags
        let isOrdered = flags & TableFlags.ordered != 0
        if isOrdered, explicitLocks { return nil }
        let isPrivate = flags & TableFlags.isPrivate != 0
        if concurrentWrites, !isPrivate {
            result |= TableFlags.writeConcurrency
            if !isOrdered { result |= TableFlags.fineLocked }
            if explicitLocks { result |= TableFlags.explicitLocks }
            if automatic { result |= TableFlags.automaticLocks }
            if decentralizedOption ?? decentralized { result |= TableFlags.decentralizedCounters }
        }
        if manyReaders, !isPrivate { result |= TableFlags.readConcurrency }
        return result
    }
}

func ets_new_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let name = arguments[0]
    guard name.isAtom else { return process.badarg() }
    var options = TableOptions()
    var list = arguments[1]
    while list.isCons {
        guard options.take(list.head) else { return process.badarg() }
        list = list.tail
    }
    guard list.isNil, let flags = options.finalFlags else { return process.badarg() }
    OwnerIndex.make()
    let many = flags & (TableFlags.readConcurrency | TableFlags.fineLocked) != 0
    let table = TableRegistry.takeRecord(manyReaders: many)
    table.lock.lockExclusive()
    table.pointee.flags = flags
    table.pointee.name = name
    table.pointee.owner = process.pointee.id
    table.pointee.keyPosition = options.keyPosition
    if !table.isOrdered { table.createHash() }
    let magic = makeTableMagic(table, process)
    table.pointee.magic = magic
    guard TableRegistry.enter(table) else {
        if !table.isOrdered { table.destroyHash() }
        table.pointee.magic = nil
        table.lock.unlockExclusive()
        UnsafeMutableRawPointer(magic).assumingMemoryBound(to: Binary.self).release()
        table.reset()
        TableRegistry.giveBack(table)
        return process.tableError(Atoms.already_exists)
    }
    table.setHeir(options.heir, options.heirData, process)
    OwnerIndex.add(table)
    let result = table.identifier(process.heap)
    table.lock.unlockExclusive()
    return result
}

/// The magic binary of a new table, with the reference that the table itself holds.
private func makeTableMagic(_ table: Ref<Table>, _ process: Ref<Process>) -> Ref<MagicBinary> {
    let magic = Ref<MagicBinary>.allocate(capacity: 1)
    magic.initialize(to: MagicBinary())
    magic.pointee.head = Binary(references: 1, capacity: 0, flags: UInt64(binaryIsMagic))
    magic.pointee.numbers = References.make(process.pointee.scheduler)
    magic.pointee.kind = TableRegistry.kind
    magic.pointee.data = UnsafeMutableRawPointer(table)
    return magic
}

func ets_delete_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .exclusive) else { return .none }
    if process.isLong(locked.table.size / 10) {
        locked.unlock()
        return process.goLong(arguments)
    }
    process.bump(destroyTable(locked.table))
    return Atoms.true
}

func ets_rename_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .exclusive) else { return .none }
    defer { locked.unlock() }
    let name = arguments[1]
    guard name.isAtom else { return process.badarg() }
    let table = locked.table
    guard table.isNamed else {
        table.pointee.name = name
        return arguments[0]
    }
    return TableRegistry.rename(table, to: name) ? name : process.badarg()
}

func ets_give_away_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let receiver = arguments[1]
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .exclusive) else { return .none }
    let table = locked.table
    let own = process.pointee.id
    var failure = Term.none
    if receiver != own, !receiver.isLocalPid || !isLivingProcess(receiver) {
        failure = process.badarg()
        locked.unlock()
        return failure
    }
    if table.pointee.owner != own || receiver == own {
        failure = process.tableError(table.pointee.owner != own ? Atoms.not_owner : Atoms.owner)
        locked.unlock()
        return failure
    }
    table.setOwner(receiver)
    let identifier = table.identifier(process.heap)
    locked.unlock()
    sendTransfer(process, receiver, identifier, arguments[2])
    return Atoms.true
}

func ets_setopts_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let locked = TableRegistry.acquire(process, arguments[0], .write, .exclusive) else { return .none }
    defer { locked.unlock() }
    var heir: (pid: Term, data: Term)?
    var protection: UInt32 = 0

    func take(_ option: Term) -> Bool {
        guard option.isTuple, option.tupleSize >= 2 else { return false }
        let size = option.tupleSize
        let value = option.element(1)
        switch option.element(0) {
        case Atoms.heir:
            if heir != nil { return false }
            if size == 2, value == Atoms.none {
                heir = (Atoms.none, Atoms.undefined)
            } else if size == 3, value.isLocalPid {
                heir = (value, option.element(2))
            } else {
                return false
            }
        case Atoms.protection:
            if size != 2 || protection != 0 { return false }
            switch value {
            case Atoms.private: protection = TableFlags.isPrivate
            case Atoms.protected: protection = TableFlags.isProtected
            case Atoms.public: protection = TableFlags.isPublic
            default: return false
            }
        default: return false
        }
        return true
    }

    if arguments[1].isTuple {
        guard take(arguments[1]) else { return process.badarg() }
    } else {
        var list = arguments[1]
        while list.isCons {
            guard take(list.head) else { return process.badarg() }
            list = list.tail
        }
        guard list.isNil else { return process.badarg() }
    }
    let table = locked.table
    guard table.pointee.owner == process.pointee.id else { return process.badarg() }
    if let heir { table.setHeir(heir.pid, heir.data, process) }
    if protection != 0 { table.pointee.flags = table.pointee.flags & ~TableFlags.protection | protection }
    return Atoms.true
}

func ets_whereis_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    var cause = Term.none
    guard let locked = TableRegistry.acquire(process, arguments[0], .information, .shared, &cause) else {
        return Atoms.undefined
    }
    defer { locked.unlock() }
    return locked.table.reference(process.heap)
}

func ets_safe_fixtable_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let isFixing = arguments[1] == Atoms.true
    guard let locked = TableRegistry.acquire(process, arguments[0], .read, isFixing ? .shared : .record) else {
        return .none
    }
    defer { locked.unlock() }
    if isFixing {
        locked.table.fix(by: process)
    } else if arguments[1] == Atoms.false {
        locked.table.unfix(by: process.pointee.id)
    } else {
        return process.badarg()
    }
    return Atoms.true
}
