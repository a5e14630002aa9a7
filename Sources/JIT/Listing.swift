// Listing.swift: the instructions of a unit as text, one line each, so that a debug location can name an instruction by
// its line.

import CMachine
import Machine
import Terms

final class Listing: LineNumbers {
    private let bodies: [FunctionBody]
    private let reader: OperandReader
    private let name: String
    private let directory: String
    private var lineOf: [Ref<Function>: [Int: Int]] = [:]

    init(_ bodies: [FunctionBody], _ reader: OperandReader, name: String, directory: String) {
        self.bodies = bodies
        self.reader = reader
        self.name = name
        self.directory = directory
        var line = 1
        for body in bodies {
            var lines: [Int: Int] = [:]
            for instruction in body.instructions {
                line += 1
                lines[instruction.start] = line
            }
            lineOf[body.function] = lines
            line += 2
        }
    }

    func file(_ body: FunctionBody) -> (name: String, directory: String) { (name, directory) }
    func line(_ body: FunctionBody, _ word: Int) -> Int { lineOf[body.function]?[word] ?? 0 }

    /// `*` marks entry points, `:` labels. Behind `;` stand the source line, the size of the frame behind a call (in words),
    /// what the slow path has met, and what makes native code give up.
    func text(_ exits: [ExitSite]) -> String {
        var lines: [String] = []
        for body in bodies {
            lines.append(body.name)
            let points = Set(body.entryPoints)
            var notes: [Int: [String]] = [:]
            for (index, exit) in exits.enumerated() where exit.body === body {
                notes[exit.instruction.start, default: []].append("exit \(index): \(exit.reason)")
            }
            for instruction in body.instructions {
                let mark = points.contains(instruction.start) ? "*" : body.blockAt[instruction.start] != nil ? ":" : " "
                var line = "\(mark) w\(instruction.start)"
                while line.utf8.count < 8 { line += " " }
                line += reader.name(instruction.op)
                for (index, operand) in instruction.operands.enumerated() {
                    let role = reader.role(instruction.op, index)
                    if role != "location" { line += " " + text(operand, role) }
                }
                var comments: [String] = []
                if let place = SourcePlace(instruction.location) { comments.append("\(place.file):\(place.line)") }
                if FunctionBody.flow(instruction) == .call, let location = Self.location(instruction) {
                    comments.append("frame \(location.pointee.frame)")
                }
                if !instruction.seen.isEmpty {
                    comments.append("seen: " + instruction.seen.kinds().map(\.name).joined(separator: " and "))
                }
                comments += notes[instruction.start] ?? []
                if !comments.isEmpty {
                    while line.utf8.count < 56 { line += " " }
                    line += "; " + comments.joined(separator: ", ")
                }
                lines.append(line)
            }
            lines.append("")
        }
        return lines.joined(separator: "\n")
    }

    static func location(_ instruction: Instruction) -> UnsafePointer<Location>? {
        UnsafePointer(bitPattern: UInt(instruction.location))
    }

    private func text(_ operand: Operand, _ role: Substring) -> String {
        switch operand {
        case .x(let number): "x\(number)"
        case .y(let number): "y\(number)"
        case .constant(let word): Self.oneLine(printed(Term(raw: word), limit: 60))
        case .label(let word): "->w\(word)"
        case .raising: "raise"
        case .raw(let word): text(word, role)
        case .live(let count): "live=\(count)"
        }
    }

    /// What symbol `kN` of the IR stands for.
    static func text(_ constant: Constant) -> String {
        switch constant {
        case .word(let function, let index): "\(JIT.name(function)) w\(index)"
        case .catchTag(let function, let index): "catch \(JIT.name(function)) w\(index)"
        case .function(let function): JIT.name(function)
        case .export(let export):
            "\(export.pointee.module.atomText):\(export.pointee.name.atomText)/\(export.pointee.arity)"
        case .funEntry(let entry): "fun \(entry.pointee.module.atomText)#\(entry.pointee.index)/\(entry.pointee.arity)"
        case .term(let raw): oneLine(printed(Term(raw: raw), limit: 60))
        case .string: "text"
        case .helper(let helper): "run-time \(helper)"
        case .handler(let op): "interpreter's \(op)"
        case .slowHandler(let op): "interpreter's slow half of \(op)"
        case .slowFunction(let op): "slow function of \(op)"
        case .unit: "number of the unit"
        case .counter: "count of calls"
        }
    }

    private func text(_ word: UInt64, _ role: Substring) -> String {
        switch role {
        case "function":
            let f = UnsafePointer<Function>(bitPattern: UInt(word))!.pointee
            return "\(f.name.atomText)/\(f.arity)"
        case "export":
            let export = UnsafePointer<Export>(bitPattern: UInt(word))!.pointee
            return "\(export.module.atomText):\(export.name.atomText)/\(export.arity)"
        case "target" where word == 0: return "?"
        case "target" where word == FunTarget.several: return "several"
        case "bytes", "heapBytes": return "\(word / 8)w"
        case "entry", "target":
            // What was called may be gone.
            var text = "?"
            FunEntries.forEach { entry in
                guard UInt64(UInt(bitPattern: entry)) == word else { return }
                text = "fun \(entry.pointee.module.atomText)#\(entry.pointee.index)/\(entry.pointee.arity)"
            }
            return text
        default:
            // Small numbers are counts, large ones mostly addresses.
            return word < 1 << 16 ? "\(word)" : "0x" + String(word, radix: 16)
        }
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    }
}
