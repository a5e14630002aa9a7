// Lowering+Arithmetic.swift: small integers and floats in line; what overflows, and what is no small integer, is the
// slow half. The size BIFs of guards are here too.

import BeamFile
import CLLVM
import CMachine
import Machine
import Terms

extension Lowering {
    /// Lowers the current instruction if it is an operator or a guard BIF with a fast half. It then ends its block,
    /// because what is known of the result depends on the half that made it.
    func lowerArithmetic() -> Bool {
        switch current.op {
        case .add_xi: operate(.add, 0, 2, to: 1)
        case .add_xx, .add: operate(.add, 0, 1, to: 2)
        case .sub_xi: operate(addsZero(2) ? .add : .sub, 0, 2, to: 1)
        case .sub_xx, .sub: operate(addsZero(1) ? .add : .sub, 0, 1, to: 2)
        case .mul: operate(.mul, 0, 1, to: 2)
        case .fdiv_numbers: operate(.divide, 0, 1, to: 2)
        case .guard_bif1 where isBif("abs"): absolute()
        case .guard_bif2 where comparison != nil: compareAsValue()
        case .guard_bif2 where isBif("map_get"): lowerMapBif(isGet: true)
        case .guard_bif2 where isBif("is_map_key"): lowerMapBif(isGet: false)
        case .div, .rem: quotient()
        case .band:
            bitwise([bits(0), bits(1)].compactMap { $0 }.min(), always: maskBits) { self.ir.and($0, $1) }
        case .bor: bitwise(largerBits(0, 1)) { self.ir.or($0, $1) }
        case .bxor: bitwise(largerBits(0, 1)) { self.ir.or(self.ir.xor($0, $1), self.ir.int(15)) }
        case .bsr: shiftRight()
        case .bsl: shiftLeft()
        case .element: element()
        case .hd, .tl:
            let list = value(1)
            fast(ir.equal(ir.and(list, 3), 1), to: 2, isSmall: false) { self.word(self.cell(list), self.current.op == .hd ? 0 : 1) }
        case .tuple_size:
            boxedFast(Subtag.tuple, bits: 24) { self.small(self.ir.shiftRightLogical(self.word($0, 0), self.ir.int(6))) }
        case .byte_size: byteSize()
        case .map_size: boxedFast(Subtag.map, bits: 55) { self.small(self.word($0, 1)) }
        default: return false
        }
        return true
    }

    private enum Operator { case add, sub, mul, divide }

    func small(_ value: Value) -> Value { ir.or(ir.shiftLeft(value, ir.int(4)), ir.int(15)) }
    func smallValue(_ term: Value) -> Value { ir.shiftRight(term, ir.int(4)) }

    private func isBif(_ name: String) -> Bool {
        let export = UnsafePointer<Export>(bitPattern: UInt(raw(0)))!.pointee
        return export.module == Atoms.erlang && export.name.atomText == name
    }

    /// `result` if the condition (nil: always) holds, the slow half otherwise.
    private func fast(
        _ condition: Value?, to target: Int, isSmall: Bool = true, bits: Int? = nil, always: Int? = nil, _ result: () -> Value
    ) {
        fast(condition, to: target, isSmall: isSmall, bits: bits, always: always, checked: { (result(), nil) })
    }

    /// The same with a second condition that is only known once the first holds.
    private func fast(
        _ condition: Value?, to target: Int, isSmall: Bool = true, bits: Int? = nil, always: Int? = nil,
        checked: () -> (value: Value, failed: Value?)
    ) {
        let slow = newBlock("slow")
        if let condition {
            let ok = newBlock("fast")
            ir.branchRarely(LLVMBuildNot(ir.builder, condition, ""), slow, ok)
            slowHalf(slow, result: always)
            ir.position(ok)
        }
        let (value, failed) = checked()
        if let failed {
            let fits = newBlock("fits")
            ir.branchRarely(failed, slow, fits)
            if condition == nil { slowHalf(slow) }
            ir.position(fits)
        } else if condition == nil {
            LLVMDeleteBasicBlock(slow)
        }
        finish(value, to: target, isSmall: isSmall, bits: bits)
    }

