// CodeCheck+Instructions.swift: what each instruction needs and what it leaves. Order within an instruction: what it
// reads, the collection it may make, its jumps, what it writes.

import BeamFile
import CMachine
import Terms

extension CodeCheck {
    /// One instruction that can be reached.
    mutating func step(_ opcode: Opcode) throws(CodeFault) {
        guard facts.has(RegisterFacts.calm) else { return try takeException(opcode) }
        if opcode != .get_tuple_element { testedTuple = nil }
        switch opcode {
        case .line, .on_load, .nif_start, .fclearerror, .fcheckerror, .recv_mark, .recv_set: break
        case .move: try write(1, read(0))
        case .swap:
            let (first, second) = (try read(0), try read(1))
            try write(0, second)
            try write(1, first)
        case .test_heap:
            try safepoint(value(1))
            facts.heap = heapWords(0)
        case .call, .call_last, .call_only: try localCall(opcode)
        case .call_ext, .call_ext_last, .call_ext_only: try externalCall(opcode)
        case .get_tuple_element:
            try rely(onTuple: value(1) + 1, 0)
            if operand(2).kind == operand(0).kind, value(2) == value(0) { testedTuple = nil }
            try write(2)
        case .get_list:
            try rely(on: Fact.cons, 0)
            try write(1)
            try write(2)
        case .get_hd, .get_tl:
            try rely(on: Fact.cons, 0)
            try write(1)
        case .put_list:
            try read(0)
            try read(1)
            try take(2)
            try write(2, Fact.plain | Fact.cons)
        case .put_tuple2:
            try readList(1, per: 1)
            try take(value(1) + 1)
            try write(0, Fact.plain | Fact.tuple(value(1)))
        case .jump:
            if isTryHandler(value(0)) { neverReached() } else { try join(value(0)) }
            end()
        case .return:
            try arguments(1)
            guard facts.frame == 0 else { throw .wrongFrame }
            end()
        case .allocate, .allocate_heap, .allocate_zero, .allocate_heap_zero, .deallocate, .trim, .`init`, .init_yregs:
            try frame(opcode)
        case .bif0, .bif1, .bif2, .gc_bif1, .gc_bif2, .gc_bif3: try guardFunction(opcode)
        case .badmatch, .case_end, .badrecord, .try_case_end, .if_end: try raising(opcode)
        case .select_val, .select_tuple_arity: try select(opcode)
        default:
            if try test(opcode) { return }
            if try rare(opcode) { return }
            if try messages(opcode) { return }
            if try floats(opcode) { return }
            guard try bits(opcode) else { throw .wrongType }
        }
    }

    // MARK: Frames

    private mutating func frame(_ opcode: Opcode) throws(CodeFault) {
        switch opcode {
        case .deallocate:
            guard Int(facts.frame) == value(0) else { throw .wrongFrame }
            guard !facts.hasTag else { throw .liveTag }
            facts.frame = 0
        case .trim: try trim(value(0))
        case .`init`:
            try inFrame(value(0))
            facts.y[value(0)] = Fact.plain
        case .init_yregs:
            for i in 0..<value(0) {
                try inFrame(value(1 + i))
                facts.y[value(1 + i)] = Fact.plain
            }
        default: try allocate(opcode)
        }
    }

    private mutating func allocate(_ opcode: Opcode) throws(CodeFault) {
        let hasHeap = opcode == .allocate_heap || opcode == .allocate_heap_zero
        guard facts.frame == 0 else { throw .wrongFrame }
        try safepoint(value(hasHeap ? 2 : 1))
        let words = value(0)
        if words > 0 { try needY(words - 1) }
        let isCleared = opcode == .allocate_zero || opcode == .allocate_heap_zero
        facts.y.update(repeating: isCleared ? Fact.plain : clearsFrames ? Fact.noTag | Fact.valid : Fact.noTag, count: words)
        facts.frame = Int32(words)
        facts.heap = hasHeap ? heapWords(1) : 0
    }

    private mutating func trim(_ words: Int) throws(CodeFault) {
        guard Int(facts.frame) >= words else { throw .wrongFrame }
        guard !facts.hasTag else { throw .liveTag }
        facts.frame -= Int32(words)
        for i in 0..<Int(facts.frame) { facts.y[i] = facts.y[i + words] }
    }

    // MARK: Calls

    private mutating func localCall(_ opcode: Opcode) throws(CodeFault) {
        guard Int(callee(value(1)).pointee.arity) == value(0) else { throw .wrongArity }
        switch opcode {
        case .call: try call(value(0))
        case .call_last: try tailCall(value(0), value(2))
        default: try tailCall(value(0), 0)
        }
    }

