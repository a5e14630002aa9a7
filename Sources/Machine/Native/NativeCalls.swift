// NativeCalls.swift: native functions that run longer than a slice. See jit-notes/interfaces.md, "Long native functions".
//
// A native function that sees that its work is large answers `process.goLong(arguments)`: it is called again with the
// same arguments on a fiber, where `vm_breathe` in its loops gives the thread back when the reductions are used up.
// One that blocks, or cannot be interrupted, is handed to a dirty thread instead. Either way the call turns into a trap
// to a word of this file, with the arguments in the x registers, so that the process looks as if it were about to call
// the function until the result is there.
//
// While Process.native is set the process is not collected: requests for that wait in NativeCall.postponed.

public import CMachine
import Glibc
import Terms

enum NativeCalls {
    /// For each arity, where a call on a fiber and on a dirty thread goes on. Constant after boot.
    nonisolated(unsafe) private static var resume: UnsafeMutablePointer<Ref<Export>>! = nil
    nonisolated(unsafe) private static var start: UnsafeMutablePointer<Ref<Export>>! = nil
    /// The word at which a process is after its dirty thread.
    nonisolated(unsafe) static var finished: UnsafeMutablePointer<UInt64>! = nil
    static let maxArity = 6

    static func boot() {
        resume = makeTargets(.resume_native)
        start = makeTargets(.start_dirty)
        finished = .allocate(capacity: 1)
        finished[0] = handlerAddress(.finish_dirty)
    }

    private static func makeTargets(_ operation: Op) -> UnsafeMutablePointer<Ref<Export>> {
        let targets = UnsafeMutablePointer<Ref<Export>>.allocate(capacity: maxArity + 1)
        for arity in 0...maxArity {
            let export = Exports.makePrivate(Atoms.erlang, Atoms.apply, arity)
            export.pointee.stub.0 = handlerAddress(operation)
            targets[arity] = export
        }
        return targets
    }

    /// The record of a call of the current native function with these arguments.
    fileprivate static func make(_ process: Ref<Process>, _ arguments: Arguments, _ body: @escaping BifBody) -> Ref<NativeCall> {
        let function = process.pointee.currentBif.unsafelyUnwrapped
        let size = MemoryLayout<NativeCall>.size
        guard let memory = calloc(1, size) else { outOfMemory(size) }
        let call = memory.assumingMemoryBound(to: NativeCall.self)
        call.pointee.process = process
        call.pointee.function = function
        call.pointee.body = body
        let slots = call.arguments
        for index in 0..<Int(function.pointee.arity) { slots[index] = arguments[index] }
        process.pointee.native = call
        return call
    }

    /// Stores the trap that begins the call.
    fileprivate static func trap(_ call: Ref<NativeCall>) -> Term {
        let process = call.pointee.process
        let arity = Int(call.pointee.function.pointee.arity)
        process.pointee.exceptionClass = .small(ExceptionClass.trap)
        process.pointee.trapTarget = call.pointee.fiber == nil ? start[arity] : resume[arity]
        process.inlineRegisters.update(from: call.arguments, count: arity)
        return .none
    }

    /// Forgets the call; what had to wait for it is handled next.
    fileprivate static func end(_ process: Ref<Process>) {
        guard let call = process.pointee.native else { return }
        returnPostponed(process)
        process.pointee.native = nil
        if let fiber = call.pointee.fiber { vm_fiber_free(fiber) }
        free(call)
    }

    /// Puts the requests that wait back into the queue.
    static func returnPostponed(_ process: Ref<Process>) {
        guard let call = process.pointee.native, let first = call.pointee.postponed else { return }
        call.pointee.postponed = nil
        process.setState(ProcessState.signals)
        var signal: Ref<Signal>? = first
        while let current = signal {
            signal = current.pointee.next
            current.pointee.next = nil
            returnToQueue(process, current)
        }
    }

    /// Keeps a request that needs the heap to stand still; false if it can be handled now.
    static func postpone(_ signal: Ref<Signal>, _ process: Ref<Process>) -> Bool {
        guard let call = process.pointee.native else { return false }
        signal.pointee.next = call.pointee.postponed
        call.pointee.postponed = signal
        return true
    }

    /// The process ends: lets the function clean up after itself.
    static func cancel(_ process: Ref<Process>) {
        guard let call = process.pointee.native else { return }
        let (exceptionClass, reason) = (process.pointee.exceptionClass, process.pointee.reason)
        if let fiber = call.pointee.fiber {
            vm_fiber_cancel(fiber)
            _ = vm_fiber_run(fiber)
        }
        end(process)
        process.pointee.exceptionClass = exceptionClass
        process.pointee.reason = reason
    }
}

