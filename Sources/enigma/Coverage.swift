// Coverage.swift: `enigma coverage`: the native functions that are there, sorted, and how many. A function of OTP 25 that
// is not in the list raises undef (or notsup) when it is called.

import Bifs
import CMachine
import Machine
import Ports
import Tables
import Terms

func printCoverage() {
    bootMachine(bifsTable + tablesTable + portsTable)
    var names: [String] = []
    Exports.forEach { export in
        guard export.isNative else { return }
        names.append("\(export.pointee.module.atomText):\(export.pointee.name.atomText)/\(export.pointee.arity)")
    }
    for name in names.sorted() { print(name) }
    print("\(names.count) native functions")
}
