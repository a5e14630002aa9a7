// Literals.swift: the address range of constant terms: literals of modules and persistent terms. A term in it never
// moves, is never written, and may be shared by all processes, so copying and collecting stop at its border.
//
// Terms are freed only when no process can hold them any more (after a purge or the scan that follows erasing a
// persistent term). Freed blocks are reused by exact size.

import CMachine
import Glibc

/// First address of the range and its size in bytes; 0 until `Literals.boot`. Constant afterwards.
nonisolated(unsafe) public private(set) var literalBase: UInt = 0
nonisolated(unsafe) public private(set) var literalSize: UInt = 0

/// Requires: isBoxed or isCons.
@inlinable public func isLiteral(_ pointer: UnsafeRawPointer) -> Bool {
    UInt(bitPattern: pointer) &- literalBase < literalSize
}

public enum Literals {
    /// Address space reserved; memory is taken as it is used.
    private static let reserved = 1 << 36

    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`: the first word never used, and freed blocks as (words, block) pairs.
    nonisolated(unsafe) private static var next: UInt = 0
    nonisolated(unsafe) private static var freed: [(words: Int, block: Words)] = []
    nonisolated(unsafe) private static var usedWords = 0

    /// Reserves the range. Call once at boot.
    public static func boot() {
        guard literalSize == 0 else { return }
        let memory = mmap(nil, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { outOfMemory(reserved) }
        literalBase = UInt(bitPattern: memory)
        next = literalBase
        literalSize = UInt(reserved)
    }

    /// Bytes in use.
    public static var byteCount: Int { usedWords * 8 }

    /// A block of `count` words, which the caller fills before it publishes a term in it.
    public static func allocate(_ count: Int) -> Words {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        usedWords += count
        if let index = freed.lastIndex(where: { $0.words == count }) {
            return freed.remove(at: index).block
        }
        guard UInt(count) * 8 <= literalBase + literalSize - next else { outOfMemory(count * 8) }
        defer { next += UInt(count) * 8 }
        return Words(bitPattern: next).unsafelyUnwrapped
    }

    /// Gives back a block. Requires: nothing points into it.
    public static func free(_ block: Words, words count: Int) {
        vm_lock(&lock)
        freed.append((count, block))
        usedWords -= count
        vm_unlock(&lock)
    }
}
