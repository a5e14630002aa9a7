// TableLock.swift: the readers/writer lock of a table.
//
// A reader adds one to its counter and then looks at `writer`; a writer sets `writer` and then waits until every
// counter is zero. Both steps are locked instructions, so one of the two always sees the other. Tables made for many
// readers have `slotLimit` counters on cache lines of their own, chosen by the reader's scheduler.
//
// The memory of a lock is only ever reused for a lock: a thread that reached a dead table may still take it and let go.

import CMachine
import Terms

/// One counter of readers, alone on a cache line.
struct ReaderSlot {
    var count: UInt32 = 0
    var padding: (UInt32, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
}

struct TableLock {
    static let slotLimit = 16

    /// 0 free, 1 a writer holds it or waits for the readers to leave, 2 the same and somebody sleeps on this word.
    var writer: UInt32 = 0
    /// Number of slots minus one: 0 or `slotLimit - 1`.
    var slotMask: UInt32 = 0
    /// Constant once made.
    var slots: Ref<ReaderSlot>! = nil
}

extension UnsafeMutablePointer where Pointee == TableLock {
    /// Makes a lock that was never used before.
    func create(manyReaders: Bool) {
        let count = manyReaders ? TableLock.slotLimit : 1
        let slots = Ref<ReaderSlot>.allocate(capacity: count)
        slots.initialize(repeating: ReaderSlot(), count: count)
        initialize(to: TableLock(writer: 0, slotMask: UInt32(count - 1), slots: slots))
    }

    /// The counter this process uses as long as it runs on its present scheduler.
    @inline(__always) private func slot(_ process: Ref<Process>) -> Ref<ReaderSlot> {
        if pointee.slotMask == 0 { return pointee.slots }
        let scheduler = UInt(bitPattern: process.pointee.scheduler)
        let mixed = UInt64(truncatingIfNeeded: scheduler) &* 0x9E37_79B9_7F4A_7C15
        return pointee.slots + Int(truncatingIfNeeded: mixed &>> 32 & UInt64(pointee.slotMask))
    }

    @inline(__always) func lockShared(_ process: Ref<Process>) {
        let counter = slot(process)
        _ = vm_fetch_add32(&counter.pointee.count, 1)
        if vm_load_acquire32(&pointee.writer) != 0 { lockSharedSlowly(counter) }
    }

    @inline(__always) func unlockShared(_ process: Ref<Process>) {
        leave(slot(process))
    }

    @inline(__always) private func leave(_ counter: Ref<ReaderSlot>) {
        let before = vm_fetch_sub32(&counter.pointee.count, 1)
        if before == 1, vm_load_acquire32(&pointee.writer) != 0 { vm_futex_wake(&counter.pointee.count, 1) }
    }

    @inline(never) private func lockSharedSlowly(_ counter: Ref<ReaderSlot>) {
        repeat {
            leave(counter)
            waitForWriter()
            _ = vm_fetch_add32(&counter.pointee.count, 1)
        } while vm_load_acquire32(&pointee.writer) != 0
    }

    /// Returns when the writer's word was seen free.
    private func waitForWriter() {
        for _ in 0..<100 {
            if vm_load_acquire32(&pointee.writer) == 0 { return }
            vm_pause()
        }
        while true {
            let seen = vm_load_acquire32(&pointee.writer)
            if seen == 0 { return }
            if seen == 2 || vm_compare_exchange32(&pointee.writer, 1, 2) == 1 {
                vm_futex_wait(&pointee.writer, 2, -1)
            }
        }
    }

    @inline(__always) func lockExclusive() {
        if vm_compare_exchange32(&pointee.writer, 0, 1) != 0 { becomeWriter() }
        for index in 0...Int(pointee.slotMask) {
            let counter = pointee.slots + index
            if vm_load_acquire32(&counter.pointee.count) != 0 { waitForReaders(counter) }
        }
    }

    @inline(never) private func becomeWriter() {
        repeat { waitForWriter() } while vm_compare_exchange32(&pointee.writer, 0, 2) != 0
    }

    @inline(never) private func waitForReaders(_ counter: Ref<ReaderSlot>) {
        for _ in 0..<200 {
            if vm_load_acquire32(&counter.pointee.count) == 0 { return }
            vm_pause()
        }
        while true {
            let seen = vm_load_acquire32(&counter.pointee.count)
            if seen == 0 { return }
            // A reader on its way out may look at `writer` before it is set: wake up by the clock too.
            vm_futex_wait(&counter.pointee.count, seen, 1_000_000)
        }
    }

    @inline(__always) func unlockExclusive() {
        // An exchange by hand: the value before tells whether somebody sleeps.
        if vm_compare_exchange32(&pointee.writer, 1, 0) != 1 { unlockExclusiveSlowly() }
    }

    @inline(never) private func unlockExclusiveSlowly() {
        vm_store_release32(&pointee.writer, 0)
        vm_futex_wake(&pointee.writer, Int32.max)
    }
}
