// Zlib.swift: the native functions of module zlib. Codes of the library become atoms; a stream error or a data error
// is raised as error:stream_error or error:data_error.

import CMachine
import CZlib
import Glibc
import Machine
import Terms

nonisolated(unsafe) private let zlibKind = newResourceKind()

/// Runs `body` with the stream of `arguments[0]`, if the running process owns it.
private func withStream(
    _ process: Ref<Process>, _ arguments: Arguments, _ body: (ZlibStream) -> Term
) -> Term {
    guard let data = resourceData(arguments[0], zlibKind) else { return process.badarg() }
    let stream = Unmanaged<ZlibStream>.fromOpaque(data).takeUnretainedValue()
    vm_lock(&stream.lock)
    defer { vm_unlock(&stream.lock) }
    guard stream.owner == process.pointee.id else { return process.raise(Atoms.not_on_controlling_process) }
    return body(stream)
}

/// `withStream` for a stream in `state`.
private func withStream(
    _ process: Ref<Process>, _ arguments: Arguments, _ state: ZlibStream.State, _ body: (ZlibStream) -> Term
) -> Term {
    withStream(process, arguments) { stream in
        stream.state == state ? body(stream) : process.raise(Atoms.not_initialized)
    }
}

/// zlib's code as a result.
private func zlibResult(_ process: Ref<Process>, _ code: Int32) -> Term {
    switch code {
    case Z_OK: Atoms.ok
    case Z_STREAM_END: Atoms.stream_end
    case Z_ERRNO: .small(Int(errno))
    case Z_STREAM_ERROR: process.raise(Atoms.stream_error)
    case Z_DATA_ERROR: process.raise(Atoms.data_error)
    case Z_MEM_ERROR: Atoms.mem_error
    case Z_BUF_ERROR: Atoms.buf_error
    case Z_VERSION_ERROR: Atoms.version_error
    default: Atoms.unknown_error
    }
}

// MARK: - Life of a stream

func zlib_open_nif_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let stream = ZlibStream(owner: process.pointee.id)
    return process.heap.makeMagicReference(newResource(zlibKind, owning: stream))
}

func zlib_close_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { stream in
        if stream.state == .closed { return process.raise(Atoms.not_initialized) }
        stream.end()
        return Atoms.ok
    }
}

func zlib_set_controller_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isLocalPid else { return process.badarg() }
    return withStream(process, arguments) { stream in
        stream.owner = arguments[1]
        return Atoms.ok
    }
}

func zlib_deflateInit_nif_6(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let level = int32(arguments[1]), let method = int32(arguments[2]), let windowBits = int32(arguments[3]),
        let memoryLevel = int32(arguments[4]), let strategy = int32(arguments[5])
    else { return process.badarg() }
    return withStream(process, arguments) { stream in
        guard stream.state == .none else { return process.raise(Atoms.already_initialized) }
        stream.stream.pointee = z_stream()
        let code = deflateInit2_(
            stream.stream, level, method, windowBits, memoryLevel, strategy, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        if code == Z_OK { stream.started(.deflate, windowBits: windowBits) }
        return zlibResult(process, code)
    }
}

func zlib_inflateInit_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let windowBits = int32(arguments[1]), let atEnd = int32(arguments[2]) else { return process.badarg() }
    return withStream(process, arguments) { stream in
        guard stream.state == .none else { return process.raise(Atoms.already_initialized) }
        stream.stream.pointee = z_stream()
        let code = inflateInit2_(stream.stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        if code == Z_OK {
            stream.started(.inflate, windowBits: windowBits)
            stream.atEnd = atEnd
        }
        return zlibResult(process, code)
    }
}

func zlib_deflateReset_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments, .deflate) { stream in
        let code = deflateReset(stream.stream)
        stream.inputChecksum = 0
        stream.seenEnd = false
        stream.resetInput()
        return zlibResult(process, code)
    }
}

func zlib_inflateReset_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments, .inflate) { stream in
        let code = inflateReset(stream.stream)
        stream.outputChecksum = 0
        stream.seenEnd = false
        stream.resetInput()
        return zlibResult(process, code)
    }
}

/// Ends the run; input that nobody has used is an error.
private func finish(_ process: Ref<Process>, _ stream: ZlibStream, _ code: Int32, complete: Bool) -> Term {
    let result = code == Z_OK && !(complete && stream.input.isEmpty) ? Z_DATA_ERROR : code
    stream.resetInput()
    stream.state = .none
    return zlibResult(process, result)
}

