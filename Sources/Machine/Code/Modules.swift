// Modules.swift: the module table: which code each module name stands for, and the steps of loading, deleting and
// purging it. One lock, `codeLock`, guards the table and everything that publishes code (entries of exports and funs);
// none of the steps waits for anything while it holds it.
//
// A name has current code, old code (still running, found only through addresses on stacks), and perhaps code whose
// on_load function has not finished. Publishing is a release store into each export, so running processes see the new
// code at their next external call.

public import CMachine
public import Terms

/// The code-modification lock.
nonisolated(unsafe) private var codeLock = Lock()

func withExportsLocked<Result>(_ body: () -> Result) -> Result {
    vm_lock(&codeLock)
    defer { vm_unlock(&codeLock) }
    return body()
}

public enum Modules {
    /// Under `codeLock`.
    final class Entry {
        let name: Term
        var current: LoadedModule?
        var old: LoadedModule?
        /// Waits for its on_load function.
        var pending: LoadedModule?
        init(_ name: Term) { self.name = name }
    }

    nonisolated(unsafe) private static var table: [UInt64: Entry] = [:]
    /// Under `codeLock`: names in the order of their first loading.
    nonisolated(unsafe) private static var names: [Term] = []
    /// Set by the loading of the preloaded modules.
    nonisolated(unsafe) static var preloaded: [Term] = []

    /// Called under the lock when a module's code becomes current: trace patterns for code that is loaded.
    nonisolated(unsafe) static var onCurrent: ((LoadedModule) -> Void)? = nil

    /// Under the lock: current code, of one module or of all.
    static func forEachCurrent(_ name: Term?, _ body: (LoadedModule) -> Void) {
        if let name {
            if let module = entry(name)?.current { body(module) }
        } else {
            for name in names { if let module = entry(name)?.current { body(module) } }
        }
    }

    private static func entry(_ name: Term) -> Entry? { table[name.raw] }

    private static func entryOrMake(_ name: Term) -> Entry {
        if let entry = table[name.raw] { return entry }
        let entry = Entry(name)
        table[name.raw] = entry
        names.append(name)
        return entry
    }

    // MARK: Questions

    /// The current code of a module.
    public static func current(_ name: Term) -> LoadedModule? { withExportsLocked { entry(name)?.current } }

    /// Calls `body` with the current code of a module, which is not freed or replaced meanwhile. Under `codeLock`.
    public static func withCurrent<Result>(_ name: Term, _ body: (LoadedModule) -> Result?) -> Result? {
        withExportsLocked { entry(name)?.current.flatMap(body) }
    }

    /// The current code of all modules, oldest module first.
    public static func allCurrent() -> [LoadedModule] { withExportsLocked { names.compactMap { entry($0)?.current } } }

    static func hasOld(_ name: Term) -> Bool { withExportsLocked { entry(name)?.old != nil } }

    /// Names with current or old code, oldest first.
    static func loaded() -> [Term] {
        withExportsLocked { names.filter { entry($0)?.current != nil || entry($0)?.old != nil } }
    }

    /// Bytes of the current and the old code of each module, oldest module first.
    static func sizes() -> [(name: Term, current: Int, old: Int)] {
        withExportsLocked {
            names.compactMap { name in
                guard let entry = entry(name), entry.current != nil || entry.old != nil else { return nil }
                return (name, entry.current?.byteCount ?? 0, entry.old?.byteCount ?? 0)
            }
        }
    }

    /// Bytes taken by all code.
    public static func byteCount() -> Int {
        withExportsLocked {
            table.values.reduce(0) { total, entry in
                [entry.current, entry.old, entry.pending].reduce(total) { $0 + ($1?.byteCount ?? 0) }
            }
        }
    }

    /// The decoded function, of current or old code, that an address in threaded code belongs to.
    static func function(at address: UInt) -> Ref<Function>? {
        withExportsLocked {
            for entry in table.values {
                for module in [entry.current, entry.old, entry.pending] {
                    if let module, module.containsCode(address) { return module.function(at: address) }
                }
            }
            return nil
        }
    }

    // MARK: Loading

    enum FinishResult { case done, used, duplicated([Term]), notPurged([Term]), onLoad([Term]) }

    /// Makes prepared modules current, all or none. A module with an on_load function is only set aside for it.
    static func finish(_ modules: [LoadedModule]) -> FinishResult {
        withExportsLocked {
            if modules.contains(where: \.isPublished) { return .used }
            var seen = Set<UInt64>()
            let duplicated = modules.filter { !seen.insert($0.name.raw).inserted }
            if !duplicated.isEmpty { return .duplicated(duplicated.map(\.name)) }
            let blocked = modules.filter { entry($0.name)?.current != nil && entry($0.name)?.old != nil }
            if !blocked.isEmpty { return .notPurged(blocked.map(\.name)) }
            var waiting: [Term] = []
            for module in modules {
                let entry = entryOrMake(module.name)
                module.markPublished()
                publishFuns(module)
                if module.onLoad != nil {
                    if let pending = entry.pending {
                        _ = withdrawFuns(pending)
                        pending.retire()
                    }
                    entry.pending = module
                    waiting.append(module.name)
                } else {
                    makeCurrent(module, entry)
                }
            }
            return waiting.isEmpty ? .done : .onLoad(waiting)
        }
    }

