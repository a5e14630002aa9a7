// CodeIndex.swift: one pass over a module's instructions, made when it is loaded. It proves that every instruction is
// well formed (Opcode.swift says what is allowed where), that labels, functions, exports and fun entries fit together,
// and finds where each function starts. After it, reading the code of a function again cannot fail.
//
// It does not prove that the code is type safe; the compiler's own validator does that, and OTP trusts it too.

/// Where the functions and labels of a module are.
public struct CodeIndex: Sendable {
    public struct Function: Sendable {
        /// Atom index.
        public let name: Int
        public let arity: Int
        public let infoLabel: Int
        public internal(set) var entryLabel: Int
        /// Offset of the first instruction, the label before func_info.
        public let start: Int
        public internal(set) var end: Int
        /// Lowest label, and how many numbers up to the highest one.
        public internal(set) var firstLabel: Int
        public internal(set) var labelCount: Int
    }

    public struct Label: Sendable {
        /// Function it is in; UInt32.max if the label does not exist.
        public internal(set) var function: UInt32
        /// Offset of its `label` instruction.
        public internal(set) var offset: UInt32
    }

    public internal(set) var functions: [Function] = []
    /// By label number.
    public internal(set) var labels: [Label]
    /// Function with the `on_load` instruction.
    public internal(set) var onLoad: Int?

    /// Validates the code of `file`.
    public init(_ file: BeamFile) throws(LoadError) {
        labels = [Label](repeating: Label(function: .max, offset: 0), count: max(file.labelCount, 1))
        functions.reserveCapacity(file.functionCount)
        var checker = Checker(file)
        try checker.run(&self)
        try checkTables(file)
    }

    /// The function whose entry is `label`.
    public func functionEntered(at label: Int) -> Int? {
        guard label > 0, label < labels.count, labels[label].function != .max else { return nil }
        let index = Int(labels[label].function)
        return functions[index].entryLabel == label ? index : nil
    }

    private func checkTables(_ file: BeamFile) throws(LoadError) {
        for (row, export) in file.exports.enumerated() {
            guard let index = functionEntered(at: export.label), functions[index].arity == export.arity else {
                throw LoadError(.badExport, at: row)
            }
        }
        var seen = Set<Int>()
        for (row, lambda) in file.lambdas.enumerated() {
            guard let index = functionEntered(at: lambda.label), functions[index].arity == lambda.arity,
                seen.insert(lambda.label).inserted
            else { throw LoadError(.badLambda, at: row) }
        }
    }
}

/// The pass itself.
private struct Checker {
    let file: BeamFile
    let table = shapes
    let labelCount: Int
    /// Index of the atom `string`, or 0: names the segment of bs_create_bin whose text is in the string table.
    let stringAtom: Int
    let atomCount: Int
    let importCount: Int
    let literalCount: Int
    let lambdaCount: Int
    let typeCount: Int
    let lineCount: Int
    /// Labels the code refers to; the top bit marks those that must be function entries. By function, see `marks`.
    var references: [UInt32] = []
    /// Where the references of each function begin.
    var marks: [Int] = []

    init(_ file: BeamFile) {
        self.file = file
        labelCount = file.labelCount
        stringAtom = file.atoms.firstIndex { $0.elementsEqual("string".utf8) } ?? 0
        atomCount = file.atoms.count
        importCount = file.imports.count
        literalCount = file.literals.count
        lambdaCount = file.lambdas.count
        // Without a type table the hints mean nothing, so any index will do.
        typeCount = file.types.isEmpty ? Int.max : file.types.count
        lineCount = file.lines.isPresent ? file.lines.items.count : Int.max
    }

    /// What may come next at the edge between two functions.
    enum Expectation { case anything, entryLabel }

    mutating func run(_ index: inout CodeIndex) throws(LoadError) {
        var reader = InstructionReader(file.code, from: 0, to: file.code.count)
        var expectation = Expectation.anything
        // The run of `label` and `line` instructions before the current one: where it began, and its last label.
        var runStart = -1
        var runLabels: [(label: Int, offset: Int)] = []
        while let opcode = try reader.next() {
            if expectation == .entryLabel, opcode != .label { throw LoadError(.badFunction, at: reader.start) }
            try checkOperands(opcode, reader)
            switch opcode {
            case .label:
                let label = reader.operands[0].value
                guard index.labels[label].function == .max else {
                    throw LoadError(.duplicateLabel, at: reader.start)
                }
                if expectation == .entryLabel {
                    index.functions[index.functions.count - 1].entryLabel = label
                    expectation = .anything
                    place(label, reader.start, &index)
                } else {
                    if runStart < 0 { runStart = reader.start }
                    runLabels.append((label, reader.start))
                    index.labels[label].function = .max - 1
                }
                continue
            case .line: continue
            case .func_info:
                guard let first = runLabels.first, reader.operands[0].value == 1 else {
                    throw LoadError(.badFunction, at: reader.start)
                }
                beginFunction(reader, first.label, start: runStart, &index)
                expectation = .entryLabel
            case .int_code_end:
                guard runLabels.isEmpty, !index.functions.isEmpty else { throw LoadError(.badEnd, at: reader.start) }
                return try finish(&index, at: reader.start)
            case .on_load:
                guard index.onLoad == nil else { throw LoadError(.badFunction, at: reader.start) }
                index.onLoad = index.functions.count - 1
            default: break
            }
            guard !index.functions.isEmpty else { throw LoadError(.badFunction, at: reader.start) }
            guard runStart >= 0 else { continue }
            for (label, offset) in runLabels { place(label, offset, &index) }
            runLabels.removeAll(keepingCapacity: true)
            runStart = -1
        }
        throw LoadError(.badEnd, at: reader.position)
    }

