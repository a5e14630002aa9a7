// CrashDump.swift: the end of the VM with a slogan: the message on standard error and the file erl_crash.dump, in the
// format that crashdump_viewer reads (version 0.5 of OTP 25).
//
// ERL_CRASH_DUMP names the file, ERL_CRASH_DUMP_BYTES limits its size, ERL_CRASH_DUMP_SECONDS its time (0: no dump).

public import CMachine
import Glibc
import Terms

public enum CrashDump {
    /// Ends the VM with status 1. `caller`: the process whose thread this is.
    public static func exit(_ slogan: String, caller: Ref<Process>?) -> Never {
        if !Blocking.block(from: caller?.pointee.scheduler) { Blocking.waitForEnd() }
        let console = DumpOutput(descriptor: 2, addsReturns: true)
        console.line(slogan)
        console.flush()
        write(slogan, caller: caller, introduction: "\n", console)
        DumpHooks.restoreTerminal?()
        _exit(1)
    }

    /// The dump of the break menu's `A`. The schedulers stand still.
    public static func writeOnRequest(_ console: DumpOutput) {
        write(
            "Crash dump requested by user", caller: nil, introduction: "Crash dump requested by user\n", console)
    }

    private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

    private static func write(
        _ slogan: String, caller: Ref<Process>?, introduction: String, _ console: DumpOutput
    ) {
        let seconds = number("ERL_CRASH_DUMP_SECONDS") ?? -1
        let limit = number("ERL_CRASH_DUMP_BYTES") ?? .max
        guard seconds != 0, limit != 0 else { return }
        let path = getenv("ERL_CRASH_DUMP").map { String(cString: $0) } ?? "erl_crash.dump"
        console.put("\(introduction)Crash dump is being written to: \(path)...")
        console.flush()
        // The default of SIGALRM ends a dump that takes too long.
        if seconds > 0 { alarm(UInt32(clamping: seconds)) }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return }
        let output = DumpOutput(descriptor: descriptor, limit: limit < 0 ? .max : limit)
        writeSections(slogan, caller, output)
        output.flush()
        if output.isFull {
            DumpOutput.append("\n=abort:CRASH DUMP SIZE LIMIT REACHED\n", to: descriptor)
            return
        }
        close(descriptor)
        console.line("done")
        console.flush()
    }

    private static func writeSections(_ slogan: String, _ caller: Ref<Process>?, _ output: DumpOutput) {
        writeHeader(slogan, caller, output)
        DumpSystem.writeSchedulers(caller: caller, output)
        DumpSystem.writeMemory(caller: caller, output)
        DumpSystem.writeCounts(output)
        var processes: [Ref<Process>] = []
        ProcessTable.forEach { _, process in processes.append(process) }
        for process in processes { DumpProcess.write(process, caller: caller, withStack: false, output) }
        DumpHooks.ports?(output)
        DumpHooks.tables?(output)
        DumpSystem.writeTimers(output)
        DumpSystem.writeNodes(output)
        DumpSystem.writeModules(output)
        DumpSystem.writeFuns(output)
        writeTerms(processes, caller, output)
        output.line("=atoms")
        for index in (0..<AtomTable.atomCount).reversed() where !output.isFull { output.line(printed(.atom(index))) }
        output.line("=end")
    }

    private static func writeHeader(_ slogan: String, _ caller: Ref<Process>?, _ output: DumpOutput) {
        output.line("=erl_crash_dump:0.5")
        var now = time(nil)
        var text = [CChar](repeating: 0, count: 64)
        ctime_r(&now, &text)
        output.put(text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
        output.line("Slogan: \(slogan)")
        output.put("System version: \(systemVersionText())")
        output.line("Taints: ")
        output.line("Atoms: \(AtomTable.atomCount)")
        let scheduler = caller?.pointee.scheduler.map { "scheduler:\($0.pointee.index + 1)" }
        output.line("Calling Thread: \(scheduler ?? "unknown")")
    }

    private static func writeTerms(_ processes: [Ref<Process>], _ caller: Ref<Process>?, _ output: DumpOutput) {
        let literals = DumpTerms(output, isForLiterals: true)
        var binaries: Set<UInt> = []
        for process in processes where !output.isFull && DumpProcess.isQuiet(process, caller: caller) {
            let terms = DumpProcess.writeContents(process, output)
            terms.literals.forEach(literals.add)
            binaries.formUnion(terms.binaries)
        }
        output.line("=persistent_terms")
        DumpHooks.persistentTerms? { key, value in
            literals.add(key)
            literals.add(value)
            output.line("\(DumpTerms.reference(key))|\(DumpTerms.reference(value))")
        }
        output.line("=literals")
        literals.writeObjects()
        DumpTerms.writeBinaries(binaries.union(literals.binaries), output)
    }
}
