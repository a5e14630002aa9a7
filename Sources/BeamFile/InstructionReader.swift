// InstructionReader.swift: decodes the Code chunk, one generic instruction at a time, into a flat buffer of operands
// that is reused. It allocates only when a list is longer than any before. It checks what decoding itself needs
// (bounds, tags, register numbers); CodeIndex.swift checks what an operand means.

/// What an operand is.
@frozen public enum OperandKind: UInt8, Sendable {
    /// A number that is no term: arity, count, index, flags. `value`, never negative.
    case unsigned
    /// An integer that fits a machine word. `value`.
    case integer
    /// A longer integer: `extra` bytes from code offset `value`, two's complement, big-endian.
    case bigInteger
    /// Index `value` into the atom table, from 1.
    case atom
    case `nil`
    /// Register `value`; `extra` is an index into the type table, 0 if nothing is known.
    case x
    case y
    /// Label `value`; 0 means "none".
    case label
    case floatRegister
    /// Index `value` into the literal table.
    case literal
    /// `value` heap words, besides `extra & 0xFFFF` floats and `extra >> 16` funs.
    case allocation
    /// `value` elements, which follow in the buffer.
    case list
    /// An unsigned number beyond a machine word: too big for whatever it counts.
    case overflow
}

/// One decoded operand.
@frozen public struct Operand: Sendable {
    public var value: Int
    public var extra: UInt32
    public var kind: OperandKind

    @inlinable init(_ kind: OperandKind, _ value: Int, _ extra: UInt32 = 0) {
        self.kind = kind
        self.value = value
        self.extra = extra
    }
}

/// Shape of an instruction: `letters` as in Opcode.swift, the first `fixed` for single operands, then `pattern` for the
/// elements of a list operand.
struct Shape {
    var letters: UnsafePointer<UInt8>
    var fixed: Int
    /// 0: no list operand.
    var pattern: Int
    var isCurrent: Bool
    var opcode: Opcode
    var arity: Int { pattern == 0 ? fixed : fixed + 1 }
}

/// Shapes by opcode number, for 256 of them.
nonisolated(unsafe) let shapes: UnsafePointer<Shape> = {
    let table = UnsafeMutablePointer<Shape>.allocate(capacity: 256)
    let empty: StaticString = ""
    let unknown = Shape(letters: empty.utf8Start, fixed: 0, pattern: 0, isCurrent: false, opcode: .label)
    table.initialize(repeating: unknown, count: 256)
    for (opcode, letters) in operandKinds {
        var fixed = 0
        while fixed < letters.utf8CodeUnitCount, letters.utf8Start[fixed] != UInt8(ascii: "[") { fixed += 1 }
        table[Int(opcode.rawValue)] = Shape(
            letters: letters.utf8Start, fixed: fixed, pattern: max(0, letters.utf8CodeUnitCount - fixed - 1),
            isCurrent: true, opcode: opcode)
    }
    return UnsafePointer(table)
}()

/// Reads instructions from a range of the code. The bytes must outlive it.
public struct InstructionReader: ~Copyable {
    /// The operands of the last instruction, then the elements of its list if it has one.
    public private(set) var operands: UnsafeMutablePointer<Operand>
    /// Operands in the buffer, list elements included.
    public private(set) var count = 0
    /// Offset of the next instruction.
    public private(set) var position: Int
    /// Offset of the last one.
    public private(set) var start: Int
    private var capacity = 64
    private let bytes: UnsafePointer<UInt8>
    private let end: Int
    private let table = shapes

    /// Reads `code[from..<to]`. Requires: the range lies within `code`.
    public init(_ code: UnsafeRawBufferPointer, from: Int, to: Int) {
        precondition(from >= 0 && from <= to && to <= code.count)
        operands = .allocate(capacity: capacity)
        bytes = code.bindMemory(to: UInt8.self).baseAddress ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
        position = from
        start = from
        end = to
    }

    deinit { operands.deallocate() }

    /// Continues at `offset`. Requires: within the range of the reader.
    public mutating func seek(to offset: Int) {
        precondition(offset >= 0 && offset <= end)
        position = offset
    }

    /// Decodes the next instruction; nil at the end of the range.
    public mutating func next() throws(LoadError) -> Opcode? {
        guard position < end else { return nil }
        start = position
        let number = bytes[position]
        let shape = table[Int(number)]
        guard shape.isCurrent else {
            let known = number >= 1 && number <= Opcode.highest
            throw LoadError(known ? .obsoleteOpcode : .badOpcode, at: start)
        }
        position &+= 1
        count = 0
        for _ in 0..<shape.fixed { try readOperand() }
        if shape.pattern > 0 { try readList() }
        return shape.opcode
    }

