// RegexOptions.swift: the option lists of re:compile and re:run.

import CMachine
import CPCRE2
import Machine
import Terms

struct RegexOptions {
    /// PCRE2's compile options, newline and \R conventions.
    var compile: UInt32 = 0
    var newline: UInt32 = 0
    var lineEnds: UInt32 = 0
    var match: UInt32 = 0
    var offset = 0
    var matchLimit: UInt32?
    var depthLimit: UInt32?
    /// What to capture and how, if given.
    var captured: Term?
    var captureType = Atoms.index
    var isUnicode = false
    var isGlobal = false
    var reportsErrors = false
    /// Options that only one of compiling and running knows.
    var hasCompileOnly = false
    var hasRunOnly = false

    /// Nil for a bad option.
    init?(_ list: Term) {
        var rest = list
        while rest.isCons {
            let option = rest.head
            guard option.isTuple ? parse(tuple: option) : parse(atom: option) else { return nil }
            rest = rest.tail
        }
        guard rest.isNil else { return nil }
    }

    private mutating func parse(tuple: Term) -> Bool {
        if tuple.isTuple(3), tuple.element(0) == Atoms.capture {
            captured = tuple.element(1)
            captureType = tuple.element(2)
            hasRunOnly = true
            return true
        }
        guard tuple.isTuple(2) else { return false }
        let value = tuple.element(1)
        let number = value.isSmall ? Int32(exactly: value.smallValue).flatMap { $0 < 0 ? nil : $0 } : nil
        switch tuple.element(0) {
        case Atoms.newline: return parse(newline: value)
        case Atoms.capture:
            captured = value
            captureType = Atoms.index
        case Atoms.offset:
            guard let number else { return false }
            offset = Int(number)
        case Atoms.match_limit:
            guard let number else { return false }
            matchLimit = UInt32(number)
        case Atoms.match_limit_recursion:
            guard let number else { return false }
            depthLimit = UInt32(number)
        default: return false
        }
        hasRunOnly = true
        return true
    }

    private mutating func parse(newline value: Term) -> Bool {
        switch value {
        case Atoms.cr: newline = UInt32(PCRE2_NEWLINE_CR)
        case Atoms.lf: newline = UInt32(PCRE2_NEWLINE_LF)
        case Atoms.crlf: newline = UInt32(PCRE2_NEWLINE_CRLF)
        case Atoms.anycrlf: newline = UInt32(PCRE2_NEWLINE_ANYCRLF)
        case Atoms.any: newline = UInt32(PCRE2_NEWLINE_ANY)
        default: return false
        }
        return true
    }

    private mutating func parse(atom: Term) -> Bool {
        switch atom {
        case Atoms.anchored:
            compile |= UInt32(PCRE2_ANCHORED)
            match |= UInt32(PCRE2_ANCHORED)
            return true
        case Atoms.bsr_anycrlf:
            lineEnds = UInt32(PCRE2_BSR_ANYCRLF)
            return true
        case Atoms.bsr_unicode:
            lineEnds = UInt32(PCRE2_BSR_UNICODE)
            return true
        case Atoms.notempty: match |= UInt32(PCRE2_NOTEMPTY)
        case Atoms.notempty_atstart: match |= UInt32(PCRE2_NOTEMPTY_ATSTART)
        case Atoms.notbol: match |= UInt32(PCRE2_NOTBOL)
        case Atoms.noteol: match |= UInt32(PCRE2_NOTEOL)
        case Atoms.report_errors: reportsErrors = true
        case Atoms.global: isGlobal = true
        default: return parse(compileOnly: atom)
        }
        hasRunOnly = true
        return true
    }

    private mutating func parse(compileOnly atom: Term) -> Bool {
        switch atom {
        case Atoms.unicode:
            compile |= UInt32(PCRE2_UTF)
            isUnicode = true
        case Atoms.no_start_optimize: compile |= UInt32(PCRE2_NO_START_OPTIMIZE)
        case Atoms.caseless: compile |= UInt32(PCRE2_CASELESS)
        case Atoms.dollar_endonly: compile |= UInt32(PCRE2_DOLLAR_ENDONLY)
        case Atoms.dotall: compile |= UInt32(PCRE2_DOTALL)
        case Atoms.extended: compile |= UInt32(PCRE2_EXTENDED)
        case Atoms.firstline: compile |= UInt32(PCRE2_FIRSTLINE)
        case Atoms.multiline: compile |= UInt32(PCRE2_MULTILINE)
        case Atoms.no_auto_capture: compile |= UInt32(PCRE2_NO_AUTO_CAPTURE)
        case Atoms.dupnames: compile |= UInt32(PCRE2_DUPNAMES)
        case Atoms.ungreedy: compile |= UInt32(PCRE2_UNGREEDY)
        case Atoms.ucp: compile |= UInt32(PCRE2_UCP)
        case Atoms.never_utf: compile |= UInt32(PCRE2_NEVER_UTF)
        default: return false
        }
        hasCompileOnly = true
        return true
    }

    /// A line may end in two characters.
    var usesCRLF: Bool {
        newline == UInt32(PCRE2_NEWLINE_CRLF) || newline == UInt32(PCRE2_NEWLINE_ANY)
            || newline == UInt32(PCRE2_NEWLINE_ANYCRLF)
    }
}
