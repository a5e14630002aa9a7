// Utf8.swift: validation and conversion of UTF-8 runs.

public import CMachine

/// How a run of UTF-8 ends.
@frozen public enum Utf8End {
    case valid
    /// The run ends inside a character.
    case truncated
    case invalid
}

/// Counts the characters of the longest valid prefix of `bytes`. `count` is the length of that prefix in bytes.
/// A last character with too few bytes counts as truncated whatever those bytes are.
public func scanUtf8(_ bytes: UnsafeBufferPointer<UInt8>) -> (end: Utf8End, count: Int, characters: Int) {
    guard let base = bytes.baseAddress else { return (.valid, 0, 0) }
    var index = 0
    var characters = 0
    let count = bytes.count
    var breath = index &+ Utf8.piece
    while index < count {
        if index >= breath {
            breath = index &+ Utf8.piece
            if !vm_breathe(512) { return (.invalid, index, characters) }
        }
        // Eight ASCII bytes at a time.
        let run = min(count, breath)
        while index &+ 8 <= run, loadBig64(base + index) & 0x8080_8080_8080_8080 == 0 {
            index &+= 8
            characters &+= 8
        }
        guard index < count else { break }
        let lead = base[index]
        if lead < 0x80 {
            index &+= 1
            characters &+= 1
            continue
        }
        let length = utf8Shape(lead: lead)
        if length < 2 { return (.invalid, index, characters) }
        if index &+ length > count { return (.truncated, index, characters) }
        guard decodeUtf8(base + index, length) >= 0 else { return (.invalid, index, characters) }
        index &+= length
        characters &+= 1
    }
    return (.valid, index, characters)
}

private enum Utf8 {
    /// Bytes looked at between two pauses on a fiber.
    static let piece = 32 << 10
}

/// Bytes that a lead byte announces by its high bits alone, overlong or not; 0 for a byte that leads nothing.
@inlinable public func utf8Shape(lead: UInt8) -> Int {
    lead < 0x80 ? 1 : lead & 0xE0 == 0xC0 ? 2 : lead & 0xF0 == 0xE0 ? 3 : lead & 0xF8 == 0xF0 ? 4 : 0
}

/// The code point of the `length` bytes at `p`, or -1. Requires: `length` is what `utf8Shape` says of the first.
@inlinable public func decodeUtf8(_ p: UnsafePointer<UInt8>, _ length: Int) -> Int {
    guard utf8Length(lead: p[0]) == length else { return -1 }
    var word: UInt64 = 0
    for index in 0..<length { word = word &<< 8 | UInt64(p[index]) }
    return decodeUtf8(word &<< UInt64(64 &- length &* 8), length)
}

/// Whether the `count` bytes of an incomplete character could still become one, as far as BEAM checks that.
public func canBecomeCharacter(_ bytes: UnsafePointer<UInt8>, count: Int) -> Bool {
    let length = utf8Shape(lead: bytes[0])
    guard length > 1, count < length else { return false }
    for index in 1..<max(count, 1) where bytes[index] & 0xC0 != 0x80 { return false }
    return true
}

/// Bytes with the high bit set: what a Latin-1 run grows by in UTF-8.
public func countHighBytes(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var high = 0
    var start = 0
    while start < bytes.count {
        let end = min(start &+ Utf8.piece, bytes.count)
        for index in start..<end { high &+= Int(bytes[index] &>> 7) }
        start = end
        if start < bytes.count, !vm_breathe(512) { break }
    }
    return high
}

/// Converts Latin-1 to UTF-8; answers the bytes written. Requires: `target` has room.
public func copyLatin1(_ bytes: UnsafeBufferPointer<UInt8>, toUtf8 target: Bytes) -> Int {
    var written = 0
    for index in 0..<bytes.count {
        if index & (Utf8.piece - 1) == 0, index > 0, !vm_breathe(2048) { break }
        let byte = bytes[index]
        if byte < 0x80 {
            target[written] = byte
            written &+= 1
        } else {
            target[written] = 0xC0 | byte &>> 6
            target[written &+ 1] = 0x80 | byte & 0x3F
            written &+= 2
        }
    }
    return written
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// A list of the code points of valid UTF-8, before `tail`. Requires: `characters` is their number.
    public func codePoints(
        ofUtf8 bytes: UnsafeBufferPointer<UInt8>, characters: Int, tail: Term = .nil
    ) -> Term {
        guard characters > 0, let base = bytes.baseAddress else { return tail }
        let cells = allocate(characters &* 2)
        var p = UnsafePointer(base)
        for index in 0..<characters {
            if index & 4095 == 4095, !vm_breathe(256) { return tail }
            let length = utf8Shape(lead: p[0])
            let value = length == 1 ? Int(p[0]) : decodeUtf8(p, length)
            p += length
            cells[index &* 2] = Term.small(value).raw
            cells[index &* 2 &+ 1] = Term.cons(cells + (index &* 2 &+ 2)).raw
        }
        cells[characters &* 2 &- 1] = tail.raw
        return .cons(cells)
    }
}
