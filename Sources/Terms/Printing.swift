// Printing.swift: terms as the VM itself prints them: erlang:display/1, crash messages, the printed forms of pids,
// ports, references and funs. Bytes are UTF-8 in atoms; a string prints its Latin-1 bytes as they are, as in OTP.

public import CMachine
import Glibc

/// Appends `term`. At most about `limit` elements and characters are printed, then "... ".
public func printTerm(_ term: Term, into output: inout ByteBuffer, limit: Int = Int(Int32.max)) {
    var printer = TermPrinter(limit)
    printer.run(term, &output)
}

/// `term` as text, for messages of the VM.
public func printed(_ term: Term, limit: Int = 10_000) -> String {
    var output = ByteBuffer()
    printTerm(term, into: &output, limit: limit)
    return output.text
}

private struct TermPrinter: ~Copyable {
    private enum Kind {
        /// One byte of punctuation, kept in `left`.
        case byte
        case arrow
        case term
        /// The elements of a list from the cell on.
        case cells
        /// `left` elements, separated by commas.
        case elements
        /// `left` pairs of a flat map: keys from `next`, values from `other`.
        case pairs
    }

    private struct Frame {
        var kind: Kind
        var word: UInt64 = 0
        var other: UInt64 = 0
        var left = 0
    }

    private var frames = FrameStack<Frame>()
    /// Elements and characters that may still be printed.
    private var budget: Int

    init(_ limit: Int) { budget = limit }

    mutating func run(_ root: Term, _ output: inout ByteBuffer) {
        var isComplete = print(root, &output)
        while isComplete, !frames.isEmpty {
            let frame = frames.pop()
            switch frame.kind {
            case .byte: output.append(UInt8(truncatingIfNeeded: frame.left))
            case .arrow: output.append("=>")
            case .term: isComplete = print(Term(raw: frame.word), &output)
            case .cells: isComplete = cell(Term(raw: frame.word), &output)
            case .elements:
                let next = Words(bitPattern: UInt(frame.word)).unsafelyUnwrapped
                if frame.left > 1 {
                    frames.push(Frame(kind: .elements, word: address(next + 1), left: frame.left - 1))
                    comma()
                }
                isComplete = print(Term(raw: next[0]), &output)
            case .pairs:
                let key = Words(bitPattern: UInt(frame.word)).unsafelyUnwrapped
                let value = Words(bitPattern: UInt(frame.other)).unsafelyUnwrapped
                if frame.left > 1 {
                    let rest = Frame(kind: .pairs, word: address(key + 1), other: address(value + 1), left: frame.left - 1)
                    frames.push(rest)
                    comma()
                }
                frames.push(Frame(kind: .term, word: value[0]))
                frames.push(Frame(kind: .arrow))
                isComplete = print(Term(raw: key[0]), &output)
            }
        }
        if budget <= 0 { output.append("... ") }
    }

