// ChecksumBifs.swift: md5, crc32 and adler32 of I/O lists.

import BeamFile
import CMachine
import Machine
import Terms

let checksumBifs: [Bif] = [
    Bif("erlang", "md5", 1, erlang_md5_1),
    Bif("erlang", "md5_init", 0, erlang_md5_init_0),
    Bif("erlang", "md5_update", 2, erlang_md5_update_2),
    Bif("erlang", "md5_final", 1, erlang_md5_final_1),
    Bif("erlang", "crc32", 1, erlang_crc32_1),
    Bif("erlang", "crc32", 2, erlang_crc32_2),
    Bif("erlang", "crc32_combine", 3, erlang_crc32_combine_3),
    Bif("erlang", "adler32", 1, erlang_adler32_1),
    Bif("erlang", "adler32", 2, erlang_adler32_2),
    Bif("erlang", "adler32_combine", 3, erlang_adler32_combine_3),
]

// MARK: - MD5

/// Bytes taken at once: a pause may follow.
private let pieceSize = 16 << 10

/// Calls `update` with the bytes of an I/O list in small pieces; false if `term` is none, or the pace stopped it.
private func forEachPiece(
    _ process: Ref<Process>, _ term: Term, _ pace: inout Pace, _ update: (UnsafeBufferPointer<UInt8>) -> Void
) -> Bool {
    var done = 0
    let isList = forEachRun(ofIolist: term) { bytes in
        var start = 0
        while start < bytes.count {
            let end = min(start + pieceSize, bytes.count)
            guard pace.goesOn(done) else { return false }
            update(UnsafeBufferPointer(rebasing: bytes[start..<end]))
            done += end - start
            start = end
        }
        return true
    }
    process.bump(done / 10)
    return isList
}

/// Adds the bytes of an I/O list to `digest`; nil: go on, else what the function answers.
private func add(_ process: Ref<Process>, _ arguments: Arguments, _ term: Term, to digest: inout MD5) -> Term? {
    var pace = Pace(unit: 10)
    let isList = forEachPiece(process, term, &pace) { digest.update(UnsafeRawBufferPointer($0)) }
    return isList ? nil : pace.isStopped ? process.giveWay(arguments) : process.badarg()
}

private func finish(_ process: Ref<Process>, _ digest: inout MD5) -> Term {
    let bytes = digest.finish()
    return process.heap.makeBinary(bytes, count: bytes.count)
}

private func stored(_ process: Ref<Process>, _ digest: MD5) -> Term {
    let (term, bytes) = process.heap.makeBinary(MD5.storedBytes)
    digest.store(to: UnsafeMutableRawBufferPointer(start: bytes, count: MD5.storedBytes))
    return term
}

private func digest(stored term: Term) -> MD5? {
    guard let view = ByteView(term) else { return nil }
    defer { view.release() }
    return view.count == MD5.storedBytes ? MD5(stored: UnsafeRawBufferPointer(view.buffer)) : nil
}

func erlang_md5_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var digest = MD5()
    return add(process, arguments, arguments[0], to: &digest) ?? finish(process, &digest)
}

func erlang_md5_init_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term { stored(process, MD5()) }

func erlang_md5_update_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard var digest = digest(stored: arguments[0]) else { return process.badarg() }
    return add(process, arguments, arguments[1], to: &digest) ?? stored(process, digest)
}

func erlang_md5_final_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard var digest = digest(stored: arguments[0]) else { return process.badarg() }
    return finish(process, &digest)
}

// MARK: - CRC-32 and Adler-32

private typealias Update = (UInt32, UnsafeBufferPointer<UInt8>) -> UInt32

private func word32(_ term: Term) -> UInt32? {
    term.isSmall && term.smallValue >= 0 ? UInt32(exactly: term.smallValue) : nil
}

private func checksum(
    _ process: Ref<Process>, _ arguments: Arguments, _ start: UInt32?, _ term: Term, _ update: Update
) -> Term {
    guard var sum = start else { return process.badarg() }
    var pace = Pace(unit: 10)
    let isList = forEachPiece(process, term, &pace) { sum = update(sum, $0) }
    if isList { return .small(Int(sum)) }
    return pace.isStopped ? process.giveWay(arguments) : process.badarg()
}

func erlang_crc32_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    checksum(process, arguments, 0, arguments[0], updateCrc32)
}

func erlang_crc32_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    checksum(process, arguments, word32(arguments[0]), arguments[1], updateCrc32)
}

func erlang_adler32_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    checksum(process, arguments, 1, arguments[0], updateAdler32)
}

func erlang_adler32_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    checksum(process, arguments, word32(arguments[0]), arguments[1], updateAdler32)
}

func erlang_crc32_combine_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let first = word32(arguments[0]), let second = word32(arguments[1]), let count = word32(arguments[2]) else {
        return process.badarg()
    }
    return .small(Int(combineCrc32(first, second, count: Int(count))))
}

func erlang_adler32_combine_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let first = word32(arguments[0]), let second = word32(arguments[1]), let count = word32(arguments[2]) else {
        return process.badarg()
    }
    return .small(Int(combineAdler32(first, second, count: Int(count))))
}
