// AtomTable.swift: atoms, interned for ever. Reading (text of an atom, looking a text up) takes no lock; adding takes
// `lock`. The names that Swift code uses have fixed indexes (Generated/Atoms.swift) and are there from the start.

public import CMachine
import Glibc

/// Atoms that have the same index in every run.
public var fixedAtomCount: Int { fixedAtomNames.count }

/// One atom's text.
public struct AtomEntry {
    /// UTF-8, not terminated.
    public let bytes: UnsafePointer<UInt8>
    public let count: UInt32
    /// The ELF hash of the text that phash2 uses (Latin-1 characters as one byte each).
    public let hash: UInt32
    /// Code points.
    public let characters: UInt16
    /// All code points below 256.
    public let isLatin1: Bool
}

public enum AtomTable {
    public static let limit = 1_048_576
    public static let maximumCharacters = 255

    /// Entry pointers by index: address space for `limit` of them, published by `count`.
    nonisolated(unsafe) private static var entries: UnsafeMutablePointer<UnsafePointer<AtomEntry>?>! = nil
    nonisolated(unsafe) private static var count: UInt64 = 0
    /// Open-addressed slots of index + 1; replaced as a whole when half full (old tables stay readable).
    nonisolated(unsafe) private static var slots: UInt64 = 0
    nonisolated(unsafe) private static var lock = Lock()

