// RegexErrors.swift: what is wrong with an expression, in the words and at the places of PCRE 8, which OTP has: programs
// see both. Ours is PCRE2, whose codes are those of PCRE 8 plus 100.

import CPCRE2

enum RegexErrors {
    /// Text and position for PCRE2's `status` and `position`.
    static func describe(
        _ status: Int32, _ position: Int, _ pattern: UnsafeBufferPointer<UInt8>
    ) -> (message: [UInt8], position: Int) {
        let place = moved(status, position, pattern)
        if let text = text(status, pattern) { return (Array(text.utf8), place) }
        var message = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(status, &message, 256)
        return (Array(message.prefix(max(Int(count), 0))), place)
    }

    /// PCRE 8's words where they differ.
    private static func text(_ status: Int32, _ pattern: UnsafeBufferPointer<UInt8>) -> String? {
        switch status {
        case 109: "nothing to repeat"
        case 114:
            if endsInOptions(pattern) {
                "unrecognized character after (? or (?-"
            } else if ends(pattern, "(?(") {
                "assertion expected after (?( or (?(?C)"
            } else if ends(pattern, "(?P") {
                "unrecognized character after (?P"
            } else {
                "missing )"
            }
        case 118: "missing ) after comment"
        case 122: "unmatched parentheses"
        case 124: "malformed number or name after (?("
        case 127: "conditional group contains more than two branches"
        case 129, 158: "(?R or (?[+-]digits must be followed by )"
        case 134: "character value in \\x{} or \\o{} is too large"
        case 137, 193: "PCRE does not support \\L, \\l, \\N{name}, \\U, or \\u"
        case 138: "number after (?C is > 255"
        case 139: "closing ) for (?C expected"
        case 142: "syntax error in subpattern name (missing terminator)"
        case 143: "two named subpatterns have the same name"
        case 144: "group name must start with a non-digit"
        case 147: "unknown property name after \\P or \\p"
        case 162:
            if ends(pattern, "(?<") {
                "unrecognized character after (?<"
            } else if ends(pattern, "(?P<") || ends(pattern, "(?'") {
                "syntax error in subpattern name (missing terminator)"
            } else {
                nil
            }
        case 168: "\\c must be followed by an ASCII character"
        case 178:
            ends(pattern, "\\o{")
                ? "non-octal character in \\o{} (closing brace missing?)"
                : "non-hex character in \\x{} (closing brace missing?)"
        default: nil
        }
    }

    private static func moved(_ status: Int32, _ position: Int, _ pattern: UnsafeBufferPointer<UInt8>) -> Int {
        switch status {
        case 115: return behindReference(position, pattern)
        case 125: return closingParenthesis(position, pattern)
        case 128: return position + 1
        case 137, 143, 147, 150, 157, 169, 193: return max(position - 1, 0)
        default: return position
        }
    }

    private static func ends(_ pattern: UnsafeBufferPointer<UInt8>, _ suffix: String) -> Bool {
        pattern.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// `(?` and letters of options, then the end.
    private static func endsInOptions(_ pattern: UnsafeBufferPointer<UInt8>) -> Bool {
        var end = pattern.count
        while end > 0, "imsxJU-".utf8.contains(pattern[end - 1]) { end -= 1 }
        return end >= 2 && pattern[end - 1] == UInt8(ascii: "?") && pattern[end - 2] == UInt8(ascii: "(")
    }

    /// PCRE2 points at the name of a group that is not there, PCRE 8 behind it.
    private static func behindReference(_ position: Int, _ pattern: UnsafeBufferPointer<UInt8>) -> Int {
        func isWord(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "_") || (48...57).contains(byte) || (65...90).contains(byte)
                || (97...122).contains(byte)
        }
        var place = position
        if place < pattern.count, pattern[place] == UInt8(ascii: "{") {
            while place < pattern.count, pattern[place] != UInt8(ascii: "}") { place += 1 }
            return place
        }
        var isCondition = place >= 3 && pattern[place - 1] == UInt8(ascii: "(") && pattern[place - 2] == UInt8(ascii: "?")
        if place < pattern.count, place >= 2, pattern[place] == UInt8(ascii: "(") {
            isCondition = true
            place += 1
        }
        while place < pattern.count, isWord(pattern[place]) { place += 1 }
        guard place < pattern.count else { return place }
        let isEnd = pattern[place] == UInt8(ascii: "}") || isCondition && pattern[place] == UInt8(ascii: ")")
        return isEnd ? place + 1 : place
    }

    /// Of the group that begins at or after `position`.
    private static func closingParenthesis(_ position: Int, _ pattern: UnsafeBufferPointer<UInt8>) -> Int {
        var depth = 0
        var place = position
        while place < pattern.count {
            switch pattern[place] {
            case UInt8(ascii: "\\"): place += 1
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if depth == 0 { return place }
            default: break
            }
            place += 1
        }
        return position
    }
}

/// Character tables for Latin-1, as OTP's PCRE has them: letters beyond ASCII are letters, in either case. Made once.
enum RegexTables {
    nonisolated(unsafe) static let latin1: UnsafePointer<UInt8>? = {
        guard let made = pcre2_maketables_8(nil) else { return nil }
        let tables = UnsafeMutablePointer(mutating: made)
        // Lower case, other case, ten bit maps of 32 bytes, types.
        let (lower, other, maps, types) = (tables, tables + 256, tables + 512, tables + 832)
        func set(_ map: Int, _ code: Int) { maps[map * 32 + code / 8] |= 1 << UInt8(code & 7) }
        for code in 0x80...0x9F { set(9, code) }
        for code in 0xA0...0xFF {
            set(7, code)
            let isUpper = (0xC0...0xDE).contains(code) && code != 0xD7
            let isLower = (0xDF...0xFF).contains(code) && code != 0xF7 || code == 0xB5
            set(6, code)
            guard isUpper || isLower || code == 0xAA || code == 0xBA else {
                set(8, code)
                continue
            }
            set(5, code)
            types[code] |= 0x12
            if isUpper {
                set(3, code)
                lower[code] = UInt8(code + 32)
                other[code] = UInt8(code + 32)
            } else {
                set(4, code)
                types[code] |= 0x04
                if code != 0xDF, code != 0xFF, code >= 0xE0 { other[code] = UInt8(code - 32) }
            }
        }
        return made
    }()
}
