// WorkStack.swift: the explicit stack of the term walks (comparison and equality), so that the depth of a term costs
// memory and not native stack. Entries are three words. The first entries live in the caller's frame; `release` gives
// back what was allocated when those ran out.

import CMachine
import Glibc

struct WorkStack {
    private var base: Words
    private var used = 0
    private var capacity: Int
    private var isAllocated = false

    static let localWords = 96

    /// Starts in `words`, which stay the caller's.
    init(_ words: UnsafeMutableBufferPointer<UInt64>) {
        base = words.baseAddress.unsafelyUnwrapped
        capacity = words.count
    }

    var isEmpty: Bool { @inline(__always) get { used == 0 } }

    @inline(__always) mutating func push(_ a: UInt64, _ b: UInt64, _ c: UInt64) {
        if used &+ 3 > capacity { grow() }
        base[used] = a
        base[used &+ 1] = b
        base[used &+ 2] = c
        used = used &+ 3
    }

    /// Requires: not empty.
    @inline(__always) mutating func pop() -> (UInt64, UInt64, UInt64) {
        used = used &- 3
        return (base[used], base[used &+ 1], base[used &+ 2])
    }

    @inline(never) private mutating func grow() {
        let larger = capacity * 2
        guard let memory = malloc(larger * 8) else { outOfMemory(larger * 8) }
        let words = memory.assumingMemoryBound(to: UInt64.self)
        memcpy(words, base, used * 8)
        release()
        base = words
        capacity = larger
        isAllocated = true
    }

    func release() {
        if isAllocated { free(base) }
    }
}

extension UnsafeMutablePointer {
    @inline(__always) var address: UInt64 { UInt64(UInt(bitPattern: self)) }
}

/// The words at an address that was put on a WorkStack.
@inline(__always) func wordsAt(_ address: UInt64) -> Words { Words(bitPattern: UInt(address)).unsafelyUnwrapped }
