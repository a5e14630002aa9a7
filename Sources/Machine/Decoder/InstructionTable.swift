// InstructionTable.swift: the rows of OpSpec by generic opcode, for the decoder's choice by operand kinds.

import BeamFile
import OpSpec

/// One candidate: the operation and the letters of its pattern.
struct Row {
    let operation: Op
    let pattern: [UInt8]
}

enum InstructionTable {
    /// Rows by opcode number, in table order; constant after boot.
    nonisolated(unsafe) private static var rows: UnsafeMutablePointer<[Row]>! = nil

    /// Call once, before any function is decoded.
    static func boot() {
        rows = .allocate(capacity: 256)
        rows.initialize(repeating: [], count: 256)
        var numbers: [String: Int] = [:]
        for number in 1...255 {
            if let opcode = Opcode(rawValue: UInt8(number)) { numbers["\(opcode)"] = number }
        }
        for (index, instruction) in instructions.enumerated() {
            guard let generic = instruction.generic, let operation = Op(rawValue: Int32(index)) else { continue }
            guard let number = numbers[generic] ?? numbers["`\(generic)`"] else {
                preconditionFailure("no generic operation \(generic)")
            }
            rows[number].append(Row(operation: operation, pattern: Array(instruction.pattern.utf8)))
        }
    }

    static func candidates(_ opcode: Opcode) -> [Row] { rows[Int(opcode.rawValue)] }
}
