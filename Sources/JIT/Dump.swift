// Dump.swift: what --jit-dump and enigma_jit:dump ask for. A unit becomes five files, NUMBER-NAME and
//
//     .beam        its instructions            .before.ll .after.ll   the IR, with lines of the .beam file
//     .s           assembly, with such lines   .unit                  facts about it, one in a line, words apart by tabs
//
// When the VM ends, `counts.tsv` tells how often each function was called and each exit taken, and where time went.

import CMachine
import Glibc
import Machine
import Terms

/// Somebody waits to see a function compiled. Under JIT.lock once it is in the queue.
final class DumpRequest: @unchecked Sendable {
    private(set) var files: [(kind: String, text: String)] = []
    private(set) var failure: String?
    /// Release store: 1 when the result is there.
    private var done: UInt64 = 0

    var isDone: Bool { vm_load_acquire(&done) == 1 }

    func finish(failure: String) {
        self.failure = failure
        vm_store_release(&done, 1)
    }

    func finish(_ dump: Dump?) {
        files = dump?.files ?? []
        vm_store_release(&done, 1)
    }
}

final class Dump {
    let lines: Listing
    /// Path without the kind; nil: the texts are kept in `files`.
    private let path: String?
    private(set) var files: [(kind: String, text: String)] = []
    private let bodies: [FunctionBody]

    static func start(_ options: JITOptions) {
        guard let directory = options.dumpDirectory else { return }
        mkdir(directory, 0o777)
        Sampler.start()
    }

    /// Nil: this unit is not wanted.
    init?(
        _ number: UInt64, _ bodies: [FunctionBody], _ request: Request, _ options: JITOptions, _ reader: OperandReader
    ) {
        let isAsked = request.dump != nil
        let isWanted = options.dumpFilter.map { filter in bodies.contains { $0.name == filter } } ?? true
        guard isAsked || (options.dumpDirectory != nil && isWanted) else { return nil }
        let safe = bodies[0].name.map { $0.isLetter || $0.isNumber || $0 == "_" ? String($0) : "-" }.joined()
        let name = "\(number)-\(safe.prefix(120))"
        let directory = isAsked ? "" : options.dumpDirectory!
        path = isAsked ? nil : "\(directory)/\(name)"
        self.bodies = bodies
        lines = Listing(bodies, reader, name: name + ".beam", directory: directory)
    }

    func write(_ kind: String, _ text: String) {
        guard let path else { return files.append((kind, text)) }
        Self.write(path + "." + kind, text)
    }

    private static func write(_ path: String, _ text: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    /// The rest, once the unit is compiled. `code`: what is in use now.
    func finish(_ unit: Unit, code: NativeUnit?) {
        write("beam", lines.text(unit.exits))
        let module = LoadedModule.of(bodies[0].function)
        var rows: [[String]] = [
            ["unit", "\(unit.number)"], ["name", bodies[0].name], ["module", module.name.atomText],
            ["source", SourcePlace.path(module)], ["speculates", "\(unit.speculates)"],
        ]
        if let code {
            rows += [["microseconds", "\(code.time / 1000)"], ["code", "\(code.codeBytes)"]]
        }
        for (index, body) in bodies.enumerated() {
            let bytes = code?.parts[index].codeBytes ?? 0
            rows.append(["function", "\(index)", body.name, "\(lines.line(body, body.entry))", "\(body.instructions.count)", "\(bytes)"])
            var seen: SourcePlace?
            for instruction in body.instructions {
                let line = lines.line(body, instruction.start)
                if let place = SourcePlace(instruction.location), place != seen {
                    rows.append(["line", "\(line)", place.file, "\(place.line)"])
                    seen = place
                }
                // The stack map of the return address: the y registers there.
                if FunctionBody.flow(instruction) == .call, let location = Listing.location(instruction) {
                    rows.append(["return", "\(line)", "w\(instruction.next)", "\(location.pointee.frame)"])
                }
            }
        }
        for (index, constant) in unit.constants.list.enumerated() {
            rows.append(["constant", "k\(index)", Listing.text(constant)])
        }
        for (index, exit) in unit.exits.enumerated() {
            rows.append(["exit", "\(index)", "\(lines.line(exit.body, exit.instruction.start))", exit.reason])
        }
        write("unit", rows.map { $0.joined(separator: "\t") + "\n" }.joined())
    }

    /// When the VM ends.
    static func writeCounts(_ options: JITOptions) {
        guard let directory = options.dumpDirectory else { return }
        var rows: [String] = []
        JIT.locked {
            for unit in JIT.units.values.sorted(by: { $0.number < $1.number }) {
                for (index, _) in unit.parts.enumerated() {
                    guard let count = unit.entryCounts?[index] else { continue }
                    rows.append("calls\t\(unit.number)\t\(index)\t\(count)\n")
                }
                for site in unit.exits.indices where unit.exitCounts[site] > 0 {
                    rows.append("exits\t\(unit.number)\t\(site)\t\(unit.exitCounts[site])\n")
                }
            }
            for (function, reason) in JIT.refused {
                rows.append("refused\t\(JIT.name(function))\t\(reason.replacing("\n", with: " ").replacing("\t", with: " "))\n")
            }
        }
        for module in Modules.allCurrent() {
            for index in 0..<module.functionCount {
                let function = module.functions + index
                let left = function.pointee.calls
                guard function.pointee.code != nil, left < JITHooks.threshold, left > 0 else { continue }
                rows.append("interpreted\t\(JIT.name(function))\t\(JITHooks.threshold - left)\n")
            }
        }
        write("\(directory)/counts.tsv", (rows + Sampler.rows()).joined())
    }
}
