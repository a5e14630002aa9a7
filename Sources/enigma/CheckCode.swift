// CheckCode.swift: `enigma check-code FILE...`: which functions of .beam files the code check refuses. Exit code 1 if any.

import Bifs
import Glibc
import JIT
import Machine
import Ports
import Tables
import Terms

func printCodeCheck(_ files: [String]) -> Int32 {
    bootMachine(bifsTable + tablesTable + portsTable + jitTable)
    var total = CodeCheckReport()
    var unreadable = 0
    for file in files {
        do {
            let report = try readWhole(file).withUnsafeBytes { try LoadedModule.prepare($0, asPreloaded: true).checkCode() }
            total.functions += report.functions
            total.tests += report.tests
            total.refused += report.refused
            for line in report.refused { print("\(file): \(line)") }
        } catch {
            unreadable += 1
            print("\(file): \(error)")
        }
    }
    print("\(files.count) files, \(total.functions) functions, \(total.refused.count) refused, \(total.tests) tests added")
    return total.refused.isEmpty && unreadable == 0 ? 0 : 1
}

private func readWhole(_ file: String) throws(FileProblem) -> [UInt8] {
    guard let stream = fopen(file, "rb") else { throw FileProblem.unreadable }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&part, 1, part.count, stream)
        guard count > 0 else { return bytes }
        bytes += part[..<count]
    }
}

private enum FileProblem: Error { case unreadable }
