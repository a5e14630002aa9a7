// Calls.swift: local, external, fun and apply calls. A call takes one reduction; when they are used up the process
// leaves at the callee's first word with its arguments live.
//
// A non-tail call's last operand is the Location of its frame, so that it stands before the return address.

import CMachine
import Terms

@inline(__always) private func pushReturn(_ m: Registers, _ words: Int) {
    let e = m.e.pointee - 1
    e[0] = UInt64(UInt(bitPattern: m.pc.pointee + words))
    m.e.pointee = e
}

@inline(__always) private func function(_ m: Registers) -> Ref<Function> {
    Ref(bitPattern: UInt(m.word(1))).unsafelyUnwrapped
}

@inline(__always) private func export(_ m: Registers) -> Ref<Export> {
    Ref(bitPattern: UInt(m.word(1))).unsafelyUnwrapped
}

@inline(__always) private func deallocate(_ m: Registers) {
    m.e.pointee = (UnsafeMutableRawPointer(m.e.pointee) + m.int(2)).assumingMemoryBound(to: UInt64.self)
}

/// Counts the call; false when the slice is over.
@inline(__always) private func countReduction(_ m: Registers) -> Bool {
    m.reductions.pointee &-= 1
    return _fastPath(m.reductions.pointee > 0)
}

@inline(__always) func op_call(_ m: Registers) -> Bool {
    guard countReduction(m) else { return false }
    pushReturn(m, 3)
    m.pc.pointee = function(m).pointee.entry
    return true
}

@inline(__always) func op_call_only(_ m: Registers) -> Bool {
    guard countReduction(m) else { return false }
    m.pc.pointee = function(m).pointee.entry
    return true
}

@inline(__always) func op_call_last(_ m: Registers) -> Bool {
    guard countReduction(m) else { return false }
    deallocate(m)
    m.pc.pointee = function(m).pointee.entry
    return true
}

@inline(__always) func op_call_ext(_ m: Registers) -> Bool {
    guard countReduction(m) else { return false }
    pushReturn(m, 3)
    m.pc.pointee = export(m).pointee.entry
    return true
}

@inline(__always) func op_call_ext_only(_ m: Registers) -> Bool {
    guard countReduction(m) else { return false }
    m.pc.pointee = export(m).pointee.entry
    return true
}

@inline(__always) func op_call_ext_last(_ m: Registers) -> Bool {
    guard countReduction(m) else { return false }
    deallocate(m)
    m.pc.pointee = export(m).pointee.entry
    return true
}

private func functionOperand(_ pc: CodePointer) -> Ref<Function> { Ref(bitPattern: UInt(pc[1])).unsafelyUnwrapped }
func exportOperand(_ pc: CodePointer) -> Ref<Export> { Ref(bitPattern: UInt(pc[1])).unsafelyUnwrapped }

func slow_call(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.pushReturn(pc + 3)
    return slow_call_only(c, pc)
}

func slow_call_only(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let function = functionOperand(pc)
    return c.leaveYielding(at: function.pointee.entry, live: Int(function.pointee.arity))
}

func slow_call_last(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.e += Int(pc[2]) / 8
    return slow_call_only(c, pc)
}

func slow_call_ext(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.pushReturn(pc + 3)
    return slow_call_ext_only(c, pc)
}

func slow_call_ext_only(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let export = exportOperand(pc)
    return c.leaveYielding(at: export.pointee.entry, live: Int(export.pointee.arity))
}

func slow_call_ext_last(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.e += Int(pc[2]) / 8
    return slow_call_ext_only(c, pc)
}

// MARK: - Funs

/// Enters a local fun of the right arity whose module is loaded; the free variables follow the arguments. `target`: index
/// of the word that says what was called here before; what is new there takes the slow half.
@inline(__always) private func prepareFun(_ m: Registers, _ fun: Term, _ arity: Int, _ target: Int) -> CodePointer? {
    guard _fastPath(fun.isBoxed), _fastPath(fun.header & 63 == Subtag.fun &<< 2) else { return nil }
    let object = fun.pointer
    let kind = object[3]
    guard _fastPath(kind & 0x10000FF == UInt64(arity)) else { return nil }
    guard _fastPath(m.word(target) == object[1]) || m.word(target) == FunTarget.several else { return nil }
    // The slow half counts the reduction itself.
    guard let function = fun.funEntry.pointee.function, _fastPath(m.reductions.pointee > 1) else { return nil }
    m.reductions.pointee &-= 1
    let free = Int(truncatingIfNeeded: kind &>> 8 & 0xFFFF)
    var offset = xBase &+ arity &* 8
    for i in 0..<free {
        m.setX(offset, Term(raw: object[5 &+ i]))
        offset &+= 8
    }
    return function.pointee.entry
}

