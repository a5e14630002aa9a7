// Exceptions.swift: raising, catching, and the instructions that do so. An exception ends in the nearest catch tag on
// the stack, or terminates the process.

import CMachine
import Terms

/// The Location behind a `j` operand with bit 0 set, or behind a plain location operand.
func locationOperand(_ word: UInt64) -> UnsafePointer<Location>? { UnsafePointer(bitPattern: UInt(word & ~1)) }

extension UnsafeMutablePointer where Pointee == Context {
    /// Raises an error at an instruction.
    func raise(_ reason: Term, _ location: UInt64) -> CodePointer {
        let trace = RawTrace.capture(
            process, class: ExceptionClass.error, bif: nil, location: locationOperand(location), arguments: Atoms.true,
            info: .nil)
        return unwind(ExceptionClass.error, reason, trace)
    }

    /// Jumps to the label of a `j` operand, or raises.
    func failOrRaise(_ reason: @autoclosure () -> Term, _ fail: UInt64) -> CodePointer {
        fail & 1 == 1 ? raise(reason(), fail) : codePointer(fail)
    }

    /// Raises what a native function stored in the process (or `reason`), with x(0)... as its arguments and
    /// process.location as the place of the call. `returning`: the native function was entered by a call, whose return
    /// address is on the stack already.
    func raiseFromBif(_ export: Ref<Export>, _ reason: Term? = nil, returning: Bool = true) -> CodePointer {
        let process = process
        if let reason, process.pointee.exceptionClass.isNone || process.pointee.reason != reason {
            _ = process.raise(reason)
        }
        let exceptionClass = process.pointee.exceptionClass.smallValue
        let reason = process.pointee.reason
        let location = returning ? nil : process.pointee.location
        process.pointee.exceptionClass = .none
        if !process.pointee.trace.isNil {
            let trace = process.pointee.trace
            process.pointee.trace = .nil
            return unwind(exceptionClass, reason, trace)
        }
        let heap = heap
        var info = Term.nil
        var trace: Term
        let given = process.pointee.exceptionInfo
        if isRaisingBif(export) {
            if !given.isNone { info = heap.cons(heap.tuple(Atoms.error_info, given), .nil) }
            let arguments = process.pointee.exceptionArguments
            trace = RawTrace.capture(
                process, class: exceptionClass, bif: nil, location: location,
                arguments: arguments.isNone ? Atoms.true : arguments, info: info)
        } else {
            if let module = errorInfoModule(export.pointee.module) {
                info = heap.cons(heap.tuple(Atoms.error_info, errorInfo(heap, module, cause: given)), .nil)
            }
            var arguments = Term.nil
            for i in (0..<Int(export.pointee.arity)).reversed() { arguments = heap.cons(x[i], arguments) }
            trace = RawTrace.capture(
                process, class: exceptionClass, bif: export, location: location, arguments: arguments, info: info)
        }
        return unwind(exceptionClass, reason, trace)
    }

    /// error/1,2,3, exit/1 and throw/1 do not appear in traces themselves.
    private func isRaisingBif(_ export: Ref<Export>) -> Bool {
        guard export.pointee.module == Atoms.erlang else { return false }
        switch export.pointee.name {
        case Atoms.error: return export.pointee.arity <= 3
        case Atoms.exit, Atoms.throw: return export.pointee.arity == 1
        default: return false
        }
    }

    /// The module that explains errors of native functions of `module`.
    private func errorInfoModule(_ module: Term) -> Term? {
        switch module {
        case Atoms.atomics, Atoms.counters, Atoms.erlang, Atoms.erts_internal, Atoms.persistent_term:
            Atoms.erl_erts_errors
        case Atoms.os: Atoms.erl_kernel_errors
        case Atoms.binary, Atoms.ets, Atoms.lists, Atoms.maps, Atoms.math, Atoms.re, Atoms.unicode:
            Atoms.erl_stdlib_errors
        default: nil
        }
    }

