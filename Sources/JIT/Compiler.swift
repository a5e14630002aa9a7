// Compiler.swift: the compile thread: takes hot functions from a queue, compiles them with what they call, and
// publishes the native code (NativeUnit.swift). Schedulers only put requests into the queue; they never wait for it.
//
// The compile thread reads the code of one module at a time, `reading`. If that is purged meanwhile, this thread frees it.

import CLLVM
import CMachine
import Glibc
import Machine
import Terms

/// A function to compile.
struct Request {
    let function: Ref<Function>
    /// Bet on small integers.
    var speculates = true
    /// It has native code, which has lost bets.
    var isAgain = false
    /// Only show what it compiles to.
    var dump: DumpRequest?
    /// The cache may have it.
    var isCached = false
    /// An earlier run has ended before it was compiled: how many have tried since (Cache.swift).
    var attempts: Int?
}

/// Why a function is not compiled, besides errors of LLVM's.
public enum Refusal: String, CaseIterable {
    case tooLarge = "too large"
    case traced = "it is traced"
    case unreadable = "its code could not be read"
}

public enum JIT {
    /// Constant after boot.
    nonisolated(unsafe) static var options = JITOptions()

    /// Guards all of this, and the tables of NativeUnit.swift. Held for moments, never while LLVM runs. The
    /// code-modification lock may be held when it is taken; under it no lock is taken.
    nonisolated(unsafe) static var lock = Lock()
    nonisolated(unsafe) static var queue: [Request] = []
    nonisolated(unsafe) private static var isStarted = false
    /// LLVM is missing or has failed, and why: nothing is compiled any more.
    nonisolated(unsafe) static var isOff = false
    nonisolated(unsafe) static var offReason = ""
    /// Requests made so far.
    nonisolated(unsafe) private static var tickets: UInt32 = 0
    /// The module whose code the compile thread looks at, so that it stays.
    nonisolated(unsafe) static var reading: LoadedModule?
    /// It was purged meanwhile.
    nonisolated(unsafe) static var isRetired = false
    /// What the compile thread is busy with.
    nonisolated(unsafe) private static var current: Request?

    /// Futex: changes when there is something to do; the compile thread sleeps on it.
    nonisolated(unsafe) private static var work: UInt32 = 0
    /// Futex: requests that are done; eager schedulers sleep on it.
    nonisolated(unsafe) private static var finished: UInt32 = 0

    // Only the compile thread.
    nonisolated(unsafe) static var generator: CodeGenerator?
    nonisolated(unsafe) private static var reader: OperandReader?
    nonisolated(unsafe) private static var nextUnit: UInt64 = 1
    /// A request waits for its time.
    nonisolated(unsafe) private static var isWaiting = false
    /// The last unit did not get a processor of its own.
    nonisolated(unsafe) private static var isBusy = false
    /// Schedulers come first where processors are scarce.
    nonisolated(unsafe) private static var isNice = false

    /// Once, before the first module is loaded.
    public static func boot(_ options: JITOptions) {
        self.options = options
        guard options.isEnabled else { return }
        JITHooks.threshold = options.isEager ? 1 : UInt64(options.threshold)
        JITHooks.request = { JIT.request($0) }
        JITHooks.release = { JIT.release($0) }
        JITHooks.avoid = { JIT.avoid($0) }
        JITHooks.allow = { JIT.allow($0) }
        Dump.start(options)
        if options.mayUseCache { Cache.boot(options) }
        if Cache.isOn { JITHooks.prepared = { Cache.noteModule($0) } }
    }

    static func locked<Result>(_ body: () -> Result) -> Result {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return body()
    }

    // MARK: Requests

    /// On a scheduler thread. True: the function is compiled now.
    private static func request(_ function: Ref<Function>) -> Bool {
        if let prefix = options.onlyModules, !function.pointee.moduleName.atomText.hasPrefix(prefix) { return false }
        let isCached = Cache.isOn && Cache.expect(function)
        guard let ticket = enqueue(Request(function: function, isCached: isCached)), options.isOrdered else {
            return false
        }
        while true {
            let done = vm_load_acquire32(&finished)
            if Int32(bitPattern: done &- ticket) >= 0 { break }
            vm_futex_wait(&finished, done, -1)
        }
        return locked { unitOf[function] != nil }
    }