    /// The slots: [0] is the mask, the rest follow.
    private static func makeSlots(_ capacity: Int) -> UnsafeMutablePointer<UInt32> {
        let table = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity + 1)
        table.initialize(repeating: 0, count: capacity + 1)
        table[0] = UInt32(capacity - 1)
        return table
    }

    /// Makes the table with the fixed atoms. Call once, before any other use.
    public static func boot() {
        guard entries == nil else { return }
        let size = limit * 8
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { outOfMemory(size) }
        entries = memory.assumingMemoryBound(to: UnsafePointer<AtomEntry>?.self)
        slots = UInt64(UInt(bitPattern: makeSlots(1 << 15)))
        for name in fixedAtomNames {
            name.withUTF8Buffer { _ = intern($0) }
        }
    }

    /// Bytes taken by the entries, their texts, and the table.
    public static var byteCount: Int {
        let count = atomCount
        var bytes = count * (MemoryLayout<AtomEntry>.stride + 8) + 8 * count
        for index in 0..<count { bytes += Int(entries[index].unsafelyUnwrapped.pointee.count) }
        return bytes
    }

    public static var atomCount: Int { Int(vm_load_acquire(&count)) }

    /// The text of `atom`. Requires: isAtom.
    public static func entry(_ atom: Term) -> UnsafePointer<AtomEntry> { entries[atom.atomIndex].unsafelyUnwrapped }

    public static func isValid(index: Int) -> Bool { index >= 0 && index < atomCount }

    private static func textHash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash ^ hash >> 15
    }

    /// The atom with this UTF-8 text, if there is one.
    public static func find(_ bytes: UnsafeBufferPointer<UInt8>) -> Term? {
        let table = UnsafeMutablePointer<UInt32>(bitPattern: UInt(vm_load_acquire(&slots))).unsafelyUnwrapped
        let mask = table[0]
        var slot = textHash(bytes) & mask
        while true {
            let stored = vm_load_acquire32(table + 1 + Int(slot))
            if stored == 0 { return nil }
            let entry = entries[Int(stored - 1)].unsafelyUnwrapped
            if Int(entry.pointee.count) == bytes.count,
                bytes.count == 0 || memcmp(entry.pointee.bytes, bytes.baseAddress!, bytes.count) == 0
            {
                return .atom(Int(stored - 1))
            }
            slot = (slot + 1) & mask
        }
    }

    /// The atom with this text, made if need be. Nil if the text is no valid UTF-8 or longer than 255 characters.
    /// A full table ends the VM, as in OTP.
    public static func intern(_ bytes: UnsafeBufferPointer<UInt8>) -> Term? {
        if let atom = find(bytes) { return atom }
        guard let properties = examine(bytes), properties.characters <= maximumCharacters else { return nil }
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if let atom = find(bytes) { return atom }
        let index = Int(count)
        guard index < limit else {
            complain("no more index entries in atom_tab (max=\(limit))")
            exit(1)
        }
        let text = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
        if bytes.count > 0 { memcpy(text, bytes.baseAddress!, bytes.count) }
        let entry = UnsafeMutablePointer<AtomEntry>.allocate(capacity: 1)
        entry.initialize(
            to: AtomEntry(
                bytes: text, count: UInt32(bytes.count), hash: properties.hash,
                characters: UInt16(properties.characters), isLatin1: properties.isLatin1))
        entries[index] = UnsafePointer(entry)
        growIfNeeded()
        let table = UnsafeMutablePointer<UInt32>(bitPattern: UInt(slots)).unsafelyUnwrapped
        place(UInt32(index), bytes, in: table)
        vm_store_release(&count, UInt64(index + 1))
        return .atom(index)
    }

    public static func intern(_ text: String) -> Term {
        var text = text
        guard let atom = text.withUTF8({ intern($0) }) else { preconditionFailure("atom too long: \(text)") }
        return atom
    }

    private static func place(_ index: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, in table: Ref<UInt32>) {
        let mask = table[0]
        var slot = textHash(bytes) & mask
        while table[1 + Int(slot)] != 0 { slot = (slot + 1) & mask }
        vm_store_release32(table + 1 + Int(slot), index + 1)
    }

    private static func growIfNeeded() {
        let table = UnsafeMutablePointer<UInt32>(bitPattern: UInt(slots)).unsafelyUnwrapped
        guard count * 2 >= UInt64(table[0]) else { return }
        let larger = makeSlots((Int(table[0]) + 1) * 2)
        for index in 0..<Int(count) {
            let entry = entries[index].unsafelyUnwrapped
            place(UInt32(index), UnsafeBufferPointer(start: entry.pointee.bytes, count: Int(entry.pointee.count)), in: larger)
        }
        vm_store_release(&slots, UInt64(UInt(bitPattern: larger)))
    }

    /// Counts the characters of valid UTF-8 and computes phash2's text hash; nil for anything else.
    private static func examine(_ bytes: UnsafeBufferPointer<UInt8>) -> (characters: Int, hash: UInt32, isLatin1: Bool)? {
        var hash: UInt32 = 0
        func mix(_ byte: UInt8) {
            hash = (hash << 4) &+ UInt32(byte)
            let high = hash & 0xF000_0000
            if high != 0 { hash ^= high >> 24 ^ high }
        }
        var characters = 0
        var isLatin1 = true
        var index = 0
        while index < bytes.count {
            let lead = bytes[index]
            let length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0
            guard length > 0, index + length <= bytes.count else { return nil }
            var value = UInt32(length == 1 ? lead : lead & (0xFF >> UInt8(length + 1)))
            for offset in 1..<max(length, 1) {
                let byte = bytes[index + offset]
                guard byte & 0xC0 == 0x80 else { return nil }
                value = value << 6 | UInt32(byte & 0x3F)
            }
            if length == 3, value < 0x800 || (value >= 0xD800 && value < 0xE000) { return nil }
            if length == 4, value < 0x10000 || value > 0x10FFFF { return nil }
            if value < 256 {
                mix(UInt8(value))
            } else {
                isLatin1 = false
                for offset in 0..<length { mix(bytes[index + offset]) }
            }
            characters += 1
            index += length
        }
        return (characters, hash, isLatin1)
    }
}

extension Term {
    /// The text of an atom. Requires: isAtom. For messages and tools, not for hot paths.
    public var atomText: String {
        let entry = AtomTable.entry(self).pointee
        return String(decoding: UnsafeBufferPointer(start: entry.bytes, count: Int(entry.count)), as: UTF8.self)
    }
}

extension StaticString {
    func withUTF8Buffer<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        body(UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount))
    }
}
