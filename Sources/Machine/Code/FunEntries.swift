// FunEntries.swift: the table of local funs. An entry is found again by module, uniq (the module's MD5) and index, so a
// fun made before a reload of the same code, or decoded from bytes, reaches the loaded code.
//
// An entry is freed when nothing names it any more: no generation of the module, no counted fun (FunCount.swift), and no
// process. The processes are asked for entries that no module names together with what a purge leaves (LiteralReleases).

public import CMachine
import Glibc
public import Terms

public enum FunEntries {
    /// Hash chains through FunEntry.next; everything under `lock`. `function` of an entry: see Layout.h.
    nonisolated(unsafe) private static var buckets: UnsafeMutablePointer<Ref<FunEntry>?>? = nil
    nonisolated(unsafe) private static var mask = 0
    nonisolated(unsafe) private static var count = 0
    nonisolated(unsafe) private static var lock = Lock()
    /// Entries that no module named when they were put here, each once.
    nonisolated(unsafe) private static var idle: [Ref<FunEntry>] = []

    /// Entries there are.
    public static var entryCount: Int {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return count
    }

    private static func hash(_ module: Term, _ uniq: UnsafePointer<UInt8>, _ index: UInt32) -> Int {
        let word = UnsafeRawPointer(uniq).loadUnaligned(as: UInt64.self)
        let hash = (word ^ module.raw &* 0x9E37_79B9_7F4A_7C15) &+ UInt64(index) &* 0xC2B2_AE3D_27D4_EB4F
        return Int(truncatingIfNeeded: hash ^ hash >> 32)
    }

    /// The entry, made if need be, for a module, which calls `leave` at its end, or for a counted fun. `uniq`: 16 bytes;
    /// `arity` as programs see it, without the free variables.
    public static func findOrMake(
        _ module: Term, uniq: UnsafePointer<UInt8>, index: UInt32, oldUniq: UInt32, arity: Int, freeCount: Int,
        forModule: Bool
    ) -> Ref<FunEntry> {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        let entry = find(module, uniq, index, oldUniq, arity, freeCount)
        // Its code may make funs in processes that have answered, and be gone before the others have.
        entry.noteCopy()
        if forModule {
            entry.pointee.modules += 1
        } else {
            entry.retain()
            if entry.pointee.modules == 0 { addIdle(entry) }
        }
        return entry
    }

    private static func find(
        _ module: Term, _ uniq: UnsafePointer<UInt8>, _ index: UInt32, _ oldUniq: UInt32, _ arity: Int, _ freeCount: Int
    ) -> Ref<FunEntry> {
        let hash = hash(module, uniq, index)
        if let buckets {
            var next = buckets[hash & mask]
            while let entry = next {
                if entry.pointee.module == module, entry.pointee.index == index,
                    entry.pointee.arity == UInt32(arity), entry.pointee.freeCount == UInt32(freeCount),
                    memcmp(entry.uniqBytes, uniq, 16) == 0
                {
                    return entry
                }
                next = entry.pointee.next
            }
        }
        growIfNeeded()
        let entry = Ref<FunEntry>.allocate(capacity: 1)
        entry.initialize(to: FunEntry())
        entry.pointee.module = module
        entry.pointee.index = index
        entry.pointee.oldUniq = oldUniq
        entry.pointee.arity = UInt32(arity)
        entry.pointee.freeCount = UInt32(freeCount)
        memcpy(UnsafeMutablePointer(mutating: entry.uniqBytes), uniq, 16)
        place(entry)
        count += 1
        return entry
    }

    private static func place(_ entry: Ref<FunEntry>) {
        let hash = hash(entry.pointee.module, entry.uniqBytes, entry.pointee.index)
        entry.pointee.next = buckets![hash & mask]
        buckets![hash & mask] = entry
    }

    // MARK: Freeing

    private static func addIdle(_ entry: Ref<FunEntry>) {
        guard entry.pointee.isIdle == 0 else { return }
        entry.pointee.isIdle = 1
        idle.append(entry)
    }

    /// A generation of the module has come to its end.
    static func leave(_ entries: UnsafeMutablePointer<Ref<FunEntry>>, _ count: Int) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        for index in 0..<count {
            entries[index].pointee.modules -= 1
            if entries[index].pointee.modules == 0 { addIdle(entries[index]) }
        }
    }

    /// The entries that processes are to be asked for, by address. They stay until `endAsking`.
    static func beginAsking() -> [Ref<FunEntry>] {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        defer { idle = [] }
        for entry in idle { entry.watch = FunWatch.asked }
        return idle.sorted { $0 < $1 }
    }

    /// Frees those that nobody names; the others may be asked for again. `isHeld`: a process has one, by index.
    static func endAsking(_ entries: [Ref<FunEntry>], _ isHeld: [Bool]) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        for (index, entry) in entries.enumerated() {
            let isUnused = entry.watch == FunWatch.asked && !isHeld[index] && entry.holderCount == 0
            entry.watch = FunWatch.none
            if entry.pointee.modules > 0 {
                entry.pointee.isIdle = 0
            } else if isUnused {
                remove(entry)
            } else {
                idle.append(entry)
            }
        }
    }

    private static func remove(_ entry: Ref<FunEntry>) {
        let bucket = hash(entry.pointee.module, entry.uniqBytes, entry.pointee.index) & mask
        if buckets![bucket] == entry {
            buckets![bucket] = entry.pointee.next
        } else {
            var before = buckets![bucket]!
            while before.pointee.next != entry { before = before.pointee.next! }
            before.pointee.next = entry.pointee.next
        }
        count -= 1
        entry.deallocate()
    }

    /// Calls `body` with every entry.
    public static func forEach(_ body: (Ref<FunEntry>) -> Void) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        guard let buckets else { return }
        for index in 0...mask {
            var next = buckets[index]
            while let entry = next {
                body(entry)
                next = entry.pointee.next
            }
        }
    }

    private static func growIfNeeded() {
        guard buckets == nil || count > mask else { return }
        let old = buckets
        let oldCount = old == nil ? 0 : mask + 1
        let size = max(oldCount * 2, 4096)
        buckets = .allocate(capacity: size)
        buckets!.initialize(repeating: nil, count: size)
        mask = size - 1
        for index in 0..<oldCount {
            var next = old![index]
            while let entry = next {
                next = entry.pointee.next
                place(entry)
            }
        }
        old?.deallocate()
    }
}

extension UnsafeMutablePointer where Pointee == FunEntry {
    /// Requires: the code-modification lock.
    func publish(function: Ref<Function>?) {
        let offset = MemoryLayout<FunEntry>.offset(of: \FunEntry.function).unsafelyUnwrapped
        vm_store_pointer(UnsafeMutableRawPointer(self) + offset, function)
    }

    /// The 16 bytes of uniq. Good as long as the entry.
    public var uniqBytes: UnsafePointer<UInt8> {
        let offset = MemoryLayout<FunEntry>.offset(of: \FunEntry.uniq).unsafelyUnwrapped
        return UnsafeRawPointer(self + 0).advanced(by: offset).assumingMemoryBound(to: UInt8.self)
    }
}
