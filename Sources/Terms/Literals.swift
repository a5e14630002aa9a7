// Literals.swift: the address range of constant terms: literals of modules and persistent terms. A term in it never
// moves, is never written, and may be shared by all processes, so copying and collecting stop at its border.
//
// Terms are freed only when no process can hold them any more (after a purge or the scan that follows erasing a
// persistent term). Freed blocks are reused within their size class.

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
    /// Freed blocks from this size on give their memory back to the system.
    private static let largeWords = 1 << 14

    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`: the first word never used, and the freed blocks of each size class, linked through their first word.
    nonisolated(unsafe) private static var next: UInt = 0
    nonisolated(unsafe) private static var freed = [Words?](repeating: nil, count: 64 * 8)
    nonisolated(unsafe) private static var usedWords = 0

    /// AddressRanges of the areas that are being released, 0 if there are none: copies of terms do not point into them.
    /// Release store by the literal collector; whoever still sees the old value is asked once more (LiteralReleases).
    nonisolated(unsafe) private static var releasedAreas: UInt64 = 0
    static var released: Words? { Words(bitPattern: UInt(vm_load_acquire(&releasedAreas))) }

    /// A copy under way may still look at the ranges given before.
    public static func setReleased(_ ranges: Words?) {
        vm_store_release(&releasedAreas, UInt64(UInt(bitPattern: ranges)))
    }

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

    /// Index and size of the class of blocks for `count` words: eight classes to each doubling, all of them even.
    static func sizeClass(_ count: Int) -> (index: Int, words: Int) {
        if count <= 16 { return (max(count + 1, 2) / 2, max(count + 1, 2) / 2 * 2) }
        let shift = Int.bitWidth - 4 - (count - 1).leadingZeroBitCount
        let eighths = (count - 1) >> shift + 1
        return (shift * 8 + eighths, eighths << shift)
    }

    /// A block of `count` words, which the caller fills before it publishes a term in it.
    public static func allocate(_ count: Int) -> Words {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        usedWords += count
        let (index, words) = sizeClass(count)
        if let block = freed[index] {
            freed[index] = Words(bitPattern: UInt(block[0]))
            return block
        }
        guard UInt(words) * 8 <= literalBase + literalSize - next else { outOfMemory(words * 8) }
        defer { next += UInt(words) * 8 }
        return Words(bitPattern: next).unsafelyUnwrapped
    }

    /// Gives back a block. Requires: nothing points into it.
    public static func free(_ block: Words, words count: Int) {
        let (index, words) = sizeClass(count)
        if words >= largeWords { giveBackPages(block, words) }
        vm_lock(&lock)
        block[0] = UInt64(UInt(bitPattern: freed[index]))
        freed[index] = block
        usedWords -= count
        vm_unlock(&lock)
    }

    /// The whole pages of a freed block.
    private static func giveBackPages(_ block: Words, _ words: Int) {
        let page: UInt = 4096
        let start = (UInt(bitPattern: block) + page - 1) / page * page
        let end = (UInt(bitPattern: block) + UInt(words) * 8) / page * page
        madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED)
    }
}
