// BinaryModule.swift: module binary, without searching (BinarySearch.swift).

import CMachine
import Glibc
import Machine
import Terms

let binaryModuleBifs: [Bif] = [
    Bif("binary", "at", 2, binary_at_2),
    Bif("binary", "first", 1, binary_first_1),
    Bif("binary", "last", 1, binary_last_1),
    Bif("binary", "part", 2, erlang_binary_part_2),
    Bif("binary", "part", 3, erlang_binary_part_3),
    Bif("binary", "copy", 1, binary_copy_1),
    Bif("binary", "copy", 2, binary_copy_2),
    Bif("binary", "list_to_bin", 1, erlang_list_to_binary_1),
    Bif("binary", "referenced_byte_size", 1, binary_referenced_byte_size_1),
    Bif("binary", "encode_unsigned", 1, binary_encode_unsigned_1),
    Bif("binary", "encode_unsigned", 2, binary_encode_unsigned_2),
    Bif("binary", "decode_unsigned", 1, binary_decode_unsigned_1),
    Bif("binary", "decode_unsigned", 2, binary_decode_unsigned_2),
    Bif("binary", "longest_common_prefix", 1, binary_longest_common_prefix_1),
    Bif("binary", "longest_common_suffix", 1, binary_longest_common_suffix_1),
]

// MARK: - Bytes

private func byte(_ process: Ref<Process>, _ binary: Term, _ index: (Int) -> Int?) -> Term {
    guard binary.isBinary, let position = index(binary.byteCount), position < binary.byteCount else {
        return process.badarg()
    }
    let bits = Bits(binary)
    return .small(Int(readBits(bits.base + position, bits.offset, 8)))
}

func binary_at_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let position = arguments[1]
    return byte(process, arguments[0]) { _ in position.isSmall && position.smallValue >= 0 ? position.smallValue : nil }
}

func binary_first_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    byte(process, arguments[0]) { _ in 0 }
}

func binary_last_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    byte(process, arguments[0]) { $0 > 0 ? $0 - 1 : nil }
}

// MARK: - Copies

func binary_copy_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    copies(process, arguments, 1)
}

func binary_copy_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isBitstring else { return process.badarg() }
    if arguments[1].isSmall, arguments[1].smallValue >= 0 {
        return copies(process, arguments, arguments[1].smallValue)
    }
    // A count must fit a word.
    guard arguments[1].isBig, !arguments[1].bigIsNegative, arguments[1].bigLimbCount == 1, arguments[0].isBinary else {
        return process.badarg()
    }
    return arguments[0].byteCount == 0 ? process.heap.makeBinary(0).term : process.systemLimit()
}

/// Bytes copied between two pauses on a fiber.
private let copyPiece = 128 << 10

private func copies(_ process: Ref<Process>, _ arguments: Arguments, _ count: Int) -> Term {
    let binary = arguments[0]
    guard binary.isBitstring else { return process.badarg() }
    if count == 0 { return process.heap.makeBinary(0).term }
    guard binary.isBinary else { return process.badarg() }
    let bits = Bits(binary)
    let size = bits.byteCount
    let (total, overflow) = size.multipliedReportingOverflow(by: count)
    guard !overflow, total < 1 << 58 else { return process.systemLimit() }
    if process.isLong(total / 100) { return process.goLong(arguments) }
    let (result, bytes) = process.heap.makeBinary(total)
    guard total > 0 else { return result }
    copyManyBits(bits.base, bits.offset, bytes, 0, bits.size)
    // Each round doubles what is there.
    var done = size
    while done < total {
        // Not more than can be copied without a pause; a piece must be whole copies, or the whole of a large binary.
        let whole = done > copyPiece && size < copyPiece ? copyPiece / size * size : min(done, max(size, copyPiece))
        let more = min(whole, total - done)
        copyManyBits(bytes, 0, bytes + done, 0, more << 3)
        done += more
        if !vm_breathe(Int64(more / 100)) { break }
    }
    process.bump(total / 100)
    return result
}

func binary_referenced_byte_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isBitstring else { return process.badarg() }
    let original = arguments[0].originalBinary
    if original.subtag == Subtag.heapBinary { return .small(original.wholeByteCount) }
    return .small(Int(original.sharedBinary.pointee.capacity))
}

// MARK: - Numbers

/// `big` is true, `little` false, anything else nil.
private func isBigEndian(_ term: Term) -> Bool? { term == Atoms.big ? true : term == Atoms.little ? false : nil }

func binary_encode_unsigned_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    encodeUnsigned(process, arguments[0], big: true)
}

func binary_encode_unsigned_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let big = isBigEndian(arguments[1]) else { return process.badarg() }
    return encodeUnsigned(process, arguments[0], big: big)
}

private func encodeUnsigned(_ process: Ref<Process>, _ number: Term, big: Bool) -> Term {
    let limbs: Int
    let top: UInt64
    if number.isSmall, number.smallValue >= 0 {
        limbs = 1
        top = UInt64(number.smallValue)
    } else if number.isBig, !number.bigIsNegative {
        limbs = number.bigLimbCount
        top = number.bigLimbs[limbs - 1]
    } else {
        return process.badarg()
    }
    let count = (limbs - 1) * 8 + max(1, (71 - top.leadingZeroBitCount) / 8)
    let (result, bytes) = process.heap.makeBinary(count)
    var builder = BitBuilder(base: bytes, position: 0, end: count << 3)
    _ = builder.putInteger(number, bits: count << 3, flags: big ? 0 : BitFlags.little)
    return result
}

func binary_decode_unsigned_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    decodeUnsigned(process, arguments[0], big: true)
}

func binary_decode_unsigned_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let big = isBigEndian(arguments[1]) else { return process.badarg() }
    return decodeUnsigned(process, arguments[0], big: big)
}

private func decodeUnsigned(_ process: Ref<Process>, _ binary: Term, big: Bool) -> Term {
    guard binary.isBinary else { return process.badarg() }
    let bits = Bits(binary)
    let number = integer(process.heap, of: bits, flags: big ? 0 : BitFlags.little)
    return number.isNone ? process.systemLimit() : number
}

// MARK: - Common ends

func binary_longest_common_prefix_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    longestCommon(process, arguments, fromEnd: false)
}

func binary_longest_common_suffix_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    longestCommon(process, arguments, fromEnd: true)
}

/// Compares the first binary with each of the others, over the length that is common so far.
private func longestCommon(_ process: Ref<Process>, _ arguments: Arguments, fromEnd: Bool) -> Term {
    let list = arguments[0]
    var rest = list
    while rest.isCons {
        guard rest.head.isBinary else { return process.badarg() }
        rest = rest.tail
    }
    guard rest.isNil, list.isCons else { return process.badarg() }
    let first = Bits(list.head)
    var common = first.byteCount
    if process.isLong(common / 10) { return process.goLong(arguments) }
    rest = list.tail
    while rest.isCons, common > 0 {
        let other = Bits(rest.head)
        let limit = min(common, other.byteCount)
        var same = 0
        while same < limit {
            let a = fromEnd ? first.byteCount - 1 - same : same
            let b = fromEnd ? other.byteCount - 1 - same : same
            if readBits(first.base + a, first.offset, 8) != readBits(other.base + b, other.offset, 8) { break }
            same += 1
            if same & 8191 == 0, !vm_breathe(820) { break }
        }
        common = same
        process.bump(same / 10)
        rest = rest.tail
    }
    return .small(common)
}
