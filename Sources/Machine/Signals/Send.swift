// Send.swift: sending messages: `Destination ! Message`, and messages that native code builds in place.

public import CMachine
public import Terms

/// What became of a message.
@frozen public enum SendResult {
    /// Sent, or silently dropped as the language wants it.
    case sent
    /// No such name, or no destination at all: badarg.
    case badDestination
    /// The node is not connected (and cannot be).
    case noConnection
}

/// Sends a copy of `message`. `sender` nil: the VM itself. Charges the sender for copying large messages.
public func sendMessage(from sender: Ref<Process>?, to destination: Term, _ message: Term) -> SendResult {
    if destination.isLocalPid {
        sendToProcess(sender, destination, message)
        return .sent
    }
    if destination.isAtom {
        let owner = Registry.find(destination)
        if owner.isNone { return .badDestination }
        return sendMessage(from: sender, to: owner, message)
    }
    return sendElsewhere(sender, destination, message)
}

@inline(__always) private func sendToProcess(_ sender: Ref<Process>?, _ pid: Term, _ message: Term) {
    let signal = newSignal(SignalKind.message, from: sender?.pointee.id ?? .none)
    signal.carry(message)
    if let sender, _slowPath(sender.pointee.flags & ProcessFlags.sequential != 0) {
        SequentialTrace.sending(sender, signal, to: pid)
    }
    chargeCopy(sender, signal)
    deliver(signal, to: pid, from: sender?.pointee.scheduler)
}

/// 64 words a reduction, for messages beyond 64 words.
@inline(__always) private func chargeCopy(_ sender: Ref<Process>?, _ signal: Ref<Signal>) {
    guard let sender, let words = signal.pointee.fragments?.pointee.used, words > 64 else { return }
    sender.bump(Int(min(words / 64, 4000)))
}

@inline(never) private func sendElsewhere(_ sender: Ref<Process>?, _ destination: Term, _ message: Term) -> SendResult {
    if destination.isLocalPort {
        _ = PortHooks.send?(sender, destination, message)
        return .sent
    }
    if destination.isReference { return sendToAlias(sender, destination, message) }
    if destination.isTuple(2) {
        let name = destination.element(0)
        let node = destination.element(1)
        guard name.isAtom, node.isAtom else { return .badDestination }
        if node == Nodes.local.pointee.name {
            let owner = Registry.find(name)
            return owner.isNone ? .sent : sendMessage(from: sender, to: owner, message)
        }
        return .noConnection
    }
    // Of another node, or of this one under the name it had before.
    return destination.isPid || destination.isPort ? .noConnection : .badDestination
}

/// A message to a reference: delivered if that is an active alias when it arrives, else dropped.
private func sendToAlias(_ sender: Ref<Process>?, _ reference: Term, _ message: Term) -> SendResult {
    guard reference.isAliasReference else { return .sent }
    let signal = newSignal(
        SignalKind.aliasMessage, from: sender?.pointee.id ?? .none, numbers: reference.referenceNumbers)
    signal.carry(message)
    chargeCopy(sender, signal)
    deliver(signal, to: reference.aliasedPid, from: sender?.pointee.scheduler)
    return .sent
}

/// Sends a message that `build` makes on the heap it is given (the memory of the message). `scheduler`: of the calling
/// thread, if it is one. False: there is no such process.
@discardableResult
public func sendBuilt(
    to pid: Term, from sender: Term = .none, on scheduler: Ref<Scheduler>? = nil, _ build: (Ref<Heap>) -> Term
) -> Bool {
    deliver(builtSignal(SignalKind.message, from: sender, build), to: pid, from: scheduler)
}

/// The same to a registered name; false if nobody has it.
@discardableResult
public func sendBuilt(
    toName name: Term, from sender: Term = .none, on scheduler: Ref<Scheduler>? = nil, _ build: (Ref<Heap>) -> Term
) -> Bool {
    let owner = Registry.find(name)
    guard owner.isLocalPid else { return false }
    return sendBuilt(to: owner, from: sender, on: scheduler, build)
}

/// A signal whose payload is built in its own fragments.
func builtSignal(_ kind: UInt32, from sender: Term, _ build: (Ref<Heap>) -> Term) -> Ref<Signal> {
    let signal = newSignal(kind, from: sender)
    var heap = Heap()
    signal.pointee.payload = withUnsafeMutablePointer(to: &heap) { build($0) }
    signal.takeFragments(&heap)
    return signal
}

extension UnsafeMutablePointer where Pointee == Signal {
    /// Makes what was built on `heap` part of the signal, before what it has already.
    func takeFragments(_ heap: inout Heap) {
        guard let first = heap.fragments else { return }
        // The binaries were linked in the heap; they travel with the first fragment.
        first.pointee.offHeap = heap.offHeap
        var last = first
        while let next = last.pointee.next { last = next }
        last.pointee.next = pointee.fragments
        pointee.fragments = first
        heap = Heap()
    }
}

/// Sends `{Ref, Result}` to the process that asked something.
func reply(_ numbers: (UInt64, UInt64), to pid: Term, from process: Ref<Process>, _ result: Term) {
    guard numbers.0 != 0 else { return }
    sendBuilt(to: pid, from: process.pointee.id, on: process.pointee.scheduler) { heap in
        heap.tuple(heap.reference(numbers), copyTerm(result, to: heap))
    }
}
