// Decoder+Special.swift: generic instructions whose operands need more than the table's patterns say: frames, calls,
// lists of operands, exceptions and receives. The bit syntax is in Decoder+BitSyntax.swift.

import BeamFile
import CMachine
import Terms

extension Decoder {
    mutating func decodeSpecial(_ opcode: Opcode) {
        switch Self.family(opcode) {
        case .frame: decodeFrame(opcode)
        case .call: decodeCall(opcode)
        case .bif: decodeBif(opcode)
        case .select: decodeSelect(opcode)
        case .data: decodeData(opcode)
        case .float: decodeFloat(opcode)
        case .try: emitTry()
        case .raising: decodeRaising(opcode)
        case .receive: decodeReceive(opcode)
        case .matching: decodeMatching(opcode)
        case .character: decodeCharacter(opcode)
        case .create: decodeCreate()
        case .construction: decodeOldConstruction(opcode)
        case nil: emitInvalid(.wrongType)
        }
    }

    private mutating func decodeRaising(_ opcode: Opcode) {
        switch opcode {
        case .badmatch: raising(.badmatch, 1)
        case .case_end: raising(.case_end, 1)
        case .try_case_end: raising(.try_case_end, 1)
        case .badrecord: raising(.badrecord, 1)
        case .if_end: raising(.if_end, 0)
        case .raise: raising(.raise, 2)
        case .raw_raise: raising(.raw_raise, 0)
        default: raising(.send, 0)
        }
    }

    /// Source operands 0..<count, then the location.
    private mutating func raising(_ operation: Op, _ count: Int) {
        code.begin(operation)
        for index in 0..<count { appendWord(index) }
        code.append(locationWord())
    }

    private mutating func emitTry() {
        code.begin(.catch)
        code.append(value(0) * 8)
        code.reference(value(1))
    }

    // MARK: Frames

    /// Heap words an operand asks for.
    func heapWords(_ index: Int) -> Int { Self.heapWords(operand(index)) }

    static func heapWords(_ operand: Operand) -> Int {
        guard operand.kind == .allocation else { return operand.value }
        let floats = Int(operand.extra & 0xFFFF)
        let funs = Int(operand.extra >> 16)
        return operand.value + floats * Layout.floatWords + funs * Layout.funWords
    }

    private mutating func stress(_ words: Int, live: Int) {
        guard stressCollection else { return }
        code.begin(.collect)
        code.append(words)
        code.append(live)
    }

    private mutating func decodeFrame(_ opcode: Opcode) {
        defer { noteFrame(opcode) }
        switch opcode {
        case .allocate, .allocate_zero:
            stress(value(0), live: value(1))
            code.begin(opcode == .allocate && !clearsFrames ? .allocate : .allocate_zero)
            code.append(value(0) * 8)
            code.append(value(1))
        case .allocate_heap, .allocate_heap_zero:
            stress(value(0) + heapWords(1), live: value(2))
            code.begin(opcode == .allocate_heap && !clearsFrames ? .allocate_heap : .allocate_heap_zero)
            code.append(value(0) * 8)
            code.append(heapWords(1) * 8)
            code.append(value(2))
        case .test_heap:
            stress(heapWords(0), live: value(1))
            code.begin(.test_heap)
            code.append(heapWords(0) * 8)
            code.append(value(1))
        case .deallocate:
            code.begin(.deallocate)
            code.append(value(0) * 8)
        default:
            code.begin(.trim)
            code.append(value(0) * 8)
        }
    }

    private mutating func noteFrame(_ opcode: Opcode) {
        switch opcode {
        case .test_heap: break
        case .deallocate: code.frame = 0
        case .trim where code.frame == CodeBuffer.unknownFrame: break
        case .trim: code.frame = max(code.frame - value(0), 0)
        default: code.frame = value(0)
        }
    }

    // MARK: Calls

    private mutating func decodeCall(_ opcode: Opcode) {
        switch opcode {
        case .call, .call_last, .call_only: decodeLocalCall(opcode)
        case .call_ext, .call_ext_last, .call_ext_only: decodeExternalCall(opcode)
        case .call_fun:
            code.begin(.call_fun)
            code.append(value(0))
            code.append(FunTarget.unknown)
            code.append(locationWord())
        case .call_fun2:
            code.begin(.call_fun2)
            code.append(value(1))
            appendWord(2)
            code.append(FunTarget.unknown)
            code.append(locationWord())
        case .apply:
            code.begin(.apply)
            code.append(value(0))
            code.append(locationWord())
        case .apply_last:
            code.begin(.apply_last)
            code.append(value(0))
            code.append(value(1) * 8)
            code.append(locationWord())
        case .make_fun3:
            code.begin(.make_fun)
            appendPointer(module.funs[value(0)])
            appendWord(1)
            let count = value(2)
            code.append(count)
            for index in 0..<count { appendWord(3 + index) }
        default:
            code.begin(.make_fun2)
            appendPointer(module.funs[value(0)])
            code.append(Int(module.funs[value(0)].pointee.freeCount))
        }
    }

