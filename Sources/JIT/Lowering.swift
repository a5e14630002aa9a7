// Lowering.swift: one native function: the code reachable from one entry point of an Erlang function. x registers are
// variables that LLVM makes registers of; y registers stay in the frame; e, hp and the reductions are variables too.
//
// What an instruction does not do inline it leaves to the interpreter's slow function (`callSlow`), with the registers
// that function may look at written back first. Where the compiler has bet on something (`sideExit`), all live
// registers are written back and the interpreter goes on at that instruction.

import CLLVM
import CMachine
import Machine
import Terms

/// Offsets that native code uses, from the one layout header.
enum Field {
    static let process = MemoryLayout<Context>.offset(of: \Context.process)!
    static let wordsAhead = MemoryLayout<Context>.offset(of: \Context.wordsAhead)!
    static let top = MemoryLayout<Process>.offset(of: \Process.heap)! + MemoryLayout<Heap>.offset(of: \Heap.top)!
    static let stackTop = MemoryLayout<Process>.offset(of: \Process.stackTop)!
    static let reductions = MemoryLayout<Process>.offset(of: \Process.sliceReductions)!
    static let offHeapWords =
        MemoryLayout<Process>.offset(of: \Process.heap)! + MemoryLayout<Heap>.offset(of: \Heap.offHeap)!
        + MemoryLayout<OffHeapList>.offset(of: \OffHeapList.words)!
    static let id = MemoryLayout<Process>.offset(of: \Process.id)!
    static let functionEntry = MemoryLayout<Function>.offset(of: \Function.entry)!
    static let exportEntry = MemoryLayout<Export>.offset(of: \Export.entry)!
    static let funFunction = MemoryLayout<FunEntry>.offset(of: \FunEntry.function)!
    static let reserve = Int(stackReserve) * 8
}

/// What is known of the x registers at a point. Blocks are lowered once for each state they are reached in, up to a
/// limit (basic-block versioning, Chevalier-Boisvert and Feeley, ECOOP 2015): a loop gets a version for what its own
/// back edge has proved.
struct KnownTypes: Hashable {
    /// Small integers.
    var small: Set<Int> = []
    /// Floats that have no box: the value is in the register's double variable. For each the heap has two words to
    /// spare, for the box it may need yet: those that fmove_store would have used, and every heap test asks for them anew.
    var unboxed: Set<Int> = []
    /// Floats with a box whose value is in the double variable too.
    var boxedFloats: Set<Int> = []
    /// Headers of tuples.
    var tuples: [Int: UInt64] = [:]
    /// Small integers from 0 up to 2 to this power.
    var bits: [Int: Int] = [:]
    /// Calls that the reductions are known to suffice for.
    var credits = 0
    /// Bytes that are free for heap tests ahead, besides what the last test was for and the words for boxes.
    var room = 0

    /// What is worth knowing where `live` registers are live, facts of `useful` ones help, and so much room is wanted.
    func restricted(to live: RegisterSet, useful: RegisterSet, room wanted: Int) -> KnownTypes {
        func isUseful(_ register: Int) -> Bool { live.contains(register) && useful.contains(register) }
        return KnownTypes(
            small: small.filter(isUseful), unboxed: unboxed.filter(live.contains),
            boxedFloats: boxedFloats.filter(live.contains), tuples: tuples.filter { isUseful($0.key) },
            bits: bits.filter { isUseful($0.key) }.compactMapValues(Self.roundedBits), credits: credits,
            room: room >= wanted ? wanted : 0)
    }
    mutating func forget(_ register: Int) {
        small.remove(register)
        unboxed.remove(register)
        boxedFloats.remove(register)
        tuples[register] = nil
        bits[register] = nil
    }
    /// Only two widths on the way to another block, so that a loop does not get a version for each.
    private static func roundedBits(_ bits: Int) -> Int? { [32, 55].first { bits <= $0 } }
}

/// An instruction or a block of an activation.
private struct Place: Hashable {
    let activation: Int
    let number: Int
}

/// The code from an instruction on, for what is known there.
private struct Version: Hashable {
    /// Number of the activation that it belongs to.
    let activation: Int
    let index: Int
    let known: KnownTypes
}