func zlib_deflateEnd_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments, .deflate) { stream in
        finish(process, stream, deflateEnd(stream.stream), complete: true)
    }
}

func zlib_inflateEnd_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments, .inflate) { stream in
        finish(process, stream, inflateEnd(stream.stream), complete: stream.seenEnd)
    }
}

// MARK: - Compressing

func zlib_enqueue_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { stream in
        guard stream.state == .deflate || stream.state == .inflate else { return process.raise(Atoms.not_initialized) }
        let limit = 256
        guard let vector = ByteVector(arguments[1], limit: limit) else { return process.badarg() }
        defer { vector.release() }
        var rest = arguments[1]
        var taken = 0
        while rest.isCons, taken < limit {
            stream.input.append(binary: rest.head)
            rest = rest.tail
            taken += 1
        }
        return rest.isNil ? Atoms.ok : process.heap.tuple(Atoms.continue, rest)
    }
}

/// Runs the codec once: `{continue | finished, Output}` or `{need_dictionary, Checksum, Output}`.
private func codec(_ process: Ref<Process>, _ arguments: Arguments, _ stream: ZlibStream) -> Term {
    guard let inputSize = int32(arguments[1]), let outputSize = int32(arguments[2]), let flush = int32(arguments[3]),
        inputSize > 0, outputSize >= 0
    else { return process.badarg() }
    let binary = newBinary(capacity: Int(outputSize))
    let output = UnsafeMutableBufferPointer(start: binary.bytes, count: Int(outputSize))
    let (code, produced, consumed) = stream.run(process, inputLimit: Int(inputSize), output: output, flush: flush)
    if code < 0, code != Z_BUF_ERROR {
        binary.release()
        return zlibResult(process, code)
    }
    if code == Z_STREAM_END { stream.seenEnd = true }
    let remaining = stream.input.count
    if consumed == 0, produced == 0, remaining != 0 {
        // No progress: cannot happen on well-formed input.
        binary.release()
        return zlibResult(process, Z_DATA_ERROR)
    }
    let heap = process.heap
    var list = Term.nil
    if produced > 0 { list = heap.cons(heap.adoptTrimmed(binary, count: produced), .nil) } else { binary.release() }
    if remaining == 0, produced < Int(outputSize) { return heap.tuple(Atoms.finished, list) }
    if code != Z_NEED_DICT { return heap.tuple(Atoms.continue, list) }
    return heap.tuple(Atoms.need_dictionary, checksumTerm(stream.stream.pointee.adler), list)
}

/// A checksum as OTP gives it: a signed 32-bit number.
private func checksumTerm(_ checksum: UInt) -> Term { .small(Int(Int32(truncatingIfNeeded: checksum))) }

func zlib_deflate_nif_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments, .deflate) { codec(process, arguments, $0) }
}

func zlib_inflate_nif_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments, .inflate) { stream in
        if stream.seenEnd, !stream.input.isEmpty {
            switch stream.atEnd {
            case ZlibStream.AtEnd.fails: return zlibResult(process, Z_DATA_ERROR)
            case ZlibStream.AtEnd.startsAgain:
                let code = inflateReset(stream.stream)
                if code != Z_OK { return zlibResult(process, code) }
                stream.seenEnd = false
            case ZlibStream.AtEnd.isCut: stream.resetInput()
            default: break
            }
        }
        return codec(process, arguments, stream)
    }
}

func zlib_deflateParams_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let level = int32(arguments[1]), let strategy = int32(arguments[2]) else { return process.badarg() }
    return withStream(process, arguments, .deflate) { stream in
        // The caller has flushed everything, so no output is to come; one byte of room shows whether that holds.
        var byte: UInt8 = 0
        return withUnsafeMutablePointer(to: &byte) { room in
            stream.stream.pointee.next_out = room
            stream.stream.pointee.avail_out = 1
            let code = deflateParams(stream.stream, level, strategy)
            return zlibResult(process, stream.stream.pointee.avail_out == 0 ? Z_STREAM_ERROR : code)
        }
    }
}

// MARK: - Dictionaries and checksums

