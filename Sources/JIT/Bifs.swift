// Bifs.swift: module enigma_jit: what a program or the shell may ask the JIT. It has no Erlang code.

import CMachine
import Glibc
import Machine
import Terms

public let jitTable: [Bif] = [
    Bif("enigma_jit", "stats", 0, enigma_jit_stats_0),
    Bif("enigma_jit", "info", 0, enigma_jit_info_0),
    Bif("enigma_jit", "info", 1, enigma_jit_info_1),
    Bif("enigma_jit", "dump", 3, enigma_jit_dump_3),
    Bif("enigma_jit", "dump", 4, enigma_jit_dump_4),
    Bif("enigma_jit", "await_dump", 2, enigma_jit_await_dump_2),
]

/// A term to build: everything here is numbers, names, texts and lists of such.
private indirect enum Answer {
    case number(Int)
    case atom(String)
    case text(String)
    case term(Term)
    case tuple([Answer])
    case list([Answer])
    case map([(String, Answer)])

    func build(_ heap: Ref<Heap>) -> Term {
        switch self {
        case .number(let value): return heap.integer(value)
        case .atom(let name): return AtomTable.intern(name)
        case .text(let text): return heap.makeBinary(text)
        case .term(let term): return term
        case .list(let list): return heap.list(list.map { $0.build(heap) })
        case .tuple(let list):
            let elements = list.map { $0.build(heap) }
            let (term, slots) = heap.makeTuple(elements.count)
            for (index, element) in elements.enumerated() { slots[index] = element.raw }
            return term
        case .map(let pairs):
            let words = pairs.flatMap { [AtomTable.intern($0.0), $0.1.build(heap)] }
            return words.withUnsafeBufferPointer { heap.mapFromPairs($0.baseAddress!, count: pairs.count) }
        }
    }
}

/// The text of an iolist.
private func chardataText(_ term: Term) -> String? {
    iolistBytes(term).map { view in
        defer { view.release() }
        return String(decoding: UnsafeBufferPointer(start: view.start, count: view.count), as: UTF8.self)
    }
}

private func yesNo(_ value: Bool) -> Answer { .atom(value ? "true" : "false") }
private func microseconds(_ time: UInt64) -> Answer { .number(Int(time / 1000)) }

// MARK: - Figures

func enigma_jit_stats_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let s = JIT.statistics
    let (queued, isOff, reason) = JIT.locked { (JIT.queue.count, JIT.isOff, JIT.offReason) }
    var pairs: [(String, Answer)] = [
        ("enabled", yesNo(JIT.options.isEnabled && !isOff)), ("threshold", .number(Int(JITHooks.threshold))),
        ("units", .number(s.units)), ("functions", .number(s.functions)), ("refused", .number(s.failed)),
        ("units_freed", .number(s.freed)), ("queued", .number(queued)), ("code_size", .number(s.codeBytes)),
        ("mapped_size", .number(s.mappedBytes)), ("exits", .number(Int(s.exits))), ("recompiled", .number(s.recompiled)),
        ("fetched", .number(s.fetched)), ("kept", .number(s.kept)),
        ("memory", .number(residentBytes())), ("llvm_memory", .number(max(0, s.residentAfter - s.residentBefore))),
        ("compile_time", microseconds(s.compileTime)), ("ir_time", microseconds(s.loweringTime)),
        ("optimise_time", microseconds(s.optimisingTime)), ("emit_time", microseconds(s.emittingTime)),
        ("link_time", microseconds(s.linkingTime)),
        ("generations", .number(LoadedModule.liveCount)), ("fun_entries", .number(FunEntries.entryCount)),
        ("literal_size", .number(Literals.byteCount)),
    ]
    if isOff { pairs.append(("off_reason", .text(reason))) }
    return Answer.map(pairs).build(process.heap)
}

// MARK: - Functions

extension JIT {
    /// Under `lock`. Requires: the function's module is there.
    fileprivate static func describe(_ function: Ref<Function>, withFeedback: Bool = false) -> Answer {
        let f = function.pointee
        let calls = f.calls <= JITHooks.threshold ? Int(JITHooks.threshold - f.calls) : Int(JITHooks.threshold)
        var pairs: [(String, Answer)] = [
            ("function", .tuple([.term(f.moduleName), .term(f.name), .number(Int(f.arity))])),
            ("interpreted_calls", .number(calls)),
        ]
        if let number = unitOf[function], let unit = units[number],
            let index = unit.parts.firstIndex(where: { $0.function == function })
        {
            let exits = unit.exits.indices.filter { unit.exits[$0].function == function }
            pairs += [
                ("state", .atom("compiled")), ("unit", .number(Int(number))),
                ("code_size", .number(unit.parts[index].codeBytes)), ("compile_time", microseconds(unit.time)),
                ("speculates", yesNo(unit.speculates)),
                ("exits", .number(exits.reduce(0) { $0 + Int(unit.exitCounts[$1]) })),
            ]
            if let counts = unit.entryCounts { pairs.append(("entries", .number(Int(counts[index])))) }
        } else if let reason = refused[function] {
            pairs += [("state", .atom("refused")), ("reason", .text(reason))]
        } else if queue.contains(where: { $0.function == function && $0.dump == nil }) {
            pairs.append(("state", .atom("queued")))
        } else {
            pairs.append(("state", .atom(f.code == nil ? "not_called" : "interpreted")))
        }
        if withFeedback { pairs.append(("seen", .list(feedback(function)))) }
        return .map(pairs)
    }

