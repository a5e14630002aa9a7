// LineTable.swift: the Line chunk (source positions) and the Type chunk (facts the compiler proved about registers).

/// Source positions by line item.
public struct LineTable: Sendable {
    public struct Item: Sendable {
        /// 0: the module's name with `.erl`; otherwise an index into `files`, from 1.
        public let file: UInt32
        public let line: UInt32
    }

    /// Item 0 means "no location".
    public private(set) var items: [Item] = [Item(file: 0, line: 0)]
    /// UTF-8 names of files 1, 2, ...
    public private(set) var files: [[UInt8]] = []
    public private(set) var isPresent = false

    init(_ data: UnsafeRawBufferPointer?) throws(LoadError) {
        guard let data else { return }
        var reader = ByteReader(data)
        guard try reader.u32() == 0 else { return }
        isPresent = true
        _ = try reader.u32()  // flags
        _ = try reader.u32()  // number of line instructions
        let itemCount = try reader.count(itemSize: 1)
        let fileCount = try reader.u32()
        guard itemCount + 1 <= reader.remaining + 1, fileCount <= reader.remaining / 2 else {
            throw LoadError(.badCount, at: 12)
        }
        items.reserveCapacity(itemCount + 1)
        var file = 0
        while items.count <= itemCount {
            let (tag, value) = try reader.compact()
            switch tag {
            case 1:
                guard value >= 0 else { throw LoadError(.badLines, at: reader.offset) }
                items.append(Item(file: UInt32(file), line: UInt32(clamping: value)))
            case 2:
                guard value <= fileCount else { throw LoadError(.badLines, at: reader.offset) }
                file = value
            default: throw LoadError(.badLines, at: reader.offset)
            }
        }
        for _ in 0..<fileCount {
            let length = try reader.u16()
            let name = try reader.slice(length)
            guard String(validating: name, as: UTF8.self) != nil else { throw LoadError(.badLines, at: reader.offset) }
            files.append([UInt8](name))
        }
    }
}

/// What the compiler knows about the value of a register. A hint: it comes from the file, so code that would be unsafe
/// if it were false must still check.
public struct TypeEntry: Sendable {
    /// Set of kinds, see the constants.
    public let union: UInt16
    /// Bounds of an integer; `minimum > maximum` means none are known.
    public let minimum: Int64
    public let maximum: Int64

    public static let atom: UInt16 = 1, bitstring: UInt16 = 2, matchContext: UInt16 = 4, cons: UInt16 = 8
    public static let float: UInt16 = 16, fun: UInt16 = 32, integer: UInt16 = 64, map: UInt16 = 128
    public static let `nil`: UInt16 = 256, pid: UInt16 = 512, port: UInt16 = 1024, reference: UInt16 = 2048
    public static let tuple: UInt16 = 4096
    public static let any: UInt16 = 0x1FFF

    /// The table of version 1 (OTP 25); empty for a missing chunk and for versions not known.
    static func read(_ data: UnsafeRawBufferPointer?) throws(LoadError) -> [TypeEntry] {
        guard let data else { return [] }
        var reader = ByteReader(data)
        guard try reader.u32() == 1 else { return [] }
        let count = try reader.count(itemSize: 18)
        guard count >= 1 else { throw LoadError(.badTypes, at: 4) }
        var types: [TypeEntry] = []
        types.reserveCapacity(count)
        for _ in 0..<count {
            let union = UInt16(try reader.u16())
            let minimum = Int64(try reader.u32()) << 32 | Int64(try reader.u32())
            let maximum = Int64(try reader.u32()) << 32 | Int64(try reader.u32())
            guard union & any != 0 else { throw LoadError(.badTypes, at: reader.offset) }
            types.append(TypeEntry(union: union & any, minimum: minimum, maximum: maximum))
        }
        guard types[0].union == any, types[0].minimum > types[0].maximum else { throw LoadError(.badTypes, at: 8) }
        return types
    }
}
