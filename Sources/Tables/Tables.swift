// Tables.swift: the native functions of this target: ETS and match specifications.

public import CMachine
public import Machine
public import Terms

/// Rows of this target's native functions; each file adds its own table.
public let tablesTable: [Bif] =
    tableLifeBifs + tableLookupBifs + tableInsertBifs + tableUpdateBifs + tableInfoBifs + tableSelectBifs
    + matchSpecBifs

/// Call once at boot, before the first process runs.
public func bootTables() {
    ExitHooks.tables = { tablesOwnerExit($0) }
    DumpHooks.tables = { writeTables($0) }
    SystemInfoHooks.tables = { _, key in
        switch key {
        case Atoms.ets_limit: .small(8192)
        case Atoms.ets_count: .small(TableRegistry.count)
        default: .none
        }
    }
    DumpHooks.tableBytes = { allTableBytes() }
    tableMemory = {
        vm_lock(&TableRegistry.lock)
        defer { vm_unlock(&TableRegistry.lock) }
        return allTableBytes()
    }
    bootTracePrograms()
}

/// The table whose reference has these number words, as a term: for references that come back from text or bytes.
public func liveTableReference(_ heap: Ref<Heap>, _ numbers: (UInt64, UInt64)) -> Term? {
    vm_lock(&TableRegistry.lock)
    defer { vm_unlock(&TableRegistry.lock) }
    var current = TableRegistry.first
    while let table = current {
        if let magic = table.pointee.magic, magic.pointee.numbers == numbers { return table.reference(heap) }
        current = table.pointee.next
    }
    return nil
}