    /// `{Word, Instruction, [{Kind, Count}]}` of each instruction whose slow path was taken. Under `lock`.
    private static func feedback(_ function: Ref<Function>) -> [Answer] {
        let reader = OperandReader()
        let body = FunctionBody(function, reader, originals: originals)
        return (body?.instructions ?? []).filter { !$0.seen.isEmpty }.map { instruction in
            let kinds = instruction.seen.kinds().map { Answer.tuple([.atom($0.name), .number(instruction.seen.count($0))]) }
            return .tuple([.number(instruction.start), .atom(reader.name(instruction.op)), .list(kinds)])
        }
    }

    /// The functions of a module that `isWanted`, or of the exact name. Nil: there is no such module.
    fileprivate static func find(_ module: Term, withFeedback: Bool = false, _ isWanted: (Function) -> Bool) -> [Answer]? {
        Modules.withCurrent(module) { module in
            locked {
                (0..<module.functionCount).filter { isWanted(module.functions[$0]) }.map {
                    describe(module.functions + $0, withFeedback: withFeedback)
                }
            }
        }
    }
}

/// All functions that are more than interpreted.
func enigma_jit_info_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let list = JIT.locked {
        let functions = Set(JIT.unitOf.keys).union(JIT.refused.keys).union(JIT.queue.map(\.function))
        return functions.map { JIT.describe($0) }
    }
    process.bump(list.count)
    return Answer.list(list).build(process.heap)
}

/// Module: its functions; {Module, Function, Arity}: that one, or undefined.
func enigma_jit_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let what = arguments[0]
    if what.isAtom {
        let list = JIT.find(what) { _ in true } ?? []
        process.bump(list.count)
        return Answer.list(list).build(process.heap)
    }
    guard what.isTuple(3), what.element(0).isAtom, what.element(1).isAtom, what.element(2).isSmall else {
        return process.badarg()
    }
    let (name, arity) = (what.element(1), what.element(2).smallValue)
    let found = JIT.find(what.element(0), withFeedback: true) { $0.name == name && Int($0.arity) == arity }
    return found?.first?.build(process.heap) ?? Atoms.undefined
}

// MARK: - Dumps

extension JIT {
    /// Dumps that somebody waits for, by number. Under `lock`.
    nonisolated(unsafe) fileprivate static var dumps: [Int: DumpRequest] = [:]
    nonisolated(unsafe) fileprivate static var nextDump = 1

    /// Asks for a dump; answers its number or what is wrong.
    fileprivate static func requestDump(_ module: Term, _ name: Term, _ arity: Int) -> (number: Int, problem: String) {
        guard options.isEnabled else { return (0, "no_jit") }
        let request = DumpRequest()
        let problem = Modules.withCurrent(module) { module -> String? in
            let index = (0..<module.functionCount).first {
                module.functions[$0].name == name && Int(module.functions[$0].arity) == arity
            }
            guard let index else { return nil }
            let function = module.functions + index
            guard function.pointee.code != nil else { return "not_called" }
            let bets = locked { unitOf[function].flatMap { units[$0]?.speculates } ?? true }
            return enqueue(Request(function: function, speculates: bets, dump: request)) == nil ? "off" : ""
        }
        guard let problem, problem.isEmpty else { return (0, problem ?? "undefined") }
        let number = locked {
            // Whoever asked for a very old one has died.
            if dumps.count > 100, let oldest = dumps.keys.min() { dumps[oldest] = nil }
            dumps[nextDump] = request
            nextDump += 1
            return nextDump - 1
        }
        return (number, "")
    }
}

private func dump(_ process: Ref<Process>, _ arguments: Arguments, directory: Term) -> Term {
    guard arguments[0].isAtom, arguments[1].isAtom, arguments[2].isSmall else { return process.badarg() }
    let (number, problem) = JIT.requestDump(arguments[0], arguments[1], arguments[2].smallValue)
    if !problem.isEmpty { return process.heap.tuple(Atoms.error, AtomTable.intern(problem)) }
    return wait(process, .small(number), directory)
}

/// Goes on in the next slice.
private func wait(_ process: Ref<Process>, _ number: Term, _ directory: Term) -> Term {
    process.pointee.sliceReductions = 0
    let next = Exports.findOrMake(Atoms.enigma_jit, Atoms.await_dump, 2)
    return process.trap(to: next, number, directory)
}

/// `{ok, #{Kind => Text}}`, or `{error, Reason}`.
func enigma_jit_dump_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    dump(process, arguments, directory: .nil)
}

/// The same into files of a directory: `{ok, [Path]}`.
func enigma_jit_dump_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let path = chardataText(arguments[3]), !path.isEmpty else { return process.badarg() }
    return dump(process, arguments, directory: process.heap.makeBinary(path))
}

/// The continuation of both.
func enigma_jit_await_dump_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isSmall else { return process.badarg() }
    let number = arguments[0].smallValue
    guard let request = JIT.locked({ JIT.dumps[number] }) else { return process.badarg() }
    guard request.isDone else { return wait(process, arguments[0], arguments[1]) }
    JIT.locked { JIT.dumps[number] = nil }
    if let failure = request.failure { return Answer.tuple([.atom("error"), .text(failure)]).build(process.heap) }
    guard let directory = chardataText(arguments[1]), !directory.isEmpty else {
        return Answer.tuple([.atom("ok"), .map(request.files.map { ($0.kind, .text($0.text)) })]).build(process.heap)
    }
    mkdir(directory, 0o777)
    var paths: [Answer] = []
    for (kind, text) in request.files {
        let path = "\(directory)/\(number)-dump.\(kind)"
        guard let file = fopen(path, "w") else {
            return Answer.tuple([.atom("error"), .text("cannot write \(path)")]).build(process.heap)
        }
        fputs(text, file)
        fclose(file)
        paths.append(.text(path))
    }
    return Answer.tuple([.atom("ok"), .list(paths)]).build(process.heap)
}
