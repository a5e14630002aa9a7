// NodeBifs.swift: what a node that is not distributed answers about nodes, and the emulator's small settings.

import CMachine
import Machine
import Terms

let nodeBifs: [Bif] = [
    Bif("erlang", "nodes", 2, erlang_nodes_2),
    Bif("net_kernel", "dflag_unicode_io", 1, net_kernel_dflag_unicode_io_1),
    Bif("io", "printable_range", 0, io_printable_range_0),
    Bif("error_logger", "warning_map", 0, error_logger_warning_map_0),
]

/// `nodes(Kinds, Options)`: only the node itself can be listed while it is not distributed.
func erlang_nodes_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isMap else { return process.badarg() }
    let kinds: Set<UInt64> = Set(
        [Atoms.this, Atoms.visible, Atoms.hidden, Atoms.connected, Atoms.known].map(\.raw))
    var named: [Term] = []
    var list = arguments[0].isAtom ? process.heap.cons(arguments[0], .nil) : arguments[0]
    while list.isCons {
        guard kinds.contains(list.head.raw) else { return process.badarg() }
        named.append(list.head)
        list = list.tail
    }
    guard list.isNil else { return process.badarg() }
    guard named.contains(Atoms.this) || named.contains(Atoms.known) else { return .nil }
    return process.heap.cons(process.heap.tuple(Nodes.local.pointee.name, .emptyMap), .nil)
}

/// Whether the node of a process takes Unicode in the I/O protocol: the local one does.
func net_kernel_dflag_unicode_io_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isPid ? Atoms.true : process.badarg()
}

/// +pc unicode. Set before the first process runs; constant afterwards.
nonisolated(unsafe) public var printsUnicode = false

func io_printable_range_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    printsUnicode ? Atoms.unicode : Atoms.latin1
}

func error_logger_warning_map_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { Atoms.warning }
