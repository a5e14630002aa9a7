// Boot.swift: from a launch plan to running schedulers: the tables of the machine, the preloaded modules, the first
// process `erl_init:start(init, Arguments)` and the system processes.

import Bifs
import CMachine
import Glibc
import JIT
import Machine
import Ports
import Tables
import Terms

/// The root of the OTP installation: ENIGMA_OTP_ROOT, ROOTDIR's usual places.
func locateOTP() -> String? {
    let given = getenv("ENIGMA_OTP_ROOT").map { String(cString: $0) }
    for root in [given, "/usr/lib/erlang", "/usr/local/lib/erlang", "/opt/erlang"].compactMap({ $0 })
    where access("\(root)/bin/start.boot", R_OK) == 0 {
        return root
    }
    return nil
}

/// Runs the VM; returns only by throwing.
func boot(_ plan: LaunchPlan, root: String) throws(UsageError) {
    if plan.printsVersion {
        complain("Erlang (SMP,ASYNC_THREADS) (BEAM) emulator version 13.1.5\r")
        exit(0)
    }
    printArguments(plan)
    if plan.isDetached { detach() }
    for (name, value) in plan.environment { setenv(name, value, 1) }
    exportEnvironment(root)
    FileNames.takeEncodingFromLocale()
    systemFacts.emulatorArguments = [CommandLine.arguments[0]] + plan.emulatorWords + ["--"] + plan.initArguments
    stressCollection = plan.options.stressesCollector
    JIT.boot(plan.options.jit)
    bootMachine(bifsTable + tablesTable + portsTable + jitTable)
    bootTables()
    connectPersistentTerms()
    let settings = try Settings(plan.emulator)
    bootProcesses(
        schedulers: settings.schedulers, online: settings.schedulersOnline,
        dirtyCPU: settings.dirtyCPU ?? settings.schedulers, dirtyCPUOnline: settings.dirtyCPUOnline,
        dirtyIO: settings.dirtyIO, processLimit: settings.processLimit)
    if let problem = loadPreloaded(root: root) { throw UsageError(text: "enigma: \(problem)") }
    ExitHooks.flushPorts = {
        PortBoot.flushPorts()
        JIT.noteWanted()
        JIT.reportAtExit()
    }
    startFirstProcesses(plan.initArguments, module: settings.bootModule)
    PortBoot.start(firstProcess: .localPid(0), breaks: settings.breaks)
    Schedulers.run()
}

/// -emu_args, -emu_args_exit and -emu_name_exit.
private func printArguments(_ plan: LaunchPlan) {
    let arguments = plan.emulatorWords + ["--"] + plan.initArguments
    if plan.printsName {
        print(CommandLine.arguments[0])
        exit(0)
    }
    if plan.printsArguments { print("Executing: \(CommandLine.arguments[0]) \(arguments.joined(separator: " "))\n") }
    if plan.stopsAfterArguments {
        for argument in arguments { print(argument) }
        exit(0)
    }
    fflush(nil)
}

/// What erlexec leaves in the environment for the programs a node starts.
private func exportEnvironment(_ root: String) {
    let binaries = "\(root)/erts-13.1.5/bin"
    setenv("ROOTDIR", root, 1)
    setenv("BINDIR", binaries, 1)
    setenv("EMU", "beam", 1)
    setenv("PROGNAME", "erl", 0)
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    if !path.split(separator: ":").contains(Substring(binaries)) {
        setenv("PATH", "\(binaries):\(root)/bin:\(path)", 1)
    }
}

private func detach() {
    guard fork() == 0 else { exit(0) }
    setsid()
    let null: Int32 = open("/dev/null", O_RDWR)
    for descriptor: Int32 in 0...2 { dup2(null, descriptor) }
}

/// `erl_init:start(Module, Arguments)` is <0.0.0>; the system processes follow in OTP's order.
private func startFirstProcesses(_ arguments: [String], module: String) {
    var scratch = Heap()
    withUnsafeMutablePointer(to: &scratch) { heap in
        let words = heap.list(arguments.map { heap.makeBinary($0) })
        let list = heap.list([AtomTable.intern(module), words])
        start("erl_init", list, arity: 2, ProcessPriority.normal)
    }
    start("erts_code_purger", .nil, arity: 0, ProcessPriority.high)
    LiteralReleases.collector = start("erts_literal_area_collector", .nil, arity: 0, ProcessPriority.high)
    for priority in [ProcessPriority.normal, ProcessPriority.high, ProcessPriority.max] {
        DirtySignals.setHandler(start("erts_dirty_process_signal_handler", .nil, arity: 0, priority), priority)
    }
}

@discardableResult
private func start(_ module: String, _ arguments: Term, arity: Int, _ priority: UInt8) -> Term {
    var options = SpawnOptions()
    options.priority = priority
    options.isSystem = true
    options.offHeapMessages = module != "erl_init"
    let spawned = spawnProcess(
        nil, AtomTable.intern(module), Atoms.start, arguments, arity: arity, options)
    guard let spawned else {
        complain("enigma: cannot start \(module)")
        exit(1)
    }
    return spawned.pid
}
