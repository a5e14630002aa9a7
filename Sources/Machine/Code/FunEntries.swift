// FunEntries.swift: the table of local funs. An entry is found again by module, uniq (the module's MD5) and index, so a
// fun made before a reload of the same code, or decoded from bytes, reaches the loaded code. Entries are never freed.

public import CMachine
import Glibc
public import Terms

public enum FunEntries {
    /// Hash chains through FunEntry.next; everything under `lock`. `function` of an entry: see Layout.h.
    nonisolated(unsafe) private static var buckets: UnsafeMutablePointer<Ref<FunEntry>?>? = nil
    nonisolated(unsafe) private static var mask = 0
    nonisolated(unsafe) private static var count = 0
    nonisolated(unsafe) private static var lock = Lock()

    private static func hash(_ module: Term, _ uniq: UnsafePointer<UInt8>, _ index: UInt32) -> Int {
        let word = UnsafeRawPointer(uniq).loadUnaligned(as: UInt64.self)
        let hash = (word ^ module.raw &* 0x9E37_79B9_7F4A_7C15) &+ UInt64(index) &* 0xC2B2_AE3D_27D4_EB4F
        return Int(truncatingIfNeeded: hash ^ hash >> 32)
    }

    /// The entry, made if need be. `uniq`: 16 bytes; `arity` as programs see it, without the free variables.
    public static func findOrMake(
        _ module: Term, uniq: UnsafePointer<UInt8>, index: UInt32, oldUniq: UInt32, arity: Int, freeCount: Int
    ) -> Ref<FunEntry> {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
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

    /// Calls `body` with every entry.
    static func forEach(_ body: (Ref<FunEntry>) -> Void) {
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

    /// The 16 bytes of uniq. The entry is never freed, so the pointer stays good.
    public var uniqBytes: UnsafePointer<UInt8> {
        let offset = MemoryLayout<FunEntry>.offset(of: \FunEntry.uniq).unsafelyUnwrapped
        return UnsafeRawPointer(self + 0).advanced(by: offset).assumingMemoryBound(to: UInt8.self)
    }
}
