// PrimFileHandles.swift: the native functions of prim_file that work on an open file. Results and errors have the
// shapes that prim_file.erl expects: `ok`, `{ok, X}`, `eof`, `{error, Reason}`; arguments of a wrong type are badarg.

import CMachine
import Glibc
import Machine
import Terms

// MARK: - Reading and writing

/// Repeats a read until `count` bytes are there, the end is reached or an error happens. Answers the bytes read, or
/// the negated error number if there are none.
private func readFully(_ count: Int, _ readSome: (_ done: Int) -> Int) -> Int {
    var done = 0
    while done < count {
        let result = readSome(done)
        if result > 0 {
            done += result
        } else if result == 0 {
            break
        } else if errno != EINTR {
            return -Int(errno)
        }
    }
    return done
}

/// A binary read by `readSome(target, count, done)`: `{ok, Binary}`, `eof` or `{error, Reason}`.
private func readBinary(
    _ heap: Ref<Heap>, _ count: Int, _ readSome: (Bytes, Int, Int) -> Int
) -> Term {
    switch readBytes(heap, count, readSome) {
    case .bytes(let binary): heap.okTuple(binary)
    case .end: Atoms.eof
    case .failure(let error): heap.posixError(error)
    }
}

enum ReadResult {
    case bytes(Term)
    case end
    case failure(Int32)
}

/// Reads up to `count` bytes into a new binary.
func readBytes(_ heap: Ref<Heap>, _ count: Int, _ readSome: (Bytes, Int, Int) -> Int) -> ReadResult {
    guard count > 0 else {
        var byte: UInt8 = 0
        return readSome(&byte, 0, 0) < 0 ? .failure(errno) : .end
    }
    let head = MemoryLayout<Binary>.size
    guard count < Int.max - head, let memory = malloc(head + count) else { return .failure(ENOMEM) }
    let binary = memory.assumingMemoryBound(to: Binary.self)
    binary.initialize(to: Binary(references: 1, capacity: UInt64(count), flags: 0))
    let result = readFully(count) { done in readSome(binary.bytes + done, min(count - done, 1 << 30), done) }
    guard result > 0 else {
        free(memory)
        return result == 0 ? .end : .failure(Int32(-result))
    }
    return .bytes(heap.adoptTrimmed(binary, count: result))
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// A binary of the first `count` bytes; gives back what is left of the capacity. Requires: one reference.
    func adoptTrimmed(_ binary: Ref<Binary>, count: Int) -> Term {
        if count <= Layout.heapBinaryLimit {
            defer { binary.release() }
            return makeBinary(binary.bytes, count: count)
        }
        return adopt(count < Int(binary.pointee.capacity) ? resizeBinary(binary, capacity: count) : binary, count: count)
    }
}

func prim_file_read_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard arguments[1].isNumber else { return process.badarg() }
        guard let count = int64(arguments[1]), count >= 0 else { return process.heap.posixError(EINVAL) }
        let descriptor = file.pointee.descriptor
        return readBinary(process.heap, count) { target, count, _ in read(descriptor, target, count) }
    }
}

func prim_file_pread_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard arguments[1].isNumber, arguments[2].isNumber else { return process.badarg() }
        guard let offset = int64(arguments[1]), let count = int64(arguments[2]), offset >= 0, count >= 0 else {
            return process.heap.posixError(EINVAL)
        }
        let descriptor = file.pointee.descriptor
        return readBinary(process.heap, count) { target, count, done in
            pread(descriptor, target, count, offset &+ done)
        }
    }
}

/// Writes all bytes of the vector with `writeSome(vector, count, done)`; answers the error number, or 0.
private func writeFully(_ vector: ByteVector, _ writeSome: (UnsafePointer<iovec>, Int32, Int) -> Int) -> Int32 {
    var parts = vector.views.map { iovec(iov_base: UnsafeMutableRawPointer($0.start), iov_len: $0.count) }
    return parts.withUnsafeMutableBufferPointer { parts in
        var first = 0
        var done = 0
        while first < parts.count {
            let result = writeSome(parts.baseAddress! + first, Int32(parts.count - first), done)
            if result < 0 {
                if errno == EINTR { continue }
                return errno
            }
            if result == 0 { return 0 }
            done += result
            var left = result
            while left > 0 {
                let size = parts[first].iov_len
                if left < size {
                    parts[first].iov_base += left
                    parts[first].iov_len -= left
                    break
                }
                left -= size
                first += 1
            }
        }
        return 0
    }
}

func prim_file_write_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard let vector = ByteVector(arguments[1]) else { return process.badarg() }
        defer { vector.release() }
        let descriptor = file.pointee.descriptor
        let error = writeFully(vector) { parts, count, _ in writev(descriptor, parts, count) }
        if error != 0 { return process.heap.posixError(error) }
        return vector.rest.isNil ? Atoms.ok : process.heap.tuple(Atoms.continue, vector.rest)
    }
}

