// RegexBifs.swift: module re. Lists of characters and repeated matching are the business of re.erl: those calls trap
// to re:ucompile/2, urun/3 and grun/3, as in OTP.

import CMachine
import CPCRE2
import Machine
import Terms

let regexBifs: [Bif] = [
    Bif("re", "version", 0, re_version_0),
    Bif("re", "compile", 1, re_compile_1),
    Bif("re", "compile", 2, re_compile_2),
    Bif("re", "run", 2, re_run_2),
    Bif("re", "run", 3, re_run_3),
    Bif("re", "internal_run", 4, re_internal_run_4),
    Bif("re", "inspect", 2, re_inspect_2),
]

func re_version_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.makeBinary("8.44 2020-02-12")
}

private func trap(_ process: Ref<Process>, _ name: Term, _ a: Term, _ b: Term) -> Term {
    process.trap(to: Exports.findOrMake(Atoms.re, name, 2), a, b)
}

private func trap(_ process: Ref<Process>, _ name: Term, _ a: Term, _ b: Term, _ c: Term) -> Term {
    process.trap(to: Exports.findOrMake(Atoms.re, name, 3), a, b, c)
}

// MARK: - Compiling

/// The expression of iodata and its key; nil if `text` is no iodata.
private func compiled(_ text: Term, _ options: RegexOptions) -> (key: [UInt8], Result<Regex, RegexFailure>)? {
    guard let view = iolistBytes(text) else { return nil }
    defer { view.release() }
    let key = RegexCache.key(view.buffer, options)
    return RegexCache.find(key).map { (key, $0) }
}

private func pattern(_ heap: Ref<Heap>, _ regex: Regex, _ key: [UInt8], _ options: RegexOptions) -> Term {
    let (tuple, elements) = heap.makeTuple(5)
    elements[0] = Atoms.re_pattern.raw
    elements[1] = Term.small(regex.captureCount).raw
    elements[2] = Term.small(options.isUnicode ? 1 : 0).raw
    elements[3] = Term.small(options.usesCRLF ? 1 : 0).raw
    elements[4] = key.withUnsafeBufferPointer { heap.makeBinary($0) }.raw
    return tuple
}

private func syntaxError(_ heap: Ref<Heap>, _ failure: RegexFailure) -> Term {
    switch failure {
    case .syntax(let message, let position): return heap.tuple(heap.byteList(message), .small(position))
    }
}

private func compile(_ process: Ref<Process>, _ text: Term, _ list: Term) -> Term {
    guard let options = RegexOptions(list), !options.hasRunOnly else {
        return process.raise(Atoms.badarg, cause: Atoms.badopt)
    }
    if options.isUnicode, !text.isBinary { return trap(process, Atoms.ucompile, text, list) }
    guard let (key, result) = compiled(text, options) else { return process.badarg() }
    process.bump(key.count / 10)
    let heap = process.heap
    switch result {
    case .success(let regex): return heap.tuple(Atoms.ok, pattern(heap, regex, key, options))
    case .failure(let failure): return heap.tuple(Atoms.error, syntaxError(heap, failure))
    }
}

func re_compile_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { compile(process, arguments[0], .nil) }

func re_compile_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    compile(process, arguments[0], arguments[1])
}

// MARK: - Matching

func re_run_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    run(process, arguments, .nil, isFirst: true)
}

func re_run_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    run(process, arguments, arguments[2], isFirst: true)
}

/// The last argument tells whether the subject is new: whether its encoding must be checked.
func re_internal_run_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[3] == Atoms.true || arguments[3] == Atoms.false else { return process.badarg() }
    return run(process, arguments, arguments[2], isFirst: arguments[3] == Atoms.true)
}

private func bytes(_ binary: Term) -> [UInt8] {
    guard let view = ByteView(binary) else { return [] }
    defer { view.release() }
    return Array(view.buffer)
}

