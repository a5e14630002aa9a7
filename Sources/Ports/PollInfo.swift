// PollInfo.swift: erlang:system_info(check_io): what the poll thread watches.

import CMachine
import Glibc
import Machine
import Terms

/// No term for another key.
func pollInfo(_ process: Ref<Process>, _ key: Term) -> Term {
    guard key == Atoms.check_io else { return .none }
    let heap = process.heap
    let (all, active) = PortPoll.counts
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    func pair(_ name: String, _ value: Term) -> Term { heap.tuple(AtomTable.intern(name), value) }
    let epoll = Atoms.epoll
    let set = heap.list([
        pair("name", Atoms.erts_poll), pair("primary", epoll), pair("kernel_poll", epoll),
        pair("memory_size", .small(all * 48)), pair("total_poll_set_size", .small(all)),
        pair("lazy_updates", Atoms.false), pair("pending_updates", .small(0)), pair("batch_updates", Atoms.false),
        pair("concurrent_updates", Atoms.true), pair("fallback", Atoms.false),
        pair("max_fds", heap.integer(Int(clamping: limit.rlim_cur))), pair("active_fds", .small(active)),
        pair("poll_threads", .small(1)),
    ])
    return heap.list([set])
}
