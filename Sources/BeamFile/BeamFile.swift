// BeamFile.swift: a parsed .beam file. Tables are checked against each other here, so that whoever loads the module may
// index them without further tests. Nothing is executed and no term is made.
//
// A BeamFile views the bytes it was made from, which must outlive it; only the inflated literals are its own.

import CZlib

/// The tables of one module.
public final class BeamFile {
    public struct Import: Sendable {
        public let module: Int
        public let function: Int
        public let arity: Int
    }

    public struct Export: Sendable {
        public let function: Int
        public let arity: Int
        public let label: Int
    }

    /// One row of FunT. `arity` counts the free variables too.
    public struct Lambda: Sendable {
        public let function: Int
        public let arity: Int
        public let label: Int
        public let index: Int
        public let freeCount: Int
        public let oldUniq: UInt32
    }

    public let container: BeamContainer
    /// Texts of the atoms, in UTF-8. Index 0 is unused: operand atom 0 is `[]`. Index 1 names the module.
    public let atoms: [UnsafeRawBufferPointer]
    /// The instructions, without the chunk's header.
    public let code: UnsafeRawBufferPointer
    /// Labels are 1..<labelCount.
    public let labelCount: Int
    public let functionCount: Int
    public let strings: UnsafeRawBufferPointer
    public let imports: [Import]
    public let exports: [Export]
    public let lambdas: [Lambda]
    public let literals: LiteralTable
    public let lines: LineTable
    public let types: [TypeEntry]
    /// External term format, or nil.
    public var attributes: UnsafeRawBufferPointer? { container[.attributes] }
    public var compileInfo: UnsafeRawBufferPointer? { container[.compileInfo] }

    /// Reads the tables of `bytes`. `asPreloaded`: see BeamContainer.
    public init(_ bytes: UnsafeRawBufferPointer, asPreloaded: Bool = false) throws(LoadError) {
        let container = try BeamContainer(bytes, asPreloaded: asPreloaded)
        guard let atomData = container[.atoms] else {
            throw LoadError(container[.oldAtoms] == nil ? .missingChunk : .oldAtoms, at: 0)
        }
        guard let codeData = container[.code], let importData = container[.imports],
            let exportData = container[.exports]
        else { throw LoadError(.missingChunk, at: 0) }
        self.container = container
        atoms = try Self.readAtoms(atomData)
        (code, labelCount, functionCount) = try Self.readCodeHeader(codeData)
        strings = container[.strings] ?? UnsafeRawBufferPointer(start: nil, count: 0)
        imports = try Self.readImports(importData, atomCount: atoms.count)
        exports = try Self.readExports(exportData, atomCount: atoms.count)
        lambdas = try Self.readLambdas(container[.lambdas], atomCount: atoms.count)
        literals = try LiteralTable(container[.literals])
        lines = try LineTable(container[.lines])
        types = try TypeEntry.read(container[.types])
    }

    private static func readAtoms(_ data: UnsafeRawBufferPointer) throws(LoadError) -> [UnsafeRawBufferPointer] {
        var reader = ByteReader(data)
        let stored = Int(Int32(truncatingIfNeeded: try reader.u32()))
        let count = abs(stored)
        guard count >= 1, count <= reader.remaining else { throw LoadError(.badCount, at: 0) }
        var atoms = [UnsafeRawBufferPointer(start: nil, count: 0)]
        atoms.reserveCapacity(count + 1)
        for _ in 0..<count {
            var length = 0
            if stored > 0 {
                length = try reader.u8()
            } else {
                let (tag, value) = try reader.compact()
                guard tag == 0 else { throw LoadError(.badAtom, at: reader.offset) }
                length = value
            }
            atoms.append(try reader.slice(length))
        }
        return atoms
    }

    private static func readCodeHeader(
        _ data: UnsafeRawBufferPointer
    ) throws(LoadError) -> (UnsafeRawBufferPointer, Int, Int) {
        var reader = ByteReader(data)
        let headerSize = try reader.u32()
        guard headerSize >= 16, headerSize <= reader.remaining else { throw LoadError(.truncated, at: 0) }
        guard try reader.u32() == 0 else { throw LoadError(.badVersion, at: 4) }
        guard try reader.u32() <= Opcode.highest else { throw LoadError(.newOpcode, at: 8) }
        let labels = try reader.u32()
        let functions = try reader.u32()
        _ = try reader.slice(headerSize - 16)
        // Every label and every function takes at least two bytes of code.
        guard labels <= reader.remaining / 2 + 1, functions <= labels else { throw LoadError(.badCount, at: 12) }
        return (try reader.slice(reader.remaining), labels, functions)
    }

