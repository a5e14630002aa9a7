// TerminalCapabilities.swift: what the terminal database says about a kind of terminal.

import CTerminfo
import Glibc

struct TerminalCapabilities {
    var columns: Int
    /// A line that is full leaves the cursor on it until the next character comes.
    var wrapsLate: Bool
    var up: [UInt8]
    var down: [UInt8]
    var left: [UInt8]
    var right: [UInt8]

    init(columns: Int, wrapsLate: Bool, up: [UInt8], down: [UInt8], left: [UInt8], right: [UInt8]) {
        self.columns = columns
        self.wrapsLate = wrapsLate
        self.up = up
        self.down = down
        self.left = left
        self.right = right
    }

    /// Looks a terminal up; nil if it is unknown or cannot move the cursor.
    init?(terminal: [UInt8]) {
        var name = terminal.map { CChar(bitPattern: $0) }
        name.append(0)
        var status: Int32 = 0
        guard setupterm(&name, 1, &status) == 0, status == 1 else { return nil }
        guard let up = TerminalCapabilities.text("cuu1"), let right = TerminalCapabilities.text("cuf1") else { return nil }
        let width = Int(tigetnum("cols"))
        columns = width > 0 ? width : 80
        wrapsLate = tigetflag("xenl") > 0
        self.up = up
        self.right = right
        down = TerminalCapabilities.text("cud1") ?? [0x0A]
        left = [0x08]
    }

    /// A capability without its padding marks (`$<5>`).
    private static func text(_ capability: String) -> [UInt8]? {
        guard let value = capability.withCString({ name in tigetstr(UnsafeMutablePointer(mutating: name)) }),
            Int(bitPattern: value) != -1
        else { return nil }
        var bytes: [UInt8] = []
        var skipping = false
        var index = 0
        while value[index] != 0 {
            let byte = UInt8(bitPattern: value[index])
            if byte == 0x24, value[index + 1] == 0x3C { skipping = true }
            if !skipping { bytes.append(byte) }
            if byte == 0x3E { skipping = false }
            index += 1
        }
        return bytes
    }
}
