// Constants.swift: the values in native code that are others in each run of the VM. In the IR each is the address of an
// external symbol, so LLVM treats it as a constant; the linker knows what it is worth (Linker.swift). Small integers, []
// and the atoms that Swift code names are the same in every run and stand in the code itself.

import CLLVM
import CMachine
import Machine
import Terms

/// A function of the machine that native code calls with the C convention.
enum Helper: UInt8, CaseIterable {
    case slowCall, collect, compare, identical, equal, mapLookup, mapPut, mapUpdate, readBits, matchString, exit

    var address: UInt64 {
        switch self {
        case .slowCall: NativeHelpers.slowCallAddress
        case .collect: NativeHelpers.collectAddress
        case .compare: NativeHelpers.compareAddress
        case .identical: NativeHelpers.identicalAddress
        case .equal: NativeHelpers.equalAddress
        case .mapLookup: NativeHelpers.mapLookupAddress
        case .mapPut: NativeHelpers.mapPutAddress
        case .mapUpdate: NativeHelpers.mapUpdateAddress
        case .readBits: NativeHelpers.readBitsAddress
        case .matchString: NativeHelpers.matchStringAddress
        case .exit: JIT.exitHelperAddress
        }
    }
}

/// What a value is that differs from run to run.
enum Constant: Hashable {
    /// Address of a word of a function's threaded code, and the term that stands for it in a catch slot.
    case word(Ref<Function>, Int)
    case catchTag(Ref<Function>, Int)
    case function(Ref<Function>)
    case export(Ref<Export>)
    case funEntry(Ref<FunEntry>)
    /// An atom, or a literal of the module at hand.
    case term(UInt64)
    /// Address of text of the module at hand.
    case string(UInt64)
    case helper(Helper)
    case handler(Op)
    /// The handler that goes to the slow function at once, and the slow function.
    case slowHandler(Op)
    case slowFunction(Op)
    /// The unit's number.
    case unit(UInt64)
    /// Address of a count.
    case counter(UInt64)

    var value: UInt64 {
        switch self {
        case .word(let function, let index): Self.address(function, index)
        case .catchTag(let function, let index): Term.catchTag(function.pointee.code! + index).raw
        case .function(let function): UInt64(UInt(bitPattern: function))
        case .export(let export): UInt64(UInt(bitPattern: export))
        case .funEntry(let entry): UInt64(UInt(bitPattern: entry))
        case .term(let raw), .string(let raw), .counter(let raw): raw
        case .helper(let helper): helper.address
        case .handler(let op): handlerAddress(op)
        case .slowHandler(let op): slowHandlerAddress(op)
        case .slowFunction(let op): slowAddress(op)
        case .unit(let number): number
        }
    }

    private static func address(_ function: Ref<Function>, _ index: Int) -> UInt64 {
        UInt64(UInt(bitPattern: function.pointee.code! + index))
    }

    /// The term is the same word in every run.
    static func isStable(_ raw: UInt64) -> Bool {
        let term = Term(raw: raw)
        return term.isSmall || term == .nil || (term.isAtom && raw < Term.atom(fixedAtomCount).raw)
    }
}

/// The constants of a unit, as symbols of its module.
final class Constants {
    private let ir: IRBuilder
    /// By number: symbol `kN` stands for the Nth.
    private(set) var list: [Constant] = []
    /// By number: symbol `tN` is a table of pairs (constant, its position here), sorted by value.
    private(set) var tables: [[Constant]] = []
    /// Symbols by value: LLVM takes different symbols for different addresses.
    private var symbols: [UInt64: Value] = [:]
    private var functions: [UInt64: Value] = [:]
    private let opaque: LLVMTypeRef
    /// Calls of the symbol go through the linker's table of addresses.
    private let farCall: LLVMAttributeRef

    init(_ ir: IRBuilder) {
        self.ir = ir
        opaque = LLVMStructCreateNamed(ir.context, "constant")
        farCall = LLVMCreateEnumAttribute(ir.context, LLVMGetEnumAttributeKindForName("nonlazybind", 11), 0)
    }

    private func name(_ constant: Constant) -> String {
        list.append(constant)
        return "k\(list.count - 1)"
    }

    func pointer(_ constant: Constant) -> Value {
        let value = constant.value
        if let symbol = symbols[value] { return symbol }
        let symbol: Value = LLVMAddGlobal(ir.module, opaque, name(constant))
        symbols[value] = symbol
        return symbol
    }

    func word(_ constant: Constant) -> Value { LLVMConstPtrToInt(pointer(constant), ir.i64) }

    /// A function.
    func code(_ constant: Constant, _ type: LLVMTypeRef) -> Value {
        let value = constant.value
        if let function = functions[value] { return function }
        let function: Value = LLVMAddFunction(ir.module, name(constant), type)
        LLVMAddAttributeAtIndex(
            function, UInt32(bitPattern: Int32(truncatingIfNeeded: LLVMAttributeFunctionIndex)), farCall)
        functions[value] = function
        return function
    }

    /// A table of pairs (constant, its position in `constants`), which the linker sorts by value.
    func table(_ constants: [Constant]) -> Value {
        let type: LLVMTypeRef = LLVMArrayType2(ir.i64, UInt64(2 * constants.count))
        let table: Value = LLVMAddGlobal(ir.module, type, "t\(tables.count)")
        LLVMSetVisibility(table, LLVMHiddenVisibility)
        LLVMSetInitializer(table, LLVMConstNull(type))
        tables.append(constants)
        return table
    }
}
