// HTTPPacket.swift: start lines and headers of HTTP messages as terms, for decode_packet/3 and sockets.
//
//     {http_response, {Major, Minor}, Status, Phrase}
//     {http_request, Method, Uri, {Major, Minor}}
//     {http_header, Number, Name, OriginalName, Value}        http_eoh        {http_error, Line}
//
// Known methods and header names are atoms, the rest lists of bytes or, for the _bin types, binaries.

import CMachine
import Glibc
import Machine
import Terms

/// Known header names; the number in `http_header` is the position here, from 1.
private let headerNames: [StaticString] = [
    "Cache-Control", "Connection", "Date", "Pragma", "Transfer-Encoding", "Upgrade", "Via", "Accept", "Accept-Charset",
    "Accept-Encoding", "Accept-Language", "Authorization", "From", "Host", "If-Modified-Since", "If-Match",
    "If-None-Match", "If-Range", "If-Unmodified-Since", "Max-Forwards", "Proxy-Authorization", "Range", "Referer",
    "User-Agent", "Age", "Location", "Proxy-Authenticate", "Public", "Retry-After", "Server", "Vary", "Warning",
    "Www-Authenticate", "Allow", "Content-Base", "Content-Encoding", "Content-Language", "Content-Length",
    "Content-Location", "Content-Md5", "Content-Range", "Content-Type", "Etag", "Expires", "Last-Modified",
    "Accept-Ranges", "Set-Cookie", "Set-Cookie2", "X-Forwarded-For", "Cookie", "Keep-Alive", "Proxy-Connection",
]
private let methodNames: [StaticString] = ["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE"]
/// Longer names are neither known nor put into the usual case.
private let longestHeaderName = 50

private typealias Run = UnsafeBufferPointer<UInt8>

private func equal(_ bytes: Run, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    return bytes.count == 0 || memcmp(bytes.baseAddress!, text.utf8Start, bytes.count) == 0
}

/// The known name equal to `bytes`, as an atom, and its position.
private func known(_ bytes: Run, _ names: [StaticString]) -> (atom: Term, index: Int)? {
    guard let index = names.firstIndex(where: { equal(bytes, $0) }), let atom = AtomTable.intern(bytes) else { return nil }
    return (atom, index)
}

/// Characters that end a name: controls, separators, everything that is not ASCII.
private func isSeparator(_ byte: UInt8) -> Bool {
    guard byte > 32, byte < 128 else { return true }
    switch byte {
    case 0x28, 0x29, 0x3C, 0x3E, 0x40, 0x2C, 0x3B, 0x3A, 0x5C, 0x22, 0x2F, 0x5B, 0x5D, 0x3F, 0x3D, 0x7B, 0x7D: return true
    default: return false
    }
}

/// The term of one HTTP packet; `isInHeaders` becomes what holds for the next packet.
public func httpPacketTerm(
    _ heap: Ref<Heap>, _ packet: UnsafeBufferPointer<UInt8>, isInHeaders: inout Bool, makesBinaries: Bool
) -> Term {
    let parser = HTTPParser(heap: heap, makesBinaries: makesBinaries)
    var line = packet
    if line.count >= 2, line[line.count - 2] == 13 {
        line = Run(rebasing: line.dropLast(2))
    } else if line.count >= 1, line[line.count - 1] == 10 {
        line = Run(rebasing: line.dropLast(1))
    }
    let result: Term?
    if isInHeaders {
        if line.count == 0 { isInHeaders = false }
        result = parser.header(line)
    } else {
        result = parser.startLine(line)
        if result != nil { isInHeaders = true }
    }
    return result ?? heap.tuple(Atoms.http_error, parser.text(packet))
}

private struct HTTPParser {
    let heap: Ref<Heap>
    let makesBinaries: Bool

    func text(_ bytes: Run) -> Term {
        makesBinaries ? heap.makeBinary(bytes) : heap.byteList(bytes)
    }