    private func errorInfo(_ heap: Ref<Heap>, _ module: Term, cause: Term) -> Term {
        let pairs = [Atoms.cause, cause, Atoms.module, module]
        return pairs.withUnsafeBufferPointer { buffer in
            let first = cause.isNone ? buffer.baseAddress! + 2 : buffer.baseAddress!
            return heap.putAssoc(.emptyMap, pairs: first, count: cause.isNone ? 1 : 2)
        }
    }

    /// Continues at the nearest catch tag with x0 none, x1 reason, x2 raw trace, x3 class; or ends the process.
    func unwind(_ exceptionClass: Int, _ reason: Term, _ trace: Term) -> CodePointer {
        let process = process
        process.pointee.reason = .nil
        process.pointee.trace = .nil
        process.pointee.exceptionClass = .none
        process.pointee.exceptionArguments = .none
        process.pointee.exceptionInfo = .none
        var slot = process.pointee.stackTop
        let end = process.pointee.stackEnd
        var frame = slot
        while slot < end {
            let word = Term(raw: slot[0])
            if word.isCatch {
                let position = word.catchPosition
                slot[0] = Term.nil.raw
                e = frame
                x[0] = .none
                x[1] = reason
                x[2] = trace
                x[3] = classAtom(exceptionClass)
                return position
            }
            slot += 1
            if word.isHeader {
                frame = slot
                if _slowPath(process.isTraced || process.pointee.flags & ProcessFlags.tracedFrames != 0) {
                    TraceCode.unwound(process, word.raw, slot, classAtom(exceptionClass), reason)
                }
            }
        }
        return terminate(exceptionClass, reason, trace)
    }

    /// Nobody catches: the process ends with {Reason,Trace}, {{nocatch,Value},Trace} or the exit reason.
    private func terminate(_ exceptionClass: Int, _ reason: Term, _ trace: Term) -> CodePointer {
        let process = process
        let heap = heap
        var final = reason
        if exceptionClass != ExceptionClass.exit {
            if exceptionClass == ExceptionClass.throw { final = heap.tuple(Atoms.nocatch, reason) }
            final = heap.tuple(final, RawTrace.build(process, trace))
        }
        process.pointee.exceptionClass = .small(
            exceptionClass == ExceptionClass.exit ? ExceptionClass.exit : ExceptionClass.error)
        process.pointee.reason = final
        return leaveExiting()
    }

    func classAtom(_ exceptionClass: Int) -> Term {
        switch exceptionClass {
        case ExceptionClass.exit: Atoms.exit
        case ExceptionClass.throw: Atoms.throw
        default: Atoms.error
        }
    }
}

// MARK: - Instructions

@inline(__always) func op_catch(_ m: Registers) {
    m.setY(m.packed(0), .catchTag(codePointer(m.word(2))))
    m.next(3)
}

@inline(__always) func op_try_end(_ m: Registers) {
    m.setY(m.packed(0), .nil)
    m.next(2)
}

/// After an exception: class, reason and raw trace go to x0, x1, x2.
@inline(__always) func op_try_case(_ m: Registers) {
    m.setY(m.packed(0), .nil)
    m.setX(xBase, m.x(xBase &+ 24))
    m.next(2)
}

func slow_catch_end(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.setY(packed(pc, 0), .nil)
    let x = c.x
    guard x[0].isNone else { return pc + 2 }
    let heap = c.heap
    switch x[3] {
    case Atoms.throw: x[0] = x[1]
    case Atoms.exit: x[0] = heap.tuple(Atoms.EXIT, x[1])
    default: x[0] = heap.tuple(Atoms.EXIT, heap.tuple(x[1], RawTrace.build(c.process, x[2])))
    }
    return c.afterAllocation(pc + 2, live: 1)
}

func slow_try_case_end(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.raise(c.heap.tuple(Atoms.try_clause, c.source(pc[1])), pc[2])
}