final class Lowering {
    let unit: Unit
    /// The function whose code is being lowered.
    private(set) var activation: Activation
    private var activations: [Activation] = []
    private var budget = InliningBudget()
    var body: FunctionBody { activation.body }
    let ir: IRBuilder
    let llvmFunction: Value
    /// The function's own entry: x registers come as parameters and self calls are jumps.
    let isBody: Bool
    private let setup: BasicBlock
    private var locals: [Int: Value] = [:]
    private var e: Value
    private var hp: Value
    private var reds: Value
    let context: Value
    private var nativeBlocks: [Version: BasicBlock] = [:]
    private var versionCount: [Place: Int] = [:]
    private var pending: [Version] = []
    private let entryBlock: Int
    private var doubles: [Int: Value] = [:]
    /// By function: registers of which facts help at the start of each block.
    private var factUses: [Ref<Function>: [RegisterSet]] = [:]
    private var usefulSets: [Place: [RegisterSet]] = [:]
    private var heapNeeds: [Ref<Function>: HeapNeeds] = [:]
    private var currentIndex = 0
    private var isLast = false
    /// At the instruction being lowered, on its hot path.
    var known = KnownTypes()
    /// Operands that the fast half of the current instruction tests for being small.
    var bets: [Int] = []
    /// Large functions get fewer versions: their code is long enough.
    private var versionLimit: Int { body.instructions.count > 150 ? 2 : isShortLoop ? 4 * Lowering.callsPerTest : 4 }
    /// In a short loop the reductions are tested once for so many rounds; each has code of its own.
    static let callsPerTest = 4
    var isShortLoop: Bool { isBody && body.isShortLoop }

    /// State of the instruction being lowered.
    private(set) var current: Instruction
    private(set) var liveAfter = RegisterSet()

    init(_ unit: Unit, _ body: FunctionBody, entry: Int, llvmFunction: Value, isBody: Bool) {
        self.unit = unit
        activation = Activation(0, body, caller: nil)
        activations = [activation]
        ir = unit.ir
        self.llvmFunction = llvmFunction
        self.isBody = isBody
        entryBlock = body.blockAt[entry]!
        current = body.instructions[body.blocks[entryBlock].first]
        setup = ir.block(llvmFunction, "setup")
        ir.position(setup)
        unit.debug?.locate(llvmFunction, body, entry)
        context = LLVMGetParam(llvmFunction, 0)
        e = LLVMBuildAlloca(ir.builder, ir.pointer, "e")
        hp = LLVMBuildAlloca(ir.builder, ir.pointer, "hp")
        reds = LLVMBuildAlloca(ir.builder, ir.i64, "reductions")
        ir.storeLocal(LLVMGetParam(llvmFunction, 2), e)
        ir.storeLocal(LLVMGetParam(llvmFunction, 3), hp)
        ir.storeLocal(LLVMGetParam(llvmFunction, 4), reds)
    }

    // MARK: Driving

    func run() {
        let arity = Int(body.function.pointee.arity)
        let live = body.liveIn[entryBlock].members
        for register in Set(live + (isBody ? Array(0..<arity) : [])).sorted() {
            let local = self.local(register)
            ir.position(setup)
            if isBody, register < min(arity, argumentRegisters) {
                ir.storeLocal(LLVMGetParam(llvmFunction, UInt32(5 + register)), local)
            } else {
                ir.storeLocal(loadRegister(register), local)
            }
        }
        ir.position(setup)
        ir.branch(nativeBlock(Version(activation: 0, index: body.blocks[entryBlock].first, known: KnownTypes())))
        while !unit.isTooLarge, let version = pending.popLast() { lower(version) }
    }

    private func nativeBlock(_ version: Version) -> BasicBlock {
        if let block = nativeBlocks[version] { return block }
        let prefix = activation.caller == nil ? "" : "i\(activation.number)"
        let block = ir.block(llvmFunction, "\(prefix)w\(body.instructions[version.index].start)")
        nativeBlocks[version] = block
        versionCount[Place(activation: version.activation, number: version.index), default: 0] += 1
        pending.append(version)
        return block
    }

    /// Where a jump to the label at `word` goes: a block of this function for what is known now, or another entry point.
    func block(at word: Int) -> BasicBlock {
        let number = body.blockAt[word]!
        if unit.isShared(body, word), activation.number != 0 || number != entryBlock {
            return onEdge("leave_w\(word)") { enterPoint(word) }
        }
        let isKept = known.credits > 0 || body.isReachedOnce(number)
        return version(
            at: body.blocks[number].first, live: body.liveIn[number], useful: factUses(of: body)[number],
            room: isKept ? roomAhead(heapNeeds(of: body).need(block: number)) : 0)
    }

