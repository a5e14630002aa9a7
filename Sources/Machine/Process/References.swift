// References.swift: making references and unique integers. Each scheduler counts for itself; its index is part of the
// number, so no two threads make the same one. Threads that are no schedulers share counter number 0 under a lock.
//
//     number 0: counter bits 0-17   number 1: scheduler + 1 (10 bits, high) | alias mark | counter bits 18-38
//     number 2: the rest, mixed with a start value of this run; of an alias: its pid's data bits

public import CMachine
import Glibc
public import Terms

public enum References {
    nonisolated(unsafe) private static var salt: UInt32 = 0
    nonisolated(unsafe) private static var lock = Lock()
    /// Counters of the threads that are no schedulers, under `lock`.
    nonisolated(unsafe) private static var sharedCounter: UInt64 = 1
    nonisolated(unsafe) private static var sharedUnique: UInt64 = 0
    /// Atomic: unique_integer([monotonic]).
    nonisolated(unsafe) private static var monotonic: UInt64 = 0

    public static func boot() {
        salt = UInt32.random(in: 0...UInt32.max)
    }

    /// The number words of a fresh reference.
    public static func make(_ scheduler: Ref<Scheduler>?) -> (UInt64, UInt64) {
        let counter: UInt64
        var owner: UInt64 = 0
        if let scheduler {
            counter = scheduler.pointee.nextReference
            scheduler.pointee.nextReference = counter &+ 1
            owner = UInt64(scheduler.pointee.index) + 1
        } else {
            vm_lock(&lock)
            counter = sharedCounter
            sharedCounter &+= 1
            vm_unlock(&lock)
        }
        let one = (counter &>> 18 & 0x1F_FFFF) | (owner & 0x3FF) &<< 22
        let two = UInt64(salt &+ UInt32(truncatingIfNeeded: counter &>> 39))
        return (counter & 0x3_FFFF | one &<< 32, two)
    }

    /// The number words of a fresh reference that is an alias of `pid`.
    static func makeAlias(_ scheduler: Ref<Scheduler>?, of pid: Term) -> (UInt64, UInt64) {
        let numbers = make(scheduler)
        return (numbers.0 | Layout.aliasMark, pid.idData)
    }

    /// Index of the scheduler that made a reference, if it was one.
    static func scheduler(of numbers: (UInt64, UInt64)) -> Int { Int(numbers.0 &>> 54 & 0x3FF) - 1 }

    /// A value that no other call of this run answers, of schedulers in turn.
    static func unique(_ scheduler: Ref<Scheduler>?) -> UInt64 {
        if let scheduler {
            let value = scheduler.pointee.nextUnique
            scheduler.pointee.nextUnique = value &+ 1
            return value &* UInt64(Schedulers.total + 1) &+ UInt64(scheduler.pointee.index) &+ 1
        }
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        sharedUnique &+= 1
        return (sharedUnique &- 1) &* UInt64(Schedulers.total + 1)
    }

    /// 1, 2, 3, ...
    static func uniqueMonotonic() -> UInt64 { vm_fetch_add(&monotonic, 1) &+ 1 }
}

extension UnsafeMutablePointer where Pointee == Process {
    /// A fresh reference on the process's heap.
    public func makeReference() -> Term { heap.reference(References.make(pointee.scheduler)) }
}

extension Term {
    /// The process an alias stands for. Requires: isAliasReference.
    public var aliasedPid: Term { Term(raw: pointer[3]) }
}
