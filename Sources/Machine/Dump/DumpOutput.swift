// DumpOutput.swift: where the text of a crash dump or of the break menu goes: a descriptor, through a buffer.

import CMachine
import Glibc
import Terms

public final class DumpOutput {
    /// Negative: everything stays in the buffer.
    private let descriptor: Int32
    private var buffer = ByteBuffer()
    /// Bytes that may still be written.
    private var left: Int
    /// The VM's own messages have a carriage return in front of every newline.
    private let addsReturns: Bool
    /// The limit was reached: nothing is written any more.
    public private(set) var isFull = false

    public init(descriptor: Int32, limit: Int = .max, addsReturns: Bool = false) {
        self.descriptor = descriptor
        left = limit
        self.addsReturns = addsReturns
    }

    public func put(_ text: String) {
        guard !isFull else { return }
        buffer.append(text: addsReturns ? withReturns(text) : text)
        if buffer.count >= 1 << 16, descriptor >= 0 { flush() }
    }

    private func withReturns(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "\n" { result.unicodeScalars.append("\r") }
            result.unicodeScalars.append(scalar)
        }
        return result
    }

    public func line(_ text: String = "") { put(text + "\n") }

    public func flush() {
        let count = min(buffer.count, left)
        left -= count
        isFull = left == 0
        Self.write(buffer.start, count, to: descriptor)
        buffer.count = 0
    }

    private static func write(_ start: UnsafePointer<UInt8>, _ count: Int, to descriptor: Int32) {
        var done = 0
        while done < count {
            let written = Glibc.write(descriptor, start + done, count - done)
            if written < 0, errno != EINTR { return }
            done += max(written, 0)
        }
    }

    /// What was put, as a binary. For an output without descriptor.
    func binary(_ heap: Ref<Heap>) -> Term { heap.makeBinary(buffer.bytes) }

    /// Writes past every limit.
    static func append(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { write($0.baseAddress!, $0.count, to: descriptor) }
    }
}

func hexadecimal(_ value: UInt64) -> String { String(value, radix: 16, uppercase: true) }

/// `0x` and sixteen digits.
func address(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
}
