// Hooks.swift: what modules downstream of the machine plug in at boot: ports, tables. All are set before the first
// process runs and constant afterwards.

public import CMachine
public import Terms

/// Operations on ports that processes start. Each answers false (or nil) when the port does not exist.
public enum PortHooks {
    /// `port ! message` of a process (nil: of the VM). The message is still in the sender's memory.
    nonisolated(unsafe) public static var send:
        (@convention(thin) (_ from: Ref<Process>?, _ port: Term, _ message: Term) -> Bool)? = nil
    nonisolated(unsafe) public static var setName: (@convention(thin) (_ port: Term, _ name: Term) -> Bool)? = nil
    nonisolated(unsafe) public static var link: (@convention(thin) (_ port: Term, _ from: Term) -> Bool)? = nil
    nonisolated(unsafe) public static var unlink: (@convention(thin) (_ port: Term, _ from: Term) -> Bool)? = nil
    /// The port sends `sendDown` with the reference when it closes.
    nonisolated(unsafe) public static var monitor:
        (@convention(thin) (_ port: Term, _ from: Term, _ reference: (UInt64, UInt64)) -> Bool)? = nil
    nonisolated(unsafe) public static var demonitor:
        (@convention(thin) (_ port: Term, _ from: Term, _ reference: (UInt64, UInt64)) -> Bool)? = nil
    /// An exit signal of a process (a link's when `isLink`).
    nonisolated(unsafe) public static var exit:
        (@convention(thin) (_ port: Term, _ from: Term, _ reason: Term, _ isLink: Bool) -> Bool)? = nil
    nonisolated(unsafe) public static var count: (@convention(thin) () -> Int)? = nil
    nonisolated(unsafe) public static var limit: (@convention(thin) () -> Int)? = nil
}

/// What else happens when a process ends.
public enum ExitHooks {
    /// Tables it owns are deleted or given away. Runs before links and monitors hear of the end.
    nonisolated(unsafe) public static var tables: (@convention(thin) (Ref<Process>) -> Void)? = nil
    /// Output of ports is written out before the VM ends.
    nonisolated(unsafe) public static var flushPorts: (@convention(thin) () -> Void)? = nil
    /// Native resources that watch the process.
    nonisolated(unsafe) public static var resources: (@convention(thin) (Ref<Process>) -> Void)? = nil
}

/// What the code server provides to processes.
public enum CodeHooks {
    /// erts_internal:check_process_code for a process asked by another one; runs in the process's thread.
    nonisolated(unsafe) public static var checkCode:
        (@convention(thin) (_ process: Ref<Process>, _ module: Term) -> Term)? = nil
}

/// What the JIT tier plugs in. The threshold is 0 while it is off.
public enum JITHooks {
    /// Calls of a function before the JIT is asked for it.
    nonisolated(unsafe) public static var threshold: UInt64 = 0
    /// A function has become hot. True: it is compiled now, so its first word leads to native code.
    nonisolated(unsafe) public static var request: (@convention(thin) (Ref<Function>) -> Bool)? = nil
    /// A module has been read; nobody runs it yet.
    nonisolated(unsafe) public static var prepared: (@convention(thin) (LoadedModule) -> Void)? = nil
    /// The function is traced: calls of it must go through its entry, so it leaves native code and stays out of it.
    /// Under the code-modification lock, like `allow`, which ends it.
    nonisolated(unsafe) public static var avoid: (@convention(thin) (Ref<Function>) -> Void)? = nil
    nonisolated(unsafe) public static var allow: (@convention(thin) (Ref<Function>) -> Void)? = nil
    /// No process will return to the code of this module. True: the JIT still reads it; once that is over it calls
    /// `LoadedModule.retire` again.
    nonisolated(unsafe) public static var release: (@convention(thin) (LoadedModule) -> Bool)? = nil
}
