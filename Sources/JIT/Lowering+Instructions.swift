// Lowering+Instructions.swift: what each instruction becomes. `lower` answers false when nothing follows: the
// instruction left the function or jumped. What has no case of its own goes to the interpreter's slow function.

import CLLVM
import CMachine
import Machine
import Terms

extension Lowering {
    func lower(_ instruction: Instruction) -> Bool {
        switch instruction.op {
        case .move_xx, .move_xy, .move_yx, .move_yy: move(0, to: 1)
        case .move_cx, .move_cy:
            // The register stands in the packed word, before the constant.
            move(1, to: 0)
        case .move2_xx, .move2_xy, .move2_yx:
            moveFirst()
            move(2, to: 3)
        case .swap_xx, .swap: swap()
        case .init_y, .try_end: set(0, ir.word(Term.nil.raw))
        case .init_yregs:
            for index in 1..<instruction.operands.count { setY(Int(raw(index)) / 8, ir.word(Term.nil.raw)) }
        case .allocate, .allocate_zero, .allocate_heap, .allocate_heap_zero: lowerAllocate()
        case .test_heap: heapTest(bytes: Int(raw(0)))
        case .deallocate, .trim: stack = ir.offset(stack, Int(raw(0)))
        case .return, .deallocate_return:
            lowerReturn(bytes: instruction.op == .return ? 0 : Int(raw(0)))
            return false
        case .call, .call_only, .call_last, .call_ext, .call_ext_only, .call_ext_last:
            lowerCall()
            return false
        case .call_fun, .call_fun2, .call_fun_last, .call_fun2_last:
            lowerCallFun()
            return false
        case .make_fun: lowerMakeFun()
        case .call_bif where isSetelement:
            lowerSetelement()
            return false
        case .jump:
            if let target = failBlock(0) { ir.branch(target) }
            return false
        case .select_val2_x, .select_linear, .select_binary, .select_table, .select_tuple_arity:
            lowerSelect()
            return false
        case .get_list_xxx, .get_list_xxy, .get_list_xyx, .get_list:
            let cell = self.cell(value(0))
            let (head, tail) = (word(cell, 0), word(cell, 1))
            set(1, head)
            set(2, tail)
        case .get_hd_xx, .get_hd: set(1, word(cell(value(0)), 0))
        case .get_tl_xx, .get_tl: set(1, word(cell(value(0)), 1))
        case .get_tuple_element_xx, .get_tuple_element_xy, .get_tuple_element_yx:
            set(1, word(object(value(0)), Int(raw(2)) / 8))
        case .get_tuple_element2_xx:
            let tuple = object(value(0))
            let (first, second) = (word(tuple, Int(raw(3)) / 8), word(tuple, Int(raw(4)) / 8))
            set(1, first)
            set(2, second)
        case .get_tuple_element: set(2, word(object(value(0)), Int(raw(1)) / 8))
        case .set_tuple_element: setWord(object(value(1)), 1 + Int(raw(2)), value(0))
        case .put_list_xxx, .put_list_yxx: lowerCons(head: 0, tail: 1, to: 2)
        case .put_list_xcx: lowerCons(head: 0, tail: 2, to: 1)
        case .put_list: lowerCons(head: 0, tail: 1, to: 2)
        case .put_tuple2: lowerTuple(elements: Array(2..<instruction.operands.count))
        case .put_tuple2_2: lowerTuple(elements: [1, 2])
        case .put_tuple2_3: lowerTuple(elements: [1, 2, 3])
        case .get_map_elements: lowerMapElements()
        case .has_map_fields: lowerMapFields()
        case .self: set(0, processID)
        case .catch: set(0, unit.constants.word(.catchTag(body.function, instruction.targets[0])))
        case .try_case:
            set(0, ir.word(Term.nil.raw))
            setX(0, x(3))
        case .count_call: countEntry()
        case .require_cons, .require_map, .require_float, .require_tuple: lowerRequire()
        case .remove_message, .timeout, .recv_marker_clear, .recv_marker_use: return callSlow()
        default:
            boxOperands()
            if lowerTest() || lowerArithmetic() || lowerPutMap() { return false }
            if lowerFloat() || lowerBits() { return true }
            return callSlow()
        }
        return true
    }

    /// A slow function that cannot collect reads its operands from the context: floats get boxes first, because making
    /// room for new ones later takes a collection.
    private func boxOperands() {
        guard !known.unboxed.isEmpty, !FunctionBody.mayCollect(current), FunctionBody.flow(current) != .leave else { return }
        switch current.op {
        case .fconv, .fmove_load, .fmove_store, .is_float_x, .is_number_x, .is_float, .is_number, .is_lt_xx, .is_lt_xi,
            .is_lt_ix, .is_lt, .is_ge_xx, .is_ge_xi, .is_ge_ix, .is_ge, .call_only, .call_last, .jump:
            return
        default:
            for register in current.reads where known.unboxed.contains(register) { _ = x(register) }
        }
    }

