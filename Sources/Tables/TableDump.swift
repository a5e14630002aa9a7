// TableDump.swift: tables in a crash dump and in the break menu. The schedulers stand still; dirty threads use no tables.

import CMachine
import Machine
import Terms

/// Called while nothing runs; locks may be held by who stands still and are not taken.
func writeTables(_ output: DumpOutput) {
    var scratch = Heap()
    withUnsafeMutablePointer(to: &scratch) { heap in
        var next = TableRegistry.first
        while let table = next {
            next = table.pointee.next
            writeTable(table, heap, output)
        }
        freeScratch(heap)
    }
}

private func writeTable(_ table: Ref<Table>, _ heap: Ref<Heap>, _ output: DumpOutput) {
    func item(_ key: Term) -> String { printed(tableInfo(table, key, heap)) }
    let name = item(Atoms.name)
    output.line("=ets:\(item(Atoms.owner))")
    output.line("Slot: \(UInt(bitPattern: table))")
    output.line("Table: \(table.isNamed ? name : item(Atoms.id))")
    output.line("Name: \(name)")
    let isOrdered = table.pointee.flags & TableFlags.ordered != 0
    if isOrdered { output.line("Ordered set (AVL tree), Elements: \(table.size)") }
    output.line("Fixed: \(item(Atoms.fixed))")
    output.line("Objects: \(table.size)")
    output.line("Words: \(table.memoryWords)")
    output.line("Type: \(item(Atoms.type))")
    output.line("Protection: \(item(Atoms.protection))")
    output.line("Compressed: \(item(Atoms.compressed))")
    output.line("Write Concurrency: \(item(Atoms.write_concurrency))")
    output.line("Read Concurrency: \(item(Atoms.read_concurrency))")
}

/// Bytes of all tables. Requires: the registry's lock, or that nothing runs any more.
func allTableBytes() -> Int {
    var words = 0
    var next = TableRegistry.first
    while let table = next {
        next = table.pointee.next
        words += table.memoryWords
    }
    return words * 8
}
