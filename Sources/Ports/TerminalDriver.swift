// TerminalDriver.swift: the port that user_drv edits lines with (`{spawn, "tty_sl -c -e"}`): keys come as data, edit
// commands go to the terminal. The first byte of a command says what it is:
//
//     0 put text   1 move (int16)   2 insert text   3 delete (int16)   4 beep   5 put text, then answer {Port, ok}
//
// The terminal is in raw mode while the port is open; signals stay on. There is one such port at a time.

import CMachine
import Glibc
import Machine
import Terms

final class TerminalDriver: DescriptorDriver {
    /// Guards `active`, `saved` and `raw`.
    nonisolated(unsafe) private static var lock = Lock()
    nonisolated(unsafe) private static var active: TerminalDriver?
    nonisolated(unsafe) private static var saved = termios()
    nonisolated(unsafe) private static var raw = termios()

    /// Queued bytes below which a synchronous command is answered.
    private static let answerLimit = 1024

    private var line: TerminalLine
    private var sizeIsStale = false
    private var answerIsDue = false
    /// The start of a character whose rest has not come yet.
    private var incomplete: [UInt8] = []

    /// Nil if the standard descriptors are no terminals, the terminal is unknown, or another such port is open.
    init?(_ port: Port, command: [UInt8]) {
        let terminal = Environment.value(of: Array("TERM".utf8))
        guard isatty(0) != 0, isatty(1) != 0, let terminal, let capabilities = TerminalCapabilities(terminal: terminal)
        else { return nil }
        line = TerminalLine(capabilities)
        setlocale(LC_CTYPE, "")
        line.isUnicode = nl_langinfo(Int32(CODESET)).map { strcmp($0, "UTF-8") == 0 } ?? false
        super.init(port, input: 0, output: 0, owned: false)
        guard TerminalDriver.claim(self, TerminalDriver.flags(command)) else { return nil }
    }

    /// `-c`, `+c`: line mode off, on; `-e`, `+e`: echo; `-s`, `+s`: signals.
    private static func flags(_ command: [UInt8]) -> [UInt8: Bool] {
        var flags: [UInt8: Bool] = [:]
        for word in command.split(separator: 0x20).dropFirst() where word.count >= 2 {
            let sign = word[word.startIndex]
            if sign == 0x2B || sign == 0x2D { flags[word[word.startIndex + 1]] = sign == 0x2B }
        }
        return flags
    }

    private static func claim(_ driver: TerminalDriver, _ flags: [UInt8: Bool]) -> Bool {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        guard active == nil, tcgetattr(0, &saved) == 0 else { return false }
        raw = saved
        raw.c_iflag &= ~tcflag_t(ISTRIP)
        if let lines = flags[0x63] {
            set(&raw.c_iflag, ICRNL, lines)
            set(&raw.c_lflag, ICANON, lines)
            set(&raw.c_oflag, OPOST, lines)
            if !lines {
                withUnsafeMutableBytes(of: &raw.c_cc) { characters in
                    characters[Int(VMIN)] = 1
                    characters[Int(VTIME)] = 0
                }
            }
        }
        if let echo = flags[0x65] { set(&raw.c_lflag, ECHO, echo) }
        if let signals = flags[0x73] {
            set(&raw.c_iflag, BRKINT | IGNPAR | ICRNL | IXON | IXANY, signals)
            set(&raw.c_lflag, ISIG | IEXTEN, signals)
        }
        guard tcsetattr(0, TCSANOW, &raw) == 0 else {
            tcsetattr(0, TCSANOW, &saved)
            return false
        }
        active = driver
        OSSignals.watchTerminal(true)
        return true
    }

    private static func set(_ field: inout tcflag_t, _ bits: Int32, _ on: Bool) {
        if on { field |= tcflag_t(bits) } else { field &= ~tcflag_t(bits) }
    }

    /// Brings the terminal back to the mode it had. For the end of the VM; safe to call any time.
    static func restoreMode() {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if active != nil { tcsetattr(0, TCSANOW, &saved) }
    }

