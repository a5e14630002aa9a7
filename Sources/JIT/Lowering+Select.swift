// Lowering+Select.swift: `select_val` and `select_tuple_arity`.

import CLLVM
import CMachine
import Machine
import Terms

/// Tagged small integers from `first` to `last` that are selected alike.
private struct Run {
    let first: Int64
    var last: Int64
    let label: Int
}

extension Lowering {
    func lowerSelect() {
        var values: [UInt64] = []
        var labels: [Int] = []
        for (index, operand) in current.operands.enumerated().dropFirst(2) {
            switch operand {
            case .raw(let word):
                // The count of values stands before them, but for the pair form.
                if index == 2, current.op != .select_val2_x { continue }
                values.append(word)
            case .label(let word): labels.append(word)
            default: break
            }
        }
        if current.op == .select_table {
            let first = Int(bitPattern: UInt(raw(2)))
            values = labels.indices.map { Term.small(first + $0).raw }
        }
        var subject = value(0)
        guard let fail = failBlock(1) else { return }
        if current.op == .select_tuple_arity, let header = tupleHeader(current.operands[0]) {
            let label = zip(values, labels).first { $0.0 == header }?.1
            return ir.branch(label.map { block(at: $0) } ?? fail)
        }
        if current.op == .select_tuple_arity {
            let boxedBlock = newBlock("boxed")
            ir.branch(ir.equal(ir.and(subject, 3), 2), boxedBlock, fail)
            ir.position(boxedBlock)
            subject = word(object(subject), 0)
        }
        choose(subject, Array(zip(values, labels)), otherwise: fail)
    }

    /// A switch over what is the same in every run, then comparisons with the atoms that are not.
    private func choose(_ subject: Value, _ cases: [(value: UInt64, label: Int)], otherwise fail: BasicBlock) {
        let isHeader = current.op == .select_tuple_arity
        if !isHeader, let runs = runs(of: cases) {
            let smalls = newBlock("smalls")
            let rest = newBlock("rest")
            ir.branch(ir.equal(ir.and(subject, 15), 15), smalls, rest)
            ir.position(smalls)
            chooseRun(subject, runs[...], otherwise: fail)
            ir.position(rest)
            let others = cases.filter { !isSmall($0.value) }
            return others.isEmpty ? ir.branch(fail) : choose(subject, others, otherwise: fail)
        }
        let atoms = cases.filter { !isHeader && !Constant.isStable($0.value) }
        let fixed = cases.filter { isHeader || Constant.isStable($0.value) }
        var other = fail
        if !atoms.isEmpty, !fixed.isEmpty { other = newBlock("atoms") }
        if !fixed.isEmpty {
            let choice = LLVMBuildSwitch(ir.builder, subject, other, UInt32(fixed.count))
            for (value, label) in fixed { LLVMAddCase(choice, ir.word(value), block(at: label)) }
            if !atoms.isEmpty { ir.position(other) }
        }
        guard !atoms.isEmpty else { return }
        if atoms.count > 6 { return search(subject, atoms, otherwise: fail) }
        for (index, (value, label)) in atoms.enumerated() {
            let next = index == atoms.count - 1 ? fail : newBlock("atom")
            ir.branch(ir.equal(subject, term(value)), block(at: label), next)
            ir.position(next)
        }
    }

    /// Binary search in a table that the linker has sorted, then a switch over the position.
    private func search(_ subject: Value, _ atoms: [(value: UInt64, label: Int)], otherwise fail: BasicBlock) {
        var row = unit.constants.table(atoms.map { .term($0.value) })
        var count = atoms.count
        while count > 1 {
            let half = count / 2
            let middle = ir.offset(row, 16 * half)
            let isAbove = ir.compare(LLVMIntUGE, subject, ir.load(ir.i64, middle, .code))
            row = ir.select(isAbove, middle, row)
            count -= half
        }
        let found = newBlock("known")
        ir.branch(ir.equal(ir.load(ir.i64, row, .code), subject), found, fail)
        ir.position(found)
        let choice = LLVMBuildSwitch(ir.builder, ir.load(ir.i64, ir.offset(row, 8), .code), fail, UInt32(atoms.count))
        for (index, atom) in atoms.enumerated() { LLVMAddCase(choice, ir.int(index), block(at: atom.label)) }
    }

    private func isSmall(_ word: UInt64) -> Bool { word & 15 == 15 }

    /// The small integers among many cases as runs with one label, if those are much fewer; nil: LLVM does it as well.
    private func runs(of cases: [(value: UInt64, label: Int)]) -> [Run]? {
        let smalls = cases.filter { isSmall($0.value) }.map { (value: Int64(bitPattern: $0.value), label: $0.label) }
        guard smalls.count > 64 else { return nil }
        var runs: [Run] = []
        for (value, label) in smalls.sorted(by: { $0.value < $1.value }) {
            if let last = runs.last, last.label == label, last.last + 16 == value {
                runs[runs.count - 1].last = value
            } else {
                runs.append(Run(first: value, last: value, label: label))
            }
        }
        return runs.count <= smalls.count / 2 ? runs : nil
    }

    /// Binary search, for a small integer. Functions over characters of Unicode have such cases.
    private func chooseRun(_ subject: Value, _ runs: ArraySlice<Run>, otherwise fail: BasicBlock) {
        let middle = runs.startIndex + runs.count / 2
        let run = runs[middle]
        if runs.count == 1 {
            let distance = ir.sub(subject, ir.word(UInt64(bitPattern: run.first)))
            let isInside = ir.compare(LLVMIntULE, distance, ir.word(UInt64(run.last - run.first)))
            return ir.branch(isInside, block(at: run.label), fail)
        }
        let below = newBlock("below")
        let above = newBlock("above")
        ir.branch(ir.compare(LLVMIntSLT, subject, ir.word(UInt64(bitPattern: run.first))), below, above)
        ir.position(below)
        chooseRun(subject, runs[..<middle], otherwise: fail)
        ir.position(above)
        chooseRun(subject, runs[middle...], otherwise: fail)
    }
}
