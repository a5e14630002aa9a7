// VerifierTests.swift: the heap verifier of debug builds accepts a sound heap, and finds each kind of damage.

import CMachine
import Glibc
import Terms
import TestSupport
import Testing

@testable import Machine

/// What the verifier says of a heap that holds [[] | {1, <<"12345">>}], after `damage` was done to it: to the cell, the
/// tuple behind it and the binary, or to the stack, whose only slot holds the list.
private func verdict(
    of damage: (_ cell: Words, _ tuple: Words, _ binary: Words, _ slot: Words) -> Void
) -> HeapFault? {
    bootTables()
    let process = Ref<Process>.allocate(capacity: 1)
    memset(process, 0, MemoryLayout<Process>.size)
    let block = Words.allocate(capacity: 64)
    block.initialize(repeating: 0, count: 64)
    defer {
        block.deallocate()
        process.deallocate()
    }
    process.pointee.heapStart = block
    process.pointee.heap.top = block
    process.pointee.heap.limit = block + 63
    process.pointee.stackTop = block + 63
    process.pointee.stackEnd = block + 64
    withUnsafeMutablePointer(to: &process.pointee.heap) { heap in
        let binary = Array("12345".utf8).withUnsafeBufferPointer { heap.makeBinary($0) }
        let tuple = heap.tuple(.small(1), binary)
        let cell = heap.cons(.nil, tuple)
        block[63] = cell.raw
        damage(cell.pointer, tuple.pointer, binary.pointer, block + 63)
    }
    do throws(HeapFault) { try process.verifyHeap() } catch { return error }
    return nil
}

@Test func soundHeapIsAccepted() {
    #expect(verdict { _, _, _, _ in } == nil)
    // What binaries hold are no terms, and what lies in the literals is not the heap's.
    #expect(verdict { _, _, binary, _ in binary[2] = 8 } == nil)
    #expect(verdict { cell, _, _, _ in cell[1] = Term.emptyTuple.raw } == nil)
}

@Test func headersAreNoTerms() {
    #expect(verdict { _, tuple, _, _ in tuple[2] = Header.make(1, Subtag.tuple) } == .header)
}

@Test func objectsEndInTheHeap() {
    #expect(verdict { cell, _, _, _ in cell[0] = Header.make(2, Subtag.heapBinary) } == .end)
    #expect(verdict { _, tuple, _, _ in tuple[0] = Header.make(5, Subtag.tuple) } == .end)
}

@Test func pointersStayInTheHeap() {
    #expect(verdict { cell, _, _, slot in cell[1] = Term.cons(slot).raw } == .pointer)
    #expect(verdict { cell, _, _, slot in slot[0] = Term.cons(cell + 2).raw } == .pointer)
    #expect(verdict { _, tuple, _, slot in tuple[2] = Term.boxed(slot - 40).raw } == .pointer)
}

@Test func boxedPointersLeadToHeaders() {
    #expect(verdict { _, tuple, _, slot in slot[0] = Term.boxed(tuple + 1).raw } == .boxed)
    #expect(verdict { cell, _, _, _ in cell[1] = Term.boxed(cell).raw } == .boxed)
}
