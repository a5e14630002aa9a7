// Lowering+BitCreate.swift: construction of binaries whose segments are strings and integers of sizes known here: a
// small one on the heap, or behind a binary that has room (see Terms/BitAppend.swift). Everything else is the machine's.

import CLLVM
import CMachine
import Machine
import Terms

/// Bits to write, most significant first.
private struct Piece {
    let bits: Int
    /// Masked to its bits.
    let value: Value
}

extension Lowering {
    private struct Segments {
        var pieces: [(bits: Int, source: Int?, little: Bool, bytes: [UInt8])] = []
        var total = 0
        var appends = false
        var isPrivate = false
    }

    /// The segments, if all have sizes known here. Operands from 6: kind, number, unit, flags, value, size.
    private func readSegments() -> Segments? {
        var result = Segments()
        for segment in 0..<Int(raw(5)) {
            let first = 6 + 6 * segment
            guard let kind = BitSegmentKind(rawValue: UInt8(truncatingIfNeeded: raw(first))) else { return nil }
            let flags = Int(raw(first + 3))
            switch kind {
            case .append, .privateAppend:
                guard segment == 0, raw(first + 2) == 8 || raw(first + 2) == 1 else { return nil }
                result.appends = true
                result.isPrivate = kind == .privateAppend
            case .string:
                guard case .constant(let size) = current.operands[first + 5] else { return nil }
                let count = Term(raw: size).smallValue
                let text = UnsafePointer<UInt8>(bitPattern: UInt(raw(first + 4)))
                for index in 0..<count { result.pieces.append((8, nil, false, [text![index]])) }
                result.total += count * 8
            case .integer:
                guard case .constant(let size) = current.operands[first + 5] else { return nil }
                let bits = fieldSize(Term(raw: size), unit: Int(raw(first + 2)))
                // Of none the machine tests the value alone.
                guard bits > 0, bits <= 56 else { return nil }
                let little = BitFlags.isLittle(flags) && bits > 8
                guard !little || bits % 8 == 0 else { return nil }
                result.pieces.append((bits, first + 4, little, []))
                result.total += bits
            default: return nil
            }
        }
        guard result.total > 0, result.total % 8 == 0, result.total <= 512 else { return nil }
        return result
    }

    func lowerCreate() -> Bool {
        guard let segments = readSegments() else { return false }
        let slow = newBlock("build")
        let done = newBlock("built")
        // Values first: they must be small integers.
        var values: [Int: Value] = [:]
        for piece in segments.pieces {
            guard let source = piece.source, values[source] == nil else { continue }
            let value = self.value(source)
            values[source] = value
            let next = newBlock("small")
            ir.branchRarely(ir.compare(LLVMIntNE, ir.and(value, 15), ir.int(15)), slow, next)
            ir.position(next)
        }
        let pieces = segments.pieces.map { piece -> Piece in
            guard let source = piece.source else { return Piece(bits: 8, value: ir.int(Int(piece.bytes[0]))) }
            var value = smallValue(values[source]!)
            if piece.little {
                value = ir.call(ir.declare("llvm.bswap.i64", ir.i64, [ir.i64]), [value])
                value = ir.shiftRightLogical(value, ir.int(64 - piece.bits))
            }
            return Piece(bits: piece.bits, value: ir.and(value, 1 << UInt64(piece.bits) - 1))
        }
        let words = chunks(pieces)
        if segments.appends {
            append(segments, words, slow)
        } else {
            create(segments.total / 8, words, slow)
        }
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
        return true
    }

    /// The pieces as 64-bit words, most significant bit first; the last one is filled up with zeros.
    private func chunks(_ pieces: [Piece]) -> [Value] {
        var words: [Value] = []
        var word = ir.int(0)
        var used = 0
        for piece in pieces {
            let room = 64 - used
            if piece.bits <= room {
                word = ir.or(word, ir.shiftLeft(piece.value, ir.int(room - piece.bits)))
                used += piece.bits
            } else {
                let rest = piece.bits - room
                word = ir.or(word, ir.shiftRightLogical(piece.value, ir.int(rest)))
                words.append(word)
                word = ir.shiftLeft(piece.value, ir.int(64 - rest))
                used = rest
            }
            if used == 64 {
                words.append(word)
                word = ir.int(0)
                used = 0
            }
        }
        if used > 0 { words.append(word) }
        return words
    }

