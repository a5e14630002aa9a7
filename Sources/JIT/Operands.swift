// Operands.swift: threaded code read back: which instruction stands where, and what it reads, writes and jumps to. The
// patterns of OpSpec/Instructions.swift say how operands are encoded; this file is their only interpreter.

import CMachine
import Machine
import OpSpec
import Terms

/// An operand of a specialised instruction.
enum Operand {
    case x(Int)
    case y(Int)
    /// A term: an immediate or a literal.
    case constant(UInt64)
    /// Index of the word in the function's code that a label leads to.
    case label(Int)
    /// A failure operand that raises.
    case raising
    /// A number or a pointer.
    case raw(UInt64)
    /// How many x registers live on.
    case live(Int)
}

/// One instruction of threaded code. Word indexes count from the start of the function's code.
struct Instruction {
    let op: Op
    let start: Int
    var size = 1
    var operands: [Operand] = []
    /// x registers read as operands, and written.
    var reads: [Int] = []
    var writes: [Int] = []
    /// Word indexes it may jump to.
    var targets: [Int] = []
    /// Operand `live`: a collection in the slow path visits x(0)..<live.
    var live: Int?
    /// Address of the Location it raises or returns at, or 0.
    var location: UInt64 = 0
    /// What its slow path has met.
    var seen = Feedback()

    var next: Int { start + size }

    /// An operand is a constant, and no small integer.
    var hasOtherConstant: Bool {
        operands.contains { if case .constant(let word) = $0 { word & 15 != 15 } else { false } }
    }
}

extension Feedback {
    /// Met so often that a bet against it would be lost soon. Where functions are compiled early, for tests, at once.
    func has(_ kind: Kind) -> Bool { count(kind) >= min(15, max(1, Int(JITHooks.threshold / 100))) }
    var hasFloat: Bool { has(.firstFloat) || has(.secondFloat) }
}

/// A piece of a pattern.
private indirect enum Token {
    case packed([(register: Character, isWritten: Bool)])
    case word(Character)
    /// A count, then as many of each group.
    case counted([[Character]], isTupleHeader: Bool)
}

/// Patterns of all operations, parsed once.
struct OperandReader {
    private let tokens: [[Token]]
    private let names: [String]
    /// What the first operands of an operation are called in the table ("export", "bytes", or nothing).
    private let roles: [[Substring]]
    private let locationAt: [Int?]
    private let operationOf: [UInt64: Op]

    init() {
        tokens = instructions.map(Self.parse)
        names = instructions.map(\.name)
        roles = instructions.map(Self.parseRoles)
        locationAt = roles.map { $0.firstIndex(of: "location") }
        var table: [UInt64: Op] = [:]
        for op in Op.allCases { table[handlerAddress(op)] = op }
        operationOf = table
    }

    func name(_ op: Op) -> String { names[Int(op.rawValue)] }

    /// What operand `index` is called in the table.
    func role(_ op: Op, _ index: Int) -> Substring {
        let names = roles[Int(op.rawValue)]
        return index < names.count ? names[index] : ""
    }

    /// The operation whose handler's address is `word`.
    func operation(_ word: UInt64) -> Op? { operationOf[word] }

    // MARK: Patterns

    /// Registers at the end of a generic instruction's pattern that it writes.
    private static func written(_ generic: String) -> Int {
        switch generic {
        case "move", "get_hd", "get_tl", "put_list", "init", "try_end", "try_case", "catch", "catch_end": 1
        case "get_list": 2
        default: 0
        }
    }

    private static func parse(_ instruction: OpSpec.Instruction) -> [Token] {
        guard let generic = instruction.generic else { return parseWords(instruction.pattern) }
        let letters = Array(instruction.pattern)
        let writtenFrom = letters.filter { "xyd".contains($0) }.count - written(generic)
        var registers: [(Character, Bool)] = []
        var words: [Token] = []
        var position = 0
        for letter in letters {
            switch letter {
            case "x", "y":
                registers.append((letter, position >= writtenFrom))
                position += 1
            case "d":
                words.append(.word(position >= writtenFrom || generic == "swap" ? "d" : "s"))
                position += 1
            case "c", "i": words.append(.word("s"))
            case "u": words.append(.word("k"))
            default: words.append(.word(letter))
            }
        }
        return (registers.isEmpty ? [] : [.packed(registers)]) + words
    }

