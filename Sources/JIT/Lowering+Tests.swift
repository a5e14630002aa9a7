// Lowering+Tests.swift: type tests and comparisons. A test ends its block: it branches to the next instruction or to its
// label, and each of them is lowered for what the test has shown.

import CLLVM
import CMachine
import Machine
import Terms

/// What a header must be: `header & mask == value` for one of the values.
private struct HeaderTest {
    var mask: UInt64 = 63
    var values: [UInt64]

    init(_ subtags: UInt64...) { values = subtags.map { $0 << 2 } }
    init(mask: UInt64, _ value: UInt64) {
        self.mask = mask
        values = [value]
    }
    static let big = HeaderTest(mask: 0x3B, Subtag.positiveBig << 2)
}

extension Lowering {
    /// Lowers the current instruction if it is a test; the block is then at its end.
    func lowerTest() -> Bool {
        if testOfUnboxed() || testOfKnownTuple() { return true }
        switch current.op {
        case .is_integer_x, .is_integer_y, .is_integer: typeTest(immediate: (15, [15]), .big)
        case .is_float_x, .is_float_y, .is_float: typeTest(HeaderTest(Subtag.float))
        case .is_number_x, .is_number_y, .is_number: typeTest(immediate: (15, [15]), .big, HeaderTest(Subtag.float))
        case .is_atom_x, .is_atom_y, .is_atom: typeTest(immediate: (63, [0x0B]))
        case .is_pid_x, .is_pid_y, .is_pid: typeTest(immediate: (15, [3]), HeaderTest(Subtag.externalPid))
        case .is_reference_x, .is_reference_y, .is_reference:
            typeTest(HeaderTest(Subtag.reference, Subtag.magicReference, Subtag.externalReference))
        case .is_port_x, .is_port_y, .is_port: typeTest(immediate: (15, [7]), HeaderTest(Subtag.externalPort))
        case .is_nil_x, .is_nil_y, .is_nil: typeTest(immediate: (.max, [Term.nil.raw]))
        case .is_boolean_x, .is_boolean_y, .is_boolean: typeTest(immediate: (.max, [Atoms.true.raw, Atoms.false.raw]))
        case .is_tuple_x, .is_tuple_y, .is_tuple: typeTest(HeaderTest(Subtag.tuple))
        case .is_function_x, .is_function_y, .is_function: typeTest(HeaderTest(Subtag.fun))
        case .is_bitstr_x, .is_bitstr_y, .is_bitstr:
            typeTest(HeaderTest(Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary))
        case .is_map_x, .is_map_y, .is_map: typeTest(HeaderTest(Subtag.map))
        case .is_binary_x, .is_binary_y, .is_binary: binaryTest()
        case .is_nonempty_list_x, .is_nonempty_list_y, .is_nonempty_list: listTest(orNil: false)
        case .is_list_x, .is_list_y, .is_list: listTest(orNil: true)
        case .test_arity_x: endArity(0, failAt: 1)
        case .test_arity: endArity(1, failAt: 0)
        case .is_tuple_of_arity_x:
            pass(if: ir.equal(ir.and(value(0), 3), 2), failAt: 1)
            endArity(0, failAt: 1)
        case .is_tagged_tuple_x: taggedTupleTest(0, failAt: 1)
        case .is_tagged_tuple: taggedTupleTest(1, failAt: 0)
        case .is_function2: functionTest()
        case .is_lt_xx: order(0, 1, failAt: 2, LLVMIntSLT)
        case .is_lt_xi: order(0, 2, failAt: 1, LLVMIntSLT)
        case .is_lt_ix: order(2, 0, failAt: 1, LLVMIntSLT)
        case .is_lt: order(1, 2, failAt: 0, LLVMIntSLT)
        case .is_ge_xx: order(0, 1, failAt: 2, LLVMIntSGE)
        case .is_ge_xi: order(0, 2, failAt: 1, LLVMIntSGE)
        case .is_ge_ix: order(2, 0, failAt: 1, LLVMIntSGE)
        case .is_ge: order(1, 2, failAt: 0, LLVMIntSGE)
        case .is_eq_exact_xi, .is_eq_exact_yi: end(ir.equal(value(0), value(2)), failAt: 1)
        case .is_ne_exact_xi, .is_ne_exact_yi: end(ir.compare(LLVMIntNE, value(0), value(2)), failAt: 1)
        case .is_eq_exact_xx: equality(value(0), value(1), failAt: 2, exact: true, expected: true)
        case .is_eq_exact: equality(value(1), value(2), failAt: 0, exact: true, expected: true)
        case .is_ne_exact: equality(value(1), value(2), failAt: 0, exact: true, expected: false)
        case .is_eq: equality(value(1), value(2), failAt: 0, exact: false, expected: true)
        case .is_ne: equality(value(1), value(2), failAt: 0, exact: false, expected: false)
        default: return false
        }
        return true
    }