    mutating func appendPointer<Pointee>(_ pointer: Ref<Pointee>) { code.append(UInt64(UInt(bitPattern: pointer))) }

    private mutating func decodeLocalCall(_ opcode: Opcode) {
        let callee = module.label(value(1)).function
        switch opcode {
        case .call:
            code.begin(.call)
            appendPointer(callee)
            code.append(locationWord())
        case .call_only:
            code.begin(.call_only)
            appendPointer(callee)
        default:
            code.begin(.call_last)
            appendPointer(callee)
            code.append(value(2) * 8)
        }
    }

    /// A BIF is called in place, and what a tail call does besides follows it; its Location says where.
    private mutating func decodeExternalCall(_ opcode: Opcode) {
        let export = module.imports[value(1)]
        if export.pointee.bif != nil {
            code.begin(.call_bif)
            appendPointer(export)
            code.append(locationWord())
            switch opcode {
            case .call_ext_only: code.begin(.return)
            case .call_ext_last:
                code.begin(.deallocate_return)
                code.append(value(2) * 8)
            default: break
            }
            code.barrier()
            return
        }
        if opcode != .call_ext, export.pointee.module == Atoms.erlang, export.pointee.name == Atoms.apply,
            export.pointee.arity == 2 || export.pointee.arity == 3
        {
            code.begin(.check_apply)
            code.append(Int(export.pointee.arity))
            code.append(locationWord())
            code.barrier()
        }
        switch opcode {
        case .call_ext:
            code.begin(.call_ext)
            appendPointer(export)
            code.append(locationWord())
        case .call_ext_only:
            code.begin(.call_ext_only)
            appendPointer(export)
        default:
            code.begin(.call_ext_last)
            appendPointer(export)
            code.append(value(2) * 8)
        }
    }

    // MARK: Selection

    private mutating func decodeSelect(_ opcode: Opcode) {
        let count = value(2) / 2
        var pairs: [(value: Term, label: Int)] = []
        for index in 0..<count {
            let operand = operand(3 + 2 * index)
            let value =
                opcode == .select_tuple_arity
                ? Term(raw: Header.make(operand.value, Subtag.tuple)) : constant(operand)
            pairs.append((value, self.value(4 + 2 * index)))
        }
        let source = word(0)
        let fail = value(1)
        if opcode == .select_tuple_arity {
            emitSelect(.select_tuple_arity, source, fail, pairs)
        } else if !pairs.allSatisfy({ $0.value.isImmediate }) {
            emitSelect(.select_terms, source, fail, pairs)
        } else if let first = tableStart(pairs) {
            emitTable(source, fail, pairs, first)
        } else if pairs.count == 2, operand(0).kind == .x {
            code.begin(.select_val2_x)
            code.append(source)
            code.reference(fail)
            for pair in pairs { code.append(pair.value.raw) }
            for pair in pairs { code.reference(pair.label) }
        } else {
            let sorted = pairs.sorted { $0.value.raw < $1.value.raw }
            emitSelect(pairs.count <= 6 ? .select_linear : .select_binary, source, fail, sorted)
        }
    }

    private mutating func emitSelect(_ operation: Op, _ source: UInt64, _ fail: Int, _ pairs: [(value: Term, label: Int)]) {
        code.begin(operation)
        code.append(source)
        code.reference(fail)
        code.append(pairs.count)
        for pair in pairs { code.append(pair.value.raw) }
        for pair in pairs { code.reference(pair.label) }
    }

    /// The lowest value, if all are small integers that fill at least a third of their range.
    private func tableStart(_ pairs: [(value: Term, label: Int)]) -> Int? {
        guard pairs.count >= 4, pairs.allSatisfy({ $0.value.isSmall }) else { return nil }
        let values = pairs.map { $0.value.smallValue }
        guard let low = values.min(), let high = values.max(), high - low < pairs.count * 3 else { return nil }
        return low
    }

    private mutating func emitTable(
        _ source: UInt64, _ fail: Int, _ pairs: [(value: Term, label: Int)], _ first: Int
    ) {
        var labels: [Int] = []
        for pair in pairs {
            let index = pair.value.smallValue - first
            while labels.count <= index { labels.append(fail) }
            labels[index] = pair.label
        }
        code.begin(.select_table)
        code.append(source)
        code.reference(fail)
        code.append(first)
        code.append(labels.count)
        for label in labels { code.reference(label) }
    }

    // MARK: Data

