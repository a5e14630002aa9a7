// PortDescriptors.swift: the driver of ports that read and write byte streams: `{fd, In, Out}` and child processes.
// Descriptors that the VM inherited stay in blocking mode, for others share them: nothing is read or written before
// poll(2) says it will not block, and writes to such descriptors are short.

import CMachine
import Glibc
import Machine
import Terms

/// Cuts a stream of bytes into packets with a length in front.
struct PacketReader {
    private var pending: [UInt8] = []

    /// Calls `body` for every packet that `bytes` completes.
    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>, lengthBytes: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        pending.append(contentsOf: bytes)
        var start = 0
        pending.withUnsafeBufferPointer { all in
            while all.count - start >= lengthBytes {
                var length = 0
                for offset in 0..<lengthBytes { length = length << 8 | Int(all[start + offset]) }
                guard all.count - start - lengthBytes >= length else { break }
                let first = start + lengthBytes
                body(UnsafeBufferPointer(rebasing: all[first..<first + length]))
                start = first + length
            }
        }
        if start > 0 { pending.removeFirst(start) }
    }
}

class DescriptorDriver: PortDriver {
    /// -1: none. Both may be the same descriptor.
    private(set) var inputDescriptor: Int32
    private(set) var outputDescriptor: Int32
    /// The descriptors belong to the port and are in non-blocking mode.
    private let owned: Bool
    private var queue = ByteQueue()
    private var packets = PacketReader()
    private var watched: [Int32: PortPoll.Interest] = [:]

    init(_ port: Port, input: Int32, output: Int32, owned: Bool) {
        inputDescriptor = input
        outputDescriptor = output
        self.owned = owned
        super.init(port)
    }

    /// Starts reading.
    func start() { if inputDescriptor >= 0 { watch(inputDescriptor, adding: .input) } }

    private func watch(_ descriptor: Int32, adding interest: PortPoll.Interest) {
        let new = (watched[descriptor] ?? []).union(interest)
        guard new != watched[descriptor] else { return }
        watched[descriptor] = new
        PortPoll.watch(descriptor, for: port, new)
    }

    private func watch(_ descriptor: Int32, removing interest: PortPoll.Interest) {
        guard let old = watched[descriptor] else { return }
        let new = old.subtracting(interest)
        guard new != old else { return }
        watched[descriptor] = new.isEmpty ? nil : new
        PortPoll.watch(descriptor, for: port, new)
    }

    // MARK: Input

    private static let readSize = 65536

    override func readyInput(_ descriptor: Int32) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: DescriptorDriver.readSize) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                take(UnsafeBufferPointer(rebasing: buffer[..<count]))
            } else if count == 0 {
                endOfInput()
            } else if errno != EINTR, errno != EAGAIN {
                // A terminal that is gone gives EIO.
                let error = errno
                stopReading()
                error == EIO ? endOfInput() : port.failed(error)
            }
        }
    }

    func take(_ bytes: UnsafeBufferPointer<UInt8>) {
        if port.options.packetBytes == 0 { return port.received(bytes) }
        packets.read(bytes, lengthBytes: port.options.packetBytes) { port.received($0) }
    }

    func stopReading() { if inputDescriptor >= 0 { watch(inputDescriptor, removing: .input) } }

    func endOfInput() {
        stopReading()
        port.inputEnded()
    }

    // MARK: Output

    override var queuedBytes: Int { queue.count }

    override func output(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard outputDescriptor >= 0 else { return true }
        let lengthBytes = port.options.packetBytes
        if lengthBytes > 0 {
            guard lengthBytes == 8 || bytes.count >> (lengthBytes * 8) == 0 else {
                port.failed(EINVAL)
                return true
            }
            var header: [UInt8] = []
            for shift in (0..<lengthBytes).reversed() { header.append(UInt8(truncatingIfNeeded: bytes.count >> (shift * 8))) }
            header.append(contentsOf: bytes)
            header.withUnsafeBufferPointer { send($0) }
        } else {
            send(bytes)
        }
        return true
    }

    /// Writes what goes at once, queues the rest.
    func send(_ bytes: UnsafeBufferPointer<UInt8>) {
        var done = 0
        if queue.isEmpty {
            while done < bytes.count {
                let count = writeSome(bytes.baseAddress! + done, bytes.count - done)
                if count < 0 { return writingFailed(errno) }
                if count == 0 { break }
                done += count
            }
        }
        guard done < bytes.count else { return }
        queue.append(copying: UnsafeBufferPointer(rebasing: bytes[done...]))
        watch(outputDescriptor, adding: .output)
    }

    /// Bytes written, 0 if it would block, negative for an error.
    private func writeSome(_ start: UnsafePointer<UInt8>, _ count: Int) -> Int {
        while true {
            var size = count
            if !owned {
                var request = pollfd(fd: outputDescriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&request, 1, 0) > 0 else { return 0 }
                size = min(count, 4096)
            }
            let result = write(outputDescriptor, start, size)
            if result >= 0 { return result }
            if errno == EAGAIN { return 0 }
            if errno != EINTR { return -1 }
        }
    }

    func writingFailed(_ error: Int32) {
        queue.removeAll()
        if outputDescriptor >= 0 { watch(outputDescriptor, removing: .output) }
        port.failed(error)
    }

    override func readyOutput(_ descriptor: Int32) {
        while !queue.isEmpty {
            let piece = queue.first
            let count = writeSome(piece.start, piece.count)
            if count < 0 { return writingFailed(errno) }
            if count == 0 { return }
            queue.skip(count)
        }
        watch(descriptor, removing: .output)
        queueEmptied()
    }

    /// The queue has become empty.
    func queueEmptied() { if port.state == .flushing { port.finish() } }

    override func willFlush() { stopReading() }

    override func flushAtExit() {
        while !queue.isEmpty {
            var request = pollfd(fd: outputDescriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&request, 1, 5000) > 0 else { return }
            let piece = queue.first
            let count = writeSome(piece.start, piece.count)
            if count < 0 { return }
            queue.skip(count)
        }
    }

    override func stop() {
        for descriptor in watched.keys { PortPoll.watch(descriptor, for: nil, []) }
        watched = [:]
        if owned {
            if inputDescriptor >= 0 { close(inputDescriptor) }
            if outputDescriptor >= 0, outputDescriptor != inputDescriptor { close(outputDescriptor) }
        }
        (inputDescriptor, outputDescriptor) = (-1, -1)
        queue.removeAll()
    }

    // MARK: Control

    override func control(_ caller: Term, _ operation: UInt32, _ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard operation == TerminalControl.windowSize else { return nil }
        return windowSizeReply(outputDescriptor) ?? windowSizeReply(inputDescriptor)
    }
}

/// Operations of terminal ports and of `{fd, ...}` ports.
enum TerminalControl {
    static let base: UInt32 = 0x018B_0900
    static let windowSize = base + 100
    static let getUnicode = base + 101
    static let setUnicode = base + 102
}

/// Columns and rows of a terminal.
func windowSize(_ descriptor: Int32) -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard descriptor >= 0, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
    return (Int(size.ws_col), Int(size.ws_row))
}

/// The answer to `windowSize`: two 32-bit numbers in the machine's byte order.
func windowSizeReply(_ descriptor: Int32) -> [UInt8]? {
    guard let size = windowSize(descriptor) else { return nil }
    var words = (UInt32(truncatingIfNeeded: size.columns), UInt32(truncatingIfNeeded: size.rows))
    return withUnsafeBytes(of: &words) { Array($0) }
}