    /// Where a test that holds goes, for what is known now.
    private var next: BasicBlock { continuation() }

    /// Ends the block: on if the condition holds.
    private func end(_ condition: Value, failAt index: Int) {
        guard let fail = failBlock(index) else { return }
        ir.branch(condition, next, fail)
    }

    /// Goes on in this block if the condition holds.
    func pass(if condition: Value, failAt index: Int) {
        guard let fail = failBlock(index) else { return }
        let next = newBlock("pass")
        ir.branch(condition, next, fail)
        ir.position(next)
    }

    /// A float without a box is a float.
    private func testOfUnboxed() -> Bool {
        switch current.op {
        case .is_float_x, .is_number_x:
            guard floatValue(current.operands[0]) != nil else { return false }
        case .is_float, .is_number:
            guard floatValue(current.operands[1]) != nil else { return false }
        default: return false
        }
        ir.branch(next)
        return true
    }

    /// Subject and fail operand of a type test: [x, label] packed, [label, source] otherwise.
    private var subject: (term: Value, failAt: Int) {
        if case .label = current.operands[0] { (value(1), 0) } else { (value(0), 1) }
    }

    private func anyOf(_ conditions: [Value]) -> Value {
        conditions.dropFirst().reduce(conditions[0]) { ir.or($0, $1) }
    }

    private func typeTest(immediate: (mask: UInt64, values: [UInt64])? = nil, _ headers: HeaderTest...) {
        let (term, failAt) = subject
        guard let fail = failBlock(failAt) else { return }
        if let immediate {
            let bits = immediate.mask == .max ? term : ir.and(term, immediate.mask)
            let isOne = anyOf(immediate.values.map { ir.equal(bits, $0) })
            if headers.isEmpty { return ir.branch(isOne, next, fail) }
            let other = newBlock("other")
            let before = known
            if immediate.values == [15] { learnSmall(current.operands[failAt == 0 ? 1 : 0]) }
            ir.branch(isOne, next, other)
            known = before
            ir.position(other)
        }
        let boxedBlock = newBlock("boxed")
        ir.branch(ir.equal(ir.and(term, 3), 2), boxedBlock, fail)
        ir.position(boxedBlock)
        let header = word(object(term), 0)
        let conditions = headers.flatMap { test in
            let bits = ir.and(header, test.mask)
            return test.values.map { ir.equal(bits, $0) }
        }
        ir.branch(anyOf(conditions), next, fail)
    }

    private func boxedTest(_ term: Value, failAt index: Int, _ condition: (Value) -> Value) {
        guard let fail = failBlock(index) else { return }
        let boxedBlock = newBlock("boxed")
        ir.branch(ir.equal(ir.and(term, 3), 2), boxedBlock, fail)
        ir.position(boxedBlock)
        ir.branch(condition(object(term)), next, fail)
    }

