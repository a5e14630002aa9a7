// BitCreate.swift: construction of a bit string from a list of segments, as the instruction bs_create_bin does it:
// first all sizes, then the memory, then the segments from left to right. The first error in that order counts.

public import CMachine

/// Kind of a segment. The raw values are ours.
@frozen public enum BitSegmentKind: UInt8, Sendable {
    case integer, float, binary, append, privateAppend, string, utf8, utf16, utf32

    /// The atom that instructions name the kind by.
    public init?(atom: Term) {
        switch atom {
        case Atoms.integer: self = .integer
        case Atoms.float: self = .float
        case Atoms.binary: self = .binary
        case Atoms.append: self = .append
        case Atoms.private_append: self = .privateAppend
        case Atoms.string: self = .string
        case Atoms.utf8: self = .utf8
        case Atoms.utf16: self = .utf16
        case Atoms.utf32: self = .utf32
        default: return nil
        }
    }

    /// Its size is counted in units.
    public var hasUnit: Bool {
        switch self {
        case .integer, .float, .binary, .append, .privateAppend: true
        case .string, .utf8, .utf16, .utf32: false
        }
    }

    /// The type that error_info names.
    public var atom: Term {
        switch self {
        case .integer: Atoms.integer
        case .float: Atoms.float
        case .binary, .append, .privateAppend, .string: Atoms.binary
        case .utf8: Atoms.utf8
        case .utf16: Atoms.utf16
        case .utf32: Atoms.utf32
        }
    }
}

/// One segment with its operands read.
@frozen public struct BitSegment {
    public var kind: BitSegmentKind
    /// BitFlags.
    public var flags: UInt8
    /// Position in the source, from 1.
    public var number: UInt32
    public var unit: Int
    /// The value; not used for strings.
    public var source: Term
    /// In units: an integer, or `all`, or (utf8, utf16, utf32) anything. In bytes for strings.
    public var size: Term
    /// The bytes of a string segment.
    public var string: UnsafePointer<UInt8>?

    @inlinable public init(
        kind: BitSegmentKind, flags: UInt8, number: UInt32, unit: Int, source: Term, size: Term,
        string: UnsafePointer<UInt8>? = nil
    ) {
        self.kind = kind
        self.flags = flags
        self.number = number
        self.unit = unit
        self.source = source
        self.size = size
        self.string = string
    }
}

/// What went wrong, for the error_info `{Segment, Type, Error, Value}`.
@frozen public struct BitFailure {
    public var error: BitError = .none
    public var kind: BitSegmentKind = .integer
    public var segment: Int = 0
    public var value: Term = .none

    @inlinable public init() {}

    /// The error_info cause of a failed construction.
    public func cause(_ heap: Ref<Heap>) -> Term {
        heap.tuple(.small(segment), kind.atom, error.atom, value)
    }
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// The bit string of `count` segments; none, with `failure` set, if it cannot be built.
    public func createBitstring(
        _ segments: UnsafePointer<BitSegment>, count: Int, failure: inout BitFailure
    ) -> Term {
        var bits = 0
        for index in 0..<count {
            guard addSize(segments + index, to: &bits, &failure) else { return .none }
        }
        var builder: BitBuilder
        let result: Term
        var first = 0
        if count > 0, segments[0].kind == .append || segments[0].kind == .privateAppend {
            let segment = segments[0]
            builder = .empty
            let appended =
                segment.kind == .append
                ? append(to: segment.source, bits: bits, unit: segment.unit, builder: &builder)
                : privateAppend(to: segment.source, bits: bits, unit: segment.unit, builder: &builder)
            guard appended.error == .none else {
                failure.set(appended.error, segment, segment.source)
                return .none
            }
            result = appended.term
            first = 1
        } else {
            let made = makeBitstring(bits)
            result = made.term
            builder = BitBuilder(base: made.bytes, position: 0, end: bits)
        }
        for index in first..<count {
            let segment = segments + index
            let error = builder.put(segment)
            if error != .none {
                let value = error == .invalid ? Term.small(fieldSize(segment.pointee.size, unit: segment.pointee.unit))
                    : segment.pointee.source
                failure.set(error, segment.pointee, value)
                return .none
            }
        }
        return result
    }

    /// Adds the size of a segment to `bits`.
    private func addSize(_ segment: UnsafePointer<BitSegment>, to bits: inout Int, _ failure: inout BitFailure) -> Bool {
        var size = 0
        switch segment.pointee.kind {
        case .append, .privateAppend: return true
        case .string: size = segment.pointee.size.smallValue &* 8
        case .utf8: size = utf8Size(segment.pointee.source) &* 8
        case .utf16: size = utf16Size(segment.pointee.source) &* 8
        case .utf32:
            guard segment.pointee.source.isSmall, isCodePoint(segment.pointee.source.smallValue) else {
                return failure.set(.type, segment.pointee, segment.pointee.source)
            }
            size = 32
        case .binary where segment.pointee.size == Atoms.all:
            guard segment.pointee.source.isBitstring else {
                return failure.set(.type, segment.pointee, segment.pointee.source)
            }
            size = segment.pointee.source.bitCount
        case .binary, .float, .integer:
            size = fieldSize(segment.pointee.size, unit: segment.pointee.unit)
            if size < 0 {
                let term = segment.pointee.size
                let positive = term.isSmall ? term.smallValue >= 0 : term.isBig && !term.bigIsNegative
                return failure.set(positive ? .limit : .size, segment.pointee, term)
            }
        }
        let (sum, overflow) = bits.addingReportingOverflow(size)
        guard !overflow, sum <= Int.max - 8 else { return failure.set(.limit, segment.pointee, segment.pointee.size) }
        bits = sum
        return true
    }
}

extension BitFailure {
    @discardableResult
    fileprivate mutating func set(_ error: BitError, _ segment: BitSegment, _ value: Term) -> Bool {
        self.error = error
        kind = segment.kind
        self.segment = Int(segment.number)
        self.value = value
        return false
    }
}

extension BitBuilder {
    /// Writes one segment. Requires: its size was added up before.
    fileprivate mutating func put(_ pointer: UnsafePointer<BitSegment>) -> BitError {
        let flags = Int(pointer.pointee.flags)
        let source = pointer.pointee.source
        switch pointer.pointee.kind {
        case .integer: return putInteger(source, bits: size(pointer), flags: flags)
        case .float: return putFloat(source, bits: size(pointer), flags: flags)
        case .binary:
            if pointer.pointee.size == Atoms.all { return putWhole(source, unit: pointer.pointee.unit) }
            return putBitstring(source, bits: size(pointer))
        case .string:
            guard let string = pointer.pointee.string else { return .type }
            return putString(string, count: pointer.pointee.size.smallValue)
        case .utf8: return putUtf8(source)
        case .utf16: return putUtf16(source, flags: flags)
        case .utf32: return putUtf32(source, flags: flags)
        // Only the first segment appends.
        case .append, .privateAppend: return .type
        }
    }

    @inline(__always) private func size(_ pointer: UnsafePointer<BitSegment>) -> Int {
        pointer.pointee.size.smallValue &* pointer.pointee.unit
    }
}
