// CodeTests.swift: the steps of loading, replacing, deleting and purging a module, without running any of it.

import BeamFile
import CMachine
import Terms
import TestSupport
import Testing

@testable import Machine

private func export(_ module: String, _ name: String, _ arity: Int) -> Ref<Export> {
    Exports.findOrMake(AtomTable.intern(module), AtomTable.intern(name), arity)
}

@Suite(.serialized) struct CodeTests {
    @Test func modulesComeAndGo() throws {
        let first = try stdlibModule("queue")
        let new = export("queue", "new", 0)
        #expect(new.pointee.function == nil && new.pointee.entry == new.stubAddress)

        guard case .done = Modules.finish([first]) else { throw Failure.unexpected }
        let function = try #require(new.pointee.function)
        #expect(LoadedModule.of(function) === first)
        #expect(new.pointee.entry == function.stubAddress)
        guard case .used = Modules.finish([first]) else { throw Failure.unexpected }

        let second = try stdlibModule("queue")
        guard case .done = Modules.finish([second]) else { throw Failure.unexpected }
        #expect(new.pointee.function.map { LoadedModule.of($0) === second } == true)
        #expect(Modules.hasOld(first.name))
        guard case .notPurged = Modules.finish([try stdlibModule("queue")]) else { throw Failure.unexpected }

        #expect(Modules.preparePurge(first.name, ofPending: false) == true)
        #expect(Modules.isPurging(first.name))
        #expect(Modules.completePurge(first.name) == true)
        #expect(!Modules.hasOld(first.name) && first.code.count == 0)

        guard case .deleted = Modules.delete(first.name) else { throw Failure.unexpected }
        #expect(new.pointee.function == nil && new.pointee.entry == new.stubAddress)
        #expect(Modules.current(first.name) == nil && Modules.loaded().contains(first.name))
    }

    @Test func funsFollowTheCurrentCode() throws {
        let first = try stdlibModule("lists")
        guard case .done = Modules.finish([first]) else { throw Failure.unexpected }
        try #require(first.funCount > 0)
        let fun = first.funs[0]
        #expect(fun.pointee.function == first.funFunctions[0])
        // The same code again: the same entries, which lead to the new generation.
        let second = try stdlibModule("lists")
        #expect(second.funs[0] == fun)
        guard case .done = Modules.finish([second]) else { throw Failure.unexpected }
        #expect(fun.pointee.function == second.funFunctions[0])
        #expect(Modules.preparePurge(first.name, ofPending: false) == true)
        #expect(fun.pointee.function == second.funFunctions[0])
        #expect(Modules.abortPurge(first.name))
    }

    @Test func entriesReachExports() throws {
        let module = try stdlibModule("sets")
        guard case .done = Modules.finish([module]) else { throw Failure.unexpected }
        let export = export("sets", "new", 0)
        let function = try #require(export.pointee.function)
        let entry = CodePointer(module.withDecodingLock { module.allocateCode(4) })
        module.setEntry(function, entry)
        #expect(function.pointee.entry == entry && export.pointee.entry == entry)
        #expect(module.containsCode(UInt(bitPattern: entry)))
    }

    @Test func positionsNameFileAndLine() throws {
        let module = try stdlibModule("proplists")
        var heap = Heap()
        withUnsafeMutablePointer(to: &heap) { heap in
            #expect(module.sourcePosition(heap, 0) == nil)
            #expect(module.sourcePosition(heap, 1)?.file.isCons == true)
            #expect(module.sourcePosition(heap, 1 << 20) == nil)
        }
    }

    enum Failure: Error { case unexpected }
}
