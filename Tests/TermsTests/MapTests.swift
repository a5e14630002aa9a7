// MapTests.swift: maps against a dictionary, their shape, and the order that the real VM shows.

import CMachine
import Terms
import TestSupport
import Testing

/// Keys of several kinds, different for different numbers.
private func key(_ heap: Ref<Heap>, _ number: Int) -> Term {
    switch number & 3 {
    case 0: .small(number)
    case 1: heap.float(Double(number))
    case 2: heap.tuple(.small(number), .small(1))
    default: heap.string(String(number))
    }
}

/// Whether two maps have the same keys and value words in objects of the same shape.
private func hasSameShape(_ a: Term, _ b: Term) -> Bool {
    if a == b { return true }
    guard a.isMap, b.isMap else { return a.isCons && b.isCons && isSameKey(a.head, b.head) && a.tail == b.tail }
    guard a.header == b.header else { return false }
    if a.isFlatMap {
        return (0..<a.mapSize).allSatisfy {
            isSameKey(Term(raw: a.flatKeys[$0]), Term(raw: b.flatKeys[$0])) && a.flatValues[$0] == b.flatValues[$0]
        }
    }
    if Header.mapKind(a.header) == MapKind.root, a.mapSize != b.mapSize { return false }
    let (left, right) = (Header.mapChildren(a.pointer), Header.mapChildren(b.pointer))
    return (0..<Header.mapChildCount(a.header)).allSatisfy {
        hasSameShape(Term(raw: left[$0]), Term(raw: right[$0]))
    }
}

private func map(_ heap: Ref<Heap>, _ model: some Collection<(key: Int, value: Int)>) -> Term {
    let pairs = model.flatMap { [key(heap, $0.key), .small($0.value)] }
    return heap.mapFromPairs(pairs, count: pairs.count / 2)
}

@Test func bigMapsHaveTheOrderOfTheRealVM() {
    withTermHeap { heap in
        for (name, hex) in mapOrderVectors {
            guard let list = decoded(heap, hex: hex) else {
                Issue.record("cannot decode \(name)")
                continue
            }
            let keys = elements(list)
            var random = TestRandom(state: 1)
            var map = Term.emptyMap
            for key in keys.shuffled(using: &random) { map = heap.mapPut(map, key, .nil) }
            let pairs = keys.flatMap { [$0, Term.nil] }
            #expect(hasSameShape(map, heap.mapFromPairs(pairs, count: keys.count)), "\(name)")
            var descending = MapIterator(map, descending: true)
            var ascending = MapIterator(map)
            for index in keys.indices {
                #expect(descending.next()?.key == keys[index], "\(name)")
                #expect(ascending.next()?.key == keys[keys.count - 1 - index], "\(name)")
            }
            #expect(descending.next() == nil && ascending.next() == nil)
        }
    }
}

@Test(arguments: [20, 45, 1500]) func mapsBehaveLikeADictionary(range: Int) {
    withTermHeap { heap in
        var random = TestRandom(state: UInt64(range))
        var model: [Int: Int] = [:]
        var map = Term.emptyMap
        for step in 0..<6000 {
            let number = Int.random(in: 0..<range, using: &random)
            if Int.random(in: 0..<10, using: &random) < (step / 500 % 2 == 0 ? 8 : 3) {
                map = heap.mapPut(map, key(heap, number), .small(step))
                model[number] = step
            } else {
                map = heap.mapRemove(map, key(heap, number))
                model[number] = nil
            }
            #expect(map.mapSize == model.count)
            guard step % 199 == 0 else { continue }
            checkContents(heap, map, model, range)
            checkMerges(heap, map, model)
        }
    }
}

private func checkContents(_ heap: Ref<Heap>, _ term: Term, _ model: [Int: Int], _ range: Int) {
    for number in 0..<range { #expect(mapGet(term, key(heap, number)) == model[number].map { .small($0) }) }
    // Earlier values of a repeated key lose.
    let old = model.prefix(50).map { (key: $0.key, value: -1) }
    #expect(hasSameShape(term, map(heap, old + model.map { ($0.key, $0.value) })))
}

private func checkMerges(_ heap: Ref<Heap>, _ term: Term, _ model: [Int: Int]) {
    let pairs = model.map { (key: $0.key, value: $0.value) }
    let first = Array(pairs.prefix(pairs.count / 2))
    let second = Array(pairs.dropFirst(pairs.count / 2))
    let outdated = map(heap, first + second.prefix(40).map { ($0.key, -1) })
    var work = 0
    #expect(hasSameShape(heap.mapMerge(map(heap, first), map(heap, second), work: &work), term))
    #expect(hasSameShape(heap.mapMerge(map(heap, second), map(heap, first), work: &work), term))
    #expect(hasSameShape(heap.mapMerge(outdated, map(heap, pairs), work: &work), term))
    let words = second.flatMap { [key(heap, $0.key), .small($0.value)] }
    #expect(hasSameShape(heap.putAssoc(outdated, pairs: words, count: second.count), term))
}

@Test func updatesShareWhatDoesNotChange() {
    withTermHeap { heap in
        for size in [3, 100] {
            let model = (0..<size).map { (key: $0, value: $0) }
            let old = map(heap, model)
            #expect(heap.mapPut(old, key(heap, 1), .small(1)) == old)
            #expect(heap.mapRemove(old, key(heap, 1000)) == old)
            guard let new = heap.mapUpdate(old, key(heap, 2), .small(9)) else {
                Issue.record("key 2 is missing")
                continue
            }
            #expect(mapGet(new, key(heap, 2)) == .small(9) && mapGet(old, key(heap, 2)) == .small(2))
            if old.isFlatMap { #expect(old.pointer[2] == new.pointer[2]) }
            #expect(heap.mapUpdate(old, key(heap, 1000), .nil) == nil)
            let pairs = [key(heap, 1), Term.small(5), key(heap, 1000), Term.nil]
            guard case .missing(let key) = heap.putExact(old, pairs: pairs, count: 2) else {
                Issue.record("putExact found a missing key")
                continue
            }
            #expect(key == pairs[2])
        }
    }
}

@Test func mapOfThe33rdKeyAndBack() {
    withTermHeap { heap in
        let flat = map(heap, (0..<32).map { (key: $0, value: $0) })
        #expect(flat.isFlatMap && flatSize(flat) > 68)
        let big = heap.mapPut(flat, key(heap, 32), .nil)
        #expect(!big.isFlatMap && big.mapSize == 33)
        #expect(hasSameShape(heap.mapRemove(big, key(heap, 32)), flat))
        let integers = heap.mapFromPairs((1...33).flatMap { [.small($0), .nil] }, count: 33)
        #expect(flatSize(integers) == 127)
        #expect(heap.mapRemove(heap.mapPut(.emptyMap, .nil, .nil), .nil) == .emptyMap)
        #expect(flatSize(.emptyMap) == 3)
    }
}
