// Activation.swift: functions inlined into the native function of another. The return address is pushed and the calls are
// counted as ever, so stack traces, collections, exits and process_info see the frames they would see without it; only
// the way through a return instruction and back is saved, and what is known of registers is not lost on it.

import CMachine
import Machine
import Terms

/// A function whose code stands in a native function: the native function's own, or one that is inlined there.
final class Activation {
    let number: Int
    let body: FunctionBody
    /// Where it returns to; nil: to the address on the stack.
    let caller: (activation: Activation, next: Int)?
    let depth: Int

    init(_ number: Int, _ body: FunctionBody, caller: (activation: Activation, next: Int)?) {
        self.number = number
        self.body = body
        self.caller = caller
        depth = caller.map { $0.activation.depth + 1 } ?? 0
    }

    /// How often the function stands in the chain of callers.
    func count(of function: Ref<Function>) -> Int {
        (body.function == function ? 1 : 0) + (caller?.activation.count(of: function) ?? 0)
    }
}

/// What a native function may take in.
struct InliningBudget {
    /// Instructions of an inlined function; of one that is called last, which a jump is nearly as good for.
    static let calleeLimit = 24
    static let tailLimit = 12
    static let depthLimit = 3
    /// A function calls itself once in line.
    static let recursionLimit = 2

    /// Instructions that inlining may add to the native function, among them the callers' code behind the calls.
    private var left = 120

    mutating func spend(_ count: Int) -> Bool {
        guard count <= left else { return false }
        left -= count
        return true
    }
}

extension FunctionBody {
    /// Once it is entered, it leaves by returning, tail calls or exceptions only: no native code of its own is needed
    /// to come back to.
    var isLeaf: Bool {
        entryPoints.count == 1 && instructions.allSatisfy { Self.flow($0) != .call }
    }
    /// It calls itself as its last act, and its instructions are few.
    var isShortLoop: Bool {
        instructions.count <= 16
            && instructions.contains { instruction in
                guard instruction.op == .call_only, case .raw(let word) = instruction.operands[0] else { return false }
                return word == UInt64(UInt(bitPattern: function))
            }
    }
    /// Local functions that it calls, and those that its calls of funs have always led to.
    var localCallees: [Ref<Function>] {
        instructions.compactMap { instruction in
            guard [.call, .call_only, .call_last].contains(instruction.op), case .raw(let word) = instruction.operands[0] else {
                return funTarget(instruction)
            }
            return Ref<Function>(bitPattern: UInt(word))!
        }
    }

    /// The function of its own module that a call of a fun has always led to.
    func funTarget(_ instruction: Instruction) -> Ref<Function>? {
        guard [.call_fun, .call_fun2, .call_fun_last, .call_fun2_last].contains(instruction.op),
            case .raw(let word) = instruction.operands[instruction.operands.count - 2],
            case .raw(let arity) = instruction.operands[0], let (entry, target) = FunTarget.function(word, of: LoadedModule.of(function)),
            target.pointee.module == function.pointee.module, UInt64(entry.pointee.arity) == arity,
            target.pointee.arity == entry.pointee.arity + entry.pointee.freeCount, target.pointee.arity <= 255
        else { return nil }
        return target
    }
}
