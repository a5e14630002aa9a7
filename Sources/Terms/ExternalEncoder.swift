// ExternalEncoder.swift: terms to the external term format, with a stack of what is still to be written.

public import CMachine
import CZlib
import Glibc

/// `term` in external format, version byte first. `work` is what it costs: one per term and per 64 bytes of binaries.
public func encodeExternal(_ term: Term, options: ExternalEncoding = ExternalEncoding(), work: inout Int) -> ByteBuffer {
    var pace = Pace.none
    return encodeExternal(term, options: options, work: &work, pace: &pace)
}

/// The same at a pace; without use if that stopped it.
public func encodeExternal(
    _ term: Term, options: ExternalEncoding, work: inout Int, pace: inout Pace
) -> ByteBuffer {
    var encoder = ExternalEncoder(options, pace)
    encoder.output.append(ExternalTag.version)
    encoder.run(term)
    work &+= encoder.work
    pace = encoder.pace
    let plain = encoder.finish()
    if !pace.isStopped, options.compression != 0, plain.count >= 6,
        let packed = deflateExternal(plain, options.compression, &pace, work)
    {
        return packed
    }
    return plain
}

/// The compressed form of a whole external term, if it is smaller.
private func deflateExternal(
    _ plain: borrowing ByteBuffer, _ level: Int, _ pace: inout Pace, _ work: Int
) -> ByteBuffer? {
    var packed = ByteBuffer(capacity: plain.count)
    packed.append(ExternalTag.version)
    packed.append(ExternalTag.compressed)
    packed.append32(plain.count - 1)
    var stream = z_stream()
    guard deflateInit_(&stream, Int32(level), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        return nil
    }
    defer { deflateEnd(&stream) }
    var input = UnsafePointer(plain.start + 1)
    var inputLeft = plain.count - 1
    var room = plain.count - 6
    // Small enough pieces to pause between them.
    let largest = 32 << 10
    var work = work
    while true {
        // About a slice for two pieces.
        work += 16 << 10
        guard pace.goesOn(work) else { return nil }
        let given = min(inputLeft, largest)
        let offered = min(room, largest)
        stream.next_in = UnsafeMutablePointer(mutating: input)
        stream.avail_in = UInt32(given)
        stream.next_out = packed.start + packed.count
        stream.avail_out = UInt32(offered)
        let status = deflate(&stream, given == inputLeft ? Z_FINISH : Z_NO_FLUSH)
        let taken = given - Int(stream.avail_in)
        let made = offered - Int(stream.avail_out)
        input += taken
        inputLeft -= taken
        packed.count += made
        room -= made
        if status == Z_STREAM_END { return packed }
        guard status == Z_OK, room > 0 else { return nil }
    }
}

private struct ExternalEncoder: ~Copyable {
    private enum Kind {
        /// `left` terms from `next` on; `owned` memory is freed after the last.
        case slots
        /// The rest of a list from the cell `next` on.
        case cells
        /// Keys from `next` and values from `other` in turn, `left` of both together.
        case flatMap
        /// Writes the size of the fun that begins at byte `left` of the output.
        case funSize
    }

    private struct Frame {
        var kind: Kind
        var next: Words
        var other: Words?
        var left: Int
    }

    var output: ByteBuffer
    var work = 0
    private var frames = FrameStack<Frame>()
    private let options: ExternalEncoding
    var pace: Pace

    init(_ options: ExternalEncoding, _ pace: Pace) {
        self.options = options
        self.pace = pace
        output = ByteBuffer(capacity: 256)
    }

    consuming func finish() -> ByteBuffer { output }

    mutating func run(_ root: Term) {
        write(root)
        while !frames.isEmpty {
            let frame = frames.top
            guard pace.goesOn(work) else { return abandon() }
            switch frame.pointee.kind {
            case .slots:
                if frame.pointee.left == 0 {
                    free(frame.pointee.other)
                    frames.drop()
                    continue
                }
                let slot = frame.pointee.next
                frame.pointee.next = slot + 1
                frame.pointee.left &-= 1
                write(Term(raw: slot[0]))
            case .cells:
                let cell = frame.pointee.next
                let tail = Term(raw: cell[1])
                if tail.isCons {
                    frame.pointee.next = tail.pointer
                } else {
                    frame.pointee = Frame(kind: .slots, next: cell + 1, other: nil, left: 1)
                }
                write(Term(raw: cell[0]))
            case .flatMap:
                let left = frame.pointee.left
                if left == 0 {
                    frames.drop()
                    continue
                }
                frame.pointee.left = left &- 1
                if left & 1 == 0 {
                    let key = frame.pointee.next
                    frame.pointee.next = key + 1
                    write(Term(raw: key[0]))
                } else {
                    let value = frame.pointee.other.unsafelyUnwrapped
                    frame.pointee.other = value + 1
                    write(Term(raw: value[0]))
                }
            case .funSize:
                let start = frame.pointee.left
                frames.drop()
                output.store32(output.count - start, at: start)
            }
        }
    }

