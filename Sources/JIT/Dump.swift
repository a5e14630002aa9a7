// Dump.swift: writes what --jit-dump asks for: one file each for the instructions, the IR before and after
// optimisation and the assembly of a unit.

import Glibc

struct Dump {
    private let prefix: String

    /// Nil: this unit is not wanted.
    init?(_ unit: Unit, _ options: JITOptions) {
        guard let directory = options.dumpDirectory else { return nil }
        if let filter = options.dumpFilter, !unit.bodies.contains(where: { $0.name == filter }) { return nil }
        mkdir(directory, 0o777)
        let name = unit.bodies[0].name.map { $0.isLetter || $0.isNumber || $0 == "_" ? String($0) : "-" }.joined()
        prefix = "\(directory)/\(unit.number)-\(name)"
        write("beam", unit.bodies.map(Self.listing).joined(separator: "\n"))
    }

    func write(_ kind: String, _ text: String) {
        guard let file = fopen("\(prefix).\(kind)", "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    private static func listing(_ body: FunctionBody) -> String {
        var lines = ["\(body.name)"]
        let points = Set(body.entryPoints)
        for instruction in body.instructions {
            let mark = points.contains(instruction.start) ? "*" : body.blockAt[instruction.start] != nil ? ":" : " "
            lines.append("\(mark) w\(instruction.start)  \(instruction.op) \(instruction.operands.map(text).joined(separator: " "))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func text(_ operand: Operand) -> String {
        switch operand {
        case .x(let number): "x\(number)"
        case .y(let number): "y\(number)"
        case .constant(let word): "#" + String(word, radix: 16)
        case .label(let word): "->w\(word)"
        case .raising: "raise"
        case .raw(let word): String(word, radix: 16)
        case .live(let count): "live=\(count)"
        }
    }
}