func zlib_deflateSetDictionary_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let bytes = iolistBytes(arguments[1]) else { return process.badarg() }
    defer { bytes.release() }
    return withStream(process, arguments, .deflate) { stream in
        let code = deflateSetDictionary(stream.stream, bytes.start, UInt32(truncatingIfNeeded: bytes.count))
        guard code == Z_OK else { return zlibResult(process, code) }
        // A stream without header does not compute it.
        let checksum = stream.isRaw
            ? adler32(0, bytes.start, UInt32(truncatingIfNeeded: bytes.count)) : stream.stream.pointee.adler
        return checksumTerm(UInt(checksum))
    }
}

func zlib_inflateSetDictionary_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let bytes = iolistBytes(arguments[1]) else { return process.badarg() }
    defer { bytes.release() }
    return withStream(process, arguments, .inflate) { stream in
        zlibResult(process, inflateSetDictionary(stream.stream, bytes.start, UInt32(truncatingIfNeeded: bytes.count)))
    }
}

func zlib_inflateGetDictionary_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments, .inflate) { stream in
        let binary = newBinary(capacity: 32768)
        var count: UInt32 = 0
        let code = inflateGetDictionary(stream.stream, binary.bytes, &count)
        if code < 0 {
            binary.release()
            return zlibResult(process, code)
        }
        return process.heap.adoptTrimmed(binary, count: Int(count))
    }
}

func zlib_crc32_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { stream in
        switch stream.state {
        case .deflate: .small(Int(stream.inputChecksum))
        case .inflate: .small(Int(stream.outputChecksum))
        case .none, .closed: process.raise(Atoms.not_initialized)
        }
    }
}

// MARK: - Odds and ends

func zlib_getStash_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { stream in
        stream.stash.isNone ? Atoms.empty : process.heap.okTuple(copyTerm(stream.stash, to: process.heap))
    }
}

func zlib_clearStash_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { stream in
        if stream.stash.isNone { return process.raise(Atoms.error) }
        stream.clearStash()
        return Atoms.ok
    }
}

func zlib_setStash_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { stream in
        guard stream.stash.isNone else { return process.raise(Atoms.error) }
        stream.stash = copyTerm(arguments[1], to: &stream.stashHeap, copyLiterals: true)
        return Atoms.ok
    }
}

func zlib_getBufSize_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { .small(Int($0.chunkSize)) }
}

func zlib_setBufSize_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withStream(process, arguments) { stream in
        guard let size = int32(arguments[1]) else { return process.badarg() }
        stream.chunkSize = size
        return Atoms.ok
    }
}

let zlibTable: [Bif] = [
    Bif("zlib", "open_nif", 0, zlib_open_nif_0),
    Bif("zlib", "close_nif", 1, zlib_close_nif_1),
    Bif("zlib", "set_controller_nif", 2, zlib_set_controller_nif_2),
    Bif("zlib", "deflateInit_nif", 6, zlib_deflateInit_nif_6),
    Bif("zlib", "deflateSetDictionary_nif", 2, zlib_deflateSetDictionary_nif_2),
    Bif("zlib", "deflateReset_nif", 1, zlib_deflateReset_nif_1),
    Bif("zlib", "deflateEnd_nif", 1, zlib_deflateEnd_nif_1),
    Bif("zlib", "deflateParams_nif", 3, zlib_deflateParams_nif_3),
    Bif("zlib", "deflate_nif", 4, zlib_deflate_nif_4),
    Bif("zlib", "inflateInit_nif", 3, zlib_inflateInit_nif_3),
    Bif("zlib", "inflateSetDictionary_nif", 2, zlib_inflateSetDictionary_nif_2),
    Bif("zlib", "inflateGetDictionary_nif", 1, zlib_inflateGetDictionary_nif_1),
    Bif("zlib", "inflateReset_nif", 1, zlib_inflateReset_nif_1),
    Bif("zlib", "inflateEnd_nif", 1, zlib_inflateEnd_nif_1),
    Bif("zlib", "inflate_nif", 4, zlib_inflate_nif_4),
    Bif("zlib", "crc32_nif", 1, zlib_crc32_nif_1),
    Bif("zlib", "getStash_nif", 1, zlib_getStash_nif_1),
    Bif("zlib", "clearStash_nif", 1, zlib_clearStash_nif_1),
    Bif("zlib", "setStash_nif", 2, zlib_setStash_nif_2),
    Bif("zlib", "getBufSize_nif", 1, zlib_getBufSize_nif_1),
    Bif("zlib", "setBufSize_nif", 2, zlib_setBufSize_nif_2),
    Bif("zlib", "enqueue_nif", 2, zlib_enqueue_nif_2),
]
