// Dictionary.swift: the process dictionary: entries in the order of their making, and above eight of them a hash index.
// Keys and values live on the process's heap; this memory is outside it, so every entry is a root.
//
//     head | entries[capacity] of (key, value, hash) | index[2 * capacity] of UInt32: entry + 1, 0 = free

public import CMachine
import Glibc
public import Terms

public enum Dictionary {
    private struct Head {
        var count: Int
        var capacity: Int
    }

    private struct Entry {
        var key: Term
        var value: Term
        var hash: UInt64
    }

    private static func head(_ process: Ref<Process>) -> Ref<Head>? {
        process.pointee.dictionary?.assumingMemoryBound(to: Head.self)
    }
    private static func entries(_ head: Ref<Head>) -> Ref<Entry> {
        (UnsafeMutableRawPointer(head) + MemoryLayout<Head>.size).assumingMemoryBound(to: Entry.self)
    }
    private static func index(_ head: Ref<Head>) -> Ref<UInt32> {
        UnsafeMutableRawPointer(entries(head) + head.pointee.capacity).assumingMemoryBound(to: UInt32.self)
    }
    private static func size(_ capacity: Int) -> Int {
        MemoryLayout<Head>.size + capacity * (MemoryLayout<Entry>.stride + 8)
    }

    private static func hash(_ key: Term) -> UInt64 {
        let hash = key.isImmediate ? UInt64(key.raw &* 0x9E37_79B9_7F4A_7C15 &>> 32) : UInt64(internalHash(key))
        return hash ^ hash &>> 15
    }

    private static func matches(_ entry: Ref<Entry>, _ key: Term, _ hash: UInt64) -> Bool {
        entry.pointee.hash == hash && (entry.pointee.key == key || termsIdentical(entry.pointee.key, key))
    }

    /// Position of the key, or nil. Small tables are searched in order, larger ones by the index.
    private static func find(_ head: Ref<Head>, _ key: Term, _ hash: UInt64) -> Int? {
        let entries = entries(head)
        if head.pointee.capacity <= 8 {
            for position in 0..<head.pointee.count where matches(entries + position, key, hash) { return position }
            return nil
        }
        let index = index(head)
        let mask = head.pointee.capacity * 2 - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while index[slot] != 0 {
            let position = Int(index[slot]) - 1
            if matches(entries + position, key, hash) { return position }
            slot = (slot + 1) & mask
        }
        return nil
    }

    // MARK: Access

    public static func get(_ process: Ref<Process>, _ key: Term) -> Term {
        guard let head = head(process), let position = find(head, key, hash(key)) else { return Atoms.undefined }
        return entries(head)[position].value
    }

    /// Stores a value; answers the old one.
    public static func put(_ process: Ref<Process>, _ key: Term, _ value: Term) -> Term {
        let hash = hash(key)
        if let head = head(process), let position = find(head, key, hash) {
            let old = entries(head)[position].value
            entries(head)[position].value = value
            return old
        }
        let head = withRoom(process)
        let position = head.pointee.count
        entries(head)[position] = Entry(key: key, value: value, hash: hash)
        head.pointee.count += 1
        if head.pointee.capacity > 8 { enter(head, position) }
        return Atoms.undefined
    }

    public static func erase(_ process: Ref<Process>, _ key: Term) -> Term {
        guard let head = head(process), let position = find(head, key, hash(key)) else { return Atoms.undefined }
        let entries = entries(head)
        let old = entries[position].value
        if head.pointee.capacity > 8 { leave(head, position) }
        let last = head.pointee.count - 1
        if position != last {
            if head.pointee.capacity > 8 { leave(head, last) }
            entries[position] = entries[last]
            if head.pointee.capacity > 8 { enter(head, position) }
        }
        head.pointee.count = last
        if last == 0 { free(process) }
        return old
    }

    public static func count(_ process: Ref<Process>) -> Int { head(process)?.pointee.count ?? 0 }

    /// Bytes taken.
    public static func byteCount(_ process: Ref<Process>) -> Int { head(process).map { size($0.pointee.capacity) } ?? 0 }

    /// Calls `body` with every key and value, the newest first.
    public static func forEach(_ process: Ref<Process>, _ body: (Term, Term) -> Void) {
        guard let head = head(process) else { return }
        for position in (0..<head.pointee.count).reversed() {
            body(entries(head)[position].key, entries(head)[position].value)
        }
    }

    static func free(_ process: Ref<Process>) {
        Glibc.free(process.pointee.dictionary)
        process.pointee.dictionary = nil
    }

    static func forEachRoot(_ process: Ref<Process>, _ body: (Ref<Term>) -> Void) {
        guard let head = head(process) else { return }
        let entries = entries(head)
        for position in 0..<head.pointee.count {
            let entry = UnsafeMutableRawPointer(entries + position).assumingMemoryBound(to: Term.self)
            body(entry)
            body(entry + 1)
        }
    }

    // MARK: Memory

    private static func enter(_ head: Ref<Head>, _ position: Int) {
        let index = index(head)
        let mask = head.pointee.capacity * 2 - 1
        var slot = Int(truncatingIfNeeded: entries(head)[position].hash) & mask
        while index[slot] != 0 { slot = (slot + 1) & mask }
        index[slot] = UInt32(position + 1)
    }

    /// Takes an entry out of the index; what follows it in the chain moves up.
    private static func leave(_ head: Ref<Head>, _ position: Int) {
        let index = index(head)
        let entries = entries(head)
        let mask = head.pointee.capacity * 2 - 1
        var hole = Int(truncatingIfNeeded: entries[position].hash) & mask
        while index[hole] != UInt32(position + 1) { hole = (hole + 1) & mask }
        var slot = hole
        while true {
            slot = (slot + 1) & mask
            guard index[slot] != 0 else { break }
            let home = Int(truncatingIfNeeded: entries[Int(index[slot]) - 1].hash) & mask
            if (slot - home) & mask >= (slot - hole) & mask {
                index[hole] = index[slot]
                hole = slot
            }
        }
        index[hole] = 0
    }

    private static func withRoom(_ process: Ref<Process>) -> Ref<Head> {
        let old = head(process)
        if let old, old.pointee.count < old.pointee.capacity { return old }
        let capacity = max(8, (old?.pointee.capacity ?? 0) * 2)
        guard let memory = calloc(1, size(capacity)) else { outOfMemory(size(capacity)) }
        let head = memory.assumingMemoryBound(to: Head.self)
        head.pointee = Head(count: old?.pointee.count ?? 0, capacity: capacity)
        if let old { entries(head).update(from: entries(old), count: old.pointee.count) }
        if capacity > 8 { for position in 0..<head.pointee.count { enter(head, position) } }
        Glibc.free(process.pointee.dictionary)
        process.pointee.dictionary = memory
        return head
    }
}
