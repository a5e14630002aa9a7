// Precompile.swift: fills the cache ahead of time: every function of a module is compiled, without waiting for calls.

import CMachine
import Machine

extension JIT {
    /// There is no program that could go on when LLVM fails.
    nonisolated(unsafe) static var isAheadOfTime = false

    /// What came of it; nil: there is no cache.
    public static func precompile(_ module: LoadedModule) -> (kept: Int, failed: Int)? {
        guard Cache.isOn else { return nil }
        isAheadOfTime = true
        // The next module may get the memory of this one.
        defer { _ = release(module) }
        let before = (statistics.kept, statistics.failed)
        let functions = (0..<module.functionCount).map { module.functions + $0 }
        // Native functions of the same name win; the others all count as hot.
        let wanted = functions.filter { function in
            _ = decodeFunction(function)
            function.pointee.calls = 1
            return Exports.find(module.name, function.pointee.name, Int(function.pointee.arity)).map { !$0.isNative } ?? true
        }
        for function in wanted where locked({ unitOf[function] == nil }) {
            compile(Request(function: function, isCached: true))
        }
        return (statistics.kept - before.0, statistics.failed - before.1)
    }
}
