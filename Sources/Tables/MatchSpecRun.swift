// MatchSpecRun.swift: running a compiled match specification on one term.
//
// The patterns and guards look at the term where it is, which may be a table's memory. What a body returns is copied to
// the process's heap, if asked for. A function that fails makes a guard false and has the value 'EXIT' in a body.

import CMachine
import Glibc
import Machine
import Terms

/// What a trace specification did besides its result.
struct MatchOutcome {
    var returnTrace = false
    var exceptionTrace = false
}

/// A program with the memory it runs in. Made once for many terms; `release` when done.
struct MatchRunner {
    let program: Ref<MatchProgram>
    let process: Ref<Process>
    private let scratch: Words
    private let code: Words
    private let variables: Words
    private let stack: Words
    /// Results are copied to the process's heap.
    let copies: Bool
    /// Arguments of the traced call.
    var arguments: UnsafePointer<Term>?
    var arity = 0
    var outcome = MatchOutcome()
    /// Actions change the trace of the process; otherwise they are only tried out.
    var acts = false
    /// The table object that is matched, if it is one: it is copied faster than other terms.
    var object: TableObject?

    init(_ program: Ref<MatchProgram>, _ process: Ref<Process>, copies: Bool) {
        self.program = program
        self.process = process
        self.copies = copies
        let words = program.pointee.scratchWords
        guard let memory = malloc(words * 8) else { outOfMemory(words * 8) }
        scratch = memory.assumingMemoryBound(to: UInt64.self)
        code = program.pointee.code
        variables = scratch
        stack = scratch + 2 &* program.pointee.variables
    }

    func release() { free(scratch) }

    /// The result of the first clause that matches `term`; none if there is none. In the trace dialect a body without
    /// `message` has the result true.
    mutating func run(_ term: Term) -> Term {
        let heap = process.heap
        let top = heap.pointee.top
        let fragments = heap.pointee.fragments
        let used = heap.pointee.fragmentWords
        let offHeap = heap.pointee.offHeap.first
        let result = execute(term)
        if (result.isNone || !copies && result.isImmediate), fragments == heap.pointee.fragments,
            used == heap.pointee.fragmentWords, offHeap == heap.pointee.offHeap.first
        {
            // Nothing of what was built is part of a result.
            heap.pointee.top = top
        }
        return result
    }

    private mutating func execute(_ term: Term) -> Term {
        var root = term
        return withUnsafeMutablePointer(to: &root) { cell in
            let first = UnsafeMutableRawPointer(cell).assumingMemoryBound(to: UInt64.self)
            var position = 0
            while true {
                var next = -1
                let result = runClause(term, first, at: position, &next)
                if !result.isNone || next < 0 { return result }
                position = next
            }
        }
    }

