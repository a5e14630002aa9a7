// PrimFilePaths.swift: the native functions of prim_file that work on paths. A path is the zero-terminated binary that
// internal_name2native/1 makes; anything else gives `{error, einval}`.

import CMachine
import Glibc
import Machine
import Terms

// MARK: - Arguments and results

/// Calls `body` with the path of `term` as a C string.
func withPath(_ process: Ref<Process>, _ term: Term, _ body: (UnsafePointer<CChar>) -> Term) -> Term {
    guard let view = ByteView(term) else { return process.heap.posixError(EINVAL) }
    defer { view.release() }
    // One or more zeros, all at the end.
    var length = view.count
    while length > 0, view.start[length - 1] == 0 { length -= 1 }
    guard length < view.count, memchr(view.start, 0, length) == nil else { return process.heap.posixError(EINVAL) }
    return view.start.withMemoryRebound(to: CChar.self, capacity: view.count) { body($0) }
}

/// `ok`, or the error of the call that has just failed.
func okOrError(_ process: Ref<Process>, _ result: Int32) -> Term {
    result == 0 ? Atoms.ok : process.heap.posixError(errno)
}

/// `#file_info{}` with times in seconds since 1970. Numbers are cut to 32 bits, times to 1902 and later, as in OTP.
func fileInfo(_ heap: Ref<Heap>, _ status: stat, access: (read: Bool, write: Bool)) -> Term {
    let kind: Term =
        switch status.st_mode & S_IFMT {
        case S_IFCHR, S_IFBLK: Atoms.device
        case S_IFDIR: Atoms.directory
        case S_IFREG: Atoms.regular
        case S_IFLNK: Atoms.symlink
        default: Atoms.other
        }
    let accessAtom =
        access.read ? access.write ? Atoms.read_write : Atoms.read : access.write ? Atoms.write : Atoms.none
    func cut(_ value: some BinaryInteger) -> Term { .small(Int(UInt32(truncatingIfNeeded: value))) }
    func seconds(_ time: timespec) -> Term { heap.integer(max(Int(time.tv_sec), -2_145_916_800)) }
    let fields: [Term] = [
        Atoms.file_info, heap.integer(Int(status.st_size)), kind, accessAtom,
        seconds(status.st_atim), seconds(status.st_mtim), seconds(status.st_ctim),
        cut(status.st_mode), cut(status.st_nlink), cut(status.st_dev), cut(status.st_rdev), cut(status.st_ino),
        cut(status.st_uid), cut(status.st_gid),
    ]
    let (tuple, elements) = heap.makeTuple(fields.count)
    for (index, field) in fields.enumerated() { elements[index] = field.raw }
    return tuple
}

// MARK: - Asking

func prim_file_read_info_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let followLinks = int32(arguments[1]) else { return process.badarg() }
    return withPath(process, arguments[0]) { path in
        var status = stat()
        guard (followLinks != 0 ? stat(path, &status) : lstat(path, &status)) == 0 else {
            return process.heap.posixError(errno)
        }
        return fileInfo(process.heap, status, access: (access(path, R_OK) == 0, access(path, W_OK) == 0))
    }
}

func prim_file_read_link_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { path in
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = buffer.withUnsafeMutableBytes { bytes in
                readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            if count <= 0 { return process.heap.posixError(errno) }
            if count < buffer.count {
                return buffer.withUnsafeBufferPointer { bytes in
                    process.heap.okTuple(process.heap.makeBinary(UnsafeBufferPointer(rebasing: bytes[..<count])))
                }
            }
            buffer = [UInt8](repeating: 0, count: buffer.count * 2)
        }
    }
}

/// Entries in the reverse of the order the system gives them, without `.` and `..`.
func prim_file_list_dir_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { path in
        guard let stream = opendir(path) else { return process.heap.posixError(errno) }
        defer { closedir(stream) }
        let heap = process.heap
        var list = Term.nil
        while let entry = readdir(stream) {
            let name = UnsafeRawPointer(entry).advanced(by: MemoryLayout<dirent>.offset(of: \.d_name)!)
                .assumingMemoryBound(to: UInt8.self)
            if name[0] == 0x2E, name[1] == 0 || (name[1] == 0x2E && name[2] == 0) { continue }
            list = heap.cons(heap.makeBinary(name, count: strlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))), list)
        }
        return heap.okTuple(list)
    }
}

func prim_file_read_file_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { path in
        var descriptor: Int32
        repeat { descriptor = open(path, O_RDONLY | O_CLOEXEC) } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else { return process.heap.posixError(errno) }
        defer { close(descriptor) }
        var status = stat()
        let known = fstat(descriptor, &status) == 0
        if known, status.st_mode & S_IFMT == S_IFDIR { return process.heap.posixError(EISDIR) }
        return readWholeFile(process, descriptor, expected: known ? Int(status.st_size) : 0)
    }
}

/// Reads to the end; a file that says it has `expected` bytes (0: unknown) is read that far.
private func readWholeFile(_ process: Ref<Process>, _ descriptor: Int32, expected: Int) -> Term {
    var binary = newBinary(capacity: expected > 0 ? expected : 16 << 10)
    var done = 0
    while true {
        let capacity = Int(binary.pointee.capacity)
        if done == capacity {
            if done == expected { break }
            binary = resizeBinary(binary, capacity: capacity * 2)
            continue
        }
        let count = read(descriptor, binary.bytes + done, min(capacity - done, 1 << 30))
        if count < 0 {
            if errno == EINTR { continue }
            let error = errno
            binary.release()
            return process.heap.posixError(error)
        }
        if count == 0 { break }
        done += count
    }
    return process.heap.okTuple(process.heap.adoptTrimmed(binary, count: done))
}