    /// Where the next instruction is, for what is known now.
    func continuation() -> BasicBlock {
        if isLast { return block(at: current.next) }
        let number = body.blockOf[currentIndex]
        let useful = usefulAfter(block: number)[currentIndex - body.blocks[number].first]
        return version(at: currentIndex + 1, live: liveAfter, useful: useful, room: roomAhead())
    }

    private func version(at index: Int, live: RegisterSet, useful: RegisterSet, room: Int) -> BasicBlock {
        var wanted = Version(
            activation: activation.number, index: index, known: known.restricted(to: live, useful: useful, room: room))
        let count = versionCount[Place(activation: activation.number, number: index), default: 0]
        if nativeBlocks[wanted] == nil, count >= versionLimit {
            wanted = Version(activation: activation.number, index: index, known: KnownTypes())
        }
        let target = nativeBlock(wanted)
        let lost = known.unboxed.filter { live.contains($0) && !wanted.known.unboxed.contains($0) }
        guard !lost.isEmpty else { return target }
        return onEdge("box") {
            for register in lost.sorted() { ir.storeLocal(box(register), local(register)) }
            ir.branch(target)
        }
    }

    /// A block of its own on the way to somewhere else.
    private func onEdge(_ name: String, _ body: () -> Void) -> BasicBlock {
        let block = ir.block(llvmFunction, name)
        let here = ir.currentBlock
        ir.position(block)
        body()
        ir.position(here)
        return block
    }

    /// Continues in the native function of another entry point.
    private func enterPoint(_ word: Int) {
        for register in body.liveIn[body.blockAt[word]!].members { flush(register) }
        tail(unit.entryPoint(body, word), pc: place(word))
    }

    private func lower(_ version: Version) {
        activation = activations[version.activation]
        let number = body.blockOf[version.index]
        let block = body.blocks[number]
        ir.position(nativeBlocks[version]!)
        known = version.known
        let live = body.liveAfter(number)
        for index in version.index..<block.end {
            currentIndex = index
            current = body.instructions[index]
            unit.debug?.locate(llvmFunction, body, current.start)
            liveAfter = live[index - block.first]
            isLast = index == block.end - 1
            bets = []
            if unit.stressesExits { stressExit(atStart: index == version.index) }
            if usesHeapAtWill(current, in: body) { known.room = 0 }
            if !lower(current) { return }
        }
        ir.branch(self.block(at: current.next))
    }

    private func heapNeeds(of body: FunctionBody) -> HeapNeeds {
        if let found = heapNeeds[body.function] { return found }
        let needs = HeapNeeds(body, isBarrier: { [unowned self] in usesHeapAtWill($0, in: body) }) { [unowned self] callee in
            unit.inlinable[callee].map { heapNeeds(of: $0) }
        }
        heapNeeds[body.function] = needs
        return needs
    }

    /// Bytes that heap tests ahead want, here and in the rounds of a short loop that are counted already; `need`: here.
    private func roomAhead(_ need: Int? = nil) -> Int {
        let needs = heapNeeds(of: body)
        let here = need ?? (isLast ? 0 : needs.need(from: currentIndex + 1))
        return here + (known.credits > 0 ? known.credits * roundNeed : 0)
    }
    /// Bytes that a round of a short loop tests for.
    var roundNeed: Int { heapNeeds(of: activations[0].body).atEntry }

    /// An instruction may take words of the heap that no heap test was for, or collect, and go on. (Where calls go on they
    /// are inlined; arithmetic that bets asks for its floats, and leaves where it loses.)
    private func usesHeapAtWill(_ instruction: Instruction, in body: FunctionBody) -> Bool {
        guard FunctionBody.mayCollect(instruction), HeapNeeds.bytes(instruction) == nil else { return false }
        switch instruction.op {
        case .call: return false
        case .add_xi, .add_xx, .add, .sub_xi, .sub_xx, .sub, .mul, .fdiv_numbers, .div, .rem, .band, .bor, .bxor, .bsr, .bsl:
            return unit.bet(body, instruction) == nil || Self.hasBigConstant(instruction)
        default: return true
        }
    }

    private func factUses(of body: FunctionBody) -> [RegisterSet] {
        if let found = factUses[body.function] { return found }
        let found = body.findFactUses { self.unit.inlinable[$0] != nil }
        factUses[body.function] = found
        return found
    }

    private func usefulAfter(block number: Int) -> [RegisterSet] {
        let place = Place(activation: activation.number, number: number)
        if let found = usefulSets[place] { return found }
        let found = body.factUsesAfter(number, factUses(of: body)) { self.unit.inlinable[$0] != nil }
        usefulSets[place] = found
        return found
    }

    // MARK: Inlining

