// CodeTests.swift: the steps of loading, replacing, deleting and purging a module, without running any of it.

import BeamFile
import CMachine
import Glibc
import Terms
import Testing

@testable import Machine

private let root = getenv("ENIGMA_OTP_ROOT").map { String(cString: $0) } ?? "/usr/lib/erlang"

/// Makes the tables once.
private let booted: Bool = {
    AtomTable.boot()
    Nodes.boot()
    Literals.boot()
    bootCodeTables()
    return true
}()

private func module(_ name: String) throws -> LoadedModule {
    #expect(booted)
    var found = glob_t()
    defer { globfree(&found) }
    #expect(glob("\(root)/lib/stdlib-*/ebin/\(name).beam", 0, nil, &found) == 0)
    let path = try #require(found.gl_pathc > 0 ? found.gl_pathv[0] : nil)
    let file = try #require(fopen(path, "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return try bytes.withUnsafeBytes { try LoadedModule.prepare($0) }
}

private func export(_ module: String, _ name: String, _ arity: Int) -> Ref<Export> {
    Exports.findOrMake(AtomTable.intern(module), AtomTable.intern(name), arity)
}

@Suite(.serialized) struct CodeTests {
    @Test func modulesComeAndGo() throws {
        let first = try module("queue")
        let new = export("queue", "new", 0)
        #expect(new.pointee.function == nil && new.pointee.entry == new.stubAddress)

        guard case .done = Modules.finish([first]) else { throw Failure.unexpected }
        let function = try #require(new.pointee.function)
        #expect(LoadedModule.of(function) === first)
        #expect(new.pointee.entry == function.stubAddress)
        guard case .used = Modules.finish([first]) else { throw Failure.unexpected }

        let second = try module("queue")
        guard case .done = Modules.finish([second]) else { throw Failure.unexpected }
        #expect(new.pointee.function.map { LoadedModule.of($0) === second } == true)
        #expect(Modules.hasOld(first.name))
        guard case .notPurged = Modules.finish([try module("queue")]) else { throw Failure.unexpected }

        #expect(Modules.preparePurge(first.name, ofPending: false) == true)
        #expect(Modules.isPurging(first.name))
        #expect(Modules.completePurge(first.name) == true)
        #expect(!Modules.hasOld(first.name) && first.code.count == 0)

        guard case .deleted = Modules.delete(first.name) else { throw Failure.unexpected }
        #expect(new.pointee.function == nil && new.pointee.entry == new.stubAddress)
        #expect(Modules.current(first.name) == nil && Modules.loaded().contains(first.name))
    }

    @Test func funsFollowTheCurrentCode() throws {
        let first = try module("lists")
        guard case .done = Modules.finish([first]) else { throw Failure.unexpected }
        try #require(first.funCount > 0)
        let fun = first.funs[0]
        #expect(fun.pointee.function == first.funFunctions[0])
        // The same code again: the same entries, which lead to the new generation.
        let second = try module("lists")
        #expect(second.funs[0] == fun)
        guard case .done = Modules.finish([second]) else { throw Failure.unexpected }
        #expect(fun.pointee.function == second.funFunctions[0])
        #expect(Modules.preparePurge(first.name, ofPending: false) == true)
        #expect(fun.pointee.function == second.funFunctions[0])
        #expect(Modules.abortPurge(first.name))
    }

    @Test func entriesReachExports() throws {
        let module = try module("sets")
        guard case .done = Modules.finish([module]) else { throw Failure.unexpected }
        let export = export("sets", "new", 0)
        let function = try #require(export.pointee.function)
        let entry = CodePointer(module.withDecodingLock { module.allocateCode(4) })
        module.setEntry(function, entry)
        #expect(function.pointee.entry == entry && export.pointee.entry == entry)
        #expect(module.containsCode(UInt(bitPattern: entry)))
    }

    @Test func positionsNameFileAndLine() throws {
        let module = try module("proplists")
        var heap = Heap()
        withUnsafeMutablePointer(to: &heap) { heap in
            #expect(module.sourcePosition(heap, 0) == nil)
            #expect(module.sourcePosition(heap, 1)?.file.isCons == true)
            #expect(module.sourcePosition(heap, 1 << 20) == nil)
        }
    }

    enum Failure: Error { case unexpected }
}
