// IdTable.swift: a small hash table from two words (a pid, or a reference's numbers) to three words. It holds the links
// and the monitors of one process; nobody but its process touches it. Allocated on first insertion, freed when empty.
//
//     header:  count | capacity          entry:  key 0 | key 1 | a | b | c      key 0 = 0: free
//
// Linear probing; removal shifts the entries behind back, so there are no tombstones.

import CMachine
import Glibc
import Terms

struct IdKey {
    var first: UInt64
    var second: UInt64

    init(_ first: UInt64, _ second: UInt64) {
        self.first = first
        self.second = second
    }

    /// Key of a pid or port. Requires: an immediate.
    init(id: Term) { self.init(id.raw, 0) }

    /// Key of a reference. Never zero in the first word, for number 1 is not (References.swift).
    init(numbers: (UInt64, UInt64)) { self.init(numbers.0, numbers.1) }

    static func == (a: IdKey, b: IdKey) -> Bool { a.first == b.first && a.second == b.second }
}

struct IdEntry {
    var key: IdKey
    var a: UInt64
    var b: UInt64
    var c: UInt64
}

/// The functions take the process's field, which is null while the table is empty.
enum IdTable {
    private struct Head {
        var count: Int
        var mask: Int
    }

    private static func head(_ field: UnsafeMutableRawPointer) -> Ref<Head> { field.assumingMemoryBound(to: Head.self) }
    private static func entries(_ field: UnsafeMutableRawPointer) -> Ref<IdEntry> {
        (field + MemoryLayout<Head>.size).assumingMemoryBound(to: IdEntry.self)
    }

    private static func make(_ capacity: Int) -> UnsafeMutableRawPointer {
        let size = MemoryLayout<Head>.size + capacity * MemoryLayout<IdEntry>.stride
        guard let memory = calloc(1, size) else { outOfMemory(size) }
        head(memory).pointee = Head(count: 0, mask: capacity - 1)
        return memory
    }

    private static func home(_ key: IdKey) -> Int {
        let mixed = (key.first ^ key.second &* 0x9E37_79B9_7F4A_7C15) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: mixed &>> 32)
    }

    static func count(_ field: UnsafeMutableRawPointer?) -> Int { field.map { head($0).pointee.count } ?? 0 }

    static func find(_ field: UnsafeMutableRawPointer?, _ key: IdKey) -> Ref<IdEntry>? {
        guard let field else { return nil }
        let mask = head(field).pointee.mask
        let entries = entries(field)
        var slot = home(key) & mask
        while entries[slot].key.first != 0 {
            if entries[slot].key == key { return entries + slot }
            slot = (slot &+ 1) & mask
        }
        return nil
    }

    /// The entry of `key`, made (with zero words) if need be.
    static func insert(_ field: inout UnsafeMutableRawPointer?, _ key: IdKey) -> Ref<IdEntry> {
        if let entry = find(field, key) { return entry }
        if field == nil { field = make(4) }
        var table = field.unsafelyUnwrapped
        if (head(table).pointee.count + 1) * 4 > (head(table).pointee.mask + 1) * 3 {
            let larger = make((head(table).pointee.mask + 1) * 2)
            forEach(table) { place(larger, $0.pointee) }
            free(table)
            field = larger
            table = larger
        }
        return place(table, IdEntry(key: key, a: 0, b: 0, c: 0))
    }

    @discardableResult
    private static func place(_ table: UnsafeMutableRawPointer, _ entry: IdEntry) -> Ref<IdEntry> {
        let mask = head(table).pointee.mask
        let entries = entries(table)
        var slot = home(entry.key) & mask
        while entries[slot].key.first != 0 { slot = (slot &+ 1) & mask }
        entries[slot] = entry
        head(table).pointee.count += 1
        return entries + slot
    }

    /// Removes what `find` answered.
    static func remove(_ field: inout UnsafeMutableRawPointer?, _ entry: Ref<IdEntry>) {
        let table = field.unsafelyUnwrapped
        head(table).pointee.count -= 1
        if head(table).pointee.count == 0 {
            free(table)
            field = nil
            return
        }
        let mask = head(table).pointee.mask
        let entries = entries(table)
        var hole = entry - entries
        var slot = hole
        while true {
            slot = (slot &+ 1) & mask
            guard entries[slot].key.first != 0 else { break }
            let distance = (slot &- home(entries[slot].key)) & mask
            if distance >= (slot &- hole) & mask {
                entries[hole] = entries[slot]
                hole = slot
            }
        }
        entries[hole].key = IdKey(0, 0)
    }

    /// Calls `body` for every entry; it must not change the table.
    static func forEach(_ field: UnsafeMutableRawPointer?, _ body: (Ref<IdEntry>) -> Void) {
        guard let field else { return }
        let entries = entries(field)
        for slot in 0...head(field).pointee.mask where entries[slot].key.first != 0 { body(entries + slot) }
    }

    /// The same in the order of the keys, so by age: who waits for the answers of many waits for the oldest first.
    static func forEachInOrder(_ field: UnsafeMutableRawPointer?, _ body: (Ref<IdEntry>) -> Void) {
        guard count(field) > 1 else { return forEach(field, body) }
        var list: [Ref<IdEntry>] = []
        list.reserveCapacity(count(field))
        forEach(field) { list.append($0) }
        list.sort {
            ($0.pointee.key.first, $0.pointee.key.second) < ($1.pointee.key.first, $1.pointee.key.second)
        }
        list.forEach(body)
    }

    /// Bytes that the table takes.
    static func byteCount(_ field: UnsafeMutableRawPointer?) -> Int {
        guard let field else { return 0 }
        return MemoryLayout<Head>.size + (head(field).pointee.mask + 1) * MemoryLayout<IdEntry>.stride
    }
}
