// InetOptions.swift: socket options as prim_inet writes them: a number, then the value (mostly 32 bits, big-endian).
// Some are kept here and shape what the driver does; the others are the kernel's.

import CMachine
import Glibc
import Terms

struct InetOptions {
    enum Active: Int32 { case passive = 0, always, once, counted }

    private enum Number {
        static let linger: UInt8 = 3
        static let buffer: UInt8 = 20
        static let header: UInt8 = 21
        static let active: UInt8 = 22
        static let packet: UInt8 = 23
        static let mode: UInt8 = 24
        static let deliver: UInt8 = 25
        static let exitOnClose: UInt8 = 26
        static let packetSize: UInt8 = 32
        static let readPackets: UInt8 = 33
        static let highMessageWatermark: UInt8 = 36
        static let lowMessageWatermark: UInt8 = 37
        static let receiveBuffer: UInt8 = 7
    }

    var buffer = 8192
    private var bufferIsSet = false
    var header = 0
    var active = Active.passive
    /// Messages left with `{active, N}`.
    private var activeCount = 0
    var isBinary = false
    var readPackets = 5
    /// Values of options without an effect here, kept to be asked for.
    private var kept: [UInt8: Int32] = [
        Number.packet: 0, Number.deliver: 1, Number.exitOnClose: 1, Number.highMessageWatermark: 8192,
        Number.lowMessageWatermark: 4096, Number.packetSize: 0,
    ]

    var isActive: Bool { active != .passive }

    /// Level and name of a kernel option.
    private static func kernelOption(_ number: UInt8) -> (level: Int32, name: Int32)? {
        switch number {
        case 0: (SOL_SOCKET, SO_REUSEADDR)
        case 1: (SOL_SOCKET, SO_KEEPALIVE)
        case 2: (SOL_SOCKET, SO_DONTROUTE)
        case 4: (SOL_SOCKET, SO_BROADCAST)
        case 5: (SOL_SOCKET, SO_OOBINLINE)
        case 6: (SOL_SOCKET, SO_SNDBUF)
        case 7: (SOL_SOCKET, SO_RCVBUF)
        case 8: (SOL_SOCKET, SO_PRIORITY)
        case 9: (Int32(IPPROTO_IP), IP_TOS)
        case 12: (Int32(IPPROTO_IP), IP_MULTICAST_TTL)
        case 13: (Int32(IPPROTO_IP), IP_MULTICAST_LOOP)
        case 16: (Int32(IPPROTO_IPV6), IPV6_V6ONLY)
        case 41: (Int32(IPPROTO_IPV6), IPV6_TCLASS)
        case 46: (Int32(IPPROTO_IP), IP_TTL)
        default: nil
        }
    }

    static func int32(_ input: inout Slice<UnsafeBufferPointer<UInt8>>) -> Int32? {
        guard input.count >= 4 else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 { value = value << 8 | UInt32(input.popFirst()!) }
        return Int32(bitPattern: value)
    }

    // MARK: Setting

    /// Takes one option from `input`; answers an error number, or 0.
    mutating func set(_ input: inout Slice<UnsafeBufferPointer<UInt8>>, socket: Int32) -> Int32 {
        guard let number = input.popFirst(), let value = InetOptions.int32(&input) else { return EINVAL }
        switch number {
        case Number.buffer:
            buffer = max(1, Int(value))
            bufferIsSet = true
        case Number.header: header = max(0, Int(value))
        case Number.active: return setActive(value, &input)
        case Number.mode: isBinary = value == 1
        case Number.readPackets: readPackets = max(1, Int(value))
        case Number.linger:
            guard let time = InetOptions.int32(&input) else { return EINVAL }
            return setLinger(socket, value, time)
        default:
            if kept[number] != nil {
                kept[number] = value
                return 0
            }
            guard let option = InetOptions.kernelOption(number) else { return EINVAL }
            // Before the socket is open there is nothing to set.
            guard socket >= 0 else { return 0 }
            var value = value
            guard setsockopt(socket, option.level, option.name, &value, 4) == 0 else { return errno }
            if number == Number.receiveBuffer, !bufferIsSet { buffer = max(buffer, Int(value)) }
        }
        return 0
    }