    private func address(_ pointer: Words) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }
    private mutating func comma() { push(UInt8(ascii: ",")) }
    private mutating func push(_ byte: UInt8) { frames.push(Frame(kind: .byte, left: Int(byte))) }

    /// Whether one more element may be printed.
    private mutating func spend() -> Bool {
        budget &-= 1
        return budget >= 0
    }

    /// Prints one term or its beginning; false when the budget is spent.
    private mutating func print(_ term: Term, _ output: inout ByteBuffer) -> Bool {
        guard spend() else { return false }
        if term.isNone {
            output.append("<TNV>")
            return false
        }
        if term.isHeader {
            output.append("<cp/header:0x")
            output.append(text: String(term.raw, radix: 16))
            output.append(UInt8(ascii: ">"))
            return false
        }
        if term.isSmall {
            output.appendDecimal(term.smallValue)
        } else if term.isAtom {
            printAtom(term, into: &output)
            budget &-= Int(AtomTable.entry(term).pointee.count)
            return budget > 0
        } else if term.isNil {
            output.append("[]")
        } else if term.isCons {
            return list(term, &output)
        } else if term.isPid {
            printPid(term, &output)
        } else if term.isPort {
            printPort(term, &output)
        } else if term.isBoxed {
            return boxed(term, &output)
        } else {
            output.append("<unknown:0x")
            output.append(text: String(term.raw, radix: 16))
            output.append(UInt8(ascii: ">"))
        }
        return true
    }

    private mutating func boxed(_ term: Term, _ output: inout ByteBuffer) -> Bool {
        switch term.subtag {
        case Subtag.tuple:
            output.append(UInt8(ascii: "{"))
            push(UInt8(ascii: "}"))
            let size = term.tupleSize
            if size > 0 { frames.push(Frame(kind: .elements, word: address(term.pointer + 1), left: size)) }
        case Subtag.map: map(term, &output)
        case Subtag.float: float(term.floatValue, &output)
        case Subtag.positiveBig, Subtag.negativeBig: withIntegerText(term, base: 10) { output.append($0) }
        case Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary: return bitstring(term, &output)
        case Subtag.fun: fun(term, &output)
        case Subtag.matchContext: output.append("#MatchState")
        default: printReference(term, &output)
        }
        return true
    }

    // MARK: Lists

    private mutating func list(_ term: Term, _ output: inout ByteBuffer) -> Bool {
        guard isPrintable(term) else {
            output.append(UInt8(ascii: "["))
            push(UInt8(ascii: "]"))
            return cell(term, &output)
        }
        output.append(UInt8(ascii: "\""))
        var rest = term
        while rest.isCons {
            guard spend() else { return false }
            let byte = UInt8(truncatingIfNeeded: rest.head.smallValue)
            if byte == UInt8(ascii: "\n") {
                output.append("\\n")
            } else {
                if byte == UInt8(ascii: "\"") { output.append(UInt8(ascii: "\\")) }
                output.append(byte)
            }
            rest = rest.tail
        }
        output.append(UInt8(ascii: "\""))
        return true
    }

    private mutating func cell(_ cell: Term, _ output: inout ByteBuffer) -> Bool {
        let tail = cell.tail
        if tail.isCons {
            frames.push(Frame(kind: .cells, word: tail.raw))
            comma()
        } else if !tail.isNil {
            frames.push(Frame(kind: .term, word: tail.raw))
            push(UInt8(ascii: "|"))
        }
        return print(cell.head, &output)
    }

    /// A proper list of printable Latin-1 characters and blanks.
    private func isPrintable(_ list: Term) -> Bool {
        var rest = list
        while rest.isCons {
            let head = rest.head
            guard head.isSmall, head.raw <= Term.small(255).raw else { return false }
            let byte = head.smallValue
            if byte < 32 || (byte >= 127 && byte < 160) {
                guard byte == 10 || byte == 9 || byte == 13 else { return false }
            }
            rest = rest.tail
        }
        return rest.isNil
    }

    // MARK: Others

    private mutating func map(_ term: Term, _ output: inout ByteBuffer) {
        let object = term.pointer
        let header = object[0]
        if term.isFlatMap {
            output.append("#{")
            push(UInt8(ascii: "}"))
            let size = term.mapSize
            guard size > 0 else { return }
            frames.push(
                Frame(kind: .pairs, word: address(term.flatKeys), other: address(term.flatValues), left: size))
            return
        }
        output.append(Header.mapKind(header) == MapKind.root ? "#<" : "<")
        output.append(text: String(Header.mapBitmap(header), radix: 16))
        output.append(">{")
        push(UInt8(ascii: "}"))
        let count = Header.mapChildCount(header)
        frames.push(Frame(kind: .elements, word: address(Header.mapChildren(object)), left: count))
    }

    private func float(_ value: Double, _ output: inout ByteBuffer) {
        output.reserve(64)
        let room = output.start + output.count
        let count = withVaList([value]) { arguments in
            room.withMemoryRebound(to: CChar.self, capacity: 64) { vsnprintf($0, 64, "%e", arguments) }
        }
        output.count += Int(count)
    }

    private mutating func bitstring(_ term: Term, _ output: inout ByteBuffer) -> Bool {
        let bits = Bits(term)
        let count = bits.size >> 3
        let extra = bits.size & 7
        func byte(_ index: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: readBits(bits.base, bits.offset + 8 * index, 8))
        }
        let isText = extra == 0 && count > 0 && (0..<count).allSatisfy { byte($0) >= 32 && byte($0) < 127 }
        output.append(isText ? "<<\"" : "<<")
        for index in 0..<count {
            let value = byte(index)
            if isText {
                if value == UInt8(ascii: "\"") { output.append(UInt8(ascii: "\\")) }
                output.append(value)
            } else {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                output.appendDecimal(Int(value))
            }
            guard spend() else { return false }
        }
        if extra > 0 {
            if count > 0 { output.append(UInt8(ascii: ",")) }
            output.appendDecimal(Int(readBits(bits.base, bits.offset + 8 * count, extra)))
            output.append(UInt8(ascii: ":"))
            output.appendDecimal(extra)
        }
        output.append(isText ? "\">>" : ">>")
        return true
    }

    private mutating func fun(_ term: Term, _ output: inout ByteBuffer) {
        if term.funIsExternal {
            let export = term.funExport
            output.append("fun ")
            printAtom(export.pointee.module, into: &output)
            output.append(UInt8(ascii: ":"))
            printAtom(export.pointee.name, into: &output)
            output.append(UInt8(ascii: "/"))
            output.appendDecimal(Int(export.pointee.arity))
            budget &-= Int(AtomTable.entry(export.pointee.module).pointee.count)
            budget &-= Int(AtomTable.entry(export.pointee.name).pointee.count)
            return
        }
        let entry = term.funEntry
        let module = AtomTable.entry(entry.pointee.module).pointee
        output.append("#Fun<")
        output.append(module.bytes, count: Int(module.count))
        output.append(UInt8(ascii: "."))
        output.appendDecimal(Int(entry.pointee.index))
        output.append(UInt8(ascii: "."))
        output.appendDecimal(Int(Int32(bitPattern: entry.pointee.oldUniq)))
        output.append(UInt8(ascii: ">"))
    }
}

