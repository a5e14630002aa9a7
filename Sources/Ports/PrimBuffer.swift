// PrimBuffer.swift: prim_buffer, a byte buffer behind a reference. Only one process at a time may use it; the callers
// see to that, if need be with try_lock and unlock. The lock inside keeps a program that breaks the rule from harm.

import CMachine
import Glibc
import Machine
import Terms

private final class PrimBuffer {
    /// Guards `queue`.
    var lock = Lock()
    var queue = ByteQueue()
    /// What try_lock and unlock work on: 1 while taken. Guarded by `lock`.
    var isTaken = false
}

nonisolated(unsafe) private let bufferKind = newResourceKind()

private func withBuffer(_ process: Ref<Process>, _ term: Term, _ body: (PrimBuffer) -> Term) -> Term {
    guard let data = resourceData(term, bufferKind) else { return process.badarg() }
    let buffer = Unmanaged<PrimBuffer>.fromOpaque(data).takeUnretainedValue()
    vm_lock(&buffer.lock)
    defer { vm_unlock(&buffer.lock) }
    return body(buffer)
}

func prim_buffer_new_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.makeMagicReference(newResource(bufferKind, owning: PrimBuffer()))
}

func prim_buffer_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { process.heap.integer($0.queue.count) }
}

func prim_buffer_write_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { buffer in
        // The whole list is looked at first: OTP checks 64 at a time, but a bad list leaves no trace here.
        var rest = arguments[1]
        while rest.isCons {
            guard rest.head.isBitstring, rest.head.isBinary || rest.head.wholeByteCount == 0 else {
                return process.badarg()
            }
            rest = rest.tail
        }
        guard rest.isNil else { return process.badarg() }
        rest = arguments[1]
        while rest.isCons {
            buffer.queue.append(binary: rest.head)
            rest = rest.tail
        }
        return Atoms.ok
    }
}

func prim_buffer_peek_head_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { buffer in
        buffer.queue.isEmpty ? process.badarg() : buffer.queue.firstBinary(process.heap)
    }
}

/// A count of bytes that the buffer holds.
private func byteCount(_ term: Term, in buffer: PrimBuffer) -> Int? {
    guard let count = uint64(term), count <= UInt64(buffer.queue.count) else { return nil }
    return Int(count)
}

func prim_buffer_copying_read_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { buffer in
        guard let count = byteCount(arguments[1], in: buffer) else { return process.badarg() }
        let (term, bytes) = process.heap.makeBinary(count)
        buffer.queue.read(count, to: bytes)
        return term
    }
}

func prim_buffer_skip_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { buffer in
        guard let count = byteCount(arguments[1], in: buffer) else { return process.badarg() }
        buffer.queue.skip(count)
        return Atoms.ok
    }
}

func prim_buffer_find_byte_index_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { buffer in
        guard let needle = int32(arguments[1]), let byte = UInt8(exactly: needle) else { return process.badarg() }
        process.bump(min(buffer.queue.count / 256, 4000))
        guard let index = buffer.queue.index(of: byte) else { return Atoms.not_found }
        return process.heap.okTuple(process.heap.integer(index))
    }
}

func prim_buffer_try_lock_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { buffer in
        if buffer.isTaken { return Atoms.busy }
        buffer.isTaken = true
        return Atoms.acquired
    }
}

func prim_buffer_unlock_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withBuffer(process, arguments[0]) { buffer in
        guard buffer.isTaken else { return process.raise(Atoms.lock_order_violation) }
        buffer.isTaken = false
        return Atoms.ok
    }
}

let primBufferTable: [Bif] = [
    Bif("prim_buffer", "new", 0, prim_buffer_new_0),
    Bif("prim_buffer", "size", 1, prim_buffer_size_1),
    Bif("prim_buffer", "write", 2, prim_buffer_write_2),
    Bif("prim_buffer", "peek_head", 1, prim_buffer_peek_head_1),
    Bif("prim_buffer", "copying_read", 2, prim_buffer_copying_read_2),
    Bif("prim_buffer", "skip", 2, prim_buffer_skip_2),
    Bif("prim_buffer", "find_byte_index", 2, prim_buffer_find_byte_index_2),
    Bif("prim_buffer", "try_lock", 1, prim_buffer_try_lock_1),
    Bif("prim_buffer", "unlock", 1, prim_buffer_unlock_1),
]
