// Lowering+Bits.swift: the matching half of the bit syntax: fields of at most 59 bits, short strings and ASCII in line.
// Words of a match context: [2] first byte, [3] position, [4] end, both in bits from [2].

import CLLVM
import CMachine
import Machine
import Terms

extension Lowering {
    func lowerBits() -> Bool {
        switch current.op {
        case .bs_start_match: startMatch()
        case .bs_get_integer_8: integerField(context: 1, bits: 8, flags: 0, to: 2)
        case .bs_get_integer_16: integerField(context: 1, bits: 16, flags: 0, to: 2)
        case .bs_get_integer_32: integerField(context: 1, bits: 32, flags: 0, to: 2)
        case .bs_get_integer: return anyIntegerField()
        case .bs_skip_bits: return skipBits()
        case .bs_match_string: return matchString()
        case .bs_get_utf8, .bs_skip_utf8: asciiCharacter()
        case .bs_create_bin: return lowerCreate()
        case .bs_test_tail:
            let context = object(value(1))
            pass(if: ir.equal(remaining(context), raw(2)), failAt: 0)
        case .bs_test_unit:
            let context = object(value(1))
            let rest: Value = LLVMBuildURem(ir.builder, remaining(context), ir.word(raw(2)), "")
            pass(if: ir.equal(rest, 0), failAt: 0)
        case .bs_get_position: set(1, small(word(object(value(0)), 3)))
        case .bs_set_position: setWord(object(value(0)), 3, smallValue(value(1)))
        default: return false
        }
        return true
    }

    private func remaining(_ context: Value) -> Value { ir.sub(word(context, 4), word(context, 3)) }

    /// A term that is a context already stays what it is.
    private func startMatch() {
        let term = value(2)
        let boxed = newBlock("boxed")
        let slow = newBlock("start")
        let fast = newBlock("context")
        let done = newBlock("done")
        ir.branch(ir.equal(ir.and(term, 3), 2), boxed, slow)
        ir.position(boxed)
        ir.branch(ir.equal(ir.and(word(object(term), 0), 63), Subtag.matchContext << 2), fast, slow)
        ir.position(fast)
        set(3, term)
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
    }

    /// Continues behind the field of `bits` bits, or at the label; answers where the field starts.
    private func takeField(_ context: Value, bits: Value, failAt index: Int) -> Value? {
        guard let fail = failBlock(index) else { return nil }
        let position = word(context, 3)
        let inside = newBlock("inside")
        ir.branch(ir.compare(LLVMIntSGE, ir.sub(word(context, 4), position), bits), inside, fail)
        ir.position(inside)
        return position
    }

    private func byteAddress(_ context: Value, _ position: Value) -> Value {
        ir.offset(ir.toPointer(word(context, 2)), ir.shiftRightLogical(position, ir.int(3)))
    }

    /// `bytes` bytes as an unsigned number.
    private func loadBytes(_ address: Value, _ bytes: Int, little: Bool) -> Value {
        var result = ir.int(0)
        var done = 0
        for width in [8, 4, 2, 1] {
            while bytes - done >= width {
                let type: LLVMTypeRef = LLVMIntTypeInContext(ir.context, UInt32(width * 8))
                var part: Value = LLVMBuildLoad2(ir.builder, type, ir.offset(address, done), "")
                LLVMSetAlignment(part, 1)
                if width > 1, !little { part = ir.call(ir.declare("llvm.bswap.i\(width * 8)", type, [type]), [part]) }
                let wide: Value = width == 8 ? part : LLVMBuildZExt(ir.builder, part, ir.i64, "")
                result =
                    little
                    ? ir.or(result, ir.shiftLeft(wide, ir.int(done * 8)))
                    : ir.or(width == 8 ? ir.int(0) : ir.shiftLeft(result, ir.int(width * 8)), wide)
                done += width
            }
        }
        return result
    }

    // MARK: Integers

