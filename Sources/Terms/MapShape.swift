// MapShape.swift: maps as plain arrays of terms, for the walks that compare them (layout: MapLayout.swift).

import CMachine

enum MapShape {
    /// Where the terms of a map object begin, counted from its header, and how many there are (in a flat map the keys
    /// tuple is the first).
    @inline(__always) static func children(_ header: UInt64) -> (offset: Int, count: Int) {
        Header.mapKind(header) == MapKind.node ? (1, Header.words(header)) : (2, Header.words(header) &- 1)
    }

    /// Requires: both have this header.
    @inline(__always) static func sizesAreEqual(_ a: Words, _ b: Words, _ header: UInt64) -> Bool {
        Header.mapKind(header) == MapKind.node || a[1] == b[1]
    }
}