    /// The end of the fast half: the bets are won, the result is known.
    private func finish(_ value: Value, to target: Int, isSmall: Bool, bits: Int? = nil) {
        for index in bets { learnSmall(current.operands[index]) }
        set(target, value)
        if isSmall { learnSmall(current.operands[target]) }
        if let bits { learnBits(current.operands[target], bits) }
        ir.branch(continuation())
    }

    // MARK: Widths

    /// If the operand is a small integer at all, it is not negative and has no more bits than these. A false hint of the
    /// Type chunk makes a sum wrong, but still an integer.
    private func bits(_ index: Int) -> Int? {
        switch current.operands[index] {
        case .constant(let word), .raw(let word):
            guard word & 15 == 15, Int64(bitPattern: word) >= 0 else { return nil }
            return 64 - (word >> 4).leadingZeroBitCount
        case .x(let register):
            if let bits = known.bits[register] { return bits }
            guard let type = hint(register), type.minimum >= 0, type.maximum >= type.minimum, type.maximum < 1 << 56 else {
                return nil
            }
            return 64 - type.maximum.leadingZeroBitCount
        default: return nil
        }
    }

    private func hint(_ register: Int) -> TypeEntry? {
        body.types[current.start]?.first { $0.register == register }?.type
    }

    /// The Type chunk says that it is a float.
    private func isExpectedFloat(_ operand: Operand) -> Bool {
        if case .x(let register) = operand { hint(register)?.union == TypeEntry.float } else { false }
    }

    private func largerBits(_ first: Int, _ second: Int) -> Int? {
        guard let a = bits(first), let b = bits(second) else { return nil }
        return max(a, b)
    }

