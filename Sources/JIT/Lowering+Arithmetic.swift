// Lowering+Arithmetic.swift: small integers and floats in line; what overflows, and what is no small integer, is the
// slow half. The size BIFs of guards are here too.

import CLLVM
import CMachine
import Machine
import Terms

extension Lowering {
    /// Lowers the current instruction if it is an operator or a guard BIF with a fast half.
    func lowerArithmetic() -> Bool {
        switch current.op {
        case .add_xi: sum(0, 2, to: 1)
        case .add_xx, .add: sum(0, 1, to: 2)
        case .sub_xi: difference(0, 2, to: 1)
        case .sub_xx, .sub: difference(0, 1, to: 2)
        case .guard_bif1 where isBif("abs"): absolute()
        case .mul: product()
        case .div, .rem: quotient()
        case .band: bitwise { self.ir.and($0, $1) }
        case .bor: bitwise { self.ir.or($0, $1) }
        case .bxor: bitwise { self.ir.or(self.ir.xor($0, $1), self.ir.int(15)) }
        case .bsr: shiftRight()
        case .bsl: shiftLeft()
        case .element: element()
        case .hd, .tl:
            let list = value(1)
            fast(ir.equal(ir.and(list, 3), 1), to: 2, isSmall: false) { self.word(self.cell(list), self.current.op == .hd ? 0 : 1) }
        case .tuple_size:
            boxedFast(HeaderKind.tuple) { self.small(self.ir.shiftRightLogical(self.word($0, 0), self.ir.int(6))) }
        case .map_size: boxedFast(HeaderKind.map) { self.small(self.word($0, 1)) }
        default: return false
        }
        return true
    }

    private enum HeaderKind { case tuple, map }

    func small(_ value: Value) -> Value { ir.or(ir.shiftLeft(value, ir.int(4)), ir.int(15)) }
    func smallValue(_ term: Value) -> Value { ir.shiftRight(term, ir.int(4)) }

    private func isBif(_ name: String) -> Bool {
        let export = UnsafePointer<Export>(bitPattern: UInt(raw(0)))!.pointee
        return export.module == Atoms.erlang && export.name.atomText == name
    }

    /// `result` if the condition (nil: always) holds, the slow half otherwise.
    private func fast(_ condition: Value?, to target: Int, isSmall: Bool = true, _ result: () -> Value) {
        guard let condition else {
            set(target, result())
            if isSmall { learnSmall(current.operands[target]) }
            return
        }
        let slow = newBlock("slow")
        let ok = newBlock("fast")
        let done = newBlock("done")
        ir.branchRarely(LLVMBuildNot(ir.builder, condition, ""), slow, ok)
        ir.position(ok)
        store(result(), to: target, slow, done, isSmall: isSmall)
    }

    /// The same with a second condition that is only known once the first holds.
    private func fast(_ condition: Value?, to target: Int, checked: () -> (value: Value, failed: Value)) {
        let slow = newBlock("slow")
        let done = newBlock("done")
        if let condition {
            let ok = newBlock("small")
            ir.branchRarely(LLVMBuildNot(ir.builder, condition, ""), slow, ok)
            ir.position(ok)
        }
        let (value, failed) = checked()
        let fits = newBlock("fits")
        ir.branchRarely(failed, slow, fits)
        ir.position(fits)
        store(value, to: target, slow, done, isSmall: true)
    }

    /// The fast half's result; the slow half follows, and joins unless it leaves.
    func store(_ value: Value, to target: Int, _ slow: BasicBlock, _ done: BasicBlock, isSmall: Bool) {
        let fast = ir.currentBlock
        ir.position(slow)
        let leaves = slowHalf(joining: done)
        ir.position(fast)
        if leaves { for index in bets { learnSmall(current.operands[index]) } }
        set(target, value)
        if leaves, isSmall { learnSmall(current.operands[target]) }
        ir.branch(done)
        ir.position(done)
    }

    private func isSmall(_ term: Value) -> Value { ir.equal(ir.and(term, 15), 15) }

    /// Both operands are small integers; nil if that is known.
    private func bothSmall(_ first: Int, _ second: Int) -> Value? {
        let unknown = [first, second].filter { !isKnownSmall(current.operands[$0]) }
        bets = unknown
        guard let one = unknown.first else { return nil }
        if unknown.count == 1 { return isSmall(value(one)) }
        return ir.equal(ir.and(ir.and(value(first), value(second)), 15), 15)
    }

