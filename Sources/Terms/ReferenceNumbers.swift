// ReferenceNumbers.swift: the numbers of new local references, of 82 bits. They count up, so that younger references
// order after older ones.

import CMachine

/// Counts the references made so far. Atomic.
nonisolated(unsafe) private var referenceCounter: UInt64 = 0

/// Makes the numbers start at `seed`, so that those of two runs differ. Call at boot, before any reference is made.
public func seedReferenceNumbers(_ seed: UInt64) { referenceCounter = seed }

/// The two number words of a new reference (Boxed.swift): number 0 (18 bits) | number 1 << 32, and number 2.
public func nextReferenceNumbers() -> (UInt64, UInt64) {
    let count = vm_fetch_add(&referenceCounter, 1)
    return (count & 0x3FFFF | (count &>> 18 & 0xFFFF_FFFF) &<< 32, count &>> 50)
}