    /// Position of the request to take: what is in the cache, what earlier runs did not get, what lost its bets, then the
    /// function that has been called most. Under `lock`; the queue is not empty.
    private static func mostUrgent() -> Int {
        if queue[0].dump != nil || queue[0].isCached || options.isOrdered { return 0 }
        let wanted = queue.indices.filter { queue[$0].attempts != nil && (isNeeded(queue[$0]) || !isYoung) }
        if let index = wanted.min(by: { queue[$0].attempts! < queue[$1].attempts! }) { return index }
        if queue[0].isAgain { return 0 }
        return queue.indices.min { callsLeft(queue[$0].function) < callsLeft(queue[$1].function) } ?? 0
    }

    /// The counters run on below 0 while a function waits.
    private static func callsLeft(_ function: Ref<Function>) -> Int64 { Int64(bitPattern: function.pointee.calls) }

    /// It has been called so often that a program of any length wants it, or has native code that is no good.
    private static func isNeeded(_ request: Request, thresholds: Int64 = 5) -> Bool {
        request.isAgain || callsLeft(request.function) < -thresholds * Int64(JITHooks.threshold)
    }

    /// The VM ends. What LLVM has not finished, what has lost its bets and what was called most is wanted: the next VM
    /// asks for it first.
    public static func noteWanted() {
        guard Cache.isOn, !options.isOrdered else { return }
        let wanted = locked { () -> [CacheName] in
            let begun = [current].compactMap { $0 }
            let needed = queue.filter { isNeeded($0, thresholds: 10) }.sorted { callsLeft($0.function) < callsLeft($1.function) }
            let all = begun + needed.filter(\.isAgain) + needed.filter { !$0.isAgain }
            return all.filter { $0.dump == nil && (!$0.isCached || $0.isAgain) }.map { CacheName($0.function) }
        }
        Cache.want(wanted)
    }

    /// Answers the number of the request, nil if there is no JIT any more.
    @discardableResult static func enqueue(_ request: Request) -> UInt32? {
        var request = request
        if !options.isOrdered, request.dump == nil { request.attempts = Cache.attempts(request.function) }
        let ticket = locked { () -> UInt32? in
            guard !isOff else { return nil }
            // What loses its bets is compiled again first, nobody is kept waiting for a dump, and linking is quick.
            let isUrgent = request.isAgain || request.dump != nil || (request.isCached && !options.isOrdered)
            queue.insert(request, at: isUrgent ? 0 : queue.count)
            tickets &+= 1
            if !isStarted {
                isStarted = true
                _ = vm_start_thread(
                    { _ in
                        JIT.run()
                        return nil
                    }, &work, 64 << 20)
            }
            return tickets
        }
        wake()
        return ticket
    }

    static func wake() {
        _ = vm_fetch_add32(&work, 1)
        vm_futex_wake(&work, 1)
    }

    private static func finish(_ count: Int) {
        _ = vm_fetch_add32(&finished, UInt32(count))
        vm_futex_wake(&finished, Int32.max)
    }

    // MARK: Modules that go

    static func belongs(_ function: Ref<Function>, _ module: LoadedModule) -> Bool {
        function >= module.functions && function < module.functions + module.functionCount
    }

    /// No process will return to the module's code. True: the compile thread frees it.
    static func release(_ module: LoadedModule) -> Bool {
        let (dropped, gone, isRead) = locked {
            let before = queue.count
            queue.removeAll {
                guard belongs($0.function, module) else { return false }
                $0.dump?.finish(failure: "the module is gone")
                return true
            }
            if reading === module { isRetired = true }
            return (before - queue.count, forget(module), isRetired && reading === module)
        }
        for unit in gone { unit.free() }
        Cache.forget(module)
        if dropped > 0 { finish(dropped) }
        return isRead
    }

    /// On the compile thread: the module may go.
    private static func endReading() {
        let module = locked {
            defer {
                reading = nil
                current = nil
                isRetired = false
            }
            return isRetired ? reading : nil
        }
        module?.retire()
    }

    // MARK: The thread

    private static func run() {
        while true {
            let seen = vm_load_acquire32(&work)
            let next = locked { () -> Request? in
                isWaiting = false
                guard !queue.isEmpty else { return nil }
                let index = mostUrgent()
                if isEarly(queue[index]) || isTooSoon(queue[index]) { return nil }
                let next = queue.remove(at: index)
                reading = LoadedModule.of(next.function)
                current = next
                return next
            }
            let isLeft = freeReplaced()
            guard let next else {
                vm_futex_wait(&work, seen, isWaiting || isLeft ? 5_000_000 : -1)
                continue
            }
            compile(next)
            endReading()
            finish(1)
        }
    }

