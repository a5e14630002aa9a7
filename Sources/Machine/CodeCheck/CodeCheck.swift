// CodeCheck.swift: proves, before a function is decoded, that its code keeps to the rules that the machine relies on:
// frames, registers that hold something when they are read and when a collection happens, heap space that was reserved
// before it is used, exception handlers. The compiler keeps them all; a damaged or hand-made file may not.
//
// A pass follows the instructions in order with the facts of RegisterFacts; at a label they meet those of every jump to
// it. Jumps backwards are rare (receive); only one that takes away a fact makes another pass necessary. The decoder makes
// its code along with the first pass, and again in the rare case that this pass was not enough.
//
// Types are checked where an instruction would otherwise touch wrong memory. What cannot be shown from the code before
// it, as the compiler knows more than one function, is noted in `unproven`: the decoder puts a test there.

import BeamFile
import CMachine
import Terms

/// Before the instruction at `offset`, its operand `index` must be tested. `size` is for tuples. Fact 0: the place is
/// never reached.
struct Unproven {
    let offset: Int
    let index: Int
    let fact: UInt32
    var size: Int
}

struct CodeCheck: ~Copyable {
    let function: Ref<Function>
    let imports: UnsafeMutablePointer<Ref<Export>>
    let funs: UnsafeMutablePointer<Ref<FunEntry>>
    let atoms: Ref<Term>
    let literals: Ref<Term>
    private let labels: UnsafeMutablePointer<CodeIndex.Label>
    private let functions: Ref<Function>
    private let firstLabel: Int
    private let labelCount: Int
    /// The label before func_info: the first one.
    private var infoLabel = 0

    /// The instruction: its operands, and where it is.
    var operands: UnsafeMutablePointer<Operand>
    var start = 0
    /// Facts in force, and the memory they and those of the labels are in.
    var facts: RegisterFacts
    private var memory: UnsafeMutablePointer<UInt32>
    private var isAtEntry = false
    private(set) var mustRepeat = false
    /// The label in front of the instruction, or 0.
    var labelBefore = 0
    /// Frames need not be complete when a call is made, because the decoder clears them: the compiler knows of some guard
    /// functions that they will not fail and calls them before.
    private(set) var clearsFrames = false
    /// What must be tested at run time, in order.
    var unproven: [Unproven] = []
    /// The instruction before took an element of this register's tuple, which is tested for it: the last of `unproven`.
    var testedTuple: Operand?
    /// The instruction under way gives up its slice when it is used up, so it may jump backwards.
    var countsTurns = false
    /// Highest registers met when `.narrow` was thrown.
    private var neededX = 0
    private var neededY = 0

    init(_ module: LoadedModule, _ function: Ref<Function>, operands: UnsafeMutablePointer<Operand>) {
        self.function = function
        self.operands = operands
        imports = module.imports
        funs = module.funs
        atoms = module.atoms
        literals = module.literals
        labels = module.labels
        functions = module.functions
        firstLabel = Int(function.pointee.firstLabel)
        labelCount = Int(function.pointee.labelCount)
        (memory, facts) = Self.makeFacts(labelCount, max(16, (Int(function.pointee.arity) + 15) & ~15), 16)
        beginPass()
        forgetLabels()
    }

    deinit { memory.deallocate() }

    private static func makeFacts(
        _ labels: Int, _ xCount: Int, _ yCount: Int
    ) -> (UnsafeMutablePointer<UInt32>, RegisterFacts) {
        let memory = UnsafeMutablePointer<UInt32>.allocate(capacity: (labels + 2) * RegisterFacts.size(xCount, yCount))
        return (memory, RegisterFacts(words: memory, xCount: xCount, yCount: yCount))
    }

    private func atLabel(_ index: Int) -> RegisterFacts {
        RegisterFacts(
            words: memory + (index + 1) * RegisterFacts.size(facts.xCount, facts.yCount), xCount: facts.xCount,
            yCount: facts.yCount)
    }

    /// Room for facts that are about to be those of a label.
    var scratch: RegisterFacts { atLabel(labelCount) }

    private func forgetLabels() {
        for index in 0..<labelCount { atLabel(index).flags = 0 }
    }

    func callee(_ label: Int) -> Ref<Function> { functions + Int(labels[label].function) }

    // MARK: Passes

    /// The first fault of `reader`'s function, `.none` if it may be decoded. Makes as many passes as it needs.
    mutating func run(_ reader: inout InstructionReader) -> CodeFault {
        for _ in 0..<200 {
            reader.seek(to: Int(function.pointee.codeStart))
            beginPass()
            var fault = CodeFault.none
            do throws(CodeFault) {
                while let opcode = try? reader.next() { try advance(opcode, reader.operands, at: reader.start) }
                try endPass()
            } catch { fault = error }
            if !goOn(after: fault) { return fault }
        }
        return .tooComplex
    }

