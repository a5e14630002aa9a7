// Atomics.swift: modules atomics and counters: arrays of 64-bit integers behind magic references.
//
// The words of an object: [0] number of elements, [1] 1 if signed, [2...] the elements. Counters made for concurrent
// writing have the same shape here; their elements are always signed.

import CMachine
import Glibc
import Machine
import Terms

let atomicsBifs: [Bif] = [
    Bif("erts_internal", "atomics_new", 2, erts_internal_atomics_new_2),
    Bif("atomics", "put", 3, atomics_put_3),
    Bif("atomics", "get", 2, atomics_get_2),
    Bif("atomics", "add", 3, atomics_add_3),
    Bif("atomics", "add_get", 3, atomics_add_get_3),
    Bif("atomics", "exchange", 3, atomics_exchange_3),
    Bif("atomics", "compare_exchange", 4, atomics_compare_exchange_4),
    Bif("atomics", "info", 1, atomics_info_1),
    Bif("erts_internal", "counters_new", 1, erts_internal_counters_new_1),
    Bif("erts_internal", "counters_get", 2, erts_internal_counters_get_2),
    Bif("erts_internal", "counters_add", 3, erts_internal_counters_add_3),
    Bif("erts_internal", "counters_put", 3, erts_internal_counters_put_3),
    Bif("erts_internal", "counters_info", 1, erts_internal_counters_info_1),
]

/// Identities of the two kinds of object: numbers that are no addresses, so that comparing them costs a constant.
private enum Kind {
    static var atomics: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 0x41).unsafelyUnwrapped }
    static var counters: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 0x42).unsafelyUnwrapped }
}

private enum Layout64 {
    static let header = 2
    /// Bytes of an object beside its elements, as the real VM counts them.
    static let overhead = 40
}

private func makeArray(_ process: Ref<Process>, _ size: Term, isSigned: Bool, _ kind: UnsafeRawPointer) -> Term {
    guard let count = unsigned64(size) else {
        return size.isBig && !size.bigIsNegative ? process.systemLimit() : process.badarg()
    }
    guard count > 0 else { return process.badarg() }
    guard count < 1 << 58, let memory = calloc(Int(count) + Layout64.header, 8) else { return process.systemLimit() }
    let words = memory.assumingMemoryBound(to: UInt64.self)
    words[0] = count
    words[1] = isSigned ? 1 : 0
    return makeResource(process.heap, kind, data: memory) { free($0.pointee.data) }
}

/// The element that a reference and an index (from 1) name.
private func element(
    _ arguments: Arguments, _ kind: UnsafeRawPointer
) -> (word: Words, isSigned: Bool)? {
    guard let data = resourceData(arguments[0], kind), let index = unsigned64(arguments[1]) else { return nil }
    let words = data.assumingMemoryBound(to: UInt64.self)
    guard index > 0, index <= words[0] else { return nil }
    return (words + Int(index) + Layout64.header - 1, words[1] == 1)
}

private func bits(_ term: Term, isSigned: Bool) -> UInt64? {
    isSigned ? signed64(term).map { UInt64(bitPattern: $0) } : unsigned64(term)
}

/// An increment: any integer of 64 bits.
private func increment(_ term: Term) -> UInt64? {
    signed64(term).map { UInt64(bitPattern: $0) } ?? unsigned64(term)
}

private func value(_ process: Ref<Process>, _ bits: UInt64, isSigned: Bool) -> Term {
    isSigned ? process.heap.integer(Int(truncatingIfNeeded: bits)) : process.heap.integer(unsigned: bits)
}

// MARK: - atomics

func erts_internal_atomics_new_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let options = unsigned64(arguments[1]) else { return process.badarg() }
    return makeArray(process, arguments[0], isSigned: options & 1 == 1, Kind.atomics)
}

func atomics_put_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, isSigned) = element(arguments, Kind.atomics),
        let value = bits(arguments[2], isSigned: isSigned)
    else { return process.badarg() }
    _ = vm_exchange(word, value)
    return Atoms.ok
}

func atomics_get_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, isSigned) = element(arguments, Kind.atomics) else { return process.badarg() }
    return value(process, vm_load_acquire(word), isSigned: isSigned)
}

func atomics_add_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, _) = element(arguments, Kind.atomics), let amount = increment(arguments[2]) else {
        return process.badarg()
    }
    _ = vm_fetch_add(word, amount)
    return Atoms.ok
}

func atomics_add_get_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, isSigned) = element(arguments, Kind.atomics), let amount = increment(arguments[2]) else {
        return process.badarg()
    }
    return value(process, vm_fetch_add(word, amount) &+ amount, isSigned: isSigned)
}

func atomics_exchange_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, isSigned) = element(arguments, Kind.atomics),
        let desired = bits(arguments[2], isSigned: isSigned)
    else { return process.badarg() }
    return value(process, vm_exchange(word, desired), isSigned: isSigned)
}

/// `ok`, or the value found.
func atomics_compare_exchange_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, isSigned) = element(arguments, Kind.atomics),
        let expected = bits(arguments[2], isSigned: isSigned),
        let desired = bits(arguments[3], isSigned: isSigned)
    else { return process.badarg() }
    let found = vm_compare_exchange(word, expected, desired)
    return found == expected ? Atoms.ok : value(process, found, isSigned: isSigned)
}

func atomics_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let data = resourceData(arguments[0], Kind.atomics) else { return process.badarg() }
    let words = data.assumingMemoryBound(to: UInt64.self)
    let heap = process.heap
    let isSigned = words[1] == 1
    let pairs = [
        Atoms.max, heap.integer(unsigned: isSigned ? UInt64(Int64.max) : .max),
        Atoms.min, isSigned ? heap.integer(Int.min) : .small(0),
        Atoms.size, heap.integer(unsigned: words[0]),
        Atoms.memory, heap.integer(Int(words[0]) * 8 + Layout64.overhead),
    ]
    return heap.mapFromPairs(pairs, count: 4)
}

// MARK: - counters

func erts_internal_counters_new_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    makeArray(process, arguments[0], isSigned: true, Kind.counters)
}

func erts_internal_counters_get_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, _) = element(arguments, Kind.counters) else { return process.badarg() }
    return process.heap.integer(Int(truncatingIfNeeded: vm_load_relaxed(word)))
}

func erts_internal_counters_add_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, _) = element(arguments, Kind.counters), let amount = increment(arguments[2]) else {
        return process.badarg()
    }
    _ = vm_fetch_add(word, amount)
    return Atoms.ok
}

func erts_internal_counters_put_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (word, _) = element(arguments, Kind.counters), let value = signed64(arguments[2]) else {
        return process.badarg()
    }
    _ = vm_exchange(word, UInt64(bitPattern: value))
    return Atoms.ok
}

func erts_internal_counters_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let data = resourceData(arguments[0], Kind.counters) else { return process.badarg() }
    let words = data.assumingMemoryBound(to: UInt64.self)
    let heap = process.heap
    let memory = heap.integer(Int(words[0]) * 8 + Layout64.overhead)
    return heap.mapFromPairs([Atoms.memory, memory, Atoms.size, heap.integer(unsigned: words[0])], count: 2)
}