    /// The start of the function's code in this native function, if a call from here is to be inlined; `next`: where it
    /// returns to, nil for a tail call.
    func inlinedEntry(_ callee: Ref<Function>, next: Int?) -> BasicBlock? {
        let caller = next.map { (activation, $0) } ?? activation.caller
        guard let target = findActivation(callee, caller) ?? makeActivation(callee, caller, next) else { return nil }
        let here = activation
        defer { activation = here }
        activation = target
        return block(at: target.body.entry)
    }

    private func findActivation(_ callee: Ref<Function>, _ caller: (activation: Activation, next: Int)?) -> Activation? {
        // Native functions of other entry points do not have the code from the function's entry.
        if caller == nil, callee == activations[0].body.function { return isBody ? activations[0] : nil }
        return activations.first {
            $0.body.function == callee && $0.caller?.activation === caller?.activation && $0.caller?.next == caller?.next
        }
    }

    private func makeActivation(
        _ callee: Ref<Function>, _ caller: (activation: Activation, next: Int)?, _ next: Int?
    ) -> Activation? {
        guard let body = unit.inlinable[callee], caller == nil || caller!.activation.depth < InliningBudget.depthLimit else { return nil }
        if caller == nil, callee == activations[0].body.function { return nil }
        guard activation.count(of: callee) < InliningBudget.recursionLimit,
            next != nil || body.instructions.count <= InliningBudget.tailLimit
        else { return nil }
        let rest = next == nil ? 0 : activation.body.instructions.count - currentIndex
        guard budget.spend(body.instructions.count + rest) else { return nil }
        let made = Activation(activations.count, body, caller: caller)
        activations.append(made)
        unit.noteInlined(body)
        return made
    }

    /// Goes on behind the call of an inlined function, which has taken its frame off the stack.
    func returnInline(to caller: (activation: Activation, next: Int)) {
        let here = activation
        defer { activation = here }
        activation = caller.activation
        ir.branch(block(at: caller.next))
    }

    // MARK: Registers

    /// Address of a word of this function's code.
    func place(_ word: Int) -> Value { unit.constants.pointer(.word(body.function, word)) }
    func term(_ raw: UInt64) -> Value { Constant.isStable(raw) ? ir.word(raw) : unit.constants.word(.term(raw)) }
    /// Where interpreted code of an instruction goes on.
    func code(_ constant: Constant) -> Value { unit.constants.code(constant, ir.codeType) }
    func helper(_ helper: Helper, _ result: LLVMTypeRef, _ parameters: [LLVMTypeRef]) -> IRBuilder.Callee {
        let type = ir.functionType(result, parameters)
        return IRBuilder.Callee(type: type, value: unit.constants.code(.helper(helper), type))
    }

    private func local(_ register: Int) -> Value {
        if let local = locals[register] { return local }
        let here = LLVMGetInsertBlock(ir.builder)
        if let first = LLVMGetFirstInstruction(setup) {
            LLVMPositionBuilderBefore(ir.builder, first)
        } else {
            ir.position(setup)
        }
        let isFloat = register >= RegisterSet.firstFloat
        let local: Value = LLVMBuildAlloca(ir.builder, isFloat ? ir.double : ir.i64, isFloat ? "f" : "x\(register)")
        if let here { ir.position(here) }
        locals[register] = local
        return local
    }

    private func registerAddress(_ register: Int) -> Value {
        let bytes = register >= RegisterSet.firstFloat ? floatBase + (register - RegisterSet.firstFloat) * 8 : xBase + register * 8
        return ir.offset(context, bytes)
    }
    private func loadRegister(_ register: Int) -> Value {
        register >= RegisterSet.firstFloat
            ? ir.load(ir.double, registerAddress(register), .float) : ir.load(ir.i64, registerAddress(register), .x)
    }
    private func double(_ register: Int) -> Value {
        if let local = doubles[register] { return local }
        let here = LLVMGetInsertBlock(ir.builder)
        LLVMPositionBuilderBefore(ir.builder, LLVMGetFirstInstruction(setup))
        let local: Value = LLVMBuildAlloca(ir.builder, ir.double, "d\(register)")
        if let here { ir.position(here) }
        doubles[register] = local
        return local
    }

    /// A box for an unboxed float, in the words that are kept for it.
    private func box(_ register: Int) -> Value {
        let object = take(Layout.floatWords)
        setWord(object, 0, ir.word(Header.make(1, Subtag.float)))
        ir.store(ir.loadLocal(ir.double, double(register)), ir.offset(object, 8), .heap)
        return boxed(object)
    }

