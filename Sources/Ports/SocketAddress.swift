// SocketAddress.swift: socket addresses in the form that the inet drivers exchange with prim_inet:
//
//     1, port (2 bytes), 4 bytes                      IPv4
//     2, port (2), 16 bytes, flow info (4), scope (4) IPv6
//     3, port / 4, port                               any or loopback address of the socket's family (only sent to us)
//     5, length, path                                 local

import CMachine
import Glibc
import Machine
import Terms

struct SocketAddress {
    var storage = sockaddr_storage()
    var length: socklen_t = 0

    init() {}

    var family: Int32 { Int32(storage.ss_family) }

    private mutating func set<Address>(_ address: Address) {
        length = socklen_t(MemoryLayout<Address>.size)
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: Address.self) }
    }

    private func read<Address>(_ type: Address.Type) -> Address {
        withUnsafeBytes(of: storage) { $0.load(as: Address.self) }
    }

    /// Reads an address for a socket of a family and moves `bytes` behind it; nil if it does not fit.
    init?(_ bytes: inout Slice<UnsafeBufferPointer<UInt8>>, family: Int32) {
        guard let kind = bytes.popFirst() else { return nil }
        if kind == 5 {
            guard family == AF_UNIX, let count = bytes.popFirst(), bytes.count >= Int(count), count <= 107 else { return nil }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let path = bytes.prefix(Int(count))
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
            bytes = bytes.dropFirst(Int(count))
            set(address)
            length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + Int(count))
            return
        }
        guard bytes.count >= 2 else { return nil }
        let port = UInt16(bytes.popFirst()!) << 8 | UInt16(bytes.popFirst()!)
        if family == AF_INET {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            switch kind {
            case 1:
                guard bytes.count >= 4 else { return nil }
                withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes.prefix(4)) }
                bytes = bytes.dropFirst(4)
            case 3: address.sin_addr.s_addr = 0
            case 4: address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            default: return nil
            }
            set(address)
        } else if family == AF_INET6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            switch kind {
            case 2:
                guard bytes.count >= 16 else { return nil }
                withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes.prefix(16)) }
                bytes = bytes.dropFirst(16)
                if bytes.count >= 8 {
                    var words: [UInt32] = [0, 0]
                    for index in 0..<8 { words[index / 4] = words[index / 4] << 8 | UInt32(bytes.popFirst()!) }
                    address.sin6_flowinfo = words[0].bigEndian
                    address.sin6_scope_id = words[1]
                }
            case 3: break
            case 4: withUnsafeMutableBytes(of: &address.sin6_addr) { $0[15] = 1 }
            default: return nil
            }
            set(address)
        } else {
            return nil
        }
    }

    /// The form for prim_inet.
    var encoded: [UInt8] {
        switch family {
        case AF_INET:
            let address = read(sockaddr_in.self)
            return [1] + bigEndianBytes(UInt16(bigEndian: address.sin_port))
                + withUnsafeBytes(of: address.sin_addr) { Array($0) }
        case AF_INET6:
            let address = read(sockaddr_in6.self)
            return [2] + bigEndianBytes(UInt16(bigEndian: address.sin6_port))
                + withUnsafeBytes(of: address.sin6_addr) { Array($0) }
                + bigEndianBytes(UInt32(bigEndian: address.sin6_flowinfo)) + bigEndianBytes(address.sin6_scope_id)
        case AF_UNIX:
            let path = localPath
            return [5, UInt8(path.count)] + path
        default: return [6]
        }
    }

    /// Path of a local address; empty for one without a name.
    private var localPath: [UInt8] {
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
        guard Int(length) > offset else { return [] }
        let path = withUnsafeBytes(of: storage) { Array($0[offset..<min(Int(length), $0.count)]) }
        // An abstract name starts with a zero; others end at the first one.
        return path.first == 0 ? path : Array(path.prefix { $0 != 0 })
    }

    var port: UInt16 {
        switch family {
        case AF_INET: UInt16(bigEndian: read(sockaddr_in.self).sin_port)
        case AF_INET6: UInt16(bigEndian: read(sockaddr_in6.self).sin6_port)
        default: 0
        }
    }

    /// Address and port as terms: `{A, B, C, D}` and a number; for a local one `{local, Path}` and 0.
    func terms(_ heap: Ref<Heap>) -> (address: Term, port: Term) {
        let bytes = encoded
        switch family {
        case AF_INET:
            return (heap.tuple(.small(Int(bytes[3])), .small(Int(bytes[4])), .small(Int(bytes[5])), .small(Int(bytes[6]))),
                .small(Int(port)))
        case AF_INET6:
            let (tuple, elements) = heap.makeTuple(8)
            for index in 0..<8 {
                elements[index] = Term.small(Int(bytes[3 + index * 2]) << 8 | Int(bytes[4 + index * 2])).raw
            }
            return (tuple, .small(Int(port)))
        case AF_UNIX: return (heap.tuple(Atoms.local, localPath.withUnsafeBufferPointer { heap.makeBinary($0) }), .small(0))
        default: return (Atoms.undefined, .small(0))
        }
    }

    /// Calls `body` with the address as the C library takes it.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafeBytes(of: storage) { body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), length) }
    }

    /// Lets `body` fill in the address; answers its result.
    mutating func fill(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int) -> Int {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            withUnsafeMutablePointer(to: &length) { body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), $0) }
        }
    }
}

func bigEndianBytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
