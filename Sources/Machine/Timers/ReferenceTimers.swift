// ReferenceTimers.swift: timers that send a message: erlang:send_after and start_timer. They are found again by their
// reference, whose number says on which scheduler's wheel they are; the wheel's hash table has them by number.
//
// A timer is freed by whoever takes it out of the wheel: cancelling, or the scheduler that fires it.

import CMachine
import Glibc
import Terms

struct ReferenceTimer {
    var node: TimerNode  // first, so that a node's address is the timer's
    var nextInBucket: Ref<ReferenceTimer>?
    var numbers: (UInt64, UInt64)
    /// A local pid or a registered name.
    var destination: Term
    /// What is sent; a copy in `fragment`, or an immediate.
    var message: Term
    var fragment: Ref<Fragment>?
}

enum ReferenceTimers {
    static func timer(_ node: Ref<TimerNode>) -> Ref<ReferenceTimer> {
        UnsafeMutableRawPointer(node).assumingMemoryBound(to: ReferenceTimer.self)
    }

    /// The wheel on which a timer with this reference is.
    private static func wheel(of numbers: (UInt64, UInt64)) -> Ref<TimerWheel> {
        let index = References.scheduler(of: numbers)
        return Schedulers.at(index < 0 ? 0 : index % Schedulers.count).timers
    }

    /// Sets a timer. `message` is copied; with `wrap` what is sent is {timeout,Ref,Message}.
    static func start(
        numbers: (UInt64, UInt64), deadline: UInt64, to destination: Term, _ message: Term,
        wrap: Bool
    ) {
        let timer = Ref<ReferenceTimer>.allocate(capacity: 1)
        var heap = Heap()
        let size = flatSize(message, copyLiterals: true)
        let words = size + (wrap ? 4 + Layout.referenceWords : 0)
        var body = message
        if words > 0 {
            let fragment = newFragment(capacity: words)
            heap.fragments = fragment
            body = withUnsafeMutablePointer(to: &heap) { heap in
                let copy = copyTerm(message, to: heap, copyLiterals: true)
                return wrap ? heap.tuple(Atoms.timeout, heap.reference(numbers), copy) : copy
            }
            heap.fragments?.pointee.offHeap = heap.offHeap
        }
        timer.initialize(
            to: ReferenceTimer(
                node: TimerNode(), nextInBucket: nil, numbers: numbers, destination: destination, message: body,
                fragment: heap.fragments))
        let node = UnsafeMutableRawPointer(timer).assumingMemoryBound(to: TimerNode.self)
        node.pointee.kind = TimerKind.reference
        node.pointee.deadline = deadline
        let wheel = wheel(of: numbers)
        vm_lock(&wheel.pointee.lock)
        remember(wheel, timer)
        wheel.add(node)
        vm_unlock(&wheel.pointee.lock)
        // If the wheel is another thread's and that one sleeps, it must sleep for a shorter time.
        Schedulers.wake(Schedulers.at(Int(wheel.pointee.index)))
    }

    // MARK: The wheel's table; under the wheel's lock

    private static func bucket(_ wheel: Ref<TimerWheel>, _ numbers: (UInt64, UInt64)) -> Int {
        Int(truncatingIfNeeded: (numbers.0 ^ numbers.0 &>> 32) &* 0x9E37_79B9 &>> 8) & (Int(wheel.pointee.bucketCount) - 1)
    }

    private static func buckets(_ wheel: Ref<TimerWheel>) -> Ref<Ref<ReferenceTimer>?> {
        UnsafeMutableRawPointer(wheel.pointee.buckets.unsafelyUnwrapped)
            .assumingMemoryBound(to: Ref<ReferenceTimer>?.self)
    }

    private static func remember(_ wheel: Ref<TimerWheel>, _ timer: Ref<ReferenceTimer>) {
        if wheel.pointee.namedCount >= wheel.pointee.bucketCount {
            // Timers to processes that have ended stay until they are due or the table is full: so each ending costs
            // nothing, and they never are more than the others.
            var orphans = takeOrphans(wheel)
            while let orphan = orphans {
                orphans = orphan.pointee.nextInBucket
                release(orphan, withMessage: true)
            }
            if wheel.pointee.namedCount * 2 >= wheel.pointee.bucketCount { grow(wheel) }
        }
        wheel.pointee.namedCount += 1
        let index = bucket(wheel, timer.pointee.numbers)
        timer.pointee.nextInBucket = buckets(wheel)[index]
        buckets(wheel)[index] = timer
    }

    /// Calls `body` with every timer that is set. The body must not touch timers.
    static func forEach(_ body: (Ref<ReferenceTimer>) -> Void) {
        for index in 0..<Schedulers.count {
            let wheel = Schedulers.at(index).timers
            vm_lock(&wheel.pointee.lock)
            for bucket in 0..<Int(wheel.pointee.bucketCount) {
                var next = buckets(wheel)[bucket]
                while let timer = next {
                    body(timer)
                    next = timer.pointee.nextInBucket
                }
            }
            vm_unlock(&wheel.pointee.lock)
        }
    }