    /// Runs one clause from `start`; `next` becomes the position of the next one.
    private mutating func runClause(_ term: Term, _ root: Words, at start: Int, _ next: inout Int) -> Term {
        var pc = start
        var frame = root
        var sp = 0
        var inBody = false
        var result = Atoms.true
        let heap = process.heap
        while true {
            let operation = code[pc]
            switch operation {
            case MatchOp.tryElse:
                next = Int(code[pc &+ 1])
                pc &+= 2
            case MatchOp.arguments:
                guard arity == Int(code[pc &+ 1]) else { return .none }
                if let arguments {
                    frame = UnsafeMutableRawPointer(mutating: arguments).assumingMemoryBound(to: UInt64.self)
                }
                pc &+= 2
            case MatchOp.bindArguments:
                setVariable(code[pc &+ 1], argumentList())
                pc &+= 2
            case MatchOp.bind:
                setVariable(code[pc &+ 2], Term(raw: frame[Int(code[pc &+ 1])]))
                pc &+= 3
            case MatchOp.compare:
                let value = Term(raw: variables[2 &* Int(code[pc &+ 2])])
                guard termsIdentical(value, Term(raw: frame[Int(code[pc &+ 1])])) else { return .none }
                pc &+= 3
            case MatchOp.equal:
                guard frame[Int(code[pc &+ 1])] == code[pc &+ 2] else { return .none }
                pc &+= 3
            case MatchOp.identical:
                let value = Term(raw: frame[Int(code[pc &+ 1])])
                guard termsIdentical(Term(raw: code[pc &+ 2]), value) else { return .none }
                pc &+= 3
            case MatchOp.equalFloat:
                let value = Term(raw: frame[Int(code[pc &+ 1])])
                guard value.isFloat, value.floatValue.bitPattern == code[pc &+ 2] else { return .none }
                pc &+= 3
            case MatchOp.tuple:
                let value = Term(raw: frame[Int(code[pc &+ 1])])
                guard value.isTuple, value.tupleSize == Int(code[pc &+ 2]) else { return .none }
                push(UInt64(UInt(bitPattern: frame)), &sp)
                frame = value.pointer + 1
                pc &+= 3
            case MatchOp.list:
                let value = Term(raw: frame[Int(code[pc &+ 1])])
                guard value.isCons else { return .none }
                push(UInt64(UInt(bitPattern: frame)), &sp)
                frame = value.pointer
                pc &+= 2
            case MatchOp.tail:
                let value = Term(raw: frame[1])
                guard value.isCons else { return .none }
                frame = value.pointer
                pc &+= 1
            case MatchOp.map:
                let value = Term(raw: frame[Int(code[pc &+ 1])])
                guard value.isMap, value.mapSize >= Int(code[pc &+ 2]) else { return .none }
                push(UInt64(UInt(bitPattern: frame)), &sp)
                frame = value.pointer
                pc &+= 3
            case MatchOp.key:
                guard let slot = mapSlot(.boxed(frame), Term(raw: code[pc &+ 1])) else { return .none }
                push(UInt64(UInt(bitPattern: frame)), &sp)
                frame = slot
                pc &+= 2
            case MatchOp.leave:
                sp &-= 1
                frame = Words(bitPattern: UInt(stack[sp])).unsafelyUnwrapped
                pc &+= 1

            case MatchOp.constant:
                let value = Term(raw: code[pc &+ 1])
                push(inBody && copies ? copyOut(value, to: heap).raw : value.raw, &sp)
                pc &+= 2
            case MatchOp.variable:
                push(variable(code[pc &+ 1], copying: inBody && copies, heap).raw, &sp)
                pc &+= 2
            case MatchOp.whole:
                push(whole(term, heap).raw, &sp)
                pc &+= 1
            case MatchOp.argumentList:
                push(argumentList().raw, &sp)
                pc &+= 1
            case MatchOp.cons:
                sp &-= 1
                stack[sp &- 1] = heap.cons(Term(raw: stack[sp &- 1]), Term(raw: stack[sp])).raw
                pc &+= 1
            case MatchOp.makeTuple:
                makeTuple(Int(code[pc &+ 1]), &sp, heap)
                pc &+= 2
            case MatchOp.makeMap:
                makeMap(Int(code[pc &+ 1]), &sp, heap)
                pc &+= 2
            case MatchOp.call:
                sp &-= Int(code[pc &+ 2])
                let value = GuardFunction.call(code[pc &+ 1], stack + sp, heap)
                if value.isNone, !inBody { return .none }
                push(value.isNone ? Atoms.EXIT.raw : value.raw, &sp)
                pc &+= 3
            case MatchOp.action:
                let count = Int(code[pc &+ 2])
                sp &-= count
                let value = act(code[pc &+ 1], count, stack + sp, &result)
                if value.isNone, !inBody { return .none }
                push(value.isNone ? Atoms.EXIT.raw : value.raw, &sp)
                pc &+= 3
            case MatchOp.and, MatchOp.or:
                let value = combine(Int(code[pc &+ 1]), &sp, isAnd: operation == MatchOp.and)
                if value.isNone, !inBody { return .none }
                push(value.isNone ? Atoms.EXIT.raw : value.raw, &sp)
                pc &+= 2
            case MatchOp.andAlso, MatchOp.orElse:
                let value = Term(raw: stack[sp &- 1])
                let (stays, goes) =
                    operation == MatchOp.andAlso ? (Atoms.false, Atoms.true) : (Atoms.true, Atoms.false)
                if value == goes {
                    sp &-= 1
                    pc &+= 2
                } else {
                    if value != stays {
                        if !inBody { return .none }
                        stack[sp &- 1] = Atoms.EXIT.raw
                    }
                    pc = Int(code[pc &+ 1])
                }
            case MatchOp.isTrue:
                sp &-= 1
                guard stack[sp] == Atoms.true.raw else { return .none }
                pc &+= 1
            case MatchOp.drop:
                sp &-= 1
                pc &+= 1
            case MatchOp.result:
                sp &-= 1
                result = Term(raw: stack[sp])
                pc &+= 1
            case MatchOp.body:
                inBody = true
                pc &+= 1
            default:
                return result
            }
        }
    }

