// TerminalLine.swift: the line that the shell edits, as the terminal shows it, and the bytes that bring the terminal
// from one state of it to the next. What OTP's tty driver writes is written here byte by byte the same, so that
// scripts that read a terminal see no difference.
//
// The line is a row of cells. A tab fills cells up to the next multiple of 8; a control character takes two cells
// (`^X`); a character that the terminal cannot show takes as many cells as its escape has letters.

import CMachine
import Glibc
import Terms

struct TerminalLine {
    private enum Cell: Equatable {
        case character(UInt32)
        case tab
        case escape
        case control(UInt32)
        /// A character shown as `\ooo` or `\x{H}`.
        case escaped(UInt32)
        /// Further cells of the one before.
        case tabFill, controlFill, escapedFill

        var isFill: Bool { self == .tabFill || self == .controlFill || self == .escapedFill }
    }

    /// Lines longer than this are ended before the next command.
    private static let longest = 65536

    private var cells: [Cell] = []
    private var position = 0
    let capabilities: TerminalCapabilities
    var columns: Int
    var isUnicode = true
    /// What the terminal is to be sent.
    var output: [UInt8] = []

    init(_ capabilities: TerminalCapabilities) {
        self.capabilities = capabilities
        columns = capabilities.columns
    }

    // MARK: Commands

    /// Writes text over the line from the cursor on.
    mutating func put(_ text: UnsafeBufferPointer<UInt8>) {
        let count = enter(text)
        if count > 0 { write(from: position - count, count) }
    }

    mutating func move(_ count: Int) {
        let target = stepped(count)
        moveCursor(from: position, to: target)
        position = target
    }

    mutating func insert(_ text: UnsafeBufferPointer<UInt8>) {
        let tail = position < cells.count ? Array(cells[position...]) : []
        if !tail.isEmpty { cells.removeSubrange(position...) }
        let count = enter(text)
        cells.append(contentsOf: tail)
        write(from: position - count, cells.count - (position - count))
        moveCursor(from: cells.count, to: position)
    }

    /// Deletes characters after the cursor, or before it when negative.
    mutating func delete(_ count: Int) {
        let target = stepped(count)
        let freed: Int
        if target > position {
            freed = column(target) - column(position)
            cells.removeSubrange(position..<target)
        } else if target < position {
            freed = -moveCursor(from: position, to: target)
            cells.removeSubrange(target..<position)
            position = target
        } else {
            return
        }
        write(from: position, cells.count - position)
        for _ in 0..<max(0, freed) { output.append(0x20) }
        if capabilities.wrapsLate, (column(cells.count) + freed) % columns == 0 {
            output.append(0x20)
            output.append(contentsOf: capabilities.left)
        }
        moveCursor(from: cells.count + max(0, freed), to: position)
    }

    mutating func beep() { output.append(7) }

    /// Ends a line that has become too long.
    mutating func limitLength() {
        guard position > TerminalLine.longest else { return }
        let newline: [UInt8] = [0x0A]
        newline.withUnsafeBufferPointer { put($0) }
    }

    // MARK: Cells

    private mutating func enter(_ cell: Cell) {
        if position < cells.count { cells[position] = cell } else { cells.append(cell) }
        position += 1
    }

    /// Puts the characters of UTF-8 text into cells; bytes that are none stand for themselves. Answers how many cells
    /// before the cursor are new and not written yet (a line end writes the ones before it).
    private mutating func enter(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var start = position
        var index = 0
        while index < text.count {
            let character = decodeUTF8(text, &index) ?? {
                index += 1
                return UInt32(text[index - 1])
            }()
            if character >= 0x20 && character < 0x7F || character >= 0x80 && isUnicode {
                enter(.character(character))
            } else if character >= 0x80 {
                enter(.escaped(character))
                for _ in TerminalLine.escapeText(character) { enter(.escapedFill) }
            } else if character == 9 {
                enter(.tab)
                while position % 8 != 0 { enter(.tabFill) }
            } else if character == 0x1B {
                enter(.escape)
            } else if character == 0x0A || character == 0x0D {
                write(from: start, position - start, lineEndFollows: true)
                output.append(0x0D)
                if character == 0x0A { output.append(0x0A) }
                cells.removeFirst(min(position, cells.count))
                (position, start) = (0, 0)
            } else {
                enter(.control(character))
                enter(.controlFill)
            }
        }
        return position - start
    }