    /// Writes the register's value back to the context.
    func flush(_ register: Int) {
        if known.unboxed.contains(register) { return ir.store(box(register), registerAddress(register), .x) }
        let isFloat = register >= RegisterSet.firstFloat
        let value = ir.loadLocal(isFloat ? ir.double : ir.i64, local(register))
        ir.store(value, registerAddress(register), isFloat ? .float : .x)
    }
    private func reload(_ register: Int) { ir.storeLocal(loadRegister(register), local(register)) }

    func x(_ register: Int) -> Value {
        if known.unboxed.contains(register) {
            let value = box(register)
            ir.storeLocal(value, local(register))
            known.unboxed.remove(register)
            return value
        }
        return ir.loadLocal(ir.i64, local(register))
    }
    func setX(_ register: Int, _ value: Value) {
        ir.storeLocal(value, local(register))
        known.forget(register)
    }
    /// The value of an operand that is known to be a float; nil if it is not.
    func floatValue(_ operand: Operand) -> Value? {
        switch operand {
        case .x(let register) where known.unboxed.contains(register) || known.boxedFloats.contains(register):
            ir.loadLocal(ir.double, double(register))
        case .constant(let word) where Term(raw: word).isFloat: LLVMConstReal(ir.double, Term(raw: word).floatValue)
        default: nil
        }
    }
    func setUnboxed(_ register: Int, _ value: Value) {
        ir.storeLocal(value, double(register))
        known.forget(register)
        known.unboxed.insert(register)
    }
    /// The operand's register holds a box with this value.
    func learnFloat(_ operand: Operand, _ value: Value) {
        guard case .x(let register) = operand, !known.unboxed.contains(register) else { return }
        ir.storeLocal(value, double(register))
        known.boxedFloats.insert(register)
    }
    func isKnownSmall(_ operand: Operand) -> Bool {
        switch operand {
        case .x(let register): known.small.contains(register)
        case .constant(let word), .raw(let word): word & 15 == 15
        default: false
        }
    }
    /// The operand has been found to be a small integer.
    func learnSmall(_ operand: Operand) {
        if case .x(let register) = operand, !known.unboxed.contains(register) { known.small.insert(register) }
    }
    /// The operand is a small integer that is not negative and has so many bits at most.
    func learnBits(_ operand: Operand, _ bits: Int) {
        if case .x(let register) = operand { known.bits[register] = bits }
    }
    /// The operand has been found to be a tuple with this header.
    func learnTuple(_ operand: Operand, _ header: UInt64) {
        if case .x(let register) = operand { known.tuples[register] = header }
    }
    /// Header of a tuple, if it is known to be one.
    func tupleHeader(_ operand: Operand) -> UInt64? {
        if case .x(let register) = operand { known.tuples[register] } else { nil }
    }
    /// `move` between registers, with what is known of the value.
    func move(_ source: Int, to target: Int) {
        guard case .x(let from) = current.operands[source], case .x(let to) = current.operands[target] else {
            let isSmall = isKnownSmall(current.operands[source])
            set(target, value(source))
            if isSmall { learnSmall(current.operands[target]) }
            return
        }
        if known.unboxed.contains(from), from != to, !liveAfter.contains(from) {
            let value = ir.loadLocal(ir.double, double(from))
            known.forget(from)
            return setUnboxed(to, value)
        }
        let before = known
        let isFloat = before.boxedFloats.contains(from)
        setX(to, x(from))
        if before.small.contains(from) { known.small.insert(to) }
        if let tuple = before.tuples[from] { known.tuples[to] = tuple }
        if let bits = before.bits[from] { known.bits[to] = bits }
        if isFloat { learnFloat(.x(to), ir.loadLocal(ir.double, double(from))) }
    }
    func float(_ offset: UInt64) -> Value {
        ir.loadLocal(ir.double, local(RegisterSet.firstFloat + (Int(offset) - floatBase) / 8))
    }
    func setFloat(_ offset: UInt64, _ value: Value) {
        ir.storeLocal(value, local(RegisterSet.firstFloat + (Int(offset) - floatBase) / 8))
    }

    var stack: Value {
        get { ir.loadLocal(ir.pointer, e) }
        set { ir.storeLocal(newValue, e) }
    }
    var heapTop: Value {
        get { ir.loadLocal(ir.pointer, hp) }
        set { ir.storeLocal(newValue, hp) }
    }
    var reductions: Value {
        get { ir.loadLocal(ir.i64, reds) }
        set { ir.storeLocal(newValue, reds) }
    }

