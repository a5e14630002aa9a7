// DebugInfo.swift: says which instruction each piece of a unit's code comes from, as debug locations: in the lines of a
// dump's listing, or in those of the Erlang source for perf and gdb. Only made when somebody will look.

import BeamFile
import CLLVM
import CMachine
import Machine
import Terms

/// Lines for instructions.
protocol LineNumbers {
    /// The file they count in.
    func file(_ body: FunctionBody) -> (name: String, directory: String)
    /// 0: unknown.
    func line(_ body: FunctionBody, _ word: Int) -> Int
}

final class DebugInfo {
    private let ir: IRBuilder
    private let lines: any LineNumbers
    private let builder: LLVMDIBuilderRef
    private let file: LLVMMetadataRef
    private let type: LLVMMetadataRef
    private var scopes: [Value: LLVMMetadataRef] = [:]

    init(_ ir: IRBuilder, _ lines: any LineNumbers, _ body: FunctionBody) {
        self.ir = ir
        self.lines = lines
        builder = LLVMCreateDIBuilder(ir.module)
        let (name, directory) = lines.file(body)
        file = LLVMDIBuilderCreateFile(builder, name, name.utf8.count, directory, directory.utf8.count)
        _ = LLVMDIBuilderCreateCompileUnit(
            builder, LLVMDWARFSourceLanguageC, file, "enigma", 6, 1, "", 0, 0, "", 0, LLVMDWARFEmissionLineTablesOnly, 0,
            0, 0, "", 0, "", 0)
        type = LLVMDIBuilderCreateSubroutineType(builder, file, nil, 0, LLVMDIFlagZero)
        let flags = [("Debug Info Version", UInt64(3)), ("Dwarf Version", 4)]
        for (name, value) in flags {
            LLVMAddModuleFlag(
                ir.module, LLVMModuleFlagBehaviorWarning, name, name.utf8.count,
                LLVMValueAsMetadata(LLVMConstInt(ir.i32, value, 0)))
        }
    }

    /// A native function of `body` that starts at `word`.
    func begin(_ function: Value, _ body: FunctionBody, _ word: Int) {
        let line = UInt32(lines.line(body, word))
        let name = body.name
        let scope: LLVMMetadataRef = LLVMDIBuilderCreateFunction(
            builder, file, name, name.utf8.count, "", 0, file, line, type, 1, 1, line, LLVMDIFlagZero, 1)
        LLVMSetSubprogram(function, scope)
        scopes[function] = scope
    }

    /// What is built from here on, in `function`, does the instruction at `word`.
    func locate(_ function: Value, _ body: FunctionBody, _ word: Int) {
        let line = UInt32(lines.line(body, word))
        LLVMSetCurrentDebugLocation2(ir.builder, LLVMDIBuilderCreateDebugLocation(ir.context, line, 0, scopes[function], nil))
    }

    /// Nothing is built any more.
    func end() { LLVMDIBuilderFinalize(builder) }

    deinit { LLVMDisposeDIBuilder(builder) }
}

// MARK: - Places in Erlang source

/// File and line that a Location stands for.
struct SourcePlace: Equatable {
    let file: String
    let line: Int

    init?(_ address: UInt64) {
        guard let location = UnsafePointer<Location>(bitPattern: UInt(address)), let function = location.pointee.function
        else { return nil }
        let module = LoadedModule.of(function)
        let item = Int(location.pointee.line)
        guard item > 0, item < module.lines.items.count else { return nil }
        let position = module.lines.items[item]
        let name = position.file == 0 ? "" : String(decoding: module.lines.files[Int(position.file) - 1], as: UTF8.self)
        file = name.isEmpty ? module.name.atomText + ".erl" : name
        line = Int(position.line)
    }

    /// The source file that the compiler noted in the module, or nothing.
    static func path(_ module: LoadedModule) -> String {
        // compile_info holds {source, String}: the atom's name, then a string of the external format.
        let key = Array("source".utf8) + [107]
        guard let info = module.compileInfo, info.count > key.count + 2 else { return "" }
        for start in 0..<info.count - key.count - 2 where info[start..<start + key.count].elementsEqual(key) {
            let at = start + key.count
            let length = Int(info[at]) << 8 | Int(info[at + 1])
            guard at + 2 + length <= info.count else { return "" }
            return String(decoding: info[at + 2..<at + 2 + length], as: UTF8.self)
        }
        return ""
    }
}

/// Line of each instruction: the last one that a Location before it in the code names.
func sourcePlaces(_ body: FunctionBody) -> [Int: SourcePlace] {
    var places: [Int: SourcePlace] = [:]
    var last: SourcePlace?
    for instruction in body.instructions {
        last = SourcePlace(instruction.location) ?? last
        places[instruction.start] = last
    }
    return places
}

/// The lines of Erlang source.
final class SourceLines: LineNumbers {
    private var places: [Ref<Function>: [Int: SourcePlace]] = [:]

    func file(_ body: FunctionBody) -> (name: String, directory: String) {
        let path = SourcePlace.path(LoadedModule.of(body.function))
        guard let slash = path.lastIndex(of: "/") else { return (body.function.pointee.moduleName.atomText + ".erl", "") }
        return (String(path[path.index(after: slash)...]), String(path[..<slash]))
    }

    func line(_ body: FunctionBody, _ word: Int) -> Int {
        let places = self.places[body.function] ?? sourcePlaces(body)
        self.places[body.function] = places
        return places[word]?.line ?? 0
    }
}