    /// Letters after the backslash of a character that cannot be shown.
    private static func escapeText(_ character: UInt32) -> [UInt8] {
        if character < 0o1000 {
            return [6, 3, 0].map { UInt8(0x30 + (character >> $0) & 7) }
        }
        return Array("x{\(String(character, radix: 16, uppercase: true))}".utf8)
    }

    /// The cell `count` characters away from the cursor, within the line.
    private func stepped(_ count: Int) -> Int {
        var index = min(position, cells.count)
        var left = count
        while left > 0, index < cells.count {
            index += 1
            while index < cells.count, cells[index].isFill { index += 1 }
            left -= 1
        }
        while left < 0, index > 0 {
            index -= 1
            while index > 0, cells[index].isFill { index -= 1 }
            left += 1
        }
        return index
    }

    // MARK: Columns

    /// Column of a cell, counted without line breaks. Cells of control characters count nothing, as in OTP; cells
    /// behind the end count one each.
    private func column(_ index: Int) -> Int {
        var column = max(0, index - cells.count)
        let end = min(index, cells.count)
        var cell = 0
        while cell < end {
            switch cells[cell] {
            case .escape: cell += escapeLength(cell)
            case .character(let character):
                column += max(0, Int(vm_character_width(character)))
                cell += 1
            default: cell += 1
            }
        }
        return column
    }

    /// Cells of an escape sequence that colours text.
    private func escapeLength(_ start: Int) -> Int {
        guard start + 1 < cells.count else { return 1 }
        guard cells[start + 1] == .character(0x5B) else { return 2 }
        var index = start + 2
        while index < cells.count, case .character(let character) = cells[index],
            character == 0x3B || (character >= 0x30 && character <= 0x39)
        {
            index += 1
        }
        return index - start + 1
    }

    // MARK: Output

    private mutating func write(from start: Int, _ count: Int, lineEndFollows: Bool = false) {
        guard count > 0 || start > 0 else { return }
        var last: [UInt8] = [0x20]
        let end = start + max(count, 0)
        for index in start..<max(start, end) {
            switch cells[index] {
            case .character(let character): last = encode(character)
            case .tab, .tabFill: last = [0x20]
            case .escape: last = [0x1B]
            case .control(let character): last = [0x5E, UInt8(truncatingIfNeeded: character == 0x7F ? 0x3F : character | 0x40)]
            case .escaped(let character): last = [0x5C] + TerminalLine.escapeText(character)
            case .controlFill, .escapedFill: continue
            }
            output.append(contentsOf: last)
        }
        // The cursor of such a terminal waits behind the last column: something written brings it to the next line.
        if !lineEndFollows, capabilities.wrapsLate, end != 0, column(end) % columns == 0 {
            if end >= cells.count {
                output.append(0x20)
            } else if case .character? = cells[safe: end - 1] {
                output.append(contentsOf: last)
            } else {
                output.append(last.last ?? 0x20)
            }
            output.append(contentsOf: capabilities.left)
        }
    }

    private func encode(_ character: UInt32) -> [UInt8] {
        guard isUnicode, character >= 0x80 else { return [UInt8(truncatingIfNeeded: character)] }
        guard let scalar = Unicode.Scalar(character), let bytes = UTF8.encode(scalar) else { return [] }
        return Array(bytes)
    }

    /// Moves the cursor; answers by how many columns.
    @discardableResult
    private mutating func moveCursor(from: Int, to: Int) -> Int {
        let (old, new) = (column(from), column(to))
        let rows = new / columns - old / columns
        let right = new % columns - old % columns
        for _ in 0..<abs(rows) { output.append(contentsOf: rows > 0 ? capabilities.down : capabilities.up) }
        for _ in 0..<abs(right) { output.append(contentsOf: right > 0 ? capabilities.right : capabilities.left) }
        return new - old
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

/// The character at `index` of UTF-8 text, which moves behind it; nil (and no move) if there is no whole valid one.
func decodeUTF8(_ text: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> UInt32? {
    let lead = text[index]
    if lead < 0x80 {
        index += 1
        return UInt32(lead)
    }
    let length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0
    guard length > 0, index + length <= text.count else { return nil }
    var value = UInt32(lead & (0xFF >> UInt8(length + 1)))
    for offset in 1..<length {
        let byte = text[index + offset]
        guard byte & 0xC0 == 0x80 else { return nil }
        value = value << 6 | UInt32(byte & 0x3F)
    }
    guard Unicode.Scalar(value) != nil, value >= (length == 3 ? 0x800 : length == 4 ? 0x10000 : 0x80) else { return nil }
    index += length
    return value
}
