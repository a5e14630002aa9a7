// FunctionBody.swift: one function as the compiler sees it: its instructions, basic blocks, the points where it is
// entered, and which x registers are live where.
//
// Entry points are the words that others may continue at: the function's entry, return addresses, catch positions and
// the labels that a waiting process comes back to. Each becomes a native function of its own.

import CMachine
import Machine
import Terms

/// A set of x registers (0...) and float registers (1024...).
struct RegisterSet: Equatable {
    /// The first 64, which is mostly all there are, and words of more.
    private var low: UInt64 = 0
    private var high: [UInt64] = []
    static let firstFloat = 1024

    init() {}
    init<S: Sequence>(_ members: S) where S.Element == Int { for member in members { insert(member) } }

    private static func bit(_ member: Int) -> UInt64 { 1 << UInt64(member & 63) }
    private static func word(_ member: Int) -> Int { (member >> 6) - 1 }

    mutating func insert(_ member: Int) {
        if member < 64 { return low |= Self.bit(member) }
        while high.count <= Self.word(member) { high.append(0) }
        high[Self.word(member)] |= Self.bit(member)
    }
    mutating func remove(_ member: Int) {
        if member < 64 { return low &= ~Self.bit(member) }
        if Self.word(member) < high.count { high[Self.word(member)] &= ~Self.bit(member) }
    }
    /// Answers whether the set grew.
    @discardableResult mutating func formUnion(_ other: RegisterSet) -> Bool {
        var grew = other.low & ~low != 0
        low |= other.low
        if other.high.isEmpty { return grew }
        while high.count < other.high.count { high.append(0) }
        for index in other.high.indices where other.high[index] & ~high[index] != 0 {
            high[index] |= other.high[index]
            grew = true
        }
        return grew
    }
    func contains(_ member: Int) -> Bool {
        if member < 64 { return low & Self.bit(member) != 0 }
        return Self.word(member) < high.count && high[Self.word(member)] & Self.bit(member) != 0
    }
    var members: [Int] {
        var result: [Int] = []
        func add(_ word: UInt64, _ first: Int) {
            var rest = word
            while rest != 0 {
                result.append(first + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
        add(low, 0)
        for (index, word) in high.enumerated() { add(word, 64 * (index + 1)) }
        return result
    }
    static func == (a: RegisterSet, b: RegisterSet) -> Bool { a.low == b.low && a.members == b.members }
}

/// How control leaves an instruction.
enum Flow {
    /// To the next instruction, or to one of the targets.
    case next
    /// Only to one of the targets.
    case jump
    /// A call that comes back to the next instruction.
    case call
    /// It does not come back: return, tail call, exception.
    case leave
}

struct Block {
    /// Range of instruction indexes.
    var first: Int
    var end: Int
    /// Blocks that control may continue in, but for calls.
    var successors: [Int] = []
}

final class FunctionBody {
    let function: Ref<Function>
    /// First word of the threaded code.
    let base: CodePointer
    private(set) var instructions: [Instruction] = []
    private(set) var blocks: [Block] = []
    /// Block that starts at a word.
    private(set) var blockAt: [Int: Int] = [:]
    /// Number of the block of each instruction.
    private(set) var blockOf: [Int] = []
    /// Registers live at the start of each block, and behind each instruction of those that somebody has asked about.
    private(set) var liveIn: [RegisterSet] = []
    private var liveBehind: [Int: [RegisterSet]] = [:]
    /// Word of the function's entry label.
    let entry: Int
    /// Words of all entry points, the function's entry first.
    private(set) var entryPoints: [Int] = []
    /// Words that exceptions continue at.
    private(set) var catchPositions: Set<Int> = []

    /// What the Type chunk says of registers, by the word of the instruction that reads them.
    private(set) lazy var types = typesInCode(of: function)

    /// It has been called so often that what its instructions have not met is rare.
    private(set) lazy var hasRun: Bool = {
        let (left, all) = (function.pointee.calls, JITHooks.threshold)
        return !JIT.isAheadOfTime && (left > all || left <= all - max(1, all / 8))
    }()

    /// How many blocks and entry points lead to each block.
    private(set) lazy var references: [Int] = {
        var references = [Int](repeating: 0, count: blocks.count)
        for block in blocks { for successor in block.successors { references[successor] += 1 } }
        for word in entryPoints { references[blockAt[word]!] += 1 }
        return references
    }()

    /// Labels whose code is not repeated in each native function that reaches it.
    fileprivate(set) var sharedLabels: Set<Int> = []

    var name: String {
        let f = function.pointee
        return "\(f.moduleName.atomText):\(f.name.atomText)/\(f.arity)"
    }

    /// Reads the code. `originals`: words that native code has taken over. Nil: something is not code of ours.
    init?(_ function: Ref<Function>, _ reader: OperandReader, originals: [UInt: UInt64]) {
        guard let code = function.pointee.code else { return nil }
        self.function = function
        base = CodePointer(code)
        let count = Int(function.pointee.codeWords)
        var words = [UInt64](unsafeUninitializedCapacity: count) { buffer, used in
            for index in 0..<count { buffer[index] = code[index] }
            used = count
        }
        let address = UInt(bitPattern: code)
        for index in 0..<count { if let original = originals[address + UInt(index * 8)] { words[index] = original } }
        // `function.entry` leads elsewhere while it is traced.
        let info = words.withUnsafeBufferPointer { reader.read($0, at: 0, base: address) }
        guard let info, info.op == .function_clause, info.next < count else { return nil }
        entry = info.next
        let ok = words.withUnsafeBufferPointer { buffer -> Bool in
            var position = 0
            while position < count {
                guard let instruction = reader.read(buffer, at: position, base: address) else { return false }
                instructions.append(instruction)
                position = instruction.next
            }
            return true
        }
        guard ok else { return nil }
        for index in instructions.indices { addEffects(index) }
        makeBlocks()
        findLiveness()
        findSharedLabels()
    }

    // MARK: Effects that the operands do not show

    private func addEffects(_ index: Int) {
        let instruction = instructions[index]
        var reads: [Int] = []
        var writes: [Int] = []
        func raw(_ operand: Int) -> UInt64 {
            if case .raw(let value) = instruction.operands[operand] { value } else { 0 }
        }
        func export() -> Export { UnsafePointer<Export>(bitPattern: UInt(raw(0)))!.pointee }
        func callee() -> Function { UnsafePointer<Function>(bitPattern: UInt(raw(0)))!.pointee }
        switch instruction.op {
        case .call, .call_only, .call_last:
            reads += 0..<Int(callee().arity)
            writes = [0]
        case .call_ext, .call_ext_only, .call_ext_last, .call_bif:
            reads += 0..<Int(export().arity)
            writes = [0]
        case .check_apply: reads += 0..<Int(raw(0))
        case .call_fun, .call_fun_last:
            reads += 0...Int(raw(0))
            writes = [0]
        case .call_fun2, .call_fun2_last:
            reads += 0..<Int(raw(0))
            writes = [0]
        case .apply, .apply_last:
            reads += 0...Int(raw(0)) + 1
            writes = [0]
        case .make_fun2:
            reads += 0..<Int(raw(1))
            writes = [0]
        case .return, .deallocate_return: reads = [0]
        case .send:
            reads = [0, 1]
            writes = [0]
        case .build_stacktrace, .bs_init_writable:
            reads = [0]
            writes = [0]
        case .raw_raise:
            reads = [0, 1, 2]
            writes = [0]
        case .catch_end:
            reads = [0, 1, 2, 3]
            writes = [0]
        case .try_case:
            reads = [1, 2, 3]
            writes = [0]
        case .function_clause: reads += 0..<Int(function.pointee.arity)
        case .fmove_load, .fconv: writes = [float(raw(1))]
        case .fmove_store: reads = [float(raw(0))]
        case .fmove_copy, .fnegate:
            reads = [float(raw(0))]
            writes = [float(raw(1))]
        case .fadd, .fsub, .fmul, .fdiv:
            reads = [float(raw(0)), float(raw(1))]
            writes = [float(raw(2))]
        default: break
        }
        instructions[index].reads += reads
        instructions[index].writes += writes
        if let live = instruction.live { instructions[index].reads += 0..<live }
    }

    /// Member of a register set for the float register at a byte offset of the context.
    private func float(_ offset: UInt64) -> Int { RegisterSet.firstFloat + (Int(offset) - floatBase) / 8 }

    static func flow(_ instruction: Instruction) -> Flow {
        switch instruction.op {
        case .call, .call_ext, .call_fun, .call_fun2, .apply: .call
        case .call_only, .call_last, .call_ext_only, .call_ext_last, .call_fun_last, .call_fun2_last, .apply_last, .return, .deallocate_return, .badmatch,
            .case_end, .badrecord, .if_end, .function_clause, .try_case_end, .raise, .invalid_code:
            .leave
        case .jump, .select_val2_x, .select_linear, .select_binary, .select_table, .select_terms, .select_tuple_arity, .wait,
            .loop_rec_end:
            .jump
        default: .next
        }
    }

    /// No x register but those written survives it.
    static func endsRegisters(_ op: Op) -> Bool {
        switch op {
        case .call, .call_ext, .call_fun, .call_fun2, .apply, .call_bif, .send, .loop_rec, .loop_rec_end, .wait, .wait_timeout:
            true
        default: false
        }
    }

    /// Its slow path may collect.
    static func mayCollect(_ instruction: Instruction) -> Bool {
        if instruction.live != nil || endsRegisters(instruction.op) { return true }
        switch instruction.op {
        case .build_stacktrace, .bs_init_writable, .catch_end, .make_fun2: return true
        default: return false
        }
    }

    // MARK: Blocks

    private func makeBlocks() {
        var leaders: Set<Int> = [entry, 0]
        var points: Set<Int> = []
        for instruction in instructions {
            leaders.formUnion(instruction.targets)
            switch instruction.op {
            case .catch: catchPositions.formUnion(instruction.targets)
            case .wait, .loop_rec_end: points.formUnion(instruction.targets)
            case .wait_timeout:
                points.formUnion(instruction.targets)
                points.insert(instruction.start)
                points.insert(instruction.next)
            default: break
            }
            let flow = Self.flow(instruction)
            if flow == .call { points.insert(instruction.next) }
            if flow != .next || !instruction.targets.isEmpty { leaders.insert(instruction.next) }
        }
        points.formUnion(catchPositions)
        points.remove(entry)
        entryPoints = [entry] + points.sorted()
        leaders.formUnion(points)
        var indexOf: [Int: Int] = [:]
        for (index, instruction) in instructions.enumerated() { indexOf[instruction.start] = index }
        let starts = leaders.compactMap { indexOf[$0] }.sorted()
        for (number, first) in starts.enumerated() {
            let end = number + 1 < starts.count ? starts[number + 1] : instructions.count
            blockAt[instructions[first].start] = number
            blocks.append(Block(first: first, end: end))
            blockOf += [Int](repeating: number, count: end - first)
        }
        entryPoints = entryPoints.filter { blockAt[$0] != nil }
        for number in blocks.indices {
            let last = instructions[blocks[number].end - 1]
            var next = blocks[number].first..<blocks[number].end
            var words: [Int] = []
            while let index = next.popFirst() {
                // A catch jumps nowhere itself; the exception enters at its label.
                if instructions[index].op != .catch { words += instructions[index].targets }
            }
            let flow = Self.flow(last)
            if flow == .next { words.append(last.next) }
            blocks[number].successors = Array(Set(words.compactMap { blockAt[$0] })).sorted()
        }
    }

    // MARK: Liveness

    private func findLiveness() {
        liveIn = setsAtStarts { instruction, _, _ in RegisterSet(instruction.reads) }
    }

    /// Registers live after each instruction of a block, in order.
    func liveAfter(_ number: Int) -> [RegisterSet] {
        if let known = liveBehind[number] { return known }
        let live = setsAfter(number, liveIn) { instruction, _, _ in RegisterSet(instruction.reads) }
        liveBehind[number] = live
        return live
    }
}

// MARK: - Sets of registers that flow backwards

extension FunctionBody {
    /// What an instruction adds to the set behind it, given the sets at the starts of blocks.
    typealias Added = (Instruction, _ behind: RegisterSet, _ starts: [RegisterSet]) -> RegisterSet

    /// The set at the start of each block.
    func setsAtStarts(_ added: Added) -> [RegisterSet] {
        var starts = [RegisterSet](repeating: RegisterSet(), count: blocks.count)
        var changed = true
        while changed {
            changed = false
            for number in blocks.indices.reversed() {
                let set = walkBack(number, starts, added) { _ in }
                if starts[number].formUnion(set) { changed = true }
            }
        }
        return starts
    }

    /// The set behind each instruction of a block, in order.
    func setsAfter(_ number: Int, _ starts: [RegisterSet], _ added: Added) -> [RegisterSet] {
        var result: [RegisterSet] = []
        _ = walkBack(number, starts, added) { result.append($0) }
        return result.reversed()
    }

    /// The set at the start of the block; `visit` sees those behind its instructions, the last first.
    private func walkBack(
        _ number: Int, _ starts: [RegisterSet], _ added: Added, _ visit: (RegisterSet) -> Void
    ) -> RegisterSet {
        var set = RegisterSet()
        for successor in blocks[number].successors { set.formUnion(starts[successor]) }
        for index in (blocks[number].first..<blocks[number].end).reversed() {
            visit(set)
            let instruction = instructions[index]
            let more = added(instruction, set, starts)
            for register in instruction.writes { set.remove(register) }
            if Self.endsRegisters(instruction.op) { set = RegisterSet() }
            // Where it fails it has written nothing.
            for target in instruction.targets where instruction.op != .catch {
                if let block = blockAt[target] { set.formUnion(starts[block]) }
            }
            set.formUnion(more)
        }
        return set
    }
}

extension FunctionBody {
    /// Whether all native functions together have more instructions than `limit`, if every one repeats what it reaches.
    private func isRepeatedSize(above limit: Int) -> Bool {
        var total = 0
        // By block: the last entry point that has reached it.
        var seenFrom = [Int](repeating: -1, count: blocks.count)
        for word in entryPoints {
            var open = [blockAt[word]!]
            while let number = open.popLast() {
                guard seenFrom[number] != word else { continue }
                seenFrom[number] = word
                total += blocks[number].end - blocks[number].first
                if total > limit { return true }
                open += blocks[number].successors
            }
        }
        return false
    }

    /// In a function with many calls, every label that is reached from several places becomes an entry point.
    fileprivate func findSharedLabels() {
        guard isRepeatedSize(above: 3 * instructions.count + 200) else { return }
        let small = 4
        for (number, count) in references.enumerated() where count > 1 && blocks[number].end - blocks[number].first > small {
            sharedLabels.insert(instructions[blocks[number].first].start)
        }
        sharedLabels.remove(entry)
    }
}
