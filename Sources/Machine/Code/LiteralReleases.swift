// LiteralReleases.swift: freeing what processes may still point to: the literals of purged code, what stack traces name of
// it (functions, locations, lines), the table entries of its funs, persistent terms that were replaced. The process erts_literal_area_collector asks every
// process, batch by batch, and says when all have answered.
//
// Each batch takes two rounds of questions. A process that answers in the first has seen which areas are being released, so
// it does not send pointers into them any more (KeptLiterals in Terms). In the second it looks through its heap and its
// messages, which have all that was on its way, and copies what it holds. A process that is ending answers nothing; each
// round also waits until those are gone that were ending when it was over (Endings).
//
// Terms that are kept elsewhere (tables, timers, ports) are copied with all their literals and need no questions.

public import CMachine
import Glibc
public import Terms

/// What is to be freed: literals, modules, memory from malloc that a native function under way may still read.
struct Releasable {
    var literals: [LiteralArea] = []
    var modules: [LoadedModule] = []
    var memory: [UnsafeMutableRawPointer] = []

    var isEmpty: Bool { literals.isEmpty && modules.isEmpty && memory.isEmpty }

    mutating func add(_ other: Releasable) {
        literals += other.literals
        modules += other.modules
        memory += other.memory
    }
}

/// One batch, with the ranges of addresses that nobody may point to when it is freed. Constant, except `isNamed` and `isHeld`, until it is freed.
final class Release: @unchecked Sendable {
    let literals: [LiteralArea]
    fileprivate(set) var modules: [LoadedModule]
    let memory: [UnsafeMutableRawPointer]
    /// By index in `modules`: a stack trace names it. Under the lock of LiteralReleases.
    var isNamed: [Bool]
    /// Entries of funs, by address.
    let funs: [Ref<FunEntry>]
    /// By index in `funs`: a process holds one. Under the lock of LiteralReleases.
    var isHeld: [Bool]
    /// Addresses of `funs`, so that looking for one needs no array.
    private let funAddresses: UnsafeMutablePointer<UInt>
    private let funBounds: Range<UInt>
    /// The literal areas, in the order of `literals`.
    let areas: Words
    private let literalBounds: Range<UInt>
    private let traceBounds: Range<UInt>

    init(_ batch: Releasable) {
        literals = batch.literals.sorted { $0.block < $1.block }
        modules = batch.modules
        memory = batch.memory
        isNamed = [Bool](repeating: false, count: modules.count)
        funs = FunEntries.beginAsking()
        isHeld = [Bool](repeating: false, count: funs.count)
        funAddresses = .allocate(capacity: max(funs.count, 1))
        for (index, fun) in funs.enumerated() { funAddresses[index] = UInt(bitPattern: fun) }
        funBounds = funs.isEmpty ? 0..<0 : UInt(bitPattern: funs[0])..<UInt(bitPattern: funs[funs.count - 1]) + 1
        areas = AddressRanges.make(literals.map(\.range))
        literalBounds = bounds(literals.map(\.range))
        traceBounds = bounds(modules.map(\.traceRange))
    }

    /// The word is a pointer into it, or a number that looks like one.
    @inline(__always) func covers(_ word: UInt64) -> Bool {
        if UInt(word) &- literalBounds.lowerBound < literalBounds.upperBound &- literalBounds.lowerBound {
            return AddressRanges.find(areas, word) != nil
        }
        if UInt(word) &- funBounds.lowerBound < funBounds.upperBound &- funBounds.lowerBound, fun(UInt(word)) != nil { return true }
        return UInt(word) &- traceBounds.lowerBound < traceBounds.upperBound &- traceBounds.lowerBound
            && module(named: UInt(word)) != nil
    }

    /// Index of the module that a word of a raw stack trace belongs to.
    func module(named word: UInt) -> Int? { modules.firstIndex { $0.containsTraceData(word) } }

