// CodeCheck+Operands.swift: reading and writing registers, and the effects that many instructions share.

import BeamFile
import CMachine
import Terms

extension CodeCheck {
    @inline(__always) func operand(_ index: Int) -> Operand { operands[index] }
    @inline(__always) func value(_ index: Int) -> Int { operands[index].value }

    /// Facts about an operand that is read.
    @discardableResult @inline(__always)
    mutating func read(_ operand: Operand) throws(CodeFault) -> UInt32 {
        switch operand.kind {
        case .x:
            try needX(operand.value)
            let known = facts.x[operand.value]
            guard known & Fact.term != 0 else { throw .emptyRegister }
            return known
        case .y: return try readY(operand.value)
        case .literal: return Fact.of(literals[operand.value])
        default: return Fact.plain
        }
    }

    private mutating func readY(_ register: Int) throws(CodeFault) -> UInt32 {
        if facts.frame != RegisterFacts.unknownFrame {
            try inFrame(register)
        } else if register >= facts.yCount {
            throw .outsideFrame
        }
        let known = facts.y[register]
        guard known & Fact.term != 0 else { throw .emptyRegister }
        return known
    }

    @discardableResult
    mutating func read(_ index: Int) throws(CodeFault) -> UInt32 { try read(operand(index)) }

    /// The y register belongs to the frame in force.
    mutating func inFrame(_ register: Int) throws(CodeFault) {
        guard register < Int(facts.frame) else { throw .outsideFrame }
        try needY(register)
    }

    @inline(__always) mutating func write(_ operand: Operand, _ known: UInt32 = Fact.plain) throws(CodeFault) {
        if operand.kind == .x {
            try needX(operand.value)
            facts.x[operand.value] = known
        } else {
            try inFrame(operand.value)
            facts.y[operand.value] = known
        }
    }

    mutating func write(_ index: Int, _ known: UInt32 = Fact.plain) throws(CodeFault) { try write(operand(index), known) }

    /// A test has shown more about an operand that was read.
    mutating func learn(_ index: Int, _ more: UInt32) {
        let operand = operand(index)
        if operand.kind == .x {
            facts.x[operand.value] |= more
        } else if operand.kind == .y {
            facts.y[operand.value] |= more
        }
    }

    /// x(0)..<x(count) hold terms.
    mutating func arguments(_ count: Int) throws(CodeFault) {
        if count > facts.xCount { try needX(count - 1) }
        for i in 0..<count where facts.x[i] & Fact.term == 0 { throw .emptyRegister }
    }

    /// Only x(0)..<x(live) are left.
    mutating func keep(_ live: Int) {
        guard live < facts.xCount else { return }
        (facts.x + live).update(repeating: 0, count: facts.xCount - live)
    }

    /// A collection can happen here that visits x(0)..<x(live).
    mutating func safepoint(_ live: Int) throws(CodeFault) {
        try arguments(live)
        guard facts.isFrameValid else { throw .unclearedFrame }
        keep(live)
        facts.heap = 0
        facts.flags &= ~RegisterFacts.building
    }

    /// An exception can be raised here: the stack is searched for a handler.
    mutating func canRaise() throws(CodeFault) {
        guard facts.isFrameValid else { throw .unclearedFrame }
    }

    /// A call with `count` arguments in registers; the result is in x(0).
    mutating func call(_ count: Int) throws(CodeFault) {
        guard facts.frame != RegisterFacts.unknownFrame else { throw .wrongFrame }
        try safepoint(count)
        keep(0)
        facts.x[0] = Fact.plain
    }

    /// A call that gives up the frame of `words` words.
    mutating func tailCall(_ count: Int, _ words: Int) throws(CodeFault) {
        try arguments(count)
        guard Int(facts.frame) == words else { throw .wrongFrame }
        guard facts.isFrameValid else { throw .unclearedFrame }
        end()
    }

    /// Nothing follows.
    mutating func end() { facts.flags = 0 }

    /// Jumps to the operand's label, or raises if it is 0.
    mutating func fail(_ index: Int) throws(CodeFault) {
        if operand(index).kind == .label, value(index) != 0 { try join(value(index)) } else { try canRaise() }
    }

    /// Takes heap words that an earlier instruction reserved.
    mutating func take(_ words: Int) throws(CodeFault) {
        guard facts.heap >= words else { throw .heapSpace }
        facts.heap -= words
    }

    /// Heap words an operand asks for.
    func heapWords(_ index: Int) -> Int { Decoder.heapWords(operand(index)) }

    /// The instruction relies on a fact about an operand: if the code before does not show it, the decoder adds a test.
    mutating func rely(on fact: UInt32, _ index: Int) throws(CodeFault) {
        guard try read(index) & fact != fact else { return }
        unproven.append(Unproven(offset: start, index: index, fact: fact, size: 0))
        learn(index, fact)
    }

    /// The same for a tuple of at least `size` elements.
    mutating func rely(onTuple size: Int, _ index: Int) throws(CodeFault) {
        let operand = operand(index)
        let tested = testedTuple
        testedTuple = nil
        guard !Fact.hasSize(try read(operand), size) else {
            testedTuple = tested
            return
        }
        if let tested, tested.kind == operand.kind, tested.value == operand.value {
            unproven[unproven.count - 1].size = max(unproven[unproven.count - 1].size, size)
        } else {
            unproven.append(Unproven(offset: start, index: index, fact: Fact.tuple(0), size: size))
        }
        testedTuple = operand
        learn(index, Fact.tuple(size))
    }
}
