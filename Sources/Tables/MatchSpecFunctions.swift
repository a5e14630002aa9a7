// MatchSpecFunctions.swift: the functions that guards and bodies of match specifications may call: OTP's guard tests
// and guard functions. They take their arguments from the stack and answer none where the real function would raise.

import CMachine
import Machine
import Terms

/// A guard function: its number in the instruction `call`.
enum GuardFunction {
    /// Number of the function, nil if there is none of that name and arity.
    static func find(_ name: Term, _ arity: Int) -> UInt64? {
        switch arity {
        case 0: return name == Atoms.node ? 0 : nil
        case 1: return findUnary(name)
        case 2: return findBinary(name)
        case 3: return name == Atoms.is_record ? 90 : name == Atoms.binary_part ? 91 : nil
        default: return nil
        }
    }

    private static func findUnary(_ name: Term) -> UInt64? {
        switch name {
        case Atoms.is_atom: 1
        case Atoms.is_float: 2
        case Atoms.is_integer: 3
        case Atoms.is_list: 4
        case Atoms.is_number: 5
        case Atoms.is_pid: 6
        case Atoms.is_port: 7
        case Atoms.is_reference: 8
        case Atoms.is_tuple: 9
        case Atoms.is_map: 10
        case Atoms.is_binary: 11
        case Atoms.is_function: 12
        case Atoms.abs: 13
        case Atoms.hd: 14
        case Atoms.length: 15
        case Atoms.node: 16
        case Atoms.round: 17
        case Atoms.size: 18
        case Atoms.map_size: 19
        case Atoms.bit_size: 20
        case Atoms.byte_size: 21
        case Atoms.tl: 22
        case Atoms.trunc: 23
        case Atoms.float: 24
        case Atoms.plus: 25
        case Atoms.minus: 26
        case Atoms.bnot: 27
        case Atoms.not: 28
        default: nil
        }
    }

    private static func findBinary(_ name: Term) -> UInt64? {
        switch name {
        case Atoms.element: 40
        case Atoms.map_get: 41
        case Atoms.is_map_key: 42
        case Atoms.binary_part: 43
        case Atoms.plus: 44
        case Atoms.minus: 45
        case Atoms.times: 46
        case Atoms.slash: 47
        case Atoms.div: 48
        case Atoms.rem: 49
        case Atoms.band: 50
        case Atoms.bor: 51
        case Atoms.bxor: 52
        case Atoms.bsl: 53
        case Atoms.bsr: 54
        case Atoms.greater: 55
        case Atoms.greaterEqual: 56
        case Atoms.less: 57
        case Atoms.lessEqual: 58
        case Atoms.equal: 59
        case Atoms.exactEqual: 60
        case Atoms.notEqual: 61
        case Atoms.exactNotEqual: 62
        case Atoms.xor: 63
        default: nil
        }
    }

    @inline(__always) private static func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

    /// Calls a function; `arguments` are in order.
    static func call(_ function: UInt64, _ arguments: UnsafePointer<UInt64>, _ heap: Ref<Heap>) -> Term {
        let a = function == 0 ? Term.nil : Term(raw: arguments[0])
        if function >= 40 {
            let b = Term(raw: arguments[1])
            switch function {
            case 55: return boolean(compareTerms(a, b) > 0)
            case 56: return boolean(compareTerms(a, b) >= 0)
            case 57: return boolean(compareTerms(a, b) < 0)
            case 58: return boolean(compareTerms(a, b) <= 0)
            case 59: return boolean(termsEqual(a, b))
            case 60: return boolean(termsIdentical(a, b))
            case 61: return boolean(!termsEqual(a, b))
            case 62: return boolean(!termsIdentical(a, b))
            case 90: return isRecord(a, b, Term(raw: arguments[2]))
            case 91: return binaryPart(a, b, Term(raw: arguments[2]), heap)
            default: return callBinary(function, a, b, heap)
            }
        }
        switch function {
        case 0: return Nodes.local.pointee.name
        case 1: return boolean(a.isAtom)
        case 2: return boolean(a.isFloat)
        case 3: return boolean(a.isInteger)
        case 4: return boolean(a.isList)
        case 5: return boolean(a.isNumber)
        case 6: return boolean(a.isPid)
        case 7: return boolean(a.isPort)
        case 8: return boolean(a.isReference)
        case 9: return boolean(a.isTuple)
        case 10: return boolean(a.isMap)
        case 11: return boolean(a.isBinary)
        case 12: return boolean(a.isFun)
        default: return callUnary(function, a, heap)
        }
    }

