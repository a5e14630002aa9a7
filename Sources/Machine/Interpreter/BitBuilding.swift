// BitBuilding.swift: the constructing half of the bit syntax: bs_create_bin of OTP 25, and the sequences of earlier
// compilers (bs_init..., then bs_put_...), which write through the process's current builder.

import CMachine
import Terms

extension UnsafeMutablePointer where Pointee == Context {
    /// Jumps to a label, or raises badarg or system_limit with the segment in the error_info.
    fileprivate func failConstruction(_ failure: BitFailure, _ fail: UInt64) -> CodePointer {
        guard fail & 1 == 1 else { return codePointer(fail) }
        let heap = heap
        let pairs = [Atoms.cause, failure.cause(heap), Atoms.module, Atoms.erl_erts_errors, Atoms.function, Atoms.format_bs_fail]
        let map = pairs.withUnsafeBufferPointer { heap.putAssoc(.emptyMap, pairs: $0.baseAddress!, count: 3) }
        let info = heap.cons(heap.tuple(Atoms.error_info, map), .nil)
        let trace = RawTrace.capture(
            process, class: ExceptionClass.error, bif: nil, location: locationOperand(fail), arguments: Atoms.true,
            info: info)
        return unwind(ExceptionClass.error, failure.error.reason, trace)
    }

    /// The builder between bs_init and the last bs_put.
    fileprivate var builder: UnsafeMutablePointer<BitBuilder> {
        UnsafeMutableRawPointer(self).advanced(by: builderBase).assumingMemoryBound(to: BitBuilder.self)
    }
}

/// `bs_create_bin j live words unit destination count (type segment unit flags value size)...`
func slow_bs_create_bin(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let count = Int(pc[6])
    let next = pc + 7 + 6 * count
    var failure = BitFailure()
    let result = withUnsafeTemporaryAllocation(of: BitSegment.self, capacity: max(count, 1)) { segments in
        for i in 0..<count {
            let words = pc + 7 + 6 * i
            let kind = BitSegmentKind(rawValue: UInt8(truncatingIfNeeded: words[0])).unsafelyUnwrapped
            segments.initializeElement(
                at: i,
                to: BitSegment(
                    kind: kind, flags: UInt8(truncatingIfNeeded: words[3]), number: UInt32(truncatingIfNeeded: words[1]),
                    unit: Int(words[2]), source: kind == .string ? .nil : c.source(words[4]), size: c.source(words[5]),
                    string: kind == .string ? UnsafePointer(bitPattern: UInt(words[4])) : nil))
        }
        return c.heap.createBitstring(segments.baseAddress!, count: count, failure: &failure)
    }
    guard !result.isNone else { return c.failConstruction(failure, pc[1]) }
    // The instruction also reserves heap words for what follows.
    return c.reserve(Int(pc[3]), result, to: pc[5], next, live: Int(pc[2]))
}

extension UnsafeMutablePointer where Pointee == Context {
    /// Stores `result` and makes sure that `words` heap words are free.
    fileprivate func reserve(
        _ words: Int, _ result: Term, to destination: UInt64, _ next: CodePointer, live: Int
    ) -> CodePointer {
        let heap = process.pointee.heap
        if heap.limit.unsafelyUnwrapped - heap.top.unsafelyUnwrapped >= words, !process.wantsCollection,
            pointee.stress == 0
        {
            store(destination, result)
            return next
        }
        return storeAndCollect(result, to: destination, need: words, next, live: live)
    }

    fileprivate func failBits(_ error: BitError, _ fail: UInt64) -> CodePointer { failOrRaise(error.reason, fail) }
}

// MARK: - Code of OTP 24 and before

/// `bs_init j size isBits words live destination`
func slow_bs_init(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let size = c.source(pc[2])
    let bits = fieldSize(size, unit: pc[3] == 1 ? 1 : 8)
    guard bits >= 0, bits <= Int.max - 8 else {
        return c.failOrRaise(size.isBig && !size.bigIsNegative || size.isSmall && size.smallValue > 0 ? Atoms.system_limit : Atoms.badarg, pc[1])
    }
    // What follows may not collect, so the words it needs are there first.
    guard c.reserveFirst(Int(pc[4]), live: Int(pc[5])) else { return c.leaveExiting() }
    let made = c.heap.makeBitstring(bits)
    c.builder.pointee = BitBuilder(base: made.bytes, position: 0, end: bits)
    c.store(pc[6], made.term)
    return pc + 7
}

extension UnsafeMutablePointer where Pointee == Context {
    fileprivate func reserveFirst(_ words: Int, live: Int) -> Bool {
        let heap = process.pointee.heap
        let free = heap.limit.unsafelyUnwrapped - heap.top.unsafelyUnwrapped
        return free >= words + 12 && !process.wantsCollection ? true : collect(need: words + 12, live: live)
    }
}