@inline(__always) private func callFun(_ m: Registers, _ fun: Term, _ arity: Int, _ words: Int) -> Bool {
    guard let entry = prepareFun(m, fun, arity, words &- 2) else { return false }
    pushReturn(m, words)
    m.pc.pointee = entry
    return true
}

@inline(__always) private func callFunLast(_ m: Registers, _ fun: Term, _ arity: Int, _ target: Int) -> Bool {
    guard let entry = prepareFun(m, fun, arity, target) else { return false }
    deallocate(m)
    m.pc.pointee = entry
    return true
}

@inline(__always) func op_call_fun(_ m: Registers) -> Bool {
    let arity = m.int(1)
    return callFun(m, m.x(xBase &+ arity &* 8), arity, 4)
}

@inline(__always) func op_call_fun2(_ m: Registers) -> Bool {
    callFun(m, m.source(m.word(2)), m.int(1), 5)
}

@inline(__always) func op_call_fun_last(_ m: Registers) -> Bool {
    let arity = m.int(1)
    return callFunLast(m, m.x(xBase &+ arity &* 8), arity, 3)
}

@inline(__always) func op_call_fun2_last(_ m: Registers) -> Bool { callFunLast(m, m.source(m.word(3)), m.int(1), 4) }

func slow_call_fun_last(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let fun = c.x[Int(pc[1])]
    FunTarget.note(pc + 3, fun)
    return c.enterFun(fun, arity: Int(pc[1]), dropping: pc[2], location: pc[4])
}

func slow_call_fun2_last(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let fun = c.source(pc[3])
    FunTarget.note(pc + 4, fun)
    return c.enterFun(fun, arity: Int(pc[1]), dropping: pc[2], location: pc[5])
}

func slow_call_fun(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let fun = c.x[Int(pc[1])]
    FunTarget.note(pc + 2, fun)
    return c.enterFun(fun, arity: Int(pc[1]), returnTo: pc + 4, location: pc[3])
}

func slow_call_fun2(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let fun = c.source(pc[2])
    FunTarget.note(pc + 3, fun)
    return c.enterFun(fun, arity: Int(pc[1]), returnTo: pc + 5, location: pc[4])
}

extension UnsafeMutablePointer where Pointee == Context {
    /// Calls any fun value with the arguments in x(0)...; raises badfun, badarity or continues in the error handler.
    /// `returnTo` nil: a tail call, which drops `dropping` bytes of frame once it is sure to succeed. `location` 0: the
    /// caller's return address is on the stack already.
    func enterFun(
        _ fun: Term, arity: Int, returnTo: CodePointer? = nil, dropping bytes: UInt64 = 0, location: UInt64
    ) -> CodePointer {
        guard fun.isFun else { return raiseFunError(heap.tuple(Atoms.badfun, fun), returnTo, location) }
        guard fun.funArity == arity else {
            return raiseArity(fun, heap.list((0..<arity).map { x[$0] }), returnTo, location)
        }
        let isMissing = !fun.funIsExternal && fun.funEntry.pointee.function == nil
        let isPurging = isMissing && Modules.isPurging(fun.funEntry.pointee.module)
        // A module that is loaded but does not define the fun never will: only a missing one is worth loading.
        if isMissing, !isPurging, Modules.current(fun.funEntry.pointee.module) != nil {
            return raiseFunError(heap.tuple(Atoms.badfun, fun), returnTo, location)
        }
        e += Int(bytes) / 8
        if let returnTo { pushReturn(returnTo) }
        process.pointee.sliceReductions -= 1
        if fun.funIsExternal { return enter(fun.funExport.pointee.entry, live: arity) }
        guard !isMissing, let function = fun.funEntry.pointee.function else {
            return enterMissingFun(fun, arity, isPurging: isPurging)
        }
        for i in 0..<fun.funFreeCount { x[arity + i] = fun.funFree(i) }
        return enter(function.pointee.entry, live: arity + fun.funFreeCount)
    }

    fileprivate func raiseArity(
        _ fun: Term, _ arguments: Term, _ returnTo: CodePointer?, _ location: UInt64
    ) -> CodePointer {
        raiseFunError(heap.tuple(Atoms.badarity, heap.tuple(fun, arguments)), returnTo, location)
    }

