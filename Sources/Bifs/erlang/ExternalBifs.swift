// ExternalBifs.swift: term_to_binary and its relatives.

import CMachine
import Machine
import Terms

let erlangExternalBifs: [Bif] = [
    Bif("erlang", "term_to_binary", 1, erlang_term_to_binary_1),
    Bif("erlang", "term_to_binary", 2, erlang_term_to_binary_2),
    Bif("erlang", "term_to_iovec", 1, erlang_term_to_iovec_1),
    Bif("erlang", "term_to_iovec", 2, erlang_term_to_iovec_2),
    Bif("erlang", "external_size", 1, erlang_external_size_1),
    Bif("erlang", "external_size", 2, erlang_external_size_2),
    Bif("erlang", "binary_to_term", 1, erlang_binary_to_term_1),
    Bif("erlang", "binary_to_term", 2, erlang_binary_to_term_2),
]

/// `[compressed | {compressed, 0..9} | {minor_version, 0..2} | deterministic]`; nil for anything else.
private func encoding(_ options: Term) -> ExternalEncoding? {
    var result = ExternalEncoding()
    var rest = options
    while rest.isCons {
        let option = rest.head
        if option == Atoms.compressed {
            result.compression = -1
        } else if option == Atoms.deterministic {
            result.isDeterministic = true
        } else if option.isTuple(2), option.element(1).isSmall {
            let value = option.element(1).smallValue
            if option.element(0) == Atoms.minor_version, value >= 0, value <= 2 {
                result.minorVersion = value
            } else if option.element(0) == Atoms.compressed, value >= 0, value <= 9 {
                result.compression = value
            } else {
                return nil
            }
        } else {
            return nil
        }
        rest = rest.tail
    }
    return rest.isNil ? result : nil
}

/// The term `arguments[0]`; as a list of one binary if `inList`.
private func encode(
    _ process: Ref<Process>, _ arguments: Arguments, _ options: ExternalEncoding, inList: Bool = false
) -> Term {
    var work = 0
    var pace = Pace(unit: 8)
    let output = encodeExternal(arguments[0], options: options, work: &work, pace: &pace)
    guard !pace.isStopped else { return process.giveWay(arguments) }
    process.bump(work / 8 + (options.compression != 0 ? output.count / 16 : 0) + 1)
    let binary = process.heap.makeBinary(output.bytes)
    return inList ? process.heap.cons(binary, .nil) : binary
}

func erlang_term_to_binary_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    encode(process, arguments, ExternalEncoding())
}

func erlang_term_to_binary_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let options = encoding(arguments[1]) else { return process.badarg() }
    return encode(process, arguments, options)
}

func erlang_term_to_iovec_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    encode(process, arguments, ExternalEncoding(), inList: true)
}

func erlang_term_to_iovec_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let options = encoding(arguments[1]) else { return process.badarg() }
    return encode(process, arguments, options, inList: true)
}

/// The size without compression, whatever the options say.
private func externalSize(_ process: Ref<Process>, _ arguments: Arguments, _ options: ExternalEncoding) -> Term {
    var options = options
    options.compression = 0
    var work = 0
    var pace = Pace(unit: 16)
    let size = encodeExternal(arguments[0], options: options, work: &work, pace: &pace).count
    guard !pace.isStopped else { return process.giveWay(arguments) }
    process.bump(work / 16 + 1)
    return process.heap.integer(size)
}

func erlang_external_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    externalSize(process, arguments, ExternalEncoding())
}

func erlang_external_size_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let options = encoding(arguments[1]) else { return process.badarg() }
    return externalSize(process, arguments, options)
}

private func decode(
    _ process: Ref<Process>, _ binary: Term, _ options: ExternalDecoding = []
) -> (term: Term, used: Int)? {
    guard let view = ByteView(binary) else { return nil }
    defer { view.release() }
    guard let result = decodeExternal(process.heap, bytes: UnsafeRawBufferPointer(view.buffer), options: options) else {
        return nil
    }
    process.bump(result.used / 512 + 1)
    return result
}

/// A binary whose decoding may take longer than a slice; the size of a compressed one is not to be trusted.
private func isLongInput(_ process: Ref<Process>, _ binary: Term) -> Bool {
    binary.isBitstring && process.isLong(binary.byteCount / 64)
}

func erlang_binary_to_term_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if isLongInput(process, arguments[0]) { return process.goLong(arguments) }
    return decode(process, arguments[0])?.term ?? process.badarg()
}

func erlang_binary_to_term_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if isLongInput(process, arguments[0]) { return process.goLong(arguments) }
    var options: ExternalDecoding = []
    var wantsUsed = false
    var rest = arguments[1]
    while rest.isCons {
        if rest.head == Atoms.safe {
            options.insert(.safe)
        } else if rest.head == Atoms.used {
            wantsUsed = true
        } else {
            return process.raise(Atoms.badarg, cause: Atoms.badopt)
        }
        rest = rest.tail
    }
    guard rest.isNil else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    guard let result = decode(process, arguments[0], options) else { return process.badarg() }
    return wantsUsed ? process.heap.tuple(result.term, .small(result.used)) : result.term
}
