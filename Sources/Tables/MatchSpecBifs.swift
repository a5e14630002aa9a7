// MatchSpecBifs.swift: match specifications as programs use them without a table: compiling, running on lists, testing.

import CMachine
import Glibc
import Machine
import Terms

let matchSpecBifs: [Bif] = [
    Bif("ets", "match_spec_compile", 1, ets_match_spec_compile_1),
    Bif("ets", "is_compiled_ms", 1, ets_is_compiled_ms_1),
    Bif("ets", "match_spec_run_r", 3, ets_match_spec_run_r_3),
    Bif("erlang", "match_spec_test", 3, erlang_match_spec_test_3),
]

/// The clauses of a specification; nil if it is no list of triples.
func matchClauses(_ specification: Term) -> [MatchClause]? {
    var clauses: [MatchClause] = []
    var list = specification
    while list.isCons {
        guard list.head.isTuple(3) else { return nil }
        clauses.append(
            MatchClause(pattern: list.head.element(0), guards: list.head.element(1), body: list.head.element(2)))
        list = list.tail
    }
    return list.isNil ? clauses : nil
}

func ets_match_spec_compile_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isCons, let clauses = matchClauses(arguments[0]) else { return process.badarg() }
    do throws(MatchFailure) {
        var compiler = MatchCompiler(flags: MatchFlags.table)
        return MatchReference.make(try compiler.compile(clauses), process)
    } catch {
        return error == .tooDeep ? process.systemLimit() : process.badarg()
    }
}

func ets_is_compiled_ms_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    MatchReference.program(arguments[0]) != nil ? Atoms.true : Atoms.false
}

/// match_spec_run_r(List, Compiled, Reversed): the results are put before the third argument.
func ets_match_spec_run_r_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isList, let program = MatchReference.program(arguments[1]) else { return process.badarg() }
    var runner = MatchRunner(program, process, copies: true)
    defer { runner.release() }
    var results = arguments[2]
    var count = 0
    var list = arguments[0]
    var pace = Pace(unit: 1)
    while list.isCons {
        guard pace.goesOn(count) else { return process.giveWay(arguments) }
        let result = runner.run(list.head)
        if !result.isNone { results = process.heap.cons(result, results) }
        count += 1
        list = list.tail
    }
    process.bump(count)
    return list.isNil ? results : process.badarg()
}

// MARK: - Testing

/// match_spec_test(TupleOrArguments, Specification, table | trace): {ok, Result, Flags, Messages} or {error, Messages}.
func erlang_match_spec_test_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let against = arguments[0]
    switch arguments[2] {
    case Atoms.table: return testMatchSpec(process, against, arguments[1], MatchFlags.table)
    case Atoms.trace:
        guard against.isList else { return process.badarg() }
        let flags = MatchFlags.trace | MatchFlags.callTrace | MatchFlags.allowTraceActions
        return testMatchSpec(process, against, arguments[1], flags)
    default: return process.badarg()
    }
}

private func testMatchSpec(_ process: Ref<Process>, _ against: Term, _ specification: Term, _ flags: UInt32) -> Term {
    let heap = process.heap
    var compiler = MatchCompiler(flags: flags | MatchFlags.fakeActions, isLint: true)
    let program = lint(specification, &compiler, heap)
    var messages = Term.nil
    for message in compiler.messages.reversed() {
        let severity = message.isWarning ? Atoms.warning : Atoms.error
        messages = heap.cons(heap.tuple(severity, heap.byteList(Array(message.text.utf8))), messages)
    }
    guard let program else { return heap.tuple(Atoms.error, messages) }
    defer { program.free() }
    var runner = MatchRunner(program, process, copies: true)
    defer { runner.release() }
    var result: Term
    if flags & MatchFlags.trace != 0 {
        let list = elements(of: against)
        result = list.withUnsafeBufferPointer { buffer in
            runner.arguments = buffer.baseAddress
            runner.arity = buffer.count
            return runner.run(.nil)
        }
    } else {
        result = runner.run(against)
    }
    if result.isNone { result = Atoms.false }
    var effects = Term.nil
    if runner.outcome.exceptionTrace { effects = heap.cons(Atoms.exception_trace, effects) }
    if runner.outcome.returnTrace { effects = heap.cons(Atoms.return_trace, effects) }
    return heap.tuple(Atoms.ok, result, effects, messages)
}

private func elements(of list: Term) -> [Term] {
    var result: [Term] = []
    var current = list
    while current.isCons {
        result.append(current.head)
        current = current.tail
    }
    return result
}

/// Compiles a specification and collects what is wrong with it.
private func lint(_ specification: Term, _ compiler: inout MatchCompiler, _ heap: Ref<Heap>) -> Ref<MatchProgram>? {
    guard specification.isCons else {
        compiler.addMessage("Match programs are not in a list.")
        return nil
    }
    var clauses: [MatchClause] = []
    var list = specification
    while list.isCons { list = list.tail }
    guard list.isNil else {
        compiler.addMessage("Match programs are not in a proper list.")
        return nil
    }
    list = specification
    while list.isCons {
        guard list.head.isTuple(3) else {
            compiler.addMessage("Match program part is not a tuple of arity 3.")
            return nil
        }
        var clause = MatchClause(
            pattern: list.head.element(0), guards: list.head.element(1), body: list.head.element(2))
        if compiler.isTrace, clause.pattern.isList {
            guard let tuple = argumentTuple(clause.pattern, heap) else {
                compiler.addMessage("Match expression part \(matchText(clause.pattern)) is not a proper list.")
                return nil
            }
            clause.pattern = tuple
        }
        clauses.append(clause)
        list = list.tail
    }
    return try? compiler.compile(clauses)
}

/// The list of a trace specification's head as a tuple; nil if it is improper.
func argumentTuple(_ list: Term, _ heap: Ref<Heap>) -> Term? {
    let terms = elements(of: list)
    var end = list
    while end.isCons { end = end.tail }
    guard end.isNil else { return nil }
    if terms.isEmpty { return .emptyTuple }
    let (tuple, words) = heap.makeTuple(terms.count)
    for index in terms.indices { words[index] = terms[index].raw }
    return tuple
}
