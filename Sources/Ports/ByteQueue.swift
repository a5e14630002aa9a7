// ByteQueue.swift: a queue of bytes in pieces that shares large binaries instead of copying them. Used by prim_buffer,
// by zlib's input and by the output of ports. Not safe for threads: the owner's lock or convention guards it.

import CMachine
import Glibc
import Terms

struct ByteQueue: ~Copyable {
    /// Bytes inside a shared binary, of which the piece owns a reference.
    struct Piece {
        var owner: Ref<Binary>
        var start: Bytes
        var count: Int
    }

    /// Small writes are gathered in pieces of this many bytes.
    private static let gatherSize = 2048

    private var pieces: [Piece] = []
    /// Pieces before this one are used up.
    private var firstIndex = 0
    private(set) var count = 0
    /// The last piece is a gathering one, with room behind its bytes.
    private var isGathering = false

    deinit { for piece in pieces[firstIndex...] { piece.owner.release() } }

    var isEmpty: Bool { count == 0 }
    /// The first piece. Requires: not empty.
    var first: Piece { pieces[firstIndex] }
    var pieceCount: Int { pieces.count - firstIndex }
    func piece(_ index: Int) -> Piece { pieces[firstIndex + index] }

    /// Appends the bytes of a binary term: large ones are shared.
    mutating func append(binary term: Term) {
        let bits = Bits(term)
        let original = term.originalBinary
        let size = bits.size >> 3
        if bits.offset == 0, size >= ByteQueue.gatherSize / 2, original.isBoxed(Subtag.refcBinary) {
            let owner = original.sharedBinary
            owner.retain()
            append(owner, start: bits.base, count: size)
        } else {
            let view = ByteView(wholeBytesOf: bits)
            append(copying: view.buffer)
            view.release()
        }
    }

    mutating func append(copying bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count > 0 else { return }
        if isGathering {
            let last = pieces.count - 1
            let piece = pieces[last]
            let room = Int(piece.owner.pointee.capacity) - (piece.start - piece.owner.bytes) - piece.count
            if bytes.count <= room {
                (piece.start + piece.count).update(from: bytes.baseAddress!, count: bytes.count)
                pieces[last].count += bytes.count
                count += bytes.count
                return
            }
        }
        let gathers = bytes.count < ByteQueue.gatherSize / 2
        let owner = newBinary(capacity: gathers ? ByteQueue.gatherSize : bytes.count)
        owner.bytes.update(from: bytes.baseAddress!, count: bytes.count)
        append(owner, start: owner.bytes, count: bytes.count)
        isGathering = gathers
    }

    /// Appends a piece; takes over the reference to `owner`.
    private mutating func append(_ owner: Ref<Binary>, start: Bytes, count size: Int) {
        pieces.append(Piece(owner: owner, start: start, count: size))
        count += size
        isGathering = false
    }

    /// Drops `amount` bytes from the front. Requires: there are as many.
    mutating func skip(_ amount: Int) {
        var left = amount
        count -= amount
        while left > 0 {
            let size = pieces[firstIndex].count
            if left < size {
                pieces[firstIndex].start += left
                pieces[firstIndex].count -= left
                break
            }
            left -= size
            pieces[firstIndex].owner.release()
            firstIndex += 1
        }
        if firstIndex == pieces.count {
            pieces.removeAll(keepingCapacity: pieces.count < 64)
            firstIndex = 0
            isGathering = false
        } else if firstIndex > 64, firstIndex > pieces.count / 2 {
            pieces.removeFirst(firstIndex)
            firstIndex = 0
        }
    }

    mutating func removeAll() { skip(count) }

    /// Moves `amount` bytes from the front to `target`. Requires: there are as many.
    mutating func read(_ amount: Int, to target: Bytes) {
        var done = 0
        var index = firstIndex
        while done < amount {
            let size = min(pieces[index].count, amount - done)
            (target + done).update(from: pieces[index].start, count: size)
            done += size
            index += 1
        }
        skip(amount)
    }

    /// The first piece as a binary that shares its bytes. Requires: not empty.
    mutating func firstBinary(_ heap: Ref<Heap>) -> Term {
        // What is handed out must not be written behind any more.
        isGathering = false
        let piece = first
        if piece.count <= Layout.heapBinaryLimit { return heap.makeBinary(piece.start, count: piece.count) }
        piece.owner.retain()
        return .boxed(heap.adoptHandle(piece.owner, start: piece.start, count: piece.count))
    }

    /// Position of the first `byte`.
    func index(of byte: UInt8) -> Int? {
        var offset = 0
        for piece in pieces[firstIndex...] {
            if let found = memchr(piece.start, Int32(byte), piece.count) {
                return offset + (UnsafeMutableRawPointer(piece.start).distance(to: found))
            }
            offset += piece.count
        }
        return nil
    }
}