func slow_badmatch(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.raise(c.heap.tuple(Atoms.badmatch, c.source(pc[1])), pc[2])
}

func slow_case_end(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.raise(c.heap.tuple(Atoms.case_clause, c.source(pc[1])), pc[2])
}

func slow_badrecord(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.raise(c.heap.tuple(Atoms.badrecord, c.source(pc[1])), pc[2])
}

func slow_if_end(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raise(Atoms.if_clause, pc[1]) }

/// `func_info`: no clause matched the arguments in x(0)....
func slow_function_clause(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let location = locationOperand(pc[1])
    let arity = location?.pointee.function.map { Int($0.pointee.arity) } ?? 0
    var arguments = Term.nil
    for i in (0..<arity).reversed() { arguments = c.heap.cons(c.x[i], arguments) }
    let trace = RawTrace.capture(
        c.process, class: ExceptionClass.error, bif: nil, location: location, arguments: arguments, info: .nil)
    return c.unwind(ExceptionClass.error, Atoms.function_clause, trace)
}

/// `raise trace reason`: the class is the one inside the trace.
func slow_raise(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let trace = c.source(pc[1])
    return c.unwind(RawTrace.exceptionClass(trace), c.source(pc[2]), trace)
}

/// x0 class, x1 reason, x2 raw trace; an unknown class continues with badarg in x0.
func slow_raw_raise(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let exceptionClass: Int
    switch c.x[0] {
    case Atoms.error: exceptionClass = ExceptionClass.error
    case Atoms.exit: exceptionClass = ExceptionClass.exit
    case Atoms.throw: exceptionClass = ExceptionClass.throw
    default:
        c.x[0] = Atoms.badarg
        return pc + 2
    }
    RawTrace.setClass(c.x[2], exceptionClass)
    return c.unwind(exceptionClass, c.x[1], c.x[2])
}

func slow_build_stacktrace(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.x[0] = RawTrace.build(c.process, c.x[0])
    return c.afterAllocation(pc + 1, live: 1)
}

// MARK: - Refused code

/// `invalid_code location fault`: the error says what is wrong with the function.
func slow_invalid_code(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.raiseInvalid(CodeFault(rawValue: UInt8(truncatingIfNeeded: pc[2])) ?? .missingEnd, pc[1])
}

extension UnsafeMutablePointer where Pointee == Context {
    /// error({badfile, {M,F,A}, Text}).
    func raiseInvalid(_ fault: CodeFault, _ location: UInt64) -> CodePointer {
        let heap = heap
        var name = Term.nil
        if let function = locationOperand(location)?.pointee.function?.pointee {
            name = heap.tuple(function.moduleName, function.name, .small(Int(function.arity)))
        }
        return raise(heap.tuple(Atoms.badfile, name, heap.string("\(fault.text)")), location)
    }
}

@inline(__always) func op_require_cons(_ m: Registers) -> Bool {
    guard _fastPath(m.source(m.word(1)).isCons) else { return false }
    m.next(3)
    return true
}

@inline(__always) func op_require_map(_ m: Registers) -> Bool {
    guard _fastPath(m.source(m.word(1)).isMap) else { return false }
    m.next(3)
    return true
}

@inline(__always) func op_require_float(_ m: Registers) -> Bool {
    guard _fastPath(m.source(m.word(1)).isFloat) else { return false }
    m.next(3)
    return true
}

/// `require_tuple source size location`: at least that many elements.
@inline(__always) func op_require_tuple(_ m: Registers) -> Bool {
    let term = m.source(m.word(1))
    guard _fastPath(term.isTuple), _fastPath(term.tupleSize >= m.int(2)) else { return false }
    m.next(4)
    return true
}

func slow_require_cons(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raiseInvalid(.wrongType, pc[2]) }
func slow_require_map(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raiseInvalid(.wrongType, pc[2]) }
func slow_require_float(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raiseInvalid(.wrongType, pc[2]) }
func slow_require_tuple(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.raiseInvalid(.wrongType, pc[3]) }
