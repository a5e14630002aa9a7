// Hookup.swift: gives the scheduler what it needs of the interpreter.

import CMachine
import Terms

/// Tables and threads for processes. Once, after bootMachine and before the first process is made.
public func bootProcesses(
    schedulers: Int, online: Int? = nil, dirtyCPU: Int, dirtyCPUOnline: Int? = nil, dirtyIO: Int, processLimit: Int
) {
    Clock.boot()
    References.boot()
    Registry.boot()
    ProcessTable.boot(limit: processLimit)
    Schedulers.boot(schedulers: schedulers, dirtyCPU: dirtyCPU, dirtyIO: dirtyIO)
    Online.boot(schedulers: online ?? schedulers, dirtyCPU: dirtyCPUOnline ?? online ?? dirtyCPU)
}
