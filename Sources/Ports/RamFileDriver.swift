// RamFileDriver.swift: files in memory (`file:open(Binary, [ram, ...])`), port "ram_file_drv". A command is a code and
// big-endian 32-bit numbers or data; the answer is a code and a 32-bit number, data or the name of an error.

import CMachine
import Glibc
import Machine
import Terms

final class RamFileDriver: PortDriver {
    private enum Operation {
        static let open: UInt8 = 1
        static let read: UInt8 = 2
        static let seek: UInt8 = 3
        static let write: UInt8 = 4
        static let sync: UInt8 = 9
        static let truncate: UInt8 = 14
        static let readAt: UInt8 = 17
        static let writeAt: UInt8 = 18
        static let syncData: UInt8 = 19
        static let get: UInt8 = 30
        static let size: UInt8 = 37
        static let advise: UInt8 = 38
        static let allocate: UInt8 = 39
    }
    private enum Answer {
        static let ok: UInt8 = 0
        static let error: UInt8 = 1
        static let data: UInt8 = 2
        static let number: UInt8 = 3
    }
    private enum Mode {
        static let read = 1
        static let write = 2
    }

    private var content: [UInt8] = []
    private var position = 0
    /// 0: not open yet.
    private var mode = 0

    override func output(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let operation = bytes.first else { return true }
        let arguments = UnsafeBufferPointer(rebasing: bytes[1...])
        switch operation {
        case Operation.open: open(arguments)
        case Operation.read: read(at: nil, number(arguments, 0))
        case Operation.readAt: read(at: number(arguments, 0) ?? -1, number(arguments, 4))
        case Operation.write: write(at: nil, arguments)
        case Operation.writeAt:
            write(at: number(arguments, 0) ?? -1, UnsafeBufferPointer(rebasing: arguments[min(4, arguments.count)...]))
        case Operation.seek: seek(number(arguments, 0) ?? 0, number(arguments, 4))
        case Operation.truncate: truncate()
        case Operation.get: answerData(0, content.count)
        case Operation.size: answer(number: content.count)
        case Operation.sync, Operation.syncData, Operation.advise, Operation.allocate:
            if mode == 0 { answer(error: EBADF) } else { answerOK() }
        default: break
        }
        return true
    }

    /// A signed number at an offset; nil if the command is too short.
    private func number(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: Int) -> Int? {
        guard bytes.count >= offset + 4 else { return nil }
        var value: UInt32 = 0
        for index in offset..<offset + 4 { value = value << 8 | UInt32(bytes[index]) }
        return Int(Int32(bitPattern: value))
    }

    private func open(_ arguments: UnsafeBufferPointer<UInt8>) {
        guard let mode = number(arguments, 0) else { return answer(error: EINVAL) }
        self.mode = mode
        content = Array(arguments[4...])
        position = 0
        answer(number: 0)
    }

    private func read(at place: Int?, _ count: Int?) {
        let start = place ?? position
        guard mode & Mode.read != 0 else { return answer(error: EBADF) }
        guard let count, start >= 0, count >= 0 else { return answer(error: EINVAL) }
        let size = min(count, max(0, content.count - start))
        if place == nil { position += size }
        answerData(start, size)
    }

    private func write(at place: Int?, _ data: UnsafeBufferPointer<UInt8>) {
        let start = place ?? position
        // OTP looks at the place of a pwrite first.
        if let place, place < 0 { return answer(error: EINVAL) }
        guard mode & Mode.write != 0 else { return answer(error: EBADF) }
        guard start >= 0, start + data.count <= Int(Int32.max) else { return answer(error: EINVAL) }
        let end = start + data.count
        if end > content.count { content.append(contentsOf: repeatElement(0, count: end - content.count)) }
        if !data.isEmpty { content.replaceSubrange(start..<end, with: data) }
        if place == nil { position = end }
        answer(number: data.count)
    }

    private func seek(_ offset: Int, _ origin: Int?) {
        guard mode != 0 else { return answer(error: EBADF) }
        let target: Int
        switch origin {
        case 0: target = offset
        case 1: target = position + offset
        case 2: target = content.count + offset
        default: return answer(error: EINVAL)
        }
        guard target >= 0 else { return answer(error: EINVAL) }
        position = target
        answer(number: target)
    }

    private func truncate() {
        guard mode & Mode.write != 0 else { return answer(error: EACCES) }
        if position > content.count {
            content.append(contentsOf: repeatElement(0, count: position - content.count))
        } else {
            content.removeLast(content.count - position)
        }
        answerOK()
    }

    // MARK: Answers

    private static var nothing: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: nil, count: 0) }

    private func header(_ code: UInt8, _ number: Int) -> [UInt8] {
        [code] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    private func answerOK() { port.received(header: [Answer.ok], RamFileDriver.nothing) }

    private func answer(number: Int) { port.received(header: header(Answer.number, number), RamFileDriver.nothing) }

    private func answer(error: Int32) {
        port.received(header: [Answer.error] + Array(posixName(error).description.utf8), RamFileDriver.nothing)
    }

    private func answerData(_ start: Int, _ count: Int) {
        content.withUnsafeBufferPointer { all in
            let data = count > 0 ? UnsafeBufferPointer(rebasing: all[start..<start + count]) : RamFileDriver.nothing
            port.received(header: header(Answer.data, count), data)
        }
    }
}
