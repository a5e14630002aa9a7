// DumpTerms.swift: terms in a crash dump. Immediates are written in place, everything else by its address, with a line
// for each object: `ADDRESS:` and its contents. crashdump_viewer puts them together again.

import CMachine
import Terms

/// Writes objects of one process (or the literals) and everything they reach, each once.
final class DumpTerms {
    private let output: DumpOutput
    /// Objects in literal areas belong to all; they come at the end of the dump.
    private let isForLiterals: Bool
    private var seen: Set<UInt64> = []
    private var work: [Term] = []
    private(set) var literals: [Term] = []
    private(set) var binaries: Set<UInt> = []
    /// Addresses for objects of the dump that are none in memory (pairs of big maps).
    private var invented: UInt64 = 1 << 60

    init(_ output: DumpOutput, isForLiterals: Bool = false) {
        self.output = output
        self.isForLiterals = isForLiterals
    }

    /// A root: will be written by `writeObjects` if it is an object.
    func add(_ term: Term) {
        guard !term.isImmediate, !term.isHeader, seen.insert(UInt64(UInt(bitPattern: term.pointer))).inserted else { return }
        if !isForLiterals, isLiteral(term.pointer) {
            literals.append(term)
        } else {
            work.append(term)
        }
    }

    /// The term where another one holds it.
    static func reference(_ term: Term) -> String {
        if term.isSmall { return "I\(term.smallValue)" }
        if term.isNil { return "N" }
        if term.isLocalPid { return "P" + printed(term) }
        if term.isLocalPort { return "p" + printed(term).dropFirst("#Port".count) }
        if term.isAtom {
            let text = term.atomText
            return "A\(hexadecimal(UInt64(text.utf8.count))):\(text)"
        }
        if term.isCons || term.isBoxed { return "H" + hexadecimal(UInt64(UInt(bitPattern: term.pointer))) }
        return "N"
    }

    private func held(_ term: Term) -> String {
        add(term)
        return Self.reference(term)
    }

    func writeObjects() {
        while let term = work.popLast(), !output.isFull {
            let position = hexadecimal(UInt64(UInt(bitPattern: term.pointer)))
            if term.isCons {
                output.line("\(position):l\(held(term.head))|\(held(term.tail))")
            } else if let text = object(term) {
                output.line("\(position):\(text)")
            }
        }
    }

    private func object(_ term: Term) -> String? {
        let object = term.pointer
        switch term.subtag {
        case Subtag.tuple:
            let elements = (0..<term.tupleSize).map { held(term.element($0)) }
            return "t\(hexadecimal(UInt64(elements.count))):" + elements.joined(separator: ",")
        case Subtag.float:
            let text = printed(term)
            return "F\(hexadecimal(UInt64(text.utf8.count))):\(text)"
        case Subtag.positiveBig, Subtag.negativeBig: return "B" + printed(term)
        case Subtag.heapBinary:
            let bytes = UnsafeRawBufferPointer(start: object + 2, count: Int(object[1]))
            return "Yh\(hexadecimal(object[1])):\(base64(bytes))"
        case Subtag.refcBinary: return sharedBinary(object)
        case Subtag.subBinary where object[3] & 0xFFFF == 0:
            let whole = Term(raw: object[4])
            add(whole)
            let position = hexadecimal(UInt64(UInt(bitPattern: whole.pointer)))
            return "Ys\(position):\(hexadecimal(object[2])):\(hexadecimal(object[1]))"
        case Subtag.map: return map(term)
        case Subtag.matchContext:
            let whole = Term(raw: object[1])
            add(whole)
            return "Ys\(hexadecimal(UInt64(UInt(bitPattern: whole.pointer)))):0:0"
        default:
            var cost = 0
            let external = encodeExternal(term, work: &cost)
            return "E\(hexadecimal(UInt64(external.count))):\(base64(UnsafeRawBufferPointer(external.bytes)))"
        }
    }

    private func sharedBinary(_ object: Words) -> String {
        let binary = UInt(object[3])
        binaries.insert(binary)
        let first = UInt64(binary) + UInt64(MemoryLayout<Binary>.size)
        return "Yc\(hexadecimal(object[3])):\(hexadecimal(object[4] - first)):\(hexadecimal(object[1]))"
    }

    /// Big maps are written flat: one node of pairs.
    private func map(_ term: Term) -> String {
        if Header.mapKind(term.header) == MapKind.flat {
            let size = Int(term.pointer[1])
            let values = (0..<size).map { held(Term(raw: term.flatValues[$0])) }
            return "Mf\(hexadecimal(UInt64(size))):\(held(Term(raw: term.pointer[2]))):" + values.joined(separator: ",")
        }
        var pairs: [String] = []
        var iterator = MapIterator(term)
        while let (key, value) = iterator.next() {
            invented += 16
            output.line("\(hexadecimal(invented)):l\(held(key))|\(held(value))")
            pairs.append("H" + hexadecimal(invented))
        }
        let count = hexadecimal(UInt64(pairs.count))
        return "Mh\(count):\(count):" + pairs.joined(separator: ",")
    }

    /// The shared binaries that were named, each a section of its own.
    static func writeBinaries(_ binaries: Set<UInt>, _ output: DumpOutput) {
        for position in binaries.sorted() {
            guard !output.isFull, let binary = Ref<Binary>(bitPattern: position) else { return }
            let bytes = UnsafeRawBufferPointer(start: binary.bytes, count: Int(binary.pointee.capacity))
            output.line("=binary:\(hexadecimal(UInt64(position)))")
            output.line("\(hexadecimal(binary.pointee.capacity)):\(base64(bytes))")
        }
    }
}

private func base64(_ bytes: UnsafeRawBufferPointer) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var result: [UInt8] = []
    result.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let count = min(3, bytes.count - start)
        var group = 0
        for offset in 0..<3 { group = group << 8 | (offset < count ? Int(bytes[start + offset]) : 0) }
        for position in 0..<4 {
            result.append(position <= count ? digits[group >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
        }
    }
    return String(decoding: result, as: UTF8.self)
}
