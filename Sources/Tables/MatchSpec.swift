// MatchSpec.swift: compiled match specifications: the program, its parts and its life.
//
// A specification is a list of {Pattern, Guards, Body}. Each clause becomes a run of instructions of one word each,
// operands following: first tests on the term, then the guards, then the body (MatchSpecPattern.swift and
// MatchSpecExpression.swift compile, MatchSpecRun.swift runs). Tables, ets:match_spec_run and tracing share them.
//
// A program is constant once compiled and may run on several threads at a time.

import CMachine
import Glibc
import Machine
import Terms

enum MatchFlags {
    /// For tables: the term is matched as it is, the body must return something.
    static let table: UInt32 = 1
    /// For tracing: the pattern is matched with a list of arguments, and more functions may be called.
    static let trace: UInt32 = 2
    /// Actions that change something are only tried out (erlang:match_spec_test/3).
    static let fakeActions: UInt32 = 4
    /// Actions on the traced process are allowed (call and send events).
    static let allowTraceActions: UInt32 = 8
    /// Actions that need a call are allowed.
    static let callTrace: UInt32 = 16
}

/// Instructions. "Frame" is the tuple, cell, map or value that a pattern looks into at the moment; `i` is the index of
/// a word in it.
enum MatchOp {
    static let tryElse: UInt64 = 0  // position of the next clause
    static let arguments: UInt64 = 1  // count
    static let bind: UInt64 = 2  // i, variable
    static let compare: UInt64 = 3  // i, variable
    static let equal: UInt64 = 4  // i, immediate
    static let identical: UInt64 = 5  // i, term
    static let equalFloat: UInt64 = 6  // i, bits
    static let tuple: UInt64 = 7  // i, size; enters it
    static let list: UInt64 = 8  // i; enters the cell
    static let tail: UInt64 = 9  // the frame's tail is a cell: moves there
    static let map: UInt64 = 10  // i, least size; enters it
    static let key: UInt64 = 11  // key; enters its value
    static let leave: UInt64 = 12
    static let bindArguments: UInt64 = 13  // variable

    static let constant: UInt64 = 20  // term
    static let variable: UInt64 = 21  // variable
    static let whole: UInt64 = 22
    static let cons: UInt64 = 23  // head below tail
    static let makeTuple: UInt64 = 24  // size
    static let makeMap: UInt64 = 25  // pairs
    static let call: UInt64 = 26  // function, arguments
    static let and: UInt64 = 27  // count
    static let or: UInt64 = 28  // count
    static let andAlso: UInt64 = 29  // where to go with false
    static let orElse: UInt64 = 30  // where to go with true
    static let isTrue: UInt64 = 31
    static let drop: UInt64 = 32
    static let result: UInt64 = 33
    static let body: UInt64 = 34
    static let halt: UInt64 = 35
    static let action: UInt64 = 36  // action, arguments
    static let argumentList: UInt64 = 37
}

struct MatchProgram {
    let code: Words
    let codeWords: Int
    /// Words for variables (two each) and for the stack.
    let variables: Int
    let stackWords: Int
    /// Constant terms.
    let fragments: Ref<Fragment>?
    let offHeap: OffHeapList

    /// Words of scratch memory that a run takes.
    var scratchWords: Int { 2 &* variables &+ stackWords }
}

extension UnsafeMutablePointer where Pointee == MatchProgram {
    func free() {
        releaseOffHeap(pointee.offHeap)
        freeFragmentMemory(pointee.fragments)
        Glibc.free(pointee.code)
        deallocate()
    }
}

/// A growing array of words, freed by hand.
struct WordBuffer {
    private(set) var words: Words
    private(set) var capacity: Int
    var count = 0

    init(capacity: Int = 64) {
        guard let memory = malloc(capacity * 8) else { outOfMemory(capacity * 8) }
        words = memory.assumingMemoryBound(to: UInt64.self)
        self.capacity = capacity
    }

    @inline(__always) mutating func push(_ word: UInt64) {
        if count == capacity { growBuffer() }
        words[count] = word
        count &+= 1
    }

    @inline(never) private mutating func growBuffer() {
        capacity *= 2
        guard let memory = realloc(words, capacity * 8) else { outOfMemory(capacity * 8) }
        words = memory.assumingMemoryBound(to: UInt64.self)
    }

    func release() { Glibc.free(words) }
}

// MARK: - As a term

enum MatchReference {
    nonisolated(unsafe) private static var kindMark: UInt8 = 0

    static var kind: UnsafeRawPointer { withUnsafeMutablePointer(to: &kindMark) { UnsafeRawPointer($0) } }

    /// A magic reference that owns `program`.
    static func make(_ program: Ref<MatchProgram>, _ process: Ref<Process>) -> Term {
        let magic = Ref<MagicBinary>.allocate(capacity: 1)
        magic.initialize(to: MagicBinary())
        magic.pointee.head = Binary(references: 1, capacity: 0, flags: UInt64(binaryIsMagic))
        magic.pointee.numbers = References.make(process.pointee.scheduler)
        magic.pointee.kind = kind
        magic.pointee.data = UnsafeMutableRawPointer(program)
        magic.pointee.destroy = { magic in
            magic.pointee.data?.assumingMemoryBound(to: MatchProgram.self).free()
        }
        return process.heap.makeMagicReference(magic)
    }

    /// The program of a reference; nil if it is no compiled specification.
    static func program(_ term: Term) -> Ref<MatchProgram>? {
        guard term.isBoxed(Subtag.magicReference) else { return nil }
        let magic = term.magicBinary
        guard magic.pointee.kind == kind else { return nil }
        return magic.pointee.data?.assumingMemoryBound(to: MatchProgram.self)
    }
}

// MARK: - Variables

/// Number of a variable `'$N'`; nil for every other term.
@inline(__always) func matchVariable(_ term: Term) -> Int? {
    guard term.isAtom else { return nil }
    let entry = AtomTable.entry(term)
    guard entry.pointee.bytes.pointee == 0x24 else { return nil }
    return variableNumber(entry.pointee.bytes, Int(entry.pointee.count))
}

@inline(never) private func variableNumber(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int? {
    guard count >= 2 else { return nil }
    if bytes[1] == 0x30 { return count == 2 ? 0 : nil }
    var number = 0
    for index in 1..<count {
        let digit = Int(bytes[index]) - 0x30
        guard digit >= 0, digit <= 9 else { return nil }
        number = number &* 10 &+ digit
        if number > Int(Int32.max) { return nil }
    }
    return number
}

/// Whether a pattern has variables or `'_'` in it, in maps too.
func hasMatchVariable(_ term: Term) -> Bool {
    if term.isImmediate { return term == Atoms.underscore || matchVariable(term) != nil }
    var stack = WordBuffer()
    defer { stack.release() }
    stack.push(term.raw)
    while stack.count > 0 {
        stack.count -= 1
        var current = Term(raw: stack.words[stack.count])
        while current.isCons {
            stack.push(current.head.raw)
            current = current.tail
        }
        if current.isImmediate {
            if current == Atoms.underscore || matchVariable(current) != nil { return true }
        } else if current.isTuple {
            for index in 0..<current.tupleSize { stack.push(current.element(index).raw) }
        } else if current.isMap {
            var iterator = MapIterator(current)
            while let pair = iterator.next() {
                stack.push(pair.key.raw)
                stack.push(pair.value.raw)
            }
        }
    }
    return false
}
