// ZlibStream.swift: one stream of zlib: its state, its queue of input and the run of deflate or inflate over it.
// A stream belongs to the process that opened it, or to the one that zlib:set_controlling_process/2 named.

import CMachine
import CZlib
import Glibc
import Machine
import Terms

final class ZlibStream {
    enum State { case none, deflate, inflate, closed }
    /// What happens to input behind the end of the compressed data.
    enum AtEnd {
        static let fails: Int32 = 0
        static let startsAgain: Int32 = 1
        static let isCut: Int32 = 2
    }

    /// Guards everything: only the owner gets past the check, but the owner may change meanwhile.
    var lock = Lock()
    var owner: Term
    var state = State.none
    /// zlib keeps a pointer to it, so it must not move.
    let stream: UnsafeMutablePointer<z_stream>
    var input = ByteQueue()
    var atEnd = AtEnd.isCut
    var seenEnd = false
    /// Streams without a header keep a checksum of the plain data, for zlib:crc32/1.
    var isRaw = false
    var inputChecksum: UInt = 0
    var outputChecksum: UInt = 0
    var chunkSize: Int32 = 4000
    /// A term that survives calls, on a heap of its own; the term is none when there is no stash.
    var stash = Term.none
    var stashHeap = Heap()

    init(owner: Term) {
        self.owner = owner
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
    }

    deinit {
        end()
        stream.deallocate()
    }

    /// Gives back what zlib holds, and the stash.
    func end() {
        switch state {
        case .deflate: deflateEnd(stream)
        case .inflate: inflateEnd(stream)
        case .none, .closed: break
        }
        clearStash()
        state = .closed
    }

    func clearStash() {
        discard(stashHeap)
        stashHeap = Heap()
        stash = .none
    }

    func resetInput() {
        input.removeAll()
        clearStash()
    }

    func started(_ newState: State, windowBits: Int32) {
        state = newState
        seenEnd = false
        isRaw = windowBits < 0
        inputChecksum = 0
        outputChecksum = 0
    }

    /// Runs the codec over at most `inputLimit` bytes of input into `output`. Answers zlib's code and counts.
    func run(
        _ process: Ref<Process>, inputLimit: Int, output: UnsafeMutableBufferPointer<UInt8>, flush: Int32
    ) -> (code: Int32, produced: Int, consumed: Int) {
        let codec = { [stream, state] (flush: Int32) in
            state == .deflate ? CZlib.deflate(stream, flush) : CZlib.inflate(stream, flush)
        }
        stream.pointee.avail_out = UInt32(output.count)
        stream.pointee.next_out = output.baseAddress
        var code = Z_OK
        var consumed = 0
        var index = 0
        while code == Z_OK, index < input.pieceCount, consumed < inputLimit {
            let piece = input.piece(index)
            let size = min(piece.count, inputLimit)
            stream.pointee.next_in = piece.start
            stream.pointee.avail_in = UInt32(size)
            // Nothing is flushed before the end of the input.
            code = codec(Z_NO_FLUSH)
            let used = size - Int(stream.pointee.avail_in)
            consumed += used
            if isRaw, state == .deflate { inputChecksum = UInt(crc32(UInt(inputChecksum), piece.start, UInt32(used))) }
            process.bump(max(1, min(used / 10, 4000)))
            index += 1
        }
        input.skip(consumed)
        if code == Z_OK, input.isEmpty, stream.pointee.avail_out > 0 {
            stream.pointee.next_in = nil
            stream.pointee.avail_in = 0
            code = codec(flush)
        }
        let produced = output.count - Int(stream.pointee.avail_out)
        if isRaw, state == .inflate {
            outputChecksum = UInt(crc32(UInt(outputChecksum), output.baseAddress, UInt32(produced)))
        }
        return (code, produced, consumed)
    }
}
