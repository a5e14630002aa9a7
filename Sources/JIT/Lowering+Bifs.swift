// Lowering+Bifs.swift: native functions that have a fast half in line.

import CLLVM
import CMachine
import Machine
import Terms

extension Lowering {
    var isSetelement: Bool {
        let export = UnsafePointer<Export>(bitPattern: UInt(raw(0)))!.pointee
        return export.module == Atoms.erlang && export.name == Atoms.setelement && export.arity == 3
    }

    /// setelement(I, T, V): a copy of the tuple on the heap, if there is room; everything else is the BIF's.
    func lowerSetelement() {
        let slow = newBlock("slow")
        func demand(_ condition: Value) { self.demand(condition, or: slow, "setelement") }
        let header = tupleHeader(.x(1))
        let (index, tuple, element) = (x(0), x(1), x(2))
        if !isKnownSmall(.x(0)) { demand(ir.equal(ir.and(index, 15), 15)) }
        if header == nil { demand(ir.equal(ir.and(tuple, 3), 2)) }
        let object = self.object(tuple)
        let head = header.map { ir.word($0) } ?? word(object, 0)
        if header == nil { demand(ir.equal(ir.and(head, 63), Subtag.tuple << 2)) }
        let position = smallValue(index)
        let size = ir.shiftRightLogical(head, ir.int(6))
        demand(ir.compare(LLVMIntULT, ir.sub(position, ir.int(1)), size))
        let bytes = ir.shiftLeft(ir.add(size, ir.int(1)), ir.int(3))
        demandRoom(bytes, or: slow)
        demand(ir.compare(LLVMIntSGT, reductions, ir.int(1)))
        callElsewhere(slow)
        copy(object, header.map { Header.words($0) + 1 }, bytes: bytes)
        let copied = heapTop
        ir.store(element, ir.offset(copied, ir.shiftLeft(position, ir.int(3))), .heap)
        heapTop = ir.offset(copied, bytes)
        setX(0, boxed(copied))
        reductions = ir.sub(reductions, ir.int(1))
        if let header { learnTuple(.x(0), header) }
        known.credits = 0
        ir.branch(continuation())
    }

    /// Copies an object to the top of the heap; `words`: its size, if that is known.
    private func copy(_ object: Value, _ words: Int?, bytes: Value) {
        let target = heapTop
        if let words, words <= 16 {
            for index in 0..<words { setWord(target, index, word(object, index)) }
        } else {
            copyWords(object, to: target, .heap, bytes: bytes)
        }
    }
}
