// HeapNeeds.swift: heap tests that one earlier test can answer for. A heap test asks for what the tests behind it want
// too, as far as nothing in between may use the heap in another way.

import CMachine
import Machine
import Terms

/// What heap tests ahead want, in a function as a native function has it.
final class HeapNeeds {
    /// No test asks for more than this on behalf of later ones, bytes.
    static let limit = 256

    private let body: FunctionBody
    /// Instructions that use the heap, or may collect, in ways that are not reckoned with.
    private let isBarrier: (Instruction) -> Bool
    /// Functions that may be inlined.
    private let inlined: (Ref<Function>) -> HeapNeeds?
    /// By block; nil while it is being found, which is a loop.
    private var needs: [Int: Int?] = [:]

    init(_ body: FunctionBody, isBarrier: @escaping (Instruction) -> Bool, inlined: @escaping (Ref<Function>) -> HeapNeeds?) {
        self.body = body
        self.isBarrier = isBarrier
        self.inlined = inlined
    }

    /// Bytes that an instruction tests for: a heap test.
    static func bytes(_ instruction: Instruction) -> Int? {
        func raw(_ index: Int) -> Int { if case .raw(let word) = instruction.operands[index] { Int(word) } else { 0 } }
        switch instruction.op {
        case .test_heap, .allocate, .allocate_zero: return raw(0)
        case .allocate_heap, .allocate_heap_zero: return raw(0) + raw(1)
        default: return nil
        }
    }

    /// What a heap test takes of the room that an earlier one has found: something, because where no room is left the
    /// reserve may have been used for return addresses, and tests for nothing are for that.
    static func charge(_ bytes: Int) -> Int { max(bytes, 8) }

    /// At the function's entry.
    var atEntry: Int { need(block: body.blockAt[body.entry]!) }

    /// At the start of a block.
    func need(block number: Int) -> Int {
        if let known = needs[number] { return known ?? 0 }
        needs[number] = .some(nil)
        let found = need(from: body.blocks[number].first)
        needs[number] = found
        return found
    }

    /// From an instruction on, to the end of the way that wants most.
    func need(from index: Int) -> Int {
        let block = body.blocks[body.blockOf[index]]
        var total = 0
        for instruction in body.instructions[index..<block.end] {
            if let bytes = Self.bytes(instruction) {
                guard total + Self.charge(bytes) <= Self.limit else { return total }
                total += Self.charge(bytes)
            } else if instruction.op == .call, case .raw(let word) = instruction.operands[0] {
                let callee = Ref<Function>(bitPattern: UInt(word))!
                guard let needs = inlined(callee) else { return total }
                // The return address too.
                let rest = needs.atEntry
                return rest > 0 && total + rest + 8 <= Self.limit ? total + rest + 8 : total
            } else if FunctionBody.flow(instruction) == .leave || isBarrier(instruction) {
                return total
            }
        }
        let rest = block.successors.filter(body.isReachedOnce).map { need(block: $0) }.max() ?? 0
        return total + rest <= Self.limit ? total + rest : total
    }
}

extension FunctionBody {
    /// Only one instruction leads to the block.
    func isReachedOnce(_ number: Int) -> Bool { references[number] == 1 }
}
