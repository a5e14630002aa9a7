// Sampler.swift: where the program spends its time while it dumps: SIGPROF for each tick of processor time, with
// the machine's and Erlang's program counter of the thread it hits.

import CLLVM
import CMachine
import Glibc
import Machine
import Terms

enum Sampler {
    private static let capacity = 1 << 20
    /// Pairs of words. Constant once sampling has begun.
    nonisolated(unsafe) private static var samples: UnsafeMutablePointer<UInt64>?
    /// Atomic.
    nonisolated(unsafe) private static var count: UInt64 = 0

    static func start() {
        #if arch(x86_64)
        samples = .allocate(capacity: 2 * capacity)
        var action = sigaction()
        action.__sigaction_handler.sa_sigaction = { _, _, context in
            let registers = context!.assumingMemoryBound(to: ucontext_t.self).pointee.uc_mcontext.gregs
            Sampler.add(UInt64(bitPattern: registers.16), UInt64(bitPattern: registers.5))
        }
        action.sa_flags = SA_SIGINFO | SA_RESTART
        sigaction(SIGPROF, &action, nil)
        setInterval(microseconds: 1000)
        #endif
    }

    private static func setInterval(microseconds: Int) {
        let time = timeval(tv_sec: 0, tv_usec: microseconds)
        var timer = itimerval(it_interval: time, it_value: time)
        setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &timer, nil)
    }

    /// In a signal handler.
    private static func add(_ address: UInt64, _ code: UInt64) {
        let index = vm_fetch_add(&count, 1)
        guard index < UInt64(capacity), let samples else { return }
        samples[2 * Int(index)] = address
        samples[2 * Int(index) + 1] = code
    }

    /// Rows for counts.tsv. Ends sampling.
    static func rows() -> [String] {
        guard let samples else { return [] }
        setInterval(microseconds: 0)
        let native = Places(nativeFunctions())
        let interpreted = Places(interpretedFunctions())
        var rows: [String: Int] = [:]
        for index in 0..<min(Int(vm_load_acquire(&count)), capacity) {
            let (address, code) = (samples[2 * index], samples[2 * index + 1])
            let row = native.find(address) ?? elsewhere(address, code, interpreted)
            rows[row, default: 0] += 1
        }
        return rows.sorted { $0.value > $1.value }.map { "\($0.key)\t\($0.value)\n" }
    }

    /// Not in native code: in the interpreter or what it calls, if the register that holds its program counter says so.
    private static func elsewhere(_ address: UInt64, _ code: UInt64, _ interpreted: Places) -> String {
        guard let name = llvm_library_of(address) else { return "elsewhere\t(kernel)" }
        let library = String(cString: name).split(separator: "/").last ?? ""
        if library.hasPrefix("libLLVM") { return "elsewhere\t(LLVM)" }
        if let row = interpreted.find(code) { return row }
        return library.hasPrefix("lib") ? "elsewhere\t(\(library.prefix { $0 != "." }))" : "elsewhere\t(run-time system)"
    }

    private static func nativeFunctions() -> [Places.Range] {
        JIT.locked {
            JIT.units.values.flatMap { unit in
                let names = unit.parts.map { JIT.name($0.function) }
                return unit.symbols.map { symbol in
                    let part = names.firstIndex { symbol.belongs(to: $0) } ?? 0
                    let start = unit.base + symbol.offset
                    return (start, start + symbol.size, "time\t\(unit.number)\t\(part)")
                }
            }
        }
    }

    private static func interpretedFunctions() -> [Places.Range] {
        Modules.allCurrent().flatMap { module in
            (0..<module.functionCount).compactMap { index -> Places.Range? in
                let function = module.functions + index
                guard let code = function.pointee.code else { return nil }
                let start = UInt64(UInt(bitPattern: code))
                return (start, start + function.pointee.codeWords * 8, "elsewhere\t\(JIT.name(function))")
            }
        }
    }

    /// Ranges of addresses, to be searched.
    private struct Places {
        typealias Range = (start: UInt64, end: UInt64, row: String)
        private let ranges: [Range]

        init(_ ranges: [Range]) { self.ranges = ranges.sorted { $0.start < $1.start } }

        func find(_ address: UInt64) -> String? {
            var low = 0
            var high = ranges.count
            while low < high {
                let middle = (low + high) / 2
                if ranges[middle].start <= address { low = middle + 1 } else { high = middle }
            }
            guard low > 0, address < ranges[low - 1].end else { return nil }
            return ranges[low - 1].row
        }
    }
}
