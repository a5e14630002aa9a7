// LiteralReleases.swift: freeing the literals of purged code. Any process may hold pointers to them, so the process
// erts_literal_area_collector asks every process to copy what it holds, area by area, and says when all have answered.
//
// Each area takes two rounds of questions. In the first, messages sent by a process that has not answered yet may
// still name the area; after the first round every process treats the area as ordinary memory when it copies a term,
// and the second round finds what was on its way.

public import CMachine
public import Terms

public enum LiteralReleases {
    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`: areas to release, oldest first.
    nonisolated(unsafe) private static var waiting: [LiteralArea] = []
    /// Under `lock`: the area being released, and the rounds it has still to go.
    nonisolated(unsafe) private static var current: LiteralArea?
    nonisolated(unsafe) private static var rounds = 0

    /// Address range of the area being released; size 0 if there is none. Copying a term copies what lies in it.
    /// Written by the collector process only; release store of the size.
    nonisolated(unsafe) public private(set) static var areaBase: UInt64 = 0
    nonisolated(unsafe) public private(set) static var areaSize: UInt64 = 0

    /// Sends `copy_literals` to the process erts_literal_area_collector. Filled at boot; until then areas just wait.
    nonisolated(unsafe) public static var wakeCollector: (@convention(thin) () -> Void)?

    /// Sends a copy request on behalf of the collector to a process: arguments are the collector, the receiver's pid
    /// and the request's identity `{Area, How, Pid}`. Filled at boot.
    nonisolated(unsafe) public static var sendCopyRequest: (@convention(thin) (Ref<Process>, Term, Term) -> Void)?

    static func add(_ area: LiteralArea) {
        vm_lock(&lock)
        waiting.append(area)
        vm_unlock(&lock)
        wakeCollector?()
    }

    /// The pointer lies in the area being released.
    @inlinable public static func isReleasing(_ pointer: UnsafeRawPointer) -> Bool {
        UInt64(UInt(bitPattern: pointer)) &- areaBase < areaSize
    }

    /// All processes have answered: ends the round. True if there is another one to do.
    static func nextRound() -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if rounds > 1 {
            rounds -= 1
            return true
        }
        vm_store_release(&areaSize, 0)
        current?.free()
        current = nil
        rounds = 0
        guard !waiting.isEmpty else { return false }
        let area = waiting.removeFirst()
        current = area
        rounds = 2
        areaBase = UInt64(UInt(bitPattern: area.block))
        vm_store_release(&areaSize, UInt64(area.words * 8))
        return true
    }
}
