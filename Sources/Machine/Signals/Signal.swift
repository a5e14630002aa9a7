// Signal.swift: what processes (and ports, timers, ...) send to processes, and how it gets into the receiver's queue.
//
// The outer queue is one list for all kinds, so signals of one sender arrive in the order in which they were sent. The
// receiver moves it over as a whole and handles it in order (HandleSignals.swift); messages go to its private inner queue.

public import CMachine
import Glibc
public import Terms

/// Signal.kind. `numbers` below means a reference's number words in `extra.raw` and `number`.
@frozen public enum SignalKind {
    /// payload: the message
    public static let message: UInt32 = 0
    /// The same, sent to an alias (numbers).
    public static let aliasMessage: UInt32 = 1
    /// exit/2. payload: reason; flags: exitFlagOwnEnd if the process sent it to itself to end, with whatever reason
    public static let exit: UInt32 = 2
    static let exitFlagOwnEnd: UInt32 = 1
    /// A link broke. payload: reason
    public static let linkExit: UInt32 = 3
    public static let link: UInt32 = 4
    /// number: identity of the request, which the acknowledgement repeats
    public static let unlink: UInt32 = 5
    public static let unlinkAck: UInt32 = 6
    /// numbers; payload: the name that was monitored, or no term; flags: MonitorFlags
    public static let monitor: UInt32 = 7
    /// numbers
    public static let demonitor: UInt32 = 8
    /// numbers; payload: reason; from: what ended
    public static let down: UInt32 = 9
    /// payload: the new group leader; numbers of the reply {Ref, true | badarg}, or 0
    public static let groupLeader: UInt32 = 10
    /// numbers of the reply {Ref, Boolean}
    public static let isAlive: UInt32 = 11
    /// payload: list of items, or an item; numbers of the reply {Ref, Result}
    public static let processInfo: UInt32 = 12
    /// numbers of the reply {Ref, true}, if `flags` is 1; payload: tag of an asynchronous reply, or no term
    public static let suspend: UInt32 = 13
    /// payload: {RequestType, RequestId, Argument}, see SystemTasks.swift
    public static let systemTask: UInt32 = 14
    /// number: a SignalCall; payload: its argument. Runs in the receiver's thread.
    public static let call: UInt32 = 15
    /// numbers of the reply; payload: {save_calls, N}
    public static let processFlag: UInt32 = 16

    @inline(__always) static func isMessage(_ kind: UInt32) -> Bool { kind == message }
}

/// Work that another thread asks a process to do for it.
public typealias SignalCall = @convention(c) (_ receiver: Ref<Process>, _ payload: Term) -> Void

@inline(__always) func newSignal(_ kind: UInt32, from: Term) -> Ref<Signal> {
    guard let memory = malloc(MemoryLayout<Signal>.size) else { outOfMemory(MemoryLayout<Signal>.size) }
    let signal = memory.assumingMemoryBound(to: Signal.self)
    signal.initialize(
        to: Signal(
            next: nil, kind: kind, flags: 0, from: from, payload: .none, extra: .none, fragments: nil, number: 0))
    return signal
}

func newSignal(_ kind: UInt32, from: Term, numbers: (UInt64, UInt64)) -> Ref<Signal> {
    let signal = newSignal(kind, from: from)
    signal.pointee.extra = Term(raw: numbers.0)
    signal.pointee.number = numbers.1
    return signal
}

extension UnsafeMutablePointer where Pointee == Signal {
    var numbers: (UInt64, UInt64) { (pointee.extra.raw, pointee.number) }

    /// Puts a copy of `term` into the signal. Requires: it has no fragments yet.
    @inline(__always) func carry(_ term: Term) {
        let copy = copyToFragment(term)
        pointee.payload = copy.term
        pointee.fragments = copy.fragment
    }
}

/// Frees a signal and what it still owns.
func freeSignal(_ signal: Ref<Signal>) {
    if signal.pointee.fragments != nil { freeFragments(signal.pointee.fragments) }
    if _slowPath(signal.pointee.flags & SequentialTrace.carriesToken != 0) {
        SequentialTrace.free(Ref(bitPattern: UInt(signal.pointee.extra.raw)))
    }
    free(signal)
}

