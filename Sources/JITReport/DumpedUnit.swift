// DumpedUnit.swift: one unit of a dump: its facts, and its texts with the line of the listing that each line does.

struct DumpedUnit {
    struct Function {
        let name: String
        let line: Int
        let instructions: Int
        let bytes: Int
        var calls = 0
        var samples = 0
    }

    private(set) var number = 0
    private(set) var source = ""
    private(set) var functions: [Function] = []
    private(set) var lines: [(listing: Int, file: String, line: Int)] = []
    var exitCounts: [Int: Int] = [:]
    private var facts: [String: String] = [:]
    /// By number: what symbol kN stands for.
    private var constants: [String] = []
    private var returns: [(line: Int, word: String, frame: Int)] = []
    private var exits: [(line: Int, reason: String)] = []
    private let path: String

    init(_ path: String) {
        self.path = path
        for line in textOf(path + ".unit").split(separator: "\n") {
            let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            func number(_ index: Int) -> Int { index < words.count ? Int(words[index]) ?? 0 : 0 }
            func text(_ index: Int) -> String { index < words.count ? words[index] : "" }
            switch words[0] {
            case "unit": self.number = number(1)
            case "source": source = text(1)
            case "function":
                functions.append(Function(name: text(2), line: number(3), instructions: number(4), bytes: number(5)))
            case "line": lines.append((number(1), text(2), number(3)))
            case "return": returns.append((number(1), text(2), number(3)))
            case "constant": constants.append(text(2))
            case "exit": exits.append((number(2), text(3)))
            default: facts[words[0]] = text(1)
            }
        }
    }

    var calls: Int { functions.reduce(0) { $0 + $1.calls } }
    var samples: Int { functions.reduce(0) { $0 + $1.samples } }
    mutating func setCalls(_ index: Int, _ count: Int) { if functions.indices.contains(index) { functions[index].calls = count } }
    mutating func setSamples(_ index: Int, _ count: Int) {
        if functions.indices.contains(index) { functions[index].samples = count }
    }

    var json: String {
        func facts(_ key: String) -> String { "\(Int(self.facts[key] ?? "") ?? 0)" }
        return JSON.object([
            ("number", "\(number)"), ("us", facts("microseconds")), ("bytes", facts("code")),
            ("speculates", self.facts["speculates"] == "true" ? "true" : "false"),
            (
                "functions",
                JSON.list(
                    functions.map {
                        JSON.list([JSON.string($0.name), "\($0.line)", "\($0.instructions)", "\($0.bytes)", "\($0.calls)", "\($0.samples)"])
                    })
            ),
            ("lines", JSON.list(lines.map { JSON.list(["\($0.listing)", JSON.string($0.file), "\($0.line)"]) })),
            ("returns", JSON.list(returns.map { JSON.list(["\($0.line)", JSON.string($0.word), "\($0.frame)"]) })),
            (
                "exits",
                JSON.list(
                    exits.enumerated().map { JSON.list(["\($1.line)", JSON.string($1.reason), "\(exitCounts[$0] ?? 0)"]) })
            ),
            ("constants", JSON.list(constants.map(JSON.string))),
            ("beam", JSON.string(textOf(path + ".beam"))), ("before", Pane(ir: textOf(path + ".before.ll")).json),
            ("after", Pane(ir: textOf(path + ".after.ll")).json), ("asm", Pane(assembly: textOf(path + ".s")).json),
        ])
    }
}

/// Text whose lines each stand for a line of the listing, or for none (0).
struct Pane {
    private var text: [Substring] = []
    private var lines: [Int] = []

    var json: String {
        JSON.list([JSON.string(text.joined(separator: "\n")), JSON.list(lines.map(String.init))])
    }

    private mutating func add(_ line: Substring, _ number: Int) {
        text.append(line)
        lines.append(number)
    }

    /// IR as LLVM prints it: locations are metadata at its end, which is left out.
    init(ir: String) {
        let all = ir.split(separator: "\n", omittingEmptySubsequences: false)
        var lineOf: [Substring: Int] = [:]
        for line in all where line.hasPrefix("!") && line.contains("!DILocation(line: ") {
            lineOf[line.prefix { $0 != " " }] = Self.number(line, after: "line: ")
        }
        var isInside = false
        for line in all {
            if line.hasPrefix("define ") { isInside = true }
            guard isInside else { continue }
            if let mark = line.firstRange(of: ", !dbg ") {
                let rest = line[mark.upperBound...]
                add(line[..<mark.lowerBound], lineOf[rest.prefix { $0 == "!" || $0.isNumber }] ?? 0)
            } else {
                let end = line.firstRange(of: " !dbg ")?.lowerBound ?? line.endIndex
                // The comment behind a label is far to the right.
                let label = line.firstRange(of: ":  ").map { line[...$0.lowerBound] } ?? line
                add(line.hasPrefix("define ") ? line[..<end] + " {" : label, 0)
            }
            if line == "}" {
                isInside = false
                add("", 0)
            }
        }
    }

    /// Assembly without what only the assembler needs; `.loc` says which line the following instructions do.
    init(assembly: String) {
        var current = 0
        for line in assembly.split(separator: "\n", omittingEmptySubsequences: false) {
            let word = line.drop { $0 == "\t" || $0 == " " }
            if word.hasPrefix(".section"), word.contains(".debug") { break }
            if word.hasPrefix(".loc") {
                let words = word.split { $0 == " " || $0 == "\t" }
                current = words.count > 2 ? Int(words[2]) ?? 0 : 0
                continue
            }
            if word.isEmpty || word.hasPrefix("#") || word.hasPrefix(".Ltmp") || word.hasPrefix(".Lfunc") { continue }
            if word.hasPrefix(".") && !word.hasPrefix(".L") && !word.hasPrefix(".quad") && !word.hasPrefix(".long") { continue }
            let isLabel = line.first != "\t" && line.first != " "
            if isLabel, !line.hasPrefix(".L") {
                add("", 0)
                current = 0
            }
            // LLVM aligns its comments far to the right.
            if let comment = line.firstRange(of: " #") {
                let end = line[..<comment.lowerBound].lastIndex { $0 != " " } ?? line.startIndex
                add(line[...end] + "  " + line[comment.upperBound...].dropFirst(0).prefix(60), isLabel ? 0 : current)
            } else {
                add(line, isLabel ? 0 : current)
            }
        }
    }

    private static func number(_ line: Substring, after mark: String) -> Int {
        guard let range = line.firstRange(of: mark) else { return 0 }
        return Int(line[range.upperBound...].prefix { $0.isNumber }) ?? 0
    }
}