    private func both(_ condition: Value?, _ other: Value) -> Value { condition.map { ir.and($0, other) } ?? other }

    private func sum(_ first: Int, _ second: Int, to target: Int) {
        let (a, b, condition) = (value(first), value(second), bothSmall(first, second))
        fast(condition, to: target, checked: {
            let isConstant = LLVMIsConstant(b) != 0
            let (value, overflow) =
                isConstant
                ? self.ir.checked("sadd", a, self.ir.and(b, ~15)) : self.ir.checked("sadd", self.ir.and(a, ~15), b)
            return (self.ir.or(value, self.ir.int(15)), overflow)
        })
    }

    private func difference(_ first: Int, _ second: Int, to target: Int) {
        let (a, b, condition) = (value(first), value(second), bothSmall(first, second))
        fast(condition, to: target, checked: {
            let (value, overflow) = self.ir.checked("ssub", a, self.ir.and(b, ~15))
            return (self.ir.or(value, self.ir.int(15)), overflow)
        })
    }

    private func product() {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        fast(condition, to: 2, checked: {
            let (value, overflow) = self.ir.checked("smul", self.ir.and(a, ~15), self.smallValue(b))
            return (self.ir.or(value, self.ir.int(15)), overflow)
        })
    }

    private func quotient() {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        let isDivision = current.op == .div
        // Division by zero raises; smallMin div -1 is no small integer.
        let divisorOK = ir.and(ir.compare(LLVMIntNE, b, ir.word(15)), ir.compare(LLVMIntNE, b, ir.word(.max)))
        fast(both(condition, divisorOK), to: 2) {
            let (left, right) = (self.smallValue(a), self.smallValue(b))
            return self.small(
                isDivision ? LLVMBuildSDiv(self.ir.builder, left, right, "") : LLVMBuildSRem(self.ir.builder, left, right, ""))
        }
    }

    private func bitwise(_ operation: (Value, Value) -> Value) {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        fast(condition, to: 2) { operation(a, b) }
    }

    private func shiftRight() {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        fast(both(condition, ir.compare(LLVMIntSGE, b, ir.int(0))), to: 2) {
            let count = self.smallValue(b)
            let limited = self.ir.select(self.ir.compare(LLVMIntUGT, count, self.ir.int(60)), self.ir.int(60), count)
            return self.ir.or(self.ir.shiftRight(a, limited), self.ir.int(15))
        }
    }

    private func shiftLeft() {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        let count = smallValue(b)
        let inRange = ir.and(ir.compare(LLVMIntSGE, count, ir.int(0)), ir.compare(LLVMIntSLT, count, ir.int(59)))
        fast(both(condition, inRange), to: 2, checked: {
            let untagged = self.ir.and(a, ~15)
            let shifted = self.ir.shiftLeft(untagged, count)
            let lost = self.ir.compare(LLVMIntNE, self.ir.shiftRight(shifted, count), untagged)
            return (self.ir.or(shifted, self.ir.int(15)), lost)
        })
    }

    /// abs/1; the smallest small integer has no small absolute value.
    private func absolute() {
        let a = value(1)
        let isKnown = isKnownSmall(current.operands[1])
        fast(isKnown ? nil : isSmall(a), to: 2, checked: {
            let isNegative = self.ir.compare(LLVMIntSLT, a, self.ir.int(0))
            let (negated, overflow) = self.ir.checked("ssub", self.ir.int(15 + 15), a)
            return (self.ir.select(isNegative, negated, a), self.ir.and(isNegative, overflow))
        })
    }

    private func element() {
        let (index, tuple) = (value(1), value(2))
        let slow = newBlock("slow")
        let boxed = newBlock("boxed")
        let inside = newBlock("inside")
        let done = newBlock("done")
        ir.branchRarely(
            LLVMBuildNot(ir.builder, ir.and(isSmall(index), ir.equal(ir.and(tuple, 3), 2)), ""), slow, boxed)
        ir.position(boxed)
        let object = self.object(tuple)
        let header = word(object, 0)
        let position = smallValue(index)
        let isInside = ir.compare(LLVMIntULT, ir.sub(position, ir.int(1)), ir.shiftRightLogical(header, ir.int(6)))
        ir.branchRarely(LLVMBuildNot(ir.builder, ir.and(ir.equal(ir.and(header, 63), 0), isInside), ""), slow, inside)
        ir.position(inside)
        let found = ir.load(ir.i64, ir.offset(object, ir.shiftLeft(position, ir.int(3))), .heap)
        store(found, to: 3, slow, done, isSmall: false)
    }

