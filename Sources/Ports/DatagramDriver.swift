// DatagramDriver.swift: the port "udp_inet". Requests come by port_control as `0x03F1A300 + number` and are answered
// with a byte 1 and data, or a byte 0 and the name of an error. Datagrams to send come as commands; each is answered
// with `{inet_reply, Port, ok | {error, Reason}}`.

import CMachine
import Glibc
import Machine
import Terms

/// Numbers of requests (prim_inet).
enum InetRequest {
    static let base: UInt32 = 0x03F1_A300
    static let open: UInt32 = 1
    static let close: UInt32 = 2
    static let connect: UInt32 = 3
    static let peer: UInt32 = 4
    static let name: UInt32 = 5
    static let bind: UInt32 = 6
    static let setOptions: UInt32 = 7
    static let getOptions: UInt32 = 8
    static let statistics: UInt32 = 11
    static let hostName: UInt32 = 12
    static let openDescriptor: UInt32 = 13
    static let descriptor: UInt32 = 14
    static let type: UInt32 = 15
    static let status: UInt32 = 16
    static let subscribe: UInt32 = 24
    static let ignoreDescriptor: UInt32 = 28
    static let receive: UInt32 = 60
}

final class DatagramDriver: PortDriver {
    typealias Input = Slice<UnsafeBufferPointer<UInt8>>

    /// Bits of the answer to `status`.
    private enum Status {
        static let open: UInt32 = 1
        static let bound: UInt32 = 2
        static let active: UInt32 = 4
    }

    /// A receive that waits: who asked, under which number, and how many bytes at most (0: the buffer's size).
    private struct Waiting {
        var process: Term
        var reference: UInt16
        var limit: Int
    }

    private var socket: Int32 = -1
    private var family: Int32 = AF_INET
    private var status: UInt32 = 0
    private var peer: SocketAddress?
    var options = InetOptions()
    var statistics = InetStatistics()
    private var waiting: Waiting?
    private var nextReference: UInt16 = 0
    private var isWatched = false

    // MARK: Requests

    private static func ok(_ bytes: [UInt8] = []) -> [UInt8] { [1] + bytes }
    private static func failure(_ error: Int32) -> [UInt8] { [0] + Array(posixName(error).description.utf8) }
    /// A request that the driver does not know, or that needs an open socket.
    private static let badRequest = [0] + Array("exbadport".utf8)

    override func control(_ caller: Term, _ operation: UInt32, _ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard operation >= InetRequest.base, operation < InetRequest.base + 256 else { return nil }
        var input = bytes[...]
        switch operation - InetRequest.base {
        case InetRequest.open: return open(&input)
        case InetRequest.openDescriptor: return openDescriptor(&input)
        case InetRequest.close:
            closeSocket()
            return DatagramDriver.ok()
        case InetRequest.hostName: return hostName()
        case InetRequest.setOptions: return setOptions(&input)
        case InetRequest.getOptions:
            return DatagramDriver.ok(options.encoded(input, socket: socket))
        case InetRequest.subscribe:
            // Datagrams are never queued: each subscription is told of an empty queue.
            guard input.allSatisfy({ $0 == 1 }) else { return DatagramDriver.failure(EINVAL) }
            return DatagramDriver.ok(input.flatMap { [$0, 0, 0, 0, 0] })
        case InetRequest.statistics: return statistics.encoded(input).map { DatagramDriver.ok($0) } ?? DatagramDriver.failure(EINVAL)
        case InetRequest.status: return DatagramDriver.ok(bigEndianBytes(status))
        case InetRequest.type:
            let number: UInt32 = family == AF_INET ? 1 : family == AF_INET6 ? 2 : 5
            return DatagramDriver.ok(bigEndianBytes(number) + bigEndianBytes(UInt32(2)))
        default:
            return controlOpen(caller, operation - InetRequest.base, &input)
        }
    }

    /// Requests that need a socket.
    private func controlOpen(_ caller: Term, _ request: UInt32, _ input: inout Input) -> [UInt8] {
        guard socket >= 0 else {
            switch request {
            case InetRequest.peer: return DatagramDriver.failure(ENOTCONN)
            case InetRequest.name: return DatagramDriver.failure(EBADF)
            case InetRequest.bind where input.count < 2: return DatagramDriver.failure(EINVAL)
            case InetRequest.connect, InetRequest.descriptor, InetRequest.ignoreDescriptor:
                return DatagramDriver.failure(EINVAL)
            default: return DatagramDriver.badRequest
            }
        }
        switch request {
        case InetRequest.bind: return bind(&input)
        case InetRequest.connect: return connect(caller, &input)
        case InetRequest.name: return address { getsockname(socket, $0, $1) }
        case InetRequest.peer: return address { getpeername(socket, $0, $1) }
        case InetRequest.descriptor: return DatagramDriver.ok(bigEndianBytes(socket))
        case InetRequest.ignoreDescriptor:
            watch(input.first == 0 && wantsInput)
            return DatagramDriver.ok()
        case InetRequest.receive: return receive(caller, &input)
        default: return DatagramDriver.badRequest
        }
    }

