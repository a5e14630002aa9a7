// SchedulerLoop.swift: what a scheduler thread does all day: fire timers, take a process, handle its signals, run it for
// a slice, put it away.

import CMachine
import Glibc
import Terms

/// Reductions of one slice.
public let sliceLength: Int64 = 4000

/// The body of a normal scheduler thread.
func schedulerMain(_ scheduler: Ref<Scheduler>) {
    let context = makeContext()
    context.pointee.scheduler = scheduler
    scheduler.pointee.context = context
    scheduler.pointee.activeSince = UInt64(Clock.osMonotonic())
    var idleRounds = 0
    while !Schedulers.isStopping {
        if Blocking.isRequested { Blocking.park() }
        fireTimers(scheduler)
        if _slowPath(Online.isOff(scheduler)) {
            Online.rest(scheduler)
        } else if let process = Schedulers.findWork(scheduler) {
            idleRounds = 0
            run(process, scheduler, context)
        } else if idleRounds < 50 {
            // A short spin: what comes next is often a reply.
            idleRounds += 1
            for _ in 0..<20 { vm_pause() }
        } else {
            idleRounds = 0
            Schedulers.sleep(scheduler)
        }
    }
}

private func run(_ process: Ref<Process>, _ scheduler: Ref<Scheduler>, _ context: Ref<Context>) {
    process.switchIn()
    process.pointee.scheduler = scheduler
    process.pointee.sliceReductions = sliceLength
    vm_store_relaxed(&scheduler.pointee.switches, scheduler.pointee.switches &+ 1)
    var reason = ExitReason.yielded
    let isInside = process.pointee.flags & ProcessFlags.inside != 0
    if _slowPath(isInside) {
        process.pointee.flags &= ~ProcessFlags.inside
    } else if process.state & ProcessState.signals != 0 {
        scheduler.pointee.isBetween = 1
        handleSignals(process)
        scheduler.pointee.isBetween = 0
    }
    if process.isExiting {
        reason = ExitReason.terminated
    } else if _slowPath(process.pointee.dirtyKind != 0) {
        // A signal asked for a collection.
        reason = ExitReason.parked
    } else if process.state & (ProcessState.active | ProcessState.suspended) == ProcessState.active {
        let traced = process.isTraced
        if _slowPath(traced), !isInside { Trace.scheduled(process, Atoms.in_) }
        let start = Microstates.begin()
        let monitored = SystemMonitor.beginSlice()
        vm_store_relaxed(&scheduler.pointee.slices, scheduler.pointee.slices &+ 1)
        enterErlang(context, process)
        vm_store_release(&scheduler.pointee.slices, scheduler.pointee.slices &+ 1)
        Microstates.end(start, scheduler, Microstates.emulator)
        reason = context.pointee.exitReason
        if _slowPath(monitored != 0) { SystemMonitor.ran(process, monitored, hasEnded: reason == ExitReason.terminated) }
        if _slowPath(traced || process.isTraced), process.pointee.flags & ProcessFlags.inside == 0 {
            Trace.scheduled(process, reason == ExitReason.terminated ? Atoms.out_exited : Atoms.out)
        }
    }
    let used = sliceLength &- process.pointee.sliceReductions
    process.pointee.reductions &+= used
    vm_store_relaxed(&scheduler.pointee.reductions, scheduler.pointee.reductions &+ UInt64(max(used, 0)))
    process.pointee.sliceReductions = sliceLength
    putAway(process, reason, scheduler)
}

/// Ends the process, hands it to the dirty threads, or lets go of it.
func putAway(_ process: Ref<Process>, _ reason: UInt64, _ scheduler: Ref<Scheduler>) {
    if reason == ExitReason.terminated {
        terminateProcess(process)
    } else if process.pointee.dirtyKind != 0 {
        if process.pointee.collectionNeed == 0 { DirtySignals.begin(process, scheduler) }
        Dirty.enqueue(process)
    } else if process.switchOut() {
        Schedulers.push(process, from: scheduler)
    }
}

// MARK: - Timers

/// Fires the timers of this thread that are due.
@inline(__always) private func fireTimers(_ scheduler: Ref<Scheduler>) {
    let wheel = scheduler.timers
    guard wheel.nextTick != UInt64.max else { return }
    let now = Clock.tick()
    if wheel.nextTick <= now { fireDue(wheel, now, scheduler) }
}

@inline(never) private func fireDue(_ wheel: Ref<TimerWheel>, _ now: UInt64, _ scheduler: Ref<Scheduler>) {
    // Receive timeouts fire under the lock, so that cancelling one is safe: afterwards the node is not in use. Timers
    // with references are taken out here and fire without it.
    var due: Ref<TimerNode>? = nil
    var dueLast: Ref<TimerNode>? = nil
    vm_lock(&wheel.pointee.lock)
    wheel.advance(to: now) { node in
        if node.pointee.kind == TimerKind.receive {
            let process = processOfTimeout(node)
            if process.markRunnable(ProcessState.timedOut | ProcessState.active) {
                Schedulers.push(process, from: scheduler)
            }
        } else {
            ReferenceTimers.forget(node)
            node.pointee.next = nil
            if let tail = dueLast { tail.pointee.next = node } else { due = node }
            dueLast = node
        }
    }
    vm_unlock(&wheel.pointee.lock)
    while let node = due {
        due = node.pointee.next
        ReferenceTimers.fire(node, scheduler)
    }
}

/// The process that a receive timeout is embedded in.
@inline(__always) private func processOfTimeout(_ node: Ref<TimerNode>) -> Ref<Process> {
    (UnsafeMutableRawPointer(node) - MemoryLayout<Process>.offset(of: \.timeout)!)
        .assumingMemoryBound(to: Process.self)
}
