// ArithmeticResult.swift: from the result of an arithmetic function (Terms/Arithmetic.swift) to what a BIF returns.

public import CMachine
public import Terms

extension UnsafeMutablePointer where Pointee == Process {
    /// `result`, or badarith or system_limit raised if it is a failure.
    @inlinable public func arithmetic(_ result: Term) -> Term { result.isFailure ? arithmeticFailure(result) : result }

    /// Requires: `result.isFailure`.
    @inline(never) public func arithmeticFailure(_ result: Term) -> Term {
        result.isNone ? badarith() : systemLimit()
    }
}
