// IRBuilder.swift: LLVM's C API in the few shapes that lowering needs. One for each unit, used by one thread.

import CLLVM
import CMachine
import Machine

typealias Value = LLVMValueRef
typealias BasicBlock = LLVMBasicBlockRef

/// LLVM's number of the convention that handlers and native code share.
let preserveNone: UInt32 = 21

/// What a memory access touches; accesses of different kinds never overlap. Stack and heap are one kind: what was a
/// frame is heap after a deallocation.
enum Memory: Int, CaseIterable {
    case x, float, heap, process, code
    var name: String { "\(self)" }
}

/// x registers that are passed in machine registers between functions of a unit.
let argumentRegisters = 6

final class IRBuilder {
    let context: LLVMContextRef
    let module: LLVMModuleRef
    let builder: LLVMBuilderRef
    let i64: LLVMTypeRef
    let i32: LLVMTypeRef
    let i8: LLVMTypeRef
    let i1: LLVMTypeRef
    let double: LLVMTypeRef
    let pointer: LLVMTypeRef
    let void: LLVMTypeRef
    /// The one signature: context, pc, e, hp, reductions, then x(0)... which only calls inside a unit pass.
    let codeType: LLVMTypeRef
    private var tbaa: [Value] = []
    private let tbaaKind: UInt32
    private let profKind: UInt32
    private var unlikelyWeights: Value
    private var attributes: [LLVMAttributeRef] = []
    /// How much there is to compile: accesses of memory and variables, calls and blocks so far.
    private(set) var size = 0

    init(name: String, features: (cpu: String, features: String)) {
        context = LLVMContextCreate()
        module = LLVMModuleCreateWithNameInContext(name, context)
        builder = LLVMCreateBuilderInContext(context)
        i64 = LLVMInt64TypeInContext(context)
        i32 = LLVMInt32TypeInContext(context)
        i8 = LLVMInt8TypeInContext(context)
        i1 = LLVMInt1TypeInContext(context)
        double = LLVMDoubleTypeInContext(context)
        pointer = LLVMPointerTypeInContext(context, 0)
        void = LLVMVoidTypeInContext(context)
        var parameters: [LLVMTypeRef?] = [pointer, pointer, pointer, pointer, i64]
        for _ in 0..<argumentRegisters { parameters.append(i64) }
        codeType = LLVMFunctionType(void, &parameters, UInt32(parameters.count), 0)
        tbaaKind = Self.kind("tbaa", context)
        profKind = Self.kind("prof", context)
        unlikelyWeights = LLVMConstInt(i64, 0, 0)
        makeMetadata()
        attributes = [
            stringAttribute("target-cpu", features.cpu), stringAttribute("target-features", features.features),
            LLVMCreateEnumAttribute(context, LLVMGetEnumAttributeKindForName("nounwind", 8), 0),
        ]
    }

    /// Functions get unwind tables, for debuggers and profilers. Call it before the first function is made.
    func keepUnwindTables() {
        attributes.append(LLVMCreateEnumAttribute(context, LLVMGetEnumAttributeKindForName("uwtable", 7), 2))
    }

    /// A call that no processor of ours has an instruction for: LLVM fails on it.
    func addImpossibleCall() {
        let type: LLVMTypeRef = LLVMFunctionType(void, nil, 0, 0)
        let function: Value = LLVMAddFunction(module, "impossible", type)
        position(block(function, "entry"))
        LLVMSetCurrentDebugLocation2(builder, nil)
        call(declare("llvm.amdgcn.s.barrier", void, []), [])
        LLVMBuildRetVoid(builder)
    }

    deinit {
        LLVMDisposeBuilder(builder)
        LLVMDisposeModule(module)
        LLVMContextDispose(context)
    }

    private static func kind(_ name: String, _ context: LLVMContextRef) -> UInt32 {
        LLVMGetMDKindIDInContext(context, name, UInt32(name.utf8.count))
    }

    private func stringAttribute(_ key: String, _ value: String) -> LLVMAttributeRef {
        LLVMCreateStringAttribute(context, key, UInt32(key.utf8.count), value, UInt32(value.utf8.count))
    }

    // MARK: Metadata

