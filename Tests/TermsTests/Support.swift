// Support.swift: what the tests of terms share.

import CMachine
import Terms

private let boot: Void = {
    AtomTable.boot()
    Nodes.boot()
}()

/// Makes the tables that terms need; tests run in parallel, so only here.
func bootTerms() { boot }

/// Calls `body` with an empty heap.
func withTermHeap(_ body: (Ref<Heap>) throws -> Void) rethrows {
    bootTerms()
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

/// Random numbers that are the same in every run.
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
