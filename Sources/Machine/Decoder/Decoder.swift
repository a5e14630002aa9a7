// Decoder.swift: turns the generic instructions of one function into threaded code, when it is first called. Most
// instructions are chosen from the table by operand kinds; the rest is in Decoder+*.swift by family.

import BeamFile
public import CMachine
import OpSpec
public import Terms

/// Decodes `function` if nobody has yet; answers its entry.
public func decodeFunction(_ function: Ref<Function>) -> CodePointer {
    LoadedModule.of(function).withDecodingLock {
        if function.pointee.code != nil { return function.pointee.entry }
        var decoder = Decoder(function)
        return decoder.run()
    }
}

/// What the Type chunk says of the x registers that an instruction of threaded code reads, by the word it starts at. A
/// hint, see TypeEntry.
public func typesInCode(of function: Ref<Function>) -> [Int: [(register: Int, type: TypeEntry)]] {
    if LoadedModule.of(function).types.count < 2 { return [:] }
    var decoder = Decoder(function)
    return decoder.scan()
}

struct Decoder: ~Copyable {
    let function: Ref<Function>
    let module: LoadedModule
    var reader: InstructionReader
    var code: CodeBuffer
    /// Line item in force, and the Location made for it.
    private var line = 0
    /// The instruction before was a move to x(0); or a line instruction behind one: the line before that.
    private var isMoveToX0 = false
    private var lineBeforeMove: Int?
    /// The instruction before, if it was a move between registers that OTP's loader has not joined with the one before it.
    private var openMove: (source: Operand, target: Operand)?
    private var location: Ref<Location>?
    private var entryLabel = 0
    /// The code is only looked at, and needs no locations: `types` is what is wanted.
    private var isScan = false
    private var types: [Int: [(register: Int, type: TypeEntry)]] = [:]
    /// How many of the tests that the code check asks for are placed.
    private var tested = 0
    /// The word with the size that the last test of a tuple demands.
    private var sizeWord = 0
    private(set) var clearsFrames = false

    init(_ function: Ref<Function>) {
        self.function = function
        module = LoadedModule.of(function)
        reader = module.reader(function)
        code = CodeBuffer(
            firstLabel: Int(function.pointee.firstLabel), labelCount: Int(function.pointee.labelCount))
    }

    mutating func run() -> CodePointer {
        makeCode()
        let target = module.allocateCode(code.count)
        code.write(to: target)
        let entry = code.address(of: entryLabel, in: target)
        function.pointee.code = target
        function.pointee.codeWords = UInt64(code.count)
        module.setEntry(function, entry)
        return entry
    }

    private mutating func makeCode() {
        var check = CodeCheck(module, function, operands: reader.operands)
        if !decodeAndCheck(&check) {
            // That pass did not see everything in time, or there is a fault: first the whole check, then the code.
            let fault = check.run(&reader)
            reader.seek(to: Int(function.pointee.codeStart))
            startAnew(check)
            while let opcode = try? reader.next() {
                placeTests(check.unproven)
                decodeAndNote(opcode)
                if fault != .none, entryLabel > 0 { break }
            }
            emitInvalid(fault)
        } else {
            // Nothing runs on behind code that passed, but a call that never returns needs a successor.
            emitInvalid(.none)
        }
        if !code.allReferencesPlaced { preconditionFailure("label outside its function survived the load-time check") }
    }

    fileprivate mutating func scan() -> [Int: [(register: Int, type: TypeEntry)]] {
        isScan = true
        makeCode()
        return types
    }

    private mutating func decodeAndNote(_ opcode: Opcode) {
        let start = code.count
        decode(opcode)
        // What became a part of the instruction before has no word of its own.
        guard isScan, code.last?.start == start else { return }
        for index in 0..<reader.count where operand(index).kind == .x && operand(index).extra != 0 {
            let number = Int(operand(index).extra)
            if number < module.types.count { types[start, default: []].append((value(index), module.types[number])) }
        }
    }

    /// Decodes along with the first pass of the check. False if that pass is not the last.
    private mutating func decodeAndCheck(_ check: inout CodeCheck) -> Bool {
        do throws(CodeFault) {
            while let opcode = try? reader.next() {
                try check.advance(opcode, reader.operands, at: reader.start)
                if check.unproven.count > 0 { placeTests(check.unproven) }
                decodeAndNote(opcode)
            }
            try check.endPass()
        } catch { return false }
        return !check.mustRepeat
    }

