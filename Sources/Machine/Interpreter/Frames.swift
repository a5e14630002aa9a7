// Frames.swift: stack frames, heap tests and returns.
//
//     stackTop (e) -> y0 y1 ... y(n-1) | return address | caller's y0 ...
//
// A heap or frame test that fails collects and tries again: the collector makes the room that was asked for.

import CMachine
import Terms

/// `words`: length of the instruction.
@inline(__always) private func allocate(_ m: Registers, heapBytes: Int = 0, zero: Bool = false, words: Int) -> Bool {
    let bytes = m.int(1)
    guard _fastPath(m.hasRoom(bytes &+ heapBytes)) else { return false }
    m.e.pointee = (UnsafeMutableRawPointer(m.e.pointee) - bytes).assumingMemoryBound(to: UInt64.self)
    if zero {
        for i in 0..<(bytes &>> 3) { m.e.pointee[i] = Term.nil.raw }
    }
    m.next(words)
    return true
}

@inline(__always) func op_allocate(_ m: Registers) -> Bool { allocate(m, words: 3) }
@inline(__always) func op_allocate_zero(_ m: Registers) -> Bool { allocate(m, zero: true, words: 3) }
@inline(__always) func op_allocate_heap(_ m: Registers) -> Bool { allocate(m, heapBytes: m.int(2), words: 4) }
@inline(__always) func op_allocate_heap_zero(_ m: Registers) -> Bool {
    allocate(m, heapBytes: m.int(2), zero: true, words: 4)
}

@inline(__always) func op_test_heap(_ m: Registers) -> Bool {
    guard _fastPath(m.hasRoom(m.int(1))) else { return false }
    m.next(3)
    return true
}

private func collectAndRetry(_ c: Ref<Context>, _ pc: CodePointer, bytes: UInt64, live: UInt64) -> CodePointer {
    let ahead = Int(c.pointee.wordsAhead)
    c.pointee.wordsAhead = 0
    return c.collectOrLeave(need: Int(bytes) / 8 + ahead, live: Int(live), at: pc) ?? pc
}
private func frameAndRetry(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    collectAndRetry(c, pc, bytes: pc[1], live: pc[2])
}
private func frameAndHeapAndRetry(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    collectAndRetry(c, pc, bytes: pc[1] + pc[2], live: pc[3])
}

func slow_allocate(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { frameAndRetry(c, pc) }
func slow_allocate_zero(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { frameAndRetry(c, pc) }
func slow_test_heap(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { frameAndRetry(c, pc) }
func slow_allocate_heap(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { frameAndHeapAndRetry(c, pc) }
func slow_allocate_heap_zero(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer { frameAndHeapAndRetry(c, pc) }

/// `collect words live`: placed before every heap test when the VM runs with --gc-stress. A large stack is copied only now
/// and then, or deep recursion would take quadratic time.
func slow_collect(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    if c.process.stackWords > 1 << 14, c.process.pointee.sliceReductions & 63 != 0 { return pc + 3 }
    return c.collect(need: Int(pc[1]), live: Int(pc[2])) ? pc + 3 : c.leaveExiting()
}

@inline(__always) func op_deallocate(_ m: Registers) {
    m.e.pointee = (UnsafeMutableRawPointer(m.e.pointee) + m.int(1)).assumingMemoryBound(to: UInt64.self)
    m.next(2)
}

@inline(__always) func op_trim(_ m: Registers) {
    m.e.pointee = (UnsafeMutableRawPointer(m.e.pointee) + m.int(1)).assumingMemoryBound(to: UInt64.self)
    m.next(2)
}

@inline(__always) func op_return(_ m: Registers) {
    let e = m.e.pointee
    m.pc.pointee = codePointer(e[0])
    m.e.pointee = e + 1
}

@inline(__always) func op_deallocate_return(_ m: Registers) {
    let e = (UnsafeMutableRawPointer(m.e.pointee) + m.int(1)).assumingMemoryBound(to: UInt64.self)
    m.pc.pointee = codePointer(e[0])
    m.e.pointee = e + 1
}
