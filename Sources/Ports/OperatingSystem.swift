// OperatingSystem.swift: the clock and process-number functions of module os.

import CMachine
import Glibc
import Machine
import Terms

/// Nanoseconds since 1970, by the system's clock.
private func systemNanoseconds() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int(now.tv_sec) * 1_000_000_000 + Int(now.tv_nsec)
}

func os_timestamp_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let microseconds = systemNanoseconds() / 1000
    let seconds = microseconds / 1_000_000
    return process.heap.tuple(
        .small(seconds / 1_000_000), .small(seconds % 1_000_000), .small(microseconds % 1_000_000))
}

func os_system_time_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.integer(systemNanoseconds())
}

func os_system_time_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let unit = unitsPerSecond(arguments[0]) else { return process.badarg() }
    return process.heap.integer(convertNanoseconds(systemNanoseconds(), to: unit))
}

/// Parts per second of a time unit: an atom (old names too) or a positive integer.
private func unitsPerSecond(_ unit: Term) -> Int? {
    switch unit {
    case Atoms.second, Atoms.seconds: 1
    case Atoms.millisecond, Atoms.milli_seconds: 1000
    case Atoms.microsecond, Atoms.micro_seconds: 1_000_000
    case Atoms.nanosecond, Atoms.nano_seconds, Atoms.native, Atoms.perf_counter: 1_000_000_000
    default: int64(unit).flatMap { $0 > 0 ? $0 : nil }
    }
}

/// Rounds down. A unit too fine for 64 bits is cut to the largest integer.
private func convertNanoseconds(_ time: Int, to unit: Int) -> Int {
    let product = time.multipliedFullWidth(by: unit)
    guard abs(product.high) < 1_000_000_000 / 2 else { return time < 0 ? Int.min : Int.max }
    let (quotient, remainder) = 1_000_000_000.dividingFullWidth(product)
    return remainder < 0 ? quotient - 1 : quotient
}

/// Nanoseconds of a clock for measuring only.
func os_perf_counter_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return process.heap.integer(Int(now.tv_sec) * 1_000_000_000 + Int(now.tv_nsec))
}

func os_getpid_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.string(String(getpid()))
}

let operatingSystemTable: [Bif] = [
    Bif("os", "timestamp", 0, os_timestamp_0),
    Bif("os", "system_time", 0, os_system_time_0),
    Bif("os", "system_time", 1, os_system_time_1),
    Bif("os", "perf_counter", 0, os_perf_counter_0),
    Bif("os", "getpid", 0, os_getpid_0),
]
