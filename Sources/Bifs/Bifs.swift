public import Machine
/// Rows of this target's native functions; each file adds its own table.
public let bifsTable: [Bif] =
    erlangBinaryBifs
    + binaryModuleBifs
    + binarySearchBifs
    + checksumBifs
