// PersistentTerms.swift: module persistent_term. Each entry is a tuple {Key, Value} in the literal range, so reading
// copies nothing and takes no lock.
//
// The table has open addressing: [0] is the mask, then one word a slot: 0 never used, 3 erased, else the tuple's term.
// A slot is published by a release store. A table that grew, and entries that were replaced or erased, are freed when
// no process can hold them any more (LiteralReleases).

import CMachine
import Glibc
import Machine
import Terms

let persistentTermBifs: [Bif] = [
    Bif("persistent_term", "get", 0, persistent_term_get_0),
    Bif("persistent_term", "get", 1, persistent_term_get_1),
    Bif("persistent_term", "get", 2, persistent_term_get_2),
    Bif("persistent_term", "put", 2, persistent_term_put_2),
    Bif("persistent_term", "erase", 1, persistent_term_erase_1),
    Bif("persistent_term", "info", 0, persistent_term_info_0),
    Bif("erts_internal", "erase_persistent_terms", 0, erts_internal_erase_persistent_terms_0),
]

private enum PersistentTerms {
    /// Address of the table in use; 0 before the first entry.
    nonisolated(unsafe) static var table: UInt64 = 0
    /// Taken by writers. Guards the fields below.
    nonisolated(unsafe) static var lock = Lock()
    nonisolated(unsafe) static var count = 0
    /// Slots that are not 0.
    nonisolated(unsafe) static var taken = 0
    nonisolated(unsafe) static var words = 0
    /// By an entry's tuple: the words of its block, and what it owns outside the literal range.
    nonisolated(unsafe) static var blocks: [UInt64: (words: Int, offHeap: OffHeapList)] = [:]

    static let erased: UInt64 = 3

    static var current: Words? { Words(bitPattern: UInt(vm_load_acquire(&table))) }

    static func makeTable(_ capacity: Int) -> Words {
        guard let memory = calloc(capacity + 1, 8) else { outOfMemory(capacity * 8) }
        let table = memory.assumingMemoryBound(to: UInt64.self)
        table[0] = UInt64(capacity - 1)
        return table
    }

    /// The slot of `key`, or the first slot never used.
    static func slot(_ key: Term, in table: Words) -> Words {
        let mask = table[0]
        var index = UInt64(mapHash(key)) & mask
        while true {
            let slot = table + 1 + Int(index)
            let word = vm_load_acquire(slot)
            if word == 0 || (word != erased && termsIdentical(Term(raw: word).element(0), key)) { return slot }
            index = (index + 1) & mask
        }
    }

    /// The tuple {Key, Value}.
    static func find(_ key: Term) -> Term? {
        guard let table = current else { return nil }
        let word = vm_load_acquire(slot(key, in: table))
        return word == 0 ? nil : Term(raw: word)
    }

    /// All entries, under the lock or as they come.
    static func forEach(_ body: (Term) -> Void) {
        guard let table = current else { return }
        for index in 1...Int(table[0] + 1) {
            let word = vm_load_acquire(table + index)
            if word != 0, word != erased { body(Term(raw: word)) }
        }
    }

    /// Makes room for one more slot. Requires: the lock.
    static func grow() {
        let capacity = current.map { Int($0[0]) + 1 } ?? 0
        guard (taken + 1) * 2 > capacity else { return }
        var size = 32
        while size < (count + 1) * 4 { size *= 2 }
        let larger = makeTable(size)
        forEach { slot($0.element(0), in: larger)[0] = $0.raw }
        taken = count
        let old = current
        vm_store_release(&table, UInt64(UInt(bitPattern: larger)))
        if let old { LiteralReleases.add(memory: old) }
    }

    /// Frees an entry that was taken out. Requires: the lock.
    static func release(_ entry: Term) {
        guard let block = blocks.removeValue(forKey: entry.raw) else { return }
        words -= block.words
        LiteralReleases.add(block: entry.pointer, words: block.words, offHeap: block.offHeap)
    }

    static func put(_ heap: Ref<Heap>, _ key: Term, _ value: Term) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        let old = find(key)
        if let old, termsIdentical(old.element(1), value) { return }
        if old == nil { grow() }
        var owned = OffHeapList()
        let copy = copyToLiterals(heap.tuple(key, value), offHeap: &owned)
        blocks[copy.term.raw] = (copy.words, owned)
        words += copy.words
        let target = slot(key, in: current.unsafelyUnwrapped)
        if old == nil {
            count += 1
            taken += 1
        }
        vm_store_release(target, copy.term.raw)
        if let old { release(old) }
    }

    static func erase(_ key: Term) -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        guard let table = current else { return false }
        let target = slot(key, in: table)
        guard target[0] != 0 else { return false }
        let old = Term(raw: target[0])
        count -= 1
        vm_store_release(target, erased)
        release(old)
        return true
    }

    static func eraseAll() {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        guard let old = current else { return }
        var entries: [Term] = []
        forEach { entries.append($0) }
        count = 0
        taken = 0
        vm_store_release(&table, UInt64(UInt(bitPattern: makeTable(32))))
        for entry in entries { release(entry) }
        LiteralReleases.add(memory: old)
    }
}

/// Lets crash dumps find the entries.
public func connectPersistentTerms() {
    DumpHooks.persistentTerms = { body in PersistentTerms.forEach { body($0.element(0), $0.element(1)) } }
}

func persistent_term_get_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    PersistentTerms.find(arguments[0])?.element(1) ?? process.badarg()
}

func persistent_term_get_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    PersistentTerms.find(arguments[0])?.element(1) ?? arguments[1]
}

func persistent_term_get_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var list = Term.nil
    PersistentTerms.forEach { list = process.heap.cons($0, list) }
    process.bump(PersistentTerms.count / 32)
    return list
}

func persistent_term_put_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    PersistentTerms.put(process.heap, arguments[0], arguments[1])
    return Atoms.ok
}

func persistent_term_erase_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    PersistentTerms.erase(arguments[0]) ? Atoms.true : Atoms.false
}

func erts_internal_erase_persistent_terms_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    PersistentTerms.eraseAll()
    return Atoms.true
}

func persistent_term_info_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let slots = PersistentTerms.current.map { Int($0[0]) + 1 } ?? 0
    let memory = (slots + PersistentTerms.words) * 8
    let heap = process.heap
    return heap.mapFromPairs(
        [Atoms.count, heap.integer(PersistentTerms.count), Atoms.memory, heap.integer(memory)], count: 2)
}
