// Data.swift: lists, tuples and maps taken apart and built.

import CMachine
import Terms

// MARK: - Lists

@inline(__always) func op_get_list_xxx(_ m: Registers) {
    let cell = m.x(m.packed(0))
    let (head, tail) = (cell.head, cell.tail)
    m.setX(m.packed(1), head)
    m.setX(m.packed(2), tail)
    m.next(2)
}

@inline(__always) func op_get_list_xxy(_ m: Registers) {
    let cell = m.x(m.packed(0))
    let (head, tail) = (cell.head, cell.tail)
    m.setX(m.packed(1), head)
    m.setY(m.packed(2), tail)
    m.next(2)
}

@inline(__always) func op_get_list_xyx(_ m: Registers) {
    let cell = m.x(m.packed(0))
    let (head, tail) = (cell.head, cell.tail)
    m.setY(m.packed(1), head)
    m.setX(m.packed(2), tail)
    m.next(2)
}

@inline(__always) func op_get_list(_ m: Registers) {
    let cell = m.source(m.word(1))
    let (head, tail) = (cell.head, cell.tail)
    m.store(m.word(2), head)
    m.store(m.word(3), tail)
    m.next(4)
}

@inline(__always) func op_get_hd_xx(_ m: Registers) {
    m.setX(m.packed(1), m.x(m.packed(0)).head)
    m.next(2)
}

@inline(__always) func op_get_hd(_ m: Registers) {
    m.store(m.word(2), m.source(m.word(1)).head)
    m.next(3)
}

@inline(__always) func op_get_tl_xx(_ m: Registers) {
    m.setX(m.packed(1), m.x(m.packed(0)).tail)
    m.next(2)
}

@inline(__always) func op_get_tl(_ m: Registers) {
    m.store(m.word(2), m.source(m.word(1)).tail)
    m.next(3)
}

@inline(__always) private func cons(_ m: Registers, _ head: Term, _ tail: Term) -> Term {
    let cell = m.take(2)
    cell[0] = head.raw
    cell[1] = tail.raw
    return .cons(cell)
}

@inline(__always) func op_put_list_xxx(_ m: Registers) {
    m.setX(m.packed(2), cons(m, m.x(m.packed(0)), m.x(m.packed(1))))
    m.next(2)
}

@inline(__always) func op_put_list_yxx(_ m: Registers) {
    m.setX(m.packed(2), cons(m, m.y(m.packed(0)), m.x(m.packed(1))))
    m.next(2)
}

@inline(__always) func op_put_list_xcx(_ m: Registers) {
    m.setX(m.packed(1), cons(m, m.x(m.packed(0)), Term(raw: m.word(2))))
    m.next(3)
}

@inline(__always) func op_put_list(_ m: Registers) {
    m.store(m.word(3), cons(m, m.source(m.word(1)), m.source(m.word(2))))
    m.next(4)
}

// MARK: - Tuples

@inline(__always) private func element(_ tuple: Term, _ bytes: Int) -> Term {
    Term(raw: UnsafeRawPointer(tuple.pointer).load(fromByteOffset: bytes, as: UInt64.self))
}

@inline(__always) func op_get_tuple_element_xx(_ m: Registers) {
    m.setX(m.packed(1), element(m.x(m.packed(0)), m.int(2)))
    m.next(3)
}

@inline(__always) func op_get_tuple_element_xy(_ m: Registers) {
    m.setY(m.packed(1), element(m.x(m.packed(0)), m.int(2)))
    m.next(3)
}

@inline(__always) func op_get_tuple_element_yx(_ m: Registers) {
    m.setX(m.packed(1), element(m.y(m.packed(0)), m.int(2)))
    m.next(3)
}

/// Two elements of the tuple in one x register; the first destination is not the source.
@inline(__always) func op_get_tuple_element2_xx(_ m: Registers) {
    let tuple = m.x(m.packed(0))
    m.setX(m.packed(1), element(tuple, m.int(2)))
    m.setX(m.packed(2), element(tuple, m.int(3)))
    m.next(4)
}

@inline(__always) func op_get_tuple_element(_ m: Registers) {
    m.store(m.word(3), element(m.source(m.word(1)), m.int(2)))
    m.next(4)
}

/// Writes into the fresh tuple that setelement/3 has just made; no collection can come between.
@inline(__always) func op_set_tuple_element(_ m: Registers) {
    m.source(m.word(2)).pointer[1 &+ m.int(3)] = m.source(m.word(1)).raw
    m.next(4)
}

/// `put_tuple2 destination header source...`
@inline(__always) func op_put_tuple2(_ m: Registers) {
    let count = Header.words(m.word(2))
    let object = m.take(count &+ 1)
    object[0] = m.word(2)
    for i in 0..<count { object[1 &+ i] = m.source(m.word(3 &+ i)).raw }
    m.store(m.word(1), .boxed(object))
    m.next(3 &+ count)
}

