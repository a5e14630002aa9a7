// BinarySearch.swift: binary:match, matches, split and compile_pattern.
//
// A compiled pattern is `{bm, Reference}` for one byte string and `{ac, Reference}` for several; the magic binary of
// the reference owns a BytePatterns.

import CMachine
import Glibc
import Machine
import Terms

let binarySearchBifs: [Bif] = [
    Bif("binary", "compile_pattern", 1, binary_compile_pattern_1),
    Bif("binary", "match", 2, binary_match_2),
    Bif("binary", "match", 3, binary_match_3),
    Bif("binary", "matches", 2, binary_matches_2),
    Bif("binary", "matches", 3, binary_matches_3),
    Bif("binary", "split", 2, binary_split_2),
    Bif("binary", "split", 3, binary_split_3),
]

// MARK: - Patterns

/// Identity of the magic binaries that hold a BytePatterns.
nonisolated(unsafe) private let patternKind = UnsafeRawPointer(bitPattern: UInt(0xB1_4A12))

private func bytes(of binary: Term) -> [UInt8] {
    let bits = Bits(binary)
    return [UInt8](unsafeUninitializedCapacity: bits.byteCount) { buffer, count in
        if bits.size > 0 { bits.copy(to: buffer.baseAddress!) }
        count = bits.byteCount
    }
}

/// The patterns in a non-empty binary or a non-empty list of them.
private func patterns(from term: Term) -> BytePatterns? {
    if term.isBitstring {
        guard term.isBinary, term.byteCount > 0 else { return nil }
        return BytePatterns(single: bytes(of: term))
    }
    var list: [[UInt8]] = []
    var rest = term
    while rest.isCons {
        guard rest.head.isBinary, rest.head.byteCount > 0 else { return nil }
        list.append(bytes(of: rest.head))
        rest = rest.tail
    }
    guard rest.isNil, let first = list.first else { return nil }
    return list.count == 1 ? BytePatterns(single: first) : BytePatterns(several: list)
}

/// What the pattern argument of a search stands for.
private func searchPatterns(_ term: Term) -> BytePatterns? {
    guard term.isTuple else { return patterns(from: term) }
    guard term.isTuple(2), term.element(1).isBoxed(Subtag.magicReference) else { return nil }
    let magic = term.element(1).magicBinary
    guard magic.pointee.kind == patternKind, let data = magic.pointee.data else { return nil }
    let found = Unmanaged<BytePatterns>.fromOpaque(data).takeUnretainedValue()
    return term.element(0) == (found.isSingle ? Atoms.bm : Atoms.ac) ? found : nil
}

func binary_compile_pattern_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let compiled = patterns(from: arguments[0]) else { return process.badarg() }
    guard let memory = malloc(MemoryLayout<MagicBinary>.size) else { outOfMemory(MemoryLayout<MagicBinary>.size) }
    let magic = memory.assumingMemoryBound(to: MagicBinary.self)
    magic.initialize(to: MagicBinary())
    magic.pointee.head = Binary(references: 1, capacity: 0, flags: UInt64(binaryIsMagic))
    magic.pointee.numbers = References.make(process.pointee.scheduler)
    magic.pointee.kind = patternKind
    magic.pointee.data = Unmanaged.passRetained(compiled).toOpaque()
    magic.pointee.destroy = { magic in
        if let data = magic.pointee.data { Unmanaged<BytePatterns>.fromOpaque(data).release() }
    }
    let heap = process.heap
    return heap.tuple(compiled.isSingle ? Atoms.bm : Atoms.ac, heap.makeMagicReference(magic))
}

// MARK: - Options

private struct SearchOptions {
    var start = 0
    var end = 0
    var isGlobal = false
    var trimsEnd = false
    var trimsAll = false

    /// Nil for options that are none. Flags are only known to `split`.
    init?(_ list: Term?, size: Int, allowsFlags: Bool) {
        end = size
        guard var rest = list else { return }
        guard rest.isList else { return nil }
        while rest.isCons {
            let option = rest.head
            rest = rest.tail
            if allowsFlags, option == Atoms.global {
                isGlobal = true
            } else if allowsFlags, option == Atoms.trim {
                trimsEnd = true
            } else if allowsFlags, option == Atoms.trim_all {
                trimsAll = true
            } else {
                guard option.isTuple(2), option.element(0) == Atoms.scope, option.element(1).isTuple(2),
                    let range = partRange(option.element(1).element(0), option.element(1).element(1), size: size)
                else { return nil }
                start = range.start
                end = range.start + range.count
            }
        }
    }
}