    private func node(_ elements: [LLVMMetadataRef?]) -> LLVMMetadataRef {
        var elements = elements
        return LLVMMDNodeInContext2(context, &elements, elements.count)
    }
    private func string(_ text: String) -> LLVMMetadataRef { LLVMMDStringInContext2(context, text, text.utf8.count) }

    private func makeMetadata() {
        let zero = LLVMValueAsMetadata(LLVMConstInt(i64, 0, 0))
        let root = node([string("erlang")])
        for memory in Memory.allCases {
            let type = node([string(memory.name), root, zero])
            tbaa.append(LLVMMetadataAsValue(context, node([type, type, zero])))
        }
        let weights = [1, 2000].map { LLVMValueAsMetadata(LLVMConstInt(i32, $0, 0)) }
        unlikelyWeights = LLVMMetadataAsValue(context, node([string("branch_weights")] + weights))
    }

    // MARK: Functions and blocks

    func makeFunction(_ name: String, isPublic: Bool) -> Value {
        let function: Value = LLVMAddFunction(module, name, codeType)
        LLVMSetFunctionCallConv(function, preserveNone)
        if !isPublic { LLVMSetLinkage(function, LLVMInternalLinkage) }
        for attribute in attributes {
            LLVMAddAttributeAtIndex(function, UInt32(bitPattern: Int32(truncatingIfNeeded: LLVMAttributeFunctionIndex)), attribute)
        }
        return function
    }

    func block(_ function: Value, _ name: String) -> BasicBlock {
        size += 1
        return LLVMAppendBasicBlockInContext(context, function, name)
    }
    func position(_ block: BasicBlock) { LLVMPositionBuilderAtEnd(builder, block) }
    var currentBlock: BasicBlock { LLVMGetInsertBlock(builder) }

    // MARK: Constants

    func int(_ value: Int) -> Value { LLVMConstInt(i64, UInt64(bitPattern: Int64(value)), 0) }
    func word(_ value: UInt64) -> Value { LLVMConstInt(i64, value, 0) }
    var null: Value { LLVMConstNull(pointer) }
    var poison: Value { LLVMGetPoison(i64) }

    // MARK: Arithmetic

    func add(_ a: Value, _ b: Value) -> Value { LLVMBuildAdd(builder, a, b, "") }
    func sub(_ a: Value, _ b: Value) -> Value { LLVMBuildSub(builder, a, b, "") }
    func multiply(_ a: Value, _ b: Value) -> Value { LLVMBuildMul(builder, a, b, "") }
    func and(_ a: Value, _ b: UInt64) -> Value { LLVMBuildAnd(builder, a, word(b), "") }
    func and(_ a: Value, _ b: Value) -> Value { LLVMBuildAnd(builder, a, b, "") }
    func or(_ a: Value, _ b: Value) -> Value { LLVMBuildOr(builder, a, b, "") }
    func xor(_ a: Value, _ b: Value) -> Value { LLVMBuildXor(builder, a, b, "") }
    func shiftLeft(_ a: Value, _ b: Value) -> Value { LLVMBuildShl(builder, a, b, "") }
    func shiftRight(_ a: Value, _ b: Value) -> Value { LLVMBuildAShr(builder, a, b, "") }
    func shiftRightLogical(_ a: Value, _ b: Value) -> Value { LLVMBuildLShr(builder, a, b, "") }
    func compare(_ predicate: LLVMIntPredicate, _ a: Value, _ b: Value) -> Value { LLVMBuildICmp(builder, predicate, a, b, "") }
    func equal(_ a: Value, _ b: Value) -> Value { compare(LLVMIntEQ, a, b) }
    func equal(_ a: Value, _ b: UInt64) -> Value { compare(LLVMIntEQ, a, word(b)) }
    func select(_ condition: Value, _ a: Value, _ b: Value) -> Value { LLVMBuildSelect(builder, condition, a, b, "") }

    /// One of the values, by the block control came from.
    func phi(_ incoming: [(value: Value, block: BasicBlock)]) -> Value {
        let phi: Value = LLVMBuildPhi(builder, LLVMTypeOf(incoming[0].value), "")
        var values: [LLVMValueRef?] = incoming.map(\.value)
        var blocks: [LLVMBasicBlockRef?] = incoming.map(\.block)
        LLVMAddIncoming(phi, &values, &blocks, UInt32(values.count))
        return phi
    }