    // MARK: Parts

    @inline(__always) private func push(_ word: UInt64, _ sp: inout Int) {
        stack[sp] = word
        sp &+= 1
    }

    @inline(__always) private func setVariable(_ slot: UInt64, _ value: Term) {
        variables[2 &* Int(slot)] = value.raw
        variables[2 &* Int(slot) &+ 1] = 0
    }

    /// A variable's value; in a body it is copied when it is used for the first time.
    @inline(__always) private func variable(_ slot: UInt64, copying: Bool, _ heap: Ref<Heap>) -> Term {
        let place = variables + 2 &* Int(slot)
        let value = Term(raw: place[0])
        if !copying || value.isImmediate || place[1] != 0 { return value }
        let copy = copyTerm(value, to: heap)
        place[0] = copy.raw
        place[1] = 1
        return copy
    }

    @inline(__always) private func whole(_ term: Term, _ heap: Ref<Heap>) -> Term {
        guard copies else { return term }
        if let object { return object.copy(to: heap) }
        return copyOut(term, to: heap)
    }

    private func makeTuple(_ size: Int, _ sp: inout Int, _ heap: Ref<Heap>) {
        guard size > 0 else { return push(Term.emptyTuple.raw, &sp) }
        sp &-= size
        let (tuple, elements) = heap.makeTuple(size)
        elements.update(from: stack + sp, count: size)
        push(tuple.raw, &sp)
    }

    private func makeMap(_ size: Int, _ sp: inout Int, _ heap: Ref<Heap>) {
        sp &-= 2 &* size
        let pairs = UnsafeMutableRawPointer(stack + sp).assumingMemoryBound(to: Term.self)
        push(heap.mapFromPairs(pairs, count: size).raw, &sp)
    }

    /// `and` or `or` of the topmost values; none if one is no boolean.
    private func combine(_ count: Int, _ sp: inout Int, isAnd: Bool) -> Term {
        sp &-= count
        var value = isAnd
        for index in 0..<count {
            let operand = stack[sp &+ index]
            guard operand == Atoms.true.raw || operand == Atoms.false.raw else { return .none }
            if (operand == Atoms.true.raw) != isAnd { value = !isAnd }
        }
        return value ? Atoms.true : Atoms.false
    }

    private func argumentList() -> Term {
        guard let arguments else { return .nil }
        return process.heap.list(UnsafeBufferPointer(start: arguments, count: arity))
    }

    // MARK: Actions

    private mutating func act(_ action: UInt64, _ count: Int, _ operands: Words, _ result: inout Term) -> Term {
        switch MatchAction(rawValue: action) {
        case .selfPid: return process.pointee.id
        case .message:
            result = Term(raw: operands[0])
            return Atoms.true
        case .returnTrace:
            outcome.returnTrace = true
            return Atoms.true
        case .exceptionTrace:
            outcome.exceptionTrace = true
            return Atoms.true
        case .isSeqTrace: return Atoms.false
        case .getSeqToken: return .nil
        case .caller where acts: return TraceActions.caller(process)
        case .caller, .callerLine: return Atoms.undefined
        case .silent where acts: return TraceActions.silent(process, Term(raw: operands[0]))
        case .silent: return Atoms.true
        case .enableTrace where acts, .disableTrace where acts:
            let on = MatchAction(rawValue: action) == .enableTrace
            return TraceActions.change(process, on: on, (0..<count).map { Term(raw: operands[$0]) })
        case .trace where acts: return TraceActions.replace(process, (0..<count).map { Term(raw: operands[$0]) })
        default: return .none
        }
    }
}
