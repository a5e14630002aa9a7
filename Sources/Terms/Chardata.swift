// Chardata.swift: character data to UTF-8. Character data is `[]`, a binary (UTF-8 or Latin-1), or a list of code
// points, binaries and such lists, whose tail may be a binary.
//
// A character may be spread over several binaries of the list. What cannot be converted is given back the way BEAM
// does it: the rest of the innermost list first, and around it, level by level, `[Rest | tail of the outer list]`.

public import CMachine

/// Result of a conversion. `rest` is what was not converted.
@frozen public enum ChardataEnd {
    case complete
    case incomplete(rest: Term)
    case invalid(rest: Term)
}

/// Bytes that `convertChardata` may write, or nil for what is no character data at all. Stops at a big integer, which
/// the conversion refuses.
public func chardataNeed(_ term: Term, isLatin1: Bool, cells: inout Int, pace: inout Pace) -> Int? {
    var stack = TermStack()
    defer { stack.release() }
    var need = 0
    var current = term
    var steps = 0
    defer { cells &+= steps }
    func addBinary(_ binary: Term) -> Bool {
        guard binary.isBinary else { return false }
        let size = binary.byteCount
        need &+= isLatin1 ? size &* 2 : size
        return need < 1 << 50
    }
    while true {
        while current.isCons {
            steps &+= 1
            guard pace.goesOn(steps) else { return nil }
            let head = current.head
            if head.isSmall {
                need &+= utf8Size(head)
            } else if head.isCons {
                stack.push(current.tail)
                current = head
                continue
            } else if head.isBig {
                return need
            } else if !head.isNil {
                guard addBinary(head) else { return nil }
            }
            current = current.tail
        }
        if !current.isNil {
            guard addBinary(current) else { return nil }
        }
        if stack.isEmpty { return need }
        current = stack.pop()
    }
}

/// Writes character data as UTF-8 to `target`. Requires: `chardataNeed` gave a size and `target` has that room.
public func convertChardata(
    _ heap: Ref<Heap>, _ term: Term, isLatin1: Bool, target: Bytes
) -> (end: ChardataEnd, count: Int, characters: Int) {
    var conversion = ChardataConversion(heap, target, isLatin1: isLatin1)
    let end = conversion.run(term)
    return (end, conversion.count, conversion.characters)
}

private struct ChardataConversion {
    let heap: Ref<Heap>
    let target: Bytes
    let isLatin1: Bool
    var count = 0
    var characters = 0
    /// First bytes of a character whose others were not seen yet: `pendingCount` of them, the first one highest.
    private var pending: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var pendingCount = 0
    private var stack = TermStack()

    init(_ heap: Ref<Heap>, _ target: Bytes, isLatin1: Bool) {
        self.heap = heap
        self.target = target
        self.isLatin1 = isLatin1
    }

    mutating func run(_ term: Term) -> ChardataEnd {
        defer { stack.release() }
        var current = term
        var steps = 0
        while true {
            while current.isCons {
                steps &+= 1
                if steps & 1023 == 0, !vm_breathe(64) { return .complete }
                let head = current.head
                if head.isCons {
                    stack.push(current.tail)
                    current = head
                    continue
                }
                if head.isSmall {
                    guard put(head.smallValue) else { return failure(current) }
                } else if head.isBitstring {
                    if let rest = put(binary: head) { return failure(heap.cons(rest, current.tail)) }
                } else if !head.isNil {
                    return failure(current)
                }
                current = current.tail
            }
            if current.isBitstring, let rest = put(binary: current) { return failure(rest) }
            if stack.isEmpty { break }
            current = stack.pop()
        }
        guard pendingCount > 0 else { return .complete }
        let rest = pendingBinary()
        let length = pendingCount
        return withPending { canBecomeCharacter($0, count: length) } ? .incomplete(rest: rest) : .invalid(rest: rest)
    }

    /// The rest of the input, from the place of the error outwards.
    private mutating func failure(_ place: Term) -> ChardataEnd {
        var rest = place
        while !stack.isEmpty { rest = heap.cons(rest, stack.pop()) }
        if pendingCount > 0 { rest = heap.cons(pendingBinary(), heap.cons(rest, .nil)) }
        return .invalid(rest: rest)
    }

    private mutating func withPending<Result>(_ body: (Bytes) -> Result) -> Result {
        withUnsafeMutableBytes(of: &pending) { body($0.assumingMemoryBound(to: UInt8.self).baseAddress!) }
    }

    private mutating func pendingBinary() -> Term {
        let (term, bytes) = heap.makeBinary(pendingCount)
        let length = pendingCount
        withPending { bytes.update(from: $0, count: length) }
        return term
    }

    private mutating func put(_ value: Int) -> Bool {
        guard pendingCount == 0, isCodePoint(value), !isLatin1 || value < 256 else { return false }
        let (word, length) = encodeUtf8(value)
        for index in 0..<length {
            target[count &+ index] = UInt8(truncatingIfNeeded: word &>> UInt64((length &- 1 &- index) &* 8))
        }
        count &+= length
        characters &+= 1
        return true
    }

    /// Nil if the binary was taken, else the part of it from the error on.
    private mutating func put(binary: Term) -> Term? {
        let view = ByteView(wholeBytesOf: Bits(binary))
        defer { view.release() }
        if isLatin1 {
            count &+= copyLatin1(view.buffer, toUtf8: target + count)
            characters &+= view.count
            return nil
        }
        var start = 0
        if pendingCount > 0 {
            guard let taken = complete(view) else { return binary }
            start = taken
        }
        let rest = UnsafeBufferPointer(rebasing: view.buffer[start...])
        let scan = scanUtf8(rest)
        if scan.count > 0 {
            copyManyBits(rest.baseAddress!, 0, target + count, 0, scan.count << 3)
            count &+= scan.count
            characters &+= scan.characters
        }
        switch scan.end {
        case .valid: return nil
        case .truncated:
            pendingCount = rest.count - scan.count
            let length = pendingCount
            withPending { $0.update(from: rest.baseAddress! + scan.count, count: length) }
            return nil
        case .invalid:
            let from = start + scan.count
            return heap.subBinary(of: binary, bitOffset: from << 3, bitSize: (view.count - from) << 3)
        }
    }

    /// Takes the bytes that the pending character lacks from the start of `view`: how many those were, or nil if the
    /// character is wrong.
    private mutating func complete(_ view: ByteView) -> Int? {
        let had = pendingCount
        let taken = min(withPending { utf8Shape(lead: $0[0]) } - had, view.count)
        withPending { ($0 + had).update(from: view.start, count: taken) }
        let length = withPending { utf8Shape(lead: $0[0]) }
        guard had + taken == length else {
            pendingCount = had + taken
            return taken
        }
        guard withPending({ decodeUtf8($0, length) }) >= 0 else { return nil }
        let start = target + count
        withPending { start.update(from: $0, count: length) }
        count &+= length
        characters &+= 1
        pendingCount = 0
        return taken
    }
}
