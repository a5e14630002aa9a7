// Bif.swift: how native functions (BIFs) are declared and what they may use.
//
// A BIF is a global function named module_function_arity with the type BifBody:
//
//     func lists_member_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term
//
// It builds terms with `process.heap...`, which never collects, and returns a term; or it returns what
// `process.badarg()` and friends return after they stored the exception. Tables of rows make it known.

public import CMachine
public import Terms

public typealias Arguments = UnsafePointer<Term>

/// One row of the BIF table.
public struct Bif: Sendable {
    public let module: StaticString
    public let name: StaticString
    public let arity: Int
    public let body: BifBody
    /// The dirty pool whose threads run it, 0 for none.
    public let dirty: UInt8

    public init(
        _ module: StaticString, _ name: StaticString, _ arity: Int, dirty: UInt8 = 0, _ body: @escaping BifBody
    ) {
        self.module = module
        self.name = name
        self.arity = arity
        self.body = body
        self.dirty = dirty
    }
}

/// Class of an exception, as kept in Process.exceptionClass.
@frozen public enum ExceptionClass {
    public static let error = 1
    public static let exit = 2
    public static let `throw` = 3
    /// Not an exception: continue in `trapTarget` with the stored x registers.
    public static let trap = 4
}

extension UnsafeMutablePointer where Pointee == Process {
    /// The heap that a native function builds its terms on.
    @inlinable public var heap: Ref<Heap> { UnsafeMutableRawPointer(self).assumingMemoryBound(to: Heap.self) }

    /// Stores an exception and answers what the BIF must return.
    @inline(never) public func raise(_ reason: Term, as exceptionClass: Int = ExceptionClass.error) -> Term {
        pointee.exceptionClass = .small(exceptionClass)
        pointee.reason = reason
        pointee.trace = .nil
        pointee.exceptionArguments = .none
        pointee.exceptionInfo = .none
        return .none
    }

    /// An error whose error_info carries `cause`, from which erl_erts_errors and its kin explain it.
    public func raise(_ reason: Term, cause: Term) -> Term {
        _ = raise(reason)
        pointee.exceptionInfo = cause
        return .none
    }

    public func badarg() -> Term { raise(Atoms.badarg) }
    public func badarith() -> Term { raise(Atoms.badarith) }
    public func systemLimit() -> Term { raise(Atoms.system_limit) }
    public func undef() -> Term { raise(Atoms.undef) }
    public func notsup() -> Term { raise(Atoms.notsup) }
    public func badmap(_ term: Term) -> Term { raise(heap.tuple(Atoms.badmap, term)) }
    public func badkey(_ key: Term) -> Term { raise(heap.tuple(Atoms.badkey, key)) }

    /// Charges `count` reductions for work done in native code.
    @inlinable public func bump(_ count: Int) { pointee.sliceReductions &-= Int64(count) }
}
