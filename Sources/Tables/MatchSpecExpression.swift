// MatchSpecExpression.swift: compiling guards and bodies of match specifications for the stack machine.
//
// Every expression leaves one value on the stack. What has no variable in it becomes one constant: its parts are emitted
// as constants first, and a construction whose parts are all constants is then carried out here and replaces their code.

import CMachine
import Terms

/// Functions of match specifications that act on the traced process or on the trace.
enum MatchAction: UInt64 {
    case selfPid, message, isSeqTrace, setSeqToken, getSeqToken, returnTrace, exceptionTrace, display, processDump
    case enableTrace, disableTrace, trace, caller, callerLine, silent, setControlWord, getControlWord
}

extension MatchCompiler {
    mutating func compileGuards(_ guards: Term) throws(MatchFailure) {
        var list = guards
        if !list.isList { return try error("Match expression is not a list.") }
        while list.isCons {
            _ = try compileExpression(list.head)
            emit(MatchOp.isTrue)
            depth -= 1
            list = list.tail
        }
        if !list.isNil { try error("Match expression is not a proper list.") }
    }

    mutating func compileBody(_ body: Term) throws(MatchFailure) {
        if body.isNil { return }
        var list = body
        if !list.isCons { return try error("Match expression is not a list.") }
        emit(MatchOp.body)
        while list.isCons {
            _ = try compileExpression(list.head)
            list = list.tail
            let returns = !list.isCons && flags & MatchFlags.table != 0
            emit(returns ? MatchOp.result : MatchOp.drop)
            depth -= 1
        }
        if !list.isNil { try error("Match expression is not a proper list.") }
    }

    // MARK: Expressions

    /// Emits code that pushes the value of `term`; true if that is one constant.
    mutating func compileExpression(_ term: Term) throws(MatchFailure) -> Bool {
        nesting += 1
        defer { nesting -= 1 }
        if nesting > MatchCompiler.nestingLimit {
            guard isLint else { throw .tooDeep }
            addMessage("Excessive nesting; system limit reached near: \(matchText(term))")
            throw .tooDeep
        }
        if term.isImmediate { return try compileImmediate(term) }
        if term.isCons { return try compileList(term) }
        if term.isMap { return try compileMapExpression(term) }
        guard term.isTuple else { return pushConstant(keep(term)) }
        let size = term.tupleSize
        if size == 1, term.element(0).isTuple { return try compileTuple(term.element(0)) }
        if size >= 1, term.element(0).isAtom, matchVariable(term.element(0)) == nil { return try compileCall(term) }
        try error("\(matchText(term)) is neither a function call, nor a tuple (tuples are written {{ ... }}).")
        return pushPlaceholder()
    }

    private mutating func pushConstant(_ word: UInt64) -> Bool {
        emit(MatchOp.constant, word)
        pushed()
        return true
    }

    /// After an error, so that linting can go on.
    private mutating func pushPlaceholder() -> Bool {
        _ = pushConstant(Term.nil.raw)
        return false
    }

    private mutating func compileImmediate(_ term: Term) throws(MatchFailure) -> Bool {
        if let number = matchVariable(term) {
            guard let slot = slot(of: number) else {
                try error("Variable $\(number) is unbound.")
                return pushPlaceholder()
            }
            emit(MatchOp.variable, UInt64(slot))
            pushed()
            return false
        }
        switch term {
        case Atoms.dollarUnderscore:
            if isTrace { emit(MatchOp.argumentList) } else { emit(MatchOp.whole) }
            pushed()
            return false
        case Atoms.dollarDollar:
            for number in bound.sorted() {
                emit(MatchOp.variable, UInt64(slot(of: number).unsafelyUnwrapped))
                pushed()
            }
            emit(MatchOp.constant, Term.nil.raw)
            pushed()
            for _ in bound {
                emit(MatchOp.cons)
                depth -= 1
            }
            return false
        default:
            return pushConstant(term.raw)
        }
    }

    /// A list: elements may be many, so it is walked, not descended into.
    private mutating func compileList(_ list: Term) throws(MatchFailure) -> Bool {
        let start = code.count
        let before = depth
        var isConstant = true
        var count = 0
        var current = list
        while current.isCons {
            if try !compileExpression(current.head) { isConstant = false }
            count += 1
            current = current.tail
        }
        if try !compileExpression(current) { isConstant = false }
        guard isConstant else {
            for _ in 0..<count { emit(MatchOp.cons) }
            depth -= count
            return false
        }
        var result = Term(raw: code.words[code.count - 1])
        for index in (0..<count).reversed() {
            let element = Term(raw: code.words[start + 2 * index + 1])
            result = withUnsafeMutablePointer(to: &constants) { $0.cons(element, result) }
        }
        code.count = start
        depth = before
        return pushConstant(result.raw)
    }

