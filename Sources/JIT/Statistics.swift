// Statistics.swift: figures of the tier, for --jit-stats and enigma_jit.

import CMachine
import Glibc
import Machine
import Terms

/// Written by the compile thread (`exits` and `recompiled` by schedulers), read by others without a lock: approximations.
public struct JITStatistics: Sendable {
    public var units = 0
    public var functions = 0
    public var failed = 0
    public var freed = 0
    public var codeBytes = 0
    public var mappedBytes = 0
    /// Nanoseconds of the compile thread, of the whole and of its steps; the longest request.
    public var compileTime: UInt64 = 0
    public var longestTime: UInt64 = 0
    public var loweringTime: UInt64 = 0
    public var optimisingTime: UInt64 = 0
    public var emittingTime: UInt64 = 0
    public var linkingTime: UInt64 = 0
    public var otherTime: UInt64 = 0
    public var exits: UInt64 = 0
    public var recompiled = 0
    /// Units linked from the cache, entries found there that were no good, and units written to it.
    public var fetched = 0
    public var rejected = 0
    public var kept = 0
    public var fetchingTime: UInt64 = 0
    /// Memory of the program, in bytes, before and after LLVM was loaded.
    public var residentBefore = 0
    public var residentAfter = 0
    /// Bytes that were allocated, by anybody, before the first unit.
    public var allocatedBefore = 0
}

/// Memory of the program that is in use, in bytes.
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, 128, file) != nil else { return 0 }
    let words = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.split(separator: 32)
    return words.count > 1 ? (Int(String(decoding: words[1], as: UTF8.self)) ?? 0) * 4096 : 0
}

/// Bytes that malloc has given out, but for processes and binaries: LLVM's memory, and the machine's tables.
func allocatedBytes() -> Int {
    var used = 0
    var held = 0
    vm_allocated_memory(&used, &held)
    return used - Int(vm_counted_memory(processMemory)) - Int(vm_counted_memory(binaryMemory))
}

extension JIT {
    nonisolated(unsafe) public static var statistics = JITStatistics()

    static func name(_ function: Ref<Function>) -> String {
        let f = function.pointee
        return "\(f.moduleName.atomText):\(f.name.atomText)/\(f.arity)"
    }

    /// When the VM ends: --jit-stats, and the counts of a dump.
    public static func reportAtExit() {
        if options.isEnabled { Dump.writeCounts(options) }
        guard options.printsStatistics else { return }
        let s = statistics
        func ms(_ time: UInt64) -> UInt64 { time / 1_000_000 }
        func mb(_ bytes: Int) -> String { "\(bytes >> 20).\((bytes >> 10 & 1023) * 10 / 1024) MB" }
        var lines = [
            "jit: \(s.functions) functions in \(s.units) units, \(s.failed) refused, \(s.freed) units freed",
            "jit: \(s.codeBytes) bytes of native code in use, in \(s.mappedBytes) bytes of memory",
            """
            jit: \(ms(s.compileTime)) ms compiling: IR \(ms(s.loweringTime)), optimising \(ms(s.optimisingTime)), \
            emitting \(ms(s.emittingTime)), linking \(ms(s.linkingTime)), other \(ms(s.otherTime)); the longest \(ms(s.longestTime))
            """,
            "jit: \(s.exits) side exits, \(s.recompiled) units compiled again without bets",
            """
            jit: cache: \(s.fetched) units fetched in \(s.fetchingTime / 1000) us, \(s.rejected) entries refused, \(s.kept) \
            units kept; LLVM \(generator == nil ? "not " : "")loaded
            """,
            """
            jit: memory of the program \(mb(residentBytes())); loading LLVM took \
            \(mb(max(0, s.residentAfter - s.residentBefore))); \(mb(allocatedBytes())) allocated, \
            \(mb(s.allocatedBefore)) when LLVM had been loaded
            """,
        ]
        let (reasons, reason) = locked { (Array(refused.values), isOff ? offReason : "") }
        for (text, count) in Swift.Dictionary(grouping: reasons, by: { $0.prefix(200) }).mapValues({ $0.count }) {
            lines.append("jit: refused \(count): \(text)")
        }
        if !reason.isEmpty { lines.append("jit: off: \(reason)") }
        complain(lines.joined(separator: "\n"))
    }
}
