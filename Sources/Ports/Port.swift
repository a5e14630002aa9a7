// Port.swift: one open port: who owns it, who is linked to it, and the driver that does the work.
//
//     open --> flushing --> closed      output is left when the port is closed
//     open --> closed
//
// Only open ports are found by their id. Everything behind `lock` is guarded by it; the lock is held while a driver
// works and while messages are handed to receivers, so that a receiver sees them in the order the driver made them.
// Order of locks: a port's lock, the registry's, PortTable's; a receiver's signal lock last. Never two ports' locks.

import CMachine
import Glibc
import Machine
import Terms

final class Port {
    enum State { case open, flushing, closed }

    struct Monitor {
        var watcher: Term
        var numbers: (UInt64, UInt64)
    }

    let id: Term
    let name: [UInt8]
    let options: PortOptions
    var lock = Lock()
    var state = State.open
    /// The process that gets the messages.
    var owner: Term
    var links: [Term] = []
    var monitors: [Monitor] = []
    /// An atom, or none. Guarded by PortTable's lock, for the registry sets it under its own.
    fileprivate(set) var registeredName = Term.none
    /// erlang:port_set_data/2; `dataHeap` holds its parts. None when not set.
    var data = Term.none
    var dataHeap = Heap()
    /// Bytes, as port_info gives them.
    var inputBytes = 0
    var outputBytes = 0
    /// Operating system process, or 0.
    var osProcess: Int32 = 0
    /// Set right after creation.
    var driver: PortDriver!
    /// Part of a line that is not complete yet ({line, N}).
    private var lineBuffer: [UInt8] = []

    init(id: Term, name: [UInt8], owner: Term, options: PortOptions) {
        self.id = id
        self.name = name
        self.owner = owner
        self.options = options
    }

    deinit { discard(dataHeap) }

    var number: UInt64 { id.idData }

    func locked<Result>(_ body: () -> Result) -> Result {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return body()
    }

    // MARK: Messages to the owner. All require the lock.

    /// `{Port, What}`.
    func tell(_ receiver: Term, _ build: (Ref<Heap>) -> Term) {
        deliver(from: id, to: receiver) { heap in heap.tuple(id, build(heap)) }
    }

    private func dataTerm(_ heap: Ref<Heap>, _ bytes: UnsafeBufferPointer<UInt8>) -> Term {
        options.isBinary ? heap.makeBinary(bytes) : heap.byteList(bytes)
    }

    /// Input for the owner: one message, or one for each line.
    func received(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard state == .open else { return }
        inputBytes += bytes.count
        PortStatistics.count(input: bytes.count)
        if options.lineLength > 0 {
            receivedLines(bytes)
        } else {
            tell(owner) { heap in heap.tuple(Atoms.data, dataTerm(heap, bytes)) }
        }
    }

    /// Input with bytes in front that are a list in any case: `{Port, {data, [Byte, ... | Data]}}`.
    func received(header: [UInt8], _ bytes: UnsafeBufferPointer<UInt8>) {
        guard state == .open else { return }
        inputBytes += header.count + bytes.count
        PortStatistics.count(input: header.count + bytes.count)
        tell(owner) { heap in
            let tail = bytes.isEmpty ? .nil : dataTerm(heap, bytes)
            return heap.tuple(Atoms.data, heap.byteList(header, tail: tail))
        }
    }

    private func receivedLines(_ bytes: UnsafeBufferPointer<UInt8>) {
        for byte in bytes {
            if byte == 0x0A {
                tellLine(Atoms.eol)
            } else {
                if lineBuffer.count == options.lineLength { tellLine(Atoms.noeol) }
                lineBuffer.append(byte)
            }
        }
        if lineBuffer.count == options.lineLength { tellLine(Atoms.noeol) }
    }

    private func tellLine(_ kind: Term) {
        let line = lineBuffer
        lineBuffer = []
        line.withUnsafeBufferPointer { bytes in
            tell(owner) { heap in heap.tuple(Atoms.data, heap.tuple(kind, dataTerm(heap, bytes))) }
        }
    }

    func reportExitStatus(_ status: Int32) {
        guard state == .open else { return }
        tell(owner) { heap in heap.tuple(Atoms.exit_status, .small(Int(status))) }
    }

    // MARK: The end. All require the lock.