    private mutating func compileTuple(_ tuple: Term) throws(MatchFailure) -> Bool {
        let size = tuple.tupleSize
        let start = code.count
        let before = depth
        var isConstant = true
        var marks: [Int] = []
        for index in 0..<size {
            marks.append(messages.count)
            if try !compileExpression(tuple.element(index)) { isConstant = false }
        }
        reverseMessages(marks)
        guard isConstant else {
            emit(MatchOp.makeTuple, UInt64(size))
            depth -= size - 1
            return false
        }
        var result = Term.emptyTuple
        if size > 0 {
            let made = withUnsafeMutablePointer(to: &constants) { $0.makeTuple(size) }
            for index in 0..<size { made.elements[index] = code.words[start + 2 * index + 1] }
            result = made.term
        }
        code.count = start
        depth = before
        return pushConstant(result.raw)
    }

    private mutating func compileMapExpression(_ map: Term) throws(MatchFailure) -> Bool {
        let start = code.count
        let before = depth
        var isConstant = true
        var iterator = MapIterator(map)
        while let pair = iterator.next() {
            if try !compileExpression(pair.key) { isConstant = false }
            if try !compileExpression(pair.value) { isConstant = false }
        }
        let size = map.mapSize
        guard isConstant else {
            emit(MatchOp.makeMap, UInt64(size))
            depth -= 2 * size - 1
            return false
        }
        let pairs = UnsafeMutablePointer<Term>.allocate(capacity: max(2 * size, 1))
        defer { pairs.deallocate() }
        for index in 0..<2 * size { pairs[index] = Term(raw: code.words[start + 2 * index + 1]) }
        let result = withUnsafeMutablePointer(to: &constants) { $0.mapFromPairs(pairs, count: size) }
        code.count = start
        depth = before
        return pushConstant(result.raw)
    }

    // MARK: Calls

    private mutating func compileCall(_ call: Term) throws(MatchFailure) -> Bool {
        switch call.element(0) {
        case Atoms.const:
            guard call.tupleSize == 2 else {
                try error("Special form 'const' called with more than one argument in \(matchText(call)).")
                return pushPlaceholder()
            }
            return pushConstant(keep(call.element(1)))
        case Atoms.and: return try compileBoth(call, MatchOp.and, "and")
        case Atoms.or: return try compileBoth(call, MatchOp.or, "or")
        case Atoms.andalso, Atoms.andthen: return try compileShort(call, MatchOp.andAlso, "andalso")
        case Atoms.orelse: return try compileShort(call, MatchOp.orElse, "orelse")
        default: break
        }
        if let action = specialAction(call.element(0)) { return try compileAction(action, call) }
        let arity = call.tupleSize - 1
        guard let function = GuardFunction.find(call.element(0), arity) else {
            try error("Function \(matchText(call.element(0)))/\(arity) does_not_exist.")
            return pushPlaceholder()
        }
        try compileArguments(of: call)
        emit(MatchOp.call, function, UInt64(arity))
        pushed(1 - arity)
        return false
    }

    private mutating func compileArguments(of call: Term) throws(MatchFailure) {
        var marks: [Int] = []
        for index in 1..<max(call.tupleSize, 1) {
            marks.append(messages.count)
            _ = try compileExpression(call.element(index))
        }
        reverseMessages(marks)
    }

    /// OTP looks at elements and arguments from the last to the first. `marks`: where the messages of each begin.
    private mutating func reverseMessages(_ marks: [Int]) {
        guard let first = marks.first, first < messages.count else { return }
        var ordered: [MatchMessage] = []
        var end = messages.count
        for mark in marks.reversed() {
            ordered += messages[mark..<end]
            end = mark
        }
        messages.replaceSubrange(first..., with: ordered)
    }

    private mutating func compileBoth(_ call: Term, _ operation: UInt64, _ name: String) throws(MatchFailure) -> Bool {
        let count = call.tupleSize - 1
        guard count > 0 else { return try withoutArguments(call, name) }
        try compileArguments(of: call)
        emit(operation, UInt64(count))
        depth -= count - 1
        return false
    }

