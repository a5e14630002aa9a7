// BinaryBifs.swift: functions of module erlang on binaries and I/O lists.

import CMachine
import Machine
import Terms

let erlangBinaryBifs: [Bif] = [
    Bif("erlang", "byte_size", 1, erlang_byte_size_1),
    Bif("erlang", "bit_size", 1, erlang_bit_size_1),
    Bif("erlang", "size", 1, erlang_size_1),
    Bif("erlang", "binary_part", 2, erlang_binary_part_2),
    Bif("erlang", "binary_part", 3, erlang_binary_part_3),
    Bif("erlang", "split_binary", 2, erlang_split_binary_2),
    Bif("erlang", "binary_to_list", 1, erlang_binary_to_list_1),
    Bif("erlang", "binary_to_list", 3, erlang_binary_to_list_3),
    Bif("erlang", "bitstring_to_list", 1, erlang_bitstring_to_list_1),
    Bif("erlang", "list_to_binary", 1, erlang_list_to_binary_1),
    Bif("erlang", "list_to_bitstring", 1, erlang_list_to_bitstring_1),
    Bif("erlang", "iolist_to_binary", 1, erlang_iolist_to_binary_1),
    Bif("erlang", "iolist_size", 1, erlang_iolist_size_1),
    Bif("erlang", "iolist_to_iovec", 1, erlang_iolist_to_iovec_1),
]

// MARK: - Sizes

func erlang_byte_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isBitstring else { return process.badarg() }
    return .small(arguments[0].byteCount)
}

func erlang_bit_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isBitstring else { return process.badarg() }
    return process.heap.integer(arguments[0].bitCount)
}

func erlang_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let term = arguments[0]
    if term.isTuple { return .small(term.tupleSize) }
    return term.isBitstring ? .small(term.wholeByteCount) : process.badarg()
}

// MARK: - Parts

/// Start and length in bytes of the part `position`, `length` (negative: backwards) of `size` bytes.
func partRange(_ position: Term, _ length: Term, size: Int) -> (start: Int, count: Int)? {
    guard position.isSmall, length.isSmall, position.smallValue >= 0 else { return nil }
    let count = length.smallValue.magnitude
    let start = length.smallValue < 0 ? position.smallValue - Int(count) : position.smallValue
    guard start >= 0, start <= size, Int(count) <= size - start else { return nil }
    return (start, Int(count))
}

func binaryPart(_ process: Ref<Process>, _ binary: Term, _ position: Term, _ length: Term) -> Term {
    guard binary.isBitstring, let range = partRange(position, length, size: binary.wholeByteCount) else {
        return process.badarg()
    }
    return process.heap.subBinary(of: binary, bitOffset: range.start << 3, bitSize: range.count << 3)
}

func erlang_binary_part_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[1].isTuple(2) else { return process.badarg() }
    return binaryPart(process, arguments[0], arguments[1].element(0), arguments[1].element(1))
}

func erlang_binary_part_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    binaryPart(process, arguments[0], arguments[1], arguments[2])
}

func erlang_split_binary_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let binary = arguments[0]
    guard binary.isBitstring, arguments[1].isSmall, arguments[1].smallValue >= 0,
        arguments[1].smallValue <= binary.wholeByteCount
    else { return process.badarg() }
    let heap = process.heap
    let split = arguments[1].smallValue << 3
    let first = heap.subBinary(of: binary, bitOffset: 0, bitSize: split)
    let second = heap.subBinary(of: binary, bitOffset: split, bitSize: binary.bitCount - split)
    return heap.tuple(first, second)
}

// MARK: - To lists

/// A list of `count` bytes of `bits` from byte `start` on, before `tail`.
func byteList(
    _ process: Ref<Process>, _ arguments: Arguments, _ bits: Bits, _ start: Int, _ count: Int, _ tail: Term
) -> Term {
    guard count > 0 else { return tail }
    if process.isLong(count / 256) { return process.goLong(arguments) }
    process.bump((count - 1) / 256 + 1)
    let cells = process.heap.allocate(count * 2)
    let source = bits.base + start
    for index in 0..<count {
        if index & 8191 == 8191, !vm_breathe(32) { break }
        let byte = bits.offset == 0 ? UInt64(source[index]) : readBits(source + index, bits.offset, 8)
        cells[index &* 2] = byte &<< 4 | 15
        cells[index &* 2 &+ 1] = Term.cons(cells + (index &* 2 &+ 2)).raw
    }
    cells[count * 2 - 1] = tail.raw
    return .cons(cells)
}

func erlang_binary_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isBinary else { return process.badarg() }
    let bits = Bits(arguments[0])
    return byteList(process, arguments, bits, 0, bits.byteCount, .nil)
}

func erlang_binary_to_list_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isBitstring, arguments[1].isSmall, arguments[2].isSmall else { return process.badarg() }
    let first = arguments[1].smallValue
    let last = arguments[2].smallValue
    guard first >= 1, last >= first, last <= arguments[0].wholeByteCount else { return process.badarg() }
    return byteList(process, arguments, Bits(arguments[0]), first - 1, last - first + 1, .nil)
}

func erlang_bitstring_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isBitstring else { return process.badarg() }
    let bits = Bits(arguments[0])
    let whole = bits.size >> 3
    if bits.isWholeBytes { return byteList(process, arguments, bits, 0, whole, .nil) }
    let heap = process.heap
    let last = heap.subBinary(of: arguments[0], bitOffset: whole << 3, bitSize: bits.size & 7)
    return byteList(process, arguments, bits, 0, whole, heap.cons(last, .nil))
}

