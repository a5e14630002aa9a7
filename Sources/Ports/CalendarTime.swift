// CalendarTime.swift: dates and times of day: the BIFs that ask the C library for the local time zone, and those that
// count seconds since 1970. Zone data is read by the C library, which keeps it under a lock of its own.

import CMachine
import Glibc
import Machine
import Terms

/// A date and time of day as in `{{Year, Month, Day}, {Hour, Minute, Second}}`.
private struct CalendarTime {
    var year = 0
    var month = 0
    var day = 0
    var hour = 0
    var minute = 0
    var second = 0

    init() {}

    init(_ parts: tm) {
        year = Int(parts.tm_year) + 1900
        month = Int(parts.tm_mon) + 1
        day = Int(parts.tm_mday)
        hour = Int(parts.tm_hour)
        minute = Int(parts.tm_min)
        second = Int(parts.tm_sec)
    }

    /// Reads the tuple; nil for anything of another shape. The ranges are not checked.
    init?(_ term: Term) {
        guard term.isTuple(2), term.element(0).isTuple(3), term.element(1).isTuple(3) else { return nil }
        let (date, time) = (term.element(0), term.element(1))
        for index in 0..<3 {
            guard date.element(index).isSmall, time.element(index).isSmall else { return nil }
        }
        year = date.element(0).smallValue
        month = date.element(1).smallValue
        day = date.element(2).smallValue
        hour = time.element(0).smallValue
        minute = time.element(1).smallValue
        second = time.element(2).smallValue
    }

    func isValid(from firstYear: Int) -> Bool {
        guard year >= firstYear, year < Int(Int32.max), month >= 1, month <= 12 else { return false }
        return day >= 1 && day <= daysOfMonth && hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59
            && second >= 0 && second <= 59
    }

    private var isLeapYear: Bool { year % 4 == 0 && year % 100 != 0 || year % 400 == 0 }

    private var daysOfMonth: Int {
        switch month {
        case 2: isLeapYear ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Seconds since 1970, as if this were universal time. Requires: isValid from 1600 on.
    var posixSeconds: Int {
        // Years are counted from March, so that the leap day is the last one of its year.
        let marchYear = month > 2 ? year : year - 1
        let marchMonth = (month + 9) % 12
        let days = marchYear * 365 + marchYear / 4 - marchYear / 100 + marchYear / 400
            + (marchMonth * 306 + 5) / 10 + day - 1 - 719_468
        return ((days * 24 + hour) * 60 + minute) * 60 + second
    }

    /// OTP's arithmetic, which is exact from year 0 on and wraps in the same way for enormous numbers.
    init(posixSeconds seconds: Int) {
        var days = seconds / 86400
        var rest = seconds % 86400
        if rest < 0 {
            days -= 1
            rest += 86400
        }
        hour = rest / 3600
        minute = rest % 3600 / 60
        second = rest % 60
        days += 719_468
        var y = (10000 &* days &+ 14780) / 3_652_425
        var inYear = days &- (365 &* y &+ y / 4 &- y / 100 &+ y / 400)
        if inYear < 0 {
            y &-= 1
            inYear = days &- (365 &* y &+ y / 4 &- y / 100 &+ y / 400)
        }
        let m = (100 &* inYear &+ 52) / 3060
        month = (m &+ 2) % 12 + 1
        year = y &+ (m &+ 2) / 12
        day = inYear &- (m &* 306 &+ 5) / 10 + 1
    }

    func term(_ heap: Ref<Heap>) -> Term { heap.tuple(dateTerm(heap), timeTerm(heap)) }
    func dateTerm(_ heap: Ref<Heap>) -> Term { heap.tuple(.small(year), .small(month), .small(day)) }
    func timeTerm(_ heap: Ref<Heap>) -> Term { heap.tuple(.small(hour), .small(minute), .small(second)) }

    var clockParts: tm {
        var parts = tm()
        parts.tm_year = Int32(year - 1900)
        parts.tm_mon = Int32(month - 1)
        parts.tm_mday = Int32(day)
        parts.tm_hour = Int32(hour)
        parts.tm_min = Int32(minute)
        parts.tm_sec = Int32(second)
        return parts
    }
}

/// First year that every C library converts between local and universal time.
private let firstLocalYear = 1902

private func localNow() -> CalendarTime {
    var clock = time(nil)
    var parts = tm()
    localtime_r(&clock, &parts)
    return CalendarTime(parts)
}

/// mktime, with its result -1 told apart from a failure.
private func clock(of parts: inout tm) -> time_t? {
    let result = mktime(&parts)
    if result != -1 { return result }
    parts.tm_sec -= 1
    let before = mktime(&parts)
    parts.tm_sec += 1
    return before == -2 ? -1 : nil
}

func erlang_date_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { localNow().dateTerm(process.heap) }
func erlang_time_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { localNow().timeTerm(process.heap) }
func erlang_localtime_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { localNow().term(process.heap) }

func erlang_universaltime_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    CalendarTime(posixSeconds: time(nil)).term(process.heap)
}

func erlang_localtime_to_universaltime_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let summer: Int32
    switch arguments[1] {
    case Atoms.true: summer = 1
    case Atoms.false: summer = 0
    case Atoms.undefined: summer = -1
    default: return process.badarg()
    }
    guard let local = CalendarTime(arguments[0]), local.isValid(from: firstLocalYear) else { return process.badarg() }
    var parts = local.clockParts
    parts.tm_isdst = summer
    var result = clock(of: &parts)
    if result == nil, summer != 0 {
        // A zone without summer time may refuse it: then the answer is that of winter time.
        parts.tm_isdst = 0
        result = clock(of: &parts)
    }
    var universal = tm()
    guard var seconds = result, gmtime_r(&seconds, &universal) != nil else { return process.badarg() }
    return CalendarTime(universal).term(process.heap)
}

func erlang_universaltime_to_localtime_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let universal = CalendarTime(arguments[0]), universal.isValid(from: firstLocalYear) else {
        return process.badarg()
    }
    var clock = time_t(universal.posixSeconds)
    var parts = tm()
    guard localtime_r(&clock, &parts) != nil else { return process.badarg() }
    return CalendarTime(parts).term(process.heap)
}

func erlang_universaltime_to_posixtime_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let universal = CalendarTime(arguments[0]), universal.isValid(from: 1600) else { return process.badarg() }
    return process.heap.integer(universal.posixSeconds)
}

func erlang_posixtime_to_universaltime_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let seconds = int64(arguments[0]) else { return process.badarg() }
    return CalendarTime(posixSeconds: seconds).term(process.heap)
}

let calendarTimeTable: [Bif] = [
    Bif("erlang", "date", 0, erlang_date_0),
    Bif("erlang", "time", 0, erlang_time_0),
    Bif("erlang", "localtime", 0, erlang_localtime_0),
    Bif("erlang", "universaltime", 0, erlang_universaltime_0),
    Bif("erlang", "localtime_to_universaltime", 2, erlang_localtime_to_universaltime_2),
    Bif("erlang", "universaltime_to_localtime", 1, erlang_universaltime_to_localtime_1),
    Bif("erlang", "universaltime_to_posixtime", 1, erlang_universaltime_to_posixtime_1),
    Bif("erlang", "posixtime_to_universaltime", 1, erlang_posixtime_to_universaltime_1),
]