    private mutating func externalCall(_ opcode: Opcode) throws(CodeFault) {
        let export = imports[value(1)]
        // The compiler calls these anywhere, also where the frame is not known: they never return.
        if export.pointee.flags & ExportFlags.raises != 0 {
            try arguments(value(0))
            try canRaise()
            return end()
        }
        switch opcode {
        case .call_ext: try call(value(0))
        case .call_ext_last: try tailCall(value(0), value(2))
        default: try tailCall(value(0), 0)
        }
    }

    // MARK: Guard functions

    private mutating func guardFunction(_ opcode: Opcode) throws(CodeFault) {
        let collects = opcode == .gc_bif1 || opcode == .gc_bif2 || opcode == .gc_bif3
        let row = opcode == .bif0 ? 0 : collects ? 2 : 1
        let export = imports[value(row)].pointee
        guard export.flags & ExportFlags.guard != 0 else { throw .notGuard }
        let arity = Int(export.arity)
        var tuple: UInt32 = 0
        for i in 0..<arity { tuple = try read(row + 1 + i) }
        if collects { try safepoint(value(1)) } else if export.flags & ExportFlags.allocates != 0 { facts.heap = 0 }
        if opcode != .bif0 { try fail(0) }
        // The tests that the function itself has made.
        if export.module == Atoms.erlang, arity > 0 {
            switch export.name {
            case Atoms.hd, Atoms.tl: learn(row + 1, Fact.cons)
            case Atoms.element: learn(row + 2, max(tuple, Fact.tuple(0)))
            case Atoms.tuple_size: learn(row + 1, Fact.tuple(0))
            case Atoms.map_size: learn(row + 1, Fact.map)
            default: break
            }
        }
        try write(row + 1 + arity)
    }

    // MARK: Tests and selection

    /// Tests: the label, then what is compared.
    private mutating func test(_ opcode: Opcode) throws(CodeFault) -> Bool {
        switch opcode {
        case .is_lt, .is_ge, .is_eq, .is_ne, .is_eq_exact, .is_ne_exact, .is_function2:
            let first = try read(1)
            let second = try read(2)
            try join(value(0))
            if opcode == .is_eq_exact {
                learn(1, second & Fact.kinds)
                learn(2, first & Fact.kinds)
            }
        case .is_integer, .is_float, .is_number, .is_atom, .is_pid, .is_reference, .is_port, .is_nil, .is_binary, .is_list,
            .is_nonempty_list, .is_tuple, .is_function, .is_boolean, .is_bitstr, .is_map:
            try read(1)
            try join(value(0))
            switch opcode {
            case .is_nonempty_list: learn(1, Fact.cons)
            case .is_tuple: learn(1, Fact.tuple(0))
            case .is_map: learn(1, Fact.map)
            case .is_float: learn(1, Fact.float)
            default: break
            }
        case .test_arity:
            try rely(on: Fact.tuple(0), 1)
            try join(value(0))
            learn(1, Fact.tuple(value(2)))
        case .is_tagged_tuple:
            try read(1)
            try join(value(0))
            learn(1, Fact.tuple(value(2)))
        case .has_map_fields:
            try rely(on: Fact.map, 1)
            try readList(2, per: 1)
            try join(value(0))
        case .get_map_elements: try mapElements()
        default: return false
        }
        return true
    }

    private mutating func mapElements() throws(CodeFault) {
        try rely(on: Fact.map, 1)
        let count = value(2)
        for i in stride(from: 3, to: 3 + count, by: 2) { try read(i) }
        // Some may be written when another key is missing.
        for i in stride(from: 3, to: 3 + count, by: 2) { try write(i + 1) }
        try join(value(0))
    }

    private mutating func select(_ opcode: Opcode) throws(CodeFault) {
        let known = try read(0)
        try join(value(1))
        let count = value(2)
        for i in stride(from: 3, to: 3 + count, by: 2) {
            if opcode == .select_tuple_arity, operand(0).kind == .x || operand(0).kind == .y {
                try write(0, known | Fact.tuple(value(i)))
            }
            try join(value(i + 1))
        }
        end()
    }

    /// The elements of a list operand, every `per`th.
    mutating func readList(_ index: Int, per: Int) throws(CodeFault) {
        for i in stride(from: index + 1, to: index + 1 + value(index), by: per) { try read(i) }
    }

    // MARK: Exceptions

    private mutating func raising(_ opcode: Opcode) throws(CodeFault) {
        if opcode != .if_end { try read(0) }
        try canRaise()
        end()
    }

    /// After an exception x(0) is no term: only try_case and catch_end know what to do.
    private mutating func takeException(_ opcode: Opcode) throws(CodeFault) {
        switch opcode {
        case .line: return
        case .try_case: try tryCase()
        case .catch_end: try catchEnd()
        default: throw .handler
        }
        facts.flags |= RegisterFacts.calm
    }

