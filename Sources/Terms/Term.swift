// Term.swift: the term word and its tags. Nothing outside this file masks tag bits.
//
// The low two bits are the primary tag (BEAM's scheme; otp25 "term and heap", section 1):
//
//     00  header of a boxed object, or a return address on the stack; never a term. Raw 0 is "no term".
//     01  list: pointer to a cons cell (head, tail)
//     10  boxed: pointer to a header word and its object
//     11  immediate: 0011 pid, 0111 port, 1111 small integer, 001011 atom, 011011 catch, 111011 nil
//
// A header is `words << 6 | subtag << 2`, where `words` counts the words after the header.

public import CMachine

public typealias Ref<Pointee> = UnsafeMutablePointer<Pointee>
public typealias Words = UnsafeMutablePointer<UInt64>

/// Kinds of boxed object: bits 2-5 of the header. Boxed.swift gives the layouts.
@frozen public enum Subtag {
    public static let tuple: UInt64 = 0
    public static let matchContext: UInt64 = 1
    public static let positiveBig: UInt64 = 2
    public static let negativeBig: UInt64 = 3
    public static let reference: UInt64 = 4
    public static let fun: UInt64 = 5
    public static let float: UInt64 = 6
    public static let refcBinary: UInt64 = 8
    public static let heapBinary: UInt64 = 9
    public static let subBinary: UInt64 = 10
    public static let magicReference: UInt64 = 11
    public static let externalPid: UInt64 = 12
    public static let externalPort: UInt64 = 13
    public static let externalReference: UInt64 = 14
    public static let map: UInt64 = 15
}

extension Term: @retroactive Equatable {
    /// Same word: identity of immediates, same address otherwise. Erlang's comparisons are in Compare.swift.
    @inlinable public static func == (a: Term, b: Term) -> Bool { a.raw == b.raw }
    @inlinable public static func != (a: Term, b: Term) -> Bool { a.raw != b.raw }
}

extension Term {
    /// Raw 0: no term. What a native function returns after it has stored an exception.
    @inlinable public static var none: Term { Term(raw: 0) }
    @inlinable public static var `nil`: Term { Term(raw: 0x3B) }
    @inlinable public var isNone: Bool { raw == 0 }
    @inlinable public var isNil: Bool { raw == 0x3B }

    @inlinable public var isImmediate: Bool { raw & 3 == 3 }
    @inlinable public var isCons: Bool { raw & 3 == 1 }
    @inlinable public var isBoxed: Bool { raw & 3 == 2 }
    @inlinable public var isHeader: Bool { raw & 3 == 0 }
    /// `[]` or a cons cell.
    @inlinable public var isList: Bool { isCons || isNil }

    // MARK: Immediates

    @inlinable public var isSmall: Bool { raw & 15 == 15 }
    @inlinable public var isAtom: Bool { raw & 63 == 0x0B }
    @inlinable public var isLocalPid: Bool { raw & 15 == 3 }
    @inlinable public var isLocalPort: Bool { raw & 15 == 7 }
    @inlinable public var isCatch: Bool { raw & 63 == 0x1B }

    @inlinable public static var smallMin: Int { -(1 << 59) }
    @inlinable public static var smallMax: Int { (1 << 59) - 1 }
    @inlinable public static func fitsSmall(_ value: Int) -> Bool { value >= smallMin && value <= smallMax }
    /// Requires: `value` fits a small integer (60 bits, signed).
    @inlinable public static func small(_ value: Int) -> Term { Term(raw: UInt64(bitPattern: Int64(value)) &<< 4 | 15) }
    /// Requires: isSmall.
    @inlinable public var smallValue: Int { Int(Int64(bitPattern: raw) &>> 4) }

    @inlinable public static func atom(_ index: Int) -> Term { Term(raw: UInt64(truncatingIfNeeded: index) &<< 6 | 0x0B) }
    /// Requires: isAtom.
    @inlinable public var atomIndex: Int { Int(truncatingIfNeeded: raw &>> 6) }

