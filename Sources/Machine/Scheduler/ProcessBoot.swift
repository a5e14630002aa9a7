// ProcessBoot.swift: makes the process side of the machine: clock, tables, schedulers. Threads start with
// Schedulers.run().

/// Numbers from the command line.
public struct ProcessSettings: Sendable {
    /// +S, +SDcpu, +SDio
    public var schedulers = 1
    public var dirtyCPU = 1
    public var dirtyIO = 10
    /// +P
    public var processLimit = 262_144

    public init() {}
}

/// Once, after the atom table and before the first process.
public func bootProcesses(_ settings: ProcessSettings) {
    Clock.boot()
    References.boot()
    ProcessTable.boot(limit: settings.processLimit)
    Registry.boot()
    Schedulers.boot(schedulers: settings.schedulers, dirtyCPU: settings.dirtyCPU, dirtyIO: settings.dirtyIO)
}
