// Clock.swift: Erlang monotonic and system time in nanoseconds. Monotonic time starts at a large negative value, as in
// OTP, so that it stays a small integer for years; the offset to system time is fixed at boot (no time warp).

import CMachine
import Glibc

public enum Clock {
    /// What erlang:system_info(start_time) answers.
    public static let start: Int64 = -576_460_752_000_000_000

    /// OS monotonic time at boot, and what is added to Erlang monotonic time to get Erlang system time. Constant after
    /// boot.
    nonisolated(unsafe) private static var osStart: Int64 = 0
    nonisolated(unsafe) public private(set) static var offset: Int64 = 0
    /// The last value of erlang:now/0 in microseconds; atomic.
    nonisolated(unsafe) private static var lastNow: UInt64 = 0

    public static func boot() {
        guard osStart == 0 else { return }
        osStart = osMonotonic()
        offset = osSystem() - start
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    public static func osMonotonic() -> Int64 { read(CLOCK_MONOTONIC) }
    public static func osSystem() -> Int64 { read(CLOCK_REALTIME) }

    /// Erlang monotonic time.
    public static func monotonic() -> Int64 { osMonotonic() &- osStart &+ start }
    /// Erlang system time.
    public static func system() -> Int64 { monotonic() &+ offset }

    /// Whole milliseconds since boot: the tick that is running now.
    static func tick() -> UInt64 { UInt64((osMonotonic() &- osStart) / 1_000_000) }
    /// Nanoseconds since boot.
    static func sinceBoot() -> Int64 { osMonotonic() &- osStart }

    /// The first tick that begins `milliseconds` or more from now.
    static func deadline(after milliseconds: UInt64) -> UInt64 {
        let now = UInt64((osMonotonic() &- osStart &+ 999_999) / 1_000_000)
        let (sum, overflow) = now.addingReportingOverflow(milliseconds)
        return overflow ? UInt64.max - 1 : sum
    }

    /// The first tick that begins at `milliseconds` of Erlang monotonic time, or the running one if that has passed.
    static func deadline(atMonotonic milliseconds: Int64) -> UInt64 {
        let sinceStart = milliseconds.subtractingReportingOverflow(start / 1_000_000)
        if sinceStart.overflow { return milliseconds < 0 ? 0 : UInt64.max - 1 }
        return sinceStart.partialValue < 0 ? 0 : UInt64(sinceStart.partialValue)
    }

    /// erlang:now/0 in microseconds: strictly increasing.
    static func now() -> UInt64 {
        let time = UInt64(system() / 1000)
        var last = vm_load_acquire(&lastNow)
        while true {
            let value = max(time, last + 1)
            let seen = vm_compare_exchange(&lastNow, last, value)
            if seen == last { return value }
            last = seen
        }
    }
}