    /// Bytes of a big integer operand: two's complement, big-endian.
    public func digits(of operand: Operand) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: bytes + operand.value, count: Int(operand.extra))
    }

    // MARK: Decoding

    @inline(__always) private mutating func append(_ operand: Operand) {
        operands[count] = operand
        count &+= 1
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let larger = UnsafeMutablePointer<Operand>.allocate(capacity: (count + more) * 2)
        larger.update(from: operands, count: count)
        operands.deallocate()
        operands = larger
        capacity = (count + more) * 2
    }

    @inline(__always) private mutating func readOperand() throws(LoadError) {
        guard position < end else { throw LoadError(.truncated, at: position) }
        let first = bytes[position]
        if first & 8 == 0, first & 7 != 7 {
            position &+= 1
            try appendSimple(first & 7, Int(first &>> 4))
            return
        }
        try readLong(first)
    }

    /// A tag with a value that is a non-negative word (any word for tag i).
    @inline(__always) private mutating func appendSimple(_ tag: UInt8, _ value: Int) throws(LoadError) {
        switch tag {
        case 0, 6: append(Operand(.unsigned, value))
        case 1: append(Operand(.integer, value))
        case 2: append(value == 0 ? Operand(.nil, 0) : Operand(.atom, value))
        case 3, 4:
            guard value < 1024 else { throw LoadError(.badNumber, at: start) }
            append(Operand(tag == 3 ? .x : .y, value))
        default: append(Operand(.label, value))
        }
    }

    @inline(never) private mutating func readLong(_ first: UInt8) throws(LoadError) {
        if first & 7 == 7 { return try readExtended(first) }
        let tag = first & 7
        let (value, size) = try readNumber()
        if size == 0 { return try appendSimple(tag, value) }
        if tag == 1 { return append(Operand(.bigInteger, value, UInt32(size))) }
        guard tag == 0 || tag == 6 else { throw LoadError(.badNumber, at: start) }
        append(Operand(.overflow, 0))
    }

    /// The number of the compact term at `position`, whose tag the caller has looked at. `size` 0: `value` is the
    /// number; otherwise the number does not fit and is stored in `size` bytes from offset `value`.
    private mutating func readNumber() throws(LoadError) -> (value: Int, size: Int) {
        let first = bytes[position]
        position += 1
        if first & 8 == 0 { return (Int(first >> 4), 0) }
        if first & 16 == 0 {
            guard position < end else { throw LoadError(.truncated, at: position) }
            position += 1
            return (Int(first >> 5) << 8 | Int(bytes[position - 1]), 0)
        }
        var size = Int(first >> 5) + 2
        if size == 9 {
            // The size itself is a number; its own size must be an ordinary one, which bounds the nesting.
            guard position < end, bytes[position] & 7 == 0, bytes[position] & 0xF8 != 0xF8 else {
                throw LoadError(.badTag, at: position)
            }
            let (more, oversize) = try readNumber()
            guard oversize == 0, more >= 0, more <= end - position else { throw LoadError(.truncated, at: position) }
            size = more + 9
        }
        guard size <= end - position else { throw LoadError(.truncated, at: position) }
        let from = position
        position += size
        guard size <= 8 else { return (from, size) }
        let isSigned = first & 7 == 1
        var word: UInt64 = isSigned && bytes[from] & 0x80 != 0 ? .max : 0
        for index in from..<position { word = word << 8 | UInt64(bytes[index]) }
        let value = Int(truncatingIfNeeded: word)
        return isSigned || value >= 0 ? (value, 0) : (from, size)
    }

    private mutating func readUnsigned() throws(LoadError) -> Int {
        guard position < end, bytes[position] & 7 == 0 else { throw LoadError(.badTag, at: position) }
        let (value, size) = try readNumber()
        guard size == 0 else { throw LoadError(.badNumber, at: start) }
        return value
    }

    private mutating func readExtended(_ first: UInt8) throws(LoadError) {
        position += 1
        switch first {
        case 0x27:
            let register = try readUnsigned()
            guard register < 1024 else { throw LoadError(.badNumber, at: start) }
            append(Operand(.floatRegister, register))
        case 0x37: try readAllocation()
        case 0x47: append(Operand(.literal, try readUnsigned()))
        case 0x57:
            guard position < end, bytes[position] & 7 == 3 || bytes[position] & 7 == 4 else {
                throw LoadError(.badTag, at: position)
            }
            let tag = bytes[position] & 7
            let (register, size) = try readNumber()
            guard size == 0 else { throw LoadError(.badNumber, at: start) }
            try appendSimple(tag, register)
            let type = try readUnsigned()
            guard type <= Int(UInt32.max) else { throw LoadError(.badNumber, at: start) }
            operands[count - 1].extra = UInt32(type)
        default: throw LoadError(.badTag, at: position - 1)
        }
    }

    private mutating func readAllocation() throws(LoadError) {
        let parts = try readUnsigned()
        guard parts <= 3 else { throw LoadError(.badNumber, at: start) }
        var amounts = (0, 0, 0)
        for _ in 0..<parts {
            let kind = try readUnsigned()
            let amount = try readUnsigned()
            guard amount <= (kind == 0 ? 0xFFF_FFFF : 0xFFFF) else { throw LoadError(.badNumber, at: start) }
            switch kind {
            case 0: amounts.0 = amount
            case 1: amounts.1 = amount
            case 2: amounts.2 = amount
            default: throw LoadError(.badTag, at: start)
            }
        }
        append(Operand(.allocation, amounts.0, UInt32(amounts.1 | amounts.2 << 16)))
    }

    /// The list operand that ends an instruction.
    private mutating func readList() throws(LoadError) {
        guard position < end, bytes[position] == 0x17 else { throw LoadError(.badTag, at: position) }
        position += 1
        let elements = try readUnsigned()
        guard elements <= end - position else { throw LoadError(.badCount, at: position) }
        reserve(elements + 1)
        append(Operand(.list, elements))
        for _ in 0..<elements {
            guard position < end, bytes[position] != 0x37 else { throw LoadError(.badTag, at: position) }
            try readOperand()
        }
    }
}
