// GuardBifs.swift: BIFs called by bif and gc_bif instructions; the hottest have handlers of their own whose slow path
// is the general call. Words: `export arguments... destination j live`.

import CMachine
import Terms

extension UnsafeMutablePointer where Pointee == Context {
    /// Calls a BIF whose arguments are the `count` operand words from pc[2].
    fileprivate func guardBif(_ pc: CodePointer, _ count: Int) -> CodePointer {
        let export = exportOperand(pc)
        let fail = pc[3 + count]
        return withUnsafeTemporaryAllocation(of: Term.self, capacity: 3) { arguments in
            for i in 0..<count { arguments.initializeElement(at: i, to: source(pc[2 + i])) }
            guard let body = export.pointee.bif else { return failOrRaise(Atoms.undef, fail) }
            process.pointee.currentBif = export
            let result = body(process, arguments.baseAddress!)
            if !result.isNone {
                return complete(result, to: pc[2 + count], pc + 5 + count, live: Int(pc[4 + count]))
            }
            guard fail & 1 == 1 else {
                process.pointee.exceptionClass = .none
                return codePointer(fail)
            }
            // OTP has no BIF for this one in compiled code: its exception names only the caller.
            if count == 1, export.pointee.name == Atoms.plus {
                process.pointee.exceptionClass = .none
                return raise(Atoms.badarith, fail)
            }
            for i in 0..<count { x[i] = arguments[i] }
            process.pointee.location = locationOperand(fail)
            return raiseFromBif(export, process.pointee.reason, returning: false)
        }
    }
}

func slow_guard_bif1(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 1) }
func slow_guard_bif2(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 2) }
func slow_guard_bif3(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 3) }

/// `bif0 export destination`: self/0, node/0: cannot fail.
func slow_bif0(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let export = exportOperand(pc)
    if let body = export.pointee.bif { c.store(pc[2], body(c.process, UnsafePointer(c.x))) }
    return pc + 3
}

@inline(__always) func op_self(_ m: Registers) {
    m.store(m.word(1), m.c.pointee.process.pointee.id)
    m.next(2)
}

/// `element export index tuple destination j live`
@inline(__always) func op_element(_ m: Registers) -> Bool {
    let index = m.source(m.word(2))
    let tuple = m.source(m.word(3))
    guard _fastPath(index.isSmall), _fastPath(tuple.isTuple) else { return false }
    let position = index.smallValue &- 1
    guard _fastPath(UInt(bitPattern: position) < UInt(bitPattern: tuple.tupleSize)) else { return false }
    m.store(m.word(4), tuple.element(position))
    m.next(7)
    return true
}

@inline(__always) private func unary(_ m: Registers, _ value: Term) {
    m.store(m.word(3), value)
    m.next(6)
}

@inline(__always) func op_hd(_ m: Registers) -> Bool {
    let list = m.source(m.word(2))
    guard _fastPath(list.isCons) else { return false }
    unary(m, list.head)
    return true
}

@inline(__always) func op_tl(_ m: Registers) -> Bool {
    let list = m.source(m.word(2))
    guard _fastPath(list.isCons) else { return false }
    unary(m, list.tail)
    return true
}

@inline(__always) func op_tuple_size(_ m: Registers) -> Bool {
    let tuple = m.source(m.word(2))
    guard _fastPath(tuple.isTuple) else { return false }
    unary(m, .small(tuple.tupleSize))
    return true
}

@inline(__always) func op_map_size(_ m: Registers) -> Bool {
    let map = m.source(m.word(2))
    guard _fastPath(map.isMap) else { return false }
    unary(m, .small(Int(truncatingIfNeeded: map.pointer[1])))
    return true
}

/// Whole binaries only; bit strings round up in the slow path.
@inline(__always) func op_byte_size(_ m: Registers) -> Bool {
    let term = m.source(m.word(2))
    guard _fastPath(term.isBitstring) else { return false }
    if term.subtag == Subtag.subBinary, term.pointer[3] & 0xFF != 0 { return false }
    unary(m, .small(Int(truncatingIfNeeded: term.pointer[1])))
    return true
}

func slow_element(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 2) }
func slow_hd(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 1) }
func slow_tl(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 1) }
func slow_tuple_size(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 1) }
func slow_map_size(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 1) }
func slow_byte_size(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { c.guardBif(pc, 1) }

/// `length export list destination j live`: a long list is counted over several slices. Between them the part not
/// counted yet stands in the register behind the live ones, and Process.partialLength is what was counted.
func slow_length(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let process = c.process
    let live = Int(pc[5])
    var count = Int(process.pointee.partialLength)
    var list = count > 0 ? c.x[live] : c.source(pc[2])
    process.pointee.partialLength = 0
    let limit = count &+ max(Int(process.pointee.sliceReductions), 1) &* 16
    let before = count
    while list.isCons, count < limit {
        count &+= 1
        list = list.tail
    }
    process.bump((count &- before) / 16)
    if list.isCons, live < Int(xRegisterCount) {
        process.pointee.partialLength = UInt64(count)
        c.x[live] = list
        return c.leaveYielding(at: pc, live: live + 1)
    }
    if list.isNil {
        // A safepoint like any other BIF's: a message that is too large for the heap's limit ends the process here.
        return c.complete(.small(count), to: pc[3], pc + 6, live: live)
    }
    let fail = pc[4]
    guard fail & 1 == 1 else { return codePointer(fail) }
    c.x[0] = c.source(pc[2])
    process.pointee.location = locationOperand(fail)
    return c.raiseFromBif(exportOperand(pc), Atoms.badarg, returning: false)
}
