// Resources.swift: magic references of this target: objects outside the heap that live as long as a reference to them.

import CMachine
import Glibc
import Machine
import Terms

/// A reference to a new object of `kind` (an address that no other kind uses). `destroy` runs when the last reference
/// is gone; `data` is its own.
func makeResource(
    _ heap: Ref<Heap>, _ kind: UnsafeRawPointer, data: UnsafeMutableRawPointer,
    destroy: @escaping @convention(c) (UnsafeMutablePointer<MagicBinary>) -> Void
) -> Term {
    let size = MemoryLayout<MagicBinary>.size
    guard let memory = malloc(size) else { outOfMemory(size) }
    let magic = memory.assumingMemoryBound(to: MagicBinary.self)
    magic.initialize(to: MagicBinary())
    magic.pointee.head = Binary(references: 1, capacity: 0, flags: UInt64(binaryIsMagic))
    magic.pointee.numbers = nextReferenceNumbers()
    magic.pointee.kind = kind
    magic.pointee.data = data
    magic.pointee.destroy = destroy
    return heap.makeMagicReference(magic)
}

/// The data of a reference to an object of `kind`; nil for any other term.
func resourceData(_ term: Term, _ kind: UnsafeRawPointer) -> UnsafeMutableRawPointer? {
    guard term.isBoxed(Subtag.magicReference), term.magicBinary.pointee.kind == kind else { return nil }
    return term.magicBinary.pointee.data
}

/// The value of an integer that fits 64 bits with a sign.
func signed64(_ term: Term) -> Int64? {
    if term.isSmall { return Int64(term.smallValue) }
    guard term.isBig, term.bigLimbCount == 1 else { return nil }
    let limb = term.bigLimbs[0]
    if term.bigIsNegative { return limb <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- limb) : nil }
    return Int64(exactly: limb)
}

/// The value of an integer that fits 64 bits without a sign.
func unsigned64(_ term: Term) -> UInt64? {
    if term.isSmall { return UInt64(exactly: term.smallValue) }
    guard term.isBig, term.bigLimbCount == 1, !term.bigIsNegative else { return nil }
    return term.bigLimbs[0]
}
