// Delivery.swift: the one way from this target to a process: messages built on their own heap and handed to the
// receiver's signal queue. The sending function is a slot, filled before the first scheduler starts.

public import CMachine
import Glibc
import Machine
import Terms

public enum Delivery {
    /// Sends `message`, whose parts lie on `heap`, from `from` (a pid or port, an immediate) to a local pid. Takes over
    /// what the heap owns. A receiver that does not exist is no error. Constant after boot.
    nonisolated(unsafe) public static var send: (@Sendable (_ from: Term, _ to: Term, _ message: Term, Heap) -> Void)? =
        nil
}

/// Sends the message that `build` makes to the process `pid`.
func deliver(from sender: Term = Atoms.system, to pid: Term, _ build: (Ref<Heap>) -> Term) {
    var heap = Heap()
    let message = build(&heap)
    if let send = Delivery.send { send(sender, pid, message, heap) } else { discard(heap) }
}

/// Gives back what a heap without an owner holds.
func discard(_ heap: Heap) {
    releaseOffHeap(heap.offHeap)
    var fragment = heap.fragments
    while let current = fragment {
        fragment = current.pointee.next
        releaseOffHeap(current.pointee.offHeap)
        free(current)
    }
}

nonisolated(unsafe) private var lastReference: UInt64 = 0

/// Numbers for a new reference of this node.
func nextReferenceNumbers() -> (UInt64, UInt64) {
    let number = vm_fetch_add(&lastReference, 1)
    return (number & 0x3_FFFF | (number >> 18) << 32, 0xFFFF_FFFF)
}