    private mutating func setActive(_ value: Int32, _ input: inout Slice<UnsafeBufferPointer<UInt8>>) -> Int32 {
        guard let mode = Active(rawValue: value) else { return EINVAL }
        guard mode == .counted else {
            active = mode
            activeCount = 0
            return 0
        }
        guard let high = input.popFirst(), let low = input.popFirst() else { return EINVAL }
        let sum = activeCount + Int(Int16(bitPattern: UInt16(high) << 8 | UInt16(low)))
        guard sum <= 32767, sum >= -32768 else { return EINVAL }
        activeCount = max(0, sum)
        active = activeCount == 0 ? .passive : .counted
        return 0
    }

    private func setLinger(_ socket: Int32, _ on: Int32, _ time: Int32) -> Int32 {
        guard socket >= 0 else { return 0 }
        var value = linger(l_onoff: on, l_linger: time)
        return setsockopt(socket, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size)) == 0 ? 0 : errno
    }

    /// A message was delivered; true if the socket has become passive by counting.
    mutating func countDelivered() -> Bool {
        switch active {
        case .once: active = .passive
        case .counted:
            activeCount -= 1
            if activeCount == 0 {
                active = .passive
                return true
            }
        case .passive, .always: break
        }
        return false
    }

    // MARK: Asking

    /// Number and value of each option asked for; those that the socket does not have are left out.
    func encoded(_ numbers: Slice<UnsafeBufferPointer<UInt8>>, socket: Int32) -> [UInt8] {
        var result: [UInt8] = []
        for number in numbers {
            switch number {
            case Number.linger:
                var value = linger()
                var size = socklen_t(MemoryLayout<linger>.size)
                guard socket >= 0, getsockopt(socket, SOL_SOCKET, SO_LINGER, &value, &size) == 0 else { continue }
                result += [number] + bigEndianBytes(value.l_onoff) + bigEndianBytes(value.l_linger)
            case Number.active:
                result += [number] + bigEndianBytes(active.rawValue)
                if active == .counted { result += bigEndianBytes(Int16(clamping: activeCount)) }
            default:
                guard let value = value(number, socket) else { continue }
                result += [number] + bigEndianBytes(value)
            }
        }
        return result
    }

    private func value(_ number: UInt8, _ socket: Int32) -> Int32? {
        switch number {
        case Number.buffer: return Int32(clamping: buffer)
        case Number.header: return Int32(clamping: header)
        case Number.mode: return isBinary ? 1 : 0
        case Number.readPackets: return Int32(clamping: readPackets)
        default:
            if let value = kept[number] { return value }
            guard socket >= 0, let option = InetOptions.kernelOption(number) else { return nil }
            var value: Int32 = 0
            var size = socklen_t(4)
            guard getsockopt(socket, option.level, option.name, &value, &size) == 0 else { return nil }
            return value
        }
    }
}

/// Counts of inet:getstat/1.
struct InetStatistics {
    private struct Direction {
        var count = 0
        var largest = 0
        var total = 0
        var average = 0.0
        var deviation = 0.0

        mutating func add(_ size: Int) {
            count += 1
            total += size
            largest = max(largest, size)
            average += (Double(size) - average) / Double(count)
            deviation += (abs(Double(size) - average) - deviation) / Double(count)
        }
    }

    private var input = Direction()
    private var output = Direction()

    mutating func received(_ size: Int) { input.add(size) }
    mutating func sent(_ size: Int) { output.add(size) }

    /// Number and value of each count asked for; nil if one is unknown.
    func encoded(_ numbers: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8]? {
        var result: [UInt8] = []
        for number in numbers {
            let value: Int
            switch number {
            case 1: value = input.count
            case 2: value = input.largest
            case 3: value = Int(input.average)
            case 4: value = Int(input.deviation)
            case 5: value = output.count
            case 6: value = output.largest
            case 7: value = Int(output.average)
            case 8: value = 0
            case 9: value = input.total
            case 10: value = output.total
            default: return nil
            }
            result.append(number)
            result += number >= 9 ? bigEndianBytes(UInt64(value)) : bigEndianBytes(UInt32(truncatingIfNeeded: value))
        }
        return result
    }
}
