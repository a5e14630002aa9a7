// FileHandle.swift: open files as Erlang sees them: a resource with a state, bound to the process that opened it.
//
//     idle --> busy --> idle            an operation runs
//              busy --> closePending    the owner died meanwhile; the operation closes the file when it ends
//     idle --> closed                   closed, or about to be closed by the helper process of prim_file
//
// While the descriptor is open the handle holds a reference to itself, so that a forgotten handle is closed by its
// owner's death and never by the garbage collector, which must not block.

import CMachine
import Glibc
import Machine
import Terms

struct FileHandle {
    enum State {
        static let idle: UInt32 = 0
        static let busy: UInt32 = 1
        static let closePending: UInt32 = 2
        static let closed: UInt32 = 3
    }
    /// Atomic.
    var state = State.idle
    var descriptor: Int32
    var owner: Term
    var resource: Ref<MagicBinary>
    /// Neighbours in the list of the owner's shard; its lock.
    var next: Ref<FileHandle>?
    var previous: Ref<FileHandle>?
}

nonisolated(unsafe) private let fileKind = newResourceKind()

extension UnsafeMutablePointer where Pointee == FileHandle {
    private var stateField: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt32.self)
    }

    /// Moves from one state to the next; answers whether the file was in the first one.
    func move(from old: UInt32, to new: UInt32) -> Bool { vm_compare_exchange32(stateField, old, new) == old }

    /// Closes the descriptor and gives up the handle's own reference. Answers the error number, or 0.
    /// Requires: state closed, and this is the only caller ever.
    func closeDescriptor() -> Int32 {
        let descriptor = pointee.descriptor
        pointee.descriptor = -1
        let result = close(descriptor)
        let error = errno
        pointee.resource.asBinary.release()
        return result < 0 ? error : 0
    }
}

/// The handle behind a term; nil for any other term.
func fileHandle(_ term: Term) -> Ref<FileHandle>? {
    resourceData(term, fileKind)?.assumingMemoryBound(to: FileHandle.self)
}

/// `{ok, Ref}` of a new handle for an open descriptor, owned by the running process.
func makeFileHandle(_ process: Ref<Process>, _ descriptor: Int32) -> Term {
    let handle = Ref<FileHandle>.allocate(capacity: 1)
    let resource = newResource(fileKind, data: handle) { magic in
        magic.pointee.data?.deallocate()
    }
    handle.initialize(to: FileHandle(descriptor: descriptor, owner: process.pointee.id, resource: resource))
    resource.asBinary.retain()
    FileOwners.add(handle)
    return process.heap.okTuple(process.heap.makeMagicReference(resource))
}

/// Runs an operation on the file of `arguments[0]`, alone. A closed file gives `{error, einval}`.
func withFile(
    _ process: Ref<Process>, _ arguments: Arguments, _ operation: (Ref<FileHandle>) -> Term
) -> Term {
    guard let file = fileHandle(arguments[0]) else { return process.badarg() }
    guard file.move(from: FileHandle.State.idle, to: FileHandle.State.busy) else {
        return process.heap.posixError(EINVAL)
    }
    let result = operation(file)
    if !file.move(from: FileHandle.State.busy, to: FileHandle.State.idle),
        file.move(from: FileHandle.State.closePending, to: FileHandle.State.closed)
    {
        _ = file.closeDescriptor()
    }
    return result
}

/// Which process owns which open files: lists by owner, in shards so that exiting processes seldom meet.
enum FileOwners {
    private static let shardCount = 64

    private struct Shard {
        /// Guards the list.
        var lock = Lock()
        /// Entries of the list; written under the lock, read without it.
        var count: UInt64 = 0
        var first: Ref<FileHandle>?
    }

    nonisolated(unsafe) private static let shards: Ref<Shard> = {
        let memory = Ref<Shard>.allocate(capacity: shardCount)
        memory.initialize(repeating: Shard(), count: shardCount)
        return memory
    }()

    private static func shard(_ owner: Term) -> Ref<Shard> { shards + Int(owner.idData % UInt64(shardCount)) }

    static func add(_ handle: Ref<FileHandle>) {
        let shard = shard(handle.pointee.owner)
        vm_lock(&shard.pointee.lock)
        defer { vm_unlock(&shard.pointee.lock) }
        handle.pointee.next = shard.pointee.first
        shard.pointee.first?.pointee.previous = handle
        shard.pointee.first = handle
        vm_store_release(&shard.pointee.count, shard.pointee.count + 1)
    }

    static func remove(_ handle: Ref<FileHandle>) {
        let shard = shard(handle.pointee.owner)
        vm_lock(&shard.pointee.lock)
        defer { vm_unlock(&shard.pointee.lock) }
        unlink(handle, shard)
    }

    /// Requires: the shard's lock.
    private static func unlink(_ handle: Ref<FileHandle>, _ shard: Ref<Shard>) {
        let isFirst = shard.pointee.first == handle
        guard isFirst || handle.pointee.previous != nil else { return }
        if isFirst { shard.pointee.first = handle.pointee.next }
        handle.pointee.previous?.pointee.next = handle.pointee.next
        handle.pointee.next?.pointee.previous = handle.pointee.previous
        handle.pointee.next = nil
        handle.pointee.previous = nil
        vm_store_release(&shard.pointee.count, shard.pointee.count - 1)
    }

    /// Takes one handle of `owner` out of the list. The handle comes with a reference that the caller gives back.
    static func takeOne(of owner: Term) -> Ref<FileHandle>? {
        let shard = shard(owner)
        guard vm_load_acquire(&shard.pointee.count) > 0 else { return nil }
        vm_lock(&shard.pointee.lock)
        defer { vm_unlock(&shard.pointee.lock) }
        var handle = shard.pointee.first
        while let candidate = handle {
            if candidate.pointee.owner == owner {
                // The list holds no reference: a handle leaves it before its last reference can go.
                candidate.pointee.resource.asBinary.retain()
                unlink(candidate, shard)
                return candidate
            }
            handle = candidate.pointee.next
        }
        return nil
    }
}

/// The process that closes the files of dead owners (`prim_file:start/0`); set when prim_file is loaded.
nonisolated(unsafe) private var closingProcess = Term.none

/// Called by `erlang:load_nif("prim_file", Pid)`: `pid` receives `{close, Ref}` for files whose owner died.
func setFileClosingProcess(_ pid: Term) { closingProcess = pid }

/// Called when a process has exited: its open files get closed, by the helper process because that may block.
func closeFiles(ofExited owner: Term) {
    while let handle = FileOwners.takeOne(of: owner) {
        defer { handle.pointee.resource.asBinary.release() }
        while true {
            if handle.move(from: FileHandle.State.idle, to: FileHandle.State.closed) {
                let resource = handle.pointee.resource
                guard closingProcess.isLocalPid else {
                    _ = handle.closeDescriptor()
                    break
                }
                deliver(to: closingProcess) { heap in
                    resource.asBinary.retain()
                    return heap.tuple(Atoms.close, heap.makeMagicReference(resource))
                }
                break
            }
            // Busy: the running operation closes the file. Otherwise somebody has closed it.
            if handle.move(from: FileHandle.State.busy, to: FileHandle.State.closePending) { break }
            if handle.pointee.state >= FileHandle.State.closePending { break }
        }
    }
}