    func y(_ register: Int) -> Value { ir.load(ir.i64, ir.offset(stack, register * 8), .heap) }
    func setY(_ register: Int, _ value: Value) { ir.store(value, ir.offset(stack, register * 8), .heap) }

    func value(_ operand: Operand) -> Value {
        switch operand {
        case .x(let register): x(register)
        case .y(let register): y(register)
        case .constant(let word): term(word)
        case .raw(let word): ir.word(word)
        case .live(let count): ir.int(count)
        case .label, .raising: ir.int(0)
        }
    }
    func value(_ index: Int) -> Value { value(current.operands[index]) }
    func raw(_ index: Int) -> UInt64 { if case .raw(let word) = current.operands[index] { word } else { 0 } }
    func set(_ index: Int, _ value: Value) {
        switch current.operands[index] {
        case .x(let register): setX(register, value)
        case .y(let register): setY(register, value)
        default: break
        }
    }
    func set(_ index: Int, small value: Value) {
        set(index, value)
        learnSmall(current.operands[index])
    }
    /// Where a test that fails goes.
    func failBlock(_ index: Int) -> BasicBlock? {
        if case .label(let word) = current.operands[index] { block(at: word) } else { nil }
    }

    /// Heap words that an earlier heap test reserved.
    func take(_ words: Int) -> Value {
        let object = heapTop
        heapTop = ir.offset(object, words * 8)
        return object
    }
    func word(_ object: Value, _ index: Int) -> Value { ir.load(ir.i64, ir.offset(object, index * 8), .heap) }
    func setWord(_ object: Value, _ index: Int, _ value: Value) { ir.store(value, ir.offset(object, index * 8), .heap) }
    func boxed(_ object: Value) -> Value { ir.or(ir.toInteger(object), ir.int(2)) }
    func cons(_ cell: Value) -> Value { ir.or(ir.toInteger(cell), ir.int(1)) }
    /// The object of a boxed term.
    func object(_ term: Value) -> Value { ir.offset(ir.toPointer(term), -2) }
    func cell(_ term: Value) -> Value { ir.offset(ir.toPointer(term), -1) }

    func newBlock(_ name: String) -> BasicBlock { ir.block(llvmFunction, name) }

    /// Goes on if the condition holds, and to `slow` in the rare case that it does not.
    func demand(_ condition: Value, or slow: BasicBlock, _ name: String) {
        let next = newBlock(name)
        ir.branchRarely(LLVMBuildNot(ir.builder, condition, ""), slow, next)
        ir.position(next)
    }

    /// Goes on with the object if the term is boxed and has this subtag.
    func demandBoxed(_ term: Value, _ subtag: UInt64, or slow: BasicBlock) -> Value {
        demand(ir.equal(ir.and(term, 3), 2), or: slow, "boxed")
        let object = self.object(term)
        demand(ir.equal(ir.and(word(object, 0), 63), subtag << 2), or: slow, "kind")
        return object
    }

    /// Bytes between heap and stack, with the reserve.
    var freeBytes: Value { ir.sub(ir.toInteger(stack), ir.toInteger(heapTop)) }

    /// Goes on if so many bytes are free besides the reserve.
    func demandRoom(_ bytes: Value, or slow: BasicBlock) {
        demand(ir.compare(LLVMIntSGE, freeBytes, ir.add(bytes, ir.int(Field.reserve))), or: slow, "room")
    }

    /// Copies `bytes` (not 0, whole words) from an object to memory of the given kind.
    func copyWords(_ source: Value, to target: Value, _ kind: Memory, bytes: Value) {
        let before = ir.currentBlock
        let loop = newBlock("copy")
        let done = newBlock("copied")
        ir.branch(loop)
        ir.position(loop)
        let offset: Value = LLVMBuildPhi(ir.builder, ir.i64, "")
        ir.store(ir.load(ir.i64, ir.offset(source, offset), .heap), ir.offset(target, offset), kind)
        let next = ir.add(offset, ir.int(8))
        ir.branch(ir.equal(next, bytes), done, loop)
        var values: [LLVMValueRef?] = [ir.int(0), next]
        var blocks: [LLVMBasicBlockRef?] = [before, loop]
        LLVMAddIncoming(offset, &values, &blocks, 2)
        ir.position(done)
    }

    // MARK: Leaving

    func tail(_ target: Value, pc: Value, _ arguments: [Value] = []) {
        var list = [context, pc, stack, heapTop, reductions] + arguments
        while list.count < 5 + argumentRegisters { list.append(ir.poison) }
        ir.tailCall(target, list)
    }

