// ExternalMaps.swift: maps out of decoded pairs, and the pairs of a map in the order they are written.

import CMachine

/// A map of `count` pairs (key, value, key, value, ...); nil if two keys are the same.
func makeMap(_ heap: Ref<Heap>, pairs: UnsafeMutablePointer<Term>, count: Int) -> Term? {
    guard count <= 32 else { return nil }
    var index = 1
    while index < count {
        let key = pairs[2 * index]
        let value = pairs[2 * index + 1]
        var place = index
        while place > 0 {
            let order = compareExact(pairs[2 * place - 2], key)
            if order == 0 { return nil }
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

func isFlatMap(_ term: Term) -> Bool { term.header >> 40 & 3 == 0 }
func mapSize(_ term: Term) -> Int { Int(term.pointer[1]) }

/// The pairs of a big map in the order they are written, in memory that the caller frees.
func externalPairs(_ map: Term, _ size: Int, isDeterministic: Bool) -> Words {
    preconditionFailure()
}
