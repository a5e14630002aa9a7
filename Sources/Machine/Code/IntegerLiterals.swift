// IntegerLiterals.swift: the large integers that stand as operands in code. They belong to no module, and equal ones are
// one term, so code that is loaded over and over does not fill the literal range.

public import CMachine
import Terms

public enum IntegerLiterals {
    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`: by the words of the object.
    nonisolated(unsafe) private static var terms: [[UInt64]: Term] = [:]

    /// `integer`, or its literal if it is no small one.
    public static func shared(_ integer: Term) -> Term {
        guard !integer.isImmediate else { return integer }
        let words = (0...Header.words(integer.header)).map { integer.pointer[$0] }
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if let term = terms[words] { return term }
        var offHeap = OffHeapList()
        let term = copyToLiterals(integer, offHeap: &offHeap).term
        terms[words] = term
        return term
    }
}
