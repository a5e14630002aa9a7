// StackTrace.swift: raw stack traces, taken when an exception is raised, and the lists programs see.
//
// A raw trace is {Frames, Arguments, ErrorInfo}. Frames is an object that looks like a big integer to the collector:
//
//     [0] header   [1] class   [2] Export * of a failed native function, or 0
//     [3] Location * of the failed instruction, or 0   [4...] Location * of the callers
//
// A negative one marks a trace given to erlang:raise/3: Arguments is the finished list. Location records are never
// freed, so a trace may outlive the code it tells of.

import CMachine
import Terms

/// `erlang:system_flag(backtrace_depth, N)`; written by one system_flag call at a time, read relaxed.
nonisolated(unsafe) public var backtraceDepth: UInt64 = 8

enum RawTrace {
    static let fixedWords = 3

    static func frames(_ trace: Term) -> Words? { trace.isTuple(3) ? trace.element(0).pointer : nil }
    static func exceptionClass(_ trace: Term) -> Int {
        guard let frames = frames(trace) else { return ExceptionClass.error }
        return Int(frames[1])
    }
    static func setClass(_ trace: Term, _ exceptionClass: Int) { frames(trace)?[1] = UInt64(exceptionClass) }

    /// Takes the trace of `process`, whose stack pointer is stored. `arguments`: what stands in the first frame instead
    /// of its arity. `isCalled`: the return address to `location` is on the stack already.
    static func capture(
        _ process: Ref<Process>, class exceptionClass: Int, bif: Ref<Export>?, location: UnsafePointer<Location>?,
        arguments: Term, info: Term, isCalled: Bool = false
    ) -> Term {
        var depth = Int(vm_load_relaxed(&backtraceDepth))
        if depth > 0 { depth -= 1 }
        let heap = process.heap
        let object = heap.allocate(4 + depth + 1)
        object[1] = UInt64(exceptionClass)
        object[2] = UInt64(UInt(bitPattern: bif))
        object[3] = bif == nil ? UInt64(UInt(bitPattern: location)) : 0
        var count = 4
        if bif != nil, let location, depth > 0 {
            object[count] = UInt64(UInt(bitPattern: location))
            count += 1
            depth -= 1
        }
        let stack: Words = process.pointee.stackTop
        let first = isCalled ? stack : firstReturn(stack, location)
        count += gather(first, process.pointee.stackEnd, into: object + count, limit: depth)
        // The words not used become a dead object of their own, so that the heap stays walkable.
        let unused = 4 + Int(max(Int(vm_load_relaxed(&backtraceDepth)) - 1, 0)) + 1 - count
        object[0] = Header.make(count - 1, Subtag.positiveBig)
        if unused > 0 { object[count] = Header.make(unused - 1, Subtag.positiveBig) }
        return heap.tuple(.boxed(object), arguments, info)
    }

    /// Where the first return address is on a stack whose innermost frame is that of `location`.
    static func firstReturn(_ stack: Words, _ location: UnsafePointer<Location>?) -> Words {
        let frame = Int(location?.pointee.frame ?? 0)
        guard frame == CodeBuffer.unknownFrame else { return stack + frame }
        var slot = stack
        while slot[0] & 3 != 0 { slot += 1 }
        return slot
    }

    /// The Location before a return address: where in the source it returns to, and how large the frame there is. Nil at
    /// the bottom of the stack.
    @inline(__always) static func returnLocation(_ address: UInt64) -> UnsafePointer<Location>? {
        UnsafePointer(bitPattern: UInt(codePointer(address)[-1]))
    }

    /// Writes the Locations of the return addresses on the stack, innermost first, without immediate repeats. `first`: where
    /// the first one is, above the frame in force.
    static func gather(_ first: Words, _ end: Words, into target: Words, limit: Int) -> Int {
        var slot = first
        var previous: UInt64 = 0
        var count = 0
        while slot < end, count < limit {
            let word = slot[0]
            guard let location = returnLocation(word) else { break }
            // Frames of traced calls belong to no function.
            if word != previous, location.pointee.function != nil {
                previous = word
                target[count] = UInt64(UInt(bitPattern: location))
                count += 1
            }
            slot += 1 + Int(location.pointee.frame)
        }
        return count
    }

    /// The trace given to erlang:raise/3, wrapped so that it is raised again as it is.
    static func given(_ heap: Ref<Heap>, class exceptionClass: Int, list: Term) -> Term {
        let object = heap.allocate(2)
        object[0] = Header.make(1, Subtag.negativeBig)
        object[1] = UInt64(exceptionClass)
        return heap.tuple(.boxed(object), list, .nil)
    }

    /// The list `[{M,F,A,Info}...]` that programs see.
    static func build(_ process: Ref<Process>, _ trace: Term) -> Term {
        guard let frames = frames(trace) else { return .nil }
        let arguments = trace.element(1)
        if Header.subtag(frames[0]) == Subtag.negativeBig { return arguments }
        let heap = process.heap
        let info = trace.element(2)
        var list = Term.nil
        var index = Header.words(frames[0])
        while index >= 4 {
            if let location = UnsafePointer<Location>(bitPattern: UInt(frames[index])) {
                list = heap.cons(frame(heap, location, arity: .none, info: .nil), list)
            }
            index -= 1
        }
        if let bif = Ref<Export>(bitPattern: UInt(frames[2])) {
            let bif = bif.pointee
            list = heap.cons(heap.tuple(bif.module, bif.name, arguments, info), list)
        } else if let location = UnsafePointer<Location>(bitPattern: UInt(frames[3])) {
            list = heap.cons(frame(heap, location, arity: arguments, info: info), list)
        } else if Header.words(frames[0]) < 4 {
            let process = process.pointee
            let initial = heap.tuple(
                process.initialModule, process.initialName, .small(Int(process.initialArity)), .nil)
            list = heap.cons(initial, list)
        }
        return list
    }

    /// `{M,F,Arity | Arguments, [{file,File},{line,Line} | Info]}`
    static func frame(_ heap: Ref<Heap>, _ location: UnsafePointer<Location>, arity: Term, info: Term) -> Term {
        let function = location.pointee.function.unsafelyUnwrapped
        let arity = arity.isList ? arity : Term.small(Int(function.pointee.arity))
        let place = locationInfo(heap, location, tail: info)
        return heap.tuple(function.pointee.moduleName, function.pointee.name, arity, place)
    }

    /// `[{file,File},{line,Line} | tail]`, or `tail` where the line is not known.
    static func locationInfo(_ heap: Ref<Heap>, _ location: UnsafePointer<Location>, tail: Term) -> Term {
        guard location.pointee.line != 0, let function = location.pointee.function,
            let (file, line) = LoadedModule.of(function).sourcePosition(heap, Int(location.pointee.line))
        else { return tail }
        let lineEntry = heap.tuple(Atoms.line, .small(line))
        return heap.cons(heap.tuple(Atoms.file, file), heap.cons(lineEntry, tail))
    }
}
