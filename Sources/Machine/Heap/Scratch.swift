// Scratch.swift: heaps that live for one operation.

import CMachine
import Glibc
import Terms

/// Frees the fragments of a heap and what its terms own. Requires: nothing points into it any more.
func freeFragments(_ heap: Ref<Heap>) {
    releaseOffHeap(heap.pointee.offHeap)
    var next = heap.pointee.fragments
    while let fragment = next {
        next = fragment.pointee.next
        free(fragment)
    }
    heap.pointee = Heap()
}