    /// OTP finds these errors when the return address is on the stack, so its traces name such a caller twice.
    private func raiseFunError(_ reason: Term, _ returnTo: CodePointer?, _ location: UInt64) -> CodePointer {
        if let returnTo { pushReturn(returnTo) }
        let isCalled = returnTo != nil || location == 0
        let trace = RawTrace.capture(
            process, class: ExceptionClass.error, bif: nil,
            location: isCalled ? RawTrace.returnLocation(e[0]) : locationOperand(location), arguments: Atoms.true, info: .nil,
            isCalled: isCalled)
        return unwind(ExceptionClass.error, reason, trace)
    }

    /// Continues at a function's entry, or leaves there when the reductions are used up.
    func enter(_ entry: CodePointer, live: Int) -> CodePointer {
        process.pointee.sliceReductions > 0 ? entry : leaveYielding(at: entry, live: live)
    }

    /// The fun's module is not loaded: error_handler:undefined_lambda(Module, Fun, Arguments). While it is being purged,
    /// erts_code_purger:pending_purge_lambda, which applies the fun again.
    private func enterMissingFun(_ fun: Term, _ arity: Int, isPurging: Bool) -> CodePointer {
        let arguments = heap.list((0..<arity).map { x[$0] })
        let module = fun.funEntry.pointee.module
        var handler = Exports.findOrMake(errorHandler(process), Atoms.undefined_lambda, 3)
        if isPurging {
            // The code is there until the purge ends one way or the other: try again in the next slice.
            handler = Exports.findOrMake(Atoms.erts_code_purger, Atoms.pending_purge_lambda, 3)
            process.pointee.sliceReductions = 0
        }
        x[0] = module
        x[1] = fun
        x[2] = arguments
        return enter(handler.pointee.entry, live: 3)
    }

    // MARK: Apply

    /// M:F(x0...) with `arity` arguments already in the x registers.
    private func enterApply(_ module: Term, _ name: Term, arity: Int) -> CodePointer {
        process.pointee.sliceReductions -= 1
        return enter(Exports.findOrMake(module, name, arity).pointee.entry, live: arity)
    }

    func applyRegisters(arity: Int, returnTo: CodePointer?, location: UInt64) -> CodePointer {
        let module = x[arity]
        let name = x[arity + 1]
        guard module.isAtom, name.isAtom else { return raiseBadApply(arity, location) }
        if let returnTo { pushReturn(returnTo) }
        return enterApply(module, name, arity: arity)
    }

    /// The exception looks as if erlang:apply/3 had been called.
    func raiseBadApply(_ arity: Int, _ location: UInt64) -> CodePointer {
        let (module, name) = (x[arity], x[arity + 1])
        let arguments = heap.list((0..<arity).map { x[$0] })
        x[0] = module
        x[1] = name
        x[2] = arguments
        process.pointee.location = locationOperand(location)
        return raiseFromBif(Exports.findOrMake(Atoms.erlang, Atoms.apply, 3), Atoms.badarg, returning: false)
    }

    /// Spreads an argument list into x(0)...; nil if it is improper or longer than 255.
    func spread(_ list: Term) -> Int? {
        var rest = list
        var count = 0
        while rest.isCons {
            guard count < 255 else { return nil }
            x[count] = rest.head
            rest = rest.tail
            count += 1
        }
        return rest.isNil ? count : nil
    }

    /// Its first elements into x(0)... Requires: there are so many.
    fileprivate func spreadFirst(_ count: Int, of list: Term) {
        var rest = list
        for index in 0..<count {
            x[index] = rest.head
            rest = rest.tail
        }
    }
}

func slow_apply(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.applyRegisters(arity: Int(pc[1]), returnTo: pc + 3, location: pc[2])
}

func slow_apply_last(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let arity = Int(pc[1])
    guard c.x[arity].isAtom, c.x[arity + 1].isAtom else { return c.raiseBadApply(arity, pc[3]) }
    c.e += Int(pc[2]) / 8
    return c.applyRegisters(arity: arity, returnTo: nil, location: pc[3])
}

/// What is wrong with a list of more than 255 arguments, or an improper one; [] if a list of so many is passed on.
private func badArguments(_ list: Term, limit: Int) -> Term {
    var rest = list
    var count = 0
    while rest.isCons, count <= limit {
        rest = rest.tail
        count += 1
    }
    return count > limit ? Atoms.system_limit : rest.isNil ? .nil : Atoms.badarg
}

