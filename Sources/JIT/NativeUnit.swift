// NativeUnit.swift: the native code in use: which words lead to it, the bets it has lost, and its end.

import CLLVM
import CMachine
import Glibc
import Machine
import Terms

/// What one compilation has made. Constant but for the counts; freed when no process returns to its module.
final class NativeUnit: @unchecked Sendable {
    struct Part {
        let function: Ref<Function>
        let codeBytes: Int
    }

    let number: UInt64
    let parts: [Part]
    /// Functions whose code it has taken in.
    let inlined: Set<Ref<Function>>
    /// Functions that are not in it because they were traced.
    let missed: Set<Ref<Function>>
    let exits: [(function: Ref<Function>, word: Int, reason: String)]
    let words: [Words]
    let code: NativeCode
    /// Its functions, if somebody may ask for them.
    let symbols: [ObjectSymbols.Symbol]
    /// Address of the first byte of its code.
    let base: UInt64
    let codeBytes: Int
    /// Nanoseconds.
    let time: UInt64
    let speculates: Bool
    /// Atomic: side exits so far, and by site.
    let exitCounts: UnsafeMutablePointer<UInt64>
    /// Calls of each part, in racy increments by native code; nil if they are not counted.
    let entryCounts: UnsafeMutablePointer<UInt64>?

    init(_ unit: Unit, _ symbols: ObjectSymbols, _ code: NativeCode, _ addresses: [UInt64], time: UInt64) {
        number = unit.number
        self.symbols = JIT.options.describesCode || JIT.options.dumpDirectory != nil ? symbols.list : []
        self.code = code
        self.time = time
        speculates = unit.speculates
        inlined = unit.inlined
        missed = unit.missed
        exits = unit.exits.map { ($0.body.function, $0.instruction.start, $0.reason) }
        words = unit.published.map { $0.function.pointee.code! + $0.word }
        codeBytes = symbols.codeBytes
        base = symbols.base(of: unit.published[0].symbol, at: addresses[0])
        parts = unit.bodies.map { Part(function: $0.function, codeBytes: symbols.bytes(of: $0.name)) }
        exitCounts = .allocate(capacity: exits.count + 1)
        exitCounts.initialize(repeating: 0, count: exits.count + 1)
        entryCounts = unit.counters
    }

    /// A unit from the cache.
    init(
        _ entry: CacheEntry, _ number: UInt64, _ published: [Published], without others: [Ref<Function>], _ code: NativeCode,
        time: UInt64
    ) {
        self.number = number
        symbols = []
        self.code = code
        self.time = time
        speculates = entry.speculates
        inlined = Set(entry.inlined)
        missed = []
        exits = entry.exits
        words = published.map { $0.function.pointee.code! + $0.word }
        codeBytes = entry.sizes.reduce(0, +)
        base = UInt64(UInt(bitPattern: code.memory))
        parts = zip(entry.functions, entry.sizes).filter { !others.contains($0.0) }.map { Part(function: $0, codeBytes: $1) }
        exitCounts = .allocate(capacity: exits.count + 1)
        exitCounts.initialize(repeating: 0, count: exits.count + 1)
        entryCounts = nil
    }

    deinit {
        exitCounts.deallocate()
        entryCounts?.deallocate()
    }

    /// Gives the code back. Requires: no thread is in it, and none will be.
    func free() {
        if JIT.options.tellsDebugger { DebuggerImage.remove(code) }
        code.free()
    }

    var exitCount: UInt64 { vm_load_relaxed(exitCounts + exits.count) }
}

extension JIT {
    // Under `lock`.
    nonisolated(unsafe) static var units: [UInt64: NativeUnit] = [:]
    nonisolated(unsafe) static var unitOf: [Ref<Function>: UInt64] = [:]
    /// Handlers that stood in words which lead to native code now.
    nonisolated(unsafe) static var originals: [UInt: UInt64] = [:]
    /// Functions that could not be compiled, and why.
    nonisolated(unsafe) static var refused: [Ref<Function>: String] = [:]
    /// Those of them that must not be inlined either.
    nonisolated(unsafe) static var avoided: Set<Ref<Function>> = []

    /// Bets that were lost often, and how often functions were compiled again for that.
    nonisolated(unsafe) static var lostBets: [Ref<Function>: Set<LostBet>] = [:]
    nonisolated(unsafe) private static var attempts: [Ref<Function>: Int] = [:]

    /// Units that others have taken the place of: a thread may still be in their code. With the slices that ran when
    /// the compile thread first saw them here.
    nonisolated(unsafe) static var replaced: [(unit: NativeUnit, slices: [UInt64]?)] = []

    // MARK: Publishing

    /// Makes the code be used. False: somebody has something against it, so it is freed.
    static func publish(_ native: NativeUnit, _ addresses: [UInt64]) -> Bool {
        let isWanted = locked {
            // Purged or traced meanwhile.
            guard !isRetired, avoided.isDisjoint(with: native.inlined),
                !native.parts.contains(where: { refused[$0.function] != nil })
            else {
                // They may ask again.
                for part in native.parts { part.function.pointee.calls = JITHooks.threshold }
                return false
            }
            for part in native.parts { discard(part.function) }
            for (word, address) in zip(native.words, addresses) {
                let key = UInt(bitPattern: word)
                if originals[key] == nil { originals[key] = word.pointee }
                vm_store_release(word, address)
            }
            units[native.number] = native
            for part in native.parts { unitOf[part.function] = native.number }
            return true
        }
        guard isWanted else {
            native.free()
            return false
        }
        statistics.codeBytes += native.codeBytes
        statistics.mappedBytes += native.code.byteCount
        if locked({ !native.missed.isSubset(of: avoided) }) { compileAgain(native) }
        return true
    }

