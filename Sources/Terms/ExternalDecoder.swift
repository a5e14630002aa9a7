// ExternalDecoder.swift: external term format to terms.
//
// One pass with a stack of slots still to be filled. Every slot takes at least one byte of input, so a container is
// made only if the input left covers its slots and all slots pending elsewhere: memory stays proportional to the
// input, whatever the input claims. After a failure the slots left over are filled with [], and what was built is
// garbage like any other.

public import CMachine
import CZlib
import Glibc

/// The term encoded at the start of `bytes`, and how many bytes it took; nil if it is malformed or not allowed.
public func decodeExternal(
    _ heap: Ref<Heap>, bytes: UnsafeRawBufferPointer, options: ExternalDecoding = []
) -> (term: Term, used: Int)? {
    guard let start = bytes.assumingMemoryBound(to: UInt8.self).baseAddress else { return nil }
    var cursor = ExternalCursor(start, start + bytes.count)
    if !options.contains(.bare) {
        guard cursor.byte() == ExternalTag.version else { return nil }
    }
    if cursor.position < cursor.end, cursor.position[0] == ExternalTag.compressed {
        cursor.position += 1
        guard let plain = inflateExternal(&cursor) else { return nil }
        defer { free(plain.memory) }
        var decoder = ExternalDecoder(heap, ExternalCursor(plain.memory, plain.memory + plain.count), options)
        guard let term = decoder.run() else { return nil }
        return (term, cursor.position - start)
    }
    var decoder = ExternalDecoder(heap, cursor, options)
    guard let term = decoder.run() else { return nil }
    return (term, decoder.input.position - start)
}

/// Reads bytes up to `end`; every read says whether there were enough.
struct ExternalCursor {
    var position: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>

    init(_ position: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
        self.position = position
        self.end = end
    }

    var left: Int { end - position }

    mutating func byte() -> UInt8? {
        guard position < end else { return nil }
        position += 1
        return position[-1]
    }

    mutating func skip(_ count: Int) -> UnsafePointer<UInt8>? {
        guard count >= 0, left >= count else { return nil }
        position += count
        return position - count
    }

    mutating func number16() -> Int? {
        skip(2).map { Int($0[0]) << 8 | Int($0[1]) }
    }

    mutating func number32() -> UInt32? {
        skip(4).map { UInt32(bigEndian: UnsafeRawPointer($0).loadUnaligned(as: UInt32.self)) }
    }

    mutating func number64() -> UInt64? {
        skip(8).map { UInt64(bigEndian: UnsafeRawPointer($0).loadUnaligned(as: UInt64.self)) }
    }

    /// A node's creation: four bytes, or in the old tags one byte up to 3.
    mutating func creation(isWide: Bool) -> UInt32? {
        if isWide { return number32() }
        guard let small = byte(), small <= 3 else { return nil }
        return UInt32(small)
    }
}

/// Inflates what follows tag 80; the caller frees the memory. The stream must have exactly the size it announces.
private func inflateExternal(_ input: inout ExternalCursor) -> (memory: UnsafeMutablePointer<UInt8>, count: Int)? {
    // No deflate stream expands more than 1032 times, so a larger claim is a lie and takes no memory.
    guard let size = input.number32(), Int(size) <= input.left * 1032 + 64 else { return nil }
    guard let memory = malloc(max(Int(size), 1)) else { return nil }
    let plain = memory.assumingMemoryBound(to: UInt8.self)
    var stream = z_stream()
    stream.next_in = UnsafeMutablePointer(mutating: input.position)
    stream.avail_in = UInt32(truncatingIfNeeded: min(input.left, Int(UInt32.max)))
    stream.next_out = plain
    guard inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        free(plain)
        return nil
    }
    var status = Z_OK
    var room = Int(size)
    // In pieces, to pause on a fiber.
    while status == Z_OK {
        let piece = min(room, 64 << 10)
        stream.avail_out = UInt32(piece)
        status = inflate(&stream, piece == room ? Z_FINISH : Z_NO_FLUSH)
        room -= piece - Int(stream.avail_out)
        if status == Z_OK, room == 0 || !vm_breathe(1000) { break }
    }
    inflateEnd(&stream)
    guard status == Z_STREAM_END, stream.total_out == UInt(size) else {
        free(plain)
        return nil
    }
    input.position += Int(stream.total_in)
    return (plain, Int(size))
}