/// Puts a signal into the queue of the process with this pid and makes it runnable. False: there is no such process any
/// more, and the signal is freed. `scheduler`: of the calling thread, if it is one.
@discardableResult
func deliver(_ signal: Ref<Signal>, to pid: Term, from scheduler: Ref<Scheduler>?) -> Bool {
    guard let process = ProcessTable.find(pid) else {
        freeSignal(signal)
        return false
    }
    vm_lock(&process.pointee.signalLock)
    guard process.pointee.id == pid, process.state & ProcessState.closed == 0 else {
        vm_unlock(&process.pointee.signalLock)
        freeSignal(signal)
        return false
    }
    let link = process.pointee.outerLast.unsafelyUnwrapped
    link.pointee = signal
    process.pointee.outerLast = nextLink(signal)
    process.pointee.outerCount &+= 1
    let bits = SignalKind.isMessage(signal.pointee.kind) ? ProcessState.active : ProcessState.signals
    let push = process.markRunnable(bits)
    let isDirty = bits == ProcessState.signals && process.state & ProcessState.dirty != 0
    let priority = process.pointee.priority
    vm_unlock(&process.pointee.signalLock)
    // Whoever set `queued` owns the process until it is in a queue, so it cannot have ended in between.
    if push {
        Schedulers.push(process, from: scheduler)
    } else if _slowPath(isDirty) {
        DirtySignals.request(pid, priority, from: scheduler)
    }
    return true
}

/// Address of a signal's `next`.
@inline(__always) func nextLink(_ signal: Ref<Signal>) -> Ref<Ref<Signal>?> {
    UnsafeMutableRawPointer(signal).assumingMemoryBound(to: Ref<Signal>?.self)
}

extension UnsafeMutablePointer where Pointee == Process {
    @inline(__always) var messagesField: Ref<Ref<Signal>?> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Process>.offset(of: \.messages)!)
            .assumingMemoryBound(to: Ref<Signal>?.self)
    }
    @inline(__always) var outerField: Ref<Ref<Signal>?> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Process>.offset(of: \.outerFirst)!)
            .assumingMemoryBound(to: Ref<Signal>?.self)
    }

    /// Makes both queues empty. For a fresh process.
    func initializeQueues() {
        pointee.outerFirst = nil
        pointee.outerLast = outerField
        pointee.outerCount = 0
        pointee.messages = nil
        pointee.messagesLast = messagesField
        pointee.savePointer = messagesField
        pointee.messageCount = 0
    }

    /// Takes the whole outer queue.
    func takeOuter() -> Ref<Signal>? {
        vm_lock(&pointee.signalLock)
        defer { vm_unlock(&pointee.signalLock) }
        return takeOuterLocked()
    }

    /// The same under the signal lock.
    func takeOuterLocked() -> Ref<Signal>? {
        let first = pointee.outerFirst
        pointee.outerFirst = nil
        pointee.outerLast = outerField
        pointee.outerCount = 0
        _ = vm_fetch_and32(&pointee.state, ~ProcessState.signals)
        return first
    }

    /// Appends to the inner queue.
    @inline(__always) func appendMessage(_ signal: Ref<Signal>) {
        signal.pointee.next = nil
        pointee.messagesLast.unsafelyUnwrapped.pointee = signal
        pointee.messagesLast = nextLink(signal)
        pointee.messageCount &+= 1
        if _slowPath(isTraced) { Trace.received(self, from: signal.pointee.from, signal.pointee.payload) }
    }

    /// Makes a signal's fragments part of the heap.
    @inline(__always) func adopt(_ signal: Ref<Signal>) {
        guard let first = signal.pointee.fragments else { return }
        signal.pointee.fragments = nil
        adoptFragments(first)
    }

    func adoptFragments(_ first: Ref<Fragment>) {
        var last = first
        while true {
            pointee.heap.fragmentWords &+= last.pointee.used
            mergeOffHeap(last)
            // Nothing may be appended to it: its list has been merged.
            guard let next = last.pointee.next else { break }
            last = next
        }
        last.pointee.next = pointee.heap.fragments
        pointee.heap.fragments = first
    }

    private func mergeOffHeap(_ fragment: Ref<Fragment>) {
        guard let first = fragment.pointee.offHeap.first else { return }
        var last = first
        while let next = Words(bitPattern: UInt(last[2])) { last = next }
        last[2] = UInt64(UInt(bitPattern: pointee.heap.offHeap.first))
        pointee.heap.offHeap.first = first
        pointee.heap.offHeap.words &+= fragment.pointee.offHeap.words
        fragment.pointee.offHeap = OffHeapList()
    }
}