    /// The first of two moves: its source may be read again by the second.
    private func moveFirst() {
        if case .x(let source) = current.operands[0], case .x(let again) = current.operands[2], source == again {
            set(1, value(0))
        } else {
            move(0, to: 1)
        }
    }

    private func swap() {
        guard case .x(let first) = current.operands[0], case .x(let second) = current.operands[1] else {
            let values = (value(0), value(1))
            set(0, values.1)
            return set(1, values.0)
        }
        let values = (x(first), x(second))
        let before = known
        setX(first, values.1)
        setX(second, values.0)
        if before.small.contains(first) { known.small.insert(second) }
        if before.small.contains(second) { known.small.insert(first) }
    }

    /// For --jit-stats and dumps: the threads count over each other.
    private func countEntry() {
        guard let counter = unit.counter(body) else { return }
        ir.store(ir.add(ir.load(ir.i64, counter, .process), ir.int(1)), counter, .process)
    }

    // MARK: Frames

    private func lowerAllocate() {
        let bytes = Int(raw(0))
        heapTest(bytes: HeapNeeds.bytes(current)!)
        stack = ir.offset(stack, -bytes)
        if current.op == .allocate_zero || current.op == .allocate_heap_zero {
            for register in 0..<bytes / 8 { setY(register, ir.word(Term.nil.raw)) }
        }
    }

    private func lowerReturn(bytes: Int) {
        if let caller = activation.caller {
            stack = ir.offset(stack, bytes + 8)
            return returnInline(to: caller)
        }
        flush(0)
        let frame = ir.offset(stack, bytes)
        let pc = ir.load(ir.pointer, frame, .heap)
        stack = ir.offset(frame, 8)
        dispatch(pc)
    }

    // MARK: Calls

    /// Counts a call; the insertion point is then where reductions are left. When they are used up the interpreter's
    /// slow function leaves at the callee.
    private func countReduction() {
        reductions = ir.sub(reductions, ir.int(1))
        if known.credits > 0 {
            known.credits -= 1
            return
        }
        let over = newBlock("over")
        let left = newBlock("left")
        ir.branchRarely(ir.compare(LLVMIntSLE, reductions, ir.int(0)), over, left)
        ir.position(over)
        leaveSlowly()
        ir.position(left)
    }

    /// The next round of a short loop; rounds that nothing ends are counted and tested for together, room on the heap too.
    private func countRounds() {
        let many = newBlock("many")
        let few = newBlock("few")
        let before = known
        known.room = Lowering.callsPerTest * roundNeed
        var isMany = ir.compare(LLVMIntSGT, reductions, ir.int(Lowering.callsPerTest))
        if known.room > 0 {
            let hasRoom = ir.compare(LLVMIntSGE, freeBytes, ir.int(known.room + waitingBytes + Field.reserve))
            isMany = ir.and(isMany, hasRoom)
        }
        ir.branch(isMany, many, few)
        ir.position(many)
        known.credits = Lowering.callsPerTest - 1
        reductions = ir.sub(reductions, ir.int(1))
        ir.branch(block(at: body.entry))
        known = before
        ir.position(few)
    }

    private func pushReturn() {
        let frame = ir.offset(stack, -8)
        ir.store(place(current.next), frame, .heap)
        stack = frame
        known.room = max(0, known.room - 8)
    }

    private func lowerCall() {
        if current.op == .call_only, known.credits == 0, isShortLoop, raw(0) == UInt64(UInt(bitPattern: body.function)) {
            countRounds()
        }
        countReduction()
        switch current.op {
        case .call, .call_ext: pushReturn()
        case .call_last, .call_ext_last: stack = ir.offset(stack, Int(raw(1)))
        default: break
        }
        let isLocal = current.op == .call || current.op == .call_only || current.op == .call_last
        guard isLocal else {
            for register in current.reads { flush(register) }
            let export = unit.constants.pointer(.export(Ref(bitPattern: UInt(raw(0)))!))
            return dispatch(ir.load(ir.pointer, ir.offset(export, Field.exportEntry), .process))
        }
        enter(Ref<Function>(bitPattern: UInt(raw(0)))!, next: current.op == .call ? current.next : nil)
    }

    /// On into a function of this module, in line or in the unit's code if it is there.
    private func enter(_ callee: Ref<Function>, next: Int?) {
        let arity = Int(callee.pointee.arity)
        // The callee's arguments are this native function's variables.
        if let entry = inlinedEntry(callee, next: next) { return ir.branch(entry) }
        if let target = unit.nativeBody(callee) {
            for register in argumentRegisters..<max(arity, argumentRegisters) { flush(register) }
            return tail(target, pc: ir.null, (0..<min(arity, argumentRegisters)).map { x($0) })
        }
        for register in 0..<arity { flush(register) }
        let function = unit.constants.pointer(.function(callee))
        dispatch(ir.load(ir.pointer, ir.offset(function, Field.functionEntry), .process))
    }

