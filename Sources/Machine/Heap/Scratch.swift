// Scratch.swift: heaps that live for one operation.

public import CMachine
import Glibc
public import Terms

/// Frees the fragments of a heap and what its terms own. Requires: nothing points into it any more.
public func freeFragments(_ heap: Ref<Heap>) {
    releaseOffHeap(heap.pointee.offHeap)
    freeFragmentMemory(heap.pointee.fragments)
    heap.pointee = Heap()
}

/// Frees a chain of fragments that own nothing, or whose objects others look after.
func freeFragmentMemory(_ first: Ref<Fragment>?) {
    var next = first
    while let fragment = next {
        next = fragment.pointee.next
        free(fragment)
    }
}