/// Entry of erlang:apply/3 as a function: x0 module, x1 function, x2 argument list.
func slow_apply_3(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let module = c.x[0]
    let name = c.x[1]
    let list = c.x[2]
    let export = Exports.findOrMake(Atoms.erlang, Atoms.apply, 3)
    guard module.isAtom, name.isAtom else { return c.raiseFromBif(export, Atoms.badarg) }
    guard let arity = c.spread(list) else {
        c.x[0] = module
        c.x[1] = name
        c.x[2] = list
        let reason = badArguments(list, limit: 1023)
        guard reason.isNil else { return c.raiseFromBif(export, reason) }
        // No function has so many parameters.
        c.process.pointee.sliceReductions -= 1
        let handler = Exports.findOrMake(errorHandler(c.process), Atoms.undefined_function, 3)
        return c.enter(handler.pointee.entry, live: 3)
    }
    c.process.pointee.sliceReductions -= 1
    return c.enter(Exports.findOrMake(module, name, arity).pointee.entry, live: arity)
}

/// Entry of erlang:apply/2 as a function: x0 fun, x1 argument list.
func slow_apply_2(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let fun = c.x[0]
    let list = c.x[1]
    guard let arity = c.spread(list) else {
        c.x[0] = fun
        c.x[1] = list
        let reason = badArguments(list, limit: 1022)
        if reason.isNil, fun.isFun {
            // OTP looks at the lowest byte of their number, and the fun finds as many as it wants.
            guard fun.funArity == listLength(list) & 0xFF else { return c.raiseArity(fun, list, nil, 0) }
            c.spreadFirst(fun.funArity, of: list)
            return c.enterFun(fun, arity: fun.funArity, location: 0)
        }
        return c.raiseFromBif(Exports.findOrMake(Atoms.erlang, Atoms.apply, 2), reason.isNil ? Atoms.badarg : reason)
    }
    return c.enterFun(fun, arity: arity, location: 0)
}

/// Before a tail call of erlang:apply/3 or apply/2. One that will fail becomes a call with this code as its caller,
/// which the stack trace names.
func slow_check_apply(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let arity = Int(pc[1])
    let target = c.x[0]
    var rest = c.x[arity - 1]
    var count = 0
    while rest.isCons, count <= 1023 {
        rest = rest.tail
        count += 1
    }
    let isFitting =
        arity == 3
        ? target.isAtom && c.x[1].isAtom && count < 1024 : target.isBoxed(Subtag.fun) && target.funArity == count & 0xFF
    if rest.isNil, isFitting { return pc + 3 }
    if arity == 2, rest.isNil, count <= 255, let count = c.spread(c.x[1]) {
        return c.enterFun(target, arity: count, location: pc[2])
    }
    if arity == 2, rest.isNil, count < 1023, target.isFun { return c.raiseArity(target, c.x[1], nil, pc[2]) }
    c.pushReturn(pc + 3)
    return c.enter(Exports.findOrMake(Atoms.erlang, Atoms.apply, arity).pointee.entry, live: arity)
}

func isProperList(_ term: Term) -> Bool { listLength(term) >= 0 }

// MARK: - Making funs

/// `make_fun entry destination count source...`; an earlier heap test reserved the words.
@inline(__always) func op_make_fun(_ m: Registers) {
    let entry = Ref<FunEntry>(bitPattern: UInt(m.word(1))).unsafelyUnwrapped
    let count = m.int(3)
    let object = m.take(Layout.funWords &+ count)
    object[0] = Header.make(Layout.funWords &- 1 &+ count, Subtag.fun)
    object[1] = m.word(1)
    object[2] = 0
    object[3] = UInt64(entry.pointee.arity) | UInt64(truncatingIfNeeded: count) &<< 8
    object[4] = m.c.pointee.process.pointee.id.raw
    for i in 0..<count { object[5 &+ i] = m.source(m.word(4 &+ i)).raw }
    m.store(m.word(2), .boxed(object))
    m.next(4 &+ count)
}

/// Code of OTP 23 and before: free variables in x(0)..., result in x(0); no heap test came before.
func slow_make_fun2(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let entry = Ref<FunEntry>(bitPattern: UInt(pc[1])).unsafelyUnwrapped
    let count = Int(pc[2])
    let object = c.heap.allocate(Layout.funWords + count)
    object[0] = Header.make(Layout.funWords - 1 + count, Subtag.fun)
    object[1] = pc[1]
    object[2] = 0
    object[3] = UInt64(entry.pointee.arity) | UInt64(count) << 8
    object[4] = c.process.pointee.id.raw
    for i in 0..<count { object[5 + i] = c.x[i].raw }
    c.x[0] = .boxed(object)
    return pc + 3
}
