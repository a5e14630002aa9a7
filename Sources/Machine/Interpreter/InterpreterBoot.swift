// InterpreterBoot.swift: makes the machine ready to load and run code. Order matters: handlers, then the code tables,
// then native functions, then modules.

import CMachine
import Terms

/// Tables and handlers; then `rows` of native functions. Once, before the first module is loaded.
public func bootMachine(_ rows: [Bif]) {
    vm_tune_allocator()
    AtomTable.boot()
    Nodes.boot()
    Literals.boot()
    HeapSizes.boot()
    PlacedCode.boot()
    NativeHelpers.boot()
    InstructionTable.boot()
    handlerSlots.decodeFunction = handlerAddress(.decode_function)
    handlerSlots.undefinedFunction = handlerAddress(.call_undefined)
    handlerSlots.callBif = handlerAddress(.enter_bif)
    bootCodeTables()
    bootTracing()
    registerBifs(exceptionBifs)
    registerBifs(codeBifs)
    for table in processBifTables { registerBifs(table) }
    registerBifs(rows)
    GuardFunctions.boot()
    registerNativeHandler(Atoms.erlang, Atoms.apply, 3, handler: handlerAddress(.apply_3))
    registerNativeHandler(Atoms.erlang, Atoms.apply, 2, handler: handlerAddress(.apply_2))
    registerNativeHandler(Atoms.erlang, Atoms.hibernate, 3, handler: handlerAddress(.hibernate_3))
    registerNativeHandler(Atoms.erlang, Atoms.yield, 0, handler: handlerAddress(.yield_0))
}
