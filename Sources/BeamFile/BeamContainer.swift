// BeamContainer.swift: the chunk directory of a .beam file, and the module's MD5. It looks at no chunk's contents.

/// Where the known chunks of a file are. Views the bytes it was made from, which must outlive it.
public struct BeamContainer {
    public enum Chunk: Int, CaseIterable, Sendable {
        case atoms, code, strings, imports, exports, lambdas, literals
        case attributes, compileInfo, lines, types, meta, oldAtoms
    }

    private static func id(_ text: StaticString) -> UInt32 {
        text.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    /// Ids in the order of `Chunk`.
    private static let ids: [UInt32] = [
        id("AtU8"), id("Code"), id("StrT"), id("ImpT"), id("ExpT"), id("FunT"), id("LitT"), id("Attr"), id("CInf"),
        id("Line"), id("Type"), id("Meta"), id("Atom"),
    ]

    private var found = [UnsafeRawBufferPointer?](repeating: nil, count: Chunk.allCases.count)

    /// The data of a chunk without its padding; nil if the file has none. Of several the last one counts.
    public subscript(_ chunk: Chunk) -> UnsafeRawBufferPointer? { found[chunk.rawValue] }

    /// `asPreloaded`: leave out the chunks that a module built into the emulator does not have.
    public init(_ bytes: UnsafeRawBufferPointer, asPreloaded: Bool = false) throws(LoadError) {
        try Self.forEachChunk(bytes) { id, data in
            if let index = Self.ids.firstIndex(of: id) { found[index] = data }
            return true
        }
        if asPreloaded {
            for chunk in [Chunk.lines, .attributes, .compileInfo, .meta] { found[chunk.rawValue] = nil }
        }
    }

    /// Calls `body` with the id and data of each chunk until it answers false.
    public static func forEachChunk(
        _ bytes: UnsafeRawBufferPointer, _ body: (UInt32, UnsafeRawBufferPointer) -> Bool
    ) throws(LoadError) {
        var file = ByteReader(bytes)
        guard bytes.count >= 12, try file.u32() == Int(id("FOR1")) else { throw LoadError(.notBeam, at: 0) }
        let size = try file.u32()
        guard size >= 4, size <= file.remaining else { throw LoadError(.truncated, at: 4) }
        guard try file.u32() == Int(id("BEAM")) else { throw LoadError(.notBeam, at: 8) }
        var form = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[12..<8 + size]))
        while form.remaining >= 8 {
            let id = UInt32(try form.u32())
            let length = try form.u32()
            let data = try form.slice(length)
            if !body(id, data) { return }
            _ = try form.slice(min((4 - length & 3) & 3, form.remaining))
        }
    }

    /// The MD5 that identifies the code: 16 bytes (beam-format, section 1).
    public func md5() -> [UInt8] {
        var digest = MD5()
        for chunk in [Chunk.atoms, .code, .strings, .imports, .exports] {
            if let data = self[chunk] { digest.update(data) }
        }
        if let data = self[.lambdas] { Self.updateWithoutUniq(&digest, data) }
        for chunk in [Chunk.literals, .meta] {
            if let data = self[chunk] { digest.update(data) }
        }
        return digest.finish()
    }

    /// Fun entries count with a zero as their last word, because that word is made from the MD5.
    private static func updateWithoutUniq(_ digest: inout MD5, _ data: UnsafeRawBufferPointer) {
        var copy = [UInt8](data)
        var end = 4 + 24
        while end <= copy.count {
            for index in end - 4..<end { copy[index] = 0 }
            end += 24
        }
        copy.withUnsafeBytes { digest.update($0) }
    }
}
