// TestSupport.swift: what the test targets share. They run in one process, in parallel: the tables are made once, here.

import Bifs
import Glibc
import Machine
import Terms

private let boot: Void = bootMachine(bifsTable)

/// Makes the tables that terms and code need; no process runs.
public func bootTables() { boot }

public struct NoSuchModule: Error { let name: String }

/// A module of the installed OTP's stdlib, prepared for loading.
public func stdlibModule(_ name: String) throws -> LoadedModule {
    bootTables()
    let root = getenv("ENIGMA_OTP_ROOT").map { String(cString: $0) } ?? "/usr/lib/erlang"
    var found = glob_t()
    defer { globfree(&found) }
    guard glob("\(root)/lib/stdlib-*/ebin/\(name).beam", 0, nil, &found) == 0, let path = found.gl_pathv[0],
        let bytes = readFile(path)
    else { throw NoSuchModule(name: name) }
    return try bytes.withUnsafeBytes { try LoadedModule.prepare($0) }
}

public func readFile(_ path: UnsafePointer<CChar>) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return bytes
}

/// Random numbers that are the same in every run.
public struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    public init(state: UInt64) { self.state = state }
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