    /// The VM goes on after it was suspended.
    static func continued() {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        if active != nil { tcsetattr(0, TCSANOW, &raw) }
    }

    static func windowChanged() {
        vm_lock(&lock)
        let driver = active
        vm_unlock(&lock)
        guard let driver else { return }
        driver.port.locked { driver.sizeIsStale = true }
    }

    override func stop() {
        super.stop()
        vm_lock(&TerminalDriver.lock)
        defer { vm_unlock(&TerminalDriver.lock) }
        guard TerminalDriver.active === self else { return }
        tcsetattr(0, TCSANOW, &TerminalDriver.saved)
        TerminalDriver.active = nil
        OSSignals.watchTerminal(false)
    }

    // MARK: Commands

    override func output(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let operation = bytes.first else { return true }
        if sizeIsStale {
            sizeIsStale = false
            line.columns = windowSize(0).map { $0.columns > 0 ? $0.columns : 80 } ?? 80
        }
        line.limitLength()
        let text = UnsafeBufferPointer(rebasing: bytes[1...])
        let number = text.count >= 2 ? Int(Int16(bitPattern: UInt16(text[0]) << 8 | UInt16(text[1]))) : 0
        switch operation {
        case 0, 5: line.put(text)
        case 1: line.move(number)
        case 2: line.insert(text)
        case 3: line.delete(number)
        case 4: line.beep()
        default: break
        }
        let output = line.output
        line.output = []
        output.withUnsafeBufferPointer { send($0) }
        if operation == 5 {
            answerIsDue = true
            answerIfWritten()
        }
        return true
    }

    private func answerIfWritten() {
        guard answerIsDue, queuedBytes <= TerminalDriver.answerLimit, port.state == .open else { return }
        answerIsDue = false
        deliver(from: port.id, to: port.owner) { heap in heap.tuple(port.id, Atoms.ok) }
    }

    override func readyOutput(_ descriptor: Int32) {
        super.readyOutput(descriptor)
        answerIfWritten()
    }

    override func control(_ caller: Term, _ operation: UInt32, _ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        switch operation {
        case TerminalControl.windowSize:
            let size = windowSize(0) ?? (80, 24)
            var words = (
                UInt32(truncatingIfNeeded: size.columns > 0 ? size.columns : 80),
                UInt32(truncatingIfNeeded: size.rows > 0 ? size.rows : 24)
            )
            return withUnsafeBytes(of: &words) { Array($0) }
        case TerminalControl.getUnicode: return [line.isUnicode ? 1 : 0]
        case TerminalControl.setUnicode:
            guard let new = bytes.first else { return [] }
            let old = line.isUnicode
            line.isUnicode = new != 0
            return [old ? 1 : 0]
        default: return nil
        }
    }

    // MARK: Keys

    override func take(_ bytes: UnsafeBufferPointer<UInt8>) {
        let all = incomplete + bytes
        incomplete = []
        all.withUnsafeBufferPointer { all in
            var end = 0
            if line.isUnicode {
                while end < all.count, decodeUTF8(all, &end) != nil {}
                if end < all.count, all.count - end < 4, isStartOfCharacter(all[end...]) {
                    incomplete = Array(all[end...])
                } else if end < all.count {
                    // Not a UTF-8 terminal after all: from here on every byte is a character.
                    line.isUnicode = false
                }
            }
            if end > 0 { port.received(UnsafeBufferPointer(rebasing: all[..<end])) }
            if !line.isUnicode, end < all.count {
                var text: [UInt8] = []
                for byte in all[end...] { text.append(contentsOf: UTF8.encode(Unicode.Scalar(byte)).unsafelyUnwrapped) }
                text.withUnsafeBufferPointer { port.received($0) }
            }
        }
    }

    private func isStartOfCharacter(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        guard let lead = bytes.first, lead >= 0xC2, lead < 0xF5 else { return false }
        return bytes.count < (lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4) && bytes.dropFirst().allSatisfy { $0 & 0xC0 == 0x80 }
    }
}
