// RegisterFacts.swift: what the code check knows about registers at one point of a function. A fact is a bit, so where
// two paths meet, what is known is the bits that both have.
//
//     frame | heap | flags | facts of x0, x1, ... | facts of y0, y1, ...

import CMachine
import Terms

/// Facts about the word in a register.
enum Fact {
    /// A term that code may read.
    static let term: UInt32 = 1
    /// A word that the collector understands: a term or a catch tag. Only y registers can be read by it without this.
    static let valid: UInt32 = 2
    /// No catch tag.
    static let noTag: UInt32 = 4
    static let plain = term | valid | noTag
    static let cons: UInt32 = 8
    static let map: UInt32 = 16
    static let float: UInt32 = 32
    static let context: UInt32 = 64
    /// A position that bs_get_position gave.
    static let position: UInt32 = 128
    /// What a handler gets as stack trace.
    static let trace: UInt32 = 256

    /// Facts about the value, which equal terms share.
    static let kinds: UInt32 = cons | map | float | ~(firstSize - 1)

    /// Sizes of tuples that have a bit each, from bit 9 up: the bit says "a tuple of at least that many elements".
    private static let sizes: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 32, 48, 64]
    private static let firstSize: UInt32 = 1 << 9

    /// Bits by size, 0...64: those of all sizes up to it.
    nonisolated(unsafe) private static let bits: UnsafePointer<UInt32> = {
        let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 65)
        for size in 0...64 {
            let known = sizes.prefix { Int($0) <= size }.count
            table[size] = (1 << UInt32(known) - 1) * firstSize
        }
        return UnsafePointer(table)
    }()

    /// What is known of a tuple of `size` elements.
    static func tuple(_ size: Int) -> UInt32 { bits[min(size, 64)] }

    /// The facts say that there are at least `size` elements. Never for sizes above 64.
    static func hasSize(_ facts: UInt32, _ size: Int) -> Bool {
        guard size <= 64 else { return false }
        // The smallest size with a bit that covers it: a table entry with more bits than the size below has.
        var covering = size
        while covering < 64, bits[covering] == (covering > 0 ? bits[covering - 1] : 0) { covering += 1 }
        return facts & bits[covering] == bits[covering]
    }

    /// What is known of a constant.
    static func of(_ term: Term) -> UInt32 {
        if term.isCons { return plain | cons }
        guard term.isBoxed else { return plain }
        switch term.subtag {
        case Subtag.tuple: return plain | tuple(term.tupleSize)
        case Subtag.map: return plain | map
        case Subtag.float: return plain | float
        default: return plain
        }
    }
}

/// The facts at one point, in memory that the check owns.
struct RegisterFacts {
    /// Paths with different frames meet here: only raising may follow.
    static let unknownFrame: Int32 = -1

    let words: UnsafeMutablePointer<UInt32>
    let xCount: Int
    let yCount: Int

    static func size(_ xCount: Int, _ yCount: Int) -> Int { 3 + xCount + yCount }

    /// y registers in force. Without a frame it is 0: the stack looks the same.
    var frame: Int32 {
        get { Int32(bitPattern: words[0]) }
        nonmutating set { words[0] = UInt32(bitPattern: newValue) }
    }
    /// Heap words that are reserved and not used yet.
    var heap: Int {
        get { Int(words[1]) }
        nonmutating set { words[1] = UInt32(newValue) }
    }

    static let reached: UInt32 = 1
    /// A bit string is under construction: bs_put_... may follow.
    static let building: UInt32 = 2
    /// No exception is being handed over: anything but its receivers may follow.
    static let calm: UInt32 = 4
    /// The handler of a try, which only exceptions enter.
    static let tryHandler: UInt32 = 16
    /// Of a label: this pass has been there.
    static let passed: UInt32 = 32
    /// With an unknown frame: the words of whatever frame it is are valid.
    static let validFrames: UInt32 = 8

    var flags: UInt32 {
        get { words[2] }
        nonmutating set { words[2] = newValue }
    }
    func has(_ flag: UInt32) -> Bool { words[2] & flag != 0 }

    var x: UnsafeMutablePointer<UInt32> { words + 3 }
    var y: UnsafeMutablePointer<UInt32> { words + 3 + xCount }

    /// Every word of the frame is one that the collector understands.
    var isFrameValid: Bool {
        if frame == Self.unknownFrame { return has(Self.validFrames) }
        var all = Fact.valid
        for i in 0..<Int(frame) { all &= y[i] }
        return all != 0
    }

    var hasTag: Bool {
        guard frame > 0 else { return false }
        var all = Fact.noTag
        for i in 0..<Int(frame) { all &= y[i] }
        return all == 0
    }

    func copy(from other: RegisterFacts) { words.update(from: other.words, count: Self.size(xCount, yCount)) }

    private func clearY(from first: Int) {
        if first < yCount { (y + first).update(repeating: 0, count: yCount - first) }
    }

    /// Keeps what `other` knows too. True if something was lost.
    func meet(_ other: RegisterFacts) -> Bool {
        var lost: UInt32 = 0
        if frame != other.frame, frame != Self.unknownFrame {
            let areValid = isFrameValid && other.isFrameValid
            clearY(from: Int(frame))
            frame = Self.unknownFrame
            flags = areValid ? flags | Self.validFrames : flags & ~Self.validFrames
            lost = 1
        } else if frame == Self.unknownFrame, has(Self.validFrames), !other.isFrameValid {
            flags &= ~Self.validFrames
            lost = 1
        }
        if other.words[1] < words[1] {
            words[1] = other.words[1]
            lost = 1
        }
        let kept = flags & (other.flags | Self.validFrames | Self.passed)
        lost |= flags ^ kept
        flags = kept
        // Paths with different frames share what comes first in all of them.
        if frame == Self.unknownFrame, other.frame != Self.unknownFrame {
            for i in min(Int(other.frame), yCount)..<yCount { lost |= y[i] }
            clearY(from: Int(other.frame))
        }
        for i in 3..<Self.size(xCount, yCount) {
            lost |= words[i] & ~other.words[i]
            words[i] &= other.words[i]
        }
        return lost != 0
    }
}
