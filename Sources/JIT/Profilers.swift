// Profilers.swift: names of native code for perf: the map file of plain `perf report`, and the jitdump file that
// `perf inject --jit` turns into images with code. gdb's part is in Debugger.swift.

import CMachine
import Glibc
import Machine

extension JIT {
    /// Tells whoever wants to know about new native code. On the compile thread.
    static func describe(_ unit: NativeUnit, _ object: UnsafeRawBufferPointer) {
        if options.tellsDebugger { DebuggerImage.add(unit.code, object) }
        if options.writesPerfMap { PerfMap.add(unit) }
        if options.writesJITDump { JITDump.add(unit) }
    }
}

/// /tmp/perf-PID.map: a line `START SIZE NAME` in hexadecimal for each native function.
private enum PerfMap {
    nonisolated(unsafe) private static var file: UnsafeMutablePointer<FILE>?

    static func add(_ unit: NativeUnit) {
        if file == nil { file = fopen("/tmp/perf-\(getpid()).map", "w") }
        guard let file else { return }
        for symbol in unit.symbols {
            let start = String(unit.base + symbol.offset, radix: 16)
            fputs("\(start) \(String(symbol.size, radix: 16)) \(symbol.name)\n", file)
        }
        fflush(file)
    }
}

/// /tmp/jit-PID.dump, format of the kernel's tools/perf/Documentation/jitdump-specification.txt.
private enum JITDump {
    nonisolated(unsafe) private static var file: UnsafeMutablePointer<FILE>?
    nonisolated(unsafe) private static var index: UInt64 = 0

    private static func start() -> Bool {
        if file != nil { return true }
        guard let opened = fopen("/tmp/jit-\(getpid()).dump", "w+") else { return false }
        #if arch(x86_64)
        let machine: UInt32 = 62
        #else
        let machine: UInt32 = 183
        #endif
        var header = Record()
        for word in [0x4A69_5444, 1, 40, machine, 0, UInt32(getpid())] { header.add(word) }
        header.add(JIT.now())
        header.add(UInt64(0))
        header.write(opened)
        fflush(opened)
        // perf record notices the file by this mapping.
        _ = mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(opened), 0)
        file = opened
        return true
    }

    static func add(_ unit: NativeUnit) {
        guard start(), let file else { return }
        for symbol in unit.symbols {
            let address = unit.base + symbol.offset
            let name = Array(symbol.name.utf8) + [0]
            var record = Record()
            record.add(UInt32(0))
            record.add(UInt32(56 + name.count + Int(symbol.size)))
            record.add(JIT.now())
            record.add(UInt32(getpid()))
            record.add(UInt32(getpid()))
            for word in [address, address, symbol.size, index] { record.add(word) }
            record.bytes += name
            let code = UnsafeRawPointer(bitPattern: UInt(address))!
            record.bytes += UnsafeRawBufferPointer(start: code, count: Int(symbol.size))
            record.write(file)
            index += 1
        }
        fflush(file)
    }

    private struct Record {
        var bytes: [UInt8] = []
        mutating func add<Word: FixedWidthInteger>(_ word: Word) {
            withUnsafeBytes(of: word.littleEndian) { bytes += $0 }
        }
        func write(_ file: UnsafeMutablePointer<FILE>) { fwrite(bytes, 1, bytes.count, file) }
    }
}