    /// Bits of the result, if it cannot leave the range of small integers.
    private func resultBits(_ operation: Operator, _ first: Int, _ second: Int) -> Int? {
        guard let a = bits(first), let b = bits(second) else { return nil }
        let result = operation == .mul ? a + b : max(a, b) + 1
        return result < 59 ? result : nil
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

    // MARK: + - * /

    /// X - 0 in a body is X + 0 in OTP, which is seen in -0.0.
    private func addsZero(_ second: Int) -> Bool {
        guard case .raising = current.operands[3] else { return false }
        return switch current.operands[second] {
        case .constant(let word), .raw(let word): word == Term.small(0).raw
        default: false
        }
    }

    private func operate(_ operation: Operator, _ first: Int, _ second: Int, to target: Int) {
        let operands = (current.operands[first], current.operands[second])
        let hasFloat =
            floatValue(operands.0) != nil || floatValue(operands.1) != nil || isExpectedFloat(operands.0)
            || isExpectedFloat(operands.1)
        if hasFloat || operation == .divide { return operateOnFloats(operation, first, second, to: target, nil) }
        if betsOnFloats, !isKnownSmall(operands.0) || !isKnownSmall(operands.1) {
            return operateOnFloats(operation, first, second, to: target, nil)
        }
        let condition = bothSmall(first, second)
        guard let condition, !isBetting else {
            return operateOnSmall(operation, first, second, to: target, condition, elsewhere: nil)
        }
        let other = newBlock("other")
        let before = known
        operateOnSmall(operation, first, second, to: target, condition, elsewhere: other)
        known = before
        ir.position(other)
        operateOnFloats(operation, first, second, to: target, newBlock("slow"))
    }

    /// `elsewhere`: where operands go that are not small; nil: to the slow half.
    private func operateOnSmall(
        _ operation: Operator, _ first: Int, _ second: Int, to target: Int, _ condition: Value?, elsewhere: BasicBlock?
    ) {
        let (a, b) = (value(first), value(second))
        var condition = condition
        if let elsewhere, let test = condition {
            let ok = newBlock("integers")
            ir.branch(test, ok, elsewhere)
            ir.position(ok)
            condition = nil
        }
        let safe = resultBits(operation, first, second)
        fast(condition, to: target, bits: operation == .sub ? nil : safe, checked: {
            if safe != nil { return (self.smallResult(operation, a, b), nil) }
            // One operand keeps its tag, and so does the sum or the difference.
            let (value, overflow) =
                switch operation {
                case .add:
                    LLVMIsConstant(b) != 0
                        ? self.ir.checked("sadd", a, self.ir.and(b, ~15)) : self.ir.checked("sadd", self.ir.and(a, ~15), b)
                case .sub: self.ir.checked("ssub", a, self.ir.and(b, ~15))
                default: self.ir.checked("smul", self.ir.and(a, ~15), self.smallValue(b))
                }
            return (operation == .mul ? self.ir.or(value, self.ir.int(15)) : value, overflow)
        })
    }

    /// The result of an operation that cannot overflow.
    private func smallResult(_ operation: Operator, _ a: Value, _ b: Value) -> Value {
        switch operation {
        case .add: ir.add(a, ir.and(b, ~15))
        case .sub: ir.sub(a, ir.and(b, ~15))
        default: ir.or(ir.multiply(ir.and(a, ~15), smallValue(b)), ir.int(15))
        }
    }

    /// At least one operand is a float, or the operation makes one. What is no number, and a result that is not finite,
    /// goes to the slow half.
    private func operateOnFloats(_ operation: Operator, _ first: Int, _ second: Int, to target: Int, _ given: BasicBlock?) {
        let slow = given ?? newBlock("slow")
        // Two small integers would make one.
        let strict = operation == .divide || given != nil ? [] : floatsNeeded(first, second)
        // The slow function finds its operands in the context.
        let doubles = [first, second].map { toDouble($0, strict.contains($0), slow) }
        let result: Value =
            switch operation {
            case .add: LLVMBuildFAdd(ir.builder, doubles[0], doubles[1], "")
            case .sub: LLVMBuildFSub(ir.builder, doubles[0], doubles[1], "")
            case .mul: LLVMBuildFMul(ir.builder, doubles[0], doubles[1], "")
            case .divide: LLVMBuildFDiv(ir.builder, doubles[0], doubles[1], "")
            }
        let ok = newBlock("finite")
        ir.branchRarely(LLVMBuildNot(ir.builder, isFinite(result), ""), slow, ok)
        slowHalf(slow)
        ir.position(ok)
        if case .x(let register) = current.operands[target] {
            if !hasSpareBox(for: register) { heapTest(bytes: Layout.floatWords * 8) }
            setUnboxed(register, result)
        } else {
            heapTest(bytes: Layout.floatWords * 8)
            set(target, newBox(result))
        }
        ir.branch(continuation())
    }

    /// The words of floats without boxes that end here are enough for the result.
    private func hasSpareBox(for target: Int) -> Bool {
        let before = known.unboxed.filter { current.reads.contains($0) || $0 != target && liveAfter.contains($0) }.count
        return known.unboxed.filter { $0 != target && liveAfter.contains($0) }.count < before
    }

    /// The operands that must be floats so that the result is one.
    private func floatsNeeded(_ first: Int, _ second: Int) -> [Int] {
        guard floatValue(current.operands[first]) == nil, floatValue(current.operands[second]) == nil else { return [] }
        let unknown = [(first, Feedback.Kind.firstFloat), (second, .secondFloat)].filter { !isKnownSmall(current.operands[$0.0]) }
        if let expected = unknown.first(where: { isExpectedFloat(current.operands[$0.0]) }) { return [expected.0] }
        let met = unknown.filter { current.seen.has($0.1) }
        return (met.isEmpty ? unknown : met).map(\.0)
    }

    /// The operand as a double, if it is known to be a float or a small integer.
    private func knownDouble(_ operand: Operand) -> Value? {
        if let known = floatValue(operand) { return known }
        return isKnownSmall(operand) ? doubleOfSmall(value(operand)) : nil
    }

    private func doubleOfSmall(_ term: Value) -> Value { LLVMBuildSIToFP(ir.builder, smallValue(term), ir.double, "") }

    /// The operand as a double, learning what it is if that was not known. `mustBeFloat`: no integer will do.
    private func toDouble(_ index: Int, _ mustBeFloat: Bool, _ slow: BasicBlock) -> Value {
        let operand = current.operands[index]
        if let known = knownDouble(operand) { return known }
        let term = value(operand)
        if mustBeFloat {
            let value = floatOf(demandBoxed(term, Subtag.float, or: slow))
            learnFloat(operand, value)
            return value
        }
        let (small, other, done) = (newBlock("small"), newBlock("other"), newBlock("double"))
        ir.branch(isSmall(term), small, other)
        ir.position(small)
        let fromSmall = doubleOfSmall(term)
        ir.branch(done)
        ir.position(other)
        let fromBox = floatOf(demandBoxed(term, Subtag.float, or: slow))
        let float = ir.currentBlock
        ir.branch(done)
        ir.position(done)
        return ir.phi([(fromSmall, small), (fromBox, float)])
    }

    private func newBox(_ value: Value) -> Value {
        let object = take(Layout.floatWords)
        setWord(object, 0, ir.word(Header.make(1, Subtag.float)))
        ir.store(value, ir.offset(object, 8), .heap)
        return boxed(object)
    }

    private func isFinite(_ value: Value) -> Value {
        let magnitude = ir.call(ir.declare("llvm.fabs.f64", ir.double, [ir.double]), [value])
        return LLVMBuildFCmp(ir.builder, LLVMRealOLT, magnitude, LLVMConstReal(ir.double, .infinity), "")
    }

    // MARK: Comparisons as values

    private var comparison: (name: String, exact: Bool)? {
        let export = UnsafePointer<Export>(bitPattern: UInt(raw(0)))!.pointee
        guard export.module == Atoms.erlang else { return nil }
        let name = export.name.atomText
        return ["<", ">", "=<", ">=", "==", "/=", "=:=", "=/="].contains(name)
            ? (name, name == "=:=" || name == "=/=") : nil
    }

    /// `bif '<' A B`: small integers in line, everything else by the machine's comparison.
    private func compareAsValue() {
        let (name, exact) = comparison!
        let (a, b) = (value(1), value(2))
        let small = newBlock("small")
        let general = newBlock("general")
        let done = newBlock("compared")
        let predicate: LLVMIntPredicate =
            switch name {
            case "<": LLVMIntSLT
            case ">": LLVMIntSGT
            case "=<": LLVMIntSLE
            case ">=": LLVMIntSGE
            case "==", "=:=": LLVMIntEQ
            default: LLVMIntNE
            }
        ir.branch(isSmall(ir.and(a, b)), small, general)
        ir.position(small)
        let onSmall = ir.compare(predicate, a, b)
        ir.branch(done)
        ir.position(general)
        let isOrder = predicate != LLVMIntEQ && predicate != LLVMIntNE
        let compare = helper(isOrder ? .compare : exact ? .identical : .equal, ir.i64, [ir.i64, ir.i64])
        let answer = ir.call(compare, [a, b])
        // The helpers for equality answer 1 for equal terms.
        let onTerms = isOrder ? ir.compare(predicate, answer, ir.int(0)) : ir.compare(predicate, answer, ir.int(1))
        ir.branch(done)
        ir.position(done)
        let holds = ir.phi([(onSmall, small), (onTerms, general)])
        set(3, ir.select(holds, ir.word(Atoms.true.raw), ir.word(Atoms.false.raw)))
        ir.branch(continuation())
    }

    // MARK: Integers

    private func quotient() {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        let isDivision = current.op == .div
        // Division by zero raises; smallMin div -1 is no small integer.
        let divisorOK = ir.and(ir.compare(LLVMIntNE, b, ir.word(15)), ir.compare(LLVMIntNE, b, ir.word(.max)))
        // What is not negative stays so, and gets no larger; a remainder has the sign of the dividend.
        let (dividend, divisor) = (bits(0), bits(1))
        let bits = isDivision ? divisor.flatMap { _ in dividend } : dividend.map { min($0, divisor ?? $0) }
        fast(both(condition, divisorOK), to: 2, bits: bits) {
            let (left, right) = (self.smallValue(a), self.smallValue(b))
            return self.small(
                isDivision ? LLVMBuildSDiv(self.ir.builder, left, right, "") : LLVMBuildSRem(self.ir.builder, left, right, ""))
        }
    }

    /// `always`: bits of the result, a small integer whatever the operands are.
    private func bitwise(_ bits: Int?, always: Int? = nil, _ operation: (Value, Value) -> Value) {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        fast(condition, to: 2, bits: bits, always: always) { operation(a, b) }
    }

    /// An operand is a small integer that is not negative: so is what it leaves of any integer.
    private var maskBits: Int? { [0, 1].filter { isKnownSmall(current.operands[$0]) }.compactMap(bits).min() }

    private func shiftRight() {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        fast(both(condition, ir.compare(LLVMIntSGE, b, ir.int(0))), to: 2, bits: bits(0)) {
            let count = self.smallValue(b)
            let limited = self.ir.select(self.ir.compare(LLVMIntUGT, count, self.ir.int(60)), self.ir.int(60), count)
            return self.ir.or(self.ir.shiftRight(a, limited), self.ir.int(15))
        }
    }

    private func shiftLeft() {
        let (a, b, condition) = (value(0), value(1), bothSmall(0, 1))
        let count = smallValue(b)
        if let width = bits(0), case .constant(let word) = current.operands[1], word & 15 == 15, word >> 4 < 59,
            width + Int(word >> 4) < 59
        {
            return fast(condition, to: 2, bits: width + Int(word >> 4)) {
                self.ir.or(self.ir.shiftLeft(self.ir.and(a, ~15), count), self.ir.int(15))
            }
        }
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
        ir.branchRarely(
            LLVMBuildNot(ir.builder, ir.and(isSmall(index), ir.equal(ir.and(tuple, 3), 2)), ""), slow, boxed)
        ir.position(boxed)
        let object = self.object(tuple)
        let header = word(object, 0)
        let position = smallValue(index)
        let isInside = ir.compare(LLVMIntULT, ir.sub(position, ir.int(1)), ir.shiftRightLogical(header, ir.int(6)))
        ir.branchRarely(LLVMBuildNot(ir.builder, ir.and(ir.equal(ir.and(header, 63), 0), isInside), ""), slow, inside)
        slowHalf(slow)
        ir.position(inside)
        bets = [1]
        finish(ir.load(ir.i64, ir.offset(object, ir.shiftLeft(position, ir.int(3))), .heap), to: 3, isSmall: false)
    }

    /// Bit strings round up in the slow half.
    private func byteSize() {
        let term = value(1)
        let (slow, part, whole) = (newBlock("slow"), newBlock("part"), newBlock("whole"))
        demand(ir.equal(ir.and(term, 3), 2), or: slow, "boxed")
        let object = self.object(term)
        let kind = ir.and(word(object, 0), 63)
        let isWhole = ir.or(ir.equal(kind, Subtag.refcBinary << 2), ir.equal(kind, Subtag.heapBinary << 2))
        ir.branch(isWhole, whole, part)
        ir.position(part)
        demand(ir.equal(kind, Subtag.subBinary << 2), or: slow, "sub")
        ir.branchRarely(ir.compare(LLVMIntNE, ir.and(word(object, 3), 0xFF), ir.int(0)), slow, whole)
        slowHalf(slow)
        ir.position(whole)
        finish(small(word(object, 1)), to: 2, isSmall: true, bits: 55)
    }

    private func boxedFast(_ subtag: UInt64, bits: Int, _ result: (Value) -> Value) {
        let slow = newBlock("slow")
        let object = demandBoxed(value(1), subtag, or: slow)
        slowHalf(slow)
        finish(result(object), to: 2, isSmall: true, bits: bits)
    }

    // MARK: Floats

    func lowerFloat() -> Bool {
        switch current.op {
        case .fmove_load:
            let direct = floatValue(current.operands[0])
            let loaded = direct ?? floatOf(object(value(0)))
            if direct == nil { learnFloat(current.operands[0], loaded) }
            setFloat(raw(1), loaded)
        case .fmove_store:
            let value = float(raw(0))
            if case .x(let register) = current.operands[1] {
                setUnboxed(register, value)
                return true
            }
            set(1, newBox(value))
        case .fmove_copy: setFloat(raw(1), float(raw(0)))
        case .fnegate: setFloat(raw(1), LLVMBuildFSub(ir.builder, LLVMConstReal(ir.double, 0), float(raw(0)), ""))
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
        let bad = newBlock("infinite")
        let ok = newBlock("finite")
        ir.branchRarely(LLVMBuildNot(ir.builder, isFinite(result), ""), bad, ok)
        ir.position(bad)
        if callSlow() { ir.branch(ok) }
        ir.position(ok)
        setFloat(raw(2), result)
    }

    private func convert() {
        if let known = knownDouble(current.operands[0]) { return setFloat(raw(1), known) }
        let (slow, done) = (newBlock("slow"), newBlock("done"))
        setFloat(raw(1), toDouble(0, false, slow))
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
    }
}