func prim_file_pwrite_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard arguments[1].isNumber, let vector = ByteVector(arguments[2]) else { return process.badarg() }
        defer { vector.release() }
        guard let offset = int64(arguments[1]), offset >= 0 else { return process.heap.posixError(EINVAL) }
        let descriptor = file.pointee.descriptor
        let error = writeFully(vector) { parts, count, done in pwritev(descriptor, parts, count, offset &+ done) }
        if error != 0 { return process.heap.posixError(error) }
        guard vector.rest.isCons else { return Atoms.ok }
        return process.heap.tuple(Atoms.continue, process.heap.integer(vector.byteCount), vector.rest)
    }
}

/// Reads a size and a position (both 32-bit big-endian) at an offset, then what they point at.
func prim_file_ipread_s32bu_p32bu_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard arguments[1].isNumber, arguments[2].isNumber else { return process.badarg() }
        guard let offset = int64(arguments[1]), let limit = int64(arguments[2]), offset >= 0, limit < 1 << 31 else {
            return process.heap.posixError(EINVAL)
        }
        let descriptor = file.pointee.descriptor
        var block: UInt64 = 0
        let got = withUnsafeMutableBytes(of: &block) { bytes in
            readFully(8) { done in pread(descriptor, bytes.baseAddress! + done, 8 - done, offset &+ done) }
        }
        if got < 0 { return process.heap.posixError(Int32(-got)) }
        guard got == 8 else { return Atoms.eof }
        let size = Int(UInt64(bigEndian: block) >> 32)
        let position = Int(UInt32(truncatingIfNeeded: UInt64(bigEndian: block)))
        guard size <= limit else { return Atoms.eof }
        let heap = process.heap
        let data: Term
        switch readBytes(heap, size, { target, count, done in pread(descriptor, target, count, position + done) }) {
        case .failure(let error): return heap.posixError(error)
        case .end: data = Atoms.eof
        case .bytes(let binary): data = binary
        }
        return heap.okTuple(heap.tuple(.small(size), .small(position), data))
    }
}

// MARK: - Opening and closing

private func openFlags(_ modes: Term) -> (flags: Int32, isDirectory: Bool, skipTypeCheck: Bool) {
    var (reads, writes, appends, exclusive, synchronous) = (false, false, false, false, false)
    var (isDirectory, skipTypeCheck) = (false, false)
    var rest = modes
    while rest.isCons {
        switch rest.head {
        case Atoms.read: reads = true
        case Atoms.write: writes = true
        case Atoms.append: appends = true
        case Atoms.exclusive: exclusive = true
        case Atoms.sync: synchronous = true
        case Atoms.skip_type_check: skipTypeCheck = true
        case Atoms.directory: isDirectory = true
        default: break
        }
        rest = rest.tail
    }
    writes = writes || appends || exclusive
    var flags = !writes ? O_RDONLY : reads ? O_RDWR | O_CREAT : O_WRONLY | O_CREAT | O_TRUNC
    if appends { flags = flags & ~O_TRUNC | O_APPEND }
    if exclusive { flags |= O_EXCL }
    if synchronous { flags |= O_SYNC }
    if isDirectory { flags |= O_DIRECTORY }
    // Children of ports see no other descriptors than their own.
    return (flags | O_CLOEXEC, isDirectory, skipTypeCheck)
}

func prim_file_open_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isList else { return process.badarg() }
    let mode = openFlags(arguments[1])
    return withPath(process, arguments[0]) { path in
        var descriptor: Int32
        repeat {
            descriptor = open(path, mode.flags, mode.isDirectory ? 0o777 : 0o666)
        } while descriptor < 0 && errno == EINTR
        if descriptor < 0 { return process.heap.posixError(errno) }
        if !mode.skipTypeCheck, !mode.isDirectory {
            var status = stat()
            if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
                close(descriptor)
                return process.heap.posixError(EISDIR)
            }
        }
        return makeFileHandle(process, descriptor)
    }
}

func prim_file_file_desc_to_ref_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let descriptor = int32(arguments[0]) else { return process.badarg() }
    if fcntl(descriptor, F_GETFL) == -1, errno == EBADF { return process.heap.posixError(EBADF) }
    return makeFileHandle(process, descriptor)
}

func prim_file_close_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let file = fileHandle(arguments[0]) else { return process.badarg() }
    guard file.move(from: FileHandle.State.idle, to: FileHandle.State.closed) else {
        return process.heap.posixError(EINVAL)
    }
    FileOwners.remove(file)
    let error = file.closeDescriptor()
    return error == 0 ? Atoms.ok : process.heap.posixError(error)
}

/// For the helper process: closes a file that its owner's death has marked closed.
func prim_file_delayed_close_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let file = fileHandle(arguments[0]), file.pointee.descriptor >= 0,
        file.pointee.state == FileHandle.State.closed
    else { return process.badarg() }
    _ = file.closeDescriptor()
    return Atoms.ok
}

