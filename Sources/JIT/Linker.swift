// Linker.swift: puts an object file into memory. Objects are what LLVM emits as position-independent code of the small
// code model: they refer to themselves relative to the instruction pointer, and to everything else through a table of
// addresses, which the linker makes. ORC is not used for it: it would cost libLLVM for code that comes from the cache.

import Glibc

struct LinkError: Error { let text: String }

/// Native code in memory: readable and executable, never written again.
struct NativeCode {
    let memory: UnsafeMutableRawPointer
    let byteCount: Int
    /// Where each section of the object is, from the start of the memory; nil: it is not there.
    fileprivate(set) var places: [Int?] = []

    func free() { munmap(memory, byteCount) }
}

/// What an object is linked with.
struct Symbols {
    /// By number: the value of symbol `kN`, and the entries of table `tN`, which stands in the object.
    var constants: [UInt64]
    var tables: [[UInt64]]
}

/// ELF's structures, as far as they are used here.
private struct Section {
    let type: UInt32
    let flags: UInt64
    let offset: Int
    let size: Int
    let link: Int
    let info: Int
    let alignment: Int
    /// Where it goes in memory, from the start of the code; nil if it does not.
    var place: Int?

    static let headerSize = 64
    var isLoaded: Bool { flags & 2 != 0 && size > 0 }
    var isZero: Bool { type == 8 }
}

private struct Symbol {
    let name: String
    let section: Int
    let value: Int
    var isUndefined: Bool { section == 0 }
}

private struct Relocation {
    let offset: Int
    let kind: UInt32
    let symbol: Int
    let addend: Int

    static let size = 24
}

struct Linker {
    private let object: UnsafeRawBufferPointer
    private let symbols: Symbols
    private var sections: [Section] = []
    private var names: [Symbol] = []
    private var byteCount = 0
    /// Offset of each symbol's slot in the table of addresses, and of the jump through it.
    private var slots: [Int: Int] = [:]
    private var jumps: [Int: Int] = [:]
    private var memory = UnsafeMutableRawPointer(bitPattern: 8)!

    private init(_ object: UnsafeRawBufferPointer, _ symbols: Symbols) {
        self.object = object
        self.symbols = symbols
    }

    /// Links an object; answers the addresses of `wanted`.
    static func link(
        _ object: UnsafeRawBufferPointer, _ symbols: Symbols, _ wanted: [String]
    ) throws(LinkError) -> (code: NativeCode, addresses: [UInt64]) {
        #if arch(x86_64)
        var linker = Linker(object, symbols)
        try linker.readSections()
        try linker.readSymbols()
        try linker.layOut()
        let size = (linker.byteCount + 4095) & ~4095
        let map = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let map, map != MAP_FAILED else { throw LinkError(text: "no memory for code") }
        let code = NativeCode(memory: map, byteCount: size, places: linker.sections.map(\.place))
        linker.memory = map
        do throws(LinkError) {
            try linker.fill()
            let addresses = try linker.addresses(wanted)
            guard mprotect(map, size, PROT_READ | PROT_EXEC) == 0 else { throw LinkError(text: "memory cannot be executed") }
            return (code, addresses)
        } catch {
            code.free()
            throw error
        }
        #else
        throw LinkError(text: "the linker does not know this processor")
        #endif
    }

    // MARK: Reading

