// TimerWheelTests.swift: no timer fires early, late or twice, and those of one tick fire in the order they were set.

import CMachine
import Glibc
import Testing

@testable import Machine

private func makeWheel(at now: UInt64) -> UnsafeMutablePointer<TimerWheel> {
    let wheel = UnsafeMutablePointer<TimerWheel>.allocate(capacity: 1)
    wheel.initialize(to: TimerWheel())
    wheel.initializeWheel(index: 0, now: now)
    return wheel
}

@Test(arguments: [0, 1, 62, 63, 64, 4095, 4096, 262_143, 1_000_000_007] as [UInt64])
func wheelFiresInOrder(start: UInt64) {
    let wheel = makeWheel(at: start)
    let delays: [UInt64] = [1, 2, 2, 63, 64, 65, 4095, 4096, 4097, 262_144, 70_000_000, 64, 1]
    let nodes = UnsafeMutablePointer<TimerNode>.allocate(capacity: delays.count)
    nodes.initialize(repeating: TimerNode(), count: delays.count)
    for (index, delay) in delays.enumerated() {
        nodes[index].deadline = start + delay
        wheel.add(nodes + index)
    }
    var fired: [Int] = []
    var now = start
    while fired.count < delays.count {
        let next = wheel.nextTick
        #expect(next != UInt64.max && next > now)
        now = next
        wheel.advance(to: now) { node in
            #expect(node.pointee.deadline == now)
            fired.append(node - nodes)
        }
    }
    let expected = delays.indices.sorted { (delays[$0], $0) < (delays[$1], $1) }
    #expect(fired == expected)
    #expect(wheel.pointee.count == 0 && wheel.nextTick == UInt64.max)
}

@Test func removedTimersDoNotFire() {
    let wheel = makeWheel(at: 5)
    let nodes = UnsafeMutablePointer<TimerNode>.allocate(capacity: 100)
    nodes.initialize(repeating: TimerNode(), count: 100)
    for index in 0..<100 {
        nodes[index].deadline = 5 + UInt64(index * index)
        wheel.add(nodes + index)
    }
    for index in stride(from: 0, to: 100, by: 2) { wheel.remove(nodes + index) }
    var fired: [Int] = []
    wheel.advance(to: 20_000) { fired.append($0 - nodes) }
    #expect(fired == Array(stride(from: 1, to: 100, by: 2)))
}

@Test func lowPriorityRunsEveryEighthTime() {
    let queue = UnsafeMutablePointer<RunQueue>.allocate(capacity: 1)
    queue.initialize(to: RunQueue())
    let processes = UnsafeMutablePointer<Process>.allocate(capacity: 40)
    memset(processes, 0, 40 * MemoryLayout<Process>.stride)
    for index in 0..<40 {
        processes[index].priority = index < 20 ? ProcessPriority.normal : ProcessPriority.low
        _ = queue.push(processes + index)
    }
    processes[5].priority = ProcessPriority.normal
    var order: [Int] = []
    while let process = queue.pop() { order.append(process - processes) }
    #expect(order.count == 40 && queue.length == 0)
    #expect(Array(order[0..<7]) == Array(0..<7) && order[7] == 20 && order[15] == 21)
}
