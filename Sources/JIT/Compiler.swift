// Compiler.swift: the compile thread: takes hot functions from a queue, compiles them with what they call, and
// publishes the native code by storing its address in code words. Schedulers only put functions into the queue.

import CLLVM
import CMachine
import Glibc
import Machine
import Terms

public struct JITOptions: Sendable {
    public var isEnabled = true
    /// Calls before a function is compiled.
    public var threshold = 2000
    /// Compile at the first call, and wait for it.
    public var isEager = false
    public var printsStatistics = false
    /// Directory for dumps, and the functions ("M:F/A", nil: all) that go there.
    public var dumpDirectory: String?
    public var dumpFilter: String?
    /// Units to compile at most: bisects a miscompilation.
    public var limit = Int.max
    public init() {}
}

/// Figures of the tier; written by the compile thread, read by others without a lock as approximations.
public struct JITStatistics: Sendable {
    public var units = 0
    public var functions = 0
    public var failed = 0
    public var codeBytes = 0
    /// Nanoseconds, of the whole and of its steps.
    public var compileTime: UInt64 = 0
    public var loweringTime: UInt64 = 0
    public var optimisingTime: UInt64 = 0
    public var emittingTime: UInt64 = 0
    public var linkingTime: UInt64 = 0
    public var otherTime: UInt64 = 0
    public var exits: UInt64 = 0
    public var recompiled = 0
}

/// Native code in use.
struct NativeUnit {
    let code: NativeCode
    let words: [Words]
    let functions: [Ref<Function>]
    var exits = 0
    var speculates: Bool
}

public enum JIT {
    /// Constant after boot.
    nonisolated(unsafe) static var options = JITOptions()

    // The queue. Under `queueLock`.
    nonisolated(unsafe) static var queueLock = Lock()
    nonisolated(unsafe) static var queue: [(function: Ref<Function>, speculates: Bool)] = []
    nonisolated(unsafe) static var isStarted = false
    /// Futex that counts requests; the compile thread sleeps on it.
    nonisolated(unsafe) static var requests: UInt32 = 0
    /// Futex that counts finished requests; eager schedulers sleep on it.
    nonisolated(unsafe) static var finished: UInt32 = 0

    // What is compiled. Under `compileLock`, which is held during a compilation.
    nonisolated(unsafe) static var compileLock = Lock()
    nonisolated(unsafe) static var units: [UInt64: NativeUnit] = [:]
    nonisolated(unsafe) static var unitOf: [Ref<Function>: UInt64] = [:]
    /// Handlers that stood in words which lead to native code now.
    nonisolated(unsafe) static var originals: [UInt: UInt64] = [:]
    nonisolated(unsafe) static var nextUnit: UInt64 = 1
    /// Functions that could not be compiled, and why.
    nonisolated(unsafe) static var refused: [Ref<Function>: String] = [:]
    nonisolated(unsafe) public static var statistics = JITStatistics()

    // Only the compile thread.
    nonisolated(unsafe) static var generator: CodeGenerator?
    nonisolated(unsafe) static var reader: OperandReader?

    /// Once, before the first module is loaded.
    public static func boot(_ options: JITOptions) {
        self.options = options
        guard options.isEnabled else { return }
        JITHooks.threshold = options.isEager ? 1 : UInt64(options.threshold)
        JITHooks.request = { JIT.request($0) }
        JITHooks.release = { JIT.release($0) }
        JITHooks.avoid = { JIT.avoid($0) }
    }

    // MARK: Requests

    /// On a scheduler thread. True: the function is compiled now.
    private static func request(_ function: Ref<Function>) -> Bool {
        vm_lock(&queueLock)
        queue.append((function, true))
        startThread()
        vm_unlock(&queueLock)
        let ticket = vm_fetch_add32(&requests, 1) &+ 1
        vm_futex_wake(&requests, 1)
        guard options.isEager else { return false }
        while true {
            let done = vm_load_acquire32(&finished)
            if Int32(bitPattern: done &- ticket) >= 0 { break }
            vm_futex_wait(&finished, done, -1)
        }
        vm_lock(&compileLock)
        defer { vm_unlock(&compileLock) }
        return unitOf[function] != nil
    }

    /// Under `queueLock`.
    private static func startThread() {
        guard !isStarted else { return }
        isStarted = true
        _ = vm_start_thread(
            { _ in
                JIT.run()
                return nil
            }, &requests, 64 << 20)
    }

