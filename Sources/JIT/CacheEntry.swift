// CacheEntry.swift: a compiled unit as bytes, for another run of the VM. Constants are written as what they stand for;
// the reader finds out what they are worth in its run. An entry that does not fit in any way is none.

import CMachine
import Machine
import Terms

/// A unit read back: everything that linking and publishing need.
struct CacheEntry {
    let speculates: Bool
    let functions: [Ref<Function>]
    /// Functions that were inlined.
    let inlined: [Ref<Function>]
    /// Bytes of native code of each.
    let sizes: [Int]
    let exits: [(function: Ref<Function>, word: Int, reason: String)]
    let published: [Published]
    let symbols: Symbols
    let object: UnsafeRawBufferPointer
}

/// The constants that are the unit's number: known only when it is linked.
private let unitKind: UInt8 = 12

private let magic: UInt64 = 0x3330_5449_4A4D_4745  // "EGMJIT03"

private func checksum(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt64 {
    let bytes = UnsafeRawBufferPointer(rebasing: bytes)
    var sum = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
    var offset = 0
    while offset + 8 <= bytes.count {
        sum = (sum ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0xC2B2_AE3D_27D4_EB4F
        sum ^= sum >> 29
        offset += 8
    }
    while offset < bytes.count {
        sum = (sum ^ UInt64(bytes[offset])) &* 0xC2B2_AE3D_27D4_EB4F
        sum ^= sum >> 29
        offset += 1
    }
    return sum
}

// MARK: - Writing

/// magic, checksum of the rest, key, MD5 of the module, the rest as `init` writes it.
struct CacheWriter {
    private(set) var bytes: [UInt8] = []
    private let module: LoadedModule
    private let literals: [UInt64: Int]

    /// Nil: something in the unit cannot be found again in another run.
    init?(_ unit: Unit, _ native: NativeUnit, _ object: UnsafeRawBufferPointer, key: [UInt8]) {
        module = LoadedModule.of(unit.bodies[0].function)
        var literals: [UInt64: Int] = [:]
        for index in 0..<module.literalCount { literals[module.literals[index].raw] = index }
        self.literals = literals
        add(magic)
        add(0 as UInt64)
        bytes += key
        bytes += module.md5
        add(unit.speculates ? 1 : 0 as UInt8)
        add(UInt32(unit.bodies.count))
        for (body, part) in zip(unit.bodies, native.parts) {
            guard let index = index(of: body.function) else { return nil }
            add(UInt32(index))
            add(UInt32(body.function.pointee.codeWords))
            add(UInt32(part.codeBytes))
        }
        add(UInt32(unit.inlined.count))
        for function in unit.inlined {
            guard let index = index(of: function) else { return nil }
            add(UInt32(index))
            add(UInt32(function.pointee.codeWords))
        }
        add(UInt32(unit.exits.count))
        for exit in unit.exits {
            guard let index = index(of: exit.body.function) else { return nil }
            add(UInt32(index))
            add(UInt32(exit.instruction.start))
            add(exit.reason)
        }
        add(UInt32(unit.published.count))
        for item in unit.published {
            guard let index = index(of: item.function) else { return nil }
            add(item.symbol)
            add(UInt32(index))
            add(UInt32(item.word))
            add(UInt32(item.op.rawValue))
        }
        guard add(unit.constants.list) else { return nil }
        add(UInt32(unit.constants.tables.count))
        for table in unit.constants.tables { guard add(table) else { return nil } }
        add(UInt32(object.count))
        bytes += object
        let sum = bytes.withUnsafeBytes { checksum($0[16...]) }
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: sum, toByteOffset: 8, as: UInt64.self) }
    }

    private mutating func add<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }
    private mutating func add(_ text: String) {
        add(UInt32(text.utf8.count))
        bytes += Array(text.utf8)
    }

    private func index(of function: Ref<Function>) -> Int? {
        let index = function - module.functions
        return function >= module.functions && index < module.functionCount ? index : nil
    }

    private mutating func add(_ constants: [Constant]) -> Bool {
        add(UInt32(constants.count))
        return constants.allSatisfy { add($0) }
    }

    private mutating func add(_ constant: Constant) -> Bool {
        switch constant {
        case .word(let function, let word): return add(1, function, word)
        case .catchTag(let function, let word): return add(2, function, word)
        case .function(let function): return add(3, function, 0)
        case .export(let export):
            add(4 as UInt8)
            add(export.pointee.module.atomText)
            add(export.pointee.name.atomText)
            add(export.pointee.arity)
        case .funEntry(let entry):
            let index = Int(entry.pointee.index)
            guard index < module.funCount, module.funs[index] == entry else { return false }
            add(5 as UInt8)
            add(UInt32(index))
        case .term(let raw): return add(term: raw)
        case .string(let address):
            let offset = Int(address) - Int(bitPattern: module.strings.baseAddress)
            guard (0...module.strings.count).contains(offset) else { return false }
            add(8 as UInt8)
            add(UInt32(offset))
        case .helper(let helper): add(9, Int32(helper.rawValue))
        case .handler(let op): add(10, op.rawValue)
        case .slowHandler(let op): add(11, op.rawValue)
        case .unit: add(unitKind)
        case .counter: return false
        case .slowFunction(let op): add(13, op.rawValue)
        }
        return true
    }

    private mutating func add(_ kind: UInt8, _ number: Int32) {
        add(kind)
        add(number)
    }

    private mutating func add(_ kind: UInt8, _ function: Ref<Function>, _ word: Int) -> Bool {
        guard let index = index(of: function) else { return false }
        add(kind)
        add(UInt32(index))
        add(UInt32(word))
        return true
    }

    private mutating func add(term raw: UInt64) -> Bool {
        let term = Term(raw: raw)
        if term.isAtom {
            add(6 as UInt8)
            add(term.atomText)
        } else if let index = literals[raw] {
            add(7 as UInt8)
            add(UInt32(index))
        } else if term.isBig {
            // An operand that is no small integer; equal ones are one term.
            add(14 as UInt8)
            let words = Header.words(term.header)
            add(UInt32(words + 1))
            for index in 0...words { add(term.pointer[index]) }
        } else {
            return false
        }
        return true
    }
}