func prim_file_get_cwd_nif_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let path = getcwd(nil, 0) else { return process.heap.posixError(errno) }
    defer { free(path) }
    return path.withMemoryRebound(to: UInt8.self, capacity: strlen(path)) {
        process.heap.okTuple(process.heap.makeBinary($0, count: strlen(path)))
    }
}

/// Drives have a current directory on Windows only.
func prim_file_get_device_cwd_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    int32(arguments[0]) == nil ? process.badarg() : process.heap.posixError(ENOTSUP)
}

/// Only Windows has second names.
func prim_file_altname_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { _ in process.heap.posixError(ENOTSUP) }
}

// MARK: - Changing

func prim_file_set_cwd_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { okOrError(process, chdir($0)) }
}

func prim_file_make_dir_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { okOrError(process, mkdir($0, 0o777)) }
}

func prim_file_del_file_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { path in
        if unlink(path) == 0 { return Atoms.ok }
        return process.heap.posixError(errno == EISDIR ? EPERM : errno)
    }
}

func prim_file_del_dir_nif_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withPath(process, arguments[0]) { path in
        if rmdir(path) == 0 { return Atoms.ok }
        guard errno == ENOTEMPTY || errno == EEXIST else { return process.heap.posixError(errno) }
        var (there, here) = (stat(), stat())
        if stat(path, &there) == 0, stat(".", &here) == 0, there.st_ino == here.st_ino, there.st_dev == here.st_dev {
            return process.heap.posixError(EINVAL)
        }
        return process.heap.posixError(EEXIST)
    }
}

/// An operation on two paths; `adjust` may change the error number.
private func withTwoPaths(
    _ process: Ref<Process>, _ arguments: Arguments,
    _ operation: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Int32,
    adjust: (Int32, UnsafePointer<CChar>) -> Int32 = { error, _ in error }
) -> Term {
    withPath(process, arguments[0]) { first in
        withPath(process, arguments[1]) { second in
            if operation(first, second) == 0 { return Atoms.ok }
            return process.heap.posixError(adjust(errno, first))
        }
    }
}

func prim_file_rename_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withTwoPaths(process, arguments, { rename($0, $1) }) { error, old in
        error == ENOTEMPTY ? EEXIST : strcmp(old, "/") == 0 ? EINVAL : error
    }
}

func prim_file_make_hard_link_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withTwoPaths(process, arguments, { link($0, $1) })
}

func prim_file_make_soft_link_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withTwoPaths(process, arguments, { symlink($0, $1) })
}

func prim_file_set_permissions_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let permissions = uint32(arguments[1]) else { return process.badarg() }
    return withPath(process, arguments[0]) { path in
        if chmod(path, permissions & 0o6777) == 0 { return Atoms.ok }
        return okOrError(process, chmod(path, permissions & 0o777))
    }
}

func prim_file_set_owner_nif_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let owner = int32(arguments[1]), let group = int32(arguments[2]) else { return process.badarg() }
    return withPath(process, arguments[0]) { path in
        okOrError(process, chown(path, uid_t(bitPattern: owner), gid_t(bitPattern: group)))
    }
}

/// The creation time has no meaning here.
func prim_file_set_time_nif_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let accessed = int64(arguments[1]), let modified = int64(arguments[2]), int64(arguments[3]) != nil else {
        return process.badarg()
    }
    return withPath(process, arguments[0]) { path in
        var times = utimbuf(actime: accessed, modtime: modified)
        return okOrError(process, utime(path, &times))
    }
}

/// A row of prim_file whose function may block.
func dirtyRow(_ name: StaticString, _ arity: Int, _ body: @escaping BifBody) -> Bif {
    Bif("prim_file", name, arity, dirty: DirtyKind.io, body)
}

let primFilePathsTable: [Bif] = [
    dirtyRow("read_info_nif", 2, prim_file_read_info_nif_2),
    dirtyRow("read_link_nif", 1, prim_file_read_link_nif_1),
    dirtyRow("list_dir_nif", 1, prim_file_list_dir_nif_1),
    dirtyRow("read_file_nif", 1, prim_file_read_file_nif_1),
    Bif("prim_file", "get_cwd_nif", 0, prim_file_get_cwd_nif_0),
    Bif("prim_file", "get_device_cwd_nif", 1, prim_file_get_device_cwd_nif_1),
    Bif("prim_file", "altname_nif", 1, prim_file_altname_nif_1),
    dirtyRow("set_cwd_nif", 1, prim_file_set_cwd_nif_1),
    dirtyRow("make_dir_nif", 1, prim_file_make_dir_nif_1),
    dirtyRow("del_file_nif", 1, prim_file_del_file_nif_1),
    dirtyRow("del_dir_nif", 1, prim_file_del_dir_nif_1),
    dirtyRow("rename_nif", 2, prim_file_rename_nif_2),
    dirtyRow("make_hard_link_nif", 2, prim_file_make_hard_link_nif_2),
    dirtyRow("make_soft_link_nif", 2, prim_file_make_soft_link_nif_2),
    dirtyRow("set_permissions_nif", 2, prim_file_set_permissions_nif_2),
    dirtyRow("set_owner_nif", 3, prim_file_set_owner_nif_3),
    dirtyRow("set_time_nif", 4, prim_file_set_time_nif_4),
]
