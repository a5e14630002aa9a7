// FunCount.swift: who holds the table entry of a fun. Making and dropping funs costs nothing: those in the heaps and
// messages of processes are found by looking through these (LiteralReleases in Machine). Counted, and therefore off-heap
// objects, are the funs that nobody finds so: those in tables, timers, ports and literals, and those that were decoded.

public import CMachine

/// What FunEntry.watch says.
public enum FunWatch {
    public static var none: UInt64 { 0 }
    /// The processes are being asked for funs of this entry.
    public static var asked: UInt64 { 1 }
    /// One was copied meanwhile, perhaps to a process that has answered already.
    public static var copied: UInt64 { 2 }
}

extension UnsafeMutablePointer where Pointee == FunEntry {
    private var holdersField: Words { field(\.holders) }
    private var watchField: Words { field(\.watch) }

    @inline(__always) private func field(_ path: KeyPath<FunEntry, UInt64>) -> Words {
        let offset = MemoryLayout<FunEntry>.offset(of: path).unsafelyUnwrapped
        return (UnsafeMutableRawPointer(self) + offset).assumingMemoryBound(to: UInt64.self)
    }

    /// One more counted fun.
    public func retain() { _ = vm_fetch_add(holdersField, 1) }
    /// One less. The entry stays until somebody looks for what may be freed.
    public func release() { _ = vm_fetch_sub(holdersField, 1) }
    public var holderCount: UInt64 { vm_load_acquire(holdersField) }

    /// A fun that is not counted was copied.
    @inline(__always) public func noteCopy() {
        if _slowPath(vm_load_relaxed(watchField) == FunWatch.asked) { vm_store_relaxed(watchField, FunWatch.copied) }
    }

    public var watch: UInt64 {
        get { vm_load_acquire(watchField) }
        nonmutating set { vm_store_release(watchField, newValue) }
    }
}