    private mutating func tryCase() throws(CodeFault) {
        try inFrame(value(0))
        facts.y[value(0)] = Fact.plain
        try arguments(4)
        facts.x[2] |= Fact.trace
        keep(3)
        facts.heap = 0
    }

    private mutating func catchEnd() throws(CodeFault) {
        try inFrame(value(0))
        facts.y[value(0)] = Fact.plain
        try safepoint(1)
        facts.x[0] = Fact.plain
    }

    /// catch and try: the handler finds the frame as it is now, and what the machine puts in x(0) to x(3).
    private mutating func handler(isTry: Bool) throws(CodeFault) {
        let slot = value(0)
        try inFrame(slot)
        // The tag nearest to the top of the stack is the one that catches.
        for i in 0..<slot where facts.y[i] & Fact.noTag == 0 { throw .handler }
        guard facts.y[slot] & Fact.noTag != 0 else { throw .handler }
        let handler = scratch
        handler.copy(from: facts)
        handler.x.update(repeating: 0, count: facts.xCount)
        for i in 0..<4 { handler.x[i] = Fact.plain }
        handler.y[slot] = Fact.plain
        handler.heap = 0
        handler.flags = RegisterFacts.reached | (isTry ? RegisterFacts.tryHandler : 0)
        try join(value(1), handler)
        facts.y[slot] = Fact.valid
    }

    // MARK: Others

    private mutating func rare(_ opcode: Opcode) throws(CodeFault) -> Bool {
        switch opcode {
        case .`catch`, .try: try handler(isTry: opcode == .try)
        case .try_end:
            try inFrame(value(0))
            facts.y[value(0)] = Fact.plain
        case .try_case: try tryCase()
        case .catch_end: try catchEnd()
        case .raise:
            guard try read(0) & Fact.trace != 0 else { throw .wrongType }
            try read(1)
            try canRaise()
            end()
        case .raw_raise:
            try arguments(3)
            guard facts.x[2] & Fact.trace != 0 else { throw .wrongType }
            try canRaise()
            keep(1)
            facts.x[0] = Fact.plain
        case .build_stacktrace:
            try arguments(1)
            guard facts.x[0] & Fact.trace != 0 else { throw .wrongType }
            try safepoint(1)
            facts.x[0] = Fact.plain
        case .call_fun: try call(value(0) + 1)
        case .call_fun2:
            try read(2)
            try call(value(1))
        case .apply: try call(value(0) + 2)
        case .apply_last: try tailCall(value(0) + 2, value(1))
        case .make_fun2:
            try safepoint(Int(funs[value(0)].pointee.freeCount))
            keep(0)
            facts.x[0] = Fact.plain
        case .make_fun3:
            guard value(2) == Int(funs[value(0)].pointee.freeCount) else { throw .wrongArity }
            try readList(2, per: 1)
            try take(Layout.funWords + value(2))
            try write(1)
        case .set_tuple_element:
            try read(0)
            try rely(onTuple: value(2) + 1, 1)
        case .put_map_assoc, .put_map_exact:
            try read(1)
            try readList(4, per: 1)
            try safepoint(value(3))
            try fail(0)
            try write(2, Fact.plain | Fact.map)
        default: return false
        }
        return true
    }

    private mutating func messages(_ opcode: Opcode) throws(CodeFault) -> Bool {
        switch opcode {
        case .send: try call(2)
        case .loop_rec:
            try safepoint(0)
            try join(value(0))
            try write(1)
        case .loop_rec_end, .wait:
            try safepoint(0)
            try joinBack(value(0))
            end()
        case .wait_timeout:
            try read(1)
            try safepoint(0)
            // A label right before it: the timeout is running then and the operand not looked at again.
            if value(0) != labelBefore { try joinBack(value(0)) }
        case .timeout, .remove_message: facts.flags &= ~RegisterFacts.building
        case .recv_marker_reserve: try write(0)
        case .recv_marker_bind:
            try read(0)
            try read(1)
        case .recv_marker_use, .recv_marker_clear: try read(0)
        default: return false
        }
        return true
    }

    /// A jump of a receive, which counts as a reduction.
    private mutating func joinBack(_ label: Int) throws(CodeFault) {
        countsTurns = true
        defer { countsTurns = false }
        try join(label)
    }

    private mutating func floats(_ opcode: Opcode) throws(CodeFault) -> Bool {
        switch opcode {
        case .fmove:
            if operand(0).kind != .floatRegister {
                try rely(on: Fact.float, 0)
            } else if operand(1).kind != .floatRegister {
                try take(Layout.floatWords)
                try write(1, Fact.plain | Fact.float)
            }
        case .fconv:
            try read(0)
            try canRaise()
        case .fadd, .fsub, .fmul, .fdiv, .fnegate: try canRaise()
        default: return false
        }
        return true
    }
}