    private mutating func decodeData(_ opcode: Opcode) {
        switch opcode {
        case .put_tuple2: decodePutTuple()
        case .get_tuple_element: decodeTupleElement()
        case .init_yregs:
            code.begin(.init_yregs)
            code.append(value(0))
            for index in 0..<value(0) { code.append(value(1 + index) * 8) }
        case .put_map_assoc, .put_map_exact:
            code.begin(opcode == .put_map_assoc ? .put_map_assoc : .put_map_exact)
            appendWord(1)
            appendWord(2)
            code.append(value(3))
            appendFail(0)
            appendList(4, per: 2)
        case .get_map_elements:
            code.begin(.get_map_elements)
            appendWord(1)
            code.reference(value(0))
            appendList(2, per: 2)
        default:
            code.begin(.has_map_fields)
            appendWord(1)
            code.reference(value(0))
            appendList(2, per: 1)
        }
    }

    /// The number of groups of a list operand, then its elements.
    private mutating func appendList(_ index: Int, per group: Int) {
        let count = value(index)
        code.append(count / group)
        for element in 0..<count { appendWord(index + 1 + element) }
    }

    private mutating func decodePutTuple() {
        let count = value(1)
        switch count {
        case 2: code.begin(.put_tuple2_2)
        case 3: code.begin(.put_tuple2_3)
        default: code.begin(.put_tuple2)
        }
        appendWord(0)
        if count < 2 || count > 3 { code.append(Header.make(count, Subtag.tuple)) }
        for index in 0..<count { appendWord(2 + index) }
    }

    private mutating func decodeTupleElement() {
        let source = operand(0)
        let target = operand(2)
        let bytes = (value(1) + 1) * 8
        func offset(_ operand: Operand) -> Int {
            operand.kind == .x ? Self.xOffset(operand.value) : operand.value * 8
        }
        let packed = UInt64(offset(source)) | UInt64(offset(target)) << 16
        switch (source.kind, target.kind) {
        case (.x, .x):
            if fuseTupleElements(packed, bytes) { return }
            code.begin(.get_tuple_element_xx)
        case (.x, .y): code.begin(.get_tuple_element_xy)
        case (.y, .x): code.begin(.get_tuple_element_yx)
        default:
            code.begin(.get_tuple_element)
            appendWord(0)
            code.append(bytes)
            appendWord(2)
            return
        }
        code.append(packed)
        code.append(bytes)
    }

    /// The element after another of the same tuple, which the first did not overwrite.
    private mutating func fuseTupleElements(_ packed: UInt64, _ bytes: Int) -> Bool {
        guard let last = code.last, last.operation == .get_tuple_element_xx else { return false }
        let first = code.words[last.start + 1]
        guard first & 0xFFFF == packed & 0xFFFF, first >> 16 != packed & 0xFFFF else { return false }
        code.setWord(last.start + 1, first | (packed >> 16) << 32)
        code.append(bytes)
        code.replaceLast(.get_tuple_element2_xx)
        code.barrier()
        return true
    }

    // MARK: Floats

    private mutating func appendFloat(_ index: Int) { code.append(Self.floatOffset(operand(index))) }

    private mutating func decodeFloat(_ opcode: Opcode) {
        switch opcode {
        case .fmove: decodeFloatMove()
        case .fconv:
            code.begin(.fconv)
            appendWord(0)
            appendFloat(1)
            code.append(locationWord())
        case .fnegate:
            code.begin(.fnegate)
            appendFloat(1)
            appendFloat(2)
        default:
            let operation: Op =
                switch opcode {
                case .fadd: .fadd
                case .fsub: .fsub
                case .fmul: .fmul
                default: .fdiv
                }
            code.begin(operation)
            appendFloat(1)
            appendFloat(2)
            appendFloat(3)
            code.append(locationWord())
        }
    }

    private mutating func decodeFloatMove() {
        switch (operand(0).kind, operand(1).kind) {
        case (.floatRegister, .floatRegister):
            code.begin(.fmove_copy)
            appendFloat(0)
            appendFloat(1)
        case (.floatRegister, _):
            code.begin(.fmove_store)
            appendFloat(0)
            appendWord(1)
        default:
            code.begin(.fmove_load)
            appendWord(0)
            appendFloat(1)
        }
    }

    // MARK: Receive

    private mutating func decodeReceive(_ opcode: Opcode) {
        switch opcode {
        case .loop_rec:
            code.begin(.loop_rec)
            code.reference(value(0))
            appendWord(1)
            code.append(locationWord())
        case .loop_rec_end:
            code.begin(.loop_rec_end)
            code.reference(value(0))
        case .wait:
            code.begin(.wait)
            code.reference(value(0))
            code.append(locationWord())
        default:
            code.begin(.wait_timeout)
            code.reference(value(0))
            appendWord(1)
            code.append(locationWord())
        }
    }
}