    private func binaryTest() {
        let (term, failAt) = subject
        guard let fail = failBlock(failAt) else { return }
        let boxedBlock = newBlock("boxed")
        let sub = newBlock("sub")
        let bits = newBlock("bits")
        ir.branch(ir.equal(ir.and(term, 3), 2), boxedBlock, fail)
        ir.position(boxedBlock)
        let object = self.object(term)
        let kind = ir.and(word(object, 0), 63)
        ir.branch(anyOf([Subtag.refcBinary, Subtag.heapBinary].map { ir.equal(kind, $0 << 2) }), next, sub)
        ir.position(sub)
        ir.branch(ir.equal(kind, Subtag.subBinary << 2), bits, fail)
        ir.position(bits)
        ir.branch(ir.equal(ir.and(word(object, 3), 0xFF), 0), next, fail)
    }

    private func listTest(orNil: Bool) {
        let (term, failAt) = subject
        let isCons = ir.equal(ir.and(term, 3), 1)
        end(orNil ? ir.or(isCons, ir.equal(term, Term.nil.raw)) : isCons, failAt: failAt)
    }

    private func taggedTupleTest(_ subject: Int, failAt index: Int) {
        let term = value(subject)
        if tupleHeader(current.operands[subject]) != raw(2) {
            pass(if: ir.equal(ir.and(term, 3), 2), failAt: index)
            pass(if: ir.equal(word(object(term), 0), raw(2)), failAt: index)
            learnTuple(current.operands[subject], raw(2))
        }
        end(ir.equal(word(object(term), 1), value(3)), failAt: index)
    }

    /// Ends the block: on if the tuple has the size that the instruction names.
    private func endArity(_ subject: Int, failAt index: Int) {
        guard let fail = failBlock(index) else { return }
        let isEqual = ir.equal(word(object(value(subject)), 0), raw(2))
        learnTuple(current.operands[subject], raw(2))
        ir.branch(isEqual, next, fail)
    }

    /// The tuple has been tested before, or made here.
    private func testOfKnownTuple() -> Bool {
        let isPacked = if case .label = current.operands.first { false } else { true }
        guard current.operands.count > 1, let header = tupleHeader(current.operands[isPacked ? 0 : 1]) else { return false }
        switch current.op {
        case .is_tuple_x, .is_tuple: ir.branch(next)
        case .test_arity_x, .test_arity, .is_tuple_of_arity_x:
            guard let fail = failBlock(isPacked ? 1 : 0) else { return true }
            ir.branch(header == raw(2) ? next : fail)
        default: return false
        }
        return true
    }

    private func functionTest() {
        let term = value(1)
        let arity = value(2)
        pass(if: ir.equal(ir.and(term, 3), 2), failAt: 0)
        pass(if: ir.equal(ir.and(word(object(term), 0), 63), Subtag.fun << 2), failAt: 0)
        let wanted = ir.or(ir.shiftLeft(ir.and(word(object(term), 3), 0xFF), ir.int(4)), ir.int(15))
        end(ir.equal(wanted, arity), failAt: 0)
    }

    // MARK: What the code check could not show

    /// Only damaged code fails it: the interpreter raises then.
    func lowerRequire() {
        if current.op == .require_float, floatValue(current.operands[0]) != nil { return }
        let term = value(0)
        let wrong = newBlock("wrong")
        func require(_ word: Value, _ mask: UInt64, _ value: UInt64) {
            demand(ir.equal(ir.and(word, mask), value), or: wrong, "as_required")
        }
        if current.op == .require_cons {
            require(term, 3, 1)
        } else {
            require(term, 3, 2)
            let header = word(object(term), 0)
            switch current.op {
            case .require_map: require(header, 63, Subtag.map << 2)
            case .require_float: require(header, 63, Subtag.float << 2)
            default:
                require(header, 63, Subtag.tuple << 2)
                // The subtag is 0, so headers compare as sizes do.
                let least = Header.make(Int(raw(1)), Subtag.tuple)
                demand(ir.compare(LLVMIntUGE, header, ir.word(least)), or: wrong, "as_required")
            }
        }
        let (here, before) = (ir.currentBlock, known)
        ir.position(wrong)
        leaveToInterpreter()
        known = before
        ir.position(here)
    }

    // MARK: Order