    private mutating func abandon() {
        while !frames.isEmpty {
            let frame = frames.pop()
            if frame.kind == .slots { free(frame.other) }
        }
    }

    private mutating func write(_ term: Term) {
        work &+= 1
        if term.isSmall { return integer(term.smallValue) }
        if term.isAtom { return atom(term) }
        if term.isNil { return output.append(ExternalTag.nil) }
        if term.isCons { return list(term) }
        if term.isLocalPid { return pid(term) }
        if term.isLocalPort { return port(term) }
        switch term.subtag {
        case Subtag.tuple: tuple(term)
        case Subtag.map: map(term)
        case Subtag.float: float(term.floatValue)
        case Subtag.positiveBig, Subtag.negativeBig: big(term)
        case Subtag.refcBinary, Subtag.heapBinary, Subtag.subBinary: bitstring(term)
        case Subtag.fun: fun(term)
        case Subtag.externalPid: pid(term)
        case Subtag.externalPort: port(term)
        default: reference(term)
        }
    }

    // MARK: Numbers and atoms

    private mutating func integer(_ value: Int) {
        if value >= 0, value < 256 {
            output.append(ExternalTag.smallInteger)
            output.append(UInt8(value))
        } else if value == Int(Int32(truncatingIfNeeded: value)) {
            output.append(ExternalTag.integer)
            output.append32(value)
        } else {
            var magnitude = UInt64(value.magnitude)
            withUnsafeMutablePointer(to: &magnitude) { bigBytes($0, 1, isNegative: value < 0) }
        }
    }

    private mutating func big(_ term: Term) {
        bigBytes(term.bigLimbs, term.bigLimbCount, isNegative: term.bigIsNegative)
    }

    private mutating func bigBytes(_ limbs: Words, _ count: Int, isNegative: Bool) {
        let bytes = 8 * count - limbs[count - 1].leadingZeroBitCount / 8
        if bytes < 256 {
            output.append(ExternalTag.smallBig)
            output.append(UInt8(bytes))
        } else {
            output.append(ExternalTag.largeBig)
            output.append32(bytes)
        }
        output.append(isNegative ? 1 : 0)
        limbs.withMemoryRebound(to: UInt8.self, capacity: bytes) { output.append($0, count: bytes) }
        work &+= bytes >> 6
    }

    private mutating func float(_ value: Double) {
        if options.minorVersion > 0 {
            output.append(ExternalTag.newFloat)
            output.append64(value.bitPattern)
            return
        }
        output.append(ExternalTag.float)
        output.reserve(40)
        memset(output.start + output.count, 0, 32)
        _ = withVaList([value]) { arguments in
            output.start.withMemoryRebound(to: CChar.self, capacity: output.count + 32) {
                vsnprintf($0 + output.count, 32, "%.20e", arguments)
            }
        }
        output.count += 31
    }

    private mutating func atom(_ term: Term) {
        let entry = AtomTable.entry(term)
        let count = Int(entry.pointee.count)
        if options.minorVersion < 2, entry.pointee.isLatin1 {
            output.append(ExternalTag.atom)
            output.append16(Int(entry.pointee.characters))
            if count == Int(entry.pointee.characters) {
                output.append(entry.pointee.bytes, count: count)
            } else {
                latin1(UnsafeBufferPointer(start: entry.pointee.bytes, count: count))
            }
            return
        }
        if count < 256 {
            output.append(ExternalTag.smallAtomUTF8)
            output.append(UInt8(count))
        } else {
            output.append(ExternalTag.atomUTF8)
            output.append16(count)
        }
        output.append(entry.pointee.bytes, count: count)
    }