    /// `data`: 15 bits of number, 13 bits of serial.
    @inlinable public static func localPid(_ data: UInt64) -> Term { Term(raw: data &<< 4 | 3) }
    @inlinable public static func localPort(_ data: UInt64) -> Term { Term(raw: data &<< 4 | 7) }
    /// Number bits of a local pid or port. Requires: isLocalPid or isLocalPort.
    @inlinable public var idData: UInt64 { raw &>> 4 }

    /// A catch tag for the stack: the code position where the exception continues.
    @inlinable public static func catchTag(_ position: CodePointer) -> Term {
        Term(raw: UInt64(UInt(bitPattern: position)) &<< 6 | 0x1B)
    }
    @inlinable public var catchPosition: CodePointer {
        CodePointer(bitPattern: UInt(raw &>> 6)).unsafelyUnwrapped
    }

    // MARK: Pointers

    /// The object or cell pointed at. Requires: isBoxed or isCons.
    @inlinable public var pointer: Words { Words(bitPattern: UInt(raw & ~3)).unsafelyUnwrapped }
    @inlinable public static func boxed(_ object: Words) -> Term { Term(raw: UInt64(UInt(bitPattern: object)) | 2) }
    @inlinable public static func cons(_ cell: Words) -> Term { Term(raw: UInt64(UInt(bitPattern: cell)) | 1) }
    /// Requires: isBoxed.
    @inlinable public var header: UInt64 { pointer[0] }
    /// Requires: isCons.
    @inlinable public var head: Term { Term(raw: pointer[0]) }
    /// Requires: isCons.
    @inlinable public var tail: Term { Term(raw: pointer[1]) }

    @inlinable public func isBoxed(_ subtag: UInt64) -> Bool { isBoxed && header & 63 == subtag &<< 2 }
    /// Requires: isBoxed.
    @inlinable public var subtag: UInt64 { (header &>> 2) & 15 }

    // MARK: Kinds that programs see

    @inlinable public var isTuple: Bool { isBoxed(Subtag.tuple) }
    @inlinable public var isFloat: Bool { isBoxed(Subtag.float) }
    @inlinable public var isBig: Bool { isBoxed && (header & 0x3B) == Subtag.positiveBig &<< 2 }
    @inlinable public var isInteger: Bool { isSmall || isBig }
    @inlinable public var isNumber: Bool { isInteger || isFloat }
    @inlinable public var isMap: Bool { isBoxed(Subtag.map) }
    @inlinable public var isFun: Bool { isBoxed(Subtag.fun) }
    @inlinable public var isPid: Bool { isLocalPid || isBoxed(Subtag.externalPid) }
    @inlinable public var isPort: Bool { isLocalPort || isBoxed(Subtag.externalPort) }
    @inlinable public var isReference: Bool {
        guard isBoxed else { return false }
        let tag = subtag
        return tag == Subtag.reference || tag == Subtag.magicReference || tag == Subtag.externalReference
    }
    /// A binary or bit string. A match context is none.
    @inlinable @inline(__always) public var isBitstring: Bool {
        guard isBoxed else { return false }
        let tag = subtag
        return tag == Subtag.refcBinary || tag == Subtag.heapBinary || tag == Subtag.subBinary
    }
}

/// Headers of boxed objects.
@frozen public enum Header {
    /// `words`: how many words follow the header.
    @inlinable public static func make(_ words: Int, _ subtag: UInt64) -> UInt64 {
        UInt64(truncatingIfNeeded: words) &<< 6 | subtag &<< 2
    }
    /// Words after the header; the bits from 40 up belong to maps.
    @inlinable public static func words(_ header: UInt64) -> Int { Int(truncatingIfNeeded: (header &>> 6) & 0x3_FFFF_FFFF) }
    @inlinable public static func subtag(_ header: UInt64) -> UInt64 { (header &>> 2) & 15 }
}