    private mutating func startAnew(_ check: borrowing CodeCheck) {
        code = CodeBuffer(firstLabel: Int(function.pointee.firstLabel), labelCount: Int(function.pointee.labelCount))
        line = 0
        isMoveToX0 = false
        openMove = nil
        lineBeforeMove = nil
        location = nil
        entryLabel = 0
        clearsFrames = check.clearsFrames
        types = [:]
        tested = 0
    }

    // MARK: Operands

    func operand(_ index: Int) -> Operand { reader.operands[index] }
    func value(_ index: Int) -> Int { reader.operands[index].value }

    static func xOffset(_ register: Int) -> Int { xBase + register * 8 }

    /// A source or destination word.
    mutating func word(_ operand: Operand) -> UInt64 {
        switch operand.kind {
        case .x: return UInt64(Self.xOffset(operand.value))
        case .y: return UInt64(operand.value * 8 + 4)
        default: return constant(operand).raw
        }
    }

    mutating func word(_ index: Int) -> UInt64 { word(operand(index)) }

    mutating func constant(_ operand: Operand) -> Term {
        switch operand.kind {
        case .integer, .unsigned:
            return Term.fitsSmall(operand.value) ? .small(operand.value) : integerLiteral { $0.integer(operand.value) }
        case .bigInteger: return bigLiteral(operand)
        case .atom: return module.atoms[operand.value]
        case .nil: return .nil
        case .literal: return module.literals[operand.value]
        // A size beyond a word: too large for anything it could count.
        case .overflow: return integerLiteral { shiftLeft($0, .small(1), .small(80)) }
        default: return .nil
        }
    }

    /// An integer of more than 60 bits; equal ones are one literal, which stays for good.
    private func integerLiteral(_ make: (Ref<Heap>) -> Term) -> Term {
        var scratch = Heap()
        let result = withUnsafeMutablePointer(to: &scratch) { IntegerLiterals.shared(make($0)) }
        withUnsafeMutablePointer(to: &scratch) { freeScratch($0) }
        return result
    }

    private func bigLiteral(_ operand: Operand) -> Term {
        let digits = reader.digits(of: operand)
        return integerLiteral { heap in
            let context = MatchContext.start(heap, heap.makeBinary(digits))
            return MatchContext(context).integer(heap, bits: digits.count * 8, flags: BitFlags.signed)
        }
    }

    static func floatOffset(_ operand: Operand) -> Int { floatBase + operand.value * 8 }

    /// The Location for the line in force.
    mutating func locationWord() -> UInt64 {
        if isScan { return 0 }
        if location == nil || location?.pointee.frame != UInt32(code.frame) {
            location = module.allocateLocation()
            location?.pointee.function = function
            location?.pointee.line = UInt32(clamping: line)
            location?.pointee.frame = UInt32(code.frame)
        }
        return UInt64(UInt(bitPattern: location))
    }

    /// Appends a `j` operand: a label, or the Location with bit 0 set.
    mutating func appendFail(_ index: Int) {
        if value(index) == 0 { code.append(locationWord() | 1) } else { code.reference(value(index)) }
    }

    mutating func appendWord(_ index: Int) { code.append(word(index)) }

    // MARK: One instruction

    /// OTP's loader takes the line away that stands between a move to x(0) and a tail call, so what follows has the line
    /// before; traces show it.
    private mutating func dropLine(_ opcode: Opcode) {
        guard let before = lineBeforeMove else { return }
        switch opcode {
        case .call_only, .call_last: break
        case .call_ext_only, .call_ext_last:
            // apply and hibernate, which are instructions here, are native functions there.
            let callee = module.imports[value(1)].pointee
            if callee.bif != nil || callee.module == Atoms.erlang && (callee.name == Atoms.apply || callee.name == Atoms.hibernate) {
                return
            }
        default: return
        }
        line = before
        location = nil
    }

    /// OTP's loader joins two moves whose sources and whose targets are neighbours, from the left; such a move to x(0) is
    /// none any more for `dropLine`.
    private mutating func noteMove(_ opcode: Opcode) {
        isMoveToX0 = false
        guard opcode == .move else { return openMove = nil }
        let (source, target) = (operand(0), operand(1))
        func areNeighbours(_ a: Operand, _ b: Operand) -> Bool { a.kind == b.kind && abs(a.value - b.value) == 1 }
        let isRegister = source.kind == .x || source.kind == .y
        if let before = openMove, isRegister, before.target.kind != source.kind || before.target.value != source.value,
            areNeighbours(before.source, source), areNeighbours(before.target, target)
        {
            openMove = nil
            return
        }
        openMove = isRegister ? (source, target) : nil
        isMoveToX0 = target.kind == .x && target.value == 0
    }