    private func anyIntegerField() -> Bool {
        let flags = Int(raw(5))
        if case .constant(let size) = current.operands[3] {
            let bits = fieldSize(Term(raw: size), unit: Int(raw(4)))
            guard bits > 0, bits <= 59, !BitFlags.isLittle(flags) || bits % 8 == 0 else { return false }
            integerField(context: 1, bits: bits, flags: flags, to: 6)
            return true
        }
        return variableField()
    }

    /// A field whose size is known here.
    private func integerField(context index: Int, bits: Int, flags: Int, to target: Int) {
        let context = object(value(index))
        guard let position = takeField(context, bits: ir.int(bits), failAt: 0) else { return }
        let little = BitFlags.isLittle(flags)
        let general = newBlock("unaligned")
        let near = newBlock("near")
        let done = newBlock("field")
        let shift = ir.and(position, 7)
        let isNear = bits % 8 == 0 ? ir.equal(shift, 0) : ir.compare(LLVMIntULE, shift, ir.int(8 - bits))
        if bits % 8 == 0 || bits < 8 { ir.branch(isNear, near, general) } else { ir.branch(general) }
        ir.position(near)
        var nearValue = ir.int(0)
        if bits % 8 == 0 {
            nearValue = loadBytes(byteAddress(context, position), bits / 8, little: little)
        } else if bits < 8 {
            let byte = loadBytes(byteAddress(context, position), 1, little: false)
            nearValue = ir.and(ir.shiftRightLogical(byte, ir.sub(ir.int(8 - bits), shift)), 1 << UInt64(bits) - 1)
        }
        setWord(context, 3, ir.add(position, ir.int(bits)))
        set(target, fieldTerm(nearValue, ir.int(bits), flags))
        ir.branch(done)
        ir.position(general)
        if little {
            if callSlow() { ir.branch(done) }
        } else {
            let bitsValue = ir.int(bits)
            let field = unalignedField(context, position, bitsValue)
            setWord(context, 3, ir.add(position, bitsValue))
            set(target, fieldTerm(field, bitsValue, flags))
            ir.branch(done)
        }
        ir.position(done)
        learnSmall(current.operands[target])
        if flags & BitFlags.signed == 0 { learnBits(current.operands[target], bits) }
    }

    /// A field whose size is a register: in line while it is at most 56 bits.
    private func variableField() -> Bool {
        let flags = Int(raw(5))
        guard !BitFlags.isLittle(flags), let fail = failBlock(0) else { return false }
        let slow = newBlock("wide")
        let narrow = newBlock("narrow")
        let inside = newBlock("inside")
        let done = newBlock("field")
        let size = value(3)
        let unit = Int(raw(4))
        // Unsigned: not a small integer, negative or too wide.
        let isNarrow = ir.and(
            ir.equal(ir.and(size, 15), 15), ir.compare(LLVMIntULE, ir.sub(smallValue(size), ir.int(1)), ir.int(56 / unit - 1)))
        guard unit <= 56 else { return false }
        ir.branch(isNarrow, narrow, slow)
        ir.position(narrow)
        let bits: Value = LLVMBuildMul(ir.builder, smallValue(size), ir.int(unit), "")
        let context = object(value(1))
        let position = word(context, 3)
        ir.branch(ir.compare(LLVMIntSGE, ir.sub(word(context, 4), position), bits), inside, fail)
        ir.position(inside)
        let field = unalignedField(context, position, bits)
        setWord(context, 3, ir.add(position, bits))
        set(6, fieldTerm(field, bits, flags))
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
        return true
    }

