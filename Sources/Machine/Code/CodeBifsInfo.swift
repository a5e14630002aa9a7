// CodeBifsInfo.swift: native functions that tell about loaded code: modules, functions and funs.

import BeamFile
import CMachine
import Terms

let codeInfoBifs: [Bif] = [
    Bif("erlang", "loaded", 0, erlang_loaded_0),
    Bif("erlang", "pre_loaded", 0, erlang_pre_loaded_0),
    Bif("erlang", "module_loaded", 1, erlang_module_loaded_1),
    Bif("erlang", "function_exported", 3, erlang_function_exported_3),
    Bif("erlang", "is_builtin", 3, erlang_is_builtin_3),
    Bif("erlang", "get_module_info", 1, erlang_get_module_info_1),
    Bif("erlang", "get_module_info", 2, erlang_get_module_info_2),
    Bif("erlang", "make_fun", 3, erlang_make_fun_3),
    Bif("erlang", "fun_info", 2, erlang_fun_info_2),
    Bif("erlang", "fun_info_mfa", 1, erlang_fun_info_mfa_1),
]

/// All native functions about code.
public let codeBifs: [Bif] = codeLoadingBifs + codePurgingBifs + codeInfoBifs

private func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

// MARK: - Modules

func erlang_loaded_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let names = Modules.loaded()
    process.bump(names.count / 16)
    return process.heap.list(names.reversed())
}

func erlang_pre_loaded_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.list(Modules.preloaded.reversed())
}

func erlang_module_loaded_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    return boolean(Modules.current(arguments[0]) != nil)
}

/// Module, name and arity of a call, or nil if they have the wrong types. An arity that no function has is no error.
private func target(_ arguments: Arguments) -> (Term, Term, Int)? {
    guard arguments[0].isAtom, arguments[1].isAtom, arguments[2].isSmall else { return nil }
    return (arguments[0], arguments[1], arguments[2].smallValue)
}

private func findExport(_ module: Term, _ name: Term, _ arity: Int) -> Ref<Export>? {
    arity >= 0 && arity <= 255 ? Exports.find(module, name, arity) : nil
}

func erlang_function_exported_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (module, name, arity) = target(arguments) else { return process.badarg() }
    guard let export = findExport(module, name, arity) else { return Atoms.false }
    return boolean(export.isBuiltin || export.pointee.function != nil)
}

func erlang_is_builtin_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (module, name, arity) = target(arguments) else { return process.badarg() }
    return boolean(findExport(module, name, arity)?.isBuiltin ?? false)
}

func erlang_get_module_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom, let module = Modules.current(arguments[0]) else { return process.badarg() }
    let heap = process.heap
    var list = Term.nil
    for key in [Atoms.md5, Atoms.compile, Atoms.attributes, Atoms.exports, Atoms.module] {
        list = heap.cons(heap.tuple(key, moduleInfo(heap, module, key)), list)
    }
    process.bump(module.exports.count / 8)
    return list
}

func erlang_get_module_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom, let module = Modules.current(arguments[0]) else { return process.badarg() }
    let info = moduleInfo(process.heap, module, arguments[1])
    return info.isNone ? process.badarg() : info
}

/// The value under `key`; no term for an unknown key.
private func moduleInfo(_ heap: Ref<Heap>, _ module: LoadedModule, _ key: Term) -> Term {
    switch key {
    case Atoms.module: return module.name
    case Atoms.md5: return module.md5.withUnsafeBufferPointer { heap.makeBinary($0) }
    case Atoms.exports: return functionList(heap, module.exports.map(\.function))
    case Atoms.functions: return functionList(heap, (0..<module.functionCount).map { module.functions + $0 })
    case Atoms.nifs:
        let all = (0..<module.functionCount).map { module.functions + $0 }
        return functionList(heap, all.filter { isNif($0) })
    case Atoms.attributes: return decoded(heap, module.attributes)
    case Atoms.compile: return decoded(heap, module.compileInfo)
    case Atoms.native_addresses: return .nil
    case Atoms.native: return Atoms.false
    default: return .none
    }
}

private func isNif(_ function: Ref<Function>) -> Bool {
    let found = Exports.find(function.pointee.moduleName, function.pointee.name, Int(function.pointee.arity))
    if let found, found.isNative { return !found.isBuiltin }
    return Exports.isHiddenNative(function.pointee.moduleName, function.pointee.name, Int(function.pointee.arity))
}

/// `[{Name, Arity}]`
private func functionList(_ heap: Ref<Heap>, _ functions: [Ref<Function>]) -> Term {
    var list = Term.nil
    for function in functions.reversed() {
        list = heap.cons(heap.tuple(function.pointee.name, .small(Int(function.pointee.arity))), list)
    }
    return list
}

/// The term of an external blob; [] if there is none or it is damaged.
private func decoded(_ heap: Ref<Heap>, _ bytes: [UInt8]?) -> Term {
    bytes?.withUnsafeBytes { decodeExternal(heap, bytes: $0)?.term } ?? .nil
}

// MARK: - Funs

func erlang_make_fun_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let (module, name, arity) = target(arguments), arity >= 0, arity <= 255 else { return process.badarg() }
    return process.heap.externalFun(Exports.findOrMake(module, name, arity), arity: arity)
}

/// Module and name of a fun's function. A local fun whose module is not loaded has the name [].
private func functionName(_ fun: Term) -> (module: Term, name: Term) {
    if fun.funIsExternal { return (fun.funExport.pointee.module, fun.funExport.pointee.name) }
    let entry = fun.funEntry
    return (entry.pointee.module, entry.pointee.function?.pointee.name ?? .nil)
}

func erlang_fun_info_mfa_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isFun else { return process.badarg() }
    let (module, name) = functionName(arguments[0])
    return process.heap.tuple(module, name, .small(arguments[0].funArity))
}

func erlang_fun_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let fun = arguments[0]
    guard fun.isFun else { return process.badarg() }
    let value = fun.funIsExternal ? externalInfo(fun, arguments[1]) : localInfo(process.heap, fun, arguments[1])
    return value.isNone ? process.badarg() : process.heap.tuple(arguments[1], value)
}

private func externalInfo(_ fun: Term, _ key: Term) -> Term {
    switch key {
    case Atoms.type: return Atoms.external
    case Atoms.module: return fun.funExport.pointee.module
    case Atoms.name: return fun.funExport.pointee.name
    case Atoms.arity: return .small(fun.funArity)
    case Atoms.env: return .nil
    case Atoms.pid, Atoms.new_index, Atoms.new_uniq, Atoms.index, Atoms.uniq, Atoms.refc: return Atoms.undefined
    default: return .none
    }
}

private func localInfo(_ heap: Ref<Heap>, _ fun: Term, _ key: Term) -> Term {
    let entry = fun.funEntry
    switch key {
    case Atoms.type: return Atoms.local
    case Atoms.module: return entry.pointee.module
    case Atoms.name: return functionName(fun).name
    case Atoms.arity: return .small(fun.funArity)
    case Atoms.pid: return fun.funCreator
    case Atoms.index, Atoms.new_index: return .small(Int(entry.pointee.index))
    case Atoms.new_uniq: return heap.makeBinary(entry.uniqBytes, count: 16)
    case Atoms.uniq: return .small(Int(entry.pointee.oldUniq))
    // Entries are not counted: every fun keeps its entry for ever. Two is what a fun in use shows in OTP.
    case Atoms.refc: return .small(2)
    case Atoms.env:
        var list = Term.nil
        for index in (0..<fun.funFreeCount).reversed() { list = heap.cons(fun.funFree(index), list) }
        return list
    default: return .none
    }
}