    /// Index of the entry that a word of a fun names.
    func fun(_ word: UInt) -> Int? {
        guard word & 7 == 0 else { return nil }
        var (low, high) = (0, funs.count)
        while low < high {
            let middle = (low + high) / 2
            if funAddresses[middle] == word { return middle }
            if funAddresses[middle] < word { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    func free() {
        for area in literals { area.free() }
        for block in memory { Glibc.free(block) }
    }

    deinit {
        Glibc.free(areas)
        funAddresses.deallocate()
    }
}

private func bounds(_ ranges: [Range<UInt>]) -> Range<UInt> {
    guard let first = ranges.first else { return 0..<0 }
    return ranges.reduce(first) { min($0.lowerBound, $1.lowerBound)..<max($0.upperBound, $1.upperBound) }
}

public enum LiteralReleases {
    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`: what comes next.
    nonisolated(unsafe) private static var waiting = Releasable()
    /// Under `lock`: modules that a stack trace still named; they get another chance with the next batch.
    nonisolated(unsafe) private static var named: [LoadedModule] = []
    /// Under `lock`: what is being released, and the rounds it has still to go.
    nonisolated(unsafe) private static var current: Release?
    nonisolated(unsafe) private static var rounds = 0
    /// The collector's own: it waits for ending processes before it goes on.
    nonisolated(unsafe) private static var awaitsEndings = false
    /// The batch before, whose ranges a copy under way may still look at.
    nonisolated(unsafe) private static var previous: Release?
    /// The process erts_literal_area_collector. Constant after boot.
    nonisolated(unsafe) public static var collector = Term.none

    static func add(_ item: Releasable) {
        vm_lock(&lock)
        waiting.add(item)
        vm_unlock(&lock)
        if !collector.isNone { sendBuilt(to: collector) { _ in Atoms.copy_literals } }
    }

    /// A block of the literal range that was unlinked. `offHeap`: what its terms own.
    public static func add(block: Words, words: Int, offHeap: OffHeapList) {
        add(Releasable(literals: [LiteralArea(block: block, words: words, offHeap: offHeap)]))
    }

    public static func add(memory: UnsafeMutableRawPointer) { add(Releasable(memory: [memory])) }

    /// All processes have answered: ends the round. True if there is another one to do, nil if it is too early.
    static func nextRound() -> Bool? {
        if rounds > 0 {
            if !awaitsEndings { Endings.turn() }
            awaitsEndings = !Endings.areOver
            if awaitsEndings { return nil }
        }
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if rounds > 1 {
            rounds -= 1
            return true
        }
        finish()
        guard !waiting.isEmpty else { return false }
        waiting.modules += named
        named = []
        let release = Release(waiting)
        waiting = Releasable()
        current = release
        rounds = 2
        Literals.setReleased(release.areas)
        return true
    }

    /// Frees what was being released. Requires: the lock.
    private static func finish() {
        guard let release = current else { return }
        Literals.setReleased(nil)
        current = nil
        rounds = 0
        release.free()
        // Dropping the last reference frees a module.
        for (module, isNamed) in zip(release.modules, release.isNamed) where isNamed { named.append(module) }
        release.modules = []
        FunEntries.endAsking(release.funs, release.isHeld)
        previous = release
    }

    /// Answers a question in the process that was asked. `mayCollect`: it was asked before, and wanted to collect.
    static func answer(_ process: Ref<Process>, mayCollect: Bool) -> Term {
        vm_lock(&lock)
        let release = rounds == 1 ? current : nil
        vm_unlock(&lock)
        guard let release, process.holds(release) else { return Atoms.ok }
        guard mayCollect else { return Atoms.need_gc }
        if process.collectReleasing(release), !release.modules.isEmpty || !release.funs.isEmpty {
            process.forEachWord { note($0, release) }
        }
        return Atoms.ok
    }

    private static func note(_ word: UInt64, _ release: Release) {
        guard release.covers(word) else { return }
        let (module, fun) = (release.module(named: UInt(word)), release.fun(UInt(word)))
        vm_lock(&lock)
        if let module { release.isNamed[module] = true }
        if let fun { release.isHeld[fun] = true }
        vm_unlock(&lock)
    }
}

/// Counts the processes that are ending, in two turns, so that one can wait for those that were when the turn changed.
enum Endings {
    /// Atomic.
    nonisolated(unsafe) private static var turnNumber: UInt64 = 0
    /// Atomic: by the lowest bit of the turn in which they began.
    nonisolated(unsafe) private static var even: UInt64 = 0
    nonisolated(unsafe) private static var odd: UInt64 = 0

    /// A process begins to end; the answer goes to `leave`.
    static func enter() -> UInt64 {
        while true {
            let turn = vm_load_acquire(&turnNumber)
            add(turn, 1)
            // The turn may have changed before this one was counted.
            if vm_fetch_add(&turnNumber, 0) == turn { return turn }
            add(turn, UInt64.max)
        }
    }

    static func leave(_ turn: UInt64) { add(turn, UInt64.max) }

    private static func add(_ turn: UInt64, _ value: UInt64) {
        if turn & 1 == 0 { _ = vm_fetch_add(&even, value) } else { _ = vm_fetch_add(&odd, value) }
    }

    /// Requires: one caller at a time, and nobody of the turn before the last is left.
    static func turn() { _ = vm_fetch_add(&turnNumber, 1) }

    /// Those that began before the last `turn` have ended.
    static var areOver: Bool { (vm_load_acquire(&turnNumber) & 1 == 0 ? vm_load_acquire(&odd) : vm_load_acquire(&even)) == 0 }
}