    /// Continues at the word `pc` points at.
    func dispatch(_ pc: Value) {
        tail(ir.load(ir.pointer, pc, .code), pc: pc)
    }

    var processAddress: Value { ir.load(ir.pointer, ir.offset(context, Field.process), .process) }

    func restore() {
        let process = processAddress
        stack = ir.load(ir.pointer, ir.offset(process, Field.stackTop), .process)
        heapTop = ir.load(ir.pointer, ir.offset(process, Field.top), .process)
        reductions = ir.load(ir.i64, ir.offset(process, Field.reductions), .process)
        known.credits = 0
        known.room = 0
    }
    var processID: Value { ir.load(ir.i64, ir.offset(processAddress, Field.id), .process) }

    /// Runs the interpreter's slow function for the current instruction, and continues where it says: in line if that
    /// is the next instruction or a label of it. The insertion point is then behind the instruction; nil if nothing
    /// comes back.
    @discardableResult func callSlow() -> Bool {
        if FunctionBody.flow(current) == .leave {
            leaveSlowly()
            return false
        }
        let collects = FunctionBody.mayCollect(current)
        // Success and an exception continue at the same word: both enter there anew.
        let isCaughtNext = body.catchPositions.contains(current.next) && FunctionBody.flow(current) == .next
        var written = RegisterSet(current.reads.filter { $0 < RegisterSet.firstFloat })
        if collects || isCaughtNext {
            written.formUnion(RegisterSet(liveAfter.members.filter { $0 < RegisterSet.firstFloat && !current.writes.contains($0) }))
        }
        for register in written.members { flush(register) }
        let slow = helper(
            .slowCall, ir.pointer, [ir.pointer, ir.pointer, ir.pointer, ir.pointer, ir.i64, ir.pointer])
        let function = unit.constants.pointer(.slowFunction(current.op))
        let pc = ir.call(slow, [context, place(current.start), stack, heapTop, reductions, function])
        restore()
        if isCaughtNext {
            dispatch(pc)
            return false
        }
        let others = newBlock("elsewhere")
        let flow = FunctionBody.flow(current)
        let comesBack = flow == .next
        let next = newBlock("next")
        // It may have collected before it fails: then nothing of this native function is right any more.
        let targets = current.op == .bs_append ? [] : current.targets
        if comesBack && targets.isEmpty {
            ir.branchRarely(ir.compare(LLVMIntNE, ir.toInteger(pc), ir.toInteger(place(current.next))), others, next)
        } else if targets.isEmpty {
            ir.branch(others)
        } else {
            let labels = Set(targets).sorted()
            let distance = ir.sub(ir.toInteger(pc), ir.toInteger(place(0)))
            let choice = LLVMBuildSwitch(ir.builder, distance, others, UInt32(labels.count + 1))
            if comesBack { LLVMAddCase(choice, ir.int(8 * current.next), next) }
            for label in labels where !comesBack || label != current.next { LLVMAddCase(choice, ir.int(8 * label), block(at: label)) }
        }
        ir.position(others)
        dispatch(pc)
        ir.position(next)
        guard comesBack else {
            LLVMBuildUnreachable(ir.builder)
            return false
        }
        for register in current.writes { known.forget(register) }
        let kept = liveAfter.members.filter { known.unboxed.contains($0) && !current.writes.contains($0) }
        if collects, !kept.isEmpty { makeRoom(bytes: kept.count * Layout.floatWords * 8) }
        for register in collects ? liveAfter.members : current.writes where !kept.contains(register) {
            if register < RegisterSet.firstFloat || current.writes.contains(register) { reload(register) }
        }
        return true
    }

    /// Ends this path in the interpreter's slow half of the current instruction.
    func leaveSlowly() {
        for register in current.reads { flush(register) }
        tail(code(.slowHandler(current.op)), pc: place(current.start))
    }

    /// Gives up native code at the current instruction, which must not have changed anything yet.
    func sideExit(_ bet: Bet) {
        let site = unit.addExit(body, current, bet.rawValue)
        leaveToInterpreter {
            ir.call(helper(.exit, ir.void, [ir.i64, ir.i64]), [unit.constants.word(.unit(unit.number)), ir.word(site)])
        }
    }

