// SystemTopology.swift: the parts of erlang:system_info/1 that ask the machine or the allocator.

import CMachine
import Glibc
import Terms

/// `{cpu_topology, Which}`, `{allocator, Name}` and `{allocator_sizes, Name}`.
func keyed(_ heap: Ref<Heap>, _ key: Term, _ value: Term) -> Term {
    switch key {
    case Atoms.cpu_topology:
        switch value {
        case Atoms.detected, Atoms.used: return cpuTopology(heap)
        case Atoms.defined: return Atoms.undefined
        default: return .none
        }
    case Atoms.allocator: return allocator(heap, value) { systemAllocator(heap) }
    case Atoms.allocator_sizes: return allocator(heap, value) { instance(heap, .nil) }
    default: return .none
    }
}

// MARK: - Allocators

/// Names OTP has. All memory here comes from the C library: only sys_alloc is enabled.
private let allocatorNames = [
    "sys_alloc", "temp_alloc", "sl_alloc", "std_alloc", "ll_alloc", "eheap_alloc", "ets_alloc", "fix_alloc",
    "literal_alloc", "binary_alloc", "driver_alloc", "exec_alloc", "test_alloc", "mseg_alloc", "erts_mmap",
]

/// `undefined` for a name nobody knows, `false` for an allocator that is not in use.
private func allocator(_ heap: Ref<Heap>, _ name: Term, _ known: () -> Term) -> Term {
    guard name.isAtom else { return .none }
    guard allocatorNames.contains(name.atomText) else { return Atoms.undefined }
    return name.atomText == "sys_alloc" ? known() : Atoms.false
}

private func instance(_ heap: Ref<Heap>, _ items: Term) -> Term {
    heap.list([heap.tuple(Atoms.instance, .small(0), items)])
}

private func systemOptions(_ heap: Ref<Heap>) -> Term {
    func atom(_ name: String) -> Term { AtomTable.intern(name) }
    return heap.list([heap.tuple(atom("e"), Atoms.true), heap.tuple(atom("m"), atom("libc"))])
}

private func systemAllocator(_ heap: Ref<Heap>) -> Term {
    instance(heap, heap.list([heap.tuple(Atoms.options, systemOptions(heap))]))
}

/// `{glibc, Version, Features, Settings}`
func allocators(_ heap: Ref<Heap>) -> Term {
    var text = [CChar](repeating: 0, count: 64)
    confstr(Int32(_CS_GNU_LIBC_VERSION), &text, text.count)
    let name = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    let version = name.drop { !$0.isNumber }.split(separator: ".").compactMap { Int($0) }
    let allocator = Atoms.sys_alloc
    let (term, elements) = heap.makeTuple(4)
    elements[0] = Atoms.glibc.raw
    elements[1] = heap.list(version.map { Term.small($0) }).raw
    elements[2] = heap.list([allocator]).raw
    elements[3] = heap.list([heap.tuple(allocator, systemOptions(heap))]).raw
    return term
}

/// Memory that belongs to no process: `[{Name, Bytes}]`.
func allocatedAreas(_ heap: Ref<Heap>) -> Term {
    func area(_ name: String, _ bytes: Int) -> Term { heap.tuple(AtomTable.intern(name), heap.integer(bytes)) }
    return heap.list([
        area("atom_table", AtomTable.byteCount), area("loaded_code", Modules.byteCount()),
        area("export_table", Exports.byteCount), area("process_table", ProcessTable.structureBytes),
        area("literals", Literals.byteCount),
    ])
}

// MARK: - Processors

private struct Thread {
    var package: Int
    var core: Int
    var number: Int
}

private func readNumber(_ path: String) -> Int? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 32)
    guard fgets(&text, 32, file) != nil else { return nil }
    return Int(text.prefix { $0 >= 48 && $0 < 58 }.reduce(into: "") { $0.append(Character(Unicode.Scalar(UInt8($1)))) })
}

private func threads() -> [Thread] {
    var result: [Thread] = []
    for number in 0..<Int(sysconf(Int32(_SC_NPROCESSORS_CONF))) {
        let folder = "/sys/devices/system/cpu/cpu\(number)/topology"
        guard let package = readNumber("\(folder)/physical_package_id"), let core = readNumber("\(folder)/core_id") else {
            continue
        }
        result.append(Thread(package: package, core: core, number: number))
    }
    return result
}

/// `[{processor, [{core, {logical, N}}]}]`; a core of several threads has `[{thread, {logical, N}}, ...]`.
func cpuTopology(_ heap: Ref<Heap>) -> Term {
    let all = threads()
    guard !all.isEmpty else { return Atoms.undefined }
    func logical(_ thread: Thread) -> Term { heap.tuple(Atoms.logical, .small(thread.number)) }
    let packages = Set(all.map(\.package)).sorted().map { package in
        let inside = all.filter { $0.package == package }
        let cores = Set(inside.map(\.core)).sorted().map { core in
            let sharing = inside.filter { $0.core == core }
            let threads = sharing.map { heap.tuple(Atoms.thread, logical($0)) }
            return heap.tuple(Atoms.core, sharing.count == 1 ? logical(sharing[0]) : heap.list(threads))
        }
        return heap.tuple(Atoms.processor, heap.list(cores))
    }
    return heap.list(packages)
}

/// All native functions as `{M, F, A}`.
func nativeFunctions(_ heap: Ref<Heap>) -> Term {
    var list = Term.nil
    Exports.forEach { export in
        guard export.pointee.bif != nil else { return }
        let arity = Term.small(Int(export.pointee.arity))
        list = heap.cons(heap.tuple(export.pointee.module, export.pointee.name, arity), list)
    }
    return list
}
