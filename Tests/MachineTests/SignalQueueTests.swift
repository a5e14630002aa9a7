// SignalQueueTests.swift: the inner queue: order, removal in the middle, and markers that survive it.

import CMachine
import Terms
import Glibc
import Testing

@testable import Machine

private func makeReceiver(_ count: Int) -> UnsafeMutablePointer<Process> {
    let process = UnsafeMutablePointer<Process>.allocate(capacity: 1)
    memset(process, 0, MemoryLayout<Process>.size)
    process.initializeQueues()
    for index in 0..<count {
        let signal = newSignal(SignalKind.message, from: .none)
        signal.pointee.payload = .small(index)
        process.appendMessage(signal)
    }
    return process
}

@Test func selectiveReceiveKeepsTheOthers() {
    let process = makeReceiver(5)
    // Takes 3, then everything in order.
    while receivePeek(process) != .small(3) { receiveNext(process) }
    receiveRemove(process)
    var rest: [Int] = []
    while let message = receivePeek(process) {
        rest.append(message.smallValue)
        receiveRemove(process)
    }
    #expect(rest == [0, 1, 2, 4])
    #expect(process.pointee.messageCount == 0)
    #expect(process.pointee.messagesLast == process.messagesField)
}

@Test func markerSkipsOlderMessages() {
    let process = makeReceiver(3)
    let marker = receiveMarkerReserve(process)
    var heap = Heap()
    let reference = withUnsafeMutablePointer(to: &heap) { $0.reference((0x8000_0000_0000_0001, 7)) }
    receiveMarkerBind(process, marker, reference)
    let signal = newSignal(SignalKind.message, from: .none)
    signal.pointee.payload = .small(99)
    process.appendMessage(signal)
    // The message before the marked place goes away: the marker moves with it.
    receiveNext(process)
    receiveNext(process)
    #expect(receivePeek(process) == .small(2))
    receiveRemove(process)
    receiveMarkerUse(process, reference)
    #expect(receivePeek(process) == .small(99))
    receiveMarkerClear(process, reference)
    receiveResetSave(process)
    #expect(receivePeek(process) == .small(0))
}

@Test func wakingQueuesOnce() {
    let process = makeReceiver(0)
    #expect(process.markRunnable(ProcessState.active))
    #expect(!process.markRunnable(ProcessState.active))
    #expect(!process.markRunnable(ProcessState.signals))
    process.switchIn()
    #expect(!process.markRunnable(ProcessState.active))
    #expect(process.beginWaiting())
    _ = process.takeOuter()
    #expect(!process.switchOut())
    #expect(process.markRunnable(ProcessState.signals))
}
