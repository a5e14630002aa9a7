// CodeBuffer.swift: threaded code of one function under construction: words, labels, and the references to patch when
// the code has its final address. Positions are word indexes until then.

import CMachine
import Terms

struct CodeBuffer {
    private(set) var words: [UInt64] = []
    /// Words that hold a label number and get its address.
    private var references: [Int] = []
    /// Position by label number less `firstLabel`; -1 until placed.
    private var positions: [Int]
    private let firstLabel: Int
    /// y registers of the frame in force: follows allocate, deallocate and trim, and at a label what a jump to it found.
    var frame = 0
    /// Code that only raises is shared by places with different frames.
    static let unknownFrame = Int(UInt32.max)
    /// The frame in force where label `firstLabel + index` was referred to first; -1 until then.
    private var frames: [Int]
    /// Where the last instruction starts, if nothing can jump behind it: what the fusions look at.
    private(set) var last: (operation: Op, start: Int)?
    /// The instruction before `last`, under the same condition.
    private(set) var previous: (operation: Op, start: Int)?

    init(firstLabel: Int, labelCount: Int) {
        self.firstLabel = firstLabel
        positions = [Int](repeating: -1, count: labelCount)
        frames = positions
        words.reserveCapacity(128)
    }

    var count: Int { words.count }

    mutating func begin(_ operation: Op) {
        previous = last
        last = (operation, words.count)
        words.append(handlerAddress(operation))
    }

    mutating func append(_ word: UInt64) { words.append(word) }
    mutating func append(_ value: Int) { words.append(UInt64(bitPattern: Int64(value))) }

    mutating func reference(_ label: Int) {
        references.append(words.count)
        words.append(UInt64(label))
        let index = label - firstLabel
        if index >= 0, index < frames.count, frames[index] != frame {
            frames[index] = frames[index] < 0 ? frame : Self.unknownFrame
        }
    }

    mutating func place(_ label: Int) {
        positions[label - firstLabel] = words.count
        if frames[label - firstLabel] >= 0 { frame = frames[label - firstLabel] }
        barrier()
    }

    /// The instruction just begun becomes another one: a fusion.
    mutating func replaceLast(_ operation: Op) {
        guard let start = last?.start else { return }
        words[start] = handlerAddress(operation)
        last = (operation, start)
    }

    mutating func setWord(_ index: Int, _ word: UInt64) { words[index] = word }

    /// Drops the last `count` words, with the references in them.
    mutating func removeLast(_ count: Int) {
        words.removeLast(count)
        while let reference = references.last, reference >= words.count { references.removeLast() }
    }

    /// Nothing may be fused with what came before.
    mutating func barrier() {
        last = nil
        previous = nil
    }

    /// Copies the code to `target` and resolves the labels.
    func write(to target: Words) {
        for (index, word) in words.enumerated() { target[index] = word }
        for index in references {
            let position = positions[Int(words[index]) - firstLabel]
            target[index] = UInt64(UInt(bitPattern: target + position))
        }
    }

    /// Address of `label` once written to `target`.
    func address(of label: Int, in target: Words) -> CodePointer {
        CodePointer(target + positions[label - firstLabel])
    }

    func isPlaced(_ label: Int) -> Bool {
        label >= firstLabel && label - firstLabel < positions.count && positions[label - firstLabel] >= 0
    }

    /// Labels referred to, for the check that they lie in the function.
    var allReferencesPlaced: Bool { references.allSatisfy { isPlaced(Int(words[$0])) } }
}