    /// A local fun of the right arity whose module is loaded; its free variables follow the arguments.
    private func lowerCallFun() {
        let arity = Int(raw(0))
        let isLast = current.op == .call_fun_last || current.op == .call_fun2_last
        let inRegister = current.op == .call_fun || current.op == .call_fun_last
        let fun = inRegister ? x(arity) : value(isLast ? 2 : 1)
        let slow = newBlock("slow")
        func demand(_ condition: Value) { self.demand(condition, or: slow, "fun") }
        let object = demandBoxed(fun, Subtag.fun, or: slow)
        let kind = word(object, 3)
        demand(ir.equal(ir.and(kind, 0x100_00FF), UInt64(arity)))
        let entry = ir.toPointer(word(object, 1))
        let function = ir.load(ir.pointer, ir.offset(entry, Field.funFunction), .process)
        demand(ir.compare(LLVMIntNE, ir.toInteger(function), ir.int(0)))
        demand(ir.compare(LLVMIntSGT, reductions, ir.int(1)))
        reductions = ir.sub(reductions, ir.int(1))
        known.credits = max(0, known.credits - 1)
        let before = known
        if let target = body.funTarget(current), unit.nativeBody(target) != nil || unit.inlinable[target] != nil {
            enterTarget(target, object, kind, function, isLast: isLast)
        }
        for register in 0..<arity { flush(register) }
        copyFreeVariables(object, count: ir.and(ir.shiftRightLogical(kind, ir.int(8)), 0xFFFF), to: arity)
        if isLast { stack = ir.offset(stack, Int(raw(1))) } else { pushReturn() }
        dispatch(ir.load(ir.pointer, ir.offset(function, Field.functionEntry), .process))
        known = before
        ir.position(slow)
        leaveSlowly()
    }

    /// If the fun runs the function it always ran: on into that. The insertion point is then where it does not. How many
    /// free variables it has is looked at, because a fun that came from elsewhere may have any number.
    private func enterTarget(_ target: Ref<Function>, _ object: Value, _ kind: Value, _ function: Value, isLast: Bool) {
        let (arity, all) = (Int(raw(0)), Int(target.pointee.arity))
        let same = newBlock("same")
        let other = newBlock("other")
        let isSame = ir.equal(ir.toInteger(function), unit.constants.word(.function(target)))
        let hasAll = ir.equal(ir.and(kind, 0xFF_FF00), UInt64(all - arity) << 8)
        ir.branch(ir.and(isSame, hasAll), same, other)
        let before = known
        ir.position(same)
        let free = (0..<all - arity).map { word(object, 5 + $0) }
        for (index, value) in free.enumerated() { setX(arity + index, value) }
        if isLast { stack = ir.offset(stack, Int(raw(1))) } else { pushReturn() }
        enter(target, next: isLast ? nil : current.next)
        known = before
        ir.position(other)
    }

    private func copyFreeVariables(_ object: Value, count: Value, to first: Int) {
        let some = newBlock("free")
        let done = newBlock("called")
        ir.branch(ir.equal(count, 0), done, some)
        ir.position(some)
        copyWords(
            ir.offset(object, 40), to: ir.offset(context, xBase + first * 8), .x, bytes: ir.shiftLeft(count, ir.int(3)))
        ir.branch(done)
        ir.position(done)
    }

    private func lowerMakeFun() {
        let entry = Ref<FunEntry>(bitPattern: UInt(raw(0)))!
        let count = Int(raw(2))
        let values = (0..<count).map { value(3 + $0) }
        let object = take(Layout.funWords + count)
        setWord(object, 0, ir.word(Header.make(Layout.funWords - 1 + count, Subtag.fun)))
        setWord(object, 1, unit.constants.word(.funEntry(entry)))
        setWord(object, 2, ir.word(0))
        setWord(object, 3, ir.word(UInt64(entry.pointee.arity) | UInt64(count) << 8))
        setWord(object, 4, processID)
        for (index, value) in values.enumerated() { setWord(object, 5 + index, value) }
        set(1, boxed(object))
    }

    // MARK: Data

    private func lowerCons(head: Int, tail: Int, to target: Int) {
        let (first, rest) = (value(head), value(tail))
        let cell = take(2)
        setWord(cell, 0, first)
        setWord(cell, 1, rest)
        set(target, cons(cell))
    }

    private func lowerTuple(elements: [Int]) {
        let values = elements.map { value($0) }
        let object = take(values.count + 1)
        setWord(object, 0, ir.word(Header.make(values.count, Subtag.tuple)))
        for (index, value) in values.enumerated() { setWord(object, index + 1, value) }
        set(0, boxed(object))
        learnTuple(current.operands[0], Header.make(values.count, Subtag.tuple))
    }
}
