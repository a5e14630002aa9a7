// Registers.swift: what a handler's fast path sees: the machine registers by reference (they are locals of the C
// handler and become machine registers once inlined) and the operands behind pc.
//
// Operand words: an x register is its byte offset from the Context, a y register its byte offset from e plus 4; both
// have low bits 00 as no term has. Up to four registers of fixed kind are packed as 16-bit offsets in word 1.

public import CMachine
import Terms

/// Byte offset of x(0) in the Context, and of float register 0.
@inline(__always) public var xBase: Int { MemoryLayout<Context>.size }
@inline(__always) public var floatBase: Int { xBase &+ Int(xRegisterCount) &* 8 }

/// Byte offset of the builder that bs_put_... instructions write through.
@inline(__always) var builderBase: Int { floatBase &+ Int(floatRegisterCount) &* 8 }

struct Registers {
    let c: Ref<Context>
    let pc: Ref<CodePointer>
    let e: Ref<Words>
    let hp: Ref<Words>
    let reductions: Ref<Int64>

    // MARK: Operands

    /// Operand word `i` (the handler is word 0).
    @inline(__always) func word(_ i: Int) -> UInt64 { pc.pointee[i] }
    @inline(__always) func int(_ i: Int) -> Int { Int(truncatingIfNeeded: pc.pointee[i]) }
    /// Packed 16-bit register offset `k` of word 1.
    @inline(__always) func packed(_ k: Int) -> Int { Int(truncatingIfNeeded: (pc.pointee[1] &>> UInt64(16 &* k)) & 0xFFFF) }

    @inline(__always) func x(_ offset: Int) -> Term {
        Term(raw: UnsafeRawPointer(c).load(fromByteOffset: offset, as: UInt64.self))
    }
    @inline(__always) func y(_ offset: Int) -> Term {
        Term(raw: UnsafeRawPointer(e.pointee).load(fromByteOffset: offset, as: UInt64.self))
    }
    @inline(__always) func setX(_ offset: Int, _ term: Term) {
        UnsafeMutableRawPointer(c).storeBytes(of: term.raw, toByteOffset: offset, as: UInt64.self)
    }
    @inline(__always) func setY(_ offset: Int, _ term: Term) {
        UnsafeMutableRawPointer(e.pointee).storeBytes(of: term.raw, toByteOffset: offset, as: UInt64.self)
    }

    /// The register word's slot.
    @inline(__always) private func slot(_ word: UInt64) -> UnsafeMutableRawPointer {
        let base = word & 4 == 0 ? UnsafeMutableRawPointer(c) : UnsafeMutableRawPointer(e.pointee) - 4
        return base + Int(truncatingIfNeeded: word)
    }
    /// Value of a source operand word: a constant, or the register it names.
    @inline(__always) func source(_ word: UInt64) -> Term {
        if word & 3 != 0 { return Term(raw: word) }
        return Term(raw: slot(word).load(as: UInt64.self))
    }
    @inline(__always) func store(_ word: UInt64, _ term: Term) {
        slot(word).storeBytes(of: term.raw, as: UInt64.self)
    }
    @inline(__always) func float(_ i: Int) -> Double {
        UnsafeRawPointer(c).load(fromByteOffset: int(i), as: Double.self)
    }
    @inline(__always) func setFloat(_ i: Int, _ value: Double) {
        UnsafeMutableRawPointer(c).storeBytes(of: value, toByteOffset: int(i), as: Double.self)
    }

    // MARK: Control

    @inline(__always) func next(_ words: Int) { pc.pointee += words }
    @inline(__always) func jump(_ i: Int) { pc.pointee = codePointer(word(i)) }
    @inline(__always) func branch(_ condition: Bool, _ words: Int, fail i: Int) {
        if condition { next(words) } else { jump(i) }
    }

    /// Free words between heap and stack, less the reserve, cover `bytes`?
    @inline(__always) func hasRoom(_ bytes: Int) -> Bool {
        UnsafeRawPointer(e.pointee) - UnsafeRawPointer(hp.pointee) >= bytes &+ Int(stackReserve) &* 8
    }

    /// Takes heap words that an earlier heap test reserved.
    @inline(__always) func take(_ words: Int) -> Words {
        let object = hp.pointee
        hp.pointee = object + words
        return object
    }
}

@inline(__always) func codePointer(_ word: UInt64) -> CodePointer {
    CodePointer(bitPattern: UInt(word)).unsafelyUnwrapped
}

/// Slow paths: the machine registers are stored in the process, see VM_SAVE in Dispatch.h.
extension UnsafeMutablePointer where Pointee == Context {
    @inlinable var process: Ref<Process> { pointee.process }

    /// The x registers as an array of terms.
    var x: Ref<Term> { UnsafeMutableRawPointer(self).advanced(by: xBase).assumingMemoryBound(to: Term.self) }

    private func slot(_ word: UInt64) -> UnsafeMutableRawPointer {
        let base = word & 4 == 0 ? UnsafeMutableRawPointer(self) : UnsafeMutableRawPointer(pointee.process.pointee.stackTop) - 4
        return base + Int(truncatingIfNeeded: word)
    }
    func source(_ word: UInt64) -> Term {
        word & 3 != 0 ? Term(raw: word) : Term(raw: slot(word).load(as: UInt64.self))
    }
    func store(_ word: UInt64, _ term: Term) { slot(word).storeBytes(of: term.raw, as: UInt64.self) }
    func float(_ offset: UInt64) -> Double {
        UnsafeRawPointer(self).load(fromByteOffset: Int(offset), as: Double.self)
    }
    func setFloat(_ offset: UInt64, _ value: Double) {
        UnsafeMutableRawPointer(self).storeBytes(of: value, toByteOffset: Int(offset), as: Double.self)
    }

    var heap: Ref<Heap> { pointee.process.heap }
    /// The stack pointer.
    var e: Words {
        get { pointee.process.pointee.stackTop }
        nonmutating set {
            pointee.process.pointee.stackTop = newValue
            pointee.process.pointee.heap.limit = newValue - Int(stackReserve)
        }
    }
    /// Term in the y register at byte offset `offset`.
    func y(_ offset: Int) -> Term { Term(raw: UnsafeRawPointer(e).load(fromByteOffset: offset, as: UInt64.self)) }
    func setY(_ offset: Int, _ term: Term) {
        UnsafeMutableRawPointer(e).storeBytes(of: term.raw, toByteOffset: offset, as: UInt64.self)
    }

    /// Requires: at least one word of the reserve is free.
    func pushReturn(_ address: CodePointer) {
        e -= 1
        e[0] = UInt64(UInt(bitPattern: address))
    }
    func popReturn() -> CodePointer {
        let address = codePointer(e[0])
        e += 1
        return address
    }
}

/// Packed register offset `k` of word 1 at `pc`.
func packed(_ pc: CodePointer, _ k: Int) -> Int { Int(truncatingIfNeeded: (pc[1] >> UInt64(16 * k)) & 0xFFFF) }
