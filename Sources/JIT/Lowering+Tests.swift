// Lowering+Tests.swift: type tests and comparisons. A test branches to its label when it fails.

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
    /// Lowers the current instruction if it is a test.
    func lowerTest() -> Bool {
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
        case .test_arity_x: pass(if: ir.equal(word(object(value(0)), 0), raw(2)), failAt: 1)
        case .test_arity: pass(if: ir.equal(word(object(value(1)), 0), raw(2)), failAt: 0)
        case .is_tuple_of_arity_x: boxedTest(value(0), failAt: 1) { self.ir.equal(self.word($0, 0), self.raw(2)) }
        case .is_tagged_tuple_x: taggedTupleTest(value(0), failAt: 1)
        case .is_tagged_tuple: taggedTupleTest(value(1), failAt: 0)
        case .is_function2: functionTest()
        case .is_lt_xx, .is_lt_xi: order(value(0), value(current.op == .is_lt_xx ? 1 : 2), failAt: current.op == .is_lt_xx ? 2 : 1, LLVMIntSLT)
        case .is_lt_ix: order(value(2), value(0), failAt: 1, LLVMIntSLT)
        case .is_lt: order(value(1), value(2), failAt: 0, LLVMIntSLT)
        case .is_ge_xx, .is_ge_xi: order(value(0), value(current.op == .is_ge_xx ? 1 : 2), failAt: current.op == .is_ge_xx ? 2 : 1, LLVMIntSGE)
        case .is_ge_ix: order(value(2), value(0), failAt: 1, LLVMIntSGE)
        case .is_ge: order(value(1), value(2), failAt: 0, LLVMIntSGE)
        case .is_eq_exact_xi, .is_eq_exact_yi: pass(if: ir.equal(value(0), value(2)), failAt: 1)
        case .is_ne_exact_xi, .is_ne_exact_yi: pass(if: ir.compare(LLVMIntNE, value(0), value(2)), failAt: 1)
        case .is_eq_exact_xx: equality(value(0), value(1), failAt: 2, exact: true, expected: true)
        case .is_eq_exact: equality(value(1), value(2), failAt: 0, exact: true, expected: true)
        case .is_ne_exact: equality(value(1), value(2), failAt: 0, exact: true, expected: false)
        case .is_eq: equality(value(1), value(2), failAt: 0, exact: false, expected: true)
        case .is_ne: equality(value(1), value(2), failAt: 0, exact: false, expected: false)
        default: return false
        }
        return true
    }

    /// Goes on if the condition holds.
    func pass(if condition: Value, failAt index: Int) {
        guard let fail = failBlock(index) else { return }
        let next = newBlock("pass")
        ir.branch(condition, next, fail)
        ir.position(next)
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
        let next = newBlock("pass")
        if let immediate {
            let bits = immediate.mask == .max ? term : ir.and(term, immediate.mask)
            let isOne = anyOf(immediate.values.map { ir.equal(bits, $0) })
            if headers.isEmpty {
                ir.branch(isOne, next, fail)
                return ir.position(next)
            }
            let other = newBlock("other")
            ir.branch(isOne, next, other)
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
        ir.position(next)
    }

    private func boxedTest(_ term: Value, failAt index: Int, _ condition: (Value) -> Value) {
        guard let fail = failBlock(index) else { return }
        let boxedBlock = newBlock("boxed")
        ir.branch(ir.equal(ir.and(term, 3), 2), boxedBlock, fail)
        ir.position(boxedBlock)
        pass(if: condition(object(term)), failAt: index)
    }

    private func binaryTest() {
        let (term, failAt) = subject
        guard let fail = failBlock(failAt) else { return }
        let next = newBlock("pass")
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
        ir.position(next)
    }

    private func listTest(orNil: Bool) {
        let (term, failAt) = subject
        let isCons = ir.equal(ir.and(term, 3), 1)
        pass(if: orNil ? ir.or(isCons, ir.equal(term, Term.nil.raw)) : isCons, failAt: failAt)
    }

    private func taggedTupleTest(_ term: Value, failAt index: Int) {
        boxedTest(term, failAt: index) { self.ir.equal(self.word($0, 0), self.raw(2)) }
        pass(if: ir.equal(word(object(term), 1), value(3)), failAt: index)
    }

    private func functionTest() {
        let term = value(1)
        let arity = value(2)
        boxedTest(term, failAt: 0) { self.ir.equal(self.ir.and(self.word($0, 0), 63), Subtag.fun << 2) }
        let wanted = ir.or(ir.shiftLeft(ir.and(word(object(term), 2), 0xFF), ir.int(4)), ir.int(15))
        pass(if: ir.equal(wanted, arity), failAt: 0)
    }

    // MARK: Order

    private func bothSmall(_ a: Value, _ b: Value) -> Value { ir.equal(ir.and(ir.and(a, b), 15), 15) }

    /// Small integers compare as their words; everything else is the machine's.
    private func order(_ a: Value, _ b: Value, failAt index: Int, _ predicate: LLVMIntPredicate) {
        guard let fail = failBlock(index) else { return }
        let next = newBlock("pass")
        let small = newBlock("small")
        let general = newBlock("general")
        ir.branchRarely(LLVMBuildNot(ir.builder, bothSmall(a, b), ""), general, small)
        ir.position(small)
        ir.branch(ir.compare(predicate, a, b), next, fail)
        ir.position(general)
        let order = ir.call(ir.machine(NativeHelpers.compareAddress, ir.i64, [ir.i64, ir.i64]), [a, b])
        ir.branch(ir.compare(predicate, order, ir.int(0)), next, fail)
        ir.position(next)
    }

    /// Equal words are equal terms; of two different words one immediate makes them unequal under `=:=`.
    private func equality(_ a: Value, _ b: Value, failAt index: Int, exact: Bool, expected: Bool) {
        guard let fail = failBlock(index) else { return }
        let next = newBlock("pass")
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
        let helper = exact ? NativeHelpers.identicalAddress : NativeHelpers.equalAddress
        let result = ir.call(ir.machine(helper, ir.i64, [ir.i64, ir.i64]), [a, b])
        ir.branch(ir.equal(result, 0), no, yes)
        ir.position(next)
    }
}
