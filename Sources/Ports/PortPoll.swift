// PortPoll.swift: the thread that waits for descriptors and runs the drivers' input and output. One epoll set; every
// watched descriptor carries the number of its port, so that events of a port that is gone are recognised.
//
// Descriptors that epoll refuses (files, /dev/null) never block: the thread serves those in turn without waiting.

import CMachine
import Glibc
import Machine
import Terms

enum PortPoll {
    struct Interest: OptionSet {
        let rawValue: UInt32
        static let input = Interest(rawValue: 1)
        static let output = Interest(rawValue: 2)
        /// The descriptor stands for a process (pidfd).
        static let process = Interest(rawValue: 4)
    }

    /// What the epoll set knows about a descriptor.
    private struct Watch {
        var port: UInt64
        var interest: Interest
        var isAlwaysReady: Bool
    }

    /// Number that stands for no port: children whose port is gone, and the wake-up descriptor.
    private static let noPort: UInt64 = 0xFFFF_FFFF

    /// Guards `watches` and the epoll set's contents.
    nonisolated(unsafe) private static var lock = Lock()
    nonisolated(unsafe) private static var watches: [Int32: Watch] = [:]
    nonisolated(unsafe) private static var alwaysReadyCount = 0
    /// Constant after boot.
    nonisolated(unsafe) private static var epoll: Int32 = -1
    /// A pipe: signal handlers write signal numbers, others a 0 to wake the thread. Constant after boot.
    nonisolated(unsafe) private(set) static var wakeWriteEnd: Int32 = -1
    nonisolated(unsafe) private static var wakeReadEnd: Int32 = -1

    /// Starts the thread. Call once, at boot.
    static func start() {
        guard epoll < 0 else { return }
        epoll = vm_poll_create()
        var ends: [Int32] = [0, 0]
        guard epoll >= 0, vm_pipe(&ends, true) == 0 else {
            complain("enigma: cannot make the poll set: error \(errno)")
            exit(1)
        }
        (wakeReadEnd, wakeWriteEnd) = (ends[0], ends[1])
        _ = change(pollAdd, wakeReadEnd, Watch(port: noPort, interest: .input, isAlwaysReady: false))
        var thread = pthread_t()
        let result = pthread_create(&thread, nil, { _ in
            PortPoll.run()
            return nil
        }, nil)
        guard result == 0 else {
            complain("enigma: cannot start the poll thread")
            exit(1)
        }
    }

    private static func change(_ operation: Int, _ descriptor: Int32, _ watch: Watch) -> Bool {
        var events = 0
        if watch.interest.contains(.input) || watch.interest.contains(.process) { events |= pollInput }
        if watch.interest.contains(.output) { events |= pollOutput }
        let data = watch.port << 32 | UInt64(UInt32(bitPattern: descriptor))
        return vm_poll_control(epoll, Int32(operation), descriptor, UInt32(events), data) == 0
    }

