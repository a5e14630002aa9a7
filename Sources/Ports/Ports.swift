// Ports.swift: the table of this target's native functions: files, the operating system, buffers, compression, ports.

public import Machine

/// Rows of this target's native functions.
public let portsTable: [Bif] =
    fileNamesTable + primFileHandlesTable + primFilePathsTable + environmentTable + operatingSystemTable
    + calendarTimeTable + primBufferTable + zlibTable + portBifsTable + driverLoadingTable
