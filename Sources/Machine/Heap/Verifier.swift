// Verifier.swift: walks a process's heap after a collection and checks that every object and term is well formed.
// Compiled in debug builds only (VM_CHECKS).

import CMachine
import Terms

#if DEBUG
    struct HeapFault: Error, Equatable {
        let text: String
        static let header = HeapFault(text: "header where a term should be")
        static let end = HeapFault(text: "heap object runs past the end of the heap")
        static let pointer = HeapFault(text: "pointer out of the heap")
        static let boxed = HeapFault(text: "boxed pointer to no header")
    }
#endif

extension UnsafeMutablePointer where Pointee == Process {
    #if DEBUG
        func verifyIfChecking() {
            do throws(HeapFault) { try verifyHeap() } catch { preconditionFailure(error.text) }
        }

        func verifyHeap() throws(HeapFault) {
            try verifyRegion(pointee.heapStart, pointee.heap.top.unsafelyUnwrapped)
            if let start = pointee.oldStart, let top = pointee.oldTop { try verifyRegion(start, top) }
            var slot = pointee.stackTop
            while slot < pointee.stackEnd {
                if slot[0] & 3 != 0, !Term(raw: slot[0]).isCatch { try verify(slot[0]) }
                slot += 1
            }
        }

        private func verifyRegion(_ start: Words, _ top: Words) throws(HeapFault) {
            var scan = start
            while scan < top { scan = try verifyObject(scan, top) }
        }

        private func verifyObject(_ scan: Words, _ top: Words) throws(HeapFault) -> Words {
            let word = scan[0]
            guard word & 3 == 0 else {
                try verify(word)
                return scan + 1
            }
            guard Header.words(word) < top - scan else { throw .end }
            let end = scan + (Header.words(word) + 1)
            var first = end
            switch Header.subtag(word) {
            case Subtag.tuple: first = scan + 1
            case Subtag.map: first = scan + (Header.mapKind(word) == 1 ? 1 : 2)
            case Subtag.fun: first = scan + 4
            case Subtag.subBinary: first = scan + 4
            default: break
            }
            while first < end {
                try verify(first[0])
                first += 1
            }
            return end
        }

        /// A term in a heap: an immediate, or a pointer into the process, the literals or the shared constants.
        private func verify(_ raw: UInt64) throws(HeapFault) {
            let term = Term(raw: raw)
            if term.isImmediate { return }
            guard !term.isHeader else { throw .header }
            let address = UInt(bitPattern: term.pointer)
            func lies(_ start: Words?, _ end: Words?) -> Bool {
                address >= UInt(bitPattern: start) && address < UInt(bitPattern: end)
            }
            let isConstant = address &- literalBase < literalSize || term == .emptyTuple || term == .emptyMap
            guard lies(pointee.heapStart, pointee.heap.top) || lies(pointee.oldStart, pointee.oldTop) || isConstant
            else {
                throw .pointer
            }
            guard !term.isBoxed || term.header & 3 == 0 else { throw .boxed }
        }
    #else
        @inline(__always) func verifyIfChecking() {}
    #endif
}