// MARK: - Reading

private struct Mismatch: Error {}

struct CacheReader {
    private let bytes: UnsafeRawBufferPointer
    private let module: LoadedModule
    private let unit: UInt64
    private var position = 16

    /// Nil: not an entry, or not one for this code.
    static func read(_ bytes: UnsafeRawBufferPointer, _ module: LoadedModule, key: [UInt8], unit: UInt64) -> CacheEntry? {
        guard bytes.count > 64, bytes.loadUnaligned(as: UInt64.self) == magic,
            bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == checksum(bytes[16...])
        else { return nil }
        var reader = CacheReader(bytes: bytes, module: module, unit: unit)
        return try? reader.entry(key)
    }

    private init(bytes: UnsafeRawBufferPointer, module: LoadedModule, unit: UInt64) {
        self.bytes = bytes
        self.module = module
        self.unit = unit
    }

    private mutating func take(_ count: Int) throws(Mismatch) -> Slice<UnsafeRawBufferPointer> {
        guard count >= 0, position + count <= bytes.count else { throw Mismatch() }
        defer { position += count }
        return bytes[position..<position + count]
    }
    private mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws(Mismatch) -> T {
        let slice = try take(MemoryLayout<T>.size)
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: slice.startIndex, as: T.self))
    }
    /// A number below `limit`.
    private mutating func index(_ limit: Int) throws(Mismatch) -> Int {
        let value = Int(try number(UInt32.self))
        guard value < limit else { throw Mismatch() }
        return value
    }
    private mutating func count() throws(Mismatch) -> Int { try index(bytes.count) }
    private mutating func text() throws(Mismatch) -> String { String(decoding: try take(try count()), as: UTF8.self) }
    private mutating func atom() throws(Mismatch) -> Term {
        let slice = UnsafeRawBufferPointer(rebasing: try take(try count()))
        guard let atom = AtomTable.intern(slice.bindMemory(to: UInt8.self)) else { throw Mismatch() }
        return atom
    }
    private mutating func function() throws(Mismatch) -> Ref<Function> {
        module.functions + (try index(module.functionCount))
    }
    /// Whoever asked for the unit has had its functions decoded.
    private mutating func decodedFunction() throws(Mismatch) -> Ref<Function> {
        let function = try self.function()
        guard function.pointee.code != nil else { throw Mismatch() }
        return function
    }

    /// A function whose code is what it was.
    private mutating func sameFunction() throws(Mismatch) -> Ref<Function> {
        let function = try decodedFunction()
        guard try number(UInt32.self) == UInt32(function.pointee.codeWords) else { throw Mismatch() }
        return function
    }

    private mutating func entry(_ key: [UInt8]) throws(Mismatch) -> CacheEntry {
        guard try take(key.count).elementsEqual(key), try take(16).elementsEqual(module.md5) else { throw Mismatch() }
        let speculates = try number(UInt8.self) != 0
        var functions: [Ref<Function>] = []
        var sizes: [Int] = []
        for _ in 0..<(try count()) {
            functions.append(try sameFunction())
            sizes.append(Int(try number(UInt32.self)))
        }
        guard !functions.isEmpty else { throw Mismatch() }
        var inlined: [Ref<Function>] = []
        for _ in 0..<(try count()) { inlined.append(try sameFunction()) }
        var exits: [(function: Ref<Function>, word: Int, reason: String)] = []
        for _ in 0..<(try count()) { exits.append((try function(), Int(try number(UInt32.self)), try text())) }
        let published = try readPublished()
        let constants = try self.constants()
        var tables: [[UInt64]] = []
        for _ in 0..<(try count()) { tables.append(try self.constants()) }
        let object = UnsafeRawBufferPointer(rebasing: try take(try count()))
        guard position == bytes.count else { throw Mismatch() }
        return CacheEntry(
            speculates: speculates, functions: functions, inlined: inlined, sizes: sizes, exits: exits, published: published,
            symbols: Symbols(constants: constants, tables: tables), object: object)
    }

    private mutating func readPublished() throws(Mismatch) -> [Published] {
        var result: [Published] = []
        for _ in 0..<(try count()) {
            let symbol = try text()
            let (function, word) = try place()
            guard let op = Op(rawValue: try number(Int32.self)) else { throw Mismatch() }
            result.append(Published(symbol: symbol, function: function, word: word, op: op))
        }
        return result
    }

    /// A word of decoded code.
    private mutating func place() throws(Mismatch) -> (Ref<Function>, Int) {
        let function = try decodedFunction()
        return (function, try index(Int(function.pointee.codeWords)))
    }

    private mutating func constants() throws(Mismatch) -> [UInt64] {
        var result: [UInt64] = []
        for _ in 0..<(try count()) { result.append(try constant()) }
        return result
    }

    private mutating func constant() throws(Mismatch) -> UInt64 {
        switch try number(UInt8.self) {
        case 1:
            let (function, word) = try place()
            return Constant.word(function, word).value
        case 2:
            let (function, word) = try place()
            return Constant.catchTag(function, word).value
        case 3:
            let function = try self.function()
            _ = try number(UInt32.self)
            return Constant.function(function).value
        case 4:
            let (module, name, arity) = (try atom(), try atom(), try index(256))
            return Constant.export(Exports.findOrMake(module, name, arity)).value
        case 5: return Constant.funEntry(module.funs[try index(module.funCount)]).value
        case 6: return try atom().raw
        case 7: return module.literals[try index(module.literalCount)].raw
        case 8: return UInt64(UInt(bitPattern: module.strings.baseAddress) + UInt(try index(module.strings.count + 1)))
        case 9:
            guard let helper = Helper(rawValue: UInt8(truncatingIfNeeded: try number(Int32.self))) else { throw Mismatch() }
            return helper.address
        case 10: return Constant.handler(try op()).value
        case 11: return Constant.slowHandler(try op()).value
        case unitKind: return unit
        case 13: return Constant.slowFunction(try op()).value
        case 14: return try bigInteger()
        default: throw Mismatch()
        }
    }

    private mutating func op() throws(Mismatch) -> Op {
        guard let op = Op(rawValue: try number(Int32.self)) else { throw Mismatch() }
        return op
    }

    private mutating func bigInteger() throws(Mismatch) -> UInt64 {
        var words: [UInt64] = []
        for _ in 0..<(try count()) { words.append(try number(UInt64.self)) }
        guard words.count > 1, Header.words(words[0]) == words.count - 1 else { throw Mismatch() }
        let term = words.withUnsafeMutableBufferPointer { buffer -> Term? in
            let term = Term.boxed(buffer.baseAddress!)
            return term.isBig ? IntegerLiterals.shared(term) : nil
        }
        guard let term else { throw Mismatch() }
        return term.raw
    }
}