    private mutating func beginFunction(
        _ reader: borrowing InstructionReader, _ label: Int, start: Int, _ index: inout CodeIndex
    ) {
        if let last = index.functions.indices.last { index.functions[last].end = start }
        marks.append(references.count)
        index.functions.append(
            CodeIndex.Function(
                name: reader.operands[1].value, arity: reader.operands[2].value, infoLabel: label, entryLabel: 0,
                start: start, end: start, firstLabel: label, labelCount: 1))
    }

    /// Puts `label` into the function under way.
    private func place(_ label: Int, _ offset: Int, _ index: inout CodeIndex) {
        let function = index.functions.count - 1
        index.labels[label] = CodeIndex.Label(function: UInt32(function), offset: UInt32(offset))
        let first = index.functions[function].firstLabel
        let last = max(first + index.functions[function].labelCount - 1, label)
        index.functions[function].firstLabel = min(first, label)
        index.functions[function].labelCount = last - min(first, label) + 1
    }

    private func finish(_ index: inout CodeIndex, at end: Int) throws(LoadError) {
        guard index.functions.count == file.functionCount else { throw LoadError(.badFunction, at: end) }
        index.functions[index.functions.count - 1].end = end
        for function in index.functions.indices {
            let upTo = function + 1 < marks.count ? marks[function + 1] : references.count
            for reference in references[marks[function]..<upTo] {
                let label = Int(reference & 0x7FFF_FFFF)
                let isGood =
                    reference >> 31 == 1
                    ? index.functionEntered(at: label) != nil : index.labels[label].function == UInt32(function)
                if !isGood { throw LoadError(.badLabel, at: index.functions[function].start) }
            }
        }
    }

    // MARK: Operands

    private mutating func checkOperands(_ opcode: Opcode, _ reader: borrowing InstructionReader) throws(LoadError) {
        let shape = table[Int(opcode.rawValue)]
        let operands = reader.operands
        for position in 0..<shape.fixed {
            try check(operands[position], shape.letters[position], reader.start)
        }
        if shape.pattern > 0 {
            let letters = shape.letters + shape.fixed + 1
            let elements = operands + shape.fixed + 1
            let count = operands[shape.fixed].value
            guard count % shape.pattern == 0 else { throw LoadError(.badCount, at: reader.start) }
            var position = 0
            while position < count {
                for letter in 0..<shape.pattern {
                    try check(elements[position + letter], letters[letter], reader.start)
                }
                position += shape.pattern
            }
        }
        switch opcode {
        case .bif0: try checkArity(operands[0], 0, reader.start)
        case .bif1, .bif2: try checkArity(operands[1], opcode == .bif1 ? 1 : 2, reader.start)
        case .gc_bif1: try checkArity(operands[2], 1, reader.start)
        case .gc_bif2, .gc_bif3: try checkArity(operands[2], opcode == .gc_bif2 ? 2 : 3, reader.start)
        case .call_ext, .call_ext_last, .call_ext_only:
            try checkArity(operands[1], operands[0].value, reader.start)
        case .bs_put_string: try checkString(operands[1], operands[0].value, reader.start)
        case .bs_match_string:
            let bits = operands[2].value
            try checkString(operands[3], bits / 8 + (bits % 8 == 0 ? 0 : 1), reader.start)
        case .bs_create_bin:
            let count = operands[5].value
            for segment in stride(from: 6, to: 6 + count, by: 6) where operands[segment].value == stringAtom {
                let size = operands[segment + 5]
                guard size.kind == .integer || size.kind == .unsigned else {
                    throw LoadError(.badOperand, at: reader.start)
                }
                try checkString(operands[segment + 4], size.value, reader.start)
            }
        default: break
        }
    }

    /// The import must take as many arguments as the instruction gives it.
    private func checkArity(_ row: Operand, _ count: Int, _ at: Int) throws(LoadError) {
        try require(file.imports[row.value].arity == count, .badIndex, at)
    }

