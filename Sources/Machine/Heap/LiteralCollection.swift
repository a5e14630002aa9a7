// LiteralCollection.swift: a process lets go of literal areas that are to be freed: looks whether it points into them, and
// moves what it uses to its own heap.
//
// The areas are shared and never written. So the collector works on private copies of them, in which it leaves its
// forwarding marks: an address in an area stands for the one as far into the copy.

import CMachine
import Glibc
import Terms

/// Private copies of literal areas during a collection. Empty in an ordinary one.
struct ReleasedAreas {
    /// AddressRanges of the areas, nil if there are none, and the copy of each.
    private var ranges: Words?
    private var copies: UnsafeMutablePointer<Words>?

    init() {}

    init(_ release: Release) {
        ranges = release.areas
        let copies = UnsafeMutablePointer<Words>.allocate(capacity: max(release.literals.count, 1))
        for (index, area) in release.literals.enumerated() {
            copies[index] = allocateWords(area.words)
            copies[index].update(from: area.block, count: area.words)
        }
        self.copies = copies
    }

    func free(_ release: Release) {
        for (index, area) in release.literals.enumerated() { freeWords(copies![index], area.words) }
        copies!.deallocate()
    }

    /// Where the collector finds the literal at `address`; 0: it stays where it is.
    @inline(__always) func source(_ address: UInt) -> UInt { ranges == nil ? 0 : copied(address) }

    private func copied(_ address: UInt) -> UInt {
        let ranges = ranges.unsafelyUnwrapped
        guard let index = AddressRanges.find(ranges, UInt64(address)) else { return 0 }
        return UInt(bitPattern: copies![index]) &+ (address &- UInt(ranges[1 + 2 * index]))
    }

    /// Calls `body` with the new place of every off-heap object that was moved.
    func forEachMoved(_ release: Release, _ body: (Words) -> Void) {
        for area in release.literals {
            var next = area.offHeap.first
            while let object = next {
                next = Words(bitPattern: UInt(object[2]))
                let mark = Words(bitPattern: copied(UInt(bitPattern: object))).unsafelyUnwrapped[0]
                if mark & 3 != 0 { body(Term(raw: mark).pointer) }
            }
        }
    }
}

extension UnsafeMutablePointer where Pointee == Process {
    /// Whether anything of the process points into what is being released. Words are taken as they come, without asking
    /// what they are: a number that looks like a pointer costs a collection.
    func holds(_ release: Release) -> Bool {
        // Only a question of where the process is; the next call sets it again.
        if let location = pointee.location, release.covers(UInt64(UInt(bitPattern: location))) { pointee.location = nil }
        var found = false
        forEachWord { if release.covers($0) { found = true } }
        // A message that does becomes part of the heap, to be collected with it.
        var next = pointee.messages
        while let signal = next {
            next = signal.pointee.next
            var isHolder = release.covers(signal.pointee.payload.raw)
            forEachWord(of: signal.pointee.fragments) { if release.covers($0) { isHolder = true } }
            guard isHolder else { continue }
            adopt(signal)
            found = true
        }
        return found
    }

    /// Calls `body` with every word of the heap, the stack and the other roots, but those of messages.
    @inline(__always) func forEachWord(_ body: (UInt64) -> Void) {
        Self.forEachWord(pointee.heapStart, pointee.heap.top, body)
        Self.forEachWord(pointee.stackTop, pointee.stackEnd, body)
        Self.forEachWord(pointee.oldStart, pointee.oldTop, body)
        forEachWord(of: pointee.heap.fragments, body)
        for index in 0..<Int(pointee.liveX) { body(pointee.savedX![index].raw) }
        body(pointee.groupLeader.raw)
        body(pointee.reason.raw)
        body(pointee.trace.raw)
        body(pointee.exceptionArguments.raw)
        body(pointee.exceptionInfo.raw)
        Dictionary.forEachRoot(self) { body($0.pointee.raw) }
    }

    @inline(__always) private static func forEachWord(_ start: Words?, _ end: Words?, _ body: (UInt64) -> Void) {
        guard var word = start, let end else { return }
        while word < end {
            body(word[0])
            word += 1
        }
    }

    @inline(__always) private func forEachWord(of first: Ref<Fragment>?, _ body: (UInt64) -> Void) {
        var next = first
        while let fragment = next {
            next = fragment.pointee.next
            Self.forEachWord(fragment.words, fragment.words + Int(fragment.pointee.used), body)
        }
    }

    /// Moves what the process uses of the literals to its heap. False: it must end, being too large.
    func collectReleasing(_ release: Release) -> Bool {
        let done = collect(need: 0, x: pointee.savedX, live: Int(pointee.liveX), major: true, isRunning: false,
            releasing: release)
        if !done { mustExit(Atoms.killed) }
        return done
    }
}
