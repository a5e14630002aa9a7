// Coverage.swift: `enigma coverage [FOLDER]`: compares the native functions and generic instructions that this binary has
// with those of OTP 25 (FOLDER/natives.txt, opcodes.txt). Prints a line for each that is missing, then totals, and what
// the JIT refuses; exit code 1 if a total is below FOLDER/coverage.txt.

import BeamFile
import Bifs
import CMachine
import Glibc
import JIT
import Machine
import Ports
import Tables
import Terms

func printCoverage(_ folder: String) -> Int32 {
    bootMachine(bifsTable + tablesTable + portsTable + jitTable)
    let floors = rows(folder, "coverage.txt").reduce(into: [:]) { $0[$1[0]] = Int($1[1]) }
    guard !floors.isEmpty else {
        complain("enigma: no coverage.txt in \(folder)")
        return 1
    }
    var natives = Tally(kind: "native function")
    for row in rows(folder, "natives.txt") { natives.count(row[0], has: nativeNames.contains(row[0]), isNeeded: row[1] != "library") }
    var instructions = Tally(kind: "generic instruction")
    for row in rows(folder, "opcodes.txt") {
        let opcode = UInt8(row[0]).flatMap { Opcode(rawValue: $0) }
        let has = opcode.map { "\($0)" == row[1].prefix { $0 != "/" } && decoderAccepts($0) } ?? false
        instructions.count(row[1], has: has, isNeeded: row[2] == "current")
    }
    let isGood = [natives.report(floors["natives"]), instructions.report(floors["instructions"])].allSatisfy { $0 }
    reportCompiled()
    return isGood ? 0 : 1
}

/// What the JIT compiles: every threaded instruction, because what it does not do in line is the slow function's.
private func reportCompiled() {
    for refusal in Refusal.allCases { print("not compiled: functions refused with \"\(refusal.rawValue)\"") }
    let slow = Op.allCases.filter { slowAddress($0) != 0 }.count
    print("threaded instructions: \(Op.allCases.count) compiled, \(Op.allCases.count - slow) always in line, \(slow) in line or by slow functions")
}

/// `module:function/arity` of what is registered.
private let nativeNames: Set<String> = {
    var names: Set<String> = []
    Exports.forEach { export in
        guard export.isNative else { return }
        names.insert("\(export.pointee.module.atomText):\(export.pointee.name.atomText)/\(export.pointee.arity)")
    }
    return names
}()

private struct Tally {
    let kind: String
    var implemented = 0
    var notNeeded = 0
    var missing: [String] = []

    init(kind: String) { self.kind = kind }

    mutating func count(_ name: String, has: Bool, isNeeded: Bool) {
        if has { implemented += 1 } else if isNeeded { missing.append(name) } else { notNeeded += 1 }
    }

    /// Prints; false if there are fewer than `floor`.
    func report(_ floor: Int?) -> Bool {
        for name in missing { print("missing \(kind) \(name)") }
        print("\(kind)s: \(implemented) implemented, \(missing.count) missing, \(notNeeded) not needed")
        guard let floor, implemented >= floor else {
            complain("fewer \(kind)s than coverage.txt demands (\(floor.map { "\($0)" } ?? "no number"))")
            return false
        }
        return true
    }
}

/// The words of every line that is no comment.
private func rows(_ folder: String, _ name: String) -> [[String]] {
    guard let file = fopen("\(folder)/\(name)", "r") else { return [] }
    defer { fclose(file) }
    var lines: [[String]] = []
    var buffer = [CChar](repeating: 0, count: 512)
    while fgets(&buffer, 512, file) != nil {
        let words = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split { $0 == " " || $0 == "\n" }.map(String.init)
        if words.count > 1, words[0] != "#" { lines.append(words) }
    }
    return lines
}