    private mutating func beginPass() {
        mustRepeat = false
        isAtEntry = false
        infoLabel = 0
        unproven.removeAll(keepingCapacity: true)
        testedTuple = nil
        facts.flags = 0
        facts.frame = 0
        facts.heap = 0
        for index in 0..<labelCount { atLabel(index).flags &= ~RegisterFacts.passed }
    }

    func endPass() throws(CodeFault) {
        if facts.has(RegisterFacts.reached) { throw .missingEnd }
    }

    /// Another pass may tell more: prepares for it.
    private mutating func goOn(after fault: CodeFault) -> Bool {
        switch fault {
        case .none: return mustRepeat
        case .narrow: widen()
        case .unclearedFrame where !clearsFrames: clearsFrames = true
        default: return false
        }
        forgetLabels()
        return true
    }

    /// The next instruction of the function.
    @inline(__always)
    mutating func advance(_ opcode: Opcode, _ operands: UnsafeMutablePointer<Operand>, at start: Int) throws(CodeFault) {
        self.operands = operands
        self.start = start
        if opcode == .label {
            passLabel(operands[0].value)
        } else if opcode == .func_info {
            if facts.has(RegisterFacts.reached) { try checkNoClause(facts) }
            isAtEntry = true
        } else if facts.has(RegisterFacts.reached) {
            try step(opcode)
            labelBefore = 0
        }
    }

    private mutating func passLabel(_ label: Int) {
        testedTuple = nil
        labelBefore = label
        if infoLabel == 0 { infoLabel = label }
        if isAtEntry { enter() }
        let known = atLabel(label - firstLabel)
        if known.has(RegisterFacts.reached) {
            if facts.has(RegisterFacts.reached) {
                if isTryHandler(label) { neverReached() } else { _ = known.meet(facts) }
            }
            facts.copy(from: known)
        } else if facts.has(RegisterFacts.reached) {
            known.copy(from: facts)
        }
        known.flags |= RegisterFacts.passed
    }

    /// At the entry: the arguments, and no frame.
    private mutating func enter() {
        isAtEntry = false
        facts.words.update(repeating: 0, count: RegisterFacts.size(facts.xCount, facts.yCount))
        for i in 0..<Int(function.pointee.arity) { facts.x[i] = Fact.plain }
        facts.flags = RegisterFacts.reached | RegisterFacts.calm
    }

    // MARK: Room

    /// Room for the registers of the instruction that did not find any.
    private mutating func widen() {
        var (xCount, yCount) = (facts.xCount, facts.yCount)
        if neededX >= xCount { xCount = min(1024, max(neededX + 1, xCount * 2)) }
        if neededY >= yCount { yCount = min(1024, max(neededY + 1, yCount * 2)) }
        memory.deallocate()
        (memory, facts) = Self.makeFacts(labelCount, xCount, yCount)
    }

    @inline(__always) mutating func needX(_ register: Int) throws(CodeFault) {
        guard _slowPath(register >= facts.xCount) else { return }
        guard register < 1024 else { throw .emptyRegister }
        neededX = register
        throw .narrow
    }

    @inline(__always) mutating func needY(_ register: Int) throws(CodeFault) {
        guard _slowPath(register >= facts.yCount) else { return }
        guard register < 1024 else { throw .outsideFrame }
        neededY = register
        throw .narrow
    }

    // MARK: Jumps

    /// Only exceptions lead there.
    func isTryHandler(_ label: Int) -> Bool {
        let mask = RegisterFacts.reached | RegisterFacts.tryHandler | RegisterFacts.calm
        return label != infoLabel
            && atLabel(label - firstLabel).flags & mask == RegisterFacts.reached | RegisterFacts.tryHandler
    }

    /// Control comes here behind a call that, as the compiler knew, never returns: a word that raises goes before the
    /// instruction.
    mutating func neverReached() {
        unproven.append(Unproven(offset: start, index: 0, fact: 0, size: 0))
    }

    /// The facts in force hold at `label` too, or what they have in common with what did so far.
    @inline(__always) mutating func join(_ label: Int) throws(CodeFault) { try join(label, facts) }

    mutating func join(_ label: Int, _ facts: RegisterFacts) throws(CodeFault) {
        if label == infoLabel { return try checkNoClause(facts) }
        let known = atLabel(label - firstLabel)
        if known.has(RegisterFacts.passed), !countsTurns { throw .endlessLoop }
        if !known.has(RegisterFacts.reached) {
            if known.has(RegisterFacts.passed) { mustRepeat = true }
            known.copy(from: facts)
        } else if known.meet(facts), known.has(RegisterFacts.passed) {
            mustRepeat = true
        }
    }

    /// func_info takes the arguments and raises; whatever frame there is goes.
    private func checkNoClause(_ facts: RegisterFacts) throws(CodeFault) {
        for i in 0..<Int(function.pointee.arity) where facts.x[i] & Fact.term == 0 { throw .emptyRegister }
        guard facts.isFrameValid else { throw .unclearedFrame }
    }
}