extension UnsafeMutablePointer where Pointee == NativeCall {
    var arguments: UnsafeMutablePointer<Term> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<NativeCall>.offset(of: \.arguments).unsafelyUnwrapped)
            .assumingMemoryBound(to: Term.self)
    }
}

extension UnsafeMutablePointer where Pointee == Process {
    /// Whether a native function about to do work worth `reductions` should go to a fiber for it.
    @inlinable public func isLong(_ reductions: Int) -> Bool {
        _slowPath(reductions > 1000) && pointee.native == nil
    }

    /// Calls the current native function again with the same arguments, on a fiber: what it answers is what the native
    /// function answers. Requires: nothing was done yet that the second call would do again.
    @inline(never) public func goLong(_ arguments: Arguments) -> Term {
        guard let body = pointee.currentBif?.pointee.bif else { return undef() }
        let call = NativeCalls.make(self, arguments, body)
        let reductions = UnsafeMutableRawPointer(self) + MemoryLayout<Process>.offset(of: \.sliceReductions).unsafelyUnwrapped
        call.pointee.fiber = vm_fiber_make(runNative, call, reductions.assumingMemoryBound(to: Int64.self))
        if call.pointee.fiber != nil { return NativeCalls.trap(call) }
        // No memory for a stack: then it does not yield.
        let result = body(self, call.arguments)
        NativeCalls.end(self)
        return result
    }

    /// What a native function answers whose `Pace` has stopped it: it starts again on a fiber; there it means that the
    /// process is ending, and any answer does.
    @inline(never) public func giveWay(_ arguments: Arguments) -> Term {
        pointee.native == nil ? goLong(arguments) : badarg()
    }

    /// Has a dirty thread call the current native function with these arguments (or `body`, in its place).
    @inline(never) public func goDirty(
        _ arguments: Arguments, _ kind: UInt8 = DirtyKind.cpu, _ body: BifBody? = nil
    ) -> Term {
        guard let body = body ?? pointee.currentBif?.pointee.bif else { return undef() }
        let call = NativeCalls.make(self, arguments, body)
        call.pointee.kind = UInt32(kind)
        return NativeCalls.trap(call)
    }
}

private func runNative(_ argument: UnsafeMutableRawPointer) {
    let call = argument.assumingMemoryBound(to: NativeCall.self)
    call.pointee.result = call.pointee.body(call.pointee.process, call.arguments)
}

/// What stands for a native function whose row names a dirty pool.
func handToDirtyIO(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let body = process.pointee.currentBif?.pointee.dirtyBif else { return process.undef() }
    return process.goDirty(arguments, DirtyKind.io, body)
}

func handToDirtyCPU(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let body = process.pointee.currentBif?.pointee.dirtyBif else { return process.undef() }
    return process.goDirty(arguments, DirtyKind.cpu, body)
}

// MARK: - Handlers

/// Runs the fiber for the rest of the slice. x(0)... are the function's arguments.
func slow_resume_native(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let process = c.process
    let call = process.pointee.native.unsafelyUnwrapped
    let fiber = call.pointee.fiber.unsafelyUnwrapped
    let (before, charged) = (process.pointee.sliceReductions, vm_fiber_charged(fiber))
    let isDone = vm_fiber_run(fiber)
    guard isDone else { return c.leaveYielding(at: pc, live: Int(call.pointee.function.pointee.arity)) }
    // The function charges at its end what vm_breathe has charged on the way already.
    let all = vm_fiber_charged(fiber)
    let atEnd = before - process.pointee.sliceReductions - (all - charged)
    process.pointee.sliceReductions += min(max(atEnd, 0), all)
    return c.finishNative(call)
}

/// Leaves for a dirty thread.
func slow_start_dirty(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let call = c.process.pointee.native.unsafelyUnwrapped
    scheduleDirty(c.process, UInt8(call.pointee.kind))
    return c.leaveParked(at: CodePointer(NativeCalls.finished), live: Int(call.pointee.function.pointee.arity))
}

/// Back from a dirty thread.
func slow_finish_dirty(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.finishNative(c.process.pointee.native.unsafelyUnwrapped)
}

extension UnsafeMutablePointer where Pointee == Context {
    fileprivate func finishNative(_ call: Ref<NativeCall>) -> CodePointer {
        let (result, function) = (call.pointee.result, call.pointee.function)
        NativeCalls.end(process)
        return result.isNone ? failBif(function, returnTo: nil) : finishBif(result, popReturn())
    }
}