    private func boxedFast(_ kind: HeaderKind, _ result: (Value) -> Value) {
        let term = value(1)
        let slow = newBlock("slow")
        let boxed = newBlock("boxed")
        let done = newBlock("done")
        let ok = newBlock("fast")
        ir.branchRarely(ir.compare(LLVMIntNE, ir.and(term, 3), ir.int(2)), slow, boxed)
        ir.position(boxed)
        let object = self.object(term)
        let subtag = kind == .tuple ? Subtag.tuple : Subtag.map
        ir.branchRarely(ir.compare(LLVMIntNE, ir.and(word(object, 0), 63), ir.word(subtag << 2)), slow, ok)
        ir.position(ok)
        store(result(object), to: 2, slow, done, isSmall: true)
    }

    // MARK: Floats

    func lowerFloat() -> Bool {
        switch current.op {
        case .fmove_load:
            let direct = unboxed(current.operands[0])
            setFloat(raw(1), direct ?? floatOf(object(value(0))))
        case .fmove_store:
            let value = float(raw(0))
            if case .x(let register) = current.operands[1] {
                setUnboxed(register, value)
                return true
            }
            let object = take(Layout.floatWords)
            setWord(object, 0, ir.word(Header.make(1, Subtag.float)))
            ir.store(value, ir.offset(object, 8), .heap)
            set(1, boxed(object))
        case .fmove_copy: setFloat(raw(1), float(raw(0)))
        case .fnegate: setFloat(raw(1), LLVMBuildFNeg(ir.builder, float(raw(0)), ""))
        case .fconv: convert()
        case .fadd: finite(LLVMBuildFAdd(ir.builder, float(raw(0)), float(raw(1)), ""))
        case .fsub: finite(LLVMBuildFSub(ir.builder, float(raw(0)), float(raw(1)), ""))
        case .fmul: finite(LLVMBuildFMul(ir.builder, float(raw(0)), float(raw(1)), ""))
        case .fdiv: finite(LLVMBuildFDiv(ir.builder, float(raw(0)), float(raw(1)), ""))
        default: return false
        }
        return true
    }

    private func floatOf(_ object: Value) -> Value { ir.load(ir.double, ir.offset(object, 8), .heap) }

    /// The result of a float operation; infinities and NaN raise in the slow function.
    private func finite(_ result: Value) {
        let magnitude = ir.call(ir.declare("llvm.fabs.f64", ir.double, [ir.double]), [result])
        let infinity = LLVMConstReal(ir.double, .infinity)
        let isFinite: Value = LLVMBuildFCmp(ir.builder, LLVMRealOLT, magnitude, infinity, "")
        let bad = newBlock("infinite")
        let ok = newBlock("finite")
        ir.branchRarely(LLVMBuildNot(ir.builder, isFinite, ""), bad, ok)
        ir.position(bad)
        if callSlow() { ir.branch(ok) }
        ir.position(ok)
        setFloat(raw(2), result)
    }

    private func convert() {
        if let direct = unboxed(current.operands[0]) { return setFloat(raw(1), direct) }
        let term = value(0)
        if isKnownSmall(current.operands[0]) {
            return setFloat(raw(1), LLVMBuildSIToFP(ir.builder, smallValue(term), ir.double, ""))
        }
        let smallBlock = newBlock("small")
        let other = newBlock("other")
        let boxed = newBlock("boxed")
        let floatBlock = newBlock("float")
        let slow = newBlock("slow")
        let done = newBlock("done")
        ir.branch(isSmall(term), smallBlock, other)
        ir.position(smallBlock)
        setFloat(raw(1), LLVMBuildSIToFP(ir.builder, smallValue(term), ir.double, ""))
        ir.branch(done)
        ir.position(other)
        ir.branch(ir.equal(ir.and(term, 3), 2), boxed, slow)
        ir.position(boxed)
        let object = self.object(term)
        ir.branch(ir.equal(ir.and(word(object, 0), 63), Subtag.float << 2), floatBlock, slow)
        ir.position(floatBlock)
        setFloat(raw(1), floatOf(object))
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
    }
}