    /// The driver's input is at its end: `{Port, eof}` or the end of the port.
    func inputEnded() {
        guard state == .open else {
            if state == .flushing { finish() }
            return
        }
        if !lineBuffer.isEmpty { tellLine(Atoms.noeol) }
        if options.tellsEnd {
            deliver(from: id, to: owner) { heap in heap.tuple(id, Atoms.eof) }
        } else {
            close(Atoms.normal)
        }
    }

    /// The driver failed with an error number: the port ends with its name as the reason.
    func failed(_ error: Int32) { state == .flushing ? finish() : close(posixAtom(error)) }

    /// Ends the port: tells links and monitors; waits for output that is left unless the reason is `kill`.
    /// `culprit`: a linked process that is not told, for it caused this.
    func close(_ reason: Term, culprit: Term = .none) {
        guard state == .open else { return }
        state = .flushing
        let name = PortTable.retire(self)
        if !name.isNone { Registry.releasePort(name, id) }
        let told = reason == Atoms.kill ? Atoms.killed : reason
        for process in links where process != culprit { Links.sendExit(from: id, to: process, told) }
        for monitor in monitors { Monitors.sendDown(monitor.numbers, from: id, to: monitor.watcher, told) }
        links = []
        monitors = []
        if reason == Atoms.kill || !driver.hasOutput { finish() } else { driver.willFlush() }
    }

    /// Releases the driver. Requires: not open any more.
    func finish() {
        guard state == .flushing else { return }
        state = .closed
        driver.stop()
        PortTable.forget(self)
    }
}

/// Bytes that went through ports since the start, for statistics(io).
enum PortStatistics {
    static func count(input bytes: Int) { _ = vm_fetch_add(&ioCounters.input, UInt64(bytes)) }
    static func count(output bytes: Int) { _ = vm_fetch_add(&ioCounters.output, UInt64(bytes)) }
}

/// All ports by number.
public enum PortTable {
    public static var limit: Int { systemFacts.maxPorts }

    /// Guards the rest.
    nonisolated(unsafe) private static var lock = Lock()
    nonisolated(unsafe) private static var ports: [UInt64: Port] = [:]
    /// Ports that nobody finds any more, with output left.
    nonisolated(unsafe) private static var flushing: [UInt64: Port] = [:]
    nonisolated(unsafe) private static var nextNumber: UInt64 = 0

    private static func locked<Result>(_ body: () -> Result) -> Result {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return body()
    }

    /// A new port without a driver, known from now on; nil when there are too many. Its lock is taken.
    static func make(name: [UInt8], owner: Term, options: PortOptions) -> Port? {
        locked {
            guard ports.count < limit else { return nil }
            while ports[nextNumber] != nil || flushing[nextNumber] != nil { advance() }
            let port = Port(id: .localPort(nextNumber), name: name, owner: owner, options: options)
            vm_lock(&port.lock)
            ports[nextNumber] = port
            advance()
            return port
        }
    }

    /// Port numbers have 28 bits.
    private static func advance() { nextNumber = (nextNumber + 1) & 0xFFF_FFFF }

    /// The open port with this id.
    static func find(_ id: Term) -> Port? {
        guard id.isLocalPort else { return nil }
        return locked { ports[id.idData] }
    }

    /// A port that still works, open or not, by number.
    static func working(_ number: UInt64) -> Port? { locked { ports[number] ?? flushing[number] } }

    /// Nobody finds the port any more. Answers the name that it had.
    static func retire(_ port: Port) -> Term {
        locked {
            ports[port.number] = nil
            flushing[port.number] = port
            return port.registeredName
        }
    }

    /// Gives an open port a name, or takes it (none). False if there is no such port or it has a name.
    static func setName(_ id: Term, _ name: Term) -> Bool {
        locked {
            guard let port = ports[id.idData], name.isNone || port.registeredName.isNone else { return false }
            port.registeredName = name
            return true
        }
    }

    static func name(of port: Port) -> Term { locked { port.registeredName } }

    static func forget(_ port: Port) {
        locked {
            ports[port.number] = nil
            flushing[port.number] = nil
        }
    }

    static var all: [Port] { locked { Array(ports.values) } }
    static var working: [Port] { locked { Array(ports.values) + Array(flushing.values) } }
    public static var count: Int { locked { ports.count } }
}
