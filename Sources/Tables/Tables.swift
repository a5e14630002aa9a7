// Tables.swift: the native functions of this target: ETS and match specifications.

public import Machine

/// Rows of this target's native functions; each file adds its own table.
public let tablesTable: [Bif] = tableLifeBifs + tableLookupBifs + tableInsertBifs + tableUpdateBifs + tableInfoBifs + tableSelectBifs + matchSpecBifs