private struct ExternalDecoder: ~Copyable {
    /// Slots at `next`, `next + stride`, ... still to be filled. When none is left and `pairs` is set, the key and
    /// value slots it owns become a map that goes to `target`.
    private struct Frame {
        var next: Words
        var left: Int
        var stride: Int
        var pairs: Words?
        var pairCount = 0
        var target: Words?
    }

    var input: ExternalCursor
    private let heap: Ref<Heap>
    private let options: ExternalDecoding
    private var frames = FrameStack<Frame>()
    /// Slots left in all frames.
    private var pending = 0

    init(_ heap: Ref<Heap>, _ input: ExternalCursor, _ options: ExternalDecoding) {
        self.heap = heap
        self.input = input
        self.options = options
    }

    mutating func run() -> Term? {
        var result = Term.nil.raw
        let succeeded = withUnsafeMutablePointer(to: &result) { fill($0) }
        return succeeded ? Term(raw: result) : nil
    }

    private mutating func fill(_ root: Words) -> Bool {
        guard decode(into: root) else { return abandon() }
        var steps = 0
        while !frames.isEmpty {
            let frame = frames.top
            steps &+= 1
            if steps & 1023 == 0, !vm_breathe(128) { return abandon() }
            if frame.pointee.left == 0 {
                guard finish(frames.pop()) else { return abandon() }
                continue
            }
            let slot = frame.pointee.next
            frame.pointee.next = slot + frame.pointee.stride
            frame.pointee.left &-= 1
            pending &-= 1
            slot[0] = Term.nil.raw
            guard decode(into: slot) else { return abandon() }
        }
        return true
    }

    private func finish(_ frame: Frame) -> Bool {
        guard let pairs = frame.pairs else { return true }
        defer { free(pairs) }
        let terms = UnsafeMutableRawPointer(pairs).assumingMemoryBound(to: Term.self)
        guard let map = decodedMap(heap, pairs: terms, count: frame.pairCount) else { return false }
        frame.target.unsafelyUnwrapped[0] = map.raw
        return true
    }

    /// Leaves no hole on the heap and no memory behind.
    private mutating func abandon() -> Bool {
        while !frames.isEmpty {
            let frame = frames.pop()
            if let pairs = frame.pairs {
                free(pairs)
            } else {
                for index in 0..<frame.left { frame.next[index * frame.stride] = Term.nil.raw }
            }
        }
        return false
    }

    /// Puts `count` more slots on the stack, if the input can hold them.
    private func covers(_ count: Int) -> Bool { count <= input.left - pending }

    private mutating func push(_ slots: Words, _ count: Int, stride: Int = 1) {
        guard count > 0 else { return }
        frames.push(Frame(next: slots, left: count, stride: stride))
        pending &+= count
    }

    /// Decodes one term into `slot`; the parts of a container are left to the stack.
    private mutating func decode(into slot: Words) -> Bool {
        guard let tag = input.byte() else { return false }
        switch tag {
        case ExternalTag.smallTuple:
            guard let size = input.byte() else { return false }
            return tuple(Int(size), slot)
        case ExternalTag.largeTuple:
            guard let size = input.number32(), size <= Layout.tupleLimit else { return false }
            return tuple(Int(size), slot)
        case ExternalTag.list:
            guard let count = input.number32() else { return false }
            return list(Int(count), slot)
        case ExternalTag.map:
            guard let count = input.number32() else { return false }
            return map(Int(count), slot)
        case ExternalTag.newFun: return fun(slot)
        default:
            guard let leaf = leaf(tag) else { return false }
            slot[0] = leaf.raw
            return true
        }
    }

    // MARK: Containers

    private mutating func tuple(_ size: Int, _ slot: Words) -> Bool {
        guard covers(size) else { return false }
        guard size > 0 else {
            slot[0] = Term.emptyTuple.raw
            return true
        }
        let (term, elements) = heap.makeTuple(size)
        slot[0] = term.raw
        push(elements, size)
        return true
    }

