// TimeBifs.swift: timers with references, the clocks, unique integers.

import CMachine
import Glibc
import Terms

let timeBifs: [Bif] = [
    Bif("erlang", "send_after", 3, erlang_send_after_3),
    Bif("erlang", "send_after", 4, erlang_send_after_4),
    Bif("erlang", "start_timer", 3, erlang_start_timer_3),
    Bif("erlang", "start_timer", 4, erlang_start_timer_4),
    Bif("erlang", "cancel_timer", 1, erlang_cancel_timer_1),
    Bif("erlang", "cancel_timer", 2, erlang_cancel_timer_2),
    Bif("erlang", "read_timer", 1, erlang_read_timer_1),
    Bif("erlang", "read_timer", 2, erlang_read_timer_2),
    Bif("erlang", "monotonic_time", 0, erlang_monotonic_time_0),
    Bif("erlang", "monotonic_time", 1, erlang_monotonic_time_1),
    Bif("erlang", "system_time", 0, erlang_system_time_0),
    Bif("erlang", "system_time", 1, erlang_system_time_1),
    Bif("erlang", "time_offset", 0, erlang_time_offset_0),
    Bif("erlang", "time_offset", 1, erlang_time_offset_1),
    Bif("erlang", "timestamp", 0, erlang_timestamp_0),
    Bif("erlang", "now", 0, erlang_now_0),
    Bif("erlang", "unique_integer", 0, erlang_unique_integer_0),
    Bif("erlang", "unique_integer", 1, erlang_unique_integer_1),
    Bif("erts_internal", "time_unit", 0, erts_internal_time_unit_0),
    Bif("erts_internal", "perf_counter_unit", 0, erts_internal_time_unit_0),
    Bif("os", "system_time", 0, os_system_time_0),
    Bif("os", "system_time", 1, os_system_time_1),
    Bif("os", "timestamp", 0, os_timestamp_0),
    Bif("os", "perf_counter", 0, os_perf_counter_0),
]

// MARK: - Timers

func erlang_send_after_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    start(process, arguments, isAbsolute: false, wrap: false)
}

func erlang_start_timer_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    start(process, arguments, isAbsolute: false, wrap: true)
}

func erlang_send_after_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let isAbsolute = absoluteOption(arguments[3]) else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    return start(process, arguments, isAbsolute: isAbsolute, wrap: false)
}

func erlang_start_timer_4(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let isAbsolute = absoluteOption(arguments[3]) else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    return start(process, arguments, isAbsolute: isAbsolute, wrap: true)
}

/// `[{abs, Boolean}]`
private func absoluteOption(_ list: Term) -> Bool? {
    var result = false
    var rest = list
    while rest.isCons {
        let option = rest.head
        guard option.isTuple(2), option.element(0) == Atoms.abs else { return nil }
        guard option.element(1) == Atoms.true || option.element(1) == Atoms.false else { return nil }
        result = option.element(1) == Atoms.true
        rest = rest.tail
    }
    return rest.isNil ? result : nil
}

/// The tick at which a timer fires; nil: before the VM's start, or far beyond what the clock will ever show.
private func deadline(_ time: Int, isAbsolute: Bool) -> UInt64? {
    guard time >= (isAbsolute ? Int(Clock.start / 1_000_000) : 0) else { return nil }
    let deadline = isAbsolute ? Clock.deadline(atMonotonic: Int64(time)) : Clock.deadline(after: UInt64(time))
    return deadline < 1 << 56 ? deadline : nil
}

private func start(_ process: Ref<Process>, _ arguments: Arguments, isAbsolute: Bool, wrap: Bool) -> Term {
    let destination = arguments[1]
    guard destination.isLocalPid || destination.isAtom && destination != Atoms.undefined else { return process.badarg() }
    guard arguments[0].isSmall, let deadline = deadline(arguments[0].smallValue, isAbsolute: isAbsolute) else {
        return process.raise(Atoms.badarg, cause: Atoms.time)
    }
    let numbers = References.make(process.pointee.scheduler)
    ReferenceTimers.start(numbers: numbers, deadline: deadline, to: destination, arguments[2], wrap: wrap)
    return process.heap.reference(numbers)
}

func erlang_cancel_timer_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    query(process, arguments[0], cancel: true, isAsync: false, wantsInfo: true)
}

func erlang_read_timer_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    query(process, arguments[0], cancel: false, isAsync: false, wantsInfo: true)
}

func erlang_cancel_timer_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let options = queryOptions(arguments[1], takesInfo: true) else {
        return process.badarg()
    }
    return query(process, arguments[0], cancel: true, isAsync: options.isAsync, wantsInfo: options.wantsInfo)
}

func erlang_read_timer_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let options = queryOptions(arguments[1], takesInfo: false) else {
        return process.badarg()
    }
    return query(process, arguments[0], cancel: false, isAsync: options.isAsync, wantsInfo: true)
}

