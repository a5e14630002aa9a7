// Registry.swift: registered names. The name of atom number n is in slot n, so sending to a name takes no lock and no
// hash; changes are made under `lock`.
//
// A process that ends sets ProcessState.exiting and then takes its name back under the lock; register/2 looks at that bit
// under the lock. So no name ever stays behind.

public import CMachine
import Glibc
import Terms

public enum Registry {
    nonisolated(unsafe) private static var slots: UnsafeMutablePointer<UInt64>! = nil
    nonisolated(unsafe) private static var lock = Lock()
    /// Registered atoms, in no order. Under `lock`.
    nonisolated(unsafe) private static var names: [Term] = []

    /// Call once.
    public static func boot() {
        guard slots == nil else { return }
        let size = AtomTable.limit * 8
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { outOfMemory(size) }
        slots = memory.assumingMemoryBound(to: UInt64.self)
    }

    /// The pid or port with this name, or no term. Requires: isAtom.
    @inline(__always) public static func find(_ name: Term) -> Term {
        Term(raw: vm_load_acquire(slots + name.atomIndex))
    }

    public enum Registration { case registered, taken, hasName, ended }

    /// Gives a process or port a name.
    public static func register(_ name: Term, _ owner: Term) -> Registration {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if owner.isLocalPort {
            guard find(name).isNone, PortHooks.setName?(owner, name) == true else { return .taken }
        } else {
            guard let process = ProcessTable.find(owner), process.state & ProcessState.exiting == 0 else { return .ended }
            guard process.pointee.registeredName.isNone else { return .hasName }
            guard find(name).isNone else { return .taken }
            process.pointee.registeredName = name
        }
        vm_store_release(slots + name.atomIndex, owner.raw)
        names.append(name)
        return .registered
    }

    /// False: nobody has the name.
    public static func unregister(_ name: Term) -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        let owner = find(name)
        guard !owner.isNone else { return false }
        if owner.isLocalPort {
            _ = PortHooks.setName?(owner, .none)
        } else if let process = ProcessTable.find(owner) {
            process.pointee.registeredName = .none
        }
        remove(name)
        return true
    }

    /// Takes back the name of a process that ends.
    static func release(_ process: Ref<Process>) {
        vm_lock(&lock)
        let name = process.pointee.registeredName
        if !name.isNone, find(name) == process.pointee.id { remove(name) }
        vm_unlock(&lock)
    }

    /// Takes back the name of a port that is closed.
    public static func releasePort(_ name: Term, _ port: Term) {
        vm_lock(&lock)
        if find(name) == port { remove(name) }
        vm_unlock(&lock)
    }

    /// Under `lock`.
    private static func remove(_ name: Term) {
        vm_store_release(slots + name.atomIndex, 0)
        if let index = names.lastIndex(of: name) {
            names.swapAt(index, names.count - 1)
            names.removeLast()
        }
    }

    public static var registered: [Term] {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return names
    }
}
