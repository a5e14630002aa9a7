// Boxed.swift: layouts of the boxed objects, word by word, and their readers. [0] is always the header.
//
//     tuple            [1...] elements
//     big integer      [1...] 64-bit limbs, least significant first, no leading zero limb; the sign is the subtag
//     float            [1] IEEE double
//     reference        [1] number 0 (18 bits) | number 1 << 32   [2] number 2        alias: [3] the pid
//     magic reference  [1] MagicBinary *   [2] next off-heap object
//     fun              [1] FunEntry * or Export *   [2] next off-heap object if it is counted   [3] kind, see Fun
//                      [4] creator pid or nil   [5...] free variables
//     refc binary      [1] size in bytes   [2] next off-heap object   [3] Binary *   [4] first byte   [5] flags
//     heap binary      [1] size in bytes   [2...] the bytes
//     sub-binary       [1] size in whole bytes  [2] byte offset  [3] see SubBinary  [4] the refc or heap binary
//     match context    [1] the binary   [2] first byte of its data   [3] position, in bits from [2]   [4] end, in bits
//     external pid     [1] NodeEntry *   [2] number | serial << 32   [3] 0
//     external port    [1] NodeEntry *   [2] number   [3] 0
//     external ref     [1] NodeEntry *   [2] number 0 | number 1 << 32   [3] number 2   [4] 0
//     map              see Maps.swift
//
// Off-heap objects (refc binary, magic reference, some funs: FunCount.swift) are chained through word 2 from the heap's OffHeapList.

public import CMachine

@frozen public enum Layout {
    /// Words of a fun without its free variables, header included.
    public static let funWords = 5
    public static let refcBinaryWords = 6
    public static let subBinaryWords = 5
    public static let matchContextWords = 5
    public static let referenceWords = 3
    /// Bit of a reference's first number word that says: number 2 holds the data bits of the pid it is an alias of.
    @inlinable public static var aliasMark: UInt64 { 1 &<< 53 }
    public static let magicReferenceWords = 3
    public static let floatWords = 2
    /// Binaries up to this many bytes live on the heap.
    public static let heapBinaryLimit = 64
    @inlinable public static func heapBinaryWords(_ bytes: Int) -> Int { 2 &+ (bytes &+ 7) &>> 3 }
    @inlinable public static var tupleLimit: Int { 0xFF_FFFF }
}

extension Term {
    // MARK: Tuples

    /// Requires: isTuple.
    @inlinable public var tupleSize: Int { Header.words(header) }
    /// Element 0 is the first. Requires: isTuple, index within the size.
    @inlinable public func element(_ index: Int) -> Term { Term(raw: pointer[index &+ 1]) }
    @inlinable public func isTuple(_ size: Int) -> Bool { isBoxed && header == Header.make(size, Subtag.tuple) }

    // MARK: Floats

    /// Requires: isFloat.
    @inlinable public var floatValue: Double { Double(bitPattern: pointer[1]) }

    // MARK: Big integers

    /// Requires: isBig.
    @inlinable public var bigIsNegative: Bool { subtag == Subtag.negativeBig }
    @inlinable public var bigLimbCount: Int { Header.words(header) }
    @inlinable public var bigLimbs: Words { pointer + 1 }

    // MARK: Funs

    /// Requires: isFun. Word 3 of a fun: arity in bits 0-7, number of free variables in bits 8-23, bit 24 external.
    @inlinable public var funIsExternal: Bool { pointer[3] &>> 24 & 1 == 1 }
    @inlinable public var funArity: Int { Int(pointer[3] & 0xFF) }
    @inlinable public var funFreeCount: Int { Int(pointer[3] &>> 8 & 0xFFFF) }
    @inlinable public var funCreator: Term { Term(raw: pointer[4]) }
    @inlinable public func funFree(_ index: Int) -> Term { Term(raw: pointer[5 &+ index]) }
    /// Requires: a local fun.
    @inlinable @inline(__always) public var funEntry: Ref<FunEntry> { Ref(bitPattern: UInt(pointer[1])).unsafelyUnwrapped }
    /// Requires: an external fun.
    @inlinable public var funExport: Ref<Export> { Ref(bitPattern: UInt(pointer[1])).unsafelyUnwrapped }

    // MARK: References

    @inlinable public var magicBinary: Ref<MagicBinary> { Ref(bitPattern: UInt(pointer[1])).unsafelyUnwrapped }
    /// The two number words of an ordinary, alias or magic reference.
    @inlinable public var referenceNumbers: (UInt64, UInt64) {
        if subtag == Subtag.magicReference {
            let magic = magicBinary
            return (magic.pointee.numbers.0, magic.pointee.numbers.1)
        }
        if subtag == Subtag.externalReference { return (pointer[2], pointer[3]) }
        return (pointer[1], pointer[2])
    }
    @inlinable public var isAliasReference: Bool { isBoxed && header == Header.make(3, Subtag.reference) }

    /// Requires: an external pid, port or reference.
    @inlinable public var externalNode: Ref<NodeEntry> { Ref(bitPattern: UInt(pointer[1])).unsafelyUnwrapped }
}
