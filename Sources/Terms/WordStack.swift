// WordStack.swift: the explicit stack of everything that walks a term of any depth. It begins in memory that the
// caller lends (on the native stack) and moves to malloc'ed memory when that is full, so shallow walks allocate nothing.

public import CMachine

@frozen public struct WordStack {
    @usableFromInline var base: Words
    @usableFromInline var count = 0
    @usableFromInline var capacity: Int
    @usableFromInline var isOwned = false

    /// Requires: `buffer` outlives the stack. Call `release` when done.
    @inlinable public init(_ buffer: UnsafeMutableBufferPointer<UInt64>) {
        base = buffer.baseAddress.unsafelyUnwrapped
        capacity = buffer.count
    }

    @inlinable public var isEmpty: Bool { count == 0 }

    @inlinable public mutating func push(_ word: UInt64) {
        if count == capacity { grow() }
        base[count] = word
        count &+= 1
    }

    @inlinable public mutating func push(_ term: Term) { push(term.raw) }

    /// Requires: not empty.
    @inlinable public mutating func pop() -> UInt64 {
        count &-= 1
        return base[count]
    }

    @inline(never) @usableFromInline mutating func grow() {
        let larger = Words.allocate(capacity: capacity * 2)
        larger.update(from: base, count: count)
        if isOwned { base.deallocate() }
        base = larger
        capacity *= 2
        isOwned = true
    }

    @inlinable public func release() {
        if isOwned { base.deallocate() }
    }
}