    private mutating func list(_ count: Int, _ slot: Words) -> Bool {
        guard covers(count + 1) else { return false }
        guard count > 0 else {
            push(slot, 1)
            return true
        }
        let cells = heap.allocate(2 * count)
        for index in 0..<count {
            cells[2 * index] = Term.nil.raw
            cells[2 * index + 1] = Term.cons(cells + (2 * index + 2)).raw
            if index & 8191 == 8191 { _ = vm_breathe(64) }
        }
        cells[2 * count - 1] = Term.nil.raw
        slot[0] = Term.cons(cells).raw
        push(cells + (2 * count - 1), 1)
        push(cells, count, stride: 2)
        return true
    }

    private mutating func map(_ count: Int, _ slot: Words) -> Bool {
        guard covers(2 * count) else { return false }
        guard let memory = malloc(max(2 * count * 8, 8)) else { outOfMemory(2 * count * 8) }
        let pairs = memory.assumingMemoryBound(to: UInt64.self)
        frames.push(Frame(next: pairs, left: 2 * count, stride: 1, pairs: pairs, pairCount: count, target: slot))
        pending &+= 2 * count
        return true
    }

    private mutating func fun(_ slot: Words) -> Bool {
        guard input.skip(4) != nil, let arity = input.byte(), let uniq = input.skip(16),
            let index = input.number32(), let freeCount = input.number32(), freeCount <= 255,
            let module = atom(), let oldIndex = small(), let oldUniq = small(), covers(Int(freeCount) + 1),
            oldIndex >= 0, let makeEntry = TermHooks.funEntry
        else { return false }
        let free = Int(freeCount)
        let entry = makeEntry(module, uniq, index, UInt32(truncatingIfNeeded: oldUniq), Int(arity), free)
        let object = heap.allocate(Layout.funWords + free)
        object[0] = Header.make(Layout.funWords - 1 + free, Subtag.fun)
        object[1] = UInt64(UInt(bitPattern: entry))
        object[3] = UInt64(arity) | UInt64(free) << 8
        object[4] = Term.nil.raw
        heap.linkOffHeap(object, bytes: 0)
        slot[0] = Term.boxed(object).raw
        push(object + Layout.funWords, free)
        push(object + 4, 1)
        return true
    }

    // MARK: Leaves

    private mutating func leaf(_ tag: UInt8) -> Term? {
        switch tag {
        case ExternalTag.smallInteger: return input.byte().map { .small(Int($0)) }
        case ExternalTag.integer: return input.number32().map { .small(Int(Int32(bitPattern: $0))) }
        case ExternalTag.nil: return .nil
        case ExternalTag.atom, ExternalTag.smallAtom, ExternalTag.atomUTF8, ExternalTag.smallAtomUTF8:
            return atom(tag)
        case ExternalTag.binary: return binary()
        case ExternalTag.string: return string()
        case ExternalTag.newFloat:
            guard let bits = input.number64(), Double(bitPattern: bits).isFinite else { return nil }
            return heap.float(Double(bitPattern: bits))
        case ExternalTag.float: return textFloat()
        case ExternalTag.smallBig:
            guard let count = input.byte() else { return nil }
            return big(Int(count))
        case ExternalTag.largeBig:
            guard let count = input.number32() else { return nil }
            return big(Int(count))
        case ExternalTag.bitBinary: return bitBinary()
        case ExternalTag.pid, ExternalTag.newPid: return pid(tag)
        case ExternalTag.port, ExternalTag.newPort, ExternalTag.version4Port: return port(tag)
        case ExternalTag.reference, ExternalTag.newReference, ExternalTag.newerReference: return reference(tag)
        case ExternalTag.export: return export()
        default: return nil
        }
    }

    private mutating func atom() -> Term? {
        guard let tag = input.byte() else { return nil }
        return atom(tag)
    }

