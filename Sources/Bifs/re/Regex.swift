// Regex.swift: compiled regular expressions. A program holds one as an opaque binary of its options and its text; the
// PCRE2 code for it comes from a cache keyed by that binary.
//
//     "ENRE"  compile options  newline  \R convention (32 bits each)  text

import CMachine
import CPCRE2
import Glibc
import Machine
import Terms

/// One compiled expression. Freed when the cache has dropped it and nobody matches with it.
final class Regex {
    let code: OpaquePointer
    let captureCount: Int

    init(code: OpaquePointer) {
        self.code = code
        var count: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_CAPTURECOUNT), &count)
        captureCount = Int(count)
    }

    deinit { pcre2_code_free_8(code) }

    /// The named groups, sorted: name and number.
    var names: [(name: [UInt8], number: Int)] {
        var count: UInt32 = 0
        var entrySize: UInt32 = 0
        var table: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &entrySize)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
        guard let table else { return [] }
        return (0..<Int(count)).map { index in
            let entry = table + index * Int(entrySize)
            let text = UnsafeBufferPointer(start: entry + 2, count: strlen(UnsafeRawPointer(entry + 2).assumingMemoryBound(to: CChar.self)))
            return (Array(text), Int(entry[0]) << 8 | Int(entry[1]))
        }
    }
}

enum RegexFailure: Error {
    case syntax(message: [UInt8], position: Int)
}

enum RegexCache {
    nonisolated(unsafe) private static var lock = Lock()
    /// Under `lock`.
    nonisolated(unsafe) private static var entries: [[UInt8]: Regex] = [:]
    private static let limit = 256

    static let magic: [UInt8] = Array("ENRE".utf8)
    static let headerBytes = 16

    /// The binary that stands for an expression.
    static func key(_ text: UnsafeBufferPointer<UInt8>, _ options: RegexOptions) -> [UInt8] {
        var key = magic
        key.reserveCapacity(headerBytes + text.count)
        for word in [options.compile, options.newline, options.lineEnds] {
            for shift in [24, 16, 8, 0] as [UInt32] { key.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        key.append(contentsOf: text)
        return key
    }

    /// Nil if `key` is no such binary.
    static func find(_ key: [UInt8]) -> Result<Regex, RegexFailure>? {
        guard key.count >= headerBytes, key.starts(with: magic) else { return nil }
        vm_lock(&lock)
        let known = entries[key]
        vm_unlock(&lock)
        if let known { return .success(known) }
        let result = compile(key)
        if case .success(let regex) = result {
            vm_lock(&lock)
            if entries.count >= limit { entries.removeAll() }
            entries[key] = regex
            vm_unlock(&lock)
        }
        return result
    }

    private static func word(_ key: [UInt8], _ index: Int) -> UInt32 {
        key[4 + 4 * index..<8 + 4 * index].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func compile(_ key: [UInt8]) -> Result<Regex, RegexFailure> {
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_character_tables_8(context, RegexTables.latin1)
        if word(key, 1) != 0 { pcre2_set_newline_8(context, word(key, 1)) }
        if word(key, 2) != 0 { pcre2_set_bsr_8(context, word(key, 2)) }
        var status: Int32 = 0
        var position = 0
        let code = key.withUnsafeBufferPointer {
            pcre2_compile_8(
                $0.baseAddress.unsafelyUnwrapped + headerBytes, $0.count - headerBytes, word(key, 0), &status,
                &position, context)
        }
        if let code { return .success(Regex(code: code)) }
        let (message, place) = key.withUnsafeBufferPointer {
            RegexErrors.describe(status, position, UnsafeBufferPointer(rebasing: $0[headerBytes...]))
        }
        return .failure(.syntax(message: message, position: place))
    }
}