/// `bs_append j bits words live unit binary destination`
func slow_bs_append(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let bits = fieldSize(c.source(pc[2]), unit: 1)
    guard bits >= 0 else { return c.failBits(.size, pc[1]) }
    var extra = c.source(pc[6])
    let heap = c.process.pointee.heap
    if heap.limit.unsafelyUnwrapped - heap.top.unsafelyUnwrapped < Int(pc[3]) + 12 || c.process.wantsCollection {
        guard c.process.collect(need: Int(pc[3]) + 12, x: c.x, live: Int(pc[4]), extra: &extra) else {
            return c.leaveExiting()
        }
    }
    let (term, error) = c.heap.append(to: extra, bits: bits, unit: Int(pc[5]), builder: &c.builder.pointee)
    guard error == .none else { return c.failBits(error, pc[1]) }
    c.store(pc[7], term)
    return pc + 8
}

/// `bs_private_append j bits unit binary destination`
func slow_bs_private_append(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let bits = fieldSize(c.source(pc[2]), unit: Int(pc[3]))
    guard bits >= 0 else { return c.failBits(.size, pc[1]) }
    let (term, error) = c.heap.privateAppend(to: c.source(pc[4]), bits: bits, unit: 1, builder: &c.builder.pointee)
    guard error == .none else { return c.failBits(error, pc[1]) }
    c.store(pc[5], term)
    return pc + 6
}

/// `bs_put_integer j size unit flags source`
func slow_bs_put_integer(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let bits = fieldSize(c.source(pc[2]), unit: Int(pc[3]))
    guard bits >= 0 else { return c.failBits(.size, pc[1]) }
    let error = c.builder.pointee.putInteger(c.source(pc[5]), bits: bits, flags: Int(pc[4]))
    return error == .none ? pc + 6 : c.failBits(error, pc[1])
}

func slow_bs_put_float(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let bits = fieldSize(c.source(pc[2]), unit: Int(pc[3]))
    guard bits >= 0 else { return c.failBits(.size, pc[1]) }
    let error = c.builder.pointee.putFloat(c.source(pc[5]), bits: bits, flags: Int(pc[4]))
    return error == .none ? pc + 6 : c.failBits(error, pc[1])
}

/// `bs_put_binary j size unit source`
func slow_bs_put_binary(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let source = c.source(pc[4])
    let error: BitError
    if pc[2] == Atoms.all.raw {
        error = c.builder.pointee.putWhole(source, unit: Int(pc[3]))
    } else {
        let bits = fieldSize(c.source(pc[2]), unit: Int(pc[3]))
        error = bits < 0 ? .size : c.builder.pointee.putBitstring(source, bits: bits)
    }
    return error == .none ? pc + 5 : c.failBits(error, pc[1])
}

/// `bs_put_string bytes pointer`
func slow_bs_put_string(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    if let string = UnsafePointer<UInt8>(bitPattern: UInt(pc[2])) {
        _ = c.builder.pointee.putString(string, count: Int(pc[1]))
    }
    return pc + 3
}

/// `bs_put_utf8 j source`
func slow_bs_put_utf8(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let error = c.builder.pointee.putUtf8(c.source(pc[2]))
    return error == .none ? pc + 3 : c.failBits(error, pc[1])
}

func slow_bs_put_utf16(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let error = c.builder.pointee.putUtf16(c.source(pc[3]), flags: Int(pc[2]))
    return error == .none ? pc + 4 : c.failBits(error, pc[1])
}

func slow_bs_put_utf32(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let error = c.builder.pointee.putUtf32(c.source(pc[3]), flags: Int(pc[2]))
    return error == .none ? pc + 4 : c.failBits(error, pc[1])
}

/// `bs_utf8_size source destination`; of what is no character, 4: the put fails.
func slow_bs_utf8_size(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.store(pc[2], .small(utf8Size(c.source(pc[1]))))
    return pc + 3
}

func slow_bs_utf16_size(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.store(pc[2], .small(utf16Size(c.source(pc[1]))))
    return pc + 3
}

/// `bs_add j source source unit destination`: first + second * unit.
func slow_bs_add(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    let first = fieldSize(c.source(pc[2]), unit: 1)
    let second = fieldSize(c.source(pc[3]), unit: Int(pc[4]))
    guard first >= 0, second >= 0 else { return c.failOrRaise(Atoms.badarg, pc[1]) }
    let (sum, overflow) = first.addingReportingOverflow(second)
    guard !overflow, Term.fitsSmall(sum) else { return c.failOrRaise(Atoms.system_limit, pc[1]) }
    c.store(pc[5], .small(sum))
    return pc + 6
}

/// x(0): a size hint; becomes an empty binary to append to.
func slow_bs_init_writable(_ c: Ref<Context>, _ pc: CodePointer) -> CodePointer {
    c.x[0] = c.heap.initWritable(c.x[0])
    return c.afterAllocation(pc + 1, live: 1)
}