// MARK: - Position, size and hints

func prim_file_seek_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard let offset = int64(arguments[2]) else { return process.badarg() }
        let origin: Int32
        switch arguments[1] {
        case Atoms.bof: origin = SEEK_SET
        case Atoms.cur: origin = SEEK_CUR
        case Atoms.eof: origin = SEEK_END
        default: return process.badarg()
        }
        let position = lseek(file.pointee.descriptor, offset, origin)
        return position < 0 ? process.heap.posixError(errno) : process.heap.okTuple(process.heap.integer(position))
    }
}

func prim_file_sync_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard let dataOnly = int32(arguments[1]) else { return process.badarg() }
        let descriptor = file.pointee.descriptor
        return okOrError(process, dataOnly != 0 ? fdatasync(descriptor) : fsync(descriptor))
    }
}

func prim_file_truncate_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        let position = lseek(file.pointee.descriptor, 0, SEEK_CUR)
        return okOrError(process, position < 0 ? -1 : ftruncate(file.pointee.descriptor, position))
    }
}

func prim_file_allocate_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard arguments[1].isNumber, arguments[2].isNumber else { return process.badarg() }
        guard let offset = int64(arguments[1]), let length = int64(arguments[2]), offset >= 0, length >= 0 else {
            return process.heap.posixError(EINVAL)
        }
        var error: Int32
        repeat { error = posix_fallocate(file.pointee.descriptor, offset, length) } while error == EINTR
        return error == 0 ? Atoms.ok : process.heap.posixError(error)
    }
}

func prim_file_advise_nif_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        guard arguments[1].isNumber, arguments[2].isNumber else { return process.badarg() }
        let advice: Int32
        switch arguments[3] {
        case Atoms.normal: advice = POSIX_FADV_NORMAL
        case Atoms.random: advice = POSIX_FADV_RANDOM
        case Atoms.sequential: advice = POSIX_FADV_SEQUENTIAL
        case Atoms.will_need: advice = POSIX_FADV_WILLNEED
        case Atoms.dont_need: advice = POSIX_FADV_DONTNEED
        case Atoms.no_reuse: advice = POSIX_FADV_NOREUSE
        default: return process.heap.posixError(EINVAL)
        }
        guard let offset = int64(arguments[1]), let length = int64(arguments[2]), offset >= 0, length >= 0 else {
            return process.heap.posixError(EINVAL)
        }
        // It answers an error number, never -1, so OTP's test for a negative result never fails.
        _ = posix_fadvise(file.pointee.descriptor, offset, length, advice)
        return Atoms.ok
    }
}

func prim_file_get_handle_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        var descriptor = file.pointee.descriptor
        return withUnsafeBytes(of: &descriptor) { process.heap.makeBinary($0.bindMemory(to: UInt8.self)) }
    }
}

func prim_file_read_handle_info_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withFile(process, arguments) { file in
        var status = stat()
        guard fstat(file.pointee.descriptor, &status) == 0 else { return process.heap.posixError(errno) }
        return fileInfo(process.heap, status, access: accessByMode(status))
    }
}

/// What the mode bits allow this user, without asking the system.
private func accessByMode(_ status: stat) -> (read: Bool, write: Bool) {
    let shift: UInt32 = status.st_uid == geteuid() ? 6 : status.st_gid == getegid() ? 3 : 0
    let bits = status.st_mode >> shift
    return (bits & 4 != 0, bits & 2 != 0)
}

let primFileHandlesTable: [Bif] = [
    dirtyRow("open_nif", 2, prim_file_open_nif_2),
    Bif("prim_file", "file_desc_to_ref_nif", 1, prim_file_file_desc_to_ref_nif_1),
    dirtyRow("close_nif", 1, prim_file_close_nif_1),
    dirtyRow("delayed_close_nif", 1, prim_file_delayed_close_nif_1),
    dirtyRow("read_nif", 2, prim_file_read_nif_2),
    dirtyRow("write_nif", 2, prim_file_write_nif_2),
    dirtyRow("pread_nif", 3, prim_file_pread_nif_3),
    dirtyRow("pwrite_nif", 3, prim_file_pwrite_nif_3),
    dirtyRow("ipread_s32bu_p32bu_nif", 3, prim_file_ipread_s32bu_p32bu_nif_3),
    Bif("prim_file", "seek_nif", 3, prim_file_seek_nif_3),
    dirtyRow("sync_nif", 2, prim_file_sync_nif_2),
    dirtyRow("truncate_nif", 1, prim_file_truncate_nif_1),
    dirtyRow("allocate_nif", 3, prim_file_allocate_nif_3),
    dirtyRow("advise_nif", 4, prim_file_advise_nif_4),
    Bif("prim_file", "get_handle_nif", 1, prim_file_get_handle_nif_1),
    dirtyRow("read_handle_info_nif", 1, prim_file_read_handle_info_nif_1),
]
