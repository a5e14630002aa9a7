// Ports.swift: the table of this target's native functions: files, the operating system, buffers, compression, ports.

public import Machine

/// Rows of this target's native functions.
public let portsTable: [Bif] =
    fileNamesTable + primFileHandlesTable + primFilePathsTable + environmentTable + operatingSystemTable
    + calendarTimeTable + primBufferTable + zlibTable + portBifsTable + driverLoadingTable

/// Rows that may block for long (files, name services): for threads that no Erlang process waits for.
public let portsDirtyRows: [(StaticString, StaticString, Int)] =
    (primFileHandlesTable + primFilePathsTable)
    .map { ($0.module, $0.name, $0.arity) }