    /// Writes everything back and continues at the current instruction in the interpreter: in the handler itself, since
    /// the word may be native. `target`: or somewhere else.
    func leaveToInterpreter(at target: Constant? = nil, _ note: () -> Void = {}) {
        var live = liveAfter
        for register in current.writes { live.remove(register) }
        for target in current.targets { if let block = body.blockAt[target] { live.formUnion(body.liveIn[block]) } }
        live.formUnion(RegisterSet(current.reads))
        for register in live.members { flush(register) }
        note()
        tail(code(target ?? .handler(current.op)), pc: place(current.start))
    }

    var isBetting: Bool { unit.bet(body, current) != nil }
    /// Floats are what the instruction has met, and nothing else that is no small integer.
    var betsOnFloats: Bool { unit.bet(body, current) == .float }

    /// An operand is a constant that no bet on small integers or floats can win with.
    private static func hasBigConstant(_ instruction: Instruction) -> Bool {
        instruction.operands.contains { if case .constant(let word) = $0 { !Term(raw: word).isImmediate && !Term(raw: word).isFloat } else { false } }
    }

    /// The slow half of an instruction: leaves where the unit bets, otherwise goes on behind the instruction with
    /// nothing known of its result. What is known on the hot path stays.
    /// `result`: a small integer of so many bits comes of it all the same.
    func slowHalf(_ slow: BasicBlock, result: Int? = nil) {
        let (here, before) = (ir.currentBlock, known)
        ir.position(slow)
        if let bet = unit.bet(body, current), !Self.hasBigConstant(current) {
            sideExit(bet)
        } else if callSlow() {
            if let result, let target = current.writes.first {
                learnSmall(.x(target))
                learnBits(.x(target), result)
            }
            ir.branch(continuation())
        }
        known = before
        ir.position(here)
    }

    /// The slow function does the instruction from `slow` on; what is known here stays.
    func callElsewhere(_ slow: BasicBlock) {
        let (here, before) = (ir.currentBlock, known)
        ir.position(slow)
        if callSlow() { ir.branch(continuation()) }
        known = before
        ir.position(here)
    }

    /// Goes on if there are `bytes` between heap and stack besides the reserve, and the words of the boxes that live floats
    /// may need. Otherwise the interpreter does the instruction, which must not have changed anything yet, and collects:
    /// that is rare, and the next call or return leads back.
    func heapTest(bytes: Int) {
        if known.room >= HeapNeeds.charge(bytes) {
            known.room -= HeapNeeds.charge(bytes)
            if unit.stressesExits { demandPromisedRoom(bytes) }
            return
        }
        // The interpreter tests for its own instruction only, and would not collect for others.
        let ahead = HeapNeeds.bytes(current) == nil ? 0 : roomAhead()
        let full = newBlock("full")
        demandRoom(ir.int(bytes + ahead + waitingBytes), or: full)
        let here = ir.currentBlock
        ir.position(full)
        if ahead > 0 {
            leaveToInterpreter(at: .slowHandler(current.op)) {
                ir.store(ir.int(ahead / 8), ir.offset(context, Field.wordsAhead), .process)
            }
        } else {
            leaveToInterpreter()
        }
        ir.position(here)
        known.room = ahead
    }

    /// Of the boxes that live floats may need.
    var waitingBytes: Int { liveAfter.members.filter { known.unboxed.contains($0) }.count * Layout.floatWords * 8 }

    /// Behind a slow function that may have collected, and used the words for boxes: room for them again. The live
    /// registers are in the context.
    private func makeRoom(bytes: Int) {
        let full = newBlock("full")
        let room = newBlock("room")
        ir.branchRarely(ir.compare(LLVMIntSLT, freeBytes, ir.int(bytes + Field.reserve)), full, room)
        ir.position(full)
        let live = liveAfter.members.filter { $0 < RegisterSet.firstFloat }
        let count = (live.max() ?? -1) + 1
        for register in 0..<count where !live.contains(register) || known.unboxed.contains(register) {
            ir.store(ir.word(Term.nil.raw), registerAddress(register), .x)
        }
        collect(bytes: bytes, live: count)
        ir.branch(room)
        ir.position(room)
    }

    private func collect(bytes: Int, live: Int) {
        let collect = helper(.collect, ir.i64, [ir.pointer, ir.i64, ir.pointer, ir.pointer, ir.i64, ir.i64])
        let leaving = ir.call(collect, [context, ir.int(bytes / 8), stack, heapTop, reductions, ir.int(live)])
        restore()
        let ends = newBlock("ends")
        let collected = newBlock("collected")
        ir.branchRarely(ir.compare(LLVMIntNE, leaving, ir.int(0)), ends, collected)
        ir.position(ends)
        dispatch(ir.toPointer(leaving))
        ir.position(collected)
    }
}
