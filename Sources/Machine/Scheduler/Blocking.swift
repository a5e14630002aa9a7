// Blocking.swift: stops the normal schedulers for a while, for the break menu and crash dumps, which look at everything.
// A scheduler stops between two slices. Dirty threads go on: what they run is left alone by who looks.

public import CMachine
import Glibc
import Terms

public enum Blocking {
    /// 1 while somebody wants the schedulers to stand still; a futex. Atomic.
    nonisolated(unsafe) private static var requested: UInt32 = 0
    /// Schedulers that stand still. Atomic.
    nonisolated(unsafe) private static var parked: UInt32 = 0

    /// How long to wait for schedulers that are busy in native code, in pauses of a millisecond.
    private static let patience = 3000

    static var isRequested: Bool { vm_load_acquire32(&requested) != 0 }

    /// Stands still until `unblock`.
    @inline(never) static func park() {
        _ = vm_fetch_add32(&parked, 1)
        while isRequested { vm_futex_wait(&requested, 1, -1) }
        _ = vm_fetch_sub32(&parked, 1)
    }

    /// Stops the schedulers but the caller's (nil: the caller is none). False if somebody else has stopped them. Busy
    /// ones are waited for, but not for ever.
    public static func block(from scheduler: Ref<Scheduler>?) -> Bool {
        guard vm_compare_exchange32(&requested, 0, 1) == 0 else { return false }
        let isScheduler = scheduler.map { $0.pointee.isDirty == 0 } ?? false
        let others = UInt32(Schedulers.count - (isScheduler ? 1 : 0))
        for _ in 0..<patience {
            for index in 0..<Schedulers.count { Schedulers.wake(Schedulers.at(index)) }
            if vm_load_acquire32(&parked) >= others { break }
            usleep(1000)
        }
        return true
    }

    public static func unblock() {
        _ = vm_fetch_and32(&requested, 0)
        vm_futex_wake(&requested, Int32.max)
    }

    /// For a thread that came too late to end the VM its way.
    static func waitForEnd() -> Never {
        park()
        while true { pause() }
    }
}
