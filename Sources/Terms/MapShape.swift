// MapShape.swift: what comparison needs to know of a map's memory. The header of a map has its kind in bits 40-41
// (0 flat, 1 trie node, 2 trie root) and, in tries, the bitmap of the children present in bits 48-63.
//
//     flat   [1] size   [2] keys tuple (in exact order)   [3...] values
//     root   [1] size   [2...] children                    node   [1...] children
//
// A child is a node, or a cons [Key | Value]: a leaf.

import CMachine

enum MapShape {
    @inline(__always) static func kind(_ header: UInt64) -> UInt64 { header &>> 40 & 3 }
    @inline(__always) static func isFlat(_ header: UInt64) -> Bool { kind(header) == 0 }
    @inline(__always) static func bitmap(_ header: UInt64) -> UInt64 { header &>> 48 }

    /// Where the terms of a map object begin, counted from its header, and how many there are (in a flat map the keys
    /// tuple is the first).
    @inline(__always) static func children(_ header: UInt64) -> (offset: Int, count: Int) {
        kind(header) == 1 ? (1, Header.words(header)) : (2, Header.words(header) &- 1)
    }

    /// Requires: both have this header.
    @inline(__always) static func sizesAreEqual(_ a: Words, _ b: Words, _ header: UInt64) -> Bool {
        kind(header) == 1 || a[1] == b[1]
    }
}
