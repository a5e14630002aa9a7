// Trap.swift: how a native function continues in other code: `return process.trap(to: export, a, b)`. The call of the
// native function turns into a call of `export` with these arguments, whose result is the native function's result.

public import CMachine
public import Terms

extension UnsafeMutablePointer where Pointee == Process {
    /// Up to six arguments; the export's arity must be their number.
    @inline(never) public func trap(to export: Ref<Export>, _ arguments: Term...) -> Term {
        pointee.exceptionClass = .small(ExceptionClass.trap)
        pointee.trapTarget = export
        // inlineX is free while the process runs.
        for (index, argument) in arguments.enumerated() { inlineRegisters[index] = argument }
        return .none
    }

    /// Asks that the process leaves once the trap under way is set up, to go on when somebody wakes it.
    public func requestPark() { pointee.flags |= ProcessFlags.park }

    /// Whether the native function asked to park; forgets it.
    public func takeParkRequest() -> Bool {
        guard pointee.flags & ProcessFlags.park != 0 else { return false }
        pointee.flags &= ~ProcessFlags.park
        return true
    }
}