    /// On a busy machine LLVM gets a fifth of what the program uses, after the first units: what is compiled then are the
    /// hottest functions. A program that does nothing needs no processor. Under `lock`.
    private static func isTooSoon(_ request: Request) -> Bool {
        guard isBusy, !isExempt(request) else { return false }
        let (wall, used) = (now(), processTime())
        if wall - lastLook.wall > 100_000_000 {
            isIdle = used - lastLook.used < 5_000_000
            lastLook = (wall, used)
        }
        isWaiting = !isIdle && statistics.compileTime > freeTime + used * budget / 100
        return isWaiting
    }
    nonisolated(unsafe) private static var lastLook: (wall: UInt64, used: UInt64) = (0, 0)
    nonisolated(unsafe) private static var isIdle = false
    private static let freeTime: UInt64 = 300_000_000
    /// In hundredths.
    private static let budget: UInt64 = 20
    /// It is there already, somebody waits for it, or wants everything compiled.
    private static func isExempt(_ request: Request) -> Bool {
        request.isCached || request.attempts != nil || request.dump != nil || options.isOrdered
            || options.threshold < JITOptions().threshold
    }

    /// A program that ends soon after it has booted needs no LLVM, which takes longer to load than it runs: from the first
    /// request on it gets some time, by what it uses or by the clock. Under `lock`.
    private static func isEarly(_ request: Request) -> Bool {
        guard isYoung, !options.isEager, !request.isCached, request.dump == nil else { return false }
        if request.attempts != nil, isNeeded(request) { return false }
        if youthEnd.used == 0 { youthEnd = (now() + 450_000_000, processTime() + 150_000_000) }
        isYoung = now() < youthEnd.wall && processTime() < youthEnd.used
        isWaiting = isYoung
        return isYoung
    }
    nonisolated(unsafe) private static var isYoung = true
    nonisolated(unsafe) private static var youthEnd: (wall: UInt64, used: UInt64) = (0, 0)

    static func compile(_ request: Request) {
        guard request.dump != nil || isDue(request) else { return }
        if request.isCached {
            if fetch(request.function) { return }
            locked { current?.isCached = false }
        }
        if let attempts = request.attempts {
            Cache.noteAttempt(request.function, attempts)
        } else if !isNice, !isAheadOfTime {
            isNice = true
            // This thread alone, on Linux.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
        }
        let start = threadTime()
        let wall = now()
        defer {
            let time = threadTime() - start
            // It had to wait for a processor.
            isBusy = now() - wall > time + time / 2
            statistics.compileTime += time
            statistics.longestTime = max(statistics.longestTime, time)
        }
        do throws(CompileError) {
            if generator == nil {
                do { generator = try makeGenerator() } catch {
                    turnOff(error.text)
                    throw error
                }
                reader = OperandReader()
            }
            let bodies = selectBodies(request, reader!)
            if try build(request, bodies, generator!, reader!) { return }
            guard bodies.count > 1, try build(request, [bodies[0]], generator!, reader!) else {
                let count = bodies[0].instructions.count
                throw CompileError(text: "\(Refusal.tooLarge.rawValue): \(count) instructions, more than \(Unit.sizeLimit) operations of LLVM's")
            }
        } catch {
            if let dump = request.dump { return dump.finish(failure: error.text) }
            statistics.failed += 1
            locked { refused[request.function] = error.text }
            if traces { complain("jit: \(error.text.prefix(2000))") }
        }
    }

    private static func isDue(_ request: Request) -> Bool {
        nextUnit <= options.limit
            && locked { refused[request.function] == nil && (request.isAgain || unitOf[request.function] == nil) }
    }

    private static func makeGenerator() throws(CompileError) -> CodeGenerator {
        statistics.residentBefore = residentBytes()
        let generator = try CodeGenerator()
        statistics.residentAfter = residentBytes()
        statistics.allocatedBefore = allocatedBytes()
        return generator
    }

    /// Nothing is compiled from now on; what is compiled stays in use.
    private static func turnOff(_ reason: String) {
        let dropped = locked {
            defer { queue = [] }
            isOff = true
            offReason = reason
            for request in queue { request.dump?.finish(failure: reason) }
            return queue.count
        }
        finish(dropped)
    }

    /// LLVM calls this instead of ending the program. It holds no lock of the machine, and must not go on.
    static let onFatalError: @convention(c) (UnsafePointer<CChar>?) -> Void = { reason in
        let text = reason.map { String(cString: $0) } ?? ""
        complain("jit: LLVM failed, no more functions are compiled: \(text.prefix(300))")
        JIT.turnOff("LLVM failed: \(text)")
        if JIT.isAheadOfTime { _exit(1) }
        JIT.endReading()
        JIT.finish(1)
        while true { pause() }
    }

