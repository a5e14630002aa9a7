// Decoder+BitSyntax.swift: the bit syntax. Fields of whole bytes at the usual sizes get handlers of their own.

import BeamFile
import CMachine
import Terms

extension Decoder {
    private mutating func failLabel(_ index: Int) {
        if value(index) == 0 { code.append(0) } else { code.reference(value(index)) }
    }

    private mutating func emit(_ operation: Op, fail: Int, words: [Int]) {
        code.begin(operation)
        failLabel(fail)
        for index in words { appendWord(index) }
    }

    mutating func decodeMatching(_ opcode: Opcode) {
        switch opcode {
        case .bs_start_match3: emitStart(fail: operand(0), live: value(2), source: 1, target: 3)
        case .bs_start_match4: emitStart(fail: operand(0), live: value(1), source: 2, target: 3)
        case .bs_get_integer2: decodeInteger()
        case .bs_get_float2: emitField(.bs_get_float)
        case .bs_get_binary2: emitField(.bs_get_binary)
        case .bs_skip_bits2:
            emit(.bs_skip_bits, fail: 0, words: [1, 2])
            code.append(value(3))
        case .bs_test_tail2, .bs_test_unit:
            emit(opcode == .bs_test_tail2 ? .bs_test_tail : .bs_test_unit, fail: 0, words: [1])
            code.append(value(2))
        case .bs_match_string:
            emit(.bs_match_string, fail: 0, words: [1])
            code.append(value(2))
            code.append(stringAddress(value(3)))
        case .bs_get_tail:
            code.begin(.bs_get_tail)
            appendWord(0)
            appendWord(1)
            code.append(value(2))
        case .bs_get_position:
            code.begin(.bs_get_position)
            appendWord(0)
            appendWord(1)
        default:
            code.begin(.bs_set_position)
            appendWord(0)
            appendWord(1)
        }
    }

    private mutating func emitStart(fail: Operand, live: Int, source: Int, target: Int) {
        code.begin(.bs_start_match)
        if fail.kind == .label, fail.value != 0 { code.reference(fail.value) } else { code.append(0) }
        code.append(live)
        appendWord(source)
        appendWord(target)
    }

    /// `fail context live size unit flags destination`
    private mutating func emitField(_ operation: Op) {
        emit(operation, fail: 0, words: [1])
        code.append(value(2))
        appendWord(3)
        code.append(value(4))
        code.append(value(5))
        appendWord(6)
    }

    private mutating func decodeInteger() {
        let size = operand(3)
        if size.kind == .integer, value(5) & ~1 == 0, size.value <= 64 {
            let operation: Op? =
                switch size.value * value(4) {
                case 8: .bs_get_integer_8
                case 16: .bs_get_integer_16
                case 32: .bs_get_integer_32
                default: nil
                }
            if let operation { return emit(operation, fail: 0, words: [1, 6]) }
        }
        emitField(.bs_get_integer)
    }

    private func stringAddress(_ offset: Int) -> UInt64 {
        guard let base = module.strings.baseAddress else { return 0 }
        return UInt64(UInt(bitPattern: base + offset))
    }

    mutating func decodeCharacter(_ opcode: Opcode) {
        switch opcode {
        case .bs_get_utf8: emit(.bs_get_utf8, fail: 0, words: [1, 4])
        case .bs_get_utf16, .bs_get_utf32:
            emit(opcode == .bs_get_utf16 ? .bs_get_utf16 : .bs_get_utf32, fail: 0, words: [1])
            code.append(value(3))
            appendWord(4)
        case .bs_skip_utf8: emit(.bs_skip_utf8, fail: 0, words: [1])
        default:
            emit(opcode == .bs_skip_utf16 ? .bs_skip_utf16 : .bs_skip_utf32, fail: 0, words: [1])
            code.append(value(3))
        }
    }

    // MARK: Construction

    /// `bs_create_bin j live words unit destination count (type segment unit flags value size)...`
    mutating func decodeCreate() {
        code.begin(.bs_create_bin)
        appendFail(0)
        code.append(value(2))
        code.append(heapWords(1))
        code.append(value(3))
        appendWord(4)
        let count = value(5) / 6
        code.append(count)
        for segment in 0..<count {
            let first = 6 + 6 * segment
            let kind = BitSegmentKind(atom: constant(operand(first))) ?? .integer
            code.append(Int(kind.rawValue))
            code.append(value(first + 1))
            code.append(value(first + 2))
            code.append(flags(operand(first + 3)))
            if kind == .string { code.append(stringAddress(value(first + 4))) } else { appendWord(first + 4) }
            appendWord(first + 5)
        }
    }

    /// Bits of a list of flag atoms.
    private mutating func flags(_ operand: Operand) -> Int {
        var list = constant(operand)
        var bits = 0
        while list.isCons {
            switch list.head {
            case Atoms.little: bits |= BitFlags.little
            case Atoms.signed: bits |= BitFlags.signed
            case Atoms.native: bits |= BitFlags.native
            default: break
            }
            list = list.tail
        }
        return bits
    }

    mutating func decodeOldConstruction(_ opcode: Opcode) {
        switch opcode {
        case .bs_init2, .bs_init_bits:
            code.begin(.bs_init)
            appendFail(0)
            appendWord(1)
            code.append(opcode == .bs_init_bits ? 1 : 0)
            code.append(heapWords(2))
            code.append(value(3))
            appendWord(5)
        case .bs_append:
            code.begin(.bs_append)
            appendFail(0)
            appendWord(1)
            code.append(heapWords(2))
            code.append(value(3))
            code.append(value(4))
            appendWord(5)
            appendWord(7)
        case .bs_private_append:
            code.begin(.bs_private_append)
            appendFail(0)
            appendWord(1)
            code.append(value(2))
            appendWord(3)
            appendWord(5)
        case .bs_put_integer, .bs_put_float:
            code.begin(opcode == .bs_put_integer ? .bs_put_integer : .bs_put_float)
            appendFail(0)
            appendWord(1)
            code.append(value(2))
            code.append(value(3))
            appendWord(4)
        case .bs_put_binary:
            code.begin(.bs_put_binary)
            appendFail(0)
            appendWord(1)
            code.append(value(2))
            appendWord(4)
        case .bs_put_string:
            code.begin(.bs_put_string)
            code.append(value(0))
            code.append(stringAddress(value(1)))
        case .bs_put_utf8:
            code.begin(.bs_put_utf8)
            appendFail(0)
            appendWord(2)
        case .bs_put_utf16, .bs_put_utf32:
            code.begin(opcode == .bs_put_utf16 ? .bs_put_utf16 : .bs_put_utf32)
            appendFail(0)
            code.append(value(1))
            appendWord(2)
        case .bs_utf8_size, .bs_utf16_size:
            code.begin(opcode == .bs_utf8_size ? .bs_utf8_size : .bs_utf16_size)
            appendWord(1)
            appendWord(2)
        case .bs_add:
            code.begin(.bs_add)
            appendFail(0)
            appendWord(1)
            appendWord(2)
            code.append(value(3))
            appendWord(4)
        default: code.begin(.bs_init_writable)
        }
    }
}