    /// Result and overflow bit of a checked operation: "sadd", "ssub" or "smul".
    func checked(_ operation: String, _ a: Value, _ b: Value) -> (value: Value, overflow: Value) {
        let name = "llvm.\(operation).with.overflow.i64"
        var members: [LLVMTypeRef?] = [i64, i1]
        let result = LLVMStructTypeInContext(context, &members, 2, 0)
        let pair = call(declare(name, result!, [i64, i64]), [a, b])
        return (LLVMBuildExtractValue(builder, pair, 0, ""), LLVMBuildExtractValue(builder, pair, 1, ""))
    }

    // MARK: Memory

    func offset(_ base: Value, _ bytes: Int) -> Value {
        if bytes == 0 { return base }
        var index: LLVMValueRef? = int(bytes)
        return LLVMBuildInBoundsGEP2(builder, i8, base, &index, 1, "")
    }
    func offset(_ base: Value, _ bytes: Value) -> Value {
        var index: LLVMValueRef? = bytes
        return LLVMBuildInBoundsGEP2(builder, i8, base, &index, 1, "")
    }
    func toPointer(_ value: Value) -> Value { LLVMBuildIntToPtr(builder, value, pointer, "") }
    func toInteger(_ value: Value) -> Value { LLVMBuildPtrToInt(builder, value, i64, "") }
    func load(_ type: LLVMTypeRef, _ address: Value, _ memory: Memory) -> Value {
        size += 1
        let value: Value = LLVMBuildLoad2(builder, type, address, "")
        LLVMSetMetadata(value, tbaaKind, tbaa[memory.rawValue])
        return value
    }
    func store(_ value: Value, _ address: Value, _ memory: Memory) {
        size += 1
        let store = LLVMBuildStore(builder, value, address)
        LLVMSetMetadata(store, tbaaKind, tbaa[memory.rawValue])
    }
    /// A variable of the function, which becomes a register.
    func loadLocal(_ type: LLVMTypeRef, _ local: Value) -> Value {
        size += 1
        return LLVMBuildLoad2(builder, type, local, "")
    }
    func storeLocal(_ value: Value, _ local: Value) {
        size += 1
        LLVMBuildStore(builder, value, local)
    }

    // MARK: Control

    func branch(_ target: BasicBlock) { LLVMBuildBr(builder, target) }
    func branch(_ condition: Value, _ then: BasicBlock, _ otherwise: BasicBlock) {
        LLVMBuildCondBr(builder, condition, then, otherwise)
    }
    /// `rare` is hardly ever taken.
    func branchRarely(_ condition: Value, _ rare: BasicBlock, _ otherwise: BasicBlock) {
        let branch = LLVMBuildCondBr(builder, condition, rare, otherwise)
        LLVMSetMetadata(branch, profKind, unlikelyWeights)
    }

    struct Callee {
        let type: LLVMTypeRef
        let value: Value
    }

    /// A function that LLVM knows by name.
    func declare(_ name: String, _ result: LLVMTypeRef, _ parameters: [LLVMTypeRef]) -> Callee {
        let type = functionType(result, parameters)
        return Callee(type: type, value: LLVMGetNamedFunction(module, name) ?? LLVMAddFunction(module, name, type))
    }

    func functionType(_ result: LLVMTypeRef, _ parameters: [LLVMTypeRef]) -> LLVMTypeRef {
        var list: [LLVMTypeRef?] = parameters
        return LLVMFunctionType(result, &list, UInt32(list.count), 0)
    }

    @discardableResult func call(_ callee: Callee, _ arguments: [Value]) -> Value {
        size += 1
        var list: [LLVMValueRef?] = arguments
        return LLVMBuildCall2(builder, callee.type, callee.value, &list, UInt32(list.count), "")
    }

    /// Continues at `target` for good.
    func tailCall(_ target: Value, _ arguments: [Value]) {
        let call = self.call(Callee(type: codeType, value: target), arguments)
        LLVMSetInstructionCallConv(call, preserveNone)
        LLVMSetTailCallKind(call, LLVMTailCallKindMustTail)
        LLVMBuildRetVoid(builder)
    }
}
