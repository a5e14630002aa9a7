// PacketLength.swift: where a packet ends, for every type of erlang:decode_packet/3. Sockets in packet mode use the
// same rules. Lengths are 32-bit as in OTP: a packet that needs more is an error.

import CMachine
import Glibc
import Terms

/// Types of packets.
public enum PacketType {
    case raw, one, two, four, asn1, sunrm, cdr, fcgi, line, tpkt, http, httph, httpBinary, httphBinary, sslTLS

    /// The atom or number that names the type.
    public init?(_ term: Term) {
        switch term {
        case .small(0), Atoms.raw: self = .raw
        case .small(1): self = .one
        case .small(2): self = .two
        case .small(4): self = .four
        case Atoms.asn1: self = .asn1
        case Atoms.sunrm: self = .sunrm
        case Atoms.cdr: self = .cdr
        case Atoms.fcgi: self = .fcgi
        case Atoms.line: self = .line
        case Atoms.tpkt: self = .tpkt
        case Atoms.http: self = .http
        case Atoms.httph: self = .httph
        case Atoms.http_bin: self = .httpBinary
        case Atoms.httph_bin: self = .httphBinary
        case Atoms.ssl_tls: self = .sslTLS
        default: return nil
        }
    }

    var isHTTP: Bool { self == .http || self == .httph || self == .httpBinary || self == .httphBinary }
    var startsWithHeaders: Bool { self == .httph || self == .httphBinary }
    var makesBinaries: Bool { self == .httpBinary || self == .httphBinary }
}

/// Limits of packets, 0 for none.
public struct PacketLimits {
    /// Largest packet.
    public var size: UInt32 = 0
    /// Longer lines are cut here.
    public var line: UInt32 = 0
    public var delimiter: UInt8 = 10
    public init() {}
}

/// Length of a packet.
public enum PacketLength {
    /// Bytes of the whole packet, header included; may be more than there are.
    case total(Int)
    /// More bytes are needed to know.
    case unknown
    case invalid
}

extension PacketType {
    /// Length of the packet that starts at `bytes`. `isInHeaders`: the start line of an HTTP message is behind us.
    public func length(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: PacketLimits, isInHeaders: Bool) -> PacketLength {
        let count = bytes.count
        switch self {
        case .raw: return count == 0 ? .unknown : .total(count)
        case .one: return count < 1 ? .unknown : framed(1, UInt32(bytes[0]), limits)
        case .two: return count < 2 ? .unknown : framed(2, big(bytes, 0, 2), limits)
        case .four: return count < 4 ? .unknown : framed(4, big(bytes, 0, 4), limits)
        case .sunrm: return count < 4 ? .unknown : framed(4, big(bytes, 0, 4) & 0x7FFF_FFFF, limits)
        case .line: return lineLength(bytes, limits)
        case .asn1: return asn1Length(bytes, limits)
        case .cdr:
            guard count >= 12 else { return .unknown }
            guard bytes[0] == 0x47, bytes[1] == 0x49, bytes[2] == 0x4F, bytes[3] == 0x50 else { return .invalid }
            let size = big(bytes, 8, 4)
            return framed(12, bytes[6] & 1 == 0 ? size : size.byteSwapped, limits)
        case .fcgi:
            guard count >= 8 else { return .unknown }
            guard bytes[0] == 1 else { return .invalid }
            return framed(8, big(bytes, 4, 2) + UInt32(bytes[6]), limits)
        case .tpkt:
            guard count >= 4 else { return .unknown }
            guard bytes[0] == 3 else { return .invalid }
            return framed(4, big(bytes, 2, 2) &- 4, limits)
        case .sslTLS:
            guard count >= 5 else { return .unknown }
            let isVersion2Hello = bytes[0] & 0x80 != 0 && bytes[2] == 1
            return framed(5, isVersion2Hello ? (big(bytes, 0, 2) & 0x7FFF) &- 3 : big(bytes, 3, 2), limits)
        case .http, .httph, .httpBinary, .httphBinary:
            return httpLength(bytes, limits, isInHeaders: isInHeaders || startsWithHeaders)
        }
    }

    private func big(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in start..<(start + count) { value = value << 8 | UInt32(bytes[index]) }
        return value
    }

    private func framed(_ header: Int, _ body: UInt32, _ limits: PacketLimits) -> PacketLength {
        let total = Int32(truncatingIfNeeded: header &+ Int(body))
        if limits.size != 0 && body > limits.size || total < header { return .invalid }
        return .total(Int(total))
    }

    private func lineLength(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: PacketLimits) -> PacketLength {
        let size = Int(limits.size)
        let line = Int(limits.line)
        guard let end = bytes.firstIndex(of: limits.delimiter) else {
            if size != 0, bytes.count > size { return .invalid }
            return line != 0 && bytes.count >= line ? .total(line) : .unknown
        }
        let length = end + 1
        if size != 0, length > size { return .invalid }
        return .total(line != 0 && length > line ? line : length)
    }

    private func asn1Length(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: PacketLimits) -> PacketLength {
        guard bytes.count >= 2 else { return .unknown }
        var index = 1
        if bytes[0] & 0x1F == 0x1F {
            while index < bytes.count, bytes[index] & 0x80 != 0 { index += 1 }
            guard bytes.count - index >= 2 else { return .unknown }
            index += 1
        }
        let first = bytes[index]
        index += 1
        guard first & 0x80 != 0 else { return framed(index, UInt32(first), limits) }
        let length = Int(first & 0x7F)
        guard bytes.count - index >= length else { return .unknown }
        guard length <= 4 else { return .invalid }
        return framed(index + length, big(bytes, index, length), limits)
    }

    /// A line, or in headers a line with its continuation lines, which start with white space.
    private func httpLength(
        _ bytes: UnsafeBufferPointer<UInt8>, _ limits: PacketLimits, isInHeaders: Bool
    ) -> PacketLength {
        let count = bytes.count
        if count == 1 && bytes[0] == 10 || count == 2 && bytes[0] == 13 && bytes[1] == 10 { return .total(count) }
        let limit = Int(limits.size != 0 ? limits.size : limits.line)
        var start = 0
        while true {
            guard let end = bytes[start...].firstIndex(of: 10) else {
                return limit != 0 && count >= limit ? .invalid : .unknown
            }
            let length = end + 1
            let isTooLong = limit != 0 && length > limit
            if !isInHeaders { return isTooLong ? .invalid : .total(length) }
            guard length < count else { return isTooLong ? .invalid : .unknown }
            guard isHTTPSpace(bytes[length]), length > 2 else { return isTooLong ? .invalid : .total(length) }
            start = length
        }
    }
}

func isHTTPSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }
