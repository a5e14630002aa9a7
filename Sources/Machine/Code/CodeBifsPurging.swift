// CodeBifsPurging.swift: native functions of the purge: erts_code_purger asks every process whether it runs old code,
// erts_literal_area_collector asks every process to let go of a purged module's literals.

import CMachine
import Terms

let codePurgingBifs: [Bif] = [
    Bif("erlang", "check_old_code", 1, erlang_check_old_code_1),
    Bif("erts_internal", "check_process_code", 1, erts_internal_check_process_code_1),
    Bif("erts_internal", "check_dirty_process_code", 2, erts_internal_check_dirty_process_code_2),
    Bif("erts_internal", "purge_module", 2, erts_internal_purge_module_2),
    Bif(
        "erts_literal_area_collector", "release_area_switch", 0, erts_literal_area_collector_release_area_switch_0),
    Bif(
        "erts_literal_area_collector", "send_copy_request", 3, erts_literal_area_collector_send_copy_request_3),
]

private func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

func erlang_check_old_code_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    return boolean(Modules.hasOld(arguments[0]))
}

/// Whether the calling process runs old code of a module.
func erts_internal_check_process_code_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    process.bump((process.pointee.stackEnd - process.pointee.stackTop) / 32 + 2)
    return boolean(Modules.usesOldCode(process, arguments[0]))
}

/// The same for a process on a dirty thread; `normal` if it is no longer there.
func erts_internal_check_dirty_process_code_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard DirtySignals.isHandler(process.pointee.id) else { return process.notsup() }
    guard arguments[0].isLocalPid, arguments[1].isAtom else { return process.badarg() }
    var usesOld = false
    let isDirty = DirtySignals.attend(arguments[0]) { usesOld = Modules.usesOldCode($0, arguments[1]) }
    if isDirty { return boolean(usesOld) }
    return ProcessTable.find(arguments[0]) == nil ? Atoms.false : Atoms.normal
}

func erts_internal_purge_module_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard process.pointee.registeredName == Atoms.erts_code_purger else { return process.notsup() }
    let name = arguments[0]
    guard name.isAtom else { return process.badarg() }
    switch arguments[1] {
    case Atoms.prepare, Atoms.prepare_on_load:
        guard let started = Modules.preparePurge(name, ofPending: arguments[1] == Atoms.prepare_on_load) else {
            return process.badarg()
        }
        return boolean(started)
    case Atoms.abort:
        return Modules.abortPurge(name) ? Atoms.false : process.badarg()
    case Atoms.complete:
        guard let done = Modules.completePurge(name) else { return process.badarg() }
        return boolean(done)
    default: return process.badarg()
    }
}

func erts_literal_area_collector_release_area_switch_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard process.pointee.id == LiteralReleases.collector else { return process.notsup() }
    if let another = LiteralReleases.nextRound() { return boolean(another) }
    // Processes are still ending: ask again in the next slice.
    process.pointee.sliceReductions = 0
    return process.trap(
        to: Exports.findOrMake(Atoms.erts_literal_area_collector, Atoms.release_area_switch, 0))
}

/// Asks a process to copy what it holds of the area being released. It answers `{copy_literals, {Area, How, Pid}, ok}`, or
/// instead of `ok` how it wants to be asked again.
func erts_literal_area_collector_send_copy_request_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard process.pointee.id == LiteralReleases.collector else { return process.notsup() }
    let how = arguments[2]
    guard arguments[0].isLocalPid, how == Atoms.init_ || how == Atoms.check_gc || how == Atoms.need_gc else {
        return process.badarg()
    }
    let heap = process.heap
    let id = heap.tuple(arguments[1], how, arguments[0])
    let task = heap.tuple(Atoms.copy_literals, id, how)
    SystemTasks.request(task, of: arguments[0], for: process.pointee.id, on: process.pointee.scheduler)
    return Atoms.ok
}
