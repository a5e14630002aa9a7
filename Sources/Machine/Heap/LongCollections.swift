// LongCollections.swift: collections of big heaps run on dirty CPU threads, so that they hold no scheduler. The process
// leaves with its x registers saved, at an instruction that can be started anew or behind one that is done; nothing else
// happens to it until it has been entered again, so its signals wait.
//
// What is collected in the middle of an instruction (appending to a binary, traps) stays where it is.

import CMachine
import Terms

/// Words that a collection has to look at. Handing over costs some 50 us, a collection of so many words several ms.
private let longCollectionWords = 1 << 20

/// Process.collectionNeed: words needed plus one, and this bit for a major collection.
private let majorBit: UInt64 = 1 << 63

extension UnsafeMutablePointer where Pointee == Process {
    /// Whether the next collection belongs on a dirty thread.
    @inline(__always) func isLongCollection(major: Bool = false) -> Bool {
        let young = usedWords + Int(truncatingIfNeeded: pointee.heap.fragmentWords)
        if _slowPath(young > longCollectionWords) { return Schedulers.isStarted }
        let old = oldUsed
        guard _slowPath(young + old > longCollectionWords) else { return false }
        let mature = pointee.highWater - pointee.heapStart
        let isMajor = major || pointee.minorSinceFull >= pointee.fullSweepAfter || mature > oldWords - old
        return isMajor && Schedulers.isStarted
    }

    /// Marks the process for it. It must leave Erlang code next (exit reason parked).
    func requestCollection(need: Int, major: Bool = false) {
        pointee.collectionNeed = UInt64(need + 1) | (major ? majorBit : 0)
        scheduleDirty(self, DirtyKind.cpu)
    }

    /// On the dirty thread.
    func collectAsRequested() {
        let request = pointee.collectionNeed
        pointee.collectionNeed = 0
        let signal = pointee.collectionRequest
        pointee.collectionRequest = nil
        let isMajor = request & majorBit != 0
        let need = Int(request & ~majorBit) - 1
        let live = Int(pointee.liveX)
        let done = collect(need: need, x: pointee.savedX, live: live, major: isMajor, isRunning: signal == nil)
        if let signal {
            if !done { mustExit(Atoms.killed) }
            SystemTasks.answerCollection(signal, self)
            freeSignal(signal)
        }
    }

    /// The process ends before that could happen.
    func forgetCollection() {
        guard pointee.collectionNeed != 0 else { return }
        pointee.collectionNeed = 0
        pointee.dirtyKind = 0
        guard let signal = pointee.collectionRequest else { return }
        pointee.collectionRequest = nil
        SystemTasks.answerGone(signal, self)
        freeSignal(signal)
    }
}

extension UnsafeMutablePointer where Pointee == Context {
    /// Collects for `need` words with x[0..<live] as roots. nil: done. Otherwise where to continue: the process ends, or has
    /// a dirty thread do it and goes on at `pc`. `isInside`: the word before `pc` is no Location.
    func collectOrLeave(need: Int, live: Int, at pc: CodePointer, isInside: Bool = true) -> CodePointer? {
        guard _slowPath(process.isLongCollection()), pointee.stress == 0, process.pointee.native == nil else {
            return collect(need: need, live: live) ? nil : leaveExiting()
        }
        process.requestCollection(need: need)
        let next = leaveParked(at: pc, live: live)
        if isInside { process.pointee.flags |= ProcessFlags.inside }
        return next
    }

    /// Behind an instruction that has made `result`: stores it and collects for `need` words, here or elsewhere; answers where
    /// to continue.
    @inline(never) func storeAndCollect(
        _ result: Term, to destination: UInt64, need: Int, _ next: CodePointer, live: Int
    ) -> CodePointer {
        var result = result
        guard process.isLongCollection(), pointee.stress == 0, process.pointee.native == nil else {
            guard process.collect(need: need, x: x, live: live, extra: &result) else { return leaveExiting() }
            store(destination, result)
            return next
        }
        store(destination, result)
        var live = live
        // The result may be in an x register beyond the live ones.
        let register = (Int(destination) - xBase) / 8
        if destination & 4 == 0, register >= live {
            for index in live..<register { x[index] = .nil }
            live = register + 1
        }
        return collectOrLeave(need: need, live: live, at: next) ?? next
    }
}
