// MatchSpecPattern.swift: the compiler's state, its entry points, and the compiling of patterns.
//
// A pattern becomes tests in the order in which it is written, depth first; parts that match everything leave no code.
// The walk uses a list of tasks, so no pattern is too deep.

import CMachine
import Glibc
import Terms

enum MatchFailure: Error {
    /// The specification is wrong: badarg.
    case invalid
    /// Expressions are nested too deep: system_limit.
    case tooDeep
}

/// One clause before compiling.
struct MatchClause {
    var pattern: Term
    let guards: Term
    let body: Term
}

/// A message about a specification, as erlang:match_spec_test/3 returns it.
struct MatchMessage {
    let isWarning: Bool
    let text: String
}

struct MatchCompiler {
    let flags: UInt32
    /// Collect messages and go on after errors.
    let isLint: Bool
    var messages: [MatchMessage] = []
    var hasErrors = false

    var code = WordBuffer()
    var constants = Heap()
    /// Variables bound in this clause, by slot: their numbers.
    var bound: [Int] = []
    var variableLimit = 0
    var isGuard = false
    /// The pattern is one variable or `'_'`.
    var isSpecial = false
    /// Words on the stack at this point of the run, and the most there are.
    var depth = 0
    var deepest = 0
    var nesting = 0

    static let nestingLimit = 1500

    init(flags: UInt32, isLint: Bool = false) {
        self.flags = flags
        self.isLint = isLint
    }

    var isTrace: Bool { flags & MatchFlags.trace != 0 }

    // MARK: Emitting

    mutating func emit(_ operation: UInt64) { code.push(operation) }
    mutating func emit(_ operation: UInt64, _ operand: UInt64) {
        code.push(operation)
        code.push(operand)
    }
    mutating func emit(_ operation: UInt64, _ first: UInt64, _ second: UInt64) {
        code.push(operation)
        code.push(first)
        code.push(second)
    }

    mutating func pushed(_ count: Int = 1) {
        depth += count
        if depth > deepest { deepest = depth }
    }

    /// A copy of a term that lives as long as the program.
    mutating func keep(_ term: Term) -> UInt64 {
        term.isImmediate ? term.raw : copyTerm(term, to: &constants, copyLiterals: true).raw
    }

    /// Notes an error: when linting the work goes on, else it ends.
    mutating func error(_ text: @autoclosure () -> String) throws(MatchFailure) {
        guard isLint else { throw .invalid }
        addMessage(text())
    }

    mutating func addMessage(_ text: String) {
        // OTP keeps 100 bytes of a message.
        messages.append(MatchMessage(isWarning: false, text: String(decoding: text.utf8.prefix(99), as: UTF8.self)))
        hasErrors = true
    }

    // MARK: Clauses

    /// Compiles all clauses; the caller owns the program.
    mutating func compile(_ clauses: [MatchClause]) throws(MatchFailure) -> Ref<MatchProgram> {
        do {
            for index in clauses.indices { try compile(clauses[index], isLast: index == clauses.count - 1) }
        } catch {
            releaseAll()
            throw error
        }
        let program = Ref<MatchProgram>.allocate(capacity: 1)
        program.initialize(
            to: MatchProgram(
                code: code.words, codeWords: code.count, variables: variableLimit, stackWords: deepest + 2,
                fragments: constants.fragments, offHeap: constants.offHeap))
        return program
    }

    private mutating func releaseAll() {
        releaseOffHeap(constants.offHeap)
        freeFragmentMemory(constants.fragments)
        code.release()
    }

    private mutating func compile(_ clause: MatchClause, isLast: Bool) throws(MatchFailure) {
        bound.removeAll(keepingCapacity: true)
        depth = 0
        var label: Int?
        if !isLast {
            emit(MatchOp.tryElse, 0)
            label = code.count - 1
        }
        let variable = matchVariable(clause.pattern)
        isSpecial = variable != nil || clause.pattern == Atoms.underscore
        if isTrace {
            if let variable {
                emit(MatchOp.bindArguments, UInt64(slot(binding: variable)))
            } else if !isSpecial {
                try compileArguments(clause.pattern)
            }
        } else {
            try compilePattern(clause.pattern, at: 0)
        }
        isGuard = true
        try compileGuards(clause.guards)
        isGuard = false
        if flags & MatchFlags.table != 0, !clause.body.isCons {
            // Nothing more can be said about such a clause.
            addMessageOrIgnore("Body clause does not return anything.")
            throw .invalid
        }
        try compileBody(clause.body)
        if hasErrors { throw .invalid }
        emit(MatchOp.halt)
        if let label { code.words[label] = UInt64(code.count) }
        variableLimit = max(variableLimit, bound.count)
    }

