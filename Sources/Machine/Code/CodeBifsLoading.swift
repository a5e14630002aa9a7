// CodeBifsLoading.swift: native functions that load and delete code. See Modules.swift for the steps.

import BeamFile
import CMachine
import Terms

let codeLoadingBifs: [Bif] = [
    Bif("erts_internal", "prepare_loading", 2, erts_internal_prepare_loading_2),
    Bif("erlang", "has_prepared_code_on_load", 1, erlang_has_prepared_code_on_load_1),
    Bif("erlang", "finish_loading", 1, erlang_finish_loading_1),
    Bif("erlang", "call_on_load_function", 1, erlang_call_on_load_function_1),
    Bif("erlang", "finish_after_on_load", 2, erlang_finish_after_on_load_2),
    Bif("erlang", "delete_module", 1, erlang_delete_module_1),
    Bif("erlang", "load_nif", 2, erlang_load_nif_2),
    Bif("erts_internal", "beamfile_chunk", 2, erts_internal_beamfile_chunk_2),
    Bif("erts_internal", "beamfile_module_md5", 1, erts_internal_beamfile_module_md5_1),
]

/// Writes an error report to the logger for the group leader given. Filled at boot.
nonisolated(unsafe) public var logErrorText: (@convention(thin) (Term, String) -> Void)?

private func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

func erts_internal_prepare_loading_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom, let view = ByteView(arguments[1]) else { return process.badarg() }
    defer { view.release() }
    process.bump(view.count / 64 + 1)
    var complaint = ""
    do {
        let module = try LoadedModule.prepare(UnsafeRawBufferPointer(view.buffer))
        if module.name == arguments[0] { return PreparedCode.make(process, module) }
        complaint = "module name in object code is \(module.name.atomText)"
    } catch { complaint = error.description }
    logErrorText?(
        process.pointee.groupLeader, "Error loading module \(arguments[0].atomText):\n  \(complaint)\n")
    return process.heap.tuple(Atoms.error, Atoms.badfile)
}

func erlang_has_prepared_code_on_load_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let module = PreparedCode.module(arguments[0]) else { return process.badarg() }
    return boolean(module.onLoad != nil)
}

func erlang_finish_loading_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var modules: [LoadedModule] = []
    var rest = arguments[0]
    while rest.isCons {
        guard let module = PreparedCode.module(rest.head) else { return process.badarg() }
        modules.append(module)
        rest = rest.tail
    }
    guard rest.isNil else { return process.badarg() }
    if modules.count > 1, modules.contains(where: { $0.onLoad != nil }) { return process.systemLimit() }
    process.bump(modules.count * 20)
    let heap = process.heap
    switch Modules.finish(modules) {
    case .done: return Atoms.ok
    case .used: return process.badarg()
    case .duplicated(let names): return heap.tuple(Atoms.duplicated, heap.list(names))
    case .notPurged(let names): return heap.tuple(Atoms.not_purged, heap.list(names))
    case .onLoad(let names): return heap.tuple(Atoms.on_load, heap.list(names))
    }
}

func erlang_call_on_load_function_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom, let export = Modules.onLoadExport(arguments[0]) else { return process.badarg() }
    process.pointee.liveX = 0
    process.pointee.trapTarget = export
    return process.raise(.nil, as: ExceptionClass.trap)
}

func erlang_finish_after_on_load_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1] == Atoms.true || arguments[1] == Atoms.false, arguments[0].isAtom,
        Modules.finishAfterOnLoad(arguments[0], keep: arguments[1] == Atoms.true)
    else { return process.badarg() }
    return Atoms.true
}

func erlang_delete_module_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    switch Modules.delete(arguments[0]) {
    case .unknown: return Atoms.undefined
    case .deleted: return Atoms.true
    case .hasOld:
        logErrorText?(
            process.pointee.groupLeader, "Module \(arguments[0].atomText) must be purged before deleting\n")
        return process.badarg()
    }
}

// MARK: - NIF libraries

/// Libraries that are part of the machine, by the last part of their path, where the module has another name.
private let libraryModules = ["net": "prim_net"]

/// The native functions of known libraries are part of the machine, so there is nothing to open; any other library is
/// refused.
func erlang_load_nif_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var bytes: [UInt8] = []
    var rest = arguments[0]
    while rest.isCons {
        guard rest.head.isSmall, let scalar = UInt32(exactly: rest.head.smallValue),
            let character = Unicode.Scalar(scalar)
        else { return process.badarg() }
        bytes.append(contentsOf: UTF8.encode(character).unsafelyUnwrapped)
        rest = rest.tail
    }
    guard rest.isNil else { return process.badarg() }
    let library = String(decoding: bytes[((bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...], as: UTF8.self)
    let name = libraryModules[library] ?? library
    if name.utf8.count < 200, isStaticNifLibrary(AtomTable.intern(name)) {
        nifLoaded?(process, name, arguments[1])
        return Atoms.ok
    }
    let path = String(decoding: bytes, as: UTF8.self)
    let heap = process.heap
    let text = heap.string(
        "Failed to load NIF library: '\(path).so: cannot open shared object file: No such file or directory'")
    return heap.tuple(Atoms.error, heap.tuple(Atoms.load_failed, text))
}

/// Told when a built-in library is "loaded", with the second argument of load_nif/2. Filled at boot.
nonisolated(unsafe) public var nifLoaded: (@convention(thin) (Ref<Process>, String, Term) -> Void)?

// MARK: - Files

/// Four bytes from a list, as a chunk id.
private func chunkId(_ list: Term) -> UInt32? {
    var id: UInt32 = 0
    var rest = list
    for _ in 0..<4 {
        guard rest.isCons, rest.head.isSmall, let byte = UInt8(exactly: rest.head.smallValue) else { return nil }
        id = id << 8 | UInt32(byte)
        rest = rest.tail
    }
    return rest.isNil ? id : nil
}

/// The data of a chunk, or `undefined`.
func erts_internal_beamfile_chunk_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let wanted = chunkId(arguments[1]), let view = ByteView(arguments[0]) else { return process.badarg() }
    defer { view.release() }
    var found: UnsafeRawBufferPointer?
    let isWhole =
        (try? BeamContainer.forEachChunk(UnsafeRawBufferPointer(view.buffer)) { id, data in
            if id == wanted { found = data }
            return id != wanted
        }) != nil
    guard isWhole, let found, found.count > 0, let start = found.baseAddress else { return Atoms.undefined }
    let offset = start - UnsafeRawPointer(view.start)
    return process.heap.subBinary(of: arguments[0], bitOffset: offset * 8, bitSize: found.count * 8)
}

/// The MD5 of the code, or `undefined` if the file is no module.
func erts_internal_beamfile_module_md5_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let view = ByteView(arguments[0]) else { return process.badarg() }
    defer { view.release() }
    guard let file = try? BeamFile(UnsafeRawBufferPointer(view.buffer)) else { return Atoms.undefined }
    return file.container.md5().withUnsafeBufferPointer { process.heap.makeBinary($0) }
}
