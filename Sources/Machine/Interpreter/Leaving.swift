// Leaving.swift: entering Erlang code on a scheduler thread, and the ways out of it. Whoever leaves has stored pc and
// the live x registers in the process; the stack and heap pointers were stored on the way into the slow path.

public import CMachine
import Glibc
public import Terms

/// Why Erlang code was left; Context.exitReason.
@frozen public enum ExitReason {
    /// Reductions used up: runnable.
    public static let yielded: UInt64 = 1
    /// Waiting in a receive.
    public static let waiting: UInt64 = 2
    /// Ended: exceptionClass and reason hold the exit reason (class 0: returned normally).
    public static let terminated: UInt64 = 3
    /// Waits for something else: suspended, or moved to a dirty scheduler.
    public static let parked: UInt64 = 4
}

/// Code words that no module owns.
enum PlacedCode {
    /// A word whose handler leaves Erlang code.
    nonisolated(unsafe) static var exit: UnsafeMutablePointer<UInt64>! = nil
    /// The return address at the bottom of every stack; its Location word is 0.
    nonisolated(unsafe) static var normalExit: CodePointer! = nil

    /// What stands behind a native call that is a tail call.
    nonisolated(unsafe) static var returnHandler: UInt64 = 0
    nonisolated(unsafe) static var deallocateReturnHandler: UInt64 = 0

    static func boot() {
        returnHandler = handlerAddress(.return)
        deallocateReturnHandler = handlerAddress(.deallocate_return)
        exit = .allocate(capacity: 1)
        exit[0] = exitHandlerAddress()
        let bottom = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
        bottom[0] = 0
        bottom[1] = handlerAddress(.normal_exit)
        normalExit = CodePointer(bottom + 1)
        NativeCalls.boot()
    }
}

/// The first return address of a new process's stack: when its initial function returns, the process exits normally.
public var normalExitAddress: CodePointer { PlacedCode.normalExit }

/// A Context with its x and float registers.
public func makeContext() -> Ref<Context> {
    let size = builderBase + MemoryLayout<BitBuilder>.size
    guard let memory = calloc(1, size) else { outOfMemory(size) }
    let context = memory.assumingMemoryBound(to: Context.self)
    context.pointee.stress = stressCollection ? 1 : 0
    return context
}

/// --gc-stress: collect at every heap test. Set before the first module is loaded.
nonisolated(unsafe) public var stressCollection = false

/// Runs `process` on this thread until it leaves; context.exitReason tells why. Requires: sliceReductions is set.
public func enterErlang(_ context: Ref<Context>, _ process: Ref<Process>) {
    context.pointee.process = process
    let live = Int(process.pointee.liveX)
    if live > 0, let saved = process.pointee.savedX { context.x.update(from: saved, count: live) }
    process.pointee.liveX = 0
    context.pointee.exitReason = 0
    runThreadedCode(
        context, process.pointee.pc, process.pointee.stackTop, process.pointee.heap.top.unsafelyUnwrapped,
        process.pointee.sliceReductions)
}

extension UnsafeMutablePointer where Pointee == Context {
    private func leave(_ reason: UInt64) -> CodePointer {
        pointee.exitReason = reason
        return CodePointer(PlacedCode.exit)
    }

    /// Stores x[0..<live] in the process.
    func saveX(_ live: Int) {
        let process = process
        if live > Int(process.pointee.savedXCapacity) { process.growSavedX(live) }
        process.pointee.liveX = UInt32(live)
        if live > 0 { process.pointee.savedX.unsafelyUnwrapped.update(from: x, count: live) }
    }

    /// Leaves with the process runnable; it continues at `pc`. `location`: where that is, if the word before `pc` does not
    /// say so.
    func leaveYielding(at pc: CodePointer, live: Int, location: UnsafePointer<Location>? = nil) -> CodePointer {
        process.pointee.location = location
        process.pointee.pc = pc
        saveX(live)
        return leave(ExitReason.yielded)
    }

    /// Leaves with the process waiting for a message (or its timeout).
    func leaveWaiting(at pc: CodePointer) -> CodePointer {
        process.pointee.flags &= ~ProcessFlags.hibernating
        process.pointee.pc = pc
        saveX(0)
        return leave(ExitReason.waiting)
    }

    /// Leaves until somebody makes the process runnable again.
    func leaveParked(at pc: CodePointer, live: Int) -> CodePointer {
        process.pointee.location = nil
        process.pointee.flags &= ~ProcessFlags.hibernating
        process.pointee.pc = pc
        saveX(live)
        return leave(ExitReason.parked)
    }

    /// Leaves a process that has everything stored.
    func leaveSaved(isHibernating: Bool) -> CodePointer {
        guard isHibernating else { return leave(ExitReason.yielded) }
        process.pointee.flags |= ProcessFlags.hibernating
        return leave(ExitReason.waiting)
    }

    func leaveExiting() -> CodePointer { leave(ExitReason.terminated) }

    // MARK: Safepoints

    /// Collects with x[0..<live] as roots; false when the process must end.
    func collect(need: Int, live: Int) -> Bool { process.collect(need: need, x: x, live: live) }

    /// A safepoint after something was built: collects if much lies outside the block.
    func afterAllocation(_ next: CodePointer, live: Int) -> CodePointer {
        guard _slowPath(process.wantsCollection) || _slowPath(pointee.stress == 1) else { return next }
        return collectOrLeave(need: 0, live: live, at: next) ?? next
    }

    /// The same for a result that goes to a register which may lie beyond the live ones.
    func complete(_ result: Term, to destination: UInt64, _ next: CodePointer, live: Int) -> CodePointer {
        if _fastPath(!process.wantsCollection && pointee.stress == 0) || live == Decoder.noCollection {
            store(destination, result)
            return next
        }
        return storeAndCollect(result, to: destination, need: 0, next, live: live)
    }
}

extension UnsafeMutablePointer where Pointee == Process {
    func growSavedX(_ count: Int) {
        let isInline = pointee.savedXCapacity <= 6
        let larger = UnsafeMutablePointer<Term>.allocate(capacity: count)
        if !isInline { pointee.savedX?.deallocate() }
        pointee.savedX = larger
        pointee.savedXCapacity = UInt32(count)
    }
}
