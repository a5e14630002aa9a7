// TraceActions.swift: what match specifications do to the trace of the process that runs them.

public import CMachine
public import Terms

public enum TraceActions {
    /// `{M, F, Arity}` of the function that the process returns to, or undefined.
    public static func caller(_ process: Ref<Process>) -> Term {
        let heap = process.heap
        if let function = process.pointee.location?.pointee.function { return name(heap, function) }
        var slot = process.pointee.stackTop
        while slot < process.pointee.stackEnd {
            let word = slot[0]
            if word & 3 == 0, word != 0, !isTraceFrame(word) {
                let location = Ref<Location>(bitPattern: UInt(codePointer(word)[-1]))
                return location?.pointee.function.map { name(heap, $0) } ?? Atoms.undefined
            }
            slot += 1
        }
        return Atoms.undefined
    }

    private static func name(_ heap: Ref<Heap>, _ function: Ref<Function>) -> Term {
        heap.tuple(function.pointee.moduleName, function.pointee.name, .small(Int(function.pointee.arity)))
    }

    private static func isTraceFrame(_ word: UInt64) -> Bool {
        let address = codePointer(word)
        return address == TraceCode.onReturn || address == TraceCode.onReturnTo || address == TraceCode.onReturnTime
    }

    /// `silent(true | false)`
    public static func silent(_ process: Ref<Process>, _ value: Term) -> Term {
        guard value == Atoms.true || value == Atoms.false else { return Atoms.false }
        let old = Tracees.find(process).flags & TraceFlags.silent != 0
        Tracees.update(process) {
            $0.flags = value == Atoms.true ? $0.flags | TraceFlags.silent : $0.flags & ~TraceFlags.silent
        }
        return old ? Atoms.true : Atoms.false
    }

    /// `enable_trace(Flag)` and `disable_trace(Flag)`, of the process or, given a pid first, of another one.
    public static func change(_ process: Ref<Process>, on: Bool, _ operands: [Term]) -> Term {
        guard let flag = operands.last, let bit = TraceFlags.bit(flag) else { return .none }
        guard operands.count == 1 || operands[0] == process.pointee.id else {
            guard operands[0].isLocalPid, let other = ProcessTable.find(operands[0]) else { return .none }
            let tracer = on ? Tracees.find(process).tracer : Term.nil
            _ = Tracees.change(other, operands[0], on: on, bit, tracer: tracer)
            return Atoms.true
        }
        Tracees.update(process) { $0.flags = on ? $0.flags | bit : $0.flags & ~bit }
        return Atoms.true
    }

    /// `trace(Disable, Enable)`, with a tracer at the end if there are three.
    public static func replace(_ process: Ref<Process>, _ operands: [Term]) -> Term {
        guard let off = TraceRequest(operands[0]), let on = TraceRequest(operands[1]) else { return .none }
        var tracer = operands.count == 3 ? tracerTerm(operands[2]) ?? .nil : on.tracer
        let old = Tracees.find(process)
        if tracer.isNil { tracer = old.tracer }
        Tracees.update(process) {
            $0.flags = $0.flags & ~off.flags | on.flags
            $0.tracer = tracer
        }
        return Tracees.find(process).flags == old.flags ? Atoms.false : Atoms.true
    }
}