    private mutating func atom(_ tag: UInt8) -> Term? {
        let count: Int?
        switch tag {
        case ExternalTag.atom, ExternalTag.atomUTF8: count = input.number16()
        case ExternalTag.smallAtom, ExternalTag.smallAtomUTF8: count = input.byte().map { Int($0) }
        default: return nil
        }
        guard let count, let text = input.skip(count) else { return nil }
        let bytes = UnsafeBufferPointer(start: text, count: count)
        if tag == ExternalTag.atomUTF8 || tag == ExternalTag.smallAtomUTF8 || bytes.allSatisfy({ $0 < 0x80 }) {
            return atom(bytes)
        }
        guard count <= AtomTable.maximumCharacters else { return nil }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * count) { wide in
            var used = 0
            for byte in bytes {
                if byte < 0x80 {
                    wide[used] = byte
                } else {
                    wide[used] = 0xC0 | byte >> 6
                    used += 1
                    wide[used] = 0x80 | byte & 0x3F
                }
                used += 1
            }
            return atom(UnsafeBufferPointer(rebasing: wide[..<used]))
        }
    }

    private func atom(_ text: UnsafeBufferPointer<UInt8>) -> Term? {
        options.contains(.safe) ? AtomTable.find(text) : AtomTable.intern(text)
    }

    /// A small integer encoded as a term of its own.
    private mutating func small() -> Int? {
        guard let tag = input.byte(),
            tag == ExternalTag.smallInteger || tag == ExternalTag.integer || tag == ExternalTag.smallBig,
            let term = leaf(tag), term.isSmall
        else { return nil }
        return term.smallValue
    }

    private mutating func string() -> Term? {
        guard let count = input.number16(), let text = input.skip(count) else { return nil }
        guard count > 0 else { return .nil }
        let cells = heap.allocate(2 * count)
        for index in 0..<count {
            cells[2 * index] = Term.small(Int(text[index])).raw
            cells[2 * index + 1] = Term.cons(cells + (2 * index + 2)).raw
        }
        cells[2 * count - 1] = Term.nil.raw
        return .cons(cells)
    }

    private mutating func binary() -> Term? {
        guard let count = input.number32(), let bytes = input.skip(Int(count)) else { return nil }
        let (term, target) = heap.makeBinary(Int(count))
        copyManyBits(bytes, 0, target, 0, Int(count) << 3)
        return term
    }

    private mutating func bitBinary() -> Term? {
        guard let count = input.number32(), let lastBits = input.byte(), lastBits <= 8,
            (lastBits == 0) == (count == 0), let bytes = input.skip(Int(count))
        else { return nil }
        let whole = heap.makeBinary(bytes, count: Int(count))
        if count == 0 || lastBits == 8 { return whole }
        return heap.makeSubBinary(whole, 0, (Int(count) - 1) * 8 + Int(lastBits))
    }

    /// Sign and little-endian magnitude; leading zeros are dropped.
    private mutating func big(_ count: Int) -> Term? {
        guard let sign = input.byte(), let bytes = input.skip(count) else { return nil }
        var used = count
        while used > 0, bytes[used - 1] == 0 { used -= 1 }
        func limb(_ index: Int) -> UInt64 {
            var value: UInt64 = 0
            for offset in stride(from: min(used, 8 * index + 8) - 1, through: 8 * index, by: -1) {
                value = value << 8 | UInt64(bytes[offset])
            }
            return value
        }
        if used <= 8 {
            let value = limb(0)
            if sign == 0 { return heap.integer(unsigned: value) }
            if value <= UInt64(Term.smallMax) + 1 { return .small(-Int(value)) }
        }
        let limbs = (used + 7) / 8
        guard limbs <= ExternalDecoder.bigLimit else { return nil }
        let object = heap.allocate(1 + limbs)
        object[0] = Header.make(limbs, sign == 0 ? Subtag.positiveBig : Subtag.negativeBig)
        for index in 0..<limbs { object[1 + index] = limb(index) }
        return .boxed(object)
    }

    /// Limbs of the largest integer.
    private static let bigLimit = (1 << 19) - 1

    /// 31 characters: `d.ddde+dd`, padded with zero bytes.
    private mutating func textFloat() -> Term? {
        guard let bytes = input.skip(31) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            // A comma is as good as a point.
            for index in 0..<31 {
                text[index] = CChar(bitPattern: bytes[index] == UInt8(ascii: ",") ? UInt8(ascii: ".") : bytes[index])
            }
            text[31] = 0
            guard isFloatText(bytes) else { return nil }
            let value = strtod(text.baseAddress!, nil)
            return value.isFinite ? heap.float(value) : nil
        }
    }

    /// Optional sign, digits, a point, digits, optional exponent; then the end or a zero byte.
    private func isFloatText(_ bytes: UnsafePointer<UInt8>) -> Bool {
        var index = 0
        func at(_ characters: StaticString) -> Bool {
            index < 31 && (0..<characters.utf8CodeUnitCount).contains { characters.utf8Start[$0] == bytes[index] }
        }
        func digits() -> Bool {
            let start = index
            while at("0123456789") { index += 1 }
            return index > start
        }
        if at("+-") { index += 1 }
        guard digits(), at(".,") else { return false }
        index += 1
        guard digits() else { return false }
        if at("eE") {
            index += 1
            if at("+-") { index += 1 }
            guard digits() else { return false }
        }
        return index == 31 || bytes[index] == 0
    }

    // MARK: Identities

    private mutating func pid(_ tag: UInt8) -> Term? {
        guard let name = atom(), let number = input.number32(), let serial = input.number32(),
            let creation = input.creation(isWide: tag == ExternalTag.newPid)
        else { return nil }
        if Nodes.isLocal(name: name, creation: creation) {
            guard number < 1 << 15, serial < 1 << 13 else { return nil }
        }
        return heap.pid(node: Nodes.intern(name: name, creation: creation), number: number, serial: serial)
    }

    private mutating func port(_ tag: UInt8) -> Term? {
        guard let name = atom(),
            let number = tag == ExternalTag.version4Port ? input.number64() : input.number32().map({ UInt64($0) }),
            let creation = input.creation(isWide: tag != ExternalTag.port)
        else { return nil }
        if Nodes.isLocal(name: name, creation: creation) {
            guard number < 1 << 28 else { return nil }
        }
        return heap.port(node: Nodes.intern(name: name, creation: creation), number: number)
    }

    private mutating func reference(_ tag: UInt8) -> Term? {
        var words: (UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0)
        var count = 1
        if tag != ExternalTag.reference {
            guard let announced = input.number16(), announced <= 5 else { return nil }
            // One number is there even if none is announced.
            count = max(announced, 1)
        }
        guard let name = atom() else { return nil }
        let creation: UInt32
        if tag == ExternalTag.reference {
            guard let word = input.number32(), let byte = input.creation(isWide: false) else { return nil }
            words.0 = word
            creation = byte
        } else {
            guard let value = input.creation(isWide: tag == ExternalTag.newerReference) else { return nil }
            creation = value
            let complete = withUnsafeMutablePointer(to: &words) { tuple in
                tuple.withMemoryRebound(to: UInt32.self, capacity: 5) { target in
                    for index in 0..<count {
                        guard let word = input.number32() else { return false }
                        target[index] = word
                    }
                    return true
                }
            }
            guard complete else { return nil }
        }
        guard words.0 < 1 << 18 || tag == ExternalTag.newerReference else { return nil }
        if Nodes.isLocal(name: name, creation: creation) {
            guard count <= 3, words.0 < 1 << 18 else { return nil }
            let numbers = (UInt64(words.0) | UInt64(words.1) << 32, UInt64(words.2))
            return TermHooks.liveReference?(heap, numbers) ?? heap.reference(numbers)
        }
        return withUnsafePointer(to: words) { tuple in
            tuple.withMemoryRebound(to: UInt32.self, capacity: 5) { source in
                heap.externalReference(
                    node: Nodes.intern(name: name, creation: creation), words: source, count: count)
            }
        }
    }

    private mutating func export() -> Term? {
        guard let module = atom(), let name = atom(), let arity = small(), arity >= 0, arity <= 255,
            let makeExport = TermHooks.export
        else { return nil }
        if options.contains(.safe) {
            guard let isExported = TermHooks.isExported, isExported(module, name, arity) else { return nil }
        }
        return heap.externalFun(makeExport(module, name, arity), arity: arity)
    }
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// `fun M:F/A`.
    public func externalFun(_ export: Ref<Export>, arity: Int) -> Term {
        let object = allocate(Layout.funWords)
        object[0] = Header.make(Layout.funWords - 1, Subtag.fun)
        object[1] = UInt64(UInt(bitPattern: export))
        object[2] = 0
        object[3] = UInt64(arity) | 1 << 24
        object[4] = Term.nil.raw
        return .boxed(object)
    }
}
