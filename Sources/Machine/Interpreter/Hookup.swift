// Hookup.swift: gives the scheduler what it needs of the interpreter.

import CMachine
import Terms

/// Tables and threads for processes. Once, after bootMachine and before the first process is made.
public func bootProcesses(schedulers: Int, dirtyCPU: Int, dirtyIO: Int, processLimit: Int) {
    Clock.boot()
    References.boot()
    Registry.boot()
    ProcessTable.boot(limit: processLimit)
    Schedulers.boot(schedulers: schedulers, dirtyCPU: dirtyCPU, dirtyIO: dirtyIO)
}
