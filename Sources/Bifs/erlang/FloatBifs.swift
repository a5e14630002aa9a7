// FloatBifs.swift: floats to and from lists and binaries.

import CMachine
import Machine
import Terms

/// How a float is to be written, from an option list.
private struct FloatFormat {
    private enum Form { case scientific, fixed, short }
    private var form = Form.scientific
    private var decimals: Int32 = 20
    private var compact = false

    /// Nil if `options` is no proper list of `short`, `compact`, `{decimals, N}` and `{scientific, N}`. The last form
    /// wins. As in OTP, only the low 32 bits of N count.
    init?(_ options: Term) {
        var rest = options
        while rest.isCons {
            let option = rest.head
            rest = rest.tail
            if option == Atoms.compact {
                compact = true
            } else if option == Atoms.short {
                form = .short
            } else {
                guard option.isTuple(2), option.element(1).isSmall else { return nil }
                if option.element(0) == Atoms.decimals {
                    form = .fixed
                } else if option.element(0) == Atoms.scientific {
                    form = .scientific
                } else {
                    return nil
                }
                decimals = Int32(truncatingIfNeeded: option.element(1).smallValue)
            }
        }
        if !rest.isNil { return nil }
    }

    /// The number of bytes written to `out` (of 256), nil if the text would be too long.
    func write(_ value: Double, _ out: UnsafeMutablePointer<UInt8>) -> Int? {
        switch form {
        case .short: writeShortest(value, out)
        case .fixed: writeFixed(value, decimals: decimals, compact: compact, out)
        case .scientific: writeScientific(value, decimals: decimals, out)
        }
    }
}

/// Runs `body` with the text of a float; badarg if the arguments are wrong.
private func withFloatText(
    _ process: Ref<Process>, _ float: Term, _ options: Term, _ body: (UnsafeBufferPointer<UInt8>) -> Term
) -> Term {
    guard float.isFloat, let format = FloatFormat(options) else { return process.badarg() }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
        let text = buffer.baseAddress.unsafelyUnwrapped
        guard let count = format.write(float.floatValue, text) else { return process.badarg() }
        return body(UnsafeBufferPointer(start: text, count: count))
    }
}

func erlang_float_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFloatText(process, arguments[0], .nil) { process.heap.textList($0) }
}

func erlang_float_to_list_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFloatText(process, arguments[0], arguments[1]) { process.heap.textList($0) }
}

func erlang_float_to_binary_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFloatText(process, arguments[0], .nil) { process.heap.makeBinary($0) }
}

func erlang_float_to_binary_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFloatText(process, arguments[0], arguments[1]) { process.heap.makeBinary($0) }
}

// MARK: - Reading

func erlang_list_to_float_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var count = 0
    var rest = arguments[0]
    while rest.isCons {
        guard rest.head.isSmall, rest.head.smallValue >= 0, rest.head.smallValue < 256 else { return process.badarg() }
        count = count &+ 1
        rest = rest.tail
    }
    guard rest.isNil else { return process.badarg() }
    let value = withUnsafeTemporaryOrAllocatedBytes(count + 1) { text in
        var rest = arguments[0]
        for index in 0..<count {
            text[index] = UInt8(truncatingIfNeeded: rest.head.smallValue)
            rest = rest.tail
        }
        return parseFloat(text, count: count)
    }
    guard let value else { return process.badarg() }
    return process.heap.float(value)
}

func erlang_binary_to_float_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let view = ByteView(arguments[0]) else { return process.badarg() }
    let value = withUnsafeTemporaryOrAllocatedBytes(view.count + 1) { text in
        text.update(from: view.start, count: view.count)
        return parseFloat(text, count: view.count)
    }
    view.release()
    guard let value else { return process.badarg() }
    return process.heap.float(value)
}

/// What a scan for a float at the head of a list expects next, or has seen.
private enum FloatPart {
    case sign, integer, fraction, exponentSign, exponentFirst, exponentRest
}

/// The cells at the head of `list` that may be a float: how many, and the list behind them. An `e` without digits
/// does not belong to it.
private func floatPrefix(_ list: Term) -> (count: Int, rest: Term) {
    var part = FloatPart.sign
    var count = 0
    var rest = list
    var beforeExponent = (count: 0, rest: list)
    scan: while rest.isCons, rest.head.isSmall {
        switch rest.head.smallValue {
        case 0x2B, 0x2D:
            if part == .sign {
                part = .integer
            } else if part == .exponentSign {
                part = .exponentFirst
            } else {
                break scan
            }
        case 0x2E, 0x2C:
            guard part == .integer else { break scan }
            part = .fraction
        case 0x65, 0x45:
            guard part == .fraction else { break scan }
            beforeExponent = (count, rest)
            part = .exponentSign
        case 0x30...0x39:
            if part == .sign { part = .integer }
            if part == .exponentSign || part == .exponentFirst { part = .exponentRest }
        default:
            break scan
        }
        count = count &+ 1
        rest = rest.tail
    }
    return part == .exponentSign || part == .exponentFirst ? beforeExponent : (count, rest)
}

/// `{Float, Rest}`, or `{error, no_float | not_a_list}`.
func string_list_to_float_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let list = arguments[0]
    guard list.isList else { return process.heap.tuple(Atoms.error, Atoms.not_a_list) }
    let (count, rest) = floatPrefix(list)
    let value = withUnsafeTemporaryOrAllocatedBytes(count + 1) { text in
        var cell = list
        for index in 0..<count {
            text[index] = UInt8(truncatingIfNeeded: cell.head.smallValue)
            cell = cell.tail
        }
        return parseFloat(text, count: count)
    }
    guard let value else { return process.heap.tuple(Atoms.error, Atoms.no_float) }
    return process.heap.tuple(process.heap.float(value), rest)
}