// MARK: - Match

func binary_match_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    match(process, arguments, nil, all: false)
}

func binary_match_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    match(process, arguments, arguments[2], all: false)
}

func binary_matches_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    match(process, arguments, nil, all: true)
}

func binary_matches_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    match(process, arguments, arguments[2], all: true)
}

private func match(_ process: Ref<Process>, _ arguments: Arguments, _ options: Term?, all: Bool) -> Term {
    let (subject, pattern) = (arguments[0], arguments[1])
    guard let view = ByteView(subject) else { return process.badarg() }
    defer { view.release() }
    guard let options = SearchOptions(options, size: view.count, allowsFlags: false) else { return process.badarg() }
    // As in OTP, the pattern is not even looked at when there is nothing to search.
    if options.end == 0 { return all ? .nil : Atoms.nomatch }
    if process.isLong((options.end - options.start) / 10) { return process.goLong(arguments) }
    guard let patterns = searchPatterns(pattern) else { return process.badarg() }
    let heap = process.heap
    if !all {
        let found = patterns.search(view.start, from: options.start, end: options.end)
        process.bump(((found.map { $0.position } ?? options.end) - options.start) / 10)
        guard let found else { return Atoms.nomatch }
        return heap.tuple(.small(found.position), .small(found.count))
    }
    process.bump((options.end - options.start) / 10)
    var list = ListBuilder(heap)
    var start = options.start
    while let found = patterns.search(view.start, from: start, end: options.end) {
        list.append(heap.tuple(.small(found.position), .small(found.count)))
        start = found.position + found.count
    }
    return list.first
}

// MARK: - Split

func binary_split_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    split(process, arguments, nil)
}

func binary_split_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    split(process, arguments, arguments[2])
}

private func split(_ process: Ref<Process>, _ arguments: Arguments, _ options: Term?) -> Term {
    let (subject, pattern) = (arguments[0], arguments[1])
    guard let view = ByteView(subject) else { return process.badarg() }
    defer { view.release() }
    guard let options = SearchOptions(options, size: view.count, allowsFlags: true) else { return process.badarg() }
    let heap = process.heap
    func whole() -> Term {
        (options.trimsEnd || options.trimsAll) && view.count == 0 ? .nil : heap.cons(subject, .nil)
    }
    if options.end == 0 { return whole() }
    if process.isLong((options.end - options.start) / 10) { return process.goLong(arguments) }
    guard let patterns = searchPatterns(pattern) else { return process.badarg() }
    guard var found = patterns.search(view.start, from: options.start, end: options.end) else {
        process.bump((options.end - options.start) / 10)
        return whole()
    }
    var parts = PartList(heap, subject, options)
    while true {
        parts.append(upTo: found.position)
        parts.start = found.position + found.count
        guard options.isGlobal, let following = patterns.search(view.start, from: parts.start, end: options.end) else { break }
        found = following
    }
    parts.append(upTo: view.count)
    process.bump((parts.start - options.start) / 10)
    return parts.list.first
}

/// The parts of a split, front to back. Empty parts at the end are held back until a part follows.
private struct PartList {
    var list: ListBuilder
    var start = 0
    private let subject: Term
    private let trimsEnd: Bool
    private let trimsAll: Bool
    private var heldBack = 0

    init(_ heap: Ref<Heap>, _ subject: Term, _ options: SearchOptions) {
        list = ListBuilder(heap)
        self.subject = subject
        trimsAll = options.trimsAll
        trimsEnd = options.trimsEnd
    }

    mutating func append(upTo end: Int) {
        if end == start {
            if trimsAll { return }
            if trimsEnd {
                heldBack += 1
                return
            }
        }
        while heldBack > 0 {
            list.append(list.heap.makeBinary(0).term)
            heldBack -= 1
        }
        list.append(list.heap.subBinary(of: subject, bitOffset: start << 3, bitSize: (end - start) << 3))
    }
}
