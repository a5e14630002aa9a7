// PreparedCode.swift: the magic reference that `erts_internal:prepare_loading/2` answers: it owns a module that is not
// loaded yet. Dropping the reference drops the module.

import CMachine
import Glibc
import Terms

enum PreparedCode {
    /// Its address says that a magic reference is one of ours.
    nonisolated(unsafe) private static let kind = UnsafeRawPointer(UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))

    static func make(_ process: Ref<Process>, _ module: LoadedModule) -> Term {
        guard let memory = calloc(1, MemoryLayout<MagicBinary>.size) else { outOfMemory(MemoryLayout<MagicBinary>.size) }
        let magic = memory.assumingMemoryBound(to: MagicBinary.self)
        magic.pointee.head.references = 1
        magic.pointee.head.flags = UInt64(binaryIsMagic)
        // The address tells it from every other live magic reference; the first word from ordinary ones.
        let address = UInt64(UInt(bitPattern: magic))
        magic.pointee.numbers = (0x3FFFF | (address >> 32 | 0xC0DE_0000) << 32, address & 0xFFFF_FFFF)
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