    /// Family and type of a socket: a datagram socket of a family that the system knows.
    private func takeFamily(_ input: inout Input) -> Bool {
        guard let code = input.popFirst(), input.popFirst() == 2 else { return false }
        switch code {
        case 1: family = AF_INET
        case 2: family = AF_INET6
        case 5: family = AF_UNIX
        default: return false
        }
        return true
    }

    private func open(_ input: inout Input) -> [UInt8] {
        guard socket < 0, takeFamily(&input), input.isEmpty else { return DatagramDriver.failure(EINVAL) }
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        socket = Glibc.socket(family, type, 0)
        guard socket >= 0 else { return DatagramDriver.failure(errno) }
        opened()
        return DatagramDriver.ok()
    }

    private func openDescriptor(_ input: inout Input) -> [UInt8] {
        guard socket < 0, takeFamily(&input), let descriptor = InetOptions.int32(&input) else {
            return DatagramDriver.failure(EINVAL)
        }
        var type: Int32 = 0
        var size = socklen_t(4)
        guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 else { return DatagramDriver.failure(errno) }
        guard type == Int32(SOCK_DGRAM.rawValue) else { return DatagramDriver.failure(EINVAL) }
        socket = descriptor
        _ = fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK)
        opened()
        if InetOptions.int32(&input) != 0 { status |= Status.bound }
        return DatagramDriver.ok()
    }

    private func opened() {
        status |= Status.open
        updateWatch()
    }

    private func hostName() -> [UInt8] {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, 255) == 0 else { return DatagramDriver.failure(errno) }
        return DatagramDriver.ok(name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }

    private func bind(_ input: inout Input) -> [UInt8] {
        guard let local = SocketAddress(&input, family: family) else { return DatagramDriver.failure(EINVAL) }
        guard local.withPointer({ Glibc.bind(socket, $0, $1) }) == 0 else { return DatagramDriver.failure(errno) }
        var given = SocketAddress()
        _ = given.fill { Int(getsockname(socket, $0, $1)) }
        return DatagramDriver.ok(bigEndianBytes(given.port))
    }

    private func connect(_ caller: Term, _ input: inout Input) -> [UInt8] {
        guard InetOptions.int32(&input) != nil, let remote = SocketAddress(&input, family: family) else {
            return DatagramDriver.failure(EINVAL)
        }
        guard remote.withPointer({ Glibc.connect(socket, $0, $1) }) == 0 else { return DatagramDriver.failure(errno) }
        peer = remote
        status |= Status.active
        let reference = newReference()
        deliver(from: port.id, to: caller) { heap in
            heap.tuple(Atoms.inet_async, port.id, .small(Int(reference)), Atoms.ok)
        }
        return DatagramDriver.ok(bigEndianBytes(reference))
    }

    private func newReference() -> UInt16 {
        defer { nextReference = nextReference &+ 1 }
        return nextReference
    }

    private func address(
        _ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> [UInt8] {
        var found = SocketAddress()
        guard found.fill({ Int(ask($0, $1)) }) == 0 else { return DatagramDriver.failure(errno) }
        return DatagramDriver.ok(found.encoded)
    }

    private func setOptions(_ input: inout Input) -> [UInt8] {
        while !input.isEmpty {
            let error = options.set(&input, socket: socket)
            if error != 0 { return DatagramDriver.failure(error) }
        }
        updateWatch()
        return DatagramDriver.ok()
    }

    // MARK: Sending

    /// A command: an address, the length of ancillary options and these, the data. A connected socket ignores the
    /// address.
    override func output(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var input = bytes[...]
        let error = socket < 0 ? EINVAL : send(&input)
        deliver(from: port.id, to: port.owner) { heap in
            heap.tuple(Atoms.inet_reply, port.id, error == 0 ? Atoms.ok : heap.posixError(error))
        }
        return true
    }

    private func send(_ input: inout Input) -> Int32 {
        // Address 6 stands for none.
        var destination: SocketAddress?
        if input.first == 6 { input = input.dropFirst() } else {
            guard let address = SocketAddress(&input, family: family) else { return EINVAL }
            destination = address
        }
        guard let ancillary = InetOptions.int32(&input), ancillary == 0 || Int(ancillary) <= input.count, ancillary >= 0
        else { return EINVAL }
        input = input.dropFirst(Int(ancillary))
        let data = UnsafeBufferPointer(rebasing: input)
        let sent: Int
        if peer == nil, let destination {
            sent = destination.withPointer { sendto(socket, data.baseAddress, data.count, 0, $0, $1) }
        } else {
            sent = Glibc.send(socket, data.baseAddress, data.count, 0)
        }
        guard sent >= 0 else { return errno }
        statistics.sent(data.count)
        return 0
    }

    // MARK: Receiving

    private var wantsInput: Bool { waiting != nil || options.isActive }

    private func watch(_ on: Bool) {
        guard on != isWatched, socket >= 0 else { return }
        isWatched = on
        PortPoll.watch(socket, for: on ? port : nil, on ? .input : [])
    }

    private func updateWatch() { watch(wantsInput) }

    private func receive(_ caller: Term, _ input: inout Input) -> [UInt8] {
        guard let time = InetOptions.int32(&input), let limit = InetOptions.int32(&input), limit >= 0, !options.isActive
        else { return DatagramDriver.failure(EINVAL) }
        guard waiting == nil else { return DatagramDriver.failure(EALREADY) }
        let reference = newReference()
        waiting = Waiting(process: caller, reference: reference, limit: Int(limit))
        readDatagrams()
        if waiting != nil, time == 0 { timedOut() }
        if waiting != nil, time > 0 { PortPoll.setTimer(port, PortPoll.now() + Int(time) * 1_000_000) }
        updateWatch()
        return DatagramDriver.ok(bigEndianBytes(reference))
    }

    override func timedOut() {
        answerWaiting { heap in heap.tuple(Atoms.error, Atoms.timeout) }
        updateWatch()
    }

    private func answerWaiting(_ build: (Ref<Heap>) -> Term) {
        guard let request = waiting else { return }
        waiting = nil
        PortPoll.setTimer(port, nil)
        deliver(from: port.id, to: request.process) { heap in
            heap.tuple(Atoms.inet_async, port.id, .small(Int(request.reference)), build(heap))
        }
    }

    override func readyInput(_ descriptor: Int32) {
        readDatagrams()
        updateWatch()
    }

    /// Reads up to `readPackets` datagrams for those who want them.
    private func readDatagrams() {
        var left = options.readPackets
        while left > 0, wantsInput, socket >= 0 {
            left -= 1
            let size = max(1, waiting.flatMap { $0.limit > 0 ? $0.limit : nil } ?? options.buffer)
            var buffer = [UInt8](repeating: 0, count: size)
            var sender = SocketAddress()
            let count = buffer.withUnsafeMutableBytes { bytes in
                sender.fill { address, length in recvfrom(socket, bytes.baseAddress, bytes.count, 0, address, length) }
            }
            if count < 0 {
                let error = errno
                if error != EAGAIN, error != EINTR { failedToReceive(error) }
                return
            }
            statistics.received(count)
            buffer.withUnsafeBufferPointer { bytes in
                deliverDatagram(sender, UnsafeBufferPointer(rebasing: bytes[..<count]))
            }
        }
    }

    private func failedToReceive(_ error: Int32) {
        if waiting != nil {
            answerWaiting { heap in heap.posixError(error) }
        } else {
            deliver(from: port.id, to: port.owner) { heap in heap.tuple(Atoms.udp_error, port.id, posixAtom(error)) }
            if options.active == .once { options.active = .passive }
        }
    }

    private func dataTerm(_ heap: Ref<Heap>, _ bytes: UnsafeBufferPointer<UInt8>) -> Term {
        guard options.isBinary else { return heap.byteList(bytes) }
        let header = min(options.header, bytes.count)
        let rest = UnsafeBufferPointer(rebasing: bytes[header...])
        if options.header == 0 { return heap.makeBinary(rest) }
        let tail = rest.isEmpty ? .nil : heap.makeBinary(rest)
        return heap.byteList(UnsafeBufferPointer(rebasing: bytes[..<header]), tail: tail)
    }

    private func deliverDatagram(_ sender: SocketAddress, _ bytes: UnsafeBufferPointer<UInt8>) {
        PortStatistics.count(input: bytes.count)
        if waiting != nil {
            answerWaiting { heap in heap.okTuple(heap.byteList(sender.encoded, tail: dataTerm(heap, bytes))) }
            return
        }
        deliver(from: port.id, to: port.owner) { heap in
            let (address, number) = sender.terms(heap)
            let elements = [Atoms.udp, port.id, address, number, dataTerm(heap, bytes)]
            let (tuple, slots) = heap.makeTuple(elements.count)
            for (index, element) in elements.enumerated() { slots[index] = element.raw }
            return tuple
        }
        if options.countDelivered() {
            deliver(from: port.id, to: port.owner) { heap in heap.tuple(Atoms.udp_passive, port.id) }
        }
    }

    // MARK: The end

    private func closeSocket() {
        guard socket >= 0 else { return }
        watch(false)
        close(socket)
        socket = -1
        status = 0
        peer = nil
        answerWaiting { heap in heap.tuple(Atoms.error, Atoms.closed) }
    }

    override func stop() {
        waiting = nil
        PortPoll.setTimer(port, nil)
        closeSocket()
    }
}
