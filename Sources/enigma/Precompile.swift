// Precompile.swift: `enigma precompile [--jit-cache DIR] APP|FILE...`: fills the cache of compiled code for all modules
// of applications, or for single .beam files, with as many processes as there are processors.

import Bifs
import CMachine
import Glibc
import JIT
import Machine
import Ports
import Tables
import Terms

/// The exit code.
func precompile(_ arguments: [String]) -> Int32 {
    var options = JITOptions()
    var names = arguments
    while let flag = names.first, flag.hasPrefix("--") {
        guard flag == "--jit-cache", names.count > 1 else {
            complain("enigma precompile: unknown option \(flag)")
            return 1
        }
        options.cacheDirectory = names[1]
        names.removeFirst(2)
    }
    guard !names.isEmpty else {
        complain("usage: enigma precompile [--jit-cache DIR] APP|FILE...")
        return 1
    }
    var files: [String] = []
    for name in names {
        let found = name.hasSuffix(".beam") ? [name] : locateOTP().map { beamFiles(of: name, root: $0) } ?? []
        if found.isEmpty {
            complain("enigma precompile: no modules of \(name)")
            return 1
        }
        files += found
    }
    return work(files, options)
}

/// The .beam files of an application, in the version that is there.
private func beamFiles(of application: String, root: String) -> [String] {
    let versions = entries(of: root + "/lib").filter { $0 == application || $0.hasPrefix(application + "-") }
    guard let folder = versions.max().map({ "\(root)/lib/\($0)/ebin" }) else { return [] }
    return entries(of: folder).filter { $0.hasSuffix(".beam") }.sorted().map { "\(folder)/\($0)" }
}

private func entries(of folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        names.append(withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
}

/// Each process takes every Nth file.
private func work(_ files: [String], _ options: JITOptions) -> Int32 {
    let count = min(files.count, max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    fflush(nil)
    var children: [pid_t] = []
    for number in 0..<count {
        let child = fork()
        if child == 0 { runChild(stride(from: number, to: files.count, by: count).map { files[$0] }, options) }
        if child > 0 { children.append(child) }
    }
    var isGood = children.count == count
    for child in children {
        var status: Int32 = 0
        if waitpid(child, &status, 0) != child || status != 0 { isGood = false }
    }
    return isGood ? 0 : 1
}

/// What a child process does; one of them in each process.
nonisolated(unsafe) private var job: (files: [String], options: JITOptions) = ([], JITOptions())

/// On a thread with as large a stack as the compile thread has.
private func runChild(_ files: [String], _ options: JITOptions) -> Never {
    job = (files, options)
    var nothing: UInt8 = 0
    _ = vm_start_thread(
        { _ in
            let isGood = compile(job.files, job.options)
            fflush(nil)
            _exit(isGood ? 0 : 1)
        }, &nothing, 64 << 20)
    while true { pause() }
}

private func compile(_ files: [String], _ options: JITOptions) -> Bool {
    JIT.boot(options)
    bootMachine(bifsTable + tablesTable + portsTable)
    var isGood = true
    for file in files {
        guard let bytes = readBytes(file) else {
            complain("enigma precompile: cannot read \(file)")
            isGood = false
            continue
        }
        do {
            let module = try bytes.withUnsafeBytes { try LoadedModule.prepare($0) }
            guard let result = JIT.precompile(module) else {
                complain("enigma precompile: the cache cannot be used")
                return false
            }
            print("\(module.name.atomText): \(result.kept) units kept\(result.failed > 0 ? ", \(result.failed) failed" : "")")
        } catch {
            complain("enigma precompile: \(file): \(error)")
            isGood = false
        }
    }
    return isGood
}

private func readBytes(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 { return nil }
        if count == 0 { return bytes }
        bytes += buffer[0..<count]
    }
}