    /// `bytes` bytes from `offset` must lie within the string table.
    private func checkString(_ offset: Operand, _ bytes: Int, _ at: Int) throws(LoadError) {
        guard offset.kind == .unsigned || offset.kind == .integer, offset.value >= 0, bytes >= 0,
            offset.value <= file.strings.count, bytes <= file.strings.count - offset.value
        else { throw LoadError(.badIndex, at: at) }
    }

    private func require(_ condition: Bool, _ reason: LoadError.Reason, _ at: Int) throws(LoadError) {
        if !condition { throw LoadError(reason, at: at) }
    }

    private mutating func check(_ operand: Operand, _ letter: UInt8, _ at: Int) throws(LoadError) {
        switch letter {
        case UInt8(ascii: "s"): try checkValue(operand, at)
        case UInt8(ascii: "d"), UInt8(ascii: "r"):
            try require(operand.kind == .x || operand.kind == .y, .badOperand, at)
            try require(Int(operand.extra) < typeCount, .badIndex, at)
        case UInt8(ascii: "L"): try checkLabel(operand, 1, at)
        case UInt8(ascii: "F"): try checkLabel(operand, 0, at)
        case UInt8(ascii: "E"): try checkLabel(operand, 1, at, mustBeEntry: true)
        case UInt8(ascii: "t"): try checkIndex(operand, lineCount, at)
        case UInt8(ascii: "l"):
            try checkIndex(operand, labelCount, at)
            try require(operand.value > 0, .badLabel, at)
        case UInt8(ascii: "A"): try checkIndex(operand, 256, at)
        case UInt8(ascii: "w"), UInt8(ascii: "m"): try checkIndex(operand, 1025, at)
        case UInt8(ascii: "u"): try require(operand.kind == .unsigned, .badOperand, at)
        case UInt8(ascii: "I"): try checkIndex(operand, importCount, at)
        case UInt8(ascii: "n"): try checkIndex(operand, lambdaCount, at)
        case UInt8(ascii: "y"): try require(operand.kind == .y, .badOperand, at)
        default: try checkRare(operand, letter, at)
        }
    }

    @inline(never) private mutating func checkRare(_ operand: Operand, _ letter: UInt8, _ at: Int) throws(LoadError) {
        switch (letter, operand.kind) {
        case (UInt8(ascii: "h"), .allocation): break
        case (UInt8(ascii: "h"), _): try checkIndex(operand, 0x1000_0000, at)
        case (UInt8(ascii: "v"), .unsigned), (UInt8(ascii: "v"), .overflow): break
        case (UInt8(ascii: "k"), .x), (UInt8(ascii: "k"), .y): throw LoadError(.badOperand, at: at)
        case (UInt8(ascii: "v"), _), (UInt8(ascii: "k"), _): try checkValue(operand, at)
        case (UInt8(ascii: "f"), .floatRegister), (UInt8(ascii: "e"), .floatRegister),
            (UInt8(ascii: "o"), .floatRegister):
            break
        case (UInt8(ascii: "e"), _): try checkValue(operand, at)
        case (UInt8(ascii: "o"), _): try check(operand, UInt8(ascii: "d"), at)
        case (UInt8(ascii: "a"), .atom): try require(operand.value < atomCount, .badIndex, at)
        case (UInt8(ascii: "b"), .label): try checkLabel(operand, 1, at)
        case (UInt8(ascii: "b"), .atom), (UInt8(ascii: "g"), .atom):
            try require(operand.value < atomCount, .badIndex, at)
        case (UInt8(ascii: "g"), .unsigned): break
        default: throw LoadError(.badOperand, at: at)
        }
    }

    @inline(__always) private func checkIndex(_ operand: Operand, _ limit: Int, _ at: Int) throws(LoadError) {
        try require(operand.kind == .unsigned, .badOperand, at)
        try require(operand.value < limit, .badIndex, at)
    }

    private mutating func checkLabel(
        _ operand: Operand, _ lowest: Int, _ at: Int, mustBeEntry: Bool = false
    ) throws(LoadError) {
        try require(operand.kind == .label, .badOperand, at)
        try require(operand.value >= lowest && operand.value < labelCount, .badLabel, at)
        if operand.value > 0 { references.append(UInt32(operand.value) | (mustBeEntry ? 1 << 31 : 0)) }
    }

    /// Any term: a register or a constant.
    @inline(__always) private func checkValue(_ operand: Operand, _ at: Int) throws(LoadError) {
        switch operand.kind {
        case .x, .y: try require(Int(operand.extra) < typeCount, .badIndex, at)
        case .integer, .bigInteger, .nil: break
        case .atom: try require(operand.value < atomCount, .badIndex, at)
        case .literal: try require(operand.value < literalCount, .badIndex, at)
        default: throw LoadError(.badOperand, at: at)
        }
    }
}