    private static func run() {
        while true {
            let seen = vm_load_acquire32(&requests)
            vm_lock(&queueLock)
            let next = queue.isEmpty ? nil : queue.removeFirst()
            vm_unlock(&queueLock)
            guard let next else {
                vm_futex_wait(&requests, seen, -1)
                continue
            }
            compile(next.function, speculates: next.speculates)
            _ = vm_fetch_add32(&finished, 1)
            vm_futex_wake(&finished, Int32.max)
        }
    }

    // MARK: Compiling

    /// A line for each unit, for whoever works on the compiler.
    private static var traces: Bool { getenv("ENIGMA_JIT_TRACE") != nil }

    private static func compile(_ function: Ref<Function>, speculates: Bool) {
        let start = now()
        vm_lock(&compileLock)
        defer { vm_unlock(&compileLock) }
        guard function.pointee.code != nil, refused[function] == nil, nextUnit <= options.limit else { return }
        if unitOf[function] != nil, speculates { return }
        do throws(CompileError) {
            if generator == nil {
                generator = try CodeGenerator()
                reader = OperandReader()
            }
            try build(function, speculates, generator!, reader!)
        } catch {
            statistics.failed += 1
            refused[function] = error.text
            if traces { complain("jit: \(error.text.prefix(2000))") }
        }
        statistics.compileTime += now() - start
    }

    private static func build(
        _ function: Ref<Function>, _ speculates: Bool, _ generator: CodeGenerator, _ reader: OperandReader
    ) throws(CompileError) {
        let bodies = selectBodies(function, reader)
        guard !bodies.isEmpty else { throw CompileError(text: "its code could not be read") }
        let number = nextUnit
        nextUnit += 1
        let unit = Unit(
            number: number, bodies: bodies, speculates: speculates,
            features: (generator.cpu, generator.features))
        generator.prepare(unit.ir.module)
        var clock = now()
        func lap(_ total: inout UInt64) {
            let time = now()
            total += time - clock
            clock = time
        }
        unit.lower()
        lap(&statistics.loweringTime)
        if traces { complain("jit: unit \(number): \(bodies.map(\.name).joined(separator: " "))") }
        let dump = Dump(unit, options)
        dump?.write("before.ll", generator.text(unit.ir.module))
        #if DEBUG
        try generator.verify(unit.ir.module)
        #else
        if options.isEager || dump != nil { try generator.verify(unit.ir.module) }
        #endif
        lap(&statistics.otherTime)
        try generator.optimise(unit.ir.module)
        lap(&statistics.optimisingTime)
        if let dump {
            dump.write("after.ll", generator.text(unit.ir.module))
            dump.write("s", try generator.assembly(unit.ir.module))
        }
        lap(&statistics.otherTime)
        let object = try generator.object(unit.ir.module)
        lap(&statistics.emittingTime)
        defer { LLVMDisposeMemoryBuffer(object) }
        let bytes = UnsafeRawBufferPointer(start: LLVMGetBufferStart(object), count: LLVMGetBufferSize(object))
        let (code, addresses) = try link(bytes, unit)
        publish(unit, addresses, code)
        lap(&statistics.linkingTime)
    }

    /// The function, and the hot local functions it calls.
    private static func selectBodies(_ function: Ref<Function>, _ reader: OperandReader) -> [FunctionBody] {
        var bodies: [FunctionBody] = []
        var seen: Set<Ref<Function>> = []
        var open = [function]
        var size = 0
        while !open.isEmpty, bodies.count < 12, size < 1500 {
            let next = open.removeFirst()
            guard seen.insert(next).inserted, let body = FunctionBody(next, reader, originals: originals) else { continue }
            bodies.append(body)
            size += body.instructions.count
            for instruction in body.instructions {
                guard [.call, .call_only, .call_last].contains(instruction.op), case .raw(let word) = instruction.operands[0]
                else { continue }
                let callee = Ref<Function>(bitPattern: UInt(word))!
                if isWarm(callee) { open.append(callee) }
            }
        }
        return bodies
    }

    private static func isWarm(_ function: Ref<Function>) -> Bool {
        guard function.pointee.code != nil, unitOf[function] == nil, refused[function] == nil else { return false }
        let left = function.pointee.calls
        return left > JITHooks.threshold || left < JITHooks.threshold - JITHooks.threshold / 8
    }

    // MARK: Publishing