    private mutating func addMessageOrIgnore(_ text: String) {
        if isLint { addMessage(text) }
    }

    /// The head of a trace specification: its elements are matched with the arguments.
    private mutating func compileArguments(_ pattern: Term) throws(MatchFailure) {
        guard pattern.isTuple else {
            if pattern.isMap {
                var tasks = WordBuffer()
                defer { tasks.release() }
                try compileMap(pattern, at: 0, &tasks)
            }
            addMessageOrIgnore("Match head is invalid in this context.")
            throw .invalid
        }
        let size = pattern.tupleSize
        emit(MatchOp.arguments, UInt64(size))
        var tasks = WordBuffer()
        defer { tasks.release() }
        for index in (0..<size).reversed() {
            tasks.push(pattern.element(index).raw)
            tasks.push(UInt64(index))
        }
        try run(&tasks)
    }

    // MARK: Patterns

    private mutating func compilePattern(_ pattern: Term, at index: Int) throws(MatchFailure) {
        var tasks = WordBuffer()
        defer { tasks.release() }
        tasks.push(pattern.raw)
        tasks.push(UInt64(index))
        try run(&tasks)
    }

    /// Tasks are pairs of words: a term and its index in the frame; or a term and one of these marks. Raw 0 with any
    /// mark: leave the frame.
    private static let keyMark = UInt64(1) << 62
    private static let valueOf = UInt64(1) << 61
    private static let tailMark = UInt64(1) << 60

    private mutating func run(_ tasks: inout WordBuffer) throws(MatchFailure) {
        while tasks.count > 0 {
            tasks.count -= 2
            let term = Term(raw: tasks.words[tasks.count])
            let place = tasks.words[tasks.count + 1]
            if term.isNone {
                emit(MatchOp.leave)
                depth -= 1
            } else if place == MatchCompiler.keyMark {
                emit(MatchOp.key, keep(term))
                pushed()
            } else if place == MatchCompiler.tailMark, term.isCons {
                emit(MatchOp.tail)
                push(cell: term, &tasks)
            } else {
                try compileTerm(term, at: place == MatchCompiler.tailMark ? 1 : place, &tasks)
            }
        }
    }

    /// The two parts of a cell that is the frame now.
    private func push(cell: Term, _ tasks: inout WordBuffer) {
        tasks.push(cell.tail.raw)
        tasks.push(MatchCompiler.tailMark)
        tasks.push(cell.head.raw)
        tasks.push(0)
    }

    private mutating func compileTerm(_ term: Term, at index: UInt64, _ tasks: inout WordBuffer) throws(MatchFailure) {
        if term.isImmediate {
            if let number = matchVariable(term) {
                if let slot = slot(of: number) {
                    emit(MatchOp.compare, index, UInt64(slot))
                } else {
                    emit(MatchOp.bind, index, UInt64(slot(binding: number)))
                }
            } else if term != Atoms.underscore {
                emit(MatchOp.equal, index, term.raw)
            }
        } else if term.isCons {
            emit(MatchOp.list, index)
            pushed()
            tasks.push(0)
            tasks.push(0)
            push(cell: term, &tasks)
        } else if term.isTuple {
            let size = term.tupleSize
            emit(MatchOp.tuple, index, UInt64(size))
            pushed()
            tasks.push(0)
            tasks.push(0)
            for position in (0..<size).reversed() {
                tasks.push(term.element(position).raw)
                tasks.push(UInt64(position))
            }
        } else if term.isMap {
            try compileMap(term, at: index, &tasks)
        } else if term.isFloat {
            emit(MatchOp.equalFloat, index, term.floatValue.bitPattern)
        } else {
            emit(MatchOp.identical, index, keep(term))
        }
    }

    private mutating func compileMap(_ map: Term, at index: UInt64, _ tasks: inout WordBuffer) throws(MatchFailure) {
        emit(MatchOp.map, index, UInt64(map.mapSize))
        pushed()
        tasks.push(0)
        tasks.push(0)
        var iterator = MapIterator(map)
        while let pair = iterator.next() {
            if matchVariable(pair.key) != nil {
                addMessageOrIgnore("Variable found in map key.")
                throw .invalid
            }
            if pair.key == Atoms.underscore {
                addMessageOrIgnore("Underscore found in map key.")
                throw .invalid
            }
            tasks.push(0)
            tasks.push(0)
            tasks.push(pair.value.raw)
            tasks.push(0)
            tasks.push(pair.key.raw)
            tasks.push(MatchCompiler.keyMark)
        }
    }

    // MARK: Variables

    /// Where the value of a bound variable is kept.
    func slot(of number: Int) -> Int? { bound.firstIndex(of: number) }

    private mutating func slot(binding number: Int) -> Int {
        bound.append(number)
        return bound.count - 1
    }
}
