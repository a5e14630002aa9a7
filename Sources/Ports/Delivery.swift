// Delivery.swift: from this target to processes: messages built on a heap of their own, and what a heap without an
// owner holds.

import CMachine
import Glibc
import Machine
import Terms

/// Sends the message that `build` makes to the process `pid`; a process that does not exist is no error. `sender`: a
/// pid or port, or none for the VM.
func deliver(from sender: Term = .none, to pid: Term, _ build: (Ref<Heap>) -> Term) {
    sendBuilt(to: pid, from: sender, build)
}

/// Gives back what a heap without an owner holds.
func discard(_ heap: Heap) {
    releaseOffHeap(heap.offHeap)
    freeFragments(heap.fragments)
}
