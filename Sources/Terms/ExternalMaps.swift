// ExternalMaps.swift: maps out of decoded pairs, and the pairs of a map in the order they are written.

import CMachine
import Glibc

/// A map of `count` pairs (key, value, key, value, ...); nil if two keys are the same.
func makeMap(_ heap: Ref<Heap>, pairs: UnsafeMutablePointer<Term>, count: Int) -> Term? {
    guard count <= 32 else { return nil }
    var index = 1
    while index < count {
        let key = pairs[2 * index]
        let value = pairs[2 * index + 1]
        var place = index
        while place > 0 {
            guard let order = keyOrder(pairs[2 * place - 2], key), order != 0 else { return nil }
            if order < 0 { break }
            pairs[2 * place] = pairs[2 * place - 2]
            pairs[2 * place + 1] = pairs[2 * place - 1]
            place -= 1
        }
        pairs[2 * place] = key
        pairs[2 * place + 1] = value
        index += 1
    }
    let (keys, elements) = heap.makeTuple(count)
    let object = heap.allocate(3 + count)
    object[0] = Header.make(2 + count, Subtag.map)
    object[1] = UInt64(count)
    object[2] = keys.raw
    for index in 0..<count {
        elements[index] = pairs[2 * index].raw
        object[3 + index] = pairs[2 * index + 1].raw
    }
    return .boxed(object)
}

/// Order of the keys that literals of compiled code have: small integers, atoms, binaries.
private func keyOrder(_ a: Term, _ b: Term) -> Int? {
    func rank(_ term: Term) -> Int { term.isSmall ? 0 : term.isAtom ? 1 : term.isBinary ? 2 : 3 }
    if rank(a) != rank(b) { return rank(a) - rank(b) }
    func bytes(_ first: UnsafePointer<UInt8>, _ m: Int, _ second: UnsafePointer<UInt8>, _ n: Int) -> Int {
        let order = memcmp(first, second, min(m, n))
        return order != 0 ? Int(order) : m - n
    }
    switch rank(a) {
    case 0: return a.smallValue < b.smallValue ? -1 : a.smallValue == b.smallValue ? 0 : 1
    case 1:
        let x = AtomTable.entry(a).pointee
        let y = AtomTable.entry(b).pointee
        return bytes(x.bytes, Int(x.count), y.bytes, Int(y.count))
    case 2: return bytes(a.originalBytes, a.byteCount, b.originalBytes, b.byteCount)
    default: return nil
    }
}
