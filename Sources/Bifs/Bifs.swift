// Bifs.swift: the native functions of this target, gathered from the tables of its files.

public import Machine

/// One table a line.
private let tables: [[Bif]] = [
    erlangBinaryBifs,
    binaryModuleBifs,
    binarySearchBifs,
    checksumBifs,
    unicodeBifs,
    packetBifs,
    mapBifs,
    mapNextBifs,
    listBifs,
    subtractBifs,
    tupleBifs,
    atomBifs,
    hashBifs,
    debugBifs, dirtyBifs,
    operatorBifs,
    typeTestBifs,
    numberBifs,
    mathBifs,
    nodeBifs,
    erlangExternalBifs,
    erlangDisplayBifs,
    atomicsBifs,
    persistentTermBifs,
    regexBifs,
]

/// Rows of this target's native functions; each file adds its own table.
public let bifsTable: [Bif] = tables.flatMap { $0 }
