// Settings.swift: the emulator flags that act. The others are accepted: they tune what Enigma has not (allocators,
// busy waiting) or has otherwise.

import Glibc
import Ports

struct Settings {
    var schedulers = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    var dirtyIO = 10
    var processLimit = 262_144
    var bootModule = "init"
    var breaks = BreakHandling.menu

    init(_ flags: [(flag: String, value: String?)]) throws(UsageError) {
        for (flag, value) in flags { try apply(flag, value) }
    }

    private mutating func apply(_ flag: String, _ value: String?) throws(UsageError) {
        switch flag {
        case "S": schedulers = try count(flag, value, 1...1024)
        case "SDio": dirtyIO = try count(flag, value, 1...1024)
        case "P":
            let wanted = value == "legacy" ? 262_144 : try count(flag, value, 1024...134_217_727)
            processLimit = 1 << (Int.bitWidth - (wanted - 1).leadingZeroBitCount)
        case "B", "Bd": breaks = .disabled
        case "Bc": breaks = .interruptShell
        case "Bi": breaks = .ignored
        case "i": bootModule = value ?? "init"
        default:
            if flag.hasPrefix("S"), let number = Int(flag.dropFirst().prefix { $0 != ":" }) { schedulers = max(1, number) }
        }
    }

    /// The number before a colon, if any.
    private func count(_ flag: String, _ value: String?, _ range: ClosedRange<Int>) throws(UsageError) -> Int {
        let text = value.map { String($0.prefix { $0 != ":" }) } ?? ""
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(text: "bad number of \(flag == "P" ? "processes" : "schedulers") \(value ?? "")")
        }
        return number
    }
}
