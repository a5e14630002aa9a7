// TermStack.swift: the explicit stack of walks that keep one term per level (deep lists), so that depth costs memory
// and not native stack. It allocates on first use; `release` gives the memory back.

public import CMachine
import Glibc

@frozen public struct TermStack {
    @usableFromInline var base: Words?
    @usableFromInline var capacity = 0
    public var count = 0

    @inlinable public init() {}

    @inlinable public var isEmpty: Bool { count == 0 }

    @inlinable public mutating func push(_ term: Term) {
        if count == capacity { grow() }
        base.unsafelyUnwrapped[count] = term.raw
        count &+= 1
    }

    /// Requires: not empty.
    @inlinable public mutating func pop() -> Term {
        count &-= 1
        return Term(raw: base.unsafelyUnwrapped[count])
    }

    @inline(never) @usableFromInline mutating func grow() {
        capacity = max(capacity &* 2, 64)
        guard let memory = realloc(base, capacity &* 8) else { outOfMemory(capacity &* 8) }
        base = memory.assumingMemoryBound(to: UInt64.self)
    }

    public func release() {
        if let base { free(base) }
    }
}