    /// Small integers compare as their words, floats without boxes as doubles; everything else is the machine's.
    private func order(_ first: Int, _ second: Int, failAt index: Int, _ predicate: LLVMIntPredicate) {
        let operands = (current.operands[first], current.operands[second])
        if let a = floatValue(operands.0), let b = floatValue(operands.1) {
            let isOrdered: Value = LLVMBuildFCmp(ir.builder, predicate == LLVMIntSLT ? LLVMRealOLT : LLVMRealOGE, a, b, "")
            return end(isOrdered, failAt: index)
        }
        let (a, b) = (value(first), value(second))
        let unknown = [(operands.0, a), (operands.1, b)].filter { !isKnownSmall($0.0) }
        guard !unknown.isEmpty else { return end(ir.compare(predicate, a, b), failAt: index) }
        let small = newBlock("small")
        let general = newBlock("general")
        let bits = unknown.count == 1 ? unknown[0].1 : ir.and(a, b)
        let isSmall = ir.equal(ir.and(bits, 15), 15)
        let hasFloat = floatValue(operands.0) != nil || floatValue(operands.1) != nil
        if unit.betsOnOrder(body, current), !hasFloat, !current.hasOtherConstant {
            ir.branchRarely(LLVMBuildNot(ir.builder, isSmall, ""), general, small)
            ir.position(general)
            sideExit(.order)
            ir.position(small)
            learnSmall(operands.0)
            learnSmall(operands.1)
            return end(ir.compare(predicate, a, b), failAt: index)
        }
        ir.branch(isSmall, small, general)
        ir.position(general)
        if !isBetting || hasFloat || current.seen.hasFloat {
            compareFloats((operands.0, a), (operands.1, b), predicate, failAt: index)
        }
        let order = ir.call(helper(.compare, ir.i64, [ir.i64, ir.i64]), [a, b])
        end(ir.compare(predicate, order, ir.int(0)), failAt: index)
        ir.position(small)
        learnSmall(operands.0)
        learnSmall(operands.1)
        end(ir.compare(predicate, a, b), failAt: index)
    }

    /// Two floats, boxed or not; the insertion point is then where other operands go.
    private func compareFloats(
        _ first: (operand: Operand, term: Value), _ second: (operand: Operand, term: Value), _ predicate: LLVMIntPredicate,
        failAt index: Int
    ) {
        let other = newBlock("terms")
        let before = known
        let values = [first, second].map { operand, term -> Value in
            if let value = floatValue(operand) { return value }
            let boxed = newBlock("boxed")
            let isFloat = newBlock("float")
            ir.branch(ir.equal(ir.and(term, 3), 2), boxed, other)
            ir.position(boxed)
            let object = self.object(term)
            ir.branch(ir.equal(ir.and(word(object, 0), 63), Subtag.float << 2), isFloat, other)
            ir.position(isFloat)
            let value = ir.load(ir.double, ir.offset(object, 8), .heap)
            learnFloat(operand, value)
            return value
        }
        let ordered = predicate == LLVMIntSLT ? LLVMRealOLT : LLVMRealOGE
        end(LLVMBuildFCmp(ir.builder, ordered, values[0], values[1], ""), failAt: index)
        known = before
        ir.position(other)
    }

    /// Equal words are equal terms; of two different words one immediate makes them unequal under `=:=`.
    private func equality(_ a: Value, _ b: Value, failAt index: Int, exact: Bool, expected: Bool) {
        guard let fail = failBlock(index) else { return }
        let (yes, no) = expected ? (next, fail) : (fail, next)
        let different = newBlock("different")
        let general = newBlock("general")
        ir.branch(ir.equal(a, b), yes, different)
        ir.position(different)
        let decided =
            exact
            ? ir.or(ir.equal(ir.and(a, 3), 3), ir.equal(ir.and(b, 3), 3)) : ir.equal(ir.and(ir.and(a, b), 3), 3)
        ir.branch(decided, no, general)
        ir.position(general)
        let result = ir.call(helper(exact ? .identical : .equal, ir.i64, [ir.i64, ir.i64]), [a, b])
        ir.branch(ir.equal(result, 0), no, yes)
    }
}
