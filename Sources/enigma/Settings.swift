// Settings.swift: the emulator flags that act. The others are checked and accepted: they tune what Enigma has not
// (allocators, busy waiting) or has otherwise.

import Bifs
import Glibc
import Machine
import Ports

struct Settings {
    var schedulers = Settings.processors
    var schedulersOnline = Settings.processors
    var dirtyCPU: Int?
    var dirtyCPUOnline: Int?
    var dirtyIO = 10
    var processLimit = 262_144
    var bootModule = "init"
    var breaks = BreakHandling.menu

    private static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    init(_ flags: [EmulatorFlag]) throws(UsageError) {
        for flag in flags { try apply(flag) }
        guard schedulersOnline <= schedulers else {
            throw UsageError(text: "bad number of schedulers online \(schedulersOnline)")
        }
        systemFacts.ignoresBreak = breaks == .ignored
    }

    private mutating func apply(_ flag: EmulatorFlag) throws(UsageError) {
        let number = Int(flag.value) ?? 0
        switch flag.name {
        case "S":
            (schedulers, schedulersOnline) = pair(flag.value, schedulers)
            if !flag.value.contains(":") { schedulersOnline = min(schedulers, Settings.processors) }
        case "SP":
            let percent = pair(flag.value, 100)
            schedulers = max(1, Settings.processors * percent.0 / 100)
            schedulersOnline = max(1, Settings.processors * percent.1 / 100)
        case "SDcpu": (dirtyCPU, dirtyCPUOnline) = pair(flag.value, schedulers)
        case "SDPcpu": dirtyCPU = max(1, schedulers * pair(flag.value, 100).0 / 100)
        case "SDio": dirtyIO = number
        case "P": processLimit = flag.value == "legacy" ? 262_144 : powerOfTwo(number)
        case "Q": systemFacts.maxPorts = flag.value == "legacy" ? 65_536 : powerOfTwo(number)
        case "B": breaks = flag.value == "i" ? .ignored : flag.value == "c" ? .interruptShell : .disabled
        case "i": bootModule = flag.value
        case "A": systemFacts.asyncThreads = max(1, number)
        case "c": systemFacts.correctsTime = flag.value == "true"
        case "C": systemFacts.warpMode = flag.value
        case "spp": systemFacts.portParallelism = flag.value == "true"
        case "zdbbl": systemFacts.busyLimit = number * 1024
        case "zosrl": outstandingRequestsLimit = UInt64(number)
        case "T": systemFacts.timingLevel = number
        case "R": systemFacts.compatibleRelease = number
        case "pc": printsUnicode = flag.value == "unicode"
        case "f": FileNames.choose(flag.value)
        default: applyHeap(flag, number)
        }
    }

    private func applyHeap(_ flag: EmulatorFlag, _ number: Int) {
        switch flag.name {
        case "hms": ProcessDefaults.setMinimumHeap(number)
        case "hmbs": ProcessDefaults.setMinimumBinaries(number)
        case "hmax": ProcessDefaults.maxHeapWords = number
        case "hmaxk": setFlag(ProcessFlags.killOnHeapLimit, flag.value)
        case "hmaxel": setFlag(ProcessFlags.reportHeapLimit, flag.value)
        case "hmqd": ProcessDefaults.offHeapMessages = flag.value == "off_heap"
        default: break
        }
    }

    private func setFlag(_ bit: UInt32, _ value: String) {
        if value == "true" { ProcessDefaults.maxHeapFlags |= bit } else { ProcessDefaults.maxHeapFlags &= ~bit }
    }

    /// `N:M`, where either may be left out.
    private func pair(_ text: String, _ standard: Int) -> (Int, Int) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let first = parts.first.flatMap { Int($0) } ?? standard
        return (first, parts.count > 1 ? Int(parts[1]) ?? first : first)
    }

    private func powerOfTwo(_ number: Int) -> Int { 1 << (Int.bitWidth - (number - 1).leadingZeroBitCount) }
}
