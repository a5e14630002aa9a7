// TracePrograms.swift: match specifications as the machine's tracing uses them.

import CMachine
import Machine
import Terms

/// Plugs the compiler and the runner of match specifications into the tracing code. Once at boot.
func bootTracePrograms() {
    TracePrograms.compile = { compileTraceProgram($0, $1, $2) }
    TracePrograms.run = { runTraceProgram($0, $1, $2, $3, $4) }
}

private func compileTraceProgram(_ process: Ref<Process>, _ specification: Term, _ isCall: Bool) -> UnsafeMutableRawPointer? {
    guard specification.isCons, let given = matchClauses(specification) else { return nil }
    var clauses: [MatchClause] = []
    for clause in given {
        var pattern = clause.pattern
        if pattern.isList {
            guard let tuple = argumentTuple(pattern, process.heap) else { return nil }
            pattern = tuple
        }
        clauses.append(MatchClause(pattern: pattern, guards: clause.guards, body: clause.body))
    }
    let flags = MatchFlags.trace | MatchFlags.allowTraceActions | (isCall ? MatchFlags.callTrace : 0)
    var compiler = MatchCompiler(flags: flags)
    guard let program = try? compiler.compile(clauses) else { return nil }
    return UnsafeMutableRawPointer(program)
}

private func runTraceProgram(
    _ program: UnsafeMutableRawPointer, _ process: Ref<Process>, _ arguments: UnsafePointer<Term>, _ arity: Int,
    _ wishes: UnsafeMutablePointer<UInt32>
) -> Term {
    var runner = MatchRunner(program.assumingMemoryBound(to: MatchProgram.self), process, copies: true)
    defer { runner.release() }
    runner.acts = true
    runner.arguments = arguments
    runner.arity = arity
    let result = runner.run(.nil)
    if runner.outcome.returnTrace { wishes.pointee |= TracePrograms.wantsReturn }
    if runner.outcome.exceptionTrace { wishes.pointee |= TracePrograms.wantsException }
    return result
}