private func run(_ process: Ref<Process>, _ arguments: Arguments, _ list: Term, isFirst: Bool) -> Term {
    let (subject, expression) = (arguments[0], arguments[1])
    guard let options = RegexOptions(list) else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    let heap = process.heap
    let wantsList = options.captured != nil && options.captureType == Atoms.list && !options.isGlobal
    let regex: Regex
    if expression.isTuple(5) {
        guard !options.hasCompileOnly, expression.element(0) == Atoms.re_pattern, expression.element(2).isSmall,
            expression.element(4).isBinary
        else { return process.badarg() }
        if expression.element(2) != .small(0), !subject.isBinary || wantsList {
            return trap(process, Atoms.urun, subject, expression, list)
        }
        if options.isGlobal {
            return trap(process, Atoms.grun, subject, expression, heap.tuple(list, Atoms.false))
        }
        guard case .success(let found)? = RegexCache.find(bytes(expression.element(4))) else {
            return process.badarg()
        }
        regex = found
    } else {
        if options.isUnicode, !expression.isBinary || !subject.isBinary || wantsList {
            return trap(process, Atoms.urun, subject, expression, list)
        }
        guard let (key, result) = compiled(expression, options) else { return process.badarg() }
        switch result {
        case .failure(let failure):
            guard options.reportsErrors else { return process.badarg() }
            return heap.tuple(Atoms.error, heap.tuple(Atoms.compile, syntaxError(heap, failure)))
        case .success(let found): regex = found
            if options.isGlobal {
                let flag = options.hasCompileOnly ? Atoms.true : Atoms.false
                let rest = heap.tuple(list, flag, expression)
                return trap(process, Atoms.grun, subject, pattern(heap, found, key, options), rest)
            }
        }
    }
    return match(process, arguments, regex, options, isFirst: isFirst)
}

/// Calls of PCRE2's match function that are allowed by default, as in OTP, and before the match moves to a dirty thread.
private let defaultMatchLimit: UInt32 = 10_000_000
private let trialMatchLimit: UInt32 = 40_000
/// Subjects larger than this go to a dirty thread at once.
private let trialSubject = 256 << 10

private func match(
    _ process: Ref<Process>, _ arguments: Arguments, _ regex: Regex, _ options: RegexOptions, isFirst: Bool
) -> Term {
    let subject = arguments[0]
    let heap = process.heap
    guard let capture = RegexCapture(options, regex), let view = iolistBytes(subject) else { return process.badarg() }
    defer { view.release() }
    guard options.offset <= view.count else { return process.badarg() }
    let context = pcre2_match_context_create_8(nil)
    let data = pcre2_match_data_create_from_pattern_8(regex.code, nil)
    defer {
        pcre2_match_data_free_8(data)
        pcre2_match_context_free_8(context)
    }
    // A match cannot be interrupted: what is not found within a slice is searched again on a dirty thread.
    let isTrial = process.pointee.native == nil
    if isTrial, view.count > trialSubject { return process.goDirty(arguments) }
    let matchLimit = options.matchLimit ?? defaultMatchLimit
    let trialLimit = isTrial ? min(matchLimit, trialMatchLimit) : matchLimit
    pcre2_set_match_limit_8(context, trialLimit)
    if let limit = options.depthLimit { pcre2_set_depth_limit_8(context, limit) }
    let flags = options.match | (isFirst ? 0 : UInt32(PCRE2_NO_UTF_CHECK))
    let status = pcre2_match_8(regex.code, view.start, view.count, options.offset, flags, data, context)
    if status == PCRE2_ERROR_MATCHLIMIT, trialLimit < matchLimit { return process.goDirty(arguments) }
    process.bump((view.count - options.offset) / 10)
    if status > 0 {
        guard let vector = pcre2_get_ovector_pointer_8(data) else { return process.badarg() }
        return capture.result(heap, subject, view.buffer, vector, groups: Int(status))
    }
    if status == PCRE2_ERROR_MATCHLIMIT, options.reportsErrors { return heap.tuple(Atoms.error, Atoms.match_limit) }
    if status == PCRE2_ERROR_DEPTHLIMIT, options.reportsErrors {
        return heap.tuple(Atoms.error, Atoms.match_limit_recursion)
    }
    switch status {
    case PCRE2_ERROR_NOMATCH, PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_DEPTHLIMIT, PCRE2_ERROR_HEAPLIMIT,
        PCRE2_ERROR_RECURSELOOP:
        return Atoms.nomatch
    default: return process.badarg()
    }
}

