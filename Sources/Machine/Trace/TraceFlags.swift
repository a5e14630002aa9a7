// TraceFlags.swift: the flags of traced processes, as programs write them.

import CMachine
import Terms

enum TraceFlags {
    static let timestamp: UInt32 = 1 << 0
    static let strictMonotonic: UInt32 = 1 << 1
    static let monotonic: UInt32 = 1 << 2
    static let send: UInt32 = 1 << 3
    static let receive: UInt32 = 1 << 4
    static let setOnSpawn: UInt32 = 1 << 5
    static let call: UInt32 = 1 << 6
    static let procs: UInt32 = 1 << 7
    static let setOnFirstSpawn: UInt32 = 1 << 8
    static let setOnLink: UInt32 = 1 << 9
    static let setOnFirstLink: UInt32 = 1 << 10
    static let running: UInt32 = 1 << 11
    static let exiting: UInt32 = 1 << 12
    static let garbageCollection: UInt32 = 1 << 13
    static let arity: UInt32 = 1 << 14
    static let returnTo: UInt32 = 1 << 15
    static let silent: UInt32 = 1 << 16
    static let schedulerId: UInt32 = 1 << 17
    static let ports: UInt32 = 1 << 18
    static let runningPorts: UInt32 = 1 << 19
    static let runningProcs: UInt32 = 1 << 20

    static let all: UInt32 = (1 << 21) - 1
    static let anyTimestamp = timestamp | strictMonotonic | monotonic

    /// In the order in which trace_info lists them backwards.
    private static var names: [(UInt32, Term)] {
        [
            (timestamp, Atoms.timestamp), (strictMonotonic, Atoms.strict_monotonic_timestamp),
            (monotonic, Atoms.monotonic_timestamp), (send, Atoms.send), (receive, Atoms.receive),
            (setOnSpawn, Atoms.set_on_spawn), (call, Atoms.call), (procs, Atoms.procs),
            (setOnFirstSpawn, Atoms.set_on_first_spawn), (setOnLink, Atoms.set_on_link),
            (setOnFirstLink, Atoms.set_on_first_link), (running, Atoms.running), (exiting, Atoms.exiting),
            (garbageCollection, Atoms.garbage_collection), (arity, Atoms.arity), (returnTo, Atoms.return_to),
            (silent, Atoms.silent), (schedulerId, Atoms.scheduler_id), (ports, Atoms.ports),
            (runningPorts, Atoms.running_ports), (runningProcs, Atoms.running_procs),
        ]
    }

    static func bit(_ name: Term) -> UInt32? {
        name == Atoms.all ? all : names.first { $0.1 == name }?.0
    }

    static func list(_ heap: Ref<Heap>, _ flags: UInt32) -> Term {
        var list = Term.nil
        for (bit, name) in names where flags & bit != 0 { list = heap.cons(name, list) }
        return list
    }
}

/// `[Flag | {tracer, Pid} | cpu_timestamp]`
struct TraceRequest {
    var flags: UInt32 = 0
    var tracer = Term.nil

    /// Nil: something else is in the list.
    init?(_ list: Term) {
        var rest = list
        while rest.isCons {
            let item = rest.head
            if let bit = TraceFlags.bit(item) {
                flags |= bit
            } else if item.isTuple(2), item.element(0) == Atoms.tracer, item.element(1).isLocalPid {
                tracer = item.element(1)
            } else if item != Atoms.cpu_timestamp {
                return nil
            }
            rest = rest.tail
        }
        guard rest.isNil else { return nil }
    }
}

/// A process that can be a tracer; nil for other terms (ports and tracer modules are not supported).
func tracerTerm(_ term: Term) -> Term? { term.isLocalPid && ProcessTable.find(term) != nil ? term : nil }
