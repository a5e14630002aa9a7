// PortDriver.swift: what a kind of port does. All functions are called with the port's lock held; results and events
// go back through the port (`received`, `inputEnded`, `failed`).

import CMachine
import Machine
import Terms

class PortDriver {
    unowned let port: Port

    init(_ port: Port) { self.port = port }

    /// Bytes of a command. A failure goes to `port.failed`; false means badarg.
    func output(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool { true }
    /// erlang:port_control/3: nil means badarg.
    func control(_ caller: Term, _ operation: UInt32, _ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? { nil }
    /// A watched descriptor can be read.
    func readyInput(_ descriptor: Int32) {}
    /// A watched descriptor can be written.
    func readyOutput(_ descriptor: Int32) {}
    /// The operating system process of the port ended, with this status of wait(2).
    func processEnded(_ waitStatus: Int32) {}
    /// The time that was set with PortPoll.setTimer is over.
    func timedOut() {}
    /// Output that has not been written.
    var queuedBytes: Int { 0 }
    var hasOutput: Bool { queuedBytes > 0 }
    /// The port is closed; what is queued is still to be written, then `port.finish()` is called.
    func willFlush() {}
    /// Writes what it can within a short time, at the end of the VM.
    func flushAtExit() {}
    /// Gives back descriptors and memory. Called once.
    func stop() {}
}