/// `{namelist, [Name]}`.
func re_inspect_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let expression = arguments[0]
    guard expression.isTuple(5), expression.element(0) == Atoms.re_pattern, expression.element(4).isBinary,
        arguments[1] == Atoms.namelist, case .success(let regex)? = RegexCache.find(bytes(expression.element(4)))
    else { return process.badarg() }
    let heap = process.heap
    var names: [[UInt8]] = []
    for entry in regex.names where names.last != entry.name { names.append(entry.name) }
    let terms = names.map { name in name.withUnsafeBufferPointer { heap.makeBinary($0) } }
    return heap.tuple(Atoms.namelist, heap.list(terms))
}

// MARK: - Captures

/// Which groups a match answers with, and as what.
private struct RegexCapture {
    private enum Groups {
        case from(Int)
        case list([[Int]])
        case none
    }

    private var groups = Groups.from(0)
    private let type: Term

    /// Nil for a bad capture option.
    init?(_ options: RegexOptions, _ regex: Regex) {
        type = options.captureType
        guard type == Atoms.index || type == Atoms.list || type == Atoms.binary else { return nil }
        guard let wanted = options.captured else { return }
        switch wanted {
        case Atoms.all: groups = .from(0)
        case Atoms.all_but_first: groups = .from(1)
        case Atoms.first: groups = .list([[0]])
        case Atoms.none: groups = .none
        case Atoms.all_names:
            var found: [([UInt8], [Int])] = []
            for entry in regex.names {
                if let last = found.last, last.0 == entry.name {
                    found[found.count - 1].1.append(entry.number)
                } else {
                    found.append((entry.name, [entry.number]))
                }
            }
            groups = found.isEmpty ? .none : .list(found.map { $0.1 })
        default:
            guard let list = RegexCapture.parse(wanted, regex) else { return nil }
            groups = list.isEmpty ? .none : .list(list)
        }
    }

    /// A list of numbers and names (atoms, strings, binaries).
    private static func parse(_ list: Term, _ regex: Regex) -> [[Int]]? {
        let names = regex.names
        var result: [[Int]] = []
        var rest = list
        while rest.isCons {
            let item = rest.head
            if item.isSmall {
                guard item.smallValue >= 0 else { return nil }
                result.append([item.smallValue])
            } else {
                let name: [UInt8]
                if item.isAtom {
                    name = Array(item.atomText.utf8)
                } else {
                    guard let view = iolistBytes(item) else { return nil }
                    name = Array(view.buffer)
                    view.release()
                }
                result.append(names.filter { $0.name == name }.map { $0.number })
            }
            rest = rest.tail
        }
        return rest.isNil ? result : nil
    }

    /// `match` or `{match, Captured}`. `groups`: one more than the highest group that was set.
    func result(
        _ heap: Ref<Heap>, _ subject: Term, _ bytes: UnsafeBufferPointer<UInt8>, _ vector: UnsafePointer<Int>,
        groups count: Int
    ) -> Term {
        var terms: [Term] = []
        func isSet(_ group: Int) -> Bool { group >= 0 && group < count && vector[2 * group] >= 0 }
        switch groups {
        case .none: return Atoms.match
        case .from(let first):
            if first < count {
                for group in first..<count { terms.append(captured(heap, subject, bytes, vector, isSet(group) ? group : nil)) }
            }
        case .list(let list):
            for candidates in list {
                terms.append(captured(heap, subject, bytes, vector, candidates.first(where: isSet)))
            }
        }
        return heap.tuple(Atoms.match, heap.list(terms))
    }

    private func captured(
        _ heap: Ref<Heap>, _ subject: Term, _ bytes: UnsafeBufferPointer<UInt8>, _ vector: UnsafePointer<Int>,
        _ group: Int?
    ) -> Term {
        guard let group else {
            return type == Atoms.index ? heap.tuple(.small(-1), .small(0))
                : type == Atoms.list ? .nil : heap.makeBinary(UnsafeBufferPointer(start: nil, count: 0))
        }
        let start = vector[2 * group]
        let length = max(vector[2 * group + 1] - start, 0)
        if type == Atoms.index { return heap.tuple(.small(start), .small(length)) }
        let part = UnsafeBufferPointer(rebasing: bytes[start..<start + length])
        if type == Atoms.list { return heap.byteList(part) }
        if subject.isBinary { return heap.subBinary(of: subject, bitOffset: start << 3, bitSize: length << 3) }
        return heap.makeBinary(part)
    }
}