    private static func readImports(
        _ data: UnsafeRawBufferPointer, atomCount: Int
    ) throws(LoadError) -> [Import] {
        var reader = ByteReader(data)
        let count = try reader.count(itemSize: 12)
        var imports: [Import] = []
        imports.reserveCapacity(count)
        for _ in 0..<count {
            let item = Import(module: try reader.u32(), function: try reader.u32(), arity: try reader.u32())
            guard item.module >= 1, item.module < atomCount, item.function >= 1, item.function < atomCount,
                item.arity <= 255
            else { throw LoadError(.badIndex, at: reader.offset - 12) }
            imports.append(item)
        }
        return imports
    }

    private static func readExports(
        _ data: UnsafeRawBufferPointer, atomCount: Int
    ) throws(LoadError) -> [Export] {
        var reader = ByteReader(data)
        let count = try reader.count(itemSize: 12)
        var exports: [Export] = []
        exports.reserveCapacity(count)
        for _ in 0..<count {
            let item = Export(function: try reader.u32(), arity: try reader.u32(), label: try reader.u32())
            guard item.function >= 1, item.function < atomCount, item.arity <= 255 else {
                throw LoadError(.badIndex, at: reader.offset - 12)
            }
            exports.append(item)
        }
        return exports
    }

    private static func readLambdas(
        _ data: UnsafeRawBufferPointer?, atomCount: Int
    ) throws(LoadError) -> [Lambda] {
        guard let data else { return [] }
        var reader = ByteReader(data)
        let count = try reader.count(itemSize: 24)
        var lambdas: [Lambda] = []
        lambdas.reserveCapacity(count)
        for _ in 0..<count {
            let item = Lambda(
                function: try reader.u32(), arity: try reader.u32(), label: try reader.u32(),
                index: try reader.u32(), freeCount: try reader.u32(),
                oldUniq: UInt32(try reader.u32()))
            guard item.function >= 1, item.function < atomCount, item.arity <= 255, item.freeCount <= item.arity else {
                throw LoadError(.badLambda, at: reader.offset - 24)
            }
            lambdas.append(item)
        }
        return lambdas
    }
}

/// The inflated LitT chunk: external terms, one after the other.
public final class LiteralTable {
    /// Byte ranges of the external terms (each starts with 131).
    public private(set) var ranges: [Range<Int>] = []
    private var storage: UnsafeMutableRawBufferPointer

    /// The external term of literal `index`.
    public subscript(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[ranges[index]])
    }
    public var count: Int { ranges.count }

    init(_ data: UnsafeRawBufferPointer?) throws(LoadError) {
        storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        guard let data else { return }
        var header = ByteReader(data)
        let size = try header.u32()
        let packed = try header.slice(header.remaining)
        try unpack(packed, size)
        guard storage.count > 0 else { return }
        var reader = ByteReader(UnsafeRawBufferPointer(storage))
        let count = try reader.count(itemSize: 4)
        ranges.reserveCapacity(count)
        for _ in 0..<count {
            let length = try reader.u32()
            let start = reader.offset
            _ = try reader.slice(length)
            ranges.append(start..<start + length)
        }
    }

    deinit { storage.deallocate() }

    /// Fills `storage`. Size 0 says that the table is stored as it is (OTP 28).
    private func unpack(_ packed: UnsafeRawBufferPointer, _ size: Int) throws(LoadError) {
        if size == 0 {
            storage = .allocate(byteCount: packed.count, alignment: 8)
            storage.copyMemory(from: packed)
            return
        }
        // deflate cannot do better than about 1030 to 1, so a bigger claim is a lie told to make us allocate.
        guard size / 1040 <= packed.count else { throw LoadError(.badLiterals, at: 0) }
        storage = .allocate(byteCount: size, alignment: 8)
        var produced = uLongf(size)
        let status = uncompress(
            storage.bindMemory(to: UInt8.self).baseAddress, &produced,
            packed.bindMemory(to: UInt8.self).baseAddress, uLong(packed.count))
        guard status == Z_OK, produced == uLongf(size) else { throw LoadError(.badLiterals, at: 4) }
    }
}