    /// Requires: valid UTF-8 of characters below 256.
    private mutating func latin1(_ text: UnsafeBufferPointer<UInt8>) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte < 0x80 {
                output.append(byte)
                index += 1
            } else {
                output.append(byte << 6 | text[index + 1] & 0x3F)
                index += 2
            }
        }
    }

    // MARK: Containers

    private mutating func tuple(_ term: Term) {
        let size = term.tupleSize
        if size < 256 {
            output.append(ExternalTag.smallTuple)
            output.append(UInt8(size))
        } else {
            output.append(ExternalTag.largeTuple)
            output.append32(size)
        }
        if size > 0 { frames.push(Frame(kind: .slots, next: term.pointer + 1, other: nil, left: size)) }
    }

    /// A proper list of up to 65535 bytes is written as a string.
    private mutating func list(_ term: Term) {
        var count = 0
        var isString = true
        var rest = term
        while rest.isCons {
            let head = rest.head
            if !head.isSmall || head.raw > Term.small(255).raw { isString = false }
            count &+= 1
            rest = rest.tail
            if count & 4095 == 0, !pace.goesOn(work &+ count &>> 4) { break }
        }
        guard isString, rest.isNil, count < 65536 else {
            output.append(ExternalTag.list)
            output.append32(count)
            frames.push(Frame(kind: .cells, next: term.pointer, other: nil, left: 0))
            return
        }
        output.append(ExternalTag.string)
        output.append16(count)
        output.reserve(count)
        rest = term
        while rest.isCons {
            output.start[output.count] = UInt8(truncatingIfNeeded: rest.head.smallValue)
            output.count &+= 1
            rest = rest.tail
        }
        work &+= count >> 3
    }

    private mutating func map(_ term: Term) {
        let size = term.mapSize
        output.append(ExternalTag.map)
        output.append32(size)
        guard size > 0 else { return }
        if term.isFlatMap {
            let object = term.pointer
            let keys = Term(raw: object[2]).pointer + 1
            frames.push(Frame(kind: .flatMap, next: keys, other: object + 3, left: 2 * size))
            return
        }
        let pairs = externalPairs(term, isDeterministic: options.isDeterministic)
        frames.push(Frame(kind: .slots, next: pairs, other: pairs, left: 2 * size))
    }

    private mutating func bitstring(_ term: Term) {
        let bits = Bits(term)
        let count = bits.byteCount
        guard pace.allows(work &+ count >> 6) else { return }
        output.reserve(count + 6)
        output.append(bits.isWholeBytes ? ExternalTag.binary : ExternalTag.bitBinary)
        output.append32(count)
        if !bits.isWholeBytes { output.append(UInt8(bits.size & 7)) }
        if count > 0 {
            output.start[output.count + count - 1] = 0
            copyManyBits(bits.base, bits.offset, output.start + output.count, 0, bits.size)
            output.count += count
        }
        work &+= count >> 6
    }

    private mutating func fun(_ term: Term) {
        if term.funIsExternal {
            let export = term.funExport
            output.append(ExternalTag.export)
            atom(export.pointee.module)
            atom(export.pointee.name)
            return integer(Int(export.pointee.arity))
        }
        let entry = term.funEntry
        output.append(ExternalTag.newFun)
        let start = output.count
        output.append32(0)
        output.append(UInt8(truncatingIfNeeded: term.funArity))
        withUnsafePointer(to: &entry.pointee.uniq) { uniq in
            uniq.withMemoryRebound(to: UInt8.self, capacity: 16) { output.append($0, count: 16) }
        }
        output.append32(Int(entry.pointee.index))
        output.append32(term.funFreeCount)
        atom(entry.pointee.module)
        integer(Int(entry.pointee.index))
        integer(Int(entry.pointee.oldUniq))
        pid(term.funCreator.isPid ? term.funCreator : .localPid(0))
        frames.push(Frame(kind: .funSize, next: term.pointer, other: nil, left: start))
        if term.funFreeCount > 0 {
            frames.push(
                Frame(kind: .slots, next: term.pointer + Layout.funWords, other: nil, left: term.funFreeCount))
        }
    }

    // MARK: Identities

    private mutating func pid(_ term: Term) {
        let numbers = term.pidNumbers
        output.append(ExternalTag.newPid)
        atom(term.node.pointee.name)
        output.append32(Int(numbers.number))
        output.append32(Int(numbers.serial))
        output.append32(Int(term.node.pointee.creation))
    }

    private mutating func port(_ term: Term) {
        let number = term.portNumber
        let isWide = number >= 1 << 28
        output.append(isWide ? ExternalTag.version4Port : ExternalTag.newPort)
        atom(term.node.pointee.name)
        if isWide { output.append64(number) } else { output.append32(Int(number)) }
        output.append32(Int(term.node.pointee.creation))
    }

    private mutating func reference(_ term: Term) {
        let (count, words) = term.referenceWords
        output.append(ExternalTag.newerReference)
        output.append16(count)
        atom(term.node.pointee.name)
        output.append32(Int(term.node.pointee.creation))
        withUnsafePointer(to: words) { tuple in
            tuple.withMemoryRebound(to: UInt32.self, capacity: 5) { source in
                for index in 0..<count { output.append32(Int(source[index])) }
            }
        }
    }
}