/// `[{async, Boolean}, {info, Boolean}]`
private func queryOptions(_ list: Term, takesInfo: Bool) -> (isAsync: Bool, wantsInfo: Bool)? {
    var result = (isAsync: false, wantsInfo: true)
    var rest = list
    while rest.isCons {
        let option = rest.head
        guard option.isTuple(2), option.element(1) == Atoms.true || option.element(1) == Atoms.false else { return nil }
        let value = option.element(1) == Atoms.true
        switch option.element(0) {
        case Atoms.async: result.isAsync = value
        case Atoms.info where takesInfo: result.wantsInfo = value
        default: return nil
        }
        rest = rest.tail
    }
    return rest.isNil ? result : nil
}

/// Milliseconds left or false; asynchronously as {cancel_timer | read_timer, Ref, Result}.
private func query(_ process: Ref<Process>, _ reference: Term, cancel: Bool, isAsync: Bool, wantsInfo: Bool) -> Term {
    guard reference.isReference else { return process.badarg() }
    let left = reference.isBoxed(Subtag.reference)
        ? ReferenceTimers.remaining(reference.referenceNumbers, cancel: cancel) : nil
    let result = left.map { Term.small($0) } ?? Atoms.false
    guard isAsync else { return wantsInfo ? result : Atoms.ok }
    if wantsInfo {
        sendBuilt(to: process.pointee.id, from: process.pointee.id, on: process.pointee.scheduler) {
            $0.tuple(cancel ? Atoms.cancel_timer : Atoms.read_timer, copyTerm(reference, to: $0), result)
        }
    }
    return Atoms.ok
}

// MARK: - Clocks

/// Parts of a second that a time unit stands for, or nil.
private func partsPerSecond(_ unit: Term) -> Int? {
    switch unit {
    case Atoms.second, Atoms.seconds: return 1
    case Atoms.millisecond, Atoms.milli_seconds: return 1000
    case Atoms.microsecond, Atoms.micro_seconds: return 1_000_000
    case Atoms.nanosecond, Atoms.nano_seconds, Atoms.native, Atoms.perf_counter: return 1_000_000_000
    default: return unit.isSmall && unit.smallValue > 0 ? unit.smallValue : nil
    }
}

/// Nanoseconds in the given unit, rounded down.
private func inUnit(_ process: Ref<Process>, _ nanoseconds: Int64, _ unit: Term) -> Term {
    guard let parts = partsPerSecond(unit) else { return process.badarg() }
    if parts == 1_000_000_000 { return process.heap.integer(Int(nanoseconds)) }
    let (high, low) = nanoseconds.multipliedFullWidth(by: Int64(parts))
    guard high > -500_000_000, high < 500_000_000 else { return process.systemLimit() }
    let (quotient, remainder) = Int64(1_000_000_000).dividingFullWidth((high, low))
    return process.heap.integer(Int(remainder < 0 ? quotient - 1 : quotient))
}

func erlang_monotonic_time_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.integer(Int(Clock.monotonic()))
}
func erlang_monotonic_time_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    inUnit(process, Clock.monotonic(), arguments[0])
}
func erlang_system_time_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.integer(Int(Clock.system()))
}
func erlang_system_time_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    inUnit(process, Clock.system(), arguments[0])
}
func erlang_time_offset_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.integer(Int(Clock.offset))
}
func erlang_time_offset_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    inUnit(process, Clock.offset, arguments[0])
}
func os_system_time_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.integer(Int(Clock.osSystem()))
}
func os_system_time_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    inUnit(process, Clock.osSystem(), arguments[0])
}
func os_perf_counter_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.integer(Int(Clock.osMonotonic()))
}
func erts_internal_time_unit_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { .small(1_000_000_000) }

/// `{MegaSeconds, Seconds, MicroSeconds}`
private func timestamp(_ process: Ref<Process>, microseconds: Int) -> Term {
    let seconds = microseconds / 1_000_000
    return process.heap.tuple(
        .small(seconds / 1_000_000), .small(seconds % 1_000_000), .small(microseconds % 1_000_000))
}

func erlang_timestamp_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    timestamp(process, microseconds: Int(Clock.system() / 1000))
}
func erlang_now_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    timestamp(process, microseconds: Int(Clock.now()))
}
func os_timestamp_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    timestamp(process, microseconds: Int(Clock.osSystem() / 1000))
}

// MARK: - Unique integers

func erlang_unique_integer_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    unique(process, isPositive: false, isMonotonic: false)
}

func erlang_unique_integer_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var isPositive = false
    var isMonotonic = false
    var rest = arguments[0]
    while rest.isCons {
        switch rest.head {
        case Atoms.positive: isPositive = true
        case Atoms.monotonic: isMonotonic = true
        default: return process.badarg()
        }
        rest = rest.tail
    }
    guard rest.isNil else { return process.badarg() }
    return unique(process, isPositive: isPositive, isMonotonic: isMonotonic)
}

/// Not positive ones start at the smallest small integer (monotonic ones at -576460752303423488 as well), so they stay
/// small as long as possible.
private func unique(_ process: Ref<Process>, isPositive: Bool, isMonotonic: Bool) -> Term {
    let value = isMonotonic ? References.uniqueMonotonic() : References.unique(process.pointee.scheduler) &+ 1
    if isPositive { return process.heap.integer(unsigned: value) }
    return process.heap.integer(Int(truncatingIfNeeded: value) &+ Term.smallMin &- 1)
}