    /// Takes the words of a function's earlier native code back. The code stays while somebody may be running it; the
    /// functions count as warm, in case nothing takes their place. Under `lock`.
    private static func discard(_ function: Ref<Function>) {
        if let number = unitOf[function], let old = units[number] { discard(old) }
    }

    private static func discard(_ old: NativeUnit) {
        guard unitOf[old.parts[0].function] == old.number else { return }
        for word in old.words {
            guard let original = originals[UInt(bitPattern: word)] else { continue }
            vm_store_release(word, original)
        }
        for part in old.parts {
            unitOf[part.function] = nil
            part.function.pointee.calls = JITHooks.threshold
        }
        if options.forgetsReplaced { replaced.append((old, nil)) }
    }

    /// Native code calls the functions of its unit directly and takes others in, so a traced function must be in none.
    static func avoid(_ function: Ref<Function>) {
        let isReplaced = locked {
            guard avoided.insert(function).inserted else { return false }
            discard(function)
            for unit in units.values where unit.inlined.contains(function) { discard(unit) }
            refused[function] = Refusal.traced.rawValue
            return !replaced.isEmpty
        }
        if isReplaced { wake() }
    }

    /// It is not traced any more, and may be compiled as if it had never been; so are the units that had to do without it.
    static func allow(_ function: Ref<Function>) {
        let poorer = locked { () -> [NativeUnit] in
            guard avoided.remove(function) != nil else { return [] }
            refused[function] = nil
            // It may have asked meanwhile.
            function.pointee.calls = JITHooks.threshold
            return units.values.filter { $0.missed.contains(function) && unitOf[$0.parts[0].function] == $0.number }
        }
        poorer.forEach(compileAgain)
    }

    private static func compileAgain(_ unit: NativeUnit) {
        enqueue(Request(function: unit.parts[0].function, speculates: unit.speculates, isAgain: true))
    }

    /// Frees replaced code that no thread can be in any more: return addresses are words, so the slices that ran when it
    /// was replaced are all that count. On the compile thread. Answers whether some is left.
    static func freeReplaced() -> Bool {
        guard locked({ !replaced.isEmpty }) else { return false }
        let slices = Schedulers.noteSlices()
        let gone = locked { () -> [NativeUnit] in
            let free = replaced.filter { $0.slices.map(Schedulers.haveLeft) ?? false }.map(\.unit)
            replaced.removeAll { entry in free.contains { $0 === entry.unit } }
            for index in replaced.indices where replaced[index].slices == nil { replaced[index].slices = slices }
            for unit in free { remove(unit) }
            return free
        }
        for unit in gone { unit.free() }
        return slices != nil && locked { !replaced.isEmpty }
    }

    /// Under `lock`: the unit's code is about to be freed.
    private static func remove(_ unit: NativeUnit) {
        units[unit.number] = nil
        statistics.codeBytes -= unit.codeBytes
        statistics.mappedBytes -= unit.code.byteCount
        statistics.freed += 1
    }

    // MARK: Side exits

    static let exitHelper: @convention(c) (UInt64, UInt64) -> Void = { number, site in JIT.noteExit(number, Int(site)) }
    static var exitHelperAddress: UInt64 { UInt64(unsafeBitCast(exitHelper, to: UInt.self)) }

    /// Exits of a unit before it is compiled again, without those of its bets that lost a tenth of that.
    private static let exitLimit: UInt64 = 500
    /// After so many compilations a function's unit bets no more.
    private static let attemptLimit = 3

    private static func noteExit(_ number: UInt64, _ site: Int) {
        statistics.exits &+= 1
        // A count may get lost.
        guard vm_try_lock(&lock) else { return }
        let unit = units[number]
        var again: Request?
        if let unit {
            if site < unit.exits.count { unit.exitCounts[site] &+= 1 }
            unit.exitCounts[unit.exits.count] &+= 1
            if unit.exitCounts[unit.exits.count] == exitLimit, unitOf[unit.parts[0].function] == number {
                again = noteLostBets(unit)
            }
        }
        vm_unlock(&lock)
        guard let again else { return }
        statistics.recompiled += 1
        enqueue(again)
    }

    /// Under `lock`.
    private static func noteLostBets(_ unit: NativeUnit) -> Request {
        for (index, exit) in unit.exits.enumerated() where unit.exitCounts[index] >= exitLimit / 10 {
            lostBets[exit.function, default: []].insert(LostBet(word: exit.word, reason: exit.reason))
        }
        let function = unit.parts[0].function
        attempts[function, default: 0] += 1
        return Request(function: function, speculates: attempts[function]! < attemptLimit, isAgain: true)
    }

    // MARK: The end

    /// Takes the native code of a module that no process returns to out of the tables; the caller frees it. Under `lock`.
    static func forget(_ module: LoadedModule) -> [NativeUnit] {
        let gone = units.values.filter { belongs($0.parts[0].function, module) }
        for unit in gone {
            for word in unit.words { originals[UInt(bitPattern: word)] = nil }
            for part in unit.parts where unitOf[part.function] == unit.number { unitOf[part.function] = nil }
            remove(unit)
        }
        replaced.removeAll { belongs($0.unit.parts[0].function, module) }
        for function in refused.keys where belongs(function, module) { refused[function] = nil }
        for function in lostBets.keys where belongs(function, module) { lostBets[function] = nil }
        for function in attempts.keys where belongs(function, module) { attempts[function] = nil }
        for function in avoided where belongs(function, module) { avoided.remove(function) }
        return gone
    }
}
