// ExternalFormat.swift: the names of the external term format: tags, options, and what the layers above supply.
// ExternalDecoder.swift and ExternalEncoder.swift do the work.

public import CMachine

/// Tag bytes of the external term format; `version` precedes a whole term.
enum ExternalTag {
    static let version: UInt8 = 131
    static let newFloat: UInt8 = 70
    static let bitBinary: UInt8 = 77
    static let compressed: UInt8 = 80
    static let newPid: UInt8 = 88
    static let newPort: UInt8 = 89
    static let newerReference: UInt8 = 90
    static let smallInteger: UInt8 = 97
    static let integer: UInt8 = 98
    static let float: UInt8 = 99
    static let atom: UInt8 = 100
    static let reference: UInt8 = 101
    static let port: UInt8 = 102
    static let pid: UInt8 = 103
    static let smallTuple: UInt8 = 104
    static let largeTuple: UInt8 = 105
    static let `nil`: UInt8 = 106
    static let string: UInt8 = 107
    static let list: UInt8 = 108
    static let binary: UInt8 = 109
    static let smallBig: UInt8 = 110
    static let largeBig: UInt8 = 111
    static let newFun: UInt8 = 112
    static let export: UInt8 = 113
    static let newReference: UInt8 = 114
    static let smallAtom: UInt8 = 115
    static let map: UInt8 = 116
    static let atomUTF8: UInt8 = 118
    static let smallAtomUTF8: UInt8 = 119
    static let version4Port: UInt8 = 120
}

/// How a term is decoded.
public struct ExternalDecoding: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// New atoms and new external funs are refused.
    public static let safe = ExternalDecoding(rawValue: 1)
    /// The bytes start with the tag: there is no version byte (literals of a module).
    public static let bare = ExternalDecoding(rawValue: 2)
}

/// How a term is encoded. OTP 25's defaults.
public struct ExternalEncoding: Sendable {
    /// 0: floats as text; 1: atoms in Latin-1 where they fit; 2: atoms in UTF-8.
    public var minorVersion = 1
    /// zlib level; 0 writes plain.
    public var compression = 0
    /// Map pairs in the exact order of their keys.
    public var isDeterministic = false
    public init() {}
}

/// What decoding and printing need from the layers above. Filled at boot, constant afterwards.
public enum TermHooks {
    /// The table entry of a fun, with one holder more: module, 16 bytes of uniq, index, old uniq, arity, free variables.
    nonisolated(unsafe) public static var funEntry:
        (
            @convention(thin) (
                Term, UnsafePointer<UInt8>, UInt32, UInt32, Int, Int
            ) -> Ref<FunEntry>
        )? = nil
    /// The export M:F/A, made if need be.
    nonisolated(unsafe) public static var export: (@convention(thin) (Term, Term, Int) -> Ref<Export>)? = nil
    /// Whether something has named M:F/A as an export: loaded code, a call or a fun.
    nonisolated(unsafe) public static var isExported: (@convention(thin) (Term, Term, Int) -> Bool)? = nil
    /// The live magic reference or alias that has these numbers, built on the heap.
    nonisolated(unsafe) public static var liveReference: (@convention(thin) (Ref<Heap>, (UInt64, UInt64)) -> Term?)? =
        nil
}