    private static func link(
        _ object: UnsafeRawBufferPointer, _ unit: Unit
    ) throws(CompileError) -> (NativeCode, [UInt64]) {
        let symbols = Symbols(
            constants: unit.constants.list.map(\.value), tables: unit.constants.tables.map { $0.map(\.value) })
        do throws(LinkError) {
            return try Linker.link(object, symbols, unit.published.map(\.symbol))
        } catch { throw CompileError(text: error.text) }
    }

    private static func publish(_ unit: Unit, _ addresses: [UInt64], _ code: NativeCode) {
        for body in unit.bodies { discard(body.function) }
        var words: [Words] = []
        for (item, address) in zip(unit.published, addresses) {
            let word = item.function.pointee.code! + item.word
            let key = UInt(bitPattern: word)
            if originals[key] == nil { originals[key] = word.pointee }
            vm_store_release(word, address)
            words.append(word)
        }
        units[unit.number] = NativeUnit(
            code: code, words: words, functions: unit.bodies.map(\.function),
            speculates: unit.speculates)
        for body in unit.bodies { unitOf[body.function] = unit.number }
        statistics.units += 1
        statistics.functions += unit.bodies.count
        statistics.codeBytes += code.byteCount
    }

    /// Takes the words of a function's earlier native code back. Its code stays: somebody may be running it.
    private static func discard(_ function: Ref<Function>) {
        guard let number = unitOf[function], let old = units[number] else { return }
        for word in old.words {
            guard let original = originals[UInt(bitPattern: word)] else { continue }
            vm_store_release(word, original)
        }
        for function in old.functions { unitOf[function] = nil }
    }

    /// Native code calls the functions of its unit directly, so a traced function must be in none.
    private static func avoid(_ function: Ref<Function>) {
        vm_lock(&compileLock)
        defer { vm_unlock(&compileLock) }
        discard(function)
        refused[function] = "it is traced"
    }

    // MARK: Side exits

    static let exitHelper: @convention(c) (UInt64) -> Void = { number in JIT.noteExit(number) }
    static var exitHelperAddress: UInt64 { UInt64(unsafeBitCast(exitHelper, to: UInt.self)) }

    /// Exits of a unit before it is compiled again without bets.
    private static let exitLimit = 500

    private static func noteExit(_ number: UInt64) {
        statistics.exits &+= 1
        guard vm_try_lock(&compileLock) else { return }
        defer { vm_unlock(&compileLock) }
        guard var unit = units[number] else { return }
        unit.exits += 1
        units[number] = unit
        guard unit.exits == exitLimit, unitOf[unit.functions[0]] == number else { return }
        statistics.recompiled += 1
        vm_lock(&queueLock)
        queue.append((unit.functions[0], false))
        vm_unlock(&queueLock)
        _ = vm_fetch_add32(&requests, 1)
        vm_futex_wake(&requests, 1)
    }

    // MARK: Release

    /// A module's code goes: no process will come back to it.
    private static func release(_ module: LoadedModule) {
        func belongs(_ function: Ref<Function>) -> Bool {
            function >= module.functions && function < module.functions + module.functionCount
        }
        vm_lock(&queueLock)
        queue.removeAll { entry in
            guard belongs(entry.function) else { return false }
            _ = vm_fetch_add32(&finished, 1)
            return true
        }
        vm_unlock(&queueLock)
        vm_lock(&compileLock)
        defer { vm_unlock(&compileLock) }
        for (number, unit) in units where belongs(unit.functions[0]) {
            for word in unit.words { originals[UInt(bitPattern: word)] = nil }
            for function in unit.functions { unitOf[function] = nil }
            statistics.codeBytes -= unit.code.byteCount
            unit.code.free()
            units[number] = nil
        }
        refused = refused.filter { !belongs($0.key) }
    }

    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// --jit-stats
    public static func reportAtExit() {
        guard options.printsStatistics else { return }
        let s = statistics
        complain(
            """
            jit: \(s.functions) functions in \(s.units) units, \(s.failed) failed, \(s.codeBytes) bytes of code, \
            \(s.compileTime / 1_000_000) ms compiling (IR \(s.loweringTime / 1_000_000), optimising \
            \(s.optimisingTime / 1_000_000), emitting \(s.emittingTime / 1_000_000), linking \
            \(s.linkingTime / 1_000_000)), \(s.exits) side exits, \(s.recompiled) units compiled again
            """)
    }
}
