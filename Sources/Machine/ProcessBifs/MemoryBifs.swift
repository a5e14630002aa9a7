// MemoryBifs.swift: erlang:memory/0,1 and erlang:process_display/2.
//
// Process blocks, messages and shared binaries are counted as they come and go; code, atoms and tables are asked. The total
// is what malloc and the literal range hold in use, so it has everything else of the VM too.

import CMachine
import Glibc
import Terms

let memoryBifs: [Bif] = [
    Bif("erlang", "memory", 0, erlang_memory_0),
    Bif("erlang", "memory", 1, erlang_memory_1),
    Bif("erts_internal", "process_display", 2, erts_internal_process_display_2),
]

/// Bytes of all tables, asked while they are in use. Filled at boot.
nonisolated(unsafe) public var tableMemory: (@convention(thin) () -> Int)?

private struct MemoryUse {
    let processes = Int(vm_counted_memory(processMemory)) + ProcessTable.structureBytes
    let binary = Int(vm_counted_memory(binaryMemory))
    let atom = AtomTable.byteCount
    let code = Modules.byteCount()
    let ets = tableMemory?() ?? 0
    let total: Int

    init() {
        var used = 0
        var held = 0
        vm_allocated_memory(&used, &held)
        // Counted at different moments: the sum of the parts is never above the whole.
        total = max(used + Literals.byteCount, processes + binary + atom + code + ets)
    }

    func value(_ key: Term) -> Int? {
        switch key {
        case Atoms.total: total
        case Atoms.processes, Atoms.processes_used: processes
        case Atoms.system: total - processes
        case Atoms.atom, Atoms.atom_used: atom
        case Atoms.binary: binary
        case Atoms.code: code
        case Atoms.ets: ets
        default: nil
        }
    }

    static var keys: [Term] {
        [
            Atoms.total, Atoms.processes, Atoms.processes_used, Atoms.system, Atoms.atom, Atoms.atom_used, Atoms.binary,
            Atoms.code, Atoms.ets,
        ]
    }

    func pair(_ heap: Ref<Heap>, _ key: Term) -> Term? { value(key).map { heap.tuple(key, heap.integer($0)) } }
}

func erlang_memory_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let use = MemoryUse()
    return process.heap.list(MemoryUse.keys.compactMap { use.pair(process.heap, $0) })
}

func erlang_memory_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let use = MemoryUse()
    if arguments[0].isAtom {
        return use.value(arguments[0]).map { process.heap.integer($0) } ?? process.badarg()
    }
    var pairs: [Term] = []
    var rest = arguments[0]
    while rest.isCons {
        guard let pair = use.pair(process.heap, rest.head) else { return process.badarg() }
        pairs.append(pair)
        rest = rest.tail
    }
    return rest.isNil ? process.heap.list(pairs) : process.badarg()
}

/// Writes the stack of a process to standard error. Another process does so itself and sends `{Ref, true}`.
func erts_internal_process_display_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let pid = arguments[0]
    guard pid.isLocalPid else { return Atoms.badarg }
    guard arguments[1] == Atoms.backtrace else { return Atoms.badopt }
    if pid == process.pointee.id {
        displayStack(process, isOwn: true)
        return Atoms.true
    }
    let numbers = References.make(process.pointee.scheduler)
    let signal = newSignal(SignalKind.processInfo, from: process.pointee.id, numbers: numbers)
    signal.pointee.flags = ProcessInfo.displayRequest
    guard deliver(signal, to: pid, from: process.pointee.scheduler) else { return Atoms.badarg }
    return process.heap.reference(numbers)
}

func displayStack(_ process: Ref<Process>, isOwn: Bool) {
    var text = Backtrace.text(process, isOwn: isOwn)
    text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
}