    private static func publishFuns(_ module: LoadedModule) {
        for index in 0..<module.funCount { module.funs[index].publish(function: module.funFunctions[index]) }
    }

    /// Requires: the entry has no old code if it has current code.
    private static func makeCurrent(_ module: LoadedModule, _ entry: Entry) {
        Breakpoints.forget(module: module.name)
        if let current = entry.current {
            entry.old = current
            let kept = Set(module.exports.map(\.export))
            for row in current.exports where !kept.contains(row.export) { withdraw(row.export) }
        }
        entry.current = module
        for row in module.exports {
            row.export.publish(function: row.function)
            if !row.export.isNative { row.export.publish(entry: row.function.pointee.entry) }
        }
        SavedCalls.moduleLoaded(module.exports)
        onCurrent?(module)
    }

    private static func withdraw(_ export: Ref<Export>) {
        export.publish(function: nil)
        if !export.isNative { export.publish(entry: export.stubAddress) }
    }

    // MARK: on_load

    /// An export that leads to the on_load function of a module that waits for it.
    static func onLoadExport(_ name: Term) -> Ref<Export>? {
        withExportsLocked {
            guard let module = entry(name)?.pending, let function = module.onLoad else { return nil }
            let export = Exports.makePrivate(name, function.pointee.name, 0)
            export.publish(function: function)
            export.publish(entry: function.pointee.entry)
            return export
        }
    }

    /// Ends waiting: makes the module current if `keep`; otherwise it stays aside until it is purged. False if the
    /// module does not wait.
    static func finishAfterOnLoad(_ name: Term, keep: Bool) -> Bool {
        withExportsLocked {
            guard let entry = entry(name), let module = entry.pending else { return false }
            if keep {
                entry.pending = nil
                makeCurrent(module, entry)
            }
            return true
        }
    }

    // MARK: Deleting and purging

    enum DeleteResult { case unknown, hasOld, deleted }

    /// Turns current code into old code.
    static func delete(_ name: Term) -> DeleteResult {
        withExportsLocked {
            guard let entry = entry(name) else { return .unknown }
            guard entry.old == nil else { return .hasOld }
            if let current = entry.current {
                Breakpoints.forget(module: name)
                for row in current.exports { withdraw(row.export) }
            }
            entry.old = entry.current
            entry.current = nil
            return .deleted
        }
    }

    /// The purge under way; one at a time, driven by the process erts_code_purger. Under `codeLock`.
    private struct Purge {
        let name: Term
        let module: LoadedModule
        /// Old code that a failed on_load function must not take away.
        let savedOld: LoadedModule?
        /// Fun entries that led to the code, and where to.
        let funs: [(entry: Ref<FunEntry>, function: Ref<Function>)]
    }
    nonisolated(unsafe) private static var purge: Purge?

    /// Calls of funs of this module wait for the end of a purge: the caller should yield, then try again.
    public static func isPurging(_ name: Term) -> Bool { withExportsLocked { purge?.name == name } }

    /// Starts a purge: no fun leads to the old code any more. Nil if one is under way; false if there is nothing to do.
    static func preparePurge(_ name: Term, ofPending: Bool) -> Bool? {
        withExportsLocked {
            guard purge == nil else { return nil }
            guard let entry = entry(name) else { return false }
            var saved: LoadedModule?
            if ofPending {
                guard let pending = entry.pending else { return false }
                saved = entry.old
                entry.old = pending
                entry.pending = nil
            }
            guard let module = entry.old else { return false }
            purge = Purge(name: name, module: module, savedOld: saved, funs: withdrawFuns(module))
            return true
        }
    }

    /// Makes funs not lead to the module any more; answers those that did.
    private static func withdrawFuns(_ module: LoadedModule) -> [(entry: Ref<FunEntry>, function: Ref<Function>)] {
        var funs: [(entry: Ref<FunEntry>, function: Ref<Function>)] = []
        for index in 0..<module.funCount {
            let fun = module.funs[index]
            guard fun.pointee.function == module.funFunctions[index] else { continue }
            funs.append((fun, module.funFunctions[index]))
            fun.publish(function: nil)
        }
        return funs
    }

    /// Gives up: the old code stays. False if that purge is not under way.
    static func abortPurge(_ name: Term) -> Bool {
        withExportsLocked {
            guard let under = purge, under.name == name else { return false }
            for (fun, function) in under.funs where fun.pointee.function == nil { fun.publish(function: function) }
            purge = nil
            return true
        }
    }

    /// Removes the old code. Nil if that purge is not under way. Requires: no process returns to the code.
    static func completePurge(_ name: Term) -> Bool? {
        withExportsLocked {
            guard let under = purge, under.name == name else { return nil }
            defer { purge = nil }
            guard let entry = entry(name), entry.old === under.module else { return false }
            entry.old = under.savedOld
            under.module.retire()
            return true
        }
    }

    /// Whether a process will return to old code of `name`. Requires: the process does not run, or runs this.
    public static func usesOldCode(_ process: Ref<Process>, _ name: Term) -> Bool {
        guard let old = withExportsLocked({ entry(name)?.old }) else { return false }
        if old.containsCode(UInt(bitPattern: process.pointee.pc)) { return true }
        var word = process.pointee.stackTop
        while word < process.pointee.stackEnd {
            if word[0] & 3 == 0, old.containsCode(UInt(word[0])) { return true }
            word += 1
        }
        return false
    }
}
