// Entries.swift: the first words of functions and exports: lazy decoding, BIFs entered by a call, undefined functions;
// and call_bif, the call of a BIF that the loader knows.

import CMachine
import Terms

/// `call_bif export location`: arguments in x(0)..., result in x(0).
func slow_call_bif(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let export = exportOperand(pc)
    let process = c.process
    process.pointee.location = locationOperand(pc[2])
    process.pointee.currentBif = export
    guard let body = export.pointee.bif else { return c.raise(Atoms.undef, pc[2]) }
    let result = body(process, UnsafePointer(c.x))
    process.pointee.sliceReductions -= 1
    if _fastPath(!result.isNone) { return c.finishBif(result, pc + 3) }
    return c.failBif(export, returnTo: pc + 3)
}

/// Entry of an export whose function is native: returns to the caller by itself.
func slow_enter_bif(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let export = enteredExport(pc)
    let process = c.process
    process.pointee.location = nil
    process.pointee.currentBif = export
    guard let body = export.pointee.bif else { return c.enterErrorHandler(export) }
    let result = body(process, UnsafePointer(c.x))
    if _fastPath(!result.isNone) { return c.finishBif(result, c.popReturn()) }
    return c.failBif(export, returnTo: nil)
}

extension UnsafeMutablePointer where Pointee == Context {
    func finishBif(_ result: Term, _ next: CodePointer) -> CodePointer {
        x[0] = result
        if _slowPath(process.wantsCollection) || _slowPath(pointee.stress == 1) {
            if let away = collectOrLeave(need: 0, live: 1, at: next, isInside: false) { return away }
        }
        return process.pointee.sliceReductions > 0 ? next : leaveYielding(at: next, live: 1)
    }

    /// The native function raised, or asked for something: a trap or a stop. `returnTo` nil: it was entered by a call.
    func failBif(_ export: Ref<Export>, returnTo: CodePointer?) -> CodePointer {
        let process = process
        guard process.pointee.exceptionClass == .small(ExceptionClass.trap) else {
            return raiseFromBif(export, returning: returnTo == nil)
        }
        process.pointee.exceptionClass = .none
        if let returnTo { returnLater(to: returnTo) }
        let target = process.pointee.trapTarget.unsafelyUnwrapped
        let count = Int(target.pointee.arity)
        x.update(from: process.inlineRegisters, count: count)
        guard collectIfWanted(live: count) else { return leaveExiting() }
        if process.takeParkRequest() { return leaveParked(at: target.pointee.entry, live: count) }
        return enter(target.pointee.entry, live: count)
    }

    /// The call becomes one of other code that returns to `next`. A tail call leaves no frame behind.
    private func returnLater(to next: CodePointer) {
        if next[0] == PlacedCode.returnHandler { return }
        if next[0] == PlacedCode.deallocateReturnHandler {
            e += Int(next[1]) / 8
            return
        }
        pushReturn(next)
    }

    private func collectIfWanted(live: Int) -> Bool {
        process.pointee.native == nil && process.wantsCollection ? collect(need: 0, live: live) : true
    }

    /// Calls error_handler:undefined_function(Module, Function, Arguments), or what process_flag(error_handler) says.
    func enterErrorHandler(_ export: Ref<Export>) -> CodePointer {
        let handler = Exports.findOrMake(errorHandler(process), Atoms.undefined_function, 3)
        guard handler.pointee.function != nil || handler.pointee.bif != nil else {
            return raiseFromBif(export, Atoms.undef)
        }
        var arguments = Term.nil
        for i in (0..<Int(export.pointee.arity)).reversed() { arguments = heap.cons(x[i], arguments) }
        x[0] = export.pointee.module
        x[1] = export.pointee.name
        x[2] = arguments
        return enter(handler.pointee.entry, live: 3)
    }
}

/// The export whose `stub` word is at `pc`.
private func enteredExport(_ pc: CodePointer) -> Ref<Export> {
    let offset = MemoryLayout<Export>.offset(of: \Export.stub).unsafelyUnwrapped
    return Ref(bitPattern: UInt(bitPattern: pc) - UInt(offset)).unsafelyUnwrapped
}

func slow_call_undefined(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.enterErrorHandler(enteredExport(pc))
}

/// First call of a function: decodes it and continues in its code.
func slow_decode_function(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let offset = MemoryLayout<Function>.offset(of: \Function.stub).unsafelyUnwrapped
    let function = Ref<Function>(bitPattern: UInt(bitPattern: pc) - UInt(offset)).unsafelyUnwrapped
    return decodeFunction(function)
}

/// `count_call function`: the entry of a function that is not compiled.
@inline(__always) func op_count_call(_ m: Registers) -> Bool {
    let function = Ref<Function>(bitPattern: UInt(m.word(1))).unsafelyUnwrapped
    function.pointee.calls &-= 1
    guard _fastPath(function.pointee.calls != 0) else { return false }
    m.next(2)
    return true
}

func slow_count_call(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let function = Ref<Function>(bitPattern: UInt(pc[1])).unsafelyUnwrapped
    return JITHooks.request?(function) == true ? pc : pc + 2
}

/// The initial function returned.
func slow_normal_exit(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.process.pointee.exceptionClass = .none
    c.process.pointee.reason = Atoms.normal
    return c.leaveExiting()
}

/// Where a process that hibernates is: a Location of erlang:hibernate/3.
nonisolated(unsafe) private let hibernationLocation: Ref<Location> = {
    let function = Ref<Function>.allocate(capacity: 1)
    UnsafeMutableRawPointer(function).initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<Function>.size)
    function.pointee.moduleName = Atoms.erlang
    function.pointee.name = Atoms.hibernate
    function.pointee.arity = 3
    let location = Ref<Location>.allocate(capacity: 1)
    location.initialize(to: Location(function: function, line: 0, frame: 0))
    return location
}()

/// erlang:hibernate(Module, Function, Arguments): drops the stack, collects, waits for a message.
func slow_hibernate_3(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let module = c.x[0]
    let name = c.x[1]
    let list = c.x[2]
    let export = Exports.findOrMake(Atoms.erlang, Atoms.hibernate, 3)
    guard module.isAtom, name.isAtom, isProperList(list) else { return c.raiseFromBif(export, Atoms.badarg) }
    guard let arity = c.spread(list) else {
        c.x[0] = module
        c.x[1] = name
        c.x[2] = list
        return c.raiseFromBif(export, Atoms.badarg)
    }
    let process = c.process
    c.e = process.pointee.stackEnd
    c.pushReturn(normalExitAddress)
    // As in OTP, the three arguments are roots where they were not overwritten.
    guard process.collectTightly(x: c.x, live: max(arity, 3)) else { return c.leaveExiting() }
    let entry = Exports.findOrMake(module, name, arity).pointee.entry
    process.pointee.sliceReductions -= 1
    process.pointee.location = UnsafePointer(hibernationLocation)
    process.pointee.pc = entry
    c.saveX(arity)
    // It may handle signals, so the process is as if it had been left already.
    let waits = receiveHibernate(process)
    if process.isExiting { return c.leaveExiting() }
    return c.leaveSaved(isHibernating: waits)
}

/// erlang:yield(): gives up the slice.
func slow_yield_0(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.x[0] = Atoms.true
    return c.leaveYielding(at: c.popReturn(), live: 1)
}