    // MARK: Compiling

    /// A line for each unit, for whoever works on the compiler.
    private static var traces: Bool { getenv("ENIGMA_JIT_TRACE") != nil }

    /// Compiles `bodies` together. False: they are too large.
    private static func build(
        _ request: Request, _ bodies: [FunctionBody], _ generator: CodeGenerator, _ reader: OperandReader
    ) throws(CompileError) -> Bool {
        let start = threadTime()
        guard !bodies.isEmpty else { throw CompileError(text: Refusal.unreadable.rawValue) }
        let number = nextUnit
        nextUnit += 1
        let dump = Dump(number, bodies, request, options, reader)
        let inlinable = selectInlinable(bodies, reader)
        let unit = Unit(
            number: number, bodies: bodies, inlinable: inlinable, speculates: request.speculates,
            lostBets: locked { lostBets }, features: (generator.cpu, generator.features))
        unit.missed = missed(bodies, inlinable)
        unit.stressesExits = options.stressesExits
        if options.describesCode { unit.ir.keepUnwindTables() }
        let lines: (any LineNumbers)? = dump.map { $0.lines } ?? (options.describesCode ? SourceLines() : nil)
        if let lines {
            unit.debug = DebugInfo(unit.ir, lines, bodies[0])
        }
        if options.countsEntries, request.dump == nil { unit.makeCounters() }
        generator.prepare(unit.ir.module)
        var clock = start
        func lap(_ total: inout UInt64) {
            let time = threadTime()
            total += time - clock
            clock = time
        }
        unit.lower()
        if unit.isTooLarge { return false }
        if number == options.failAt { unit.ir.addImpossibleCall() }
        unit.debug?.end()
        lap(&statistics.loweringTime)
        if traces { complain("jit: unit \(number): \(bodies.map(\.name).joined(separator: " "))") }
        dump?.write("before.ll", generator.text(unit.ir.module))
        #if DEBUG
        try generator.verify(unit.ir.module)
        #else
        if options.isEager || options.stressesExits || dump != nil { try generator.verify(unit.ir.module) }
        #endif
        lap(&statistics.otherTime)
        try generator.optimise(unit.ir.module)
        lap(&statistics.optimisingTime)
        if let dump {
            dump.write("after.ll", generator.text(unit.ir.module))
            dump.write("s", try generator.assembly(unit.ir.module))
        }
        lap(&statistics.otherTime)
        if let dumpRequest = request.dump {
            dump?.finish(unit, code: nil)
            dumpRequest.finish(dump)
            return true
        }
        let object = try generator.object(unit.ir.module)
        lap(&statistics.emittingTime)
        defer { LLVMDisposeMemoryBuffer(object) }
        let symbols = try ObjectSymbols(object)
        let bytes = UnsafeRawBufferPointer(start: LLVMGetBufferStart(object), count: LLVMGetBufferSize(object))
        let (code, addresses) = try link(bytes, unit)
        let native = NativeUnit(unit, symbols, code, addresses, time: threadTime() - start)
        // Before anybody can free it.
        describe(native, bytes)
        if publish(native, addresses) {
            statistics.units += 1
            statistics.functions += native.parts.count
        }
        lap(&statistics.linkingTime)
        if Cache.isOn, unit.missed.isEmpty, Cache.write(unit, native, bytes) { statistics.kept += 1 }
        lap(&statistics.otherTime)
        dump?.finish(unit, code: native)
        if traces {
            let count = bodies.reduce(0) { $0 + $1.instructions.count }
            complain("jit: unit \(number): \(count) instructions, size \(unit.ir.size), \((threadTime() - start) / 1000) us, \(native.codeBytes) bytes")
        }
        return true
    }

    private static func link(
        _ object: UnsafeRawBufferPointer, _ unit: Unit
    ) throws(CompileError) -> (NativeCode, [UInt64]) {
        let symbols = Symbols(
            constants: unit.constants.list.map(\.value), tables: unit.constants.tables.map { $0.map(\.value) })
        do throws(LinkError) {
            return try Linker.link(object, symbols, unit.published.map(\.symbol))
        } catch { throw CompileError(text: error.text) }
    }

    // MARK: Fetching

