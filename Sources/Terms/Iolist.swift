// Iolist.swift: I/O lists. One is `[]`, a binary, or a list of bytes, binaries and I/O lists, whose tail may also be a
// binary. In a bit-string list the binaries may be any bit strings. Everything here walks with an explicit stack.

public import CMachine

/// Size of an I/O list, or why it has none.
@frozen public enum IolistSize {
    case bits(Int)
    /// Not an I/O list.
    case invalid
    /// More than a word counts.
    case tooLarge
}

/// Bits in an I/O list or a binary. `cells` counts the work, in list cells and binaries.
public func iolistBits(_ term: Term, allowsBitstrings: Bool, cells: inout Int) -> IolistSize {
    var pace = Pace.endless
    return iolistBits(term, allowsBitstrings: allowsBitstrings, cells: &cells, pace: &pace)
}

/// The same at a pace: `invalid` if that stopped it.
public func iolistBits(_ term: Term, allowsBitstrings: Bool, cells: inout Int, pace: inout Pace) -> IolistSize {
    var stack = TermStack()
    defer { stack.release() }
    var bits = 0
    var current = term
    var steps = 0
    defer { cells &+= steps }
    while true {
        while current.isCons {
            steps &+= 1
            guard pace.goesOn(steps) else { return .invalid }
            let head = current.head
            if head.isSmall {
                guard head.raw &>> 4 < 256 else { return .invalid }
                bits &+= 8
            } else if head.isCons {
                stack.push(current.tail)
                current = head
                continue
            } else if head.isBitstring {
                guard add(head, &bits) else { return .tooLarge }
                guard allowsBitstrings || head.isBinary else { return .invalid }
            } else if !head.isNil {
                return .invalid
            }
            current = current.tail
        }
        if current.isBitstring {
            guard add(current, &bits) else { return .tooLarge }
            guard allowsBitstrings || current.isBinary else { return .invalid }
        } else if !current.isNil {
            return .invalid
        }
        if stack.isEmpty { return .bits(bits) }
        current = stack.pop()
    }
}

@inline(__always) private func add(_ term: Term, _ bits: inout Int) -> Bool {
    let (sum, overflow) = bits.addingReportingOverflow(term.bitCount)
    bits = sum
    return !overflow && sum <= Int.max - 64
}

/// Bytes in an I/O list or a binary; nil if `term` is neither.
public func iolistByteCount(_ term: Term) -> Int? {
    var cells = 0
    guard case .bits(let bits) = iolistBits(term, allowsBitstrings: false, cells: &cells) else { return nil }
    return bits >> 3
}

/// Writes the bits of an I/O list from bit 0 of `target` on. Requires: `iolistBits` gave a size, `target` has room. Pauses
/// on a fiber.
public func copyIolist(_ term: Term, to target: Bytes) {
    var stack = TermStack()
    defer { stack.release() }
    var position = 0
    var current = term
    var steps = 0
    while true {
        while current.isCons {
            steps &+= 1
            if steps & 2047 == 0, !vm_breathe(128) { return }
            let head = current.head
            if head.isSmall {
                let byte = head.raw &>> 4
                if position & 7 == 0 {
                    target[position &>> 3] = UInt8(truncatingIfNeeded: byte)
                } else {
                    writeBits(target, position, 8, byte)
                }
                position &+= 8
            } else if head.isCons {
                stack.push(current.tail)
                current = head
                continue
            } else if !head.isNil {
                put(head, target, &position)
            }
            current = current.tail
        }
        if !current.isNil { put(current, target, &position) }
        if stack.isEmpty { return }
        current = stack.pop()
    }
}

@inline(__always) private func put(_ term: Term, _ target: Bytes, _ position: inout Int) {
    let bits = Bits(term)
    copyManyBits(bits.base, bits.offset, target, position, bits.size)
    position &+= bits.size
}

/// The bytes of an I/O list in one piece: those of the term itself if it is a binary, else a copy. Nil if `term` is no
/// I/O list. The caller releases the view, and uses it before the heap is collected.
public func iolistBytes(_ term: Term) -> ByteView? {
    if term.isBitstring { return ByteView(term) }
    guard let count = iolistByteCount(term) else { return nil }
    let view = ByteView(allocating: count)
    copyIolist(term, to: view.start)
    return view
}

/// Calls `body` for every run of bytes of an I/O list in order; false if `term` is no I/O list (then some runs may
/// have been seen), or `body` said so. Bytes in lists are gathered into runs of up to 512.
public func forEachRun(ofIolist term: Term, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 512) { buffer in
        var stack = TermStack()
        defer { stack.release() }
        var gathered = 0
        func flush() -> Bool {
            let count = gathered
            gathered = 0
            return count == 0 || body(UnsafeBufferPointer(rebasing: buffer[0..<count]))
        }
        func visit(_ term: Term) -> Bool {
            guard flush(), let view = ByteView(term) else { return false }
            defer { view.release() }
            return body(view.buffer)
        }
        var current = term
        while true {
            while current.isCons {
                let head = current.head
                if head.isSmall {
                    guard head.raw &>> 4 < 256 else { return false }
                    if gathered == 512, !flush() { return false }
                    buffer[gathered] = UInt8(truncatingIfNeeded: head.raw &>> 4)
                    gathered &+= 1
                } else if head.isCons {
                    stack.push(current.tail)
                    current = head
                    continue
                } else if !head.isNil {
                    guard visit(head) else { return false }
                }
                current = current.tail
            }
            if !current.isNil {
                guard visit(current) else { return false }
            }
            if stack.isEmpty { break }
            current = stack.pop()
        }
        return flush()
    }
}

extension UnsafeMutablePointer where Pointee == Heap {
    /// The binary (or bit string) with the bits of an I/O list of `bits` bits.
    public func makeBinary(ofIolist term: Term, bits: Int) -> Term {
        let (result, bytes) = makeBitstring(bits)
        copyIolist(term, to: bytes)
        return result
    }
}