    mutating func emitInvalid(_ fault: CodeFault) {
        code.begin(.invalid_code)
        code.append(fault == .none ? 0 : locationWord())
        code.append(Int(fault.rawValue))
    }

    /// The tests in front of instructions that rely on more than the code check could show.
    private mutating func placeTests(_ unproven: [Unproven]) {
        while tested < unproven.count, unproven[tested].offset == reader.start {
            emitTest(unproven[tested])
            tested += 1
        }
        // A later instruction may have asked more of the test before.
        if tested == unproven.count, let last = unproven.last, last.fact == Fact.tuple(0) { code.setWord(sizeWord, UInt64(last.size)) }
    }

    private mutating func emitTest(_ test: Unproven) {
        switch test.fact {
        case 0: return emitInvalid(.none)
        case Fact.cons: code.begin(.require_cons)
        case Fact.map: code.begin(.require_map)
        case Fact.float: code.begin(.require_float)
        default: code.begin(.require_tuple)
        }
        appendWord(test.index)
        if test.fact == Fact.tuple(0) {
            sizeWord = code.count
            code.append(test.size)
        }
        code.append(locationWord())
    }

    private mutating func decode(_ opcode: Opcode) {
        dropLine(opcode)
        lineBeforeMove = opcode == .line && isMoveToX0 ? line : nil
        noteMove(opcode)
        switch opcode {
        case .label: code.place(value(0))
        case .line:
            line = value(0)
            location = nil
        case .func_info:
            code.begin(.function_clause)
            code.append(locationWord())
            // What follows is the entry label; line information of func_info is not that of the body.
            entryLabel = -1
        default:
            if Self.isRemark(opcode) || decodeFused(opcode) || decodeFromTable(opcode) { return }
            decodeSpecial(opcode)
        }
        if opcode == .label, entryLabel == -1 {
            entryLabel = value(0)
            if JITHooks.threshold != 0 {
                code.begin(.count_call)
                appendPointer(function)
                code.barrier()
            }
        }
    }

    /// The first row of the table whose pattern the operands match.
    private mutating func decodeFromTable(_ opcode: Opcode) -> Bool {
        for row in InstructionTable.candidates(opcode) where matches(row.pattern) {
            emit(row)
            fuseWithPrevious(row.operation)
            return true
        }
        return false
    }

    private mutating func matches(_ pattern: [UInt8]) -> Bool {
        for (index, letter) in pattern.enumerated() where letter != UInt8(ascii: "w") {
            let operand = operand(index)
            let isMatch =
                switch letter {
                case UInt8(ascii: "x"): operand.kind == .x
                case UInt8(ascii: "y"): operand.kind == .y
                case UInt8(ascii: "c"): operand.kind != .x && operand.kind != .y
                case UInt8(ascii: "i"): operand.kind != .x && operand.kind != .y && constant(operand).isImmediate
                default: true
                }
            if !isMatch { return false }
        }
        return true
    }

    private mutating func emit(_ row: Row) {
        code.begin(row.operation)
        var packed: UInt64 = 0
        var shift: UInt64 = 0
        for (index, letter) in row.pattern.enumerated() {
            let offset: Int
            switch letter {
            case UInt8(ascii: "x"): offset = Self.xOffset(value(index))
            case UInt8(ascii: "y"): offset = value(index) * 8
            default: continue
            }
            packed |= UInt64(offset) << shift
            shift += 16
        }
        if shift > 0 { code.append(packed) }
        for (index, letter) in row.pattern.enumerated() {
            switch letter {
            case UInt8(ascii: "x"), UInt8(ascii: "y"): continue
            case UInt8(ascii: "f"): code.reference(value(index))
            case UInt8(ascii: "j"): appendFail(index)
            case UInt8(ascii: "u"): code.append(number(row.operation, value(index)))
            case UInt8(ascii: "w"): code.append(0)
            default: appendWord(index)
            }
        }
    }

    /// Tuple tests compare whole header words.
    private func number(_ operation: Op, _ value: Int) -> UInt64 {
        switch operation {
        case .test_arity, .test_arity_x, .is_tagged_tuple, .is_tagged_tuple_x: Header.make(value, Subtag.tuple)
        default: UInt64(value)
        }
    }
}