    /// Room for `words` and for what the instruction's test of the heap asks for besides.
    private func demandRoom(words: Int, _ slow: BasicBlock) { demandRoom(ir.int((words + Int(raw(2))) * 8), or: slow) }

    private func swapped(_ word: Value) -> Value { ir.call(ir.declare("llvm.bswap.i64", ir.i64, [ir.i64]), [word]) }

    private func create(_ bytes: Int, _ words: [Value], _ slow: BasicBlock) {
        let size = Layout.heapBinaryWords(bytes)
        demandRoom(words: size, slow)
        let object = take(size)
        setWord(object, 0, ir.word(Header.make(size - 1, Subtag.heapBinary)))
        setWord(object, 1, ir.int(bytes))
        for (index, word) in words.enumerated() { setWord(object, 2 + index, swapped(word)) }
        set(4, boxed(object))
    }

    private func append(_ segments: Segments, _ words: [Value], _ slow: BasicBlock) {
        func demand(_ condition: Value, _ name: String) { self.demand(condition, or: slow, name) }
        let term = value(10)
        let bytes = segments.total / 8
        demand(ir.equal(ir.and(term, 3), 2), "boxed")
        let object = self.object(term)
        demand(ir.equal(word(object, 0), Header.make(Layout.subBinaryWords - 1, Subtag.subBinary)), "sub")
        // Writable, and whole bytes.
        let marks = word(object, 3)
        demand(ir.equal(marks, SubBinary.writable), "writable")
        let handleTerm = word(object, 4)
        let handle = self.object(handleTerm)
        demand(ir.equal(word(handle, 0), Header.make(Layout.refcBinaryWords - 1, Subtag.refcBinary)), "handle")
        let state = word(handle, 5)
        demand(ir.compare(LLVMIntNE, ir.and(state, RefcFlags.writable), ir.int(0)), "target")
        let used = word(object, 1)
        let total = ir.add(used, ir.int(bytes))
        let shared = ir.toPointer(word(handle, 3))
        let capacity = ir.load(ir.i64, ir.offset(shared, MemoryLayout<Binary>.offset(of: \Binary.capacity)!), .heap)
        demand(ir.compare(LLVMIntULE, total, capacity), "fits")
        demandRoom(words: segments.isPrivate ? 0 : Layout.subBinaryWords, slow)
        let old = word(handle, 1)
        let grows = newBlock("grows")
        let covered = newBlock("covered")
        ir.branch(ir.compare(LLVMIntUGT, total, old), grows, covered)
        ir.position(grows)
        let held = ir.offset(processAddress, Field.offHeapWords)
        let more = ir.sub(ir.shiftRightLogical(total, ir.int(3)), ir.shiftRightLogical(old, ir.int(3)))
        ir.store(ir.add(ir.load(ir.i64, held, .process), more), held, .process)
        setWord(handle, 1, total)
        ir.branch(covered)
        ir.position(covered)
        setWord(handle, 5, ir.or(state, ir.word(RefcFlags.activeWriter)))
        store(words, bytes, at: ir.offset(ir.toPointer(word(handle, 4)), used))
        if segments.isPrivate {
            setWord(object, 1, total)
            set(4, term)
        } else {
            setWord(object, 3, ir.int(0))
            let result = take(Layout.subBinaryWords)
            setWord(result, 0, ir.word(Header.make(Layout.subBinaryWords - 1, Subtag.subBinary)))
            setWord(result, 1, total)
            setWord(result, 2, ir.int(0))
            setWord(result, 3, ir.word(SubBinary.writable))
            setWord(result, 4, handleTerm)
            set(4, boxed(result))
        }
    }

    /// Writes exactly `bytes` bytes of the words.
    private func store(_ words: [Value], _ bytes: Int, at address: Value) {
        for (index, word) in words.enumerated() {
            var rest = swapped(word)
            var place = index * 8
            var left = min(8, bytes - place)
            for width in [8, 4, 2, 1] where left >= width {
                let type: LLVMTypeRef = LLVMIntTypeInContext(ir.context, UInt32(width * 8))
                let part: Value = width == 8 ? rest : LLVMBuildTrunc(ir.builder, rest, type, "")
                let store = LLVMBuildStore(ir.builder, part, ir.offset(address, place))
                LLVMSetAlignment(store, 1)
                place += width
                left -= width
                if width < 8 { rest = ir.shiftRightLogical(rest, ir.int(width * 8)) }
            }
        }
    }
}
