// UnicodeBifs.swift: module unicode. The encodings UTF-16 and UTF-32 are done in Erlang: the functions for Latin-1 and
// UTF-8 continue there when they are asked for others.

import CMachine
import Machine
import Terms

let unicodeBifs: [Bif] = [
    Bif("unicode", "bin_is_7bit", 1, unicode_bin_is_7bit_1),
    Bif("unicode", "characters_to_binary", 2, unicode_characters_to_binary_2),
    Bif("unicode", "characters_to_list", 2, unicode_characters_to_list_2),
]

func unicode_bin_is_7bit_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let view = ByteView(arguments[0]) else { return Atoms.false }
    if process.isLong(view.count / 50) {
        view.release()
        return process.goLong(arguments)
    }
    defer { view.release() }
    process.bump(view.count / 50)
    return countHighBytes(view.buffer) == 0 ? Atoms.true : Atoms.false
}

/// `latin1` is true, `unicode` and `utf8` are false, others are nil.
private func isLatin1(_ encoding: Term) -> Bool? {
    encoding == Atoms.latin1 ? true : encoding == Atoms.unicode || encoding == Atoms.utf8 ? false : nil
}

// MARK: - To binaries

func unicode_characters_to_binary_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let isLatin1 = isLatin1(arguments[1]) else {
        return process.continueInErlang("characters_to_binary_int", arguments)
    }
    var subject = arguments[0]
    if subject.isCons, subject.tail.isNil, subject.head.isBitstring { subject = subject.head }
    if subject.isBitstring, process.isLong(subject.byteCount / 10) { return process.goLong(arguments) }
    if subject.isBinary, isUtf8(process, subject, isLatin1: isLatin1) { return subject }
    var cells = 0
    var pace = Pace(unit: 50)
    guard let need = chardataNeed(subject, isLatin1: isLatin1, cells: &cells, pace: &pace) else {
        return pace.isStopped ? process.giveWay(arguments) : process.badarg()
    }
    if process.isLong(need / 10) { return process.goLong(arguments) }
    process.bump(cells / 50)
    let heap = process.heap
    var binary = newBinary(capacity: need)
    let result = convertChardata(heap, subject, isLatin1: isLatin1, target: binary.bytes)
    process.bump(result.count / 10)
    let converted: Term
    if result.count <= Layout.heapBinaryLimit {
        converted = heap.makeBinary(binary.bytes, count: result.count)
        binary.release()
    } else {
        if result.count < need { binary = resizeBinary(binary, capacity: result.count) }
        converted = heap.adopt(binary, count: result.count)
    }
    return process.conversionResult(result.end, converted)
}

/// Whether a binary is its own conversion.
private func isUtf8(_ process: Ref<Process>, _ binary: Term, isLatin1: Bool) -> Bool {
    let view = ByteView(wholeBytesOf: Bits(binary))
    defer { view.release() }
    process.bump(view.count / 50)
    return isLatin1 ? countHighBytes(view.buffer) == 0 : scanUtf8(view.buffer).end == .valid
}

extension UnsafeMutablePointer where Pointee == Process {
    /// Calls `unicode:name/2` with the same arguments.
    fileprivate func continueInErlang(_ name: String, _ arguments: Arguments) -> Term {
        let target = Exports.findOrMake(Atoms.unicode, AtomTable.intern(name), 2)
        return trap(to: target, arguments[0], arguments[1])
    }

    /// What a conversion returns: the result, or a tuple that says where it ended.
    fileprivate func conversionResult(_ end: ChardataEnd, _ converted: Term) -> Term {
        switch end {
        case .complete: converted
        case .incomplete(let rest): heap.tuple(Atoms.incomplete, converted, rest)
        case .invalid(let rest): heap.tuple(Atoms.error, converted, rest)
        }
    }
}

// MARK: - To lists

func unicode_characters_to_list_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let isLatin1 = isLatin1(arguments[1]) else {
        return process.continueInErlang("characters_to_list_int", arguments)
    }
    let term = arguments[0]
    if term.isBitstring, process.isLong(term.byteCount / 10) { return process.goLong(arguments) }
    if term.isBitstring, !isLatin1 { return listOfUtf8(process, term) }
    var cells = 0
    var pace = Pace(unit: 50)
    guard let need = chardataNeed(term, isLatin1: isLatin1, cells: &cells, pace: &pace) else {
        return pace.isStopped ? process.giveWay(arguments) : process.badarg()
    }
    if process.isLong(need / 10) { return process.goLong(arguments) }
    process.bump(cells / 50)
    let heap = process.heap
    let buffer = ByteView(allocating: need)
    defer { buffer.release() }
    let result = convertChardata(heap, term, isLatin1: isLatin1, target: buffer.start)
    process.bump(result.characters / 10)
    let list = heap.codePoints(
        ofUtf8: UnsafeBufferPointer(start: buffer.start, count: result.count), characters: result.characters)
    return process.conversionResult(result.end, list)
}

/// The list of a UTF-8 binary, straight from its bytes.
private func listOfUtf8(_ process: Ref<Process>, _ binary: Term) -> Term {
    guard let view = ByteView(binary) else { return process.badarg() }
    defer { view.release() }
    let heap = process.heap
    let scan = scanUtf8(view.buffer)
    process.bump(scan.characters / 10)
    let valid = UnsafeBufferPointer(rebasing: view.buffer[..<scan.count])
    let list = heap.codePoints(ofUtf8: valid, characters: scan.characters)
    guard scan.end != .valid else { return list }
    let left = view.count - scan.count
    let rest = heap.subBinary(of: binary, bitOffset: scan.count << 3, bitSize: left << 3)
    let isIncomplete = scan.end == .truncated && canBecomeCharacter(view.start + scan.count, count: left)
    return process.conversionResult(isIncomplete ? .incomplete(rest: rest) : .invalid(rest: rest), list)
}
