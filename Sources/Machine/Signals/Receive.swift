// Receive.swift: the private side of the message queue: what the receive instructions do. All functions run in the
// process's own thread; the inner queue needs no lock.
//
//     messages -> m1 -> m2 -> m3        savePointer: the link to the message looked at next
//
// A message's fragments become part of the heap when it is handed out; from then on its payload is a root of the
// collector until it is removed (ProcessRoots.swift).

public import CMachine
public import Terms

/// The message at the save pointer, or nil: none is there, or the process must end (`isExiting`).
public func receivePeek(_ process: Ref<Process>) -> Term? {
    while true {
        if let signal = process.pointee.savePointer.unsafelyUnwrapped.pointee {
            process.adopt(signal)
            return signal.pointee.payload
        }
        guard process.pointee.outerCount != 0 || process.state & ProcessState.signals != 0 else { return nil }
        guard handleSignals(process), process.pointee.savePointer.unsafelyUnwrapped.pointee != nil else { return nil }
    }
}

/// Goes on to the next message: the present one stays in the queue.
public func receiveNext(_ process: Ref<Process>) {
    guard let signal = process.pointee.savePointer.unsafelyUnwrapped.pointee else { return }
    process.pointee.savePointer = nextLink(signal)
}

/// The present message matched: takes it out of the queue, looks from the start the next time, ends the timeout.
public func receiveRemove(_ process: Ref<Process>) {
    let link = process.pointee.savePointer.unsafelyUnwrapped
    guard let signal = link.pointee else { return }
    link.pointee = signal.pointee.next
    if process.pointee.messagesLast == nextLink(signal) { process.pointee.messagesLast = link }
    if process.pointee.markers != nil { moveMarkers(process, from: nextLink(signal), to: link) }
    process.pointee.messageCount &-= 1
    if _slowPath(signal.pointee.flags & SequentialTrace.carriesToken != 0)
        || _slowPath(process.pointee.flags & ProcessFlags.sequential != 0)
    {
        SequentialTrace.receiving(process, signal)
    }
    freeSignal(signal)
    process.pointee.savePointer = process.messagesField
    if process.pointee.hasTimeout != 0 { cancelTimeout(process) }
}

/// Looks from the start the next time.
public func receiveResetSave(_ process: Ref<Process>) { process.pointee.savePointer = process.messagesField }

/// No message matched. True: go on, something arrived meanwhile (or the process must end). False: the process waits; it
/// must leave Erlang code.
public func receiveWait(_ process: Ref<Process>) -> Bool {
    vm_lock(&process.pointee.signalLock)
    defer { vm_unlock(&process.pointee.signalLock) }
    if process.pointee.outerFirst != nil { return true }
    return !process.beginWaiting()
}

/// Before hibernating. True: the process waits; false: there are messages, so it goes on at once, or it must end. Handles
/// the signals that are there. Requires: the x registers are saved.
public func receiveHibernate(_ process: Ref<Process>) -> Bool {
    process.pointee.savePointer = process.messagesField
    while process.pointee.messages == nil {
        if !receiveWait(process) { return true }
        if !handleSignals(process) { break }
    }
    return false
}

// MARK: - Timeouts

@frozen public enum ReceiveTimeout {
    case waiting
    case expired
    /// No timeout value.
    case invalid
}

/// `after Time` of the receive under way; the first call sets the timer, later ones look at it.
public func receiveSetTimeout(_ process: Ref<Process>, _ time: Term) -> ReceiveTimeout {
    if process.pointee.hasTimeout != 0 {
        return process.state & ProcessState.timedOut != 0 ? .expired : .waiting
    }
    if time == Atoms.infinity {
        // As if a timer ran: the next time the register that `time` came from holds nothing.
        process.pointee.hasTimeout = 1
        return .waiting
    }
    guard time.isSmall else { return .invalid }
    let milliseconds = time.smallValue
    guard milliseconds >= 0, milliseconds <= 0xFFFF_FFFF else { return .invalid }
    if milliseconds == 0 { return .expired }
    setTimeout(process, UInt64(milliseconds))
    return .waiting
}

@inline(never) private func setTimeout(_ process: Ref<Process>, _ milliseconds: UInt64) {
    let wheel = process.pointee.scheduler.unsafelyUnwrapped.timers
    let node = process.timeoutNode
    node.pointee.kind = TimerKind.receive
    node.pointee.deadline = Clock.deadline(after: milliseconds)
    vm_lock(&wheel.pointee.lock)
    wheel.add(node)
    vm_unlock(&wheel.pointee.lock)
    process.pointee.hasTimeout = 1
}