    private func read<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) throws(LinkError) -> T {
        guard offset >= 0, offset <= object.count - MemoryLayout<T>.size else { throw LinkError(text: "object cut short") }
        return object.loadUnaligned(fromByteOffset: offset, as: type)
    }
    private func integer(_ offset: Int) throws(LinkError) -> Int {
        let value = try read(offset, as: UInt64.self)
        guard value < 1 << 40 else { throw LinkError(text: "number too large in the object") }
        return Int(value)
    }

    private mutating func readSections() throws(LinkError) {
        guard try read(0, as: UInt32.self) == 0x464C_457F, try read(18, as: UInt16.self) == 62 else {
            throw LinkError(text: "no object for this processor")
        }
        let table = try integer(40)
        for index in 0..<Int(try read(60, as: UInt16.self)) {
            let header = table + index * Section.headerSize
            let section = Section(
                type: try read(header + 4, as: UInt32.self), flags: try read(header + 8, as: UInt64.self),
                offset: try integer(header + 24), size: try integer(header + 32),
                link: Int(try read(header + 40, as: UInt32.self)), info: Int(try read(header + 44, as: UInt32.self)),
                alignment: max(1, try integer(header + 48)))
            guard section.isZero || section.offset + section.size <= object.count, section.size < 1 << 28,
                section.alignment <= 4096
            else { throw LinkError(text: "bad section") }
            sections.append(section)
        }
    }

    private func text(_ start: Int) throws(LinkError) -> String {
        var end = start
        while try read(end, as: UInt8.self) != 0 { end += 1 }
        return String(decoding: object[start..<end], as: UTF8.self)
    }

    private mutating func readSymbols() throws(LinkError) {
        guard let table = sections.first(where: { $0.type == 2 }), sections.indices.contains(table.link) else { return }
        let strings = sections[table.link].offset
        for entry in stride(from: table.offset, to: table.offset + table.size, by: 24) {
            let section = try read(entry + 6, as: UInt16.self)
            guard section < 0xFF00 || section == 0xFFF1 else { throw LinkError(text: "symbol in a special section") }
            names.append(
                Symbol(
                    name: try text(strings + Int(try read(entry, as: UInt32.self))), section: Int(section),
                    value: try integer(entry + 8)))
        }
    }

    private func relocations(_ section: Section) throws(LinkError) -> [Relocation] {
        var result: [Relocation] = []
        for entry in stride(from: section.offset, to: section.offset + section.size, by: Relocation.size) {
            let info = try read(entry + 8, as: UInt64.self)
            let relocation = Relocation(
                offset: try integer(entry), kind: UInt32(truncatingIfNeeded: info), symbol: Int(info >> 32),
                addend: Int(try read(entry + 16, as: Int64.self)))
            guard names.indices.contains(relocation.symbol), relocation.offset + 4 <= sections[section.info].size else {
                throw LinkError(text: "bad relocation")
            }
            result.append(relocation)
        }
        return result
    }

    /// Relocation tables of sections that go into memory.
    private var tables: [Section] {
        sections.filter { $0.type == 4 && sections.indices.contains($0.info) && sections[$0.info].place != nil }
    }

    // MARK: Layout

    private mutating func layOut() throws(LinkError) {
        for index in sections.indices where sections[index].isLoaded {
            byteCount = (byteCount + sections[index].alignment - 1) & -sections[index].alignment
            sections[index].place = byteCount
            byteCount += sections[index].size
        }
        byteCount = (byteCount + 15) & ~15
        for table in tables {
            for relocation in try relocations(table) {
                let isCall = [Kind.pc32, Kind.plt32].contains(relocation.kind) && names[relocation.symbol].isUndefined
                guard isCall || Kind.slots.contains(relocation.kind) else { continue }
                if slots[relocation.symbol] == nil {
                    slots[relocation.symbol] = byteCount
                    byteCount += 8
                }
                if isCall, jumps[relocation.symbol] == nil {
                    jumps[relocation.symbol] = byteCount
                    byteCount += 8
                }
            }
        }
    }

    // MARK: Filling

    /// Value of a symbol.
    private func value(_ index: Int) throws(LinkError) -> UInt64 {
        let symbol = names[index]
        if symbol.section == 0xFFF1 { return UInt64(symbol.value) }
        if !symbol.isUndefined {
            guard sections.indices.contains(symbol.section), let place = sections[symbol.section].place else {
                throw LinkError(text: "\(symbol.name) is not in memory")
            }
            return UInt64(UInt(bitPattern: memory + place)) + UInt64(symbol.value)
        }
        if symbol.name.first == "k", let number = Int(symbol.name.dropFirst()), symbols.constants.indices.contains(number) {
            return symbols.constants[number]
        }
        // What LLVM calls of its own accord: memcpy and the like.
        guard let address = dlsym(nil, symbol.name) else { throw LinkError(text: "nothing is called \(symbol.name)") }
        return UInt64(UInt(bitPattern: address))
    }

    private mutating func fill() throws(LinkError) {
        for section in sections {
            guard let place = section.place, !section.isZero else { continue }
            memcpy(memory + place, object.baseAddress! + section.offset, section.size)
        }
        for (symbol, slot) in slots { memory.storeBytes(of: try value(symbol), toByteOffset: slot, as: UInt64.self) }
        for (symbol, jump) in jumps {
            // jmp *slot(%rip)
            memory.storeBytes(of: 0x25FF, toByteOffset: jump, as: UInt16.self)
            memory.storeBytes(of: Int32(slots[symbol]! - jump - 6), toByteOffset: jump + 2, as: Int32.self)
        }
        try fillTables()
        for table in tables {
            for relocation in try relocations(table) { try apply(relocation, sections[table.info]) }
        }
    }

    private func fillTables() throws(LinkError) {
        for (index, symbol) in names.enumerated() where symbol.name.first == "t" && !symbol.isUndefined {
            guard let number = Int(symbol.name.dropFirst()), symbols.tables.indices.contains(number) else { continue }
            let place = try target(index)
            let entries = symbols.tables[number].enumerated().sorted { $0.element < $1.element }
            guard place >= 0, place <= byteCount - 16 * entries.count else { throw LinkError(text: "bad table") }
            for (row, entry) in entries.enumerated() {
                memory.storeBytes(of: entry.element, toByteOffset: place + 16 * row, as: UInt64.self)
                memory.storeBytes(of: UInt64(entry.offset), toByteOffset: place + 16 * row + 8, as: UInt64.self)
            }
        }
    }

    /// Relocation types of x86-64.
    private enum Kind {
        static let absolute64: UInt32 = 1
        static let pc32: UInt32 = 2
        static let plt32: UInt32 = 4
        static let slot: UInt32 = 9
        static let slotX: UInt32 = 41
        static let slotRex: UInt32 = 42
        static let pc64: UInt32 = 24
        static let slots = [slot, slotX, slotRex]
    }

    private func apply(_ relocation: Relocation, _ section: Section) throws(LinkError) {
        let place = section.place! + relocation.offset
        let addend = relocation.addend
        switch relocation.kind {
        case Kind.absolute64:
            guard relocation.offset + 8 <= section.size else { throw LinkError(text: "bad relocation") }
            memory.storeBytes(of: try value(relocation.symbol) &+ UInt64(bitPattern: Int64(addend)), toByteOffset: place, as: UInt64.self)
        case Kind.pc32, Kind.plt32:
            try store32(try target(relocation.symbol) &+ addend &- place, place)
        case Kind.slotX, Kind.slotRex, Kind.slot:
            if try !relax(relocation, place) { try store32(slots[relocation.symbol]! &+ addend &- place, place) }
        case Kind.pc64:
            guard relocation.offset + 8 <= section.size else { throw LinkError(text: "bad relocation") }
            memory.storeBytes(of: Int64(try target(relocation.symbol) &+ addend &- place), toByteOffset: place, as: Int64.self)
        default: throw LinkError(text: "relocation of type \(relocation.kind)")
        }
    }

    /// Where code relative to itself finds a symbol, from the start of the code.
    private func target(_ symbol: Int) throws(LinkError) -> Int {
        if let jump = jumps[symbol] { return jump }
        return Int(Int64(bitPattern: try value(symbol) &- UInt64(UInt(bitPattern: memory))))
    }

    private func store32(_ value: Int, _ place: Int) throws(LinkError) {
        guard let short = Int32(exactly: value) else { throw LinkError(text: "code too far away") }
        memory.storeBytes(of: short, toByteOffset: place, as: Int32.self)
    }

    /// A value that fits an immediate operand goes into the instruction: mov and cmp of a register, as atoms have.
    private func relax(_ relocation: Relocation, _ place: Int) throws(LinkError) -> Bool {
        guard relocation.kind == Kind.slotRex, relocation.addend == -4, relocation.offset >= 3,
            let short = Int32(exactly: Int64(bitPattern: try value(relocation.symbol)))
        else { return false }
        let rex = memory.load(fromByteOffset: place - 3, as: UInt8.self)
        let operation = memory.load(fromByteOffset: place - 2, as: UInt8.self)
        let modes = memory.load(fromByteOffset: place - 1, as: UInt8.self)
        guard rex & 0xF8 == 0x48, modes & 0xC7 == 0x05 else { return false }
        let register = modes >> 3 & 7
        // The register moves from the reg field (and REX.R) to the rm field (and REX.B).
        let newRex = 0x48 | rex >> 2 & 1
        let code: (UInt8, UInt8)
        switch operation {
        case 0x8B: code = (0xC7, 0xC0 | register)
        case 0x3B: code = (0x81, 0xF8 | register)
        default: return false
        }
        memory.storeBytes(of: newRex, toByteOffset: place - 3, as: UInt8.self)
        memory.storeBytes(of: code.0, toByteOffset: place - 2, as: UInt8.self)
        memory.storeBytes(of: code.1, toByteOffset: place - 1, as: UInt8.self)
        memory.storeBytes(of: short, toByteOffset: place, as: Int32.self)
        return true
    }

    private func addresses(_ wanted: [String]) throws(LinkError) -> [UInt64] {
        var byName: [String: Int] = [:]
        for (index, symbol) in names.enumerated() where !symbol.isUndefined { byName[symbol.name] = index }
        var result: [UInt64] = []
        for name in wanted {
            guard let index = byName[name] else { throw LinkError(text: "nothing is called \(name)") }
            result.append(try value(index))
        }
        return result
    }
}
