// DirtyBifs.swift: erts_debug:dirty_cpu/2, dirty_io/2 and dirty/3, with which tests run something on a dirty thread.

import CMachine
import Glibc
internal import Machine
import Terms

let dirtyBifs: [Bif] = [
    Bif("erts_debug", "dirty_cpu", 2, dirty: DirtyKind.cpu, erts_debug_dirty_cpu_2),
    Bif("erts_debug", "dirty_io", 2, dirty: DirtyKind.io, erts_debug_dirty_io_2),
    Bif("erts_debug", "dirty", 3, erts_debug_dirty_3),
]

func erts_debug_dirty_cpu_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    perform(process, Atoms.dirty_cpu, arguments[0], arguments[1])
}

func erts_debug_dirty_io_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    perform(process, Atoms.dirty_io, arguments[0], arguments[1])
}

/// `Kind, Operation, Argument`: on a thread of this kind.
func erts_debug_dirty_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    switch arguments[0] {
    case Atoms.normal: perform(process, Atoms.normal, arguments[1], arguments[2])
    case Atoms.dirty_cpu, Atoms.dirty_io:
        process.pointee.native != nil
            ? perform(process, arguments[0], arguments[1], arguments[2])
            : process.goDirty(arguments, arguments[0] == Atoms.dirty_cpu ? DirtyKind.cpu : DirtyKind.io)
    default: process.badarg()
    }
}

private func perform(_ process: Ref<Process>, _ kind: Term, _ operation: Term, _ argument: Term) -> Term {
    switch operation {
    case Atoms.scheduler:
        guard argument == Atoms.type else { return process.badarg() }
        let thread = process.pointee.scheduler?.pointee.isDirty ?? 0
        return thread == 0 ? Atoms.normal : thread == 1 ? Atoms.dirty_cpu : Atoms.dirty_io
    case Atoms.error:
        let reasons = [Atoms.notsup, Atoms.undef, Atoms.badarith, Atoms.noproc, Atoms.system_limit]
        return reasons.contains(argument) ? process.raise(argument) : process.badarg()
    case Atoms.copy:
        var list = Term.nil
        for _ in 0..<1000 { list = process.heap.cons(copyTerm(argument, to: process.heap), list) }
        return list
    case Atoms.send:
        tell(process, argument, Atoms.ok)
        return Atoms.ok
    case Atoms.wait:
        guard argument.isSmall else { return process.badarg() }
        pauseThread(milliseconds: max(0, argument.smallValue))
        return Atoms.ok
    case Atoms.reschedule: return reschedule(process, kind, operation, argument)
    case Atoms.ready_wait6_done:
        tell(process, argument, Atoms.ready)
        pauseThread(milliseconds: 6000)
        tell(process, argument, Atoms.done)
        return Atoms.ok
    case Atoms.alive_waitexiting: return waitForEnd(process, argument)
    default: return process.badarg()
    }
}

/// Sends `{Tag, Self}`.
private func tell(_ process: Ref<Process>, _ receiver: Term, _ tag: Term) {
    guard receiver.isLocalPid else { return }
    sendBuilt(to: receiver, from: process.pointee.id, on: process.pointee.scheduler) { $0.tuple(tag, process.pointee.id) }
}

private func pauseThread(milliseconds: Int) {
    var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
    var left = time
    while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
}

/// Counts down by two, on the next kind of thread after each multiple of four.
private func reschedule(_ process: Ref<Process>, _ kind: Term, _ operation: Term, _ argument: Term) -> Term {
    guard argument.isSmall, argument.smallValue >= 0 else { return process.badarg() }
    let count = argument.smallValue
    if count == 0 { return Atoms.ok }
    var next = kind
    if count % 4 == 0 {
        next = kind == Atoms.dirty_cpu ? Atoms.dirty_io : kind == Atoms.dirty_io ? Atoms.normal : Atoms.dirty_cpu
    }
    if next != Atoms.normal { return process.trap(to: Exports.findOrMake(Atoms.erts_debug, next, 2), operation, .small(count - 2)) }
    return process.trap(to: Exports.findOrMake(Atoms.erts_debug, Atoms.dirty, 3), next, operation, .small(count - 2))
}

/// Waits until the process has been ended, and still uses its memory then.
private func waitForEnd(_ process: Ref<Process>, _ receiver: Term) -> Term {
    if process.isExiting { return process.badarg() }
    tell(process, receiver, Atoms.alive)
    while !process.isExiting { pauseThread(milliseconds: 10) }
    pauseThread(milliseconds: 1000)
    var list = Term.nil
    for index in 0..<10_000 { list = process.heap.cons(.small(index), list) }
    return process.heap.tuple(Atoms.ok, list)
}
