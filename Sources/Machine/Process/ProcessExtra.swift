// ProcessExtra.swift: what only few processes have: whom it has suspended. Allocated on first use.

import CMachine
import Glibc
import Terms

struct ProcessExtra {
    /// Pids of processes that it suspends; a: how often.
    var suspended: UnsafeMutableRawPointer?
    /// process_flag(error_handler, Module), or no term.
    var errorHandler: Term
    /// process_flag(save_calls, N)
    var calls: Ref<SavedCalls>?
    /// process_flag(scheduler, N)
    var boundTo: Int
    /// Subscriptions to nodes, by their options; a: how many.
    var nodeMonitors: UnsafeMutableRawPointer?
    /// seq_trace: the token (if ProcessFlags.sequential), and the process's counts.
    var token: Ref<SequentialToken>?
    var traceClock: Int
    var lastCount: Int
}

extension ProcessExtra {
    static func find(_ process: Ref<Process>) -> Ref<ProcessExtra>? {
        process.pointee.extra?.assumingMemoryBound(to: ProcessExtra.self)
    }

    static func of(_ process: Ref<Process>) -> Ref<ProcessExtra> {
        if let extra = find(process) { return extra }
        let extra = Ref<ProcessExtra>.allocate(capacity: 1)
        extra.initialize(to: ProcessExtra(suspended: nil, errorHandler: .none, calls: nil, boundTo: 0, nodeMonitors: nil, token: nil, traceClock: 0, lastCount: 0))
        process.pointee.extra = UnsafeMutableRawPointer(extra)
        return extra
    }

    static func free(_ process: Ref<Process>) {
        guard let extra = find(process) else { return }
        SavedCalls.forget(process)
        Glibc.free(extra.pointee.suspended)
        Glibc.free(extra.pointee.nodeMonitors)
        SequentialTrace.free(extra.pointee.token)
        extra.deallocate()
        process.pointee.extra = nil
    }
}

/// The module that is called for undefined functions.
func errorHandler(_ process: Ref<Process>) -> Term {
    guard let module = ProcessExtra.find(process)?.pointee.errorHandler, !module.isNone else {
        return Atoms.error_handler
    }
    return module
}
