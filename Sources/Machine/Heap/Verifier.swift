// Verifier.swift: walks a process's heap after a collection and checks that every object and term is well formed.
// Compiled in debug builds only (VM_CHECKS).

import CMachine
import Terms

extension UnsafeMutablePointer where Pointee == Process {
    #if DEBUG
        func verifyIfChecking() {
            verifyRegion(pointee.heapStart, pointee.heap.top.unsafelyUnwrapped)
            if let start = pointee.oldStart, let top = pointee.oldTop { verifyRegion(start, top) }
            var slot = pointee.stackTop
            while slot < pointee.stackEnd {
                if slot[0] & 3 != 0, !Term(raw: slot[0]).isCatch { verify(slot[0]) }
                slot += 1
            }
        }

        private func verifyRegion(_ start: Words, _ top: Words) {
            var scan = start
            while scan < top { scan = verifyObject(scan) }
            precondition(scan == top, "heap object runs past the end of the heap")
        }

        private func verifyObject(_ scan: Words) -> Words {
            let word = scan[0]
            guard word & 3 == 0 else {
                verify(word)
                return scan + 1
            }
            let end = scan + (Header.words(word) + 1)
            var first = end
            switch Header.subtag(word) {
            case Subtag.tuple: first = scan + 1
            case Subtag.map: first = scan + (Header.mapKind(word) == 1 ? 1 : 2)
            case Subtag.fun: first = scan + 3
            case Subtag.subBinary: first = scan + 4
            default: break
            }
            while first < end {
                verify(first[0])
                first += 1
            }
            return end
        }

        /// A term in a heap: an immediate, or a pointer into the process, the literals or the shared constants.
        private func verify(_ raw: UInt64) {
            let term = Term(raw: raw)
            if term.isImmediate { return }
            precondition(!term.isHeader, "header where a term should be")
            let address = UInt(bitPattern: term.pointer)
            func lies(_ start: Words?, _ end: Words?) -> Bool {
                address >= UInt(bitPattern: start) && address < UInt(bitPattern: end)
            }
            let isConstant = address &- literalBase < literalSize || term == .emptyTuple || term == .emptyMap
            precondition(
                lies(pointee.heapStart, pointee.heap.top) || lies(pointee.oldStart, pointee.oldTop) || isConstant,
                "pointer out of the heap")
            if term.isBoxed { precondition(term.header & 3 == 0, "boxed pointer to no header") }
        }
    #else
        @inline(__always) func verifyIfChecking() {}
    #endif
}
