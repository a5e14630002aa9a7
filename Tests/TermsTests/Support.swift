// Support.swift: what the tests of terms share.

import CMachine
import Terms
import TestSupport

/// Calls `body` with an empty heap.
func withTermHeap(_ body: (Ref<Heap>) throws -> Void) rethrows {
    bootTables()
    let heap = Ref<Heap>.allocate(capacity: 1)
    heap.initialize(to: Heap())
    defer {
        releaseOffHeap(heap.pointee.offHeap)
        heap.deallocate()
    }
    try body(heap)
}

/// The bytes written as hexadecimal digits; other characters are skipped.
func bytes(hex: String) -> [UInt8] {
    let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// The term in the external format. Nil if it cannot be decoded.
func decoded(_ heap: Ref<Heap>, hex: String) -> Term? {
    bytes(hex: hex).withUnsafeBytes { decodeExternal(heap, bytes: $0)?.term }
}

/// The elements of a list.
func elements(_ list: Term) -> [Term] {
    var result: [Term] = []
    var rest = list
    while rest.isCons {
        result.append(rest.head)
        rest = rest.tail
    }
    return result
}
