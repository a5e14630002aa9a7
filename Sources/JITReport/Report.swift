// Report.swift: `enigma jit-report DIR [-o FILE] [-n UNITS]`: one HTML page without outside files from what --jit-dump
// DIR has written. Reads the dump, finds the sources, and puts all of it as JSON into the page (Page.swift).

import Glibc

/// Answers the exit code.
public func writeReport(_ arguments: [String]) -> Int32 {
    var directory: String?
    var output: String?
    var limit = 300
    var words = arguments[...]
    while let word = words.popFirst() {
        switch word {
        case "-o": output = words.popFirst()
        case "-n": limit = words.popFirst().flatMap { Int($0) } ?? limit
        default: directory = word
        }
    }
    guard let directory else {
        complain("usage: enigma jit-report DIR [-o FILE.html] [-n UNITS]")
        return 1
    }
    let report = Report(directory, limit: limit)
    guard !report.units.isEmpty else {
        complain("enigma: no dump in \(directory)")
        return 1
    }
    let path = output ?? "\(directory)/report.html"
    guard let file = fopen(path, "w") else {
        complain("enigma: cannot write \(path)")
        return 1
    }
    let parts = page.split(separator: "/*DATA*/", maxSplits: 1)
    fputs(String(parts[0]), file)
    fputs(report.json, file)
    fputs(String(parts[1]), file)
    fclose(file)
    print("\(path): \(min(limit, report.units.count)) of \(report.units.count) units")
    return 0
}

private func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = write(2, line, line.count)
}

struct Report {
    private(set) var units: [DumpedUnit] = []
    private var refused: [(name: String, reason: String)] = []
    private var interpreted: [(name: String, calls: Int)] = []
    /// Time samples: of native code by unit and function, of interpreted functions, of everything else by what it is.
    private var samples: [String: Int] = [:]
    private let limit: Int

    init(_ directory: String, limit: Int) {
        self.limit = limit
        for name in fileNames(directory) where name.hasSuffix(".unit") {
            units.append(DumpedUnit("\(directory)/\(name.dropLast(5))"))
        }
        readCounts("\(directory)/counts.tsv")
        units.sort { ($0.samples, $0.calls, $1.number) > ($1.samples, $1.calls, $0.number) }
    }

    private mutating func readCounts(_ path: String) {
        var indexOf: [Int: Int] = [:]
        for (index, unit) in units.enumerated() { indexOf[unit.number] = index }
        for line in textOf(path).split(separator: "\n") {
            let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard words.count >= 3 else { continue }
            let unit = Int(words[1]).flatMap { indexOf[$0] }
            let count = Int(words.last!) ?? 0
            switch words[0] {
            case "calls": if let unit { units[unit].setCalls(Int(words[2]) ?? 0, count) }
            case "exits": if let unit { units[unit].exitCounts[Int(words[2]) ?? 0] = count }
            case "time": if let unit { units[unit].setSamples(Int(words[2]) ?? 0, count) }
            case "elsewhere": samples[words[1]] = count
            case "refused": refused.append((words[1], words[2]))
            case "interpreted": interpreted.append((words[1], count))
            default: break
            }
        }
    }

    var json: String {
        let shown = Array(units.prefix(limit))
        var sources = Sources()
        for unit in shown { sources.add(unit) }
        let cold = interpreted.sorted { $0.calls > $1.calls }.prefix(2000)
        return JSON.object([
            ("units", JSON.list(shown.map(\.json))), ("sources", sources.json),
            ("refused", JSON.list(refused.map { JSON.list([JSON.string($0.name), JSON.string($0.reason)]) })),
            ("interpreted", JSON.list(cold.map { JSON.list([JSON.string($0.name), "\($0.calls)"]) })),
            ("samples", JSON.object(samples.map { ($0.key, "\($0.value)") })),
            ("total", "\(units.count)"),
        ])
    }
}

// MARK: - Sources

/// The texts of the source files that the units name, each once.
private struct Sources {
    private var texts: [String: String] = [:]

    mutating func add(_ unit: DumpedUnit) {
        for file in Set(unit.lines.map(\.file)) where texts[file] == nil { texts[file] = Self.find(file, unit.source) }
    }

    var json: String { JSON.object(texts.map { ($0.key, JSON.string($0.value)) }) }

    /// Where the compiler found it, here, or in an installed OTP.
    private static func find(_ file: String, _ source: String) -> String {
        let name = String(file.split(separator: "/").last ?? "")
        let folder = source.lastIndex(of: "/").map { String(source[..<$0]) } ?? "."
        var places = [file, "\(folder)/\(name)", name]
        let root = getenv("ENIGMA_OTP_ROOT").map { String(cString: $0) } ?? "/usr/lib/erlang"
        for application in fileNames("\(root)/lib") {
            let folder = "\(root)/lib/\(application)/src"
            places.append("\(folder)/\(name)")
            for sub in fileNames(folder) where !sub.contains(".") { places.append("\(folder)/\(sub)/\(name)") }
        }
        return places.lazy.map(textOf).first { !$0.isEmpty } ?? ""
    }
}

// MARK: - Files and JSON

func fileNames(_ directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}

func textOf(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

enum JSON {
    static func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }
    static func object(_ pairs: [(String, String)]) -> String {
        "{" + pairs.map { string($0.0) + ":" + $0.1 }.joined(separator: ",") + "}"
    }
    /// `<` is written as an escape, so that no text ends the script it stands in.
    static func string(_ text: String) -> String {
        var bytes: [UInt8] = [34]
        for byte in text.utf8 {
            switch byte {
            case 34, 92: bytes += [92, byte]
            case 10: bytes += Array("\\n".utf8)
            case 9: bytes += Array("\\t".utf8)
            case 60: bytes += Array("\\u003c".utf8)
            case 0..<32, 127: bytes += Array("\\u00".utf8) + (byte < 16 ? [48] : []) + Array(String(byte, radix: 16).utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(34)
        return String(decoding: bytes, as: UTF8.self)
    }
}
