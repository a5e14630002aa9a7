// Feedback.swift: what the slow paths of arithmetic and comparisons have met, for the JIT. It stands in the upper half of
// an operand word whose lower half alone is the operand: `l` of arithmetic, the packed registers of comparisons, or a
// word for nothing else. Four counts of four bits that stop at 15; fast paths neither read nor write them.
//
// Only while the JIT is on. Schedulers write and the compile thread reads without order: a count may be lost, the lower
// half never changes, and nothing but speed depends on the counts.

import CMachine
import Terms

public struct Feedback: Equatable {
    /// What was seen, by the position of its count.
    public enum Kind: UInt64, CaseIterable, Sendable {
        /// A large integer as an operand or as the result.
        case large = 32
        /// A float as the first or second operand.
        case firstFloat = 36
        case secondFloat = 40
        /// An operand that is no number, or an operation that failed.
        case other = 44

        public var name: String {
            switch self {
            case .large: "large integer"
            case .firstFloat: "float first"
            case .secondFloat: "float second"
            case .other: "other"
            }
        }
    }
    private static let limit: UInt64 = 15
    private static let mask: UInt64 = 0xFFFF_0000_0000
    /// Whatever comes, the JIT makes the same of it: nothing is counted any more.
    private static let settled: UInt64 = 1 << 48

    private var counts: UInt64

    /// From the word of an instruction.
    public init(_ word: UInt64 = 0) { counts = word & Self.mask }

    public func count(_ kind: Kind) -> Int { Int(counts >> kind.rawValue & Self.limit) }
    public var isEmpty: Bool { counts == 0 }

    /// What has been seen at least so often.
    public func kinds(_ least: Int = 1) -> [Kind] { Kind.allCases.filter { count($0) >= least } }

    /// The operand in a word that feedback may stand in.
    @inline(__always) public static func operand(_ word: UInt64) -> Int { Int(word & 0xFFFF) }

    private mutating func add(_ kind: Kind) {
        if counts >> kind.rawValue & Self.limit < Self.limit { counts += 1 << kind.rawValue }
    }

    private mutating func add(_ a: Term, _ b: Term) {
        if a.isFloat { add(.firstFloat) }
        if b.isFloat { add(.secondFloat) }
        if a.isBig || b.isBig { add(.large) }
        if !a.isNumber || !b.isNumber { add(.other) }
    }

    private func write(_ cell: CodePointer) {
        let word = cell.pointee
        let isSettled = count(.large) == Self.limit || count(.other) == Self.limit
        let new = word & ~Self.mask | counts | (isSettled ? Self.settled : 0)
        if new != word { UnsafeMutablePointer(mutating: cell).pointee = new }
    }

    /// Arithmetic whose operands or result are not all small integers. `cell`: the word with the counts.
    @inline(__always) static func note(_ cell: CodePointer, _ a: Term, _ b: Term, result: Term) {
        if cell.pointee & settled == 0, JITHooks.threshold != 0 { add(cell, a, b, result) }
    }

    @inline(never) private static func add(_ cell: CodePointer, _ a: Term, _ b: Term, _ result: Term) {
        var seen = Feedback(cell.pointee)
        if result.isFailure {
            seen.add(.other)
        } else {
            seen.add(a, b)
            if a.isSmall, b.isSmall, !result.isFloat { seen.add(.large) }
        }
        seen.write(cell)
    }

    /// A comparison of operands that are not both small integers.
    @inline(__always) static func note(_ cell: CodePointer, _ a: Term, _ b: Term) {
        if cell.pointee & settled == 0, JITHooks.threshold != 0 { add(cell, a, b) }
    }

    @inline(never) private static func add(_ cell: CodePointer, _ a: Term, _ b: Term) {
        var seen = Feedback(cell.pointee)
        seen.add(a, b)
        seen.write(cell)
    }
}

/// What a call of a fun has called: a word of the instruction that holds nothing yet, the one FunEntry it has met, or
/// `several`, for good. Written like the counts above.
public enum FunTarget {
    public static var several: UInt64 { 1 }
    /// Without the JIT nobody wants to know.
    static var unknown: UInt64 { JITHooks.threshold == 0 ? several : 0 }

    static func note(_ cell: CodePointer, _ fun: Term) {
        guard fun.isFun, !fun.funIsExternal, cell.pointee != several else { return }
        let entry = fun.pointer[1]
        guard cell.pointee != entry else { return }
        UnsafeMutablePointer(mutating: cell).pointee = cell.pointee == 0 ? entry : several
    }

    /// The function that a fun with this entry runs; nil: there are several, none yet, or it is not one of `module`, whose
    /// entry may have been freed. Requires: the module stays.
    public static func function(_ word: UInt64, of module: LoadedModule) -> (entry: Ref<FunEntry>, function: Ref<Function>)? {
        for index in 0..<module.funCount where UInt64(UInt(bitPattern: module.funs[index])) == word {
            return module.funs[index].pointee.function.map { (module.funs[index], $0) }
        }
        return nil
    }
}