    /// Links the function's unit from the cache; false if that has none that fits.
    private static func fetch(_ function: Ref<Function>) -> Bool {
        let start = threadTime()
        defer { statistics.fetchingTime += threadTime() - start }
        return Cache.withEntry(function) { bytes, key in
            guard let entry = CacheReader.read(bytes, LoadedModule.of(function), key: key, unit: nextUnit) else {
                statistics.rejected += 1
                return false
            }
            return isUsable(entry, function) && use(entry, start)
        }
    }

    /// Its code leads back to what stands in the functions now.
    private static func isUsable(_ entry: CacheEntry, _ function: Ref<Function>) -> Bool {
        guard entry.functions.contains(function) else { return false }
        return locked {
            guard avoided.isDisjoint(with: entry.functions), avoided.isDisjoint(with: entry.inlined) else { return false }
            return entry.published.allSatisfy { item in
                let word = item.function.pointee.code! + item.word
                return originals[UInt(bitPattern: word)] ?? word.pointee == handlerAddress(item.op)
            }
        }
    }

    /// Functions that are compiled already keep their code.
    private static func use(_ entry: CacheEntry, _ start: UInt64) -> Bool {
        let compiled = locked { entry.functions.filter { unitOf[$0] != nil } }
        do throws(LinkError) {
            let published = entry.published.filter { !compiled.contains($0.function) }
            let (code, addresses) = try Linker.link(entry.object, entry.symbols, published.map(\.symbol))
            let native = NativeUnit(entry, nextUnit, published, without: compiled, code, time: threadTime() - start)
            nextUnit += 1
            if publish(native, addresses) { statistics.fetched += 1 }
            return true
        } catch {
            statistics.rejected += 1
            return false
        }
    }

    /// The function, and the hot local functions it calls: those with an eighth of its calls.
    private static func selectBodies(_ request: Request, _ reader: OperandReader) -> [FunctionBody] {
        var bodies: [FunctionBody] = []
        var seen: Set<Ref<Function>> = []
        var open = [request.function]
        let least = (request.attempts == nil ? JITHooks.threshold : Cache.wantedThreshold) / 8
        var size = 0
        let originals = locked { self.originals }
        while !open.isEmpty, bodies.count < 6, size < 200 {
            let next = open.removeFirst()
            guard seen.insert(next).inserted, let body = FunctionBody(next, reader, originals: originals) else { continue }
            bodies.append(body)
            size += body.instructions.count
            if !request.isAgain, let attempts = request.attempts, attempts >= Cache.smallAttempt { break }
            open += body.localCallees.filter { isWarm($0, least) }
        }
        return bodies
    }

    /// Small functions that the bodies call, and those that these call: leaves, and what has native code to return to.
    private static func selectInlinable(_ bodies: [FunctionBody], _ reader: OperandReader) -> [Ref<Function>: FunctionBody] {
        let (originals, avoided) = locked { (self.originals, self.avoided) }
        var result: [Ref<Function>: FunctionBody] = [:]
        for body in bodies where body.instructions.count <= InliningBudget.calleeLimit { result[body.function] = body }
        var seen = Set(bodies.map(\.function))
        var open = bodies.flatMap(\.localCallees)
        while let next = open.popLast() {
            guard seen.insert(next).inserted, !avoided.contains(next), next.pointee.code != nil,
                next.pointee.codeWords <= 6 * InliningBudget.calleeLimit,
                let body = FunctionBody(next, reader, originals: originals),
                body.instructions.count <= InliningBudget.calleeLimit, body.isLeaf || locked({ unitOf[next] != nil })
            else { continue }
            result[next] = body
            open += body.localCallees
        }
        return result
    }

    /// Callees that are left out because they are traced.
    private static func missed(_ bodies: [FunctionBody], _ inlinable: [Ref<Function>: FunctionBody]) -> Set<Ref<Function>> {
        let avoided = locked { self.avoided }
        if avoided.isEmpty { return [] }
        return avoided.intersection((bodies + inlinable.values).flatMap(\.localCallees))
    }

    private static func isWarm(_ function: Ref<Function>, _ least: UInt64) -> Bool {
        guard function.pointee.code != nil, locked({ unitOf[function] == nil && refused[function] == nil }) else { return false }
        let left = function.pointee.calls
        return left > JITHooks.threshold || left < JITHooks.threshold - least
    }

    /// Nanoseconds.
    static func now() -> UInt64 { read(CLOCK_MONOTONIC) }
    /// What this thread has used of a processor: what compiling costs, however busy the machine is.
    static func threadTime() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }
    private static func processTime() -> UInt64 { read(CLOCK_PROCESS_CPUTIME_ID) }
    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
