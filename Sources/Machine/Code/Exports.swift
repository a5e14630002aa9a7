// Exports.swift: the export table: one Export per M:F/A that anything ever named. Lookup takes no lock; exports are
// never freed, so a pointer to one stays good in code, funs and traps.
//
// An export's `entry` leads to its current code, or to its own stub: "undefined", or a native function.

public import CMachine
import Glibc
public import Terms

/// Bits of Export.flags.
@frozen public enum ExportFlags {
    /// A native function stands behind the stub: it wins over Erlang code of the same name.
    public static let native: UInt32 = 1
    /// The native function belongs to a NIF library, so it is no BIF to programs.
    public static let nif: UInt32 = 2
    /// bif and gc_bif instructions may call it: it never traps, waits or runs elsewhere.
    public static let `guard`: UInt32 = 4
    /// A guard function that takes heap words.
    public static let allocates: UInt32 = 8
    /// A call of it never returns.
    public static let raises: UInt32 = 16
}

public enum Exports {
    /// Address of the open-addressed table: [0] is the mask, then exports. Replaced as a whole when it grows; old
    /// tables stay readable. Release store under `lock`.
    nonisolated(unsafe) private static var table: UInt64 = 0
    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`: blocks the exports are carved from.
    nonisolated(unsafe) private static var blocks: [Ref<Export>] = []
    nonisolated(unsafe) private static var count = 0
    private static let blockSize = 512

    /// Call once, after `handlerSlots` is filled.
    public static func boot() {
        guard table == 0 else { return }
        vm_store_release(&table, UInt64(UInt(bitPattern: makeTable(1 << 13))))
    }

    private static func makeTable(_ capacity: Int) -> Words {
        let table = Words.allocate(capacity: capacity + 1)
        table.initialize(repeating: 0, count: capacity + 1)
        table[0] = UInt64(capacity - 1)
        return table
    }

    @inline(__always) private static func hash(_ module: Term, _ name: Term, _ arity: Int) -> UInt64 {
        var hash = (module.raw &>> 6) &* 0x9E37_79B9_7F4A_7C15 ^ (name.raw &>> 6) &* 0xC2B2_AE3D_27D4_EB4F
        hash ^= UInt64(truncatingIfNeeded: arity) &* 0x1656_67B1_9E37_79F9
        return hash ^ hash &>> 29
    }

    /// The export, if anything ever named it. It may be undefined.
    public static func find(_ module: Term, _ name: Term, _ arity: Int) -> Ref<Export>? {
        let slots = Words(bitPattern: UInt(vm_load_acquire(&table))).unsafelyUnwrapped
        let mask = slots[0]
        var slot = hash(module, name, arity) & mask
        while true {
            guard let export = Ref<Export>(bitPattern: UInt(vm_load_acquire(slots + Int(slot) + 1))) else { return nil }
            if export.pointee.module == module, export.pointee.name == name, export.pointee.arity == UInt32(arity) {
                return export
            }
            slot = (slot &+ 1) & mask
        }
    }

    /// The export, made if need be. Requires: two atoms and an arity of 0...255.
    public static func findOrMake(_ module: Term, _ name: Term, _ arity: Int) -> Ref<Export> {
        if let export = find(module, name, arity) { return export }
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if let export = find(module, name, arity) { return export }
        let export = newExport()
        export.pointee.module = module
        export.pointee.name = name
        export.pointee.arity = UInt32(arity)
        export.resetStub()
        export.pointee.entry = export.stubAddress
        growIfNeeded()
        place(export, in: Words(bitPattern: UInt(table)).unsafelyUnwrapped)
        return export
    }

    /// An export outside the table, for continuing somewhere that has no public name.
    public static func makePrivate(_ module: Term, _ name: Term, _ arity: Int) -> Ref<Export> {
        let export = Ref<Export>(OpaquePointer(calloc(1, MemoryLayout<Export>.stride).unsafelyUnwrapped))
        export.pointee.module = module
        export.pointee.name = name
        export.pointee.arity = UInt32(arity)
        export.resetStub()
        export.pointee.entry = export.stubAddress
        return export
    }

    /// Under `lock`.
    private static func newExport() -> Ref<Export> {
        if count % blockSize == 0 {
            let size = blockSize * MemoryLayout<Export>.stride
            guard let memory = calloc(blockSize, MemoryLayout<Export>.stride) else { outOfMemory(size) }
            blocks.append(memory.assumingMemoryBound(to: Export.self))
        }
        count += 1
        return blocks[blocks.count - 1] + (count - 1) % blockSize
    }

    private static func place(_ export: Ref<Export>, in slots: Words) {
        let mask = slots[0]
        var slot = hash(export.pointee.module, export.pointee.name, Int(export.pointee.arity)) & mask
        while slots[Int(slot) + 1] != 0 { slot = (slot &+ 1) & mask }
        vm_store_release(slots + Int(slot) + 1, UInt64(UInt(bitPattern: export)))
    }

    private static func growIfNeeded() {
        let slots = Words(bitPattern: UInt(table)).unsafelyUnwrapped
        guard count * 2 >= Int(slots[0]) else { return }
        let larger = makeTable((Int(slots[0]) + 1) * 2)
        for index in 0...Int(slots[0]) {
            if let export = Ref<Export>(bitPattern: UInt(slots[index + 1])) { place(export, in: larger) }
        }
        vm_store_release(&table, UInt64(UInt(bitPattern: larger)))
    }

    static var byteCount: Int {
        let slots = Words(bitPattern: UInt(vm_load_acquire(&table))).unsafelyUnwrapped
        return (Int(slots[0]) + 2) * 8 + count * MemoryLayout<Export>.stride
    }

    // MARK: Native functions that their module does not export

    /// By module, name and arity: exports that only the module's own functions lead to. Under `hiddenLock`.
    nonisolated(unsafe) private static var hidden: [HiddenKey: Ref<Export>] = [:]
    nonisolated(unsafe) private static var hiddenLock = Lock()
    private struct HiddenKey: Hashable {
        let module, name: UInt64
        let arity: Int
    }

    /// The native function that stands for a function of a module. A NIF that the module does not export is taken out of
    /// the table, so that calls from elsewhere do not find it.
    static func native(_ module: Term, _ name: Term, _ arity: Int, isExported: Bool) -> Ref<Export>? {
        vm_lock(&hiddenLock)
        defer { vm_unlock(&hiddenLock) }
        let key = HiddenKey(module: module.raw, name: name.raw, arity: arity)
        if let found = hidden[key] { return found }
        guard let export = find(module, name, arity), export.isNative else { return nil }
        if isExported || export.isBuiltin { return export }
        let copy = makePrivate(module, name, arity)
        copy.pointee.bif = export.pointee.bif
        copy.pointee.dirtyBif = export.pointee.dirtyBif
        copy.makeNative(handler: export.pointee.stub.0, flags: export.pointee.flags)
        hidden[key] = copy
        export.withdrawNative()
        return copy
    }

    /// Whether the function is a native one that `native` has hidden.
    static func isHiddenNative(_ module: Term, _ name: Term, _ arity: Int) -> Bool {
        vm_lock(&hiddenLock)
        defer { vm_unlock(&hiddenLock) }
        return hidden[HiddenKey(module: module.raw, name: name.raw, arity: arity)] != nil
    }

    /// Calls `body` with every export there is.
    public static func forEach(_ body: (Ref<Export>) -> Void) {
        let slots = Words(bitPattern: UInt(vm_load_acquire(&table))).unsafelyUnwrapped
        for index in 0...Int(slots[0]) {
            if let export = Ref<Export>(bitPattern: UInt(vm_load_acquire(slots + index + 1))) { body(export) }
        }
    }
}

extension UnsafeMutablePointer where Pointee == Export {
    /// Where `entry` points while the export has no Erlang code.
    public var stubAddress: CodePointer {
        let offset = MemoryLayout<Export>.offset(of: \Export.stub).unsafelyUnwrapped
        return UnsafeRawPointer(self + 0).advanced(by: offset).assumingMemoryBound(to: UInt64.self)
    }

    public var isNative: Bool { pointee.flags & ExportFlags.native != 0 }
    /// A BIF as programs see it: `erlang:is_builtin/3`.
    public var isBuiltin: Bool { pointee.flags & (ExportFlags.native | ExportFlags.nif) == ExportFlags.native }
    /// A call finds code or a native function.
    public var isDefined: Bool { isNative || pointee.function != nil }

    /// Makes the stub lead to the error handler. Requires: not native.
    func resetStub() {
        pointee.stub.0 = handlerSlots.undefinedFunction
        pointee.stub.1 = UInt64(UInt(bitPattern: self))
    }

    /// Makes the stub lead to a native function's handler.
    func makeNative(handler: UInt64, flags: UInt32) {
        pointee.stub.0 = handler
        pointee.flags |= flags | ExportFlags.native
        publish(entry: stubAddress)
    }

    /// The export has no native function any more.
    fileprivate func withdrawNative() {
        pointee.flags &= ~(ExportFlags.native | ExportFlags.nif)
        resetStub()
        publish(entry: stubAddress)
        pointee.bif = nil
        pointee.dirtyBif = nil
    }

    /// Requires: the code-modification lock, once processes run.
    func publish(entry: CodePointer) {
        let offset = MemoryLayout<Export>.offset(of: \Export.entry).unsafelyUnwrapped
        vm_store_pointer(UnsafeMutableRawPointer(self) + offset, entry)
    }

    func publish(function: Ref<Function>?) {
        let offset = MemoryLayout<Export>.offset(of: \Export.function).unsafelyUnwrapped
        vm_store_pointer(UnsafeMutableRawPointer(self) + offset, function)
    }
}

/// Libraries whose functions are NIFs of a module rather than BIFs.
private let nifModules: [String] = [
    "prim_file", "prim_buffer", "prim_net", "prim_socket", "zlib", "erl_tracer", "crypto", "asn1rt_nif", "dyntrace",
]

/// Modules with native functions that `erlang:load_nif/2` accepts; written at boot only.
nonisolated(unsafe) private var nifLibraries: Set<UInt64> = []

/// Whether the native functions of NIF module `module` are built in.
public func isStaticNifLibrary(_ module: Term) -> Bool { nifLibraries.contains(module.raw) }

/// Makes native functions known. At boot, after `Exports.boot` and before any module is loaded.
public func registerBifs(_ rows: [Bif]) {
    let nifs = Set(nifModules.map { AtomTable.intern($0).raw })
    // Tracers are called by the machine itself; the module's stubs need no library, but its start insists on one.
    nifLibraries.insert(Atoms.erl_tracer.raw)
    for row in rows {
        let module = AtomTable.intern("\(row.module)")
        let export = Exports.findOrMake(module, AtomTable.intern("\(row.name)"), row.arity)
        export.pointee.bif = row.body
        if row.dirty != 0 {
            export.pointee.dirtyBif = row.body
            if row.dirty == DirtyKind.cpu { export.pointee.bif = handToDirtyCPU } else { export.pointee.bif = handToDirtyIO }
        }
        let isNif = nifs.contains(module.raw)
        if isNif { nifLibraries.insert(module.raw) }
        export.makeNative(handler: handlerSlots.callBif, flags: isNif ? ExportFlags.nif : 0)
    }
}

/// Makes M:F/A a native function with a handler of its own (`erlang:apply/3` and other functions that are really
/// instructions). At boot, as `registerBifs`.
public func registerNativeHandler(_ module: Term, _ name: Term, _ arity: Int, handler: UInt64) {
    Exports.findOrMake(module, name, arity).makeNative(handler: handler, flags: 0)
}
