// EmulatorFlags.swift: the table of the emulator's `+` flags: how each takes its value and what values it may have.
// Settings.swift makes those act that have something to act on.

/// What the value of a flag looks like.
enum FlagValue {
    /// None: the flag stands alone.
    case none
    case number(ClosedRange<Int>)
    /// `N` or `N:M`, both in the range; or only one of them with the colon.
    case pair(ClosedRange<Int>)
    /// A number, or this word.
    case numberOr(String, ClosedRange<Int>)
    case oneOf([String])
    /// Letters that are part of the flag's word.
    case glued([String])
    case any
}

private let boolean = FlagValue.oneOf(["true", "false"])
private let busyWait = FlagValue.oneOf(["none", "very_short", "short", "medium", "long", "very_long"])
private let wakeUp = FlagValue.oneOf(["very_low", "low", "medium", "high", "very_high"])
private let count = FlagValue.number(0...Int.max)
private let stackSize = FlagValue.number(20...8192)

/// Flags by their letters, with what error messages call their value.
private let table: [String: (FlagValue, name: String)] = [
    "a": (.number(16...8192), "suggested stack size"),
    "A": (.number(0...1024), "number of async threads"),
    "B": (.glued(["", "c", "d", "i"]), "break behavior"),
    "c": (boolean, "time correction value"),
    "C": (.oneOf(["no_time_warp", "single_time_warp", "multi_time_warp"]), "time warp mode"),
    "d": (.none, ""),
    "D": (.none, ""), "e": (count, "number of ETS tables"),
    "f": (.glued(["nl", "nu", "na"].flatMap { [$0, $0 + "w", $0 + "i", $0 + "e"] }), "file name interpretation"),
    "hms": (count, "heap size"), "hmbs": (count, "min binary virtual heap size"), "hmax": (count, "max heap size"),
    "hmaxk": (boolean, "max heap kill"), "hmaxel": (boolean, "max heap error logger"),
    "hpds": (count, "initial process dictionary size"), "hmqd": (.oneOf(["off_heap", "on_heap"]), "message queue data flag"),
    "i": (.any, "boot module"),
    "IOp": (.number(1...1024), "number of pollsets"), "IOt": (.number(1...1024), "number of poll threads"),
    "IOPp": (.number(0...100), "percentage of pollsets"), "IOPt": (.number(0...100), "percentage of poll threads"),
    "IOs": (boolean, "scheduler polling"),
    "JDdump": (boolean, "JDdump flag"), "JPperf": (.oneOf(["true", "false", "map", "dump"]), "JPperf flag"),
    "K": (boolean, "kernel-poll flag"), "L": (.none, ""),
    "n": (.oneOf(["s", "a", "d"]), "signal behavior"),
    "pc": (.oneOf(["latin1", "unicode"]), "printable characters"),
    "P": (.numberOr("legacy", 1024...134_217_727), "number of processes"),
    "Q": (.numberOr("legacy", 1024...134_217_727), "number of ports"),
    "R": (.number(23...25), "compatibility release number"), "r": (.none, ""), "rg": (count, "reader groups limit"),
    "sbt": (.oneOf(["u", "ns", "ts", "ps", "s", "nnts", "nnps", "tnnps", "db", "no_spread"]), "scheduler bind type"),
    "stbt": (.oneOf(["u", "ns", "ts", "ps", "s", "nnts", "nnps", "tnnps", "db"]), "scheduler bind type"),
    "sbwt": (busyWait, "scheduler busy wait threshold"), "sbwtdcpu": (busyWait, "scheduler busy wait threshold"),
    "sbwtdio": (busyWait, "scheduler busy wait threshold"),
    "scl": (boolean, "scheduler compact load"), "sct": (.any, "CPU topology"), "ssrct": (.none, ""),
    "secio": (boolean, "eager check I/O value"), "sfwi": (count, "forced wakeup interval"),
    "sub": (boolean, "scheduler utilization balancing"), "spp": (boolean, "port parallelism"),
    "sws": (.oneOf(["default", "legacy"]), "scheduler wakeup strategy"),
    "swct": (.oneOf(["very_lazy", "lazy", "medium", "eager", "very_eager"]), "wake cleanup threshold"),
    "swt": (wakeUp, "scheduler wakeup threshold"), "swtdcpu": (wakeUp, "dirty CPU scheduler wakeup threshold"),
    "swtdio": (wakeUp, "dirty IO scheduler wakeup threshold"),
    "sss": (stackSize, "stack size"), "sssdcpu": (stackSize, "stack size"), "sssdio": (stackSize, "stack size"),
    "S": (.pair(1...1024), "schedulers"), "SP": (.pair(0...Int.max), "schedulers percentage"),
    "SDcpu": (.pair(1...1024), "dirty CPU schedulers"), "SDPcpu": (.pair(0...Int.max), "dirty CPU schedulers percentage"),
    "SDio": (.number(1...1024), "dirty IO schedulers"),
    "t": (.number(8192...2_147_483_647), "atom table size"), "T": (.number(0...9), "modified timing level"),
    "v": (.none, ""), "V": (.none, ""), "x": (.none, ""),
    "W": (.oneOf(["i", "w", "e"]), "error logger warnings mapping"),
    "zdbbl": (.number(1...2_097_151), "distribution buffer busy limit"),
    "zdntgc": (.numberOr("infinity", 0...100_000_000), "delayed node table gc"),
    "zosrl": (.number(1...134_217_727), "outstanding requests limit"),
]

struct EmulatorFlag {
    let name: String
    let value: String

    /// Reads the flag in `word` (without its sign). `next`: the word behind it. Answers whether that is its value.
    static func read(_ word: String, next: String?) throws(UsageError) -> (flag: EmulatorFlag, usesNext: Bool) {
        // Flags of the memory allocators: their value is mostly the next word.
        if word.hasPrefix("M") {
            let isValue = next.map { !$0.hasPrefix("-") && !$0.hasPrefix("+") } ?? false
            return (EmulatorFlag(name: "M", value: word), isValue)
        }
        var name = word
        while !name.isEmpty, table[name] == nil { name.removeLast() }
        guard let (kind, description) = table[name] else { throw UsageError(text: "unknown flag +\(word)") }
        let glued = String(word.dropFirst(name.count))
        switch kind {
        case .none:
            guard glued.isEmpty else { throw UsageError(text: "unknown flag +\(word)") }
            return (EmulatorFlag(name: name, value: ""), false)
        case .glued(let choices):
            guard choices.contains(glued) else { throw UsageError(text: "bad \(description) +\(word)") }
            return (EmulatorFlag(name: name, value: glued), false)
        default: break
        }
        guard !glued.isEmpty || next != nil else { throw UsageError(text: "Missing argument(s) for '+\(word)'.") }
        let value = glued.isEmpty ? next ?? "" : glued
        guard isValid(value, kind) else { throw UsageError(text: "bad \(description) \(value)") }
        return (EmulatorFlag(name: name, value: value), glued.isEmpty)
    }

    private static func isValid(_ value: String, _ kind: FlagValue) -> Bool {
        switch kind {
        case .number(let range): return Int(value).map(range.contains) ?? false
        case .numberOr(let word, let range): return value == word || (Int(value).map(range.contains) ?? false)
        case .oneOf(let words): return words.contains(value)
        case .pair(let range):
            let parts = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return value != ":" && parts.allSatisfy { $0.isEmpty || (Int($0).map(range.contains) ?? false) }
        case .none, .glued, .any: return true
        }
    }
}
