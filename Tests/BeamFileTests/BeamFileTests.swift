// BeamFileTests.swift: every .beam file of the installed OTP is accepted; handmade and damaged ones are refused without
// a trap. The files come from ENIGMA_OTP_ROOT or /usr/lib/erlang.

import Glibc
import Testing

import BeamFile
import TestSupport

private let root = getenv("ENIGMA_OTP_ROOT").map { String(cString: $0) } ?? "/usr/lib/erlang"

/// The .beam files of an application, by name without version.
private func beams(of application: String) -> [String] {
    guard let lib = list(root + "/lib").first(where: { $0.hasPrefix(application + "-") }) else { return [] }
    let folder = "\(root)/lib/\(lib)/ebin"
    return list(folder).filter { $0.hasSuffix(".beam") }.map { "\(folder)/\($0)" }
}

private func list(_ folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        names.append(withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.sorted()
}

private func load(_ bytes: [UInt8]) throws(LoadError) -> (functions: Int, onLoad: Int?) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    let file = try BeamFile(UnsafeRawBufferPointer(copy))
    let index = try CodeIndex(file)
    return (index.functions.count, index.onLoad)
}

private func failure(_ bytes: [UInt8]) -> LoadError.Reason? {
    do {
        _ = try load(bytes)
        return nil
    } catch { return error.reason }
}

@Test(arguments: ["erts", "kernel", "stdlib", "compiler"]) func installedFilesAreAccepted(application: String) throws {
    let paths = beams(of: application)
    #expect(!paths.isEmpty)
    for path in paths {
        let bytes = try #require(readFile(path))
        #expect(failure(bytes) == nil, "\(path)")
    }
}

@Test func listsModuleHasItsFunctions() throws {
    let path = try #require(beams(of: "stdlib").first { $0.hasSuffix("/lists.beam") })
    let bytes = try #require(readFile(path))
    try bytes.withUnsafeBytes { (raw: UnsafeRawBufferPointer) throws in
        let file = try BeamFile(raw)
        let index = try CodeIndex(file)
        #expect(String(decoding: file.atoms[1], as: UTF8.self) == "lists")
        #expect(file.exports.contains { file.atoms[$0.function].elementsEqual("keyfind".utf8) && $0.arity == 3 })
        for function in index.functions {
            var reader = InstructionReader(file.code, from: function.start, to: function.end)
            let opcode = try reader.next()
            #expect(opcode == .label)
            #expect(reader.operands[0].value == function.infoLabel)
            while try reader.next() != nil {}
        }
        #expect(file.lines.isPresent && file.lines.items.count > 100)
    }
}

@Test func digestMatchesRFC() {
    for (text, expected) in [
        ("", "d41d8cd98f00b204e9800998ecf8427e"), ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        (String(repeating: "1234567890", count: 8), "57edf4a22be3c955ac49da2e2107b67a"),
    ] {
        var digest = MD5()
        for byte in text.utf8 { withUnsafeBytes(of: byte) { digest.update($0) } }
        let hex = digest.finish().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == expected)
    }
}

@Test func garbageIsRefused() {
    #expect(failure([]) == .notBeam)
    #expect(failure(Array("FOR1".utf8)) == .notBeam)
    #expect(failure(Array("FOR1\0\0\0\u{4}BEAM".utf8)) == .missingChunk)
    #expect(failure(Array("FOR1\0\0\u{1}\0BEAM".utf8)) == .truncated)
}

/// Every truncation and a thousand single-byte changes: an answer, never a trap.
@Test func damagedFilesDoNotTrap() throws {
    let path = try #require(beams(of: "stdlib").first { $0.hasSuffix("/queue.beam") })
    let bytes = try #require(readFile(path))
    for length in stride(from: 0, to: bytes.count, by: 37) {
        var cut = Array(bytes[..<length])
        _ = failure(cut)
        if length > 8 {
            for shift in 0..<4 { cut[4 + shift] = UInt8(truncatingIfNeeded: (length - 8) >> (24 - 8 * shift)) }
            _ = failure(cut)
        }
    }
    var state: UInt64 = 42
    func random(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % limit
    }
    var accepted = 0
    for _ in 0..<1000 {
        var changed = bytes
        changed[random(bytes.count)] = UInt8(truncatingIfNeeded: random(256))
        if failure(changed) == nil { accepted += 1 }
    }
    #expect(accepted < 1000)
}

@Test func compactNumbersDecode() throws {
    // move {integer,N} {x,0} for numbers of several forms.
    let cases: [([UInt8], Int)] = [
        ([0x31], 3), ([0x29, 0xFF], 0x1FF), ([0x19, 0xFF, 0xFF], -1), ([0x19, 0x01, 0x00], 256),
        ([0xD9, 0x80, 0, 0, 0, 0, 0, 0, 0], Int.min),
    ]
    for (encoded, value) in cases {
        try ([64] + encoded + [0x03]).withUnsafeBytes { (code: UnsafeRawBufferPointer) throws in
            var reader = InstructionReader(code, from: 0, to: code.count)
            let opcode = try reader.next()
            #expect(opcode == .move)
            #expect(reader.operands[0].kind == .integer)
            #expect(reader.operands[0].value == value)
            #expect(reader.operands[1].kind == .x)
        }
    }
    try ([64, 0xF9, 0x00] + [UInt8](repeating: 7, count: 9) + [0x03]).withUnsafeBytes { (code: UnsafeRawBufferPointer) throws in
        var reader = InstructionReader(code, from: 0, to: code.count)
        let opcode = try reader.next()
        #expect(opcode == .move)
        #expect(reader.operands[0].kind == .bigInteger)
        #expect(reader.digits(of: reader.operands[0]).elementsEqual([UInt8](repeating: 7, count: 9)))
    }
}
