// MatchSpecText.swift: terms in the messages about match specifications, written as the emulator writes terms. The
// messages are cut after 99 bytes, so the text ends soon after that: it bounds the depth, too.

import CMachine
import Terms

func matchText(_ term: Term) -> String {
    var text = MatchText()
    text.add(term)
    return text.result
}

private struct MatchText {
    var result = ""
    static let limit = 120

    var isFull: Bool { result.utf8.count >= MatchText.limit }

    mutating func add(_ term: Term) {
        if isFull { return }
        if term.isAtom {
            add(atom: term.atomText)
        } else if term.isSmall {
            result += "\(term.smallValue)"
        } else if term.isNil {
            result += "[]"
        } else if term.isCons {
            add(list: term)
        } else if term.isTuple {
            result += "{"
            for index in 0..<term.tupleSize where !isFull {
                if index > 0 { result += "," }
                add(term.element(index))
            }
            result += "}"
        } else if term.isMap {
            add(map: term)
        } else if term.isFloat {
            result += exponentForm(term.floatValue)
        } else if term.isBinary {
            add(binary: term)
        } else if term.isBig {
            add(big: term)
        } else {
            add(identity: term)
        }
    }

    private mutating func add(atom: String) {
        let isPlain =
            atom.utf8.first.map { $0 >= 97 && $0 <= 122 } ?? false
            && atom.utf8.allSatisfy {
                $0 >= 97 && $0 <= 122 || $0 >= 65 && $0 <= 90 || $0 >= 48 && $0 <= 57 || $0 == 95 || $0 == 64
            }
        if isPlain {
            result += atom
            return
        }
        result += "'"
        for scalar in atom.unicodeScalars {
            switch scalar {
            case "'": result += "\\'"
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            default: result.unicodeScalars.append(scalar)
            }
        }
        result += "'"
    }

    private mutating func add(list: Term) {
        if let string = printable(list) {
            result += "\"\(string)\""
            return
        }
        result += "["
        var current = list
        while current.isCons, !isFull {
            if current != list { result += "," }
            add(current.head)
            current = current.tail
        }
        if !current.isNil, !isFull {
            result += "|"
            add(current)
        }
        result += "]"
    }

    /// The text of a proper list of printable characters.
    private func printable(_ list: Term) -> String? {
        var text = ""
        var current = list
        while current.isCons {
            guard current.head.isSmall else { return nil }
            let value = current.head.smallValue
            let isText = value >= 32 && value < 127 || value >= 160 && value < 256 || value == 10 || value == 9
            guard isText, let scalar = Unicode.Scalar(UInt32(value)) else { return nil }
            if scalar == "\n" {
                text += "\\n"
            } else if scalar == "\"" {
                text += "\\\""
            } else {
                text.unicodeScalars.append(scalar)
            }
            current = current.tail
        }
        return current.isNil ? text : nil
    }

    private mutating func add(map: Term) {
        result += "#{"
        var iterator = MapIterator(map)
        var isFirst = true
        while let pair = iterator.next(), !isFull {
            if !isFirst { result += "," }
            isFirst = false
            add(pair.key)
            result += "=>"
            add(pair.value)
        }
        result += "}"
    }

    private mutating func add(binary: Term) {
        let count = binary.byteCount
        var bytes: [UInt8] = []
        for index in 0..<min(count, MatchText.limit) {
            bytes.append(UInt8(byte(binary, index)))
        }
        if count > 0, bytes.allSatisfy({ $0 >= 32 && $0 < 127 }) {
            result += "<<\"" + String(decoding: bytes, as: UTF8.self) + "\">>"
        } else {
            result += "<<" + bytes.map(String.init).joined(separator: ",") + ">>"
        }
    }

    /// Byte `index` of a binary.
    private func byte(_ binary: Term, _ index: Int) -> Int {
        let original = binary.originalBinary.originalBytes
        guard binary.subtag == Subtag.subBinary else { return Int(original[index]) }
        let offset = Int(binary.pointer[2])
        let shift = Int(binary.pointer[3] >> 8 & 7)
        if shift == 0 { return Int(original[offset + index]) }
        return (Int(original[offset + index]) << shift | Int(original[offset + index + 1]) >> (8 - shift)) & 255
    }

    /// Decimal digits, by repeated division by ten.
    private mutating func add(big: Term) {
        var limbs = (0..<min(big.bigLimbCount, 8)).map { big.bigLimbs[$0] }
        var digits: [UInt8] = []
        while limbs.contains(where: { $0 != 0 }) {
            var rest: UInt64 = 0
            for index in limbs.indices.reversed() {
                let (quotient, remainder) = UInt64(10).dividingFullWidth((rest, limbs[index]))
                limbs[index] = quotient
                rest = remainder
            }
            digits.append(UInt8(rest) + 48)
        }
        result += (big.bigIsNegative ? "-" : "") + String(decoding: digits.reversed(), as: UTF8.self)
    }

    private mutating func add(identity term: Term) {
        if term.isLocalPid {
            result += "<0.\(term.idData & 0x7FFF).\(term.idData >> 15)>"
        } else if term.isLocalPort {
            result += "#Port<0.\(term.idData)>"
        } else if term.isReference {
            let numbers = term.referenceNumbers
            result += "#Ref<0.\(numbers.1 & 0xFFFF_FFFF).\(numbers.0 >> 32).\(numbers.0 & 0xFFFF_FFFF)>"
        } else if term.isFun {
            result += "#Fun<\(term.funArity)>"
        } else {
            result += "<<>>"
        }
    }

    /// As C's %e with six decimals.
    private func exponentForm(_ value: Double) -> String {
        if value == 0 { return value.sign == .minus ? "-0.000000e+00" : "0.000000e+00" }
        var exponent = 0
        var mantissa = value.magnitude
        while mantissa >= 10 {
            mantissa /= 10
            exponent += 1
        }
        while mantissa < 1 {
            mantissa *= 10
            exponent -= 1
        }
        var scaled = Int((mantissa * 1_000_000).rounded())
        if scaled >= 10_000_000 {
            scaled /= 10
            exponent += 1
        }
        let decimals = String(scaled % 1_000_000)
        let padded = String(repeating: "0", count: 6 - decimals.count) + decimals
        let power = String(exponent.magnitude)
        return "\(value < 0 ? "-" : "")\(scaled / 1_000_000).\(padded)e\(exponent < 0 ? "-" : "+")"
            + (power.count < 2 ? "0" : "") + power
    }
}
