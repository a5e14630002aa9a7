// Preloaded.swift: loads the modules that OTP builds into the emulator, in its order, from erts-*/ebin.

import BeamFile
import Glibc
import Terms

/// In loading order.
private let preloadedModules = [
    "erts_code_purger", "erl_init", "init", "prim_buffer", "prim_eval", "prim_inet", "prim_file", "zlib",
    "socket_registry", "prim_socket", "prim_net", "prim_zip", "erl_prim_loader", "erlang", "erts_internal",
    "erl_tracer", "erts_literal_area_collector", "erts_dirty_process_signal_handler", "atomics", "counters",
    "persistent_term",
]

/// Loads the preloaded modules below the OTP root `root`; nil, or what went wrong. At boot, after the native functions
/// are registered.
public func loadPreloaded(root: String) -> String? {
    guard let folder = ertsFolder(root) else { return "no erts-* folder below \(root)/lib" }
    var modules: [LoadedModule] = []
    for name in preloadedModules {
        let path = "\(folder)/\(name).beam"
        guard let bytes = readWholeFile(path) else { return "cannot read \(path)" }
        defer { bytes.deallocate() }
        do {
            let module = try LoadedModule.prepare(UnsafeRawBufferPointer(bytes), asPreloaded: true)
            guard module.name.atomText == name, module.onLoad == nil else { return "\(path): not the expected module" }
            modules.append(module)
        } catch { return "\(path): \(error.description)" }
    }
    guard case .done = Modules.finish(modules) else { return "preloaded modules are loaded twice" }
    Modules.preloaded = modules.map(\.name)
    return nil
}

/// `root/lib/erts-*/ebin`.
private func ertsFolder(_ root: String) -> String? {
    guard let stream = opendir(root + "/lib") else { return nil }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name.hasPrefix("erts-") { return "\(root)/lib/\(name)/ebin" }
    }
    return nil
}

private func readWholeFile(_ path: String) -> UnsafeMutableRawBufferPointer? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size > 0 else { return nil }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(status.st_size), alignment: 8)
    var filled = 0
    while filled < buffer.count {
        let count = read(descriptor, buffer.baseAddress! + filled, buffer.count - filled)
        if count <= 0 { break }
        filled += count
    }
    guard filled == buffer.count else {
        buffer.deallocate()
        return nil
    }
    return buffer
}
