// Options.swift: the flags of the JIT.

public struct JITOptions: Sendable {
    public var isEnabled = true
    /// Calls before a function is compiled.
    public var threshold = 10_000
    /// Compile at the first call, and wait for it.
    public var isEager = false
    /// Wait for each function asked for, so that what is compiled when does not depend on the machine's load.
    public var waits = false
    /// Only functions of modules whose names begin like this.
    public var onlyModules: String?
    /// Leave native code at random before instructions.
    public var stressesExits = false
    public var printsStatistics = false
    /// Directory for dumps, and the functions ("M:F/A", nil: all) that go there.
    public var dumpDirectory: String?
    public var dumpFilter: String?
    /// Names for perf: /tmp/perf-PID.map, and /tmp/jit-PID.dump.
    public var writesPerfMap = false
    public var writesJITDump = false
    /// Tells gdb about native code.
    public var tellsDebugger = false
    /// Units to compile at most: bisects a miscompilation.
    public var limit = Int.max
    /// The unit at which LLVM is made to fail, for the tests.
    public var failAt: UInt64 = 0
    /// Compiled code is kept on disk, in a directory of the user's cache unless another one is given.
    public var usesCache = true
    public var cacheDirectory: String?
    /// Bytes on disk.
    public var cacheLimit = 256 << 20
    public init() {}

    /// Whoever looks at the compiler, or at its code with other tools, wants everything compiled.
    var mayUseCache: Bool {
        usesCache && !describesCode && !stressesExits && dumpDirectory == nil && limit == .max && failAt == 0
    }
    /// Somebody waits for each request, so they are served in order.
    var isOrdered: Bool { isEager || waits }
    /// Native code gets line and unwind tables.
    var describesCode: Bool { writesPerfMap || writesJITDump || tellsDebugger }
    /// Replaced code goes soon; whoever looks at it later wants to know what was where.
    var forgetsReplaced: Bool { dumpDirectory == nil && !writesPerfMap && !writesJITDump }
    /// Native code counts the calls of each function.
    var countsEntries: Bool { dumpDirectory != nil }
}
