// PreparedCode.swift: the magic reference that `erts_internal:prepare_loading/2` answers: it owns a module that is not
// loaded yet. Dropping the reference drops the module.

import CMachine
import Glibc
import Terms

enum PreparedCode {
    /// Its address says that a magic reference is one of ours.
    nonisolated(unsafe) private static let kind = UnsafeRawPointer(malloc(1).unsafelyUnwrapped)

    static func make(_ process: Ref<Process>, _ module: LoadedModule) -> Term {
        let size = MemoryLayout<MagicBinary>.size
        guard let memory = calloc(1, size) else { outOfMemory(size) }
        let magic = memory.assumingMemoryBound(to: MagicBinary.self)
        magic.pointee.head.references = 1
        magic.pointee.head.flags = UInt64(binaryIsMagic)
        magic.pointee.numbers = nextReferenceNumbers()
        magic.pointee.kind = kind
        magic.pointee.data = UnsafeMutableRawPointer(Unmanaged.passRetained(module).toOpaque())
        magic.pointee.destroy = { magic in
            guard let data = magic.pointee.data else { return }
            Unmanaged<LoadedModule>.fromOpaque(data).release()
        }
        return process.heap.makeMagicReference(magic)
    }

    /// The module of a reference; nil for any other term.
    static func module(_ term: Term) -> LoadedModule? {
        guard term.isBoxed(Subtag.magicReference), term.magicBinary.pointee.kind == kind,
            let data = term.magicBinary.pointee.data
        else { return nil }
        return Unmanaged<LoadedModule>.fromOpaque(data).takeUnretainedValue()
    }
}
