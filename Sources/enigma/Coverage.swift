// Coverage.swift: `enigma coverage`: what of OTP 25's instructions and native functions is implemented.

import Bifs
import Machine
import Ports
import Tables

func printCoverage() {
    bootMachine(bifsTable + tablesTable + portsTable)

}