    func header(_ line: Run) -> Term? {
        guard line.count > 0 else { return Atoms.http_eoh }
        guard let end = line.firstIndex(where: isSeparator), line[end] == 0x3A else { return nil }
        let original = Run(rebasing: line[..<end])
        var start = end + 1
        while start < line.count, isHTTPSpace(line[start]) { start += 1 }
        var number = 0
        var name: Term
        if end <= longestHeaderName {
            name = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: longestHeaderName) { usual in
                putIntoUsualCase(original, usual)
                let bytes = Run(rebasing: usual[..<end])
                guard let known = known(bytes, headerNames) else { return text(bytes) }
                number = known.index + 1
                return known.atom
            }
        } else {
            name = text(original)
        }
        let (term, elements) = heap.makeTuple(5)
        elements[0] = Atoms.http_header.raw
        elements[1] = Term.small(number).raw
        elements[2] = name.raw
        elements[3] = text(original).raw
        elements[4] = text(Run(rebasing: line[start...])).raw
        return term
    }

    /// A capital first and after every hyphen, small letters otherwise.
    private func putIntoUsualCase(_ name: Run, _ target: UnsafeMutableBufferPointer<UInt8>) {
        var isFirst = true
        for (index, byte) in name.enumerated() {
            let isCapital = byte >= 65 && byte <= 90
            let isSmall = byte >= 97 && byte <= 122
            if isFirst {
                target[index] = isSmall ? byte - 32 : byte
                isFirst = false
            } else {
                target[index] = isCapital ? byte + 32 : byte
                isFirst = byte == 0x2D
            }
        }
    }

    func startLine(_ line: Run) -> Term? {
        line.count >= 5 && memcmp(line.baseAddress!, "HTTP/", 5) == 0 ? statusLine(line) : requestLine(line)
    }

    /// `HTTP/Major.Minor Status Phrase`
    private func statusLine(_ line: Run) -> Term? {
        var cursor = HTTPCursor(line: line, position: 5)
        guard let version = version(&cursor) else { return nil }
        guard cursor.skipSpaces() else { return nil }
        let status = cursor.number() ?? 0
        let hasSpace = cursor.skipSpaces()
        guard hasSpace || cursor.isAtEnd else { return nil }
        return heap.tuple(Atoms.http_response, version, .small(status), text(cursor.rest))
    }

    private func version(_ cursor: inout HTTPCursor) -> Term? {
        guard let major = cursor.number(), cursor.take(0x2E), let minor = cursor.number() else { return nil }
        return heap.tuple(.small(major), .small(minor))
    }

    /// `Method URI HTTP/Major.Minor`, or without a version, which is 0.9.
    private func requestLine(_ line: Run) -> Term? {
        guard let end = line.firstIndex(where: isSeparator), end > 0, isHTTPSpace(line[end]) else { return nil }
        let method = Run(rebasing: line[..<end])
        var cursor = HTTPCursor(line: line, position: end)
        _ = cursor.skipSpaces()
        let start = cursor.position
        while !cursor.isAtEnd, !isHTTPSpace(line[cursor.position]) { cursor.position += 1 }
        let uri = Run(rebasing: line[start..<cursor.position])
        guard uri.count > 0 else { return nil }
        _ = cursor.skipSpaces()
        let version: Term
        if cursor.isAtEnd {
            version = heap.tuple(.small(0), .small(9))
        } else {
            guard cursor.rest.count >= 8, memcmp(cursor.rest.baseAddress!, "HTTP/", 5) == 0 else { return nil }
            cursor.position += 5
            guard let found = self.version(&cursor) else { return nil }
            version = found
        }
        return heap.tuple(Atoms.http_request, known(method, methodNames)?.atom ?? text(method), uriTerm(uri), version)
    }

    // MARK: URIs

    private func uriTerm(_ uri: Run) -> Term {
        if uri.count == 1, uri[0] == 0x2A { return Atoms.times }
        if uri.count <= 1 || uri[0] == 0x2F { return heap.tuple(Atoms.abs_path, text(uri)) }
        if uri.count >= 7, strncasecmp(characters(uri), "http://", 7) == 0 {
            return absolute(Atoms.http, Run(rebasing: uri[7...]))
        }
        if uri.count >= 8, strncasecmp(characters(uri), "https://", 8) == 0 {
            return absolute(Atoms.https, Run(rebasing: uri[8...]))
        }
        guard let colon = uri.firstIndex(of: 0x3A) else { return text(uri) }
        return heap.tuple(
            Atoms.scheme, text(Run(rebasing: uri[..<colon])), text(Run(rebasing: uri[(colon + 1)...])))
    }

    private func characters(_ bytes: Run) -> UnsafePointer<CChar> {
        UnsafeRawPointer(bytes.baseAddress!).assumingMemoryBound(to: CChar.self)
    }

    /// `Host[:Port][/Path]` as `{absoluteURI, Scheme, Host, Port | undefined, Path}`.
    private func absolute(_ scheme: Term, _ uri: Run) -> Term {
        let slash = uri.firstIndex(of: 0x2F)
        var host = Run(rebasing: uri[..<(slash ?? uri.count)])
        var port = 0
        if let colon = host.firstIndex(of: 0x3A) {
            var cursor = HTTPCursor(line: host, position: colon + 1)
            let number = cursor.number() ?? 0
            if cursor.isAtEnd { port = number }
            host = Run(rebasing: host[..<colon])
        }
        let (term, elements) = heap.makeTuple(5)
        elements[0] = Atoms.absoluteURI.raw
        elements[1] = scheme.raw
        elements[2] = text(host).raw
        elements[3] = port == 0 ? Atoms.undefined.raw : Term.small(port).raw
        elements[4] =
            slash.map { text(Run(rebasing: uri[$0...])).raw }
            ?? [UInt8](arrayLiteral: 0x2F).withUnsafeBufferPointer { text($0).raw }
        return term
    }
}

/// A place in a line.
private struct HTTPCursor {
    let line: Run
    var position: Int

    var isAtEnd: Bool { position == line.count }
    var rest: Run { Run(rebasing: line[position...]) }

    mutating func take(_ byte: UInt8) -> Bool {
        guard position < line.count, line[position] == byte else { return false }
        position += 1
        return true
    }

    /// Whether there was white space.
    mutating func skipSpaces() -> Bool {
        let start = position
        while position < line.count, isHTTPSpace(line[position]) { position += 1 }
        return position > start
    }

    /// Decimal digits, as a number of 32 bits; nil if there are none.
    mutating func number() -> Int? {
        let start = position
        var value: Int32 = 0
        while position < line.count, line[position] >= 48, line[position] <= 57 {
            value = value &* 10 &+ Int32(line[position] - 48)
            position += 1
        }
        return position > start ? Int(value) : nil
    }
}