    /// Sets what `port` wants to hear about a descriptor. An empty interest forgets it.
    static func watch(_ descriptor: Int32, for port: Port?, _ interest: Interest) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        let old = watches[descriptor]
        if old?.isAlwaysReady == true { alwaysReadyCount -= 1 }
        if interest.isEmpty {
            guard let old else { return }
            if !old.isAlwaysReady { _ = change(pollRemove, descriptor, old) }
            watches[descriptor] = nil
            return
        }
        var new = Watch(port: port?.number ?? noPort, interest: interest, isAlwaysReady: false)
        let isKnown = old.map { !$0.isAlwaysReady } ?? false
        if !change(isKnown ? pollChange : pollAdd, descriptor, new), errno == EPERM {
            new.isAlwaysReady = true
            alwaysReadyCount += 1
            wake()
        }
        watches[descriptor] = new
    }

    /// Makes the thread look at its tables again.
    static func wake() {
        var zero: UInt8 = 0
        _ = write(wakeWriteEnd, &zero, 1)
    }

    // MARK: Timers

    /// When to call a port's `timedOut`, in ns of the monotonic clock. Under `lock`.
    nonisolated(unsafe) private static var deadlines: [UInt64: Int] = [:]

    static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
    }

    /// Sets the one timer of a port; nil stops it.
    static func setTimer(_ port: Port, _ deadline: Int?) {
        vm_lock(&lock)
        let wakes = deadline != nil
        deadlines[port.number] = deadline
        vm_unlock(&lock)
        if wakes { wake() }
    }

    private static func runTimers() {
        vm_lock(&lock)
        let time = now()
        let due = deadlines.filter { $0.value <= time }
        for number in due.keys { deadlines[number] = nil }
        vm_unlock(&lock)
        for number in due.keys {
            guard let port = PortTable.working(number) else { continue }
            port.locked { if port.state == .open { port.driver.timedOut() } }
        }
    }

    /// Milliseconds to the next deadline, rounded up; -1 without one. Requires: the lock.
    private static func waitTime() -> Int32 {
        guard let next = deadlines.values.min() else { return -1 }
        return Int32(clamping: max(0, next - now() + 999_999) / 1_000_000)
    }

    /// What is watched: descriptors, and those among them that take part.
    static var counts: (all: Int, active: Int) {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return (watches.count, watches.values.filter { !$0.interest.isEmpty }.count)
    }

    private static func run() {
        var events = [PollEvent](repeating: PollEvent(), count: 64)
        while true {
            vm_lock(&lock)
            let readyDescriptors = alwaysReadyCount == 0 ? [] : watches.filter { $0.value.isAlwaysReady }
            let wait = readyDescriptors.isEmpty ? waitTime() : 0
            vm_unlock(&lock)
            let count = vm_poll_wait(epoll, &events, 64, wait)
            runTimers()
            for index in 0..<max(0, Int(count)) {
                let event = events[index]
                let bits = Int(event.events)
                // A failure shows at the next read or write.
                let failed = bits & pollFailure != 0
                handle(
                    Int32(truncatingIfNeeded: event.data), event.data >> 32, input: bits & pollInput != 0 || failed,
                    output: bits & pollOutput != 0 || failed)
            }
            for (descriptor, watch) in readyDescriptors {
                handle(descriptor, watch.port, input: true, output: true)
            }
        }
    }

    private static func handle(_ descriptor: Int32, _ number: UInt64, input: Bool, output: Bool) {
        if descriptor == wakeReadEnd { return readSignals() }
        guard let port = number == noPort ? nil : PortTable.working(number) else { return abandoned(descriptor) }
        port.locked {
            // The interest may have changed since; a descriptor may even belong to another port by now.
            vm_lock(&lock)
            let watch = watches[descriptor]
            vm_unlock(&lock)
            guard let watch, watch.port == number, port.state != .closed else { return }
            if watch.interest.contains(.process) {
                if let status = reap(descriptor, port.osProcess) { port.driver.processEnded(status) }
                return
            }
            if input, watch.interest.contains(.input) { port.driver.readyInput(descriptor) }
            if output, watch.interest.contains(.output), port.state != .closed { port.driver.readyOutput(descriptor) }
        }
    }

    /// Collects an ended child and forgets its descriptor; nil if it has not ended.
    private static func reap(_ descriptor: Int32, _ pid: Int32) -> Int32? {
        var status: Int32 = 0
        guard pid > 0 else { return nil }
        let result = waitpid(pid, &status, WNOHANG)
        guard result == pid || (result < 0 && errno == ECHILD) else { return nil }
        watch(descriptor, for: nil, [])
        Glibc.close(descriptor)
        return status
    }

    // MARK: Children without a port

    nonisolated(unsafe) private static var orphans: [Int32: Int32] = [:]

    /// The port of a child process is gone: the thread collects the child when it ends.
    static func adopt(_ descriptor: Int32, pid: Int32) {
        vm_lock(&lock)
        orphans[descriptor] = pid
        vm_unlock(&lock)
        watch(descriptor, for: nil, .process)
    }

    private static func abandoned(_ descriptor: Int32) {
        vm_lock(&lock)
        let pid = orphans[descriptor]
        vm_unlock(&lock)
        guard let pid, reap(descriptor, pid) != nil else { return }
        vm_lock(&lock)
        orphans[descriptor] = nil
        vm_unlock(&lock)
    }

    private static func readSignals() {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(wakeReadEnd, &buffer, 64)
        guard count > 0 else { return }
        for number in buffer[..<count] where number != 0 { OSSignals.arrived(Int32(number)) }
    }
}
