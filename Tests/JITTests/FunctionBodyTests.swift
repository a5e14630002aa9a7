// FunctionBodyTests.swift: threaded code read back. What OTP's compiler guarantees of every function (no x register is
// read before it is written, none survives a call, a collection sees all live ones) must follow from the operands that
// the reader finds; one wrong register or jump in a pattern breaks that somewhere in the modules read here.

import CMachine
import Terms
import TestSupport
import Testing

@testable import JIT
@testable import Machine

/// Functions with all kinds of instructions: bit syntax, floats, maps, funs, exceptions, receive.
private let modules = ["lists", "base64", "rand", "maps", "gen", "string", "dets_utils", "zip"]

nonisolated(unsafe) private let reader = {
    bootTables()
    return OperandReader()
}()

private func bodies(_ name: String) throws -> [FunctionBody] {
    let module = try stdlibModule(name)
    // Functions do not keep their module.
    _ = Unmanaged.passRetained(module)
    return try (0..<module.functionCount).map { index in
        let function = module.functions + index
        _ = decodeFunction(function)
        let body = FunctionBody(function, reader, originals: [:])
        return try #require(body, "\(function.pointee.name.atomText)/\(function.pointee.arity)")
    }
}

@Test(arguments: modules) func instructionsCoverTheCode(module: String) throws {
    for body in try bodies(module) {
        var position = 0
        for instruction in body.instructions {
            #expect(instruction.start == position)
            position = instruction.next
        }
        #expect(position == Int(body.function.pointee.codeWords) && body.instructions.last?.op == .invalid_code)
        let starts = Set(body.instructions.map(\.start))
        for instruction in body.instructions {
            #expect(starts.isSuperset(of: instruction.targets), "\(body.name): \(instruction.op)")
        }
        #expect(body.blocks.map(\.first) == [0] + body.blocks.map(\.end).dropLast())
        #expect(body.blocks.last?.end == body.instructions.count)
    }
}

@Test(arguments: modules) func noRegisterIsReadBeforeItIsWritten(module: String) throws {
    for body in try bodies(module) {
        func expectLive(at word: Int, _ allowed: Range<Int>) throws {
            let block = try #require(body.blockAt[word])
            let live = body.liveIn[block].members
            #expect(live.allSatisfy(allowed.contains), "\(body.name) at \(word): \(live)")
        }
        let catches = body.instructions.contains { $0.op == .catch_end }
        try expectLive(at: body.entry, 0..<Int(body.function.pointee.arity))
        for instruction in body.instructions {
            switch instruction.op {
            case .catch: for target in instruction.targets { try expectLive(at: target, 0..<4) }
            case .wait, .wait_timeout, .loop_rec_end:
                for target in instruction.targets { try expectLive(at: target, 0..<0) }
            default:
                // catch_end looks at x1 to x3 only if x0 says that there was an exception.
                if FunctionBody.flow(instruction) == .call {
                    try expectLive(at: instruction.next, catches ? 0..<4 : 0..<1)
                }
            }
        }
    }
}

@Test(arguments: modules) func collectionsSeeEveryLiveRegister(module: String) throws {
    for body in try bodies(module) {
        for number in body.blocks.indices {
            let block = body.blocks[number]
            for (instruction, after) in zip(body.instructions[block.first..<block.end], body.liveAfter(number)) {
                guard let live = instruction.live else { continue }
                var before = after
                for register in instruction.writes { before.remove(register) }
                let lost = before.members.filter { $0 >= live && $0 < RegisterSet.firstFloat }
                #expect(
                    lost.isEmpty, "\(body.name): \(reader.name(instruction.op)) at \(instruction.start) loses \(lost)")
            }
        }
    }
}

/// Where an instruction fails, the registers it would have written are what they were before.
@Test(arguments: modules + ["binary", "uri_string"]) func whatFailsHasWrittenNothing(module: String) throws {
    for body in try bodies(module) {
        for (number, block) in body.blocks.enumerated() {
            let last = body.instructions[block.end - 1]
            let before = body.instructions[block.first..<(block.end - 1)]
            guard last.op != .catch, !before.contains(where: { FunctionBody.endsRegisters($0.op) }) else { continue }
            let written = RegisterSet(before.flatMap(\.writes))
            for target in last.targets {
                let needed = body.liveIn[try #require(body.blockAt[target])].members.filter { !written.contains($0) }
                #expect(needed.allSatisfy(body.liveIn[number].contains), "\(body.name): \(last.op) at \(last.start)")
            }
        }
    }
}

/// `lists:map/2`, instruction by instruction.
@Test func registersOfAKnownFunction() throws {
    let all = try bodies("lists")
    let body = try #require(all.first { $0.name == "lists:map/2" })
    let call = try #require(body.instructions.first { [.call_fun, .call_fun2].contains($0.op) })
    #expect(call.writes == [0] && Set(call.reads).isSuperset(of: [0, 1]))
    #expect(body.entryPoints.count == 3, "the entry, and behind both calls")
    let entry = try #require(body.blockAt[body.entry])
    #expect(body.liveIn[entry] == RegisterSet([0, 1]))
}

@Test func registersThatNativeCodeTookOver() throws {
    let module = try stdlibModule("queue")
    let function = module.functions
    _ = decodeFunction(function)
    defer { withExtendedLifetime(module) {} }
    let code = try #require(function.pointee.code)
    let entry = UnsafeMutablePointer(mutating: function.pointee.entry)
    let original = entry[0]
    // As the JIT marks an entry: the word there is no handler that the table knows.
    entry[0] = UInt64(UInt(bitPattern: code))
    #expect(FunctionBody(function, reader, originals: [:]) == nil)
    let body = FunctionBody(function, reader, originals: [UInt(bitPattern: entry): original])
    #expect(body?.instructions.last?.op == .invalid_code)
    entry[0] = original
}

@Test func setsOfRegisters() {
    var set = RegisterSet([3, 64, RegisterSet.firstFloat + 2])
    #expect(set.members == [3, 64, 1026])
    #expect(set.contains(64) && !set.contains(63) && !set.contains(5000))
    #expect(set.formUnion(RegisterSet([2000])) && !set.formUnion(RegisterSet([3, 64])))
    for member in [2000, 1026, 64, 9999] { set.remove(member) }
    // However far it once reached.
    #expect(set == RegisterSet([3]) && set != RegisterSet([4]))
}