/// Takes the timer away. It fires under its wheel's lock, so afterwards nobody touches the node.
func cancelTimeout(_ process: Ref<Process>) {
    process.pointee.hasTimeout = 0
    let node = process.timeoutNode
    guard let wheel = node.pointee.wheel else { return }
    vm_lock(&wheel.pointee.lock)
    if node.pointee.isLinked != 0 { wheel.remove(node) }
    vm_unlock(&wheel.pointee.lock)
    _ = vm_fetch_and32(&process.pointee.state, ~ProcessState.timedOut)
}

/// The `after` branch is taken.
public func receiveTimedOut(_ process: Ref<Process>) {
    process.pointee.savePointer = process.messagesField
    if process.pointee.hasTimeout != 0 { cancelTimeout(process) }
}

extension UnsafeMutablePointer where Pointee == Process {
    var timeoutNode: Ref<TimerNode> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<Process>.offset(of: \.timeout)!)
            .assumingMemoryBound(to: TimerNode.self)
    }
}

// MARK: - Markers

// A receive for messages that hold a reference starts behind the messages that were in the inner queue when the
// reference was made: they cannot hold it. Markers are only a help: one that was forgotten costs a longer search.

/// Reserves a marker at the end of the queue; its identity, or `undefined`.
public func receiveMarkerReserve(_ process: Ref<Process>) -> Term {
    let markers = allMarkers(process)
    process.pointee.nextMarker &+= 1
    let id = process.pointee.nextMarker
    var chosen = markers
    for index in 0..<receiveMarkerCount {
        let marker = markers + index
        if marker.pointee.position == nil {
            chosen = marker
            break
        }
        if marker.pointee.id < chosen.pointee.id { chosen = marker }
    }
    chosen.pointee = ReceiveMarker(position: process.pointee.messagesLast, numbers: (0, 0), id: id)
    return .small(Int(id & 0xFFFF_FFFF_FFFF))
}

private func allMarkers(_ process: Ref<Process>) -> Ref<ReceiveMarker> {
    if let markers = process.pointee.markers { return markers }
    let count = receiveMarkerCount
    let markers = Ref<ReceiveMarker>.allocate(capacity: count)
    markers.initialize(repeating: ReceiveMarker(), count: count)
    process.pointee.markers = markers
    return markers
}

private func findMarker(_ process: Ref<Process>, _ matches: (Ref<ReceiveMarker>) -> Bool) -> Ref<ReceiveMarker>? {
    guard let markers = process.pointee.markers else { return nil }
    for index in 0..<receiveMarkerCount {
        let marker = markers + index
        if marker.pointee.position != nil, matches(marker) { return marker }
    }
    return nil
}

private func findMarker(_ process: Ref<Process>, reference: Term) -> Ref<ReceiveMarker>? {
    guard reference.isReference else { return nil }
    let numbers = reference.referenceNumbers
    return findMarker(process) { $0.pointee.numbers == numbers }
}

/// Ties the reserved marker to the reference.
public func receiveMarkerBind(_ process: Ref<Process>, _ marker: Term, _ reference: Term) {
    guard marker.isSmall, reference.isReference else { return }
    let id = UInt64(marker.smallValue)
    guard let found = findMarker(process, { $0.pointee.id == id }) else { return }
    found.pointee.numbers = reference.referenceNumbers
}

/// The receive that follows looks for messages with this reference.
public func receiveMarkerUse(_ process: Ref<Process>, _ reference: Term) {
    guard let marker = findMarker(process, reference: reference) else { return }
    process.pointee.savePointer = marker.pointee.position
}

/// The reference is not waited for any more.
public func receiveMarkerClear(_ process: Ref<Process>, _ reference: Term) {
    let marker =
        reference.isSmall
        ? findMarker(process) { $0.pointee.id == UInt64(reference.smallValue) }
        : findMarker(process, reference: reference)
    marker?.pointee.position = nil
}

/// The message whose link was at `old` has left the queue.
private func moveMarkers(_ process: Ref<Process>, from old: Ref<Ref<Signal>?>, to new: Ref<Ref<Signal>?>) {
    let markers = process.pointee.markers.unsafelyUnwrapped
    for index in 0..<receiveMarkerCount where markers[index].position == old {
        markers[index].position = new
    }
}