@inline(__always) func op_put_tuple2_2(_ m: Registers) {
    let object = m.take(3)
    object[0] = Header.make(2, Subtag.tuple)
    object[1] = m.source(m.word(2)).raw
    object[2] = m.source(m.word(3)).raw
    m.store(m.word(1), .boxed(object))
    m.next(4)
}

@inline(__always) func op_put_tuple2_3(_ m: Registers) {
    let object = m.take(4)
    object[0] = Header.make(3, Subtag.tuple)
    object[1] = m.source(m.word(2)).raw
    object[2] = m.source(m.word(3)).raw
    object[3] = m.source(m.word(4)).raw
    m.store(m.word(1), .boxed(object))
    m.next(5)
}

// MARK: - Maps

/// `get_map_elements source fail count (key destination)...`: the fast path finds immediate keys in flat maps.
@inline(__always) func op_get_map_elements(_ m: Registers) -> Bool {
    let map = m.source(m.word(1))
    guard _fastPath(map.isBoxed), _fastPath(map.header &>> 40 & 3 == 0) else { return false }
    let object = map.pointer
    let size = Int(truncatingIfNeeded: object[1])
    let keys = Term(raw: object[2]).pointer
    let count = m.int(3)
    // The slow path starts anew, so nothing may be written before it.
    for i in 0..<count {
        guard _fastPath(m.source(m.word(4 &+ 2 &* i)).isImmediate) else { return false }
    }
    var position = 0
    for i in 0..<count {
        let key = m.source(m.word(4 &+ 2 &* i))
        // The keys of the instruction come in no order, so each is looked for from the start; maps are small.
        position = 0
        while position < size, keys[1 &+ position] != key.raw { position &+= 1 }
        guard position < size else {
            m.jump(2)
            return true
        }
        m.store(m.word(5 &+ 2 &* i), Term(raw: object[3 &+ position]))
    }
    m.next(4 &+ 2 &* count)
    return true
}

func slow_get_map_elements(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let map = c.source(pc[1])
    let count = Int(pc[3])
    for i in 0..<count {
        guard let value = mapGet(map, c.source(pc[4 + 2 * i])) else { return codePointer(pc[2]) }
        c.store(pc[5 + 2 * i], value)
    }
    return pc + 4 + 2 * count
}

func slow_has_map_fields(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let map = c.source(pc[1])
    let count = Int(pc[3])
    for i in 0..<count {
        guard mapGet(map, c.source(pc[4 + i])) != nil else { return codePointer(pc[2]) }
    }
    return pc + 4 + count
}

/// The key and value operands of an instruction that puts several pairs, as an array.
@inline(__always) private func withPairs<Result>(
    _ c: Ref<Context>, _ pc: CodePointer, _ count: Int, _ body: (UnsafePointer<Term>) -> Result
) -> Result {
    withUnsafeTemporaryAllocation(of: Term.self, capacity: max(count * 2, 1)) { buffer in
        for i in 0..<count * 2 { buffer.initializeElement(at: i, to: c.source(pc[6 + i])) }
        return body(UnsafePointer(buffer.baseAddress!))
    }
}

@inline(never) private func putPairs(_ c: Ref<Context>, _ pc: CodePointer, _ map: Term, _ count: Int) -> Term {
    withPairs(c, pc, count) { c.heap.putAssoc(map, pairs: $0, count: count) }
}

@inline(never) private func updatePairs(_ c: Ref<Context>, _ pc: CodePointer, _ map: Term, _ count: Int) -> MapUpdate {
    withPairs(c, pc, count) { c.heap.putExact(map, pairs: $0, count: count) }
}

/// `put_map_assoc source destination live j count (key value)...`
func slow_put_map_assoc(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let map = c.source(pc[1])
    let count = Int(pc[5])
    guard map.isMap else { return c.failOrRaise(c.heap.tuple(Atoms.badmap, map), pc[4]) }
    let result = count == 1 ? c.heap.mapPut(map, c.source(pc[6]), c.source(pc[7])) : putPairs(c, pc, map, count)
    return c.complete(result, to: pc[2], pc + 6 + 2 * count, live: Int(pc[3]))
}

func slow_put_map_exact(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let map = c.source(pc[1])
    let count = Int(pc[5])
    guard map.isMap else { return c.failOrRaise(c.heap.tuple(Atoms.badmap, map), pc[4]) }
    let update: MapUpdate
    if count == 1 {
        let key = c.source(pc[6])
        update = c.heap.mapUpdate(map, key, c.source(pc[7])).map { .done($0) } ?? .missing(key)
    } else {
        update = updatePairs(c, pc, map, count)
    }
    switch update {
    case .missing(let key): return c.failOrRaise(c.heap.tuple(Atoms.badkey, key), pc[4])
    case .done(let result): return c.complete(result, to: pc[2], pc + 6 + 2 * count, live: Int(pc[3]))
    }
}
