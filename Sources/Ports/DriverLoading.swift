// DriverLoading.swift: module erl_ddll. Drivers from shared objects are not supported: loading one fails as it does for
// a file that cannot be opened; the drivers that are part of the VM are known by name.

import CMachine
import Glibc
import Machine
import Terms

/// sctp_inet is there where the system has the SCTP library.
private let linkedInDrivers: [String] = {
    let hasSCTP = dlopen("libsctp.so.1", RTLD_LAZY) != nil
    return ["tcp_inet", "udp_inet"] + (hasSCTP ? ["sctp_inet"] : []) + ["ram_file_drv", "tty_sl"]
}()

/// Number of the error that a file that cannot be opened gives.
private let openError = -10

/// A driver's name: a deep list of characters or an atom.
private func driverName(_ term: Term) -> String? {
    if term.isAtom { return term.atomText }
    guard term.isList, let bytes = nativeBytes(ofList: term) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
}

func erl_ddll_loaded_drivers_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.heap.okTuple(process.heap.list(linkedInDrivers.map { process.heap.string($0) }))
}

func erl_ddll_try_load_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard nativeBytes(ofName: arguments[0], allowingAtom: true) != nil, let name = driverName(arguments[1]),
        arguments[2].isList
    else { return process.badarg() }
    let heap = process.heap
    if linkedInDrivers.contains(name) { return heap.tuple(Atoms.error, Atoms.linked_in_driver) }
    return heap.tuple(Atoms.error, heap.tuple(Atoms.open_error, .small(openError)))
}

func erl_ddll_try_unload_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let name = driverName(arguments[0]), arguments[1].isList else { return process.badarg() }
    return process.heap.tuple(
        Atoms.error, linkedInDrivers.contains(name) ? Atoms.linked_in_driver : Atoms.not_loaded)
}

func erl_ddll_info_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let name = driverName(arguments[0]), linkedInDrivers.contains(name) else { return process.badarg() }
    switch arguments[1] {
    case Atoms.linked_in_driver: return Atoms.true
    case Atoms.permanent: return Atoms.false
    case Atoms.processes, Atoms.driver_options, Atoms.port_count, Atoms.awaiting_load, Atoms.awaiting_unload:
        return Atoms.linked_in_driver
    default: return process.badarg()
    }
}

func erl_ddll_format_error_int_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let text: String
    switch arguments[0] {
    case Atoms.inconsistent:
        text = "Driver name and/or driver options are inconsistent with currently loaded driver"
    case Atoms.linked_in_driver: text = "Driver is statically linked and cannot be loaded/unloaded"
    case Atoms.permanent: text = "DDLL driver is permanent an cannot be unloaded/loaded"
    case Atoms.not_loaded: text = "DDLL driver is not loaded"
    case Atoms.not_loaded_by_this_process: text = "DDLL driver was not loaded by this process"
    case Atoms.not_pending: text = "DDLL load not pending for this driver name"
    case Atoms.already_loaded: text = "DDLL driver is already loaded successfully"
    default:
        // Numbers of the loader: a file that cannot be opened, or one that is no driver.
        guard arguments[0].isTuple(2), arguments[0].element(0) == Atoms.open_error, int32(arguments[0].element(1)) != nil
        else { return process.badarg() }
        text = arguments[0].element(1) == .small(-1) ? "No driver init in dynamic library" : "Unknown dlload error"
    }
    return process.heap.string(text)
}

let driverLoadingTable: [Bif] = [
    Bif("erl_ddll", "loaded_drivers", 0, erl_ddll_loaded_drivers_0),
    Bif("erl_ddll", "try_load", 3, erl_ddll_try_load_3),
    Bif("erl_ddll", "try_unload", 2, erl_ddll_try_unload_2),
    Bif("erl_ddll", "info", 2, erl_ddll_info_2),
    Bif("erl_ddll", "format_error_int", 1, erl_ddll_format_error_int_1),
]