// MARK: - From lists

/// `list_to_binary/1` and its relatives, for a list.
func binaryOfList(_ process: Ref<Process>, _ arguments: Arguments, allowsBitstrings: Bool) -> Term {
    let heap = process.heap
    let list = arguments[0]
    if list.isNil { return heap.makeBinary(0).term }
    guard list.isCons else { return process.badarg() }
    let head = list.head
    if list.tail.isNil, head.isBitstring, allowsBitstrings || Bits(head).offset == 0 && head.isBinary { return head }
    var cells = 0
    var pace = Pace(unit: 4)
    switch iolistBits(list, allowsBitstrings: allowsBitstrings, cells: &cells, pace: &pace) {
    case .bits(let bits):
        if process.isLong(cells / 4 + bits >> 11) { return process.goLong(arguments) }
        process.bump(cells / 4 + bits >> 11)
        return heap.makeBinary(ofIolist: list, bits: bits)
    case .invalid: return pace.isStopped ? process.giveWay(arguments) : process.badarg()
    case .tooLarge: return process.systemLimit()
    }
}

func erlang_list_to_binary_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    binaryOfList(process, arguments, allowsBitstrings: false)
}

func erlang_list_to_bitstring_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    binaryOfList(process, arguments, allowsBitstrings: true)
}

func erlang_iolist_to_binary_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if arguments[0].isBitstring { return arguments[0].isBinary ? arguments[0] : process.badarg() }
    return binaryOfList(process, arguments, allowsBitstrings: false)
}

func erlang_iolist_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var cells = 0
    var pace = Pace(unit: 8)
    switch iolistBits(arguments[0], allowsBitstrings: false, cells: &cells, pace: &pace) {
    case .bits(let bits):
        process.bump(cells / 8)
        return .small(bits >> 3)
    case .invalid: return pace.isStopped ? process.giveWay(arguments) : process.badarg()
    case .tooLarge: return process.systemLimit()
    }
}

// MARK: - To vectors

/// Builds a list front to back.
struct ListBuilder {
    let heap: Ref<Heap>
    var first = Term.nil
    var last: Words?

    init(_ heap: Ref<Heap>) { self.heap = heap }

    mutating func append(_ term: Term) {
        let cell = heap.cons(term, .nil)
        if let last { last[1] = cell.raw } else { first = cell }
        last = cell.pointer
    }
}

/// Binaries below this size are gathered into larger ones by `iolist_to_iovec/1`, as in OTP.
private let smallVectorBinary = 256

func erlang_iolist_to_iovec_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let heap = process.heap
    let term = arguments[0]
    if term.isNil { return .nil }
    if term.isBitstring {
        guard term.isBinary else { return process.badarg() }
        return term.byteCount == 0 ? .nil : heap.cons(term, .nil)
    }
    guard term.isCons else { return process.badarg() }
    var cells = 0
    var pace = Pace(unit: 8)
    switch iolistBits(term, allowsBitstrings: false, cells: &cells, pace: &pace) {
    case .bits: break
    case .invalid: return pace.isStopped ? process.giveWay(arguments) : process.badarg()
    case .tooLarge: return process.systemLimit()
    }
    if process.isLong(cells / 4) { return process.goLong(arguments) }
    process.bump(cells / 8)
    var steps = 0
    var vector = VectorBuilder(heap)
    var stack = TermStack()
    defer { stack.release() }
    var current = term
    while true {
        while current.isCons {
            steps &+= 1
            if steps & 1023 == 0, !vm_breathe(64) { return .nil }
            let head = current.head
            if head.isSmall {
                vector.append(byte: UInt8(truncatingIfNeeded: head.smallValue))
            } else if head.isCons {
                stack.push(current.tail)
                current = head
                continue
            } else if !head.isNil {
                vector.append(binary: head)
            }
            current = current.tail
        }
        if !current.isNil { vector.append(binary: current) }
        if stack.isEmpty { break }
        current = stack.pop()
    }
    vector.flush()
    return vector.list.first
}

/// The elements of an I/O vector: large binaries as they are, small ones and bytes gathered.
private struct VectorBuilder: ~Copyable {
    var list: ListBuilder
    var gathered = ByteBuffer()

    init(_ heap: Ref<Heap>) { list = ListBuilder(heap) }

    mutating func append(byte: UInt8) {
        if gathered.count >= smallVectorBinary * 32 { flush() }
        gathered.append(byte)
    }

    mutating func append(binary: Term) {
        let bits = Bits(binary)
        let count = bits.byteCount
        if count >= smallVectorBinary, gathered.count == 0 || gathered.count >= smallVectorBinary {
            flush()
            list.append(binary)
        } else if count < smallVectorBinary || count + gathered.count < smallVectorBinary * 2 {
            append(bits, count)
        } else {
            let taken = smallVectorBinary - gathered.count
            append(bits, taken)
            flush()
            list.append(list.heap.subBinary(of: binary, bitOffset: taken << 3, bitSize: (count - taken) << 3))
        }
    }

    private mutating func append(_ bits: Bits, _ count: Int) {
        gathered.reserve(count)
        copyBits(bits.base, bits.offset, gathered.start + gathered.count, 0, count << 3)
        gathered.count += count
        if gathered.count >= smallVectorBinary * 32 { flush() }
    }

    /// What was gathered becomes one element.
    mutating func flush() {
        guard gathered.count > 0 else { return }
        list.append(list.heap.makeBinary(gathered.bytes))
        gathered.count = 0
    }
}
