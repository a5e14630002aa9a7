// Breakpoints.swift: the one place that leads calls of a function elsewhere. A traced function's entry (and that of the
// export that leads to it) becomes the stub of its Breakpoint, whose handler traces and continues at the real entry; a
// native function's body becomes `tracedBody`. Functions that are not traced pay nothing.
//
// Records are never freed: a process may be about to run a stub. Their fields are written under the code-modification
// lock; the words that handlers read are single stores, so a handler sees the old or the new setting.

import CMachine
import Glibc
import Terms

/// What is traced at a function.
struct BreakpointFlags {
    static let global: UInt32 = 1
    static let local: UInt32 = 2
    static let meta: UInt32 = 4
    static let count: UInt32 = 8
    static let time: UInt32 = 16
    /// Counting, or measuring, is on (not paused).
    static let counts: UInt32 = 32
    static let measures: UInt32 = 64
    /// Calls through the export are remembered (SavedCalls.swift).
    static let save: UInt32 = 128
}

struct Breakpoint {
    /// The Location of the function's start, for a process that is left at the stub; then where calls are led: handler and
    /// address of this record.
    var stub: (UInt64, UInt64, UInt64) = (0, 0, 0)
    /// Erlang code, or nil for a native function, which has an export and perhaps a body.
    var function: Ref<Function>?
    var export: Ref<Export>?
    var body: BifBody?
    /// Where the call goes on.
    var entry: CodePointer
    var module: Term
    var name: Term
    var arity: Int
    var flags: UInt32 = 0
    /// Compiled match specifications and their sources (kept as literals).
    var program: UnsafeMutableRawPointer?
    var specification = Term.nil
    var metaProgram: UnsafeMutableRawPointer?
    var metaSpecification = Term.nil
    var metaTracer = Term.nil
    /// Atomic.
    var calls: UInt64 = 0
}

enum Breakpoints {
    /// By address of the Function, or of the Export of a native function. Under the code-modification lock.
    nonisolated(unsafe) private static var table: [UInt: Ref<Breakpoint>] = [:]
    /// Handlers and the native body that the tracing code provides at boot.
    nonisolated(unsafe) static var handler: UInt64 = 0
    nonisolated(unsafe) static var tracedBody: BifBody? = nil

    static func find(_ function: Ref<Function>) -> Ref<Breakpoint>? {
        table.isEmpty ? nil : table[UInt(bitPattern: function)]
    }
    static func find(native export: Ref<Export>) -> Ref<Breakpoint>? { table[UInt(bitPattern: export)] }

    /// Under the lock: the record of a function, made if need be. `export`: the one that leads to it, if any.
    static func make(_ function: Ref<Function>, export: Ref<Export>?) -> Ref<Breakpoint> {
        if let found = find(function) { return found }
        let f = function.pointee
        return add(
            UInt(bitPattern: function),
            Breakpoint(
                function: function, export: export, entry: f.entry, module: f.moduleName, name: f.name,
                arity: Int(f.arity)))
    }

    static func make(native export: Ref<Export>) -> Ref<Breakpoint> {
        if let found = find(native: export) { return found }
        let e = export.pointee
        return add(
            UInt(bitPattern: export),
            Breakpoint(
                function: nil, export: export, body: e.bif, entry: export.stubAddress, module: e.module, name: e.name,
                arity: Int(e.arity)))
    }

    private static func add(_ key: UInt, _ value: Breakpoint) -> Ref<Breakpoint> {
        let record = Ref<Breakpoint>.allocate(capacity: 1)
        record.initialize(to: value)
        var start: Ref<Location>? = nil
        if let function = value.function {
            start = .allocate(capacity: 1)
            start?.initialize(to: Location(function: function, line: 0, frame: 0))
        }
        record.pointee.stub = (UInt64(UInt(bitPattern: start)), handler, UInt64(UInt(bitPattern: record)))
        table[key] = record
        return record
    }

    /// Under the lock: makes calls go where the flags say.
    static func install(_ record: Ref<Breakpoint>) {
        let flags = record.pointee.flags
        let stub = UnsafeRawPointer(record).assumingMemoryBound(to: UInt64.self) + 1
        guard let function = record.pointee.function else {
            guard let export = record.pointee.export else { return }
            if let body = record.pointee.body {
                export.pointee.bif = flags != 0 ? tracedBody : body
            } else {
                export.publish(entry: flags != 0 ? stub : record.pointee.entry)
            }
            return
        }
        let isLocal = flags & ~(BreakpointFlags.global | BreakpointFlags.save) != 0
        function.publish(entry: isLocal ? stub : record.pointee.entry)
        if let export = record.pointee.export, export.pointee.function == function, !export.isNative {
            export.publish(entry: flags != 0 ? stub : record.pointee.entry)
        }
        if isLocal { JITHooks.avoid?(function) } else { JITHooks.allow?(function) }
    }

    /// Under the lock: the function has got new code (decoded or compiled). False: it is not traced.
    static func changeEntry(_ function: Ref<Function>, _ entry: CodePointer) -> Bool {
        guard let record = find(function) else { return false }
        record.pointee.entry = entry
        install(record)
        return true
    }

    /// Under the lock: the module's code is replaced or deleted, and what was traced in it is not traced any more.
    static func forget(module: Term) {
        guard !table.isEmpty else { return }
        for (key, record) in table where record.pointee.module == module && record.pointee.function != nil {
            record.pointee.flags = 0
            install(record)
            table[key] = nil
        }
    }

    /// Under the lock.
    static func forEach(_ body: (Ref<Breakpoint>) -> Void) { table.values.forEach(body) }
}

extension UnsafeMutablePointer where Pointee == Function {
    /// Requires: the code-modification lock.
    func publish(entry: CodePointer) {
        let offset = MemoryLayout<Function>.offset(of: \Function.entry).unsafelyUnwrapped
        vm_store_pointer(UnsafeMutableRawPointer(self) + offset, entry)
    }
}