// MARK: - Identities

private func printPid(_ term: Term, _ output: inout ByteBuffer) {
    let numbers = term.pidNumbers
    output.append(UInt8(ascii: "<"))
    output.appendDecimal(Int(term.channel))
    output.append(UInt8(ascii: "."))
    output.appendDecimal(Int(numbers.number))
    output.append(UInt8(ascii: "."))
    output.appendDecimal(Int(numbers.serial))
    output.append(UInt8(ascii: ">"))
}

private func printPort(_ term: Term, _ output: inout ByteBuffer) {
    output.append("#Port<")
    output.appendDecimal(Int(term.channel))
    output.append(UInt8(ascii: "."))
    output.appendDecimal(unsigned: term.portNumber)
    output.append(UInt8(ascii: ">"))
}

private func printReference(_ term: Term, _ output: inout ByteBuffer) {
    let (count, words) = term.referenceWords
    output.append("#Ref<")
    output.appendDecimal(Int(term.channel))
    withUnsafePointer(to: words) { tuple in
        tuple.withMemoryRebound(to: UInt32.self, capacity: 5) { numbers in
            for index in stride(from: count - 1, through: 0, by: -1) {
                output.append(UInt8(ascii: "."))
                output.appendDecimal(Int(numbers[index]))
            }
        }
    }
    output.append(UInt8(ascii: ">"))
}

// MARK: - Atoms

/// Appends an atom, in quotes unless it begins with a lower-case Latin-1 letter and has only Latin-1 letters, digits
/// and underscores.
public func printAtom(_ atom: Term, into output: inout ByteBuffer) {
    let entry = AtomTable.entry(atom).pointee
    let text = UnsafeBufferPointer(start: entry.bytes, count: Int(entry.count))
    let isPlain = isPlainAtom(text)
    if !isPlain { output.append(UInt8(ascii: "'")) }
    var index = 0
    while index < text.count {
        let byte = text[index]
        index += 1
        if let letter = escape(byte) {
            output.append(UInt8(ascii: "\\"))
            output.append(letter)
        } else if byte < 32 {
            octal(byte, &output)
        } else if byte == 0xC2, text[index] < 0xA0 {
            octal(text[index], &output)
            index += 1
        } else {
            output.append(byte)
        }
    }
    if !isPlain { output.append(UInt8(ascii: "'")) }
}

private func isPlainAtom(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var index = 0
    while index < text.count {
        let byte = text[index]
        var character = UInt32(byte)
        if byte >= 0xC4 { return false }
        if byte >= 0x80 {
            character = UInt32(byte & 0x1F) << 6 | UInt32(text[index + 1] & 0x3F)
            index += 1
        }
        let isLower = character >= 97 && character <= 122 || character >= 223 && character != 247
        let isUpper = character >= 65 && character <= 90 || character >= 192 && character <= 222 && character != 215
        let isOther = character >= 48 && character <= 57 || character == 95
        guard isLower || (index > 0 && (isUpper || isOther)) else { return false }
        index += 1
    }
    return text.count > 0
}

/// The letter of `byte` behind a backslash.
private func escape(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\\"): return byte
    case 10: return UInt8(ascii: "n")
    case 12: return UInt8(ascii: "f")
    case 9: return UInt8(ascii: "t")
    case 13: return UInt8(ascii: "r")
    case 8: return UInt8(ascii: "b")
    case 11: return UInt8(ascii: "v")
    default: return nil
    }
}

private func octal(_ byte: UInt8, _ output: inout ByteBuffer) {
    output.append(UInt8(ascii: "\\"))
    for shift in [6, 3, 0] as [UInt8] { output.append(0x30 | byte >> shift & 7) }
}
