// DecodePacket.swift: erlang:decode_packet/3.

import CMachine
import Machine
import Terms

let packetBifs: [Bif] = [Bif("erlang", "decode_packet", 3, erlang_decode_packet_3)]

func erlang_decode_packet_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let type = PacketType(arguments[0]) else { return process.raise(Atoms.badarg, cause: Atoms.badopt) }
    guard arguments[1].isBitstring, let limits = packetLimits(arguments[2], type) else { return process.badarg() }
    let heap = process.heap
    let binary = arguments[1]
    let view = ByteView(wholeBytesOf: Bits(binary))
    defer { view.release() }
    let total: Int
    switch type.length(view.buffer, limits, isInHeaders: false) {
    case .invalid: return heap.tuple(Atoms.error, Atoms.invalid)
    case .unknown: return heap.tuple(Atoms.more, Atoms.undefined)
    case .total(let length):
        if length > view.count { return heap.tuple(Atoms.more, .small(length)) }
        // A line cut to nothing is no packet.
        if length == 0 { return heap.tuple(Atoms.more, Atoms.undefined) }
        total = length
    }
    process.bump(total / 100)
    let packet = UnsafeBufferPointer(rebasing: view.buffer[..<total])
    let body: Term
    if type.isHTTP {
        var isInHeaders = type.startsWithHeaders
        body = httpPacketTerm(heap, packet, isInHeaders: &isInHeaders, makesBinaries: type.makesBinaries)
    } else if type == .sslTLS {
        body = sslPacketTerm(heap, packet)
    } else {
        let range = type.body(packet)
        body = heap.subBinary(of: binary, bitOffset: range.lowerBound << 3, bitSize: range.count << 3)
    }
    let rest = heap.subBinary(of: binary, bitOffset: total << 3, bitSize: binary.bitCount - total << 3)
    return heap.tuple(Atoms.ok, body, rest)
}

private func packetLimits(_ options: Term, _ type: PacketType) -> PacketLimits? {
    var limits = PacketLimits()
    var rest = options
    while rest.isCons {
        guard rest.head.isTuple(2) else { return nil }
        let value = rest.head.element(1)
        guard value.isSmall, value.smallValue >= 0, let number = UInt32(exactly: value.smallValue) else { return nil }
        switch rest.head.element(0) {
        case Atoms.packet_size: limits.size = number
        case Atoms.line_length: limits.line = number
        case Atoms.line_delimiter where type == .line && number < 256: limits.delimiter = UInt8(number)
        default: return nil
        }
        rest = rest.tail
    }
    return rest.isNil ? limits : nil
}

extension PacketType {
    /// The part of a whole packet that is handed on.
    public func body(_ packet: UnsafeBufferPointer<UInt8>) -> Range<Int> {
        switch self {
        case .one: 1..<packet.count
        case .two: 2..<packet.count
        case .four: 4..<packet.count
        case .fcgi: 0..<(packet.count - Int(packet[6]))
        default: 0..<packet.count
        }
    }
}

/// `{ssl_tls, [], ContentType, {Major, Minor}, Data}`; an SSL 2 hello is dressed up as a handshake record.
public func sslPacketTerm(_ heap: Ref<Heap>, _ packet: UnsafeBufferPointer<UInt8>) -> Term {
    let isVersion2Hello = packet[0] & 0x80 != 0 && packet[2] == 1
    let type = isVersion2Hello ? 22 : Int(packet[0])
    let version = isVersion2Hello ? 3 : 1
    let data = isVersion2Hello ? packet[3...] : packet[5...]
    let prefix = isVersion2Hello ? 4 : 0
    let (binary, bytes) = heap.makeBinary(prefix + data.count)
    if isVersion2Hello {
        writeBits(bytes, 0, 32, UInt64(1 << 24 | data.count))
    }
    for (index, byte) in data.enumerated() { bytes[prefix + index] = byte }
    let (term, elements) = heap.makeTuple(5)
    elements[0] = Atoms.ssl_tls.raw
    elements[1] = Term.nil.raw
    elements[2] = Term.small(type).raw
    elements[3] = heap.tuple(.small(Int(packet[version])), .small(Int(packet[version + 1]))).raw
    elements[4] = binary.raw
    return term
}
