// DumpSystem.swift: the sections of a crash dump, and the answers of the break menu, that are not about one process:
// schedulers, memory, code, timers. Tables and ports write theirs themselves.

public import CMachine
import Glibc
import Terms

/// Sections that other modules write. Set before the first process runs; constant afterwards.
public enum DumpHooks {
    /// The sections `=ets`.
    nonisolated(unsafe) public static var tables: (@convention(thin) (DumpOutput) -> Void)? = nil
    nonisolated(unsafe) public static var ports: (@convention(thin) (DumpOutput) -> Void)? = nil
    /// The keys and values of persistent_term.
    nonisolated(unsafe) public static var persistentTerms: (@convention(thin) (_ body: (Term, Term) -> Void) -> Void)? = nil
    /// Bytes that tables take.
    nonisolated(unsafe) public static var tableBytes: (@convention(thin) () -> Int)? = nil
    /// Brings the terminal back to how it was found.
    nonisolated(unsafe) public static var restoreTerminal: (@convention(thin) () -> Void)? = nil
}

public enum DumpSystem {
    static func writeSchedulers(caller: Ref<Process>?, _ output: DumpOutput) {
        let kinds = ["scheduler", "dirty_cpu_scheduler", "dirty_io_scheduler"]
        for index in 0..<Schedulers.total {
            let scheduler = Schedulers.at(index)
            let kind = Int(scheduler.pointee.isDirty)
            output.line("=\(kinds[kind]):\(index + 1)")
            let sleeps = vm_load_acquire32(&scheduler.pointee.sleeping) != 0
            output.line("Scheduler Sleep Info Flags: \(sleeps ? "SLEEPING | WAITING" : "")")
            output.line("Scheduler Sleep Info Aux Work: ")
            if kind == 0 {
                output.line("Current Port: ")
                writeQueue(scheduler.queue, output)
            }
            let isCaller = caller.map { $0.pointee.scheduler == scheduler } ?? false
            output.line("Current Process: " + (isCaller ? caller.map { printed($0.pointee.id) } ?? "" : ""))
            if isCaller, let caller { writeCurrent(caller, output) }
            if index + 1 == Schedulers.count + Schedulers.dirtyCPUCount { writeDirtyQueue("cpu", Dirty.lengths().cpu, output) }
        }
        writeDirtyQueue("io", Dirty.lengths().io, output)
    }

    private static func writeQueue(_ queue: Ref<RunQueue>, _ output: DumpOutput) {
        let counts = queue.pointee.counts
        for (name, count) in [("Max", counts.0), ("High", counts.1), ("Normal", counts.2), ("Low", counts.3)] {
            output.line("Run Queue \(name) Length: \(count)")
        }
        output.line("Run Queue Port Length: 0")
        output.line("Run Queue Flags: \(queue.pointee.length > 0 ? "NONEMPTY" : "OUT_OF_WORK")")
    }

    private static func writeDirtyQueue(_ kind: String, _ length: Int, _ output: DumpOutput) {
        output.line("=dirty_\(kind)_run_queue")
        for name in ["Max", "High"] { output.line("Run Queue \(name) Length: 0") }
        output.line("Run Queue Normal Length: \(length)")
        for name in ["Low", "Port"] { output.line("Run Queue \(name) Length: 0") }
        output.line("Run Queue Flags: \(length > 0 ? "NONEMPTY" : "OUT_OF_WORK")")
    }

    private static func writeCurrent(_ process: Ref<Process>, _ output: DumpOutput) {
        output.line("Current Process State: \(DumpProcess.stateName(process, caller: process))")
        output.line("Current Process Internal State: ACTIVE | RUNNING")
        let pc = UInt64(UInt(bitPattern: process.pointee.pc))
        output.line("Current Process Program counter: \(address(pc)) (\(DumpProcess.place(process.pointee.location, pc)))")
        output.line("Current Process Limited Stack Trace:")
        DumpProcess.walkStack(process) { _, _ in
        } frame: { position, code in
            output.line("\(address(position)):SReturn addr 0x\(hexadecimal(code)) (\(DumpProcess.returnPlace(code)))")
        }
    }

    /// Memory of all processes.
    private static func processBytes(_ caller: Ref<Process>?) -> Int {
        var sum = 0
        ProcessTable.forEach { _, process in
            guard DumpProcess.isQuiet(process, caller: caller) else { return }
            sum += InfoBuilder(process: process, heap: process.heap, isOwn: process == caller).memory()
        }
        return sum
    }

    static func writeMemory(caller: Ref<Process>?, _ output: DumpOutput) {
        let processes = processBytes(caller)
        let code = Modules.byteCount()
        let tables = DumpHooks.tableBytes?() ?? 0
        var atoms = AtomTable.atomCount * 24
        for index in 0..<AtomTable.atomCount { atoms += Term.atom(index).atomText.utf8.count }
        let system = code + tables + atoms
        output.line("=memory")
        for (name, value) in [
            ("total", processes + system), ("processes", processes), ("processes_used", processes), ("system", system),
            ("atom", atoms), ("atom_used", atoms), ("binary", 0), ("code", code), ("ets", tables),
        ] {
            output.line("\(name): \(value)")
        }
    }

    /// What the break menu shows for (i)nfo besides memory, and what a dump has in the same place.
    static func writeCounts(_ output: DumpOutput) {
        output.line("=index_table:atom_tab\nsize: \(AtomTable.atomCount)\nlimit: \(AtomTable.limit)")
        output.line("entries: \(AtomTable.atomCount)")
        let modules = Modules.sizes().count
        output.line("=index_table:module_code\nsize: \(modules)\nlimit: 65536\nentries: \(modules)")
        var exports = 0
        Exports.forEach { _ in exports += 1 }
        output.line("=index_table:export_list\nsize: \(exports)\nlimit: 524288\nentries: \(exports)")
        output.line("=allocated_areas")
        output.line("loaded_code: \(Modules.byteCount())")
        output.line("process_table: \(ProcessTable.limit * 8)")
    }

    static func writeModules(_ output: DumpOutput) {
        let sizes = Modules.sizes()
        output.line("=loaded_modules")
        output.line("Current code: \(sizes.reduce(0) { $0 + $1.current })")
        output.line("Old code: \(sizes.reduce(0) { $0 + $1.old })")
        for (name, current, old) in sizes {
            output.line("=mod:\(printed(name))")
            output.line("Current size: \(current)")
            if old > 0 { output.line("Old size: \(old)") }
        }
    }

    static func writeFuns(_ output: DumpOutput) {
        FunEntries.forEach { entry in
            output.line("=fun")
            output.line("Module: \(printed(entry.pointee.module))")
            output.line("Uniq: \(entry.pointee.oldUniq)")
            output.line("Index: \(entry.pointee.index)")
            output.line("Address: \(address(UInt64(UInt(bitPattern: entry.pointee.function))))")
            output.line("Refc: 1")
        }
    }

    static func writeTimers(_ output: DumpOutput) {
        let now = Clock.tick()
        ReferenceTimers.forEach { timer in
            output.line("=timer:\(printed(timer.pointee.destination))")
            output.line("Message: \(printed(timer.pointee.message, limit: 10_000))")
            let deadline = timer.pointee.node.deadline
            output.line("Time left: \(deadline > now ? deadline - now : 0)")
        }
    }

    static func writeNodes(_ output: DumpOutput) {
        output.line("=node:\(printed(Nodes.local.pointee.name))")
        output.line("=no_distribution")
    }

    // MARK: - The break menu's lists

    /// The text that `write` writes, as a binary.
    static func binary(_ heap: Ref<Heap>, _ write: (DumpOutput) -> Void) -> Term {
        let output = DumpOutput(descriptor: -1)
        write(output)
        return output.binary(heap)
    }

    public static func writeInfo(_ output: DumpOutput) {
        writeMemory(caller: nil, output)
        writeCounts(output)
    }

    public static func writeDistribution(_ output: DumpOutput) { writeNodes(output) }

    public static func writeLoaded(_ output: DumpOutput) {
        let sizes = Modules.sizes()
        output.line("Current code: \(sizes.reduce(0) { $0 + $1.current })")
        output.line("Old code: \(sizes.reduce(0) { $0 + $1.old })")
        for (name, current, old) in sizes {
            output.line("\(printed(name)) \(current)" + (old > 0 ? " (\(old) old)" : ""))
        }
    }

    public static func writeProcesses(_ output: DumpOutput) {
        ProcessTable.forEach { _, process in DumpProcess.write(process, caller: nil, withStack: true, output) }
        DumpHooks.ports?(output)
    }
}
