// CodeArena.swift: memory for the threaded code of one module. Addresses never move; all of it is given back when the
// module is purged. Locations have an arena of their own, because stack traces may name them after the purge.

import CMachine
import Glibc
import Terms

/// Blocks of threaded code. Not safe for two threads at once: the module's lock is held by who decodes.
struct CodeArena {
    private struct Block {
        let start: Words
        let words: Int
    }

    private let firstBlock: Int
    private var blocks: [Block] = []
    private var used = 0

    /// `firstBlock`: words of the first block; each further one has twice as many.
    init(firstBlock: Int) { self.firstBlock = firstBlock }

    /// `count` words, not initialised.
    mutating func allocate(_ count: Int) -> Words {
        if let last = blocks.last, last.words - used >= count {
            used += count
            return last.start + (used - count)
        }
        let size = max(count, min(firstBlock << min(blocks.count, 16), 1 << 16))
        guard let memory = malloc(size * 8) else { outOfMemory(size * 8) }
        let block = Block(start: memory.assumingMemoryBound(to: UInt64.self), words: size)
        blocks.append(block)
        used = count
        return block.start
    }

    /// Gives back the last `count` words of the latest allocation.
    mutating func giveBack(_ count: Int) { used -= count }

    func contains(_ address: UInt) -> Bool {
        blocks.contains { address &- UInt(bitPattern: $0.start) < UInt($0.words * 8) }
    }

    /// From the lowest to the highest address; nil if empty.
    var range: Range<UInt>? {
        guard let low = blocks.map({ UInt(bitPattern: $0.start) }).min() else { return nil }
        return low..<blocks.reduce(low) { max($0, UInt(bitPattern: $1.start + $1.words)) }
    }

    var byteCount: Int { blocks.reduce(0) { $0 + $1.words * 8 } }

    mutating func free() {
        for block in blocks { Glibc.free(block.start) }
        blocks = []
        used = 0
    }
}