    private mutating func withoutArguments(_ call: Term, _ name: String) throws(MatchFailure) -> Bool {
        try error("Special form '\(name)' called without arguments in \(matchText(call)).")
        return pushPlaceholder()
    }

    private mutating func compileShort(_ call: Term, _ operation: UInt64, _ name: String) throws(MatchFailure) -> Bool {
        let count = call.tupleSize - 1
        guard count > 0 else { return try withoutArguments(call, name) }
        var labels: [Int] = []
        for index in 1...count {
            _ = try compileExpression(call.element(index))
            if index == count { break }
            emit(operation, 0)
            labels.append(code.count - 1)
            depth -= 1
        }
        for label in labels { code.words[label] = UInt64(code.count) }
        return false
    }

    // MARK: Actions

    private func specialAction(_ name: Term) -> MatchAction? {
        switch name {
        case Atoms.self_: .selfPid
        case Atoms.message: .message
        case Atoms.is_seq_trace: .isSeqTrace
        case Atoms.set_seq_token: .setSeqToken
        case Atoms.get_seq_token: .getSeqToken
        case Atoms.return_trace: .returnTrace
        case Atoms.exception_trace: .exceptionTrace
        case Atoms.display: .display
        case Atoms.process_dump: .processDump
        case Atoms.enable_trace: .enableTrace
        case Atoms.disable_trace: .disableTrace
        case Atoms.trace: .trace
        case Atoms.caller: .caller
        case Atoms.caller_line: .callerLine
        case Atoms.silent: .silent
        case Atoms.set_tcw: .setControlWord
        case Atoms.get_tcw: .getControlWord
        default: nil
        }
    }

    /// Arities an action may have, whether a guard may use it, and which events have it.
    private func rules(_ action: MatchAction) -> (arities: ClosedRange<Int>, inGuard: Bool, needs: UInt32) {
        let process = MatchFlags.allowTraceActions
        let call = MatchFlags.callTrace
        switch action {
        case .selfPid: return (0...0, true, 0)
        case .message: return (1...1, false, 0)
        case .isSeqTrace: return (0...0, true, process)
        case .setSeqToken: return (2...2, false, process)
        case .getSeqToken: return (0...0, false, process)
        case .returnTrace, .exceptionTrace: return (0...0, false, call)
        case .display: return (1...1, false, 0)
        case .processDump: return (0...0, false, process)
        case .enableTrace, .disableTrace: return (1...2, false, process)
        case .trace: return (2...3, false, process)
        case .caller, .callerLine: return (0...0, false, call)
        case .silent: return (1...1, false, process)
        case .setControlWord: return (1...1, false, 0)
        case .getControlWord: return (0...0, true, 0)
        }
    }

    private mutating func compileAction(_ action: MatchAction, _ call: Term) throws(MatchFailure) -> Bool {
        let name = call.element(0).atomText
        let arity = call.tupleSize - 1
        let (arities, inGuard, needs) = rules(action)
        if action != .selfPid {
            // OTP's name for it here.
            let told = action == .setSeqToken ? "set_seq_trace" : name
            if let problem = contextProblem(action, told, arity, arities, inGuard, needs) {
                try error(problem)
                return pushPlaceholder()
            }
        }
        guard arities.contains(arity) else {
            let what =
                arities == 0...0 ? "called with arguments" : "called with wrong number of arguments"
            try error("Special form '\(name)' \(what) in \(matchText(call)).")
            return pushPlaceholder()
        }
        try compileArguments(of: call)
        emit(MatchOp.action, action.rawValue, UInt64(arity))
        pushed(1 - arity)
        return false
    }

    private func contextProblem(
        _ action: MatchAction, _ name: String, _ arity: Int, _ arities: ClosedRange<Int>, _ inGuard: Bool,
        _ needs: UInt32
    ) -> String? {
        if action == .setControlWord || action == .getControlWord {
            if !arities.contains(arity) { return "Function \(name)/\(arity) does_not_exist." }
            if isTrace, inGuard || !isGuard { return nil }
            return "Function \(name)/\(arity) cannot be called in this context."
        }
        if !isTrace { return "Special form '\(name)' used in wrong dialect." }
        if flags & needs != needs { return "Special form '\(name)' not allow for this trace event." }
        if isGuard, !inGuard { return "Special form '\(name)' called in guard context." }
        return nil
    }
}