    private static func callUnary(_ function: UInt64, _ a: Term, _ heap: Ref<Heap>) -> Term {
        let result: Term
        switch function {
        case 13: result = absolute(heap, a)
        case 14: result = a.isCons ? a.head : .none
        case 15: result = listLength(a)
        case 16: result = nodeOf(a)
        case 17: result = round(heap, a)
        case 18: result = a.isTuple ? .small(a.tupleSize) : a.isBitstring ? .small(a.wholeByteCount) : .none
        case 19: result = a.isMap ? .small(a.mapSize) : .none
        case 20: result = a.isBitstring ? .small(a.bitCount) : .none
        case 21: result = a.isBitstring ? .small(a.byteCount) : .none
        case 22: result = a.isCons ? a.tail : .none
        case 23: result = truncate(heap, a)
        case 24: result = toFloat(heap, a)
        case 25: result = a.isNumber ? a : .none
        case 26: result = negate(heap, a)
        case 27: result = bitNot(heap, a)
        default: result = a == Atoms.true ? Atoms.false : a == Atoms.false ? Atoms.true : .none
        }
        return result.isFailure ? .none : result
    }

    private static func callBinary(_ function: UInt64, _ a: Term, _ b: Term, _ heap: Ref<Heap>) -> Term {
        let result: Term
        switch function {
        case 40:
            let isInside = a.isSmall && b.isTuple && a.smallValue >= 1 && a.smallValue <= b.tupleSize
            result = isInside ? b.element(a.smallValue - 1) : .none
        case 41: result = b.isMap ? mapGet(b, a) ?? .none : .none
        case 42: result = b.isMap ? boolean(mapGet(b, a) != nil) : .none
        case 43: result = b.isTuple(2) ? binaryPart(a, b.element(0), b.element(1), heap) : .none
        case 44: result = add(heap, a, b)
        case 45: result = subtract(heap, a, b)
        case 46: result = multiply(heap, a, b)
        case 47: result = divide(heap, a, b)
        case 48: result = intDivide(heap, a, b)
        case 49: result = remainder(heap, a, b)
        case 50: result = bitAnd(heap, a, b)
        case 51: result = bitOr(heap, a, b)
        case 52: result = bitXor(heap, a, b)
        case 53: result = shiftLeft(heap, a, b)
        case 54: result = shiftRight(heap, a, b)
        default:
            let areBooleans =
                (a == Atoms.true || a == Atoms.false) && (b == Atoms.true || b == Atoms.false)
            result = areBooleans ? boolean(a != b) : .none
        }
        return result.isFailure ? .none : result
    }

    private static func listLength(_ list: Term) -> Term {
        var count = 0
        var current = list
        while current.isCons {
            count += 1
            current = current.tail
        }
        return current.isNil ? .small(count) : .none
    }

    private static func nodeOf(_ term: Term) -> Term {
        if term.isLocalPid || term.isLocalPort { return Nodes.local.pointee.name }
        guard term.isBoxed else { return .none }
        switch term.subtag {
        case Subtag.reference, Subtag.magicReference: return Nodes.local.pointee.name
        case Subtag.externalPid, Subtag.externalPort, Subtag.externalReference:
            return term.externalNode.pointee.name
        default: return .none
        }
    }

    private static func isRecord(_ term: Term, _ tag: Term, _ size: Term) -> Term {
        guard tag.isAtom, size.isSmall else { return .none }
        return boolean(
            term.isTuple && term.tupleSize == size.smallValue && term.tupleSize >= 1 && term.element(0) == tag)
    }

    private static func binaryPart(_ binary: Term, _ start: Term, _ length: Term, _ heap: Ref<Heap>) -> Term {
        guard binary.isBitstring, start.isSmall, length.isSmall else { return .none }
        var first = start.smallValue
        var count = length.smallValue
        let size = binary.wholeByteCount
        guard first >= 0, first <= size, count <= size, count >= -size else { return .none }
        if count < 0 {
            first += count
            count = -count
        }
        guard first >= 0, first + count <= size else { return .none }
        return heap.subBinary(of: binary, bitOffset: first * 8, bitSize: count * 8)
    }
}
