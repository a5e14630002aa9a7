// OffHeapSweep.swift: what a collection does with the handles of binaries and magic references: it releases those of dead
// objects, takes back the spare room of append buffers, and sets how many binaries call for the next collection.

import CMachine
import Terms

extension UnsafeMutablePointer where Pointee == Process {
    /// Keeps the objects of `list` that were copied, linked at their new place in `into`; releases the others.
    func sweepOffHeap(_ list: inout OffHeapList, into: inout OffHeapList) {
        var object = list.first
        list = OffHeapList()
        while let current = object {
            object = Words(bitPattern: UInt(current[2]))
            guard current[0] & 3 != 0 else {
                release(current)
                continue
            }
            link(Term(raw: current[0]).pointer, &into)
        }
    }

    /// The same in a minor collection, splitting what was promoted from what stays young.
    func sweepOffHeap(_ list: inout OffHeapList, promoted: inout OffHeapList) {
        var young = OffHeapList()
        let start = UInt(bitPattern: pointee.oldStart)
        let size = UInt(bitPattern: pointee.oldEnd) - start
        var object = list.first
        while let current = object {
            object = Words(bitPattern: UInt(current[2]))
            guard current[0] & 3 != 0 else {
                release(current)
                continue
            }
            let new = Term(raw: current[0]).pointer
            if UInt(bitPattern: new) &- start < size { link(new, &promoted) } else { link(new, &young) }
        }
        settle(&young)
        pointee.binaryWordsLimit = nextBinaryLimit(young.words, pointee.binaryWordsLimit)
        list = young
    }

    private func release(_ object: Words) {
        object[2] = 0
        releaseOffHeap(OffHeapList(first: object, words: 0))
    }

    func link(_ object: Words, _ list: inout OffHeapList) {
        object[2] = UInt64(UInt(bitPattern: list.first))
        list.first = object
        if Header.subtag(object[0]) == Subtag.refcBinary { list.words += object[1] >> 3 }
    }

    /// The limit of a generation that holds binaries of `words` words: well above what is used, halved while it is not.
    func nextBinaryLimit(_ words: UInt64, _ limit: UInt64) -> UInt64 {
        var next = limit
        if words / 3 > limit / 4 {
            while words / 3 > next / 4 {
                let larger = UInt64(Double(next) * 1.618)
                if larger < next { break }
                next = larger
            }
        } else if words < limit / 4 {
            next = limit / 2
        }
        return max(next, UInt64(pointee.minBinaryWords))
    }

    // MARK: Append buffers

    /// Takes back spare room of the append buffers in a list that was just swept. If some were appended to since the last
    /// collection, the idle ones lose all of it; otherwise a few idle ones keep some, for they may be appended to again.
    func settle(_ list: inout OffHeapList) {
        var writers = AppendBuffers()
        var next = list.first
        while let object = next {
            next = Words(bitPattern: UInt(object[2]))
            if Header.subtag(object[0]) == Subtag.refcBinary, object[5] != 0 { writers.add(object) }
        }
        writers.finish()
    }
}

/// The append buffers met in a sweep.
private struct AppendBuffers {
    private static let fewLimit = 10
    private var active = 0
    private var idle = 0
    /// The first idle ones, until it is known how much they may keep.
    private var undecided: (
        Words?, Words?, Words?, Words?, Words?, Words?, Words?, Words?, Words?, Words?
    ) = (nil, nil, nil, nil, nil, nil, nil, nil, nil, nil)

    mutating func add(_ handle: Words) {
        guard settleWriter(handle) else {
            if handle[5] & RefcFlags.writable != 0 { active += 1 }
            return
        }
        idle += 1
        if idle > Self.fewLimit { return shrinkWriter(handle, keeping: 0) }
        withUnsafeMutableBytes(of: &undecided) { $0.bindMemory(to: Words?.self)[idle - 1] = handle }
    }

    mutating func finish() {
        let share: UInt64 = active > 0 || idle > Self.fewLimit ? 0 : idle == 1 ? 20 : 10
        let count = min(idle, Self.fewLimit)
        withUnsafeMutableBytes(of: &undecided) { bytes in
            let handles = bytes.bindMemory(to: Words?.self)
            for index in 0..<count { shrinkWriter(handles[index].unsafelyUnwrapped, keeping: share) }
        }
    }
}
