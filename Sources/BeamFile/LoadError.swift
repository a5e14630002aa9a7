// LoadError.swift: why a .beam file is refused. Everything in this target throws only this type; nothing a file
// contains may trap.

/// A defect of a .beam file and where it was seen.
public struct LoadError: Error, Equatable, Sendable {
    public enum Reason: String, Sendable {
        case notBeam = "not a BEAM file"
        case truncated = "file or chunk ends too early"
        case missingChunk = "a mandatory chunk is missing"
        case oldAtoms = "compiled for an old version: it has no AtU8 chunk"
        case badCount = "a table claims more items than fit"
        case badAtom = "invalid atom"
        case badIndex = "index out of range"
        case badVersion = "unknown instruction-set version"
        case newOpcode = "compiled for a later version"
        case badOpcode = "unknown opcode"
        case obsoleteOpcode = "obsolete opcode; recompile"
        case badTag = "invalid operand tag"
        case badOperand = "operand not allowed here"
        case badNumber = "number out of range"
        case badLabel = "invalid label"
        case duplicateLabel = "label defined twice"
        case badFunction = "malformed function"
        case badEnd = "code does not end properly"
        case badLiterals = "corrupt literals"
        case badLambda = "invalid fun entry"
        case badExport = "invalid export"
        case badLines = "corrupt line table"
        case badTypes = "corrupt type table"
    }

    public let reason: Reason
    /// Byte offset in the chunk (or the file) that was being read.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) (at byte \(offset))" }
}