    private static func grow(_ wheel: Ref<TimerWheel>) {
        let oldCount = Int(wheel.pointee.bucketCount)
        let old = wheel.pointee.buckets
        let count = max(64, oldCount * 2)
        guard let memory = calloc(count, 8) else { outOfMemory(count * 8) }
        wheel.pointee.buckets = memory.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
        wheel.pointee.bucketCount = UInt64(count)
        guard let old else { return }
        let oldBuckets = UnsafeMutableRawPointer(old).assumingMemoryBound(to: Ref<ReferenceTimer>?.self)
        for index in 0..<oldCount {
            var next = oldBuckets[index]
            while let timer = next {
                next = timer.pointee.nextInBucket
                let target = bucket(wheel, timer.pointee.numbers)
                timer.pointee.nextInBucket = buckets(wheel)[target]
                buckets(wheel)[target] = timer
            }
        }
        free(old)
    }

    /// Removes a timer that leaves the wheel from its table.
    static func forget(_ node: Ref<TimerNode>) {
        let leaving = timer(node)
        let wheel = node.pointee.wheel.unsafelyUnwrapped
        let index = bucket(wheel, leaving.pointee.numbers)
        var link = buckets(wheel) + index
        while let timer = link.pointee {
            if timer == leaving {
                link.pointee = timer.pointee.nextInBucket
                wheel.pointee.namedCount -= 1
                return
            }
            link = (UnsafeMutableRawPointer(timer) + MemoryLayout<ReferenceTimer>.offset(of: \.nextInBucket)!)
                .assumingMemoryBound(to: Ref<ReferenceTimer>?.self)
        }
    }

    private static func find(_ wheel: Ref<TimerWheel>, _ numbers: (UInt64, UInt64)) -> Ref<ReferenceTimer>? {
        guard wheel.pointee.bucketCount > 0 else { return nil }
        var next = buckets(wheel)[bucket(wheel, numbers)]
        while let timer = next {
            if timer.pointee.numbers == numbers { return timer }
            next = timer.pointee.nextInBucket
        }
        return nil
    }

    // MARK: Cancelling, reading, firing

    /// Milliseconds left of the timer with this reference, which is taken away if `cancel`; nil if there is none.
    static func remaining(_ numbers: (UInt64, UInt64), cancel: Bool) -> Int? {
        let wheel = wheel(of: numbers)
        vm_lock(&wheel.pointee.lock)
        guard let timer = find(wheel, numbers), !isOrphan(timer) else {
            vm_unlock(&wheel.pointee.lock)
            return nil
        }
        let deadline = timer.pointee.node.deadline
        if cancel {
            let node = UnsafeMutableRawPointer(timer).assumingMemoryBound(to: TimerNode.self)
            forget(node)
            wheel.remove(node)
        }
        vm_unlock(&wheel.pointee.lock)
        if cancel { release(timer, withMessage: true) }
        let now = Clock.sinceBoot()
        let (end, overflow) = Int64(clamping: deadline).multipliedReportingOverflow(by: 1_000_000)
        if overflow { return Int(clamping: deadline) - Int(now / 1_000_000) }
        return max(0, Int((end - now) / 1_000_000))
    }

    private static func release(_ timer: Ref<ReferenceTimer>, withMessage: Bool) {
        if withMessage { freeFragments(timer.pointee.fragment) }
        timer.deinitialize(count: 1)
        timer.deallocate()
    }

    /// Sends the message. Requires: the timer is in no wheel any more.
    static func fire(_ node: Ref<TimerNode>, _ scheduler: Ref<Scheduler>) {
        let timer = timer(node)
        var destination = timer.pointee.destination
        if destination.isAtom { destination = Registry.find(destination) }
        var delivered = false
        if destination.isLocalPid {
            let signal = newSignal(SignalKind.message, from: .none)
            signal.pointee.payload = timer.pointee.message
            signal.pointee.fragments = timer.pointee.fragment
            delivered = true
            _ = deliver(signal, to: destination, from: scheduler)
        }
        release(timer, withMessage: !delivered)
    }

    /// Takes away the timers whose receiver has ended: nobody can see them any more. Answers them, linked.
    private static func takeOrphans(_ wheel: Ref<TimerWheel>) -> Ref<ReferenceTimer>? {
        var orphans: Ref<ReferenceTimer>? = nil
        for index in 0..<Int(wheel.pointee.bucketCount) {
            var next = buckets(wheel)[index]
            while let timer = next {
                next = timer.pointee.nextInBucket
                guard isOrphan(timer) else { continue }
                let node = UnsafeMutableRawPointer(timer).assumingMemoryBound(to: TimerNode.self)
                forget(node)
                wheel.remove(node)
                timer.pointee.nextInBucket = orphans
                orphans = timer
            }
        }
        return orphans
    }

    private static func isOrphan(_ timer: Ref<ReferenceTimer>) -> Bool {
        let destination = timer.pointee.destination
        return destination.isLocalPid && ProcessTable.find(destination) == nil
    }
}