    /// 1 to 57 bits at any position, most significant first: one load where eight bytes are left, the machine's reader
    /// otherwise. More bits are right when the position is a byte boundary.
    private func unalignedField(_ context: Value, _ position: Value, _ bits: Value) -> Value {
        let wide = newBlock("wide")
        let short = newBlock("short")
        let done = newBlock("bits")
        let spare = ir.sub(ir.int(64), bits)
        let shift = ir.and(position, 7)
        let isEnough = ir.compare(LLVMIntSGE, ir.sub(word(context, 4), position), ir.int(64))
        ir.branch(ir.and(isEnough, ir.compare(LLVMIntULE, shift, spare)), wide, short)
        ir.position(wide)
        let loaded = ir.shiftLeft(loadBytes(byteAddress(context, position), 8, little: false), shift)
        let wideValue = ir.shiftRightLogical(loaded, spare)
        ir.branch(done)
        ir.position(short)
        let reader = helper(.readBits, ir.i64, [ir.i64, ir.i64, ir.i64])
        let shortValue = ir.call(reader, [word(context, 2), position, bits])
        ir.branch(done)
        ir.position(done)
        return ir.phi([(wideValue, wide), (shortValue, short)])
    }

    private func fieldTerm(_ value: Value, _ bits: Value, _ flags: Int) -> Value {
        guard BitFlags.isSigned(flags) else { return small(value) }
        let spare = ir.sub(ir.int(64), bits)
        return small(ir.shiftRight(ir.shiftLeft(value, spare), spare))
    }

    // MARK: Others

    /// A size known here.
    private func skipBits() -> Bool {
        guard case .constant(let size) = current.operands[2], Term(raw: size).isSmall, size >> 32 == 0 else { return false }
        let bits = ir.int(Term(raw: size).smallValue * Int(raw(3)))
        let context = object(value(1))
        guard let position = takeField(context, bits: bits, failAt: 0) else { return false }
        setWord(context, 3, ir.add(position, bits))
        return true
    }

    /// Up to eight bytes at a byte boundary in line.
    private func matchString() -> Bool {
        let bits = Int(raw(2))
        guard let fail = failBlock(0) else { return false }
        let context = object(value(1))
        let helper = self.helper(.matchString, ir.i64, [ir.i64, ir.i64, ir.i64])
        func general() {
            let string = raw(3) == 0 ? ir.word(0) : unit.constants.word(.string(raw(3)))
            let result = ir.call(helper, [value(1), string, ir.int(bits)])
            pass(if: ir.compare(LLVMIntNE, result, ir.int(0)), failAt: 0)
        }
        guard bits % 8 == 0, bits > 0, bits <= 64 else {
            general()
            return true
        }
        guard let position = takeField(context, bits: ir.int(bits), failAt: 0) else { return false }
        let bytes = UnsafePointer<UInt8>(bitPattern: UInt(raw(3)))!
        let expected = (0..<bits / 8).reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[$1]) }
        let aligned = newBlock("aligned")
        let slow = newBlock("unaligned")
        let equal = newBlock("equal")
        let done = newBlock("matched")
        ir.branchRarely(ir.compare(LLVMIntNE, ir.and(position, 7), ir.int(0)), slow, aligned)
        ir.position(aligned)
        ir.branch(ir.equal(loadBytes(byteAddress(context, position), bits / 8, little: false), expected), equal, fail)
        ir.position(equal)
        setWord(context, 3, ir.add(position, ir.int(bits)))
        ir.branch(done)
        ir.position(slow)
        general()
        ir.branch(done)
        ir.position(done)
        return true
    }

    private func asciiCharacter() {
        let context = object(value(1))
        let position = word(context, 3)
        let slow = newBlock("character")
        let aligned = newBlock("aligned")
        let ascii = newBlock("ascii")
        let done = newBlock("done")
        let isReadable = ir.and(
            ir.equal(ir.and(position, 7), 0), ir.compare(LLVMIntSGE, ir.sub(word(context, 4), position), ir.int(8)))
        ir.branch(isReadable, aligned, slow)
        ir.position(aligned)
        let byte = loadBytes(byteAddress(context, position), 1, little: false)
        ir.branch(ir.compare(LLVMIntULT, byte, ir.int(0x80)), ascii, slow)
        ir.position(ascii)
        setWord(context, 3, ir.add(position, ir.int(8)))
        if current.op == .bs_get_utf8 { set(2, small(byte)) }
        ir.branch(done)
        ir.position(slow)
        if callSlow() { ir.branch(done) }
        ir.position(done)
    }
}
