// Unit.swift: what is compiled together: a hot function and the hot local functions it calls. Calls inside a unit pass
// the first x registers in machine registers.
//
//     public entry   loads x(0)... from the context, continues in the body    <- the word at the function's label
//     body           the code from the entry; x(0)... are parameters          <- calls inside the unit
//     entry point    the code from a return address, catch position, ...      <- the word there

import CLLVM
import CMachine
import Machine
import Terms

/// A native function that stands in a code word once it is compiled.
struct Published {
    let symbol: String
    let function: Ref<Function>
    /// Index in the function's code, and the operation there.
    let word: Int
    let op: Op
}

/// What native code bets on at an instruction; the text is the reason of the exit where that is lost.
enum Bet: String {
    case small = "an operand or the result is no small integer or float"
    case float = "an operand is no float"
    case order = "an operand is no small integer"
}

/// A bet that a function lost too often.
struct LostBet: Hashable {
    let word: Int
    let reason: String
}

/// A place where native code may be given up.
struct ExitSite {
    let body: FunctionBody
    let instruction: Instruction
    let reason: String
}

final class Unit {
    let number: UInt64
    let ir: IRBuilder
    let bodies: [FunctionBody]
    /// Small functions that its functions call; they need not belong to the unit.
    let inlinable: [Ref<Function>: FunctionBody]
    /// Those of them that have been inlined.
    private(set) var inlined: Set<Ref<Function>> = []
    /// Functions that must not be taken in now.
    var missed: Set<Ref<Function>> = []
    /// Slow halves of arithmetic give native code up, but where that was done too often before.
    let speculates: Bool
    let lostBets: [Ref<Function>: Set<LostBet>]
    /// Side exits at random, to test them.
    var stressesExits = false
    let constants: Constants
    private(set) var exits: [ExitSite] = []
    /// Calls of each body, if they are counted; the NativeUnit owns the memory.
    private(set) var counters: UnsafeMutablePointer<UInt64>?
    /// If somebody will look at the code.
    var debug: DebugInfo?
    private(set) var published: [Published] = []
    private var natives: [Ref<Function>: Value] = [:]
    private var points: [CodePointer: Value] = [:]
    private var pending: [(body: FunctionBody, word: Int, function: Value)] = []

    init(
        number: UInt64, bodies: [FunctionBody], inlinable: [Ref<Function>: FunctionBody], speculates: Bool,
        lostBets: [Ref<Function>: Set<LostBet>] = [:],
        features: (cpu: String, features: String)
    ) {
        self.number = number
        self.bodies = bodies
        self.inlinable = inlinable
        self.speculates = speculates
        self.lostBets = lostBets
        ir = IRBuilder(name: bodies[0].name, features: features)
        constants = Constants(ir)
    }

    func makeCounters() {
        counters = .allocate(capacity: bodies.count)
        counters?.initialize(repeating: 0, count: bodies.count)
    }

    /// A new function for code of `body` that starts at `word`.
    private func makeFunction(_ kind: String, _ body: FunctionBody, _ word: Int, isPublic: Bool = false) -> Value {
        let function = ir.makeFunction(body.name + kind, isPublic: isPublic)
        debug?.begin(function, body, word)
        return function
    }

    /// What the instruction bets on, by what its slow path has met; nil: it must do with whatever comes.
    func bet(_ body: FunctionBody, _ instruction: Instruction) -> Bet? {
        let seen = instruction.seen
        guard speculates, !seen.has(.large), !seen.has(.other) else { return nil }
        let bet: Bet = seen.hasFloat ? .float : .small
        return hasLost(bet, body, instruction) ? nil : bet
    }

    /// A comparison that has only met small integers bets on them; one that was never run does not.
    func betsOnOrder(_ body: FunctionBody, _ instruction: Instruction) -> Bool {
        guard speculates, body.hasRun, instruction.seen.isEmpty else { return false }
        return !hasLost(.order, body, instruction)
    }

    private func hasLost(_ bet: Bet, _ body: FunctionBody, _ instruction: Instruction) -> Bool {
        lostBets[body.function]?.contains(LostBet(word: instruction.start, reason: bet.rawValue)) ?? false
    }

    /// Index of a new side exit.
    func addExit(_ body: FunctionBody, _ instruction: Instruction, _ reason: String) -> UInt64 {
        exits.append(ExitSite(body: body, instruction: instruction, reason: reason))
        return UInt64(exits.count - 1)
    }

    /// Address of the count of calls of `body`.
    func counter(_ body: FunctionBody) -> Value? {
        guard let counters, let index = bodies.firstIndex(where: { $0 === body }) else { return nil }
        return constants.pointer(.counter(UInt64(UInt(bitPattern: counters + index))))
    }

    /// LLVM would take more than about two seconds for it (jit-notes/tiering.md).
    var isTooLarge: Bool { ir.size > Self.sizeLimit }
    static let sizeLimit = 30_000

    /// Writes the IR of all functions; stops where it gets too large.
    func lower() {
        for body in bodies { natives[body.function] = makeFunction("", body, body.entry) }
        for body in bodies {
            makePublicEntry(body)
            Lowering(self, body, entry: body.entry, llvmFunction: natives[body.function]!, isBody: true).run()
            for word in body.entryPoints.dropFirst() {
                publish(entryPoint(body, word), body, word)
            }
        }
        while !isTooLarge, let (body, word, function) = pending.popLast() {
            Lowering(self, body, entry: word, llvmFunction: function, isBody: false).run()
        }
    }

    private func makePublicEntry(_ body: FunctionBody) {
        let function = makeFunction(" entry", body, body.entry, isPublic: true)
        ir.position(ir.block(function, "entry"))
        debug?.locate(function, body, body.entry)
        let parameters = (0..<5).map { LLVMGetParam(function, UInt32($0))! }
        var arguments = parameters
        for register in 0..<argumentRegisters {
            let isArgument = register < Int(body.function.pointee.arity)
            arguments.append(
                isArgument ? ir.load(ir.i64, ir.offset(parameters[0], xBase + register * 8), .x) : ir.poison)
        }
        ir.tailCall(natives[body.function]!, arguments)
        publish(function, body, body.entry)
    }

    private func publish(_ function: Value, _ body: FunctionBody, _ word: Int) {
        var length = 0
        let name = String(cString: LLVMGetValueName2(function, &length))
        LLVMSetLinkage(function, LLVMExternalLinkage)
        let op = body.instructions[body.blocks[body.blockAt[word]!].first].op
        published.append(Published(symbol: name, function: body.function, word: word, op: op))
    }

    func noteInlined(_ body: FunctionBody) {
        if natives[body.function] == nil { inlined.insert(body.function) }
    }

    /// The body of `function`, if it belongs to the unit.
    func nativeBody(_ function: Ref<Function>) -> Value? { natives[function] }

    /// The native function that goes on at `word`.
    func entryPoint(_ body: FunctionBody, _ word: Int) -> Value {
        let key = body.base + word
        if let function = points[key] { return function }
        let function = makeFunction(" w\(word)", body, word)
        points[key] = function
        pending.append((body, word, function))
        return function
    }

    /// Jumps to the label at `word` leave the native function instead of repeating the code there: in functions where
    /// repeating it would grow the code too much.
    func isShared(_ body: FunctionBody, _ word: Int) -> Bool { body.sharedLabels.contains(word) }
}