    /// The pattern language of rows without a generic operation.
    private static func parseWords(_ pattern: String) -> [Token] {
        pattern.split(separator: " ").map { part in
            let text = part.prefix { $0 != ":" }
            switch part.first {
            case "[":
                var registers: [(Character, Bool)] = []
                var isWritten = false
                for letter in part.dropFirst().dropLast() {
                    switch letter {
                    case ">": isWritten = true
                    case ",": isWritten = false
                    default: registers.append((letter, isWritten))
                    }
                }
                return .packed(registers)
            case "n" where part.dropFirst().first == "(", "h" where part.dropFirst().first == "(":
                let groups = part.dropFirst().split(separator: ")").map { group in
                    Array(group.drop { $0 == "(" }.prefix { $0 != ":" })
                }
                return .counted(groups, isTupleHeader: part.first == "h")
            default: return .word(text.first ?? "k")
            }
        }
    }

    private static func parseRoles(_ instruction: OpSpec.Instruction) -> [Substring] {
        guard instruction.generic == nil else { return [] }
        var result: [Substring] = []
        for part in instruction.pattern.split(separator: " ") {
            if part.first == "[" {
                result += part.filter { $0 == "x" || $0 == "y" }.map { _ in "" }
            } else if part.contains("(") {
                break
            } else {
                let pieces = part.split(separator: ":")
                result.append(pieces.count > 1 ? pieces[1] : "")
            }
        }
        return result
    }

    // MARK: Instructions

    /// The instruction at word `start`. Nil: no handler stands there.
    func read(_ words: UnsafeBufferPointer<UInt64>, at start: Int, base: UInt) -> Instruction? {
        guard let op = operation(words[start]) else { return nil }
        var instruction = Instruction(op: op, start: start)
        var position = start + 1
        for token in tokens[Int(op.rawValue)] {
            switch token {
            case .packed(let registers):
                let word = words[position]
                position += 1
                if registers.count <= 2 { instruction.seen = Feedback(word) }
                for (index, register) in registers.enumerated() {
                    let offset = Int(truncatingIfNeeded: word >> UInt64(16 * index)) & 0xFFFF
                    let isX = register.register == "x"
                    let number = isX ? (offset - xBase) / 8 : offset / 8
                    if isX { add(number, isWritten: register.isWritten, to: &instruction) }
                    instruction.operands.append(isX ? .x(number) : .y(number))
                }
            case .word(let letter):
                add(words[position], letter, base, to: &instruction)
                position += 1
            case .counted(let groups, let isTupleHeader):
                let count = isTupleHeader ? Header.words(words[position]) : Int(words[position])
                instruction.operands.append(.raw(UInt64(count)))
                position += 1
                for group in groups {
                    for _ in 0..<count {
                        let first = words[position]
                        for letter in group {
                            // The value of a string segment is a pointer.
                            let isPointer = letter == "v" && first == UInt64(BitSegmentKind.string.rawValue)
                            add(words[position], letter == "v" ? (isPointer ? "k" : "s") : letter, base, to: &instruction)
                            position += 1
                        }
                    }
                }
            }
        }
        instruction.size = position - start
        if let index = locationAt[Int(op.rawValue)], case .raw(let word) = instruction.operands[index] {
            instruction.location = word
        }
        return instruction
    }

    private func add(_ number: Int, isWritten: Bool, to instruction: inout Instruction) {
        if isWritten { instruction.writes.append(number) } else { instruction.reads.append(number) }
    }

    private func add(_ word: UInt64, _ letter: Character, _ base: UInt, to instruction: inout Instruction) {
        switch letter {
        case "s", "d":
            if word & 3 != 0 {
                instruction.operands.append(.constant(word))
            } else if word & 4 != 0 {
                instruction.operands.append(.y(Int(word - 4) / 8))
            } else {
                let number = (Int(word) - xBase) / 8
                add(number, isWritten: letter == "d", to: &instruction)
                if instruction.op == .swap { instruction.reads.append(number) }
                instruction.operands.append(.x(number))
            }
        case "f", "j":
            if word == 0 || word & 1 == 1 {
                instruction.operands.append(.raising)
                instruction.location = word & ~1
            } else {
                let target = Int(UInt(word) - base) / 8
                instruction.targets.append(target)
                instruction.operands.append(.label(target))
            }
        case "l":
            let live = Feedback.operand(word)
            instruction.operands.append(.live(live))
            instruction.seen = Feedback(word)
            // Beyond any register: nothing is collected there.
            if live <= 1023 { instruction.live = live }
        case "w": instruction.seen = Feedback(word)
        default: instruction.operands.append(.raw(word))
        }
    }
}
