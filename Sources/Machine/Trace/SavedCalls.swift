// SavedCalls.swift: process_flag(save_calls, N): the process remembers its last N calls of exported functions and native
// functions, and what it sent and received.
//
// While any process does, calls through all exports lead to breakpoints, as for tracing; otherwise nothing costs anything.
// Calls within a module and guard functions are not recorded, as in OTP.

import CMachine
import Glibc
import Terms

/// What a process remembers, the oldest first when `next` has gone round.
struct SavedCalls {
    let capacity: Int
    var count = 0
    var next = 0
    /// Addresses of exports, or atoms.
    let entries: UnsafeMutablePointer<UInt64>
}

extension SavedCalls {
    /// Processes that remember calls. Under the code-modification lock.
    nonisolated(unsafe) private static var users = 0

    static func capacity(_ process: Ref<Process>) -> Int { ProcessExtra.find(process)?.pointee.calls?.pointee.capacity ?? 0 }

    /// Answers the number before.
    static func set(_ process: Ref<Process>, _ capacity: Int) -> Int {
        let old = self.capacity(process)
        forget(process)
        guard capacity > 0 else { return old }
        let calls = Ref<SavedCalls>.allocate(capacity: 1)
        calls.initialize(to: SavedCalls(capacity: capacity, entries: .allocate(capacity: capacity)))
        ProcessExtra.of(process).pointee.calls = calls
        process.pointee.flags |= ProcessFlags.savesCalls
        withExportsLocked {
            users += 1
            if users == 1 { Exports.forEach { cover($0) } }
        }
        return old
    }

    /// Also when the process ends.
    static func forget(_ process: Ref<Process>) {
        guard let extra = ProcessExtra.find(process), let calls = extra.pointee.calls else { return }
        extra.pointee.calls = nil
        process.pointee.flags &= ~ProcessFlags.savesCalls
        calls.pointee.entries.deallocate()
        calls.deallocate()
        withExportsLocked {
            users -= 1
            guard users == 0 else { return }
            Breakpoints.forEach { record in
                guard record.pointee.flags & BreakpointFlags.save != 0 else { return }
                record.pointee.flags &= ~BreakpointFlags.save
                Breakpoints.install(record)
            }
        }
    }

    /// Under the lock: a module has been loaded.
    static func moduleLoaded(_ exports: [LoadedModule.ExportRow]) {
        guard users > 0 else { return }
        for row in exports { cover(row.export) }
    }

    /// Leads calls through an export to a breakpoint. Requires: the lock.
    private static func cover(_ export: Ref<Export>) {
        let record: Ref<Breakpoint>
        if export.isNative {
            guard !isGuard(export) else { return }
            record = Breakpoints.make(native: export)
        } else if let function = export.pointee.function {
            record = Breakpoints.make(function, export: export)
        } else {
            return
        }
        record.pointee.flags |= BreakpointFlags.save
        Breakpoints.install(record)
    }

    /// Functions that compiled code calls by instructions of their own.
    private static let guards: Set<String> = [
        "abs", "binary_part", "bit_size", "byte_size", "ceil", "element", "float", "floor", "hd", "length", "map_get", "map_size",
        "max", "min", "node", "not", "or", "and", "xor", "band", "bor", "bxor", "bnot", "bsl", "bsr", "div", "rem", "round", "self",
        "size", "tl", "trunc", "tuple_size", "get",
    ]
    private static func isGuard(_ export: Ref<Export>) -> Bool {
        guard export.pointee.module == Atoms.erlang else { return false }
        let name = export.pointee.name.atomText
        return guards.contains(name) || name.hasPrefix("is_") && export.pointee.arity <= 2 && name != "is_process_alive"
            && name != "is_builtin" || !(name.first?.isLetter ?? false)
    }

    // MARK: The running process

    @inline(__always) static func note(_ process: Ref<Process>, _ word: UInt64) {
        if _slowPath(process.pointee.flags & ProcessFlags.savesCalls != 0) { add(process, word) }
    }

    static func note(_ process: Ref<Process>, _ export: Ref<Export>?) {
        // On a fiber or a dirty thread it is called once more.
        guard let export, process.pointee.native == nil else { return }
        note(process, UInt64(UInt(bitPattern: export)))
        if export.pointee.module == Atoms.erlang, export.pointee.name == Atoms.send { note(process, Atoms.send.raw) }
    }

    @inline(never) private static func add(_ process: Ref<Process>, _ word: UInt64) {
        guard let calls = ProcessExtra.find(process)?.pointee.calls else { return }
        calls.pointee.entries[calls.pointee.next] = word
        calls.pointee.next = (calls.pointee.next + 1) % calls.pointee.capacity
        calls.pointee.count = min(calls.pointee.count + 1, calls.pointee.capacity)
    }

    /// `false`, or a list of `{M, F, A}`, `send`, `receive` and `timeout`, the oldest first.
    static func term(_ heap: Ref<Heap>, _ process: Ref<Process>) -> Term {
        guard let calls = ProcessExtra.find(process)?.pointee.calls?.pointee else { return Atoms.false }
        var list = Term.nil
        for back in 1..<(calls.count + 1) {
            let word = calls.entries[(calls.next - back + calls.capacity) % calls.capacity]
            var item = Term(raw: word)
            if !item.isAtom, let export = Ref<Export>(bitPattern: UInt(word)) {
                item = heap.tuple(export.pointee.module, export.pointee.name, .small(Int(export.pointee.arity)))
            }
            list = heap.cons(item, list)
        }
        return list
    }
}
