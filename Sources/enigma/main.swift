// main.swift: enigma [flags]: reads the command line as erl does, boots the machine and runs it.

import Bifs
import Glibc
import JITReport
import Machine
import Ports
import Tables
import Terms

let help = """
    usage: enigma [flags as for erl]
      --no-jit        run on the interpreter alone
      --jit-eager     compile every function at its first call
      --jit-threshold N         calls before a function is compiled
      --jit-wait      wait for each function that is compiled
      --jit-only PREFIX         only functions of modules whose names begin so
      --jit-exit-stress         leave native code at random, to test side exits
      --jit-limit N   compile no more than N units (to find a wrong one)
      --jit-stats     print the figures of the JIT at the end
      --jit-cache DIR|off       where compiled code is kept for the next run
      --jit-cache-limit MIB     its size at most
      --jit-dump DIR            write instructions, IR and assembly of compiled code
      --jit-dump-filter M:F/A   only for this function
      --jit-perf map|jitdump    tell perf the names of native code
      --jit-gdb       tell gdb the names of native code, and how to unwind it
      --gc-stress     collect garbage at every heap test
      --help          this text
      --version       version of Enigma and of the OTP it runs
    commands:
      enigma jit-report DIR [-o FILE.html]    one page that shows what --jit-dump DIR has written
      enigma precompile APP|FILE...           compile all modules of applications into the cache
      enigma check-code FILE...               which functions of .beam files break the rules of compiled code
      enigma coverage FOLDER                  what is there of OTP's native functions and instructions
    """

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "--help":
    print(help)
    exit(0)
case "--version":
    print("Enigma 0.1, for Erlang/OTP 25 (erts 13.1.5)")
    exit(0)
case "coverage":
    exit(printCoverage(arguments.count > 1 ? arguments[1] : "otp/expectations"))
case "check-code": exit(printCodeCheck(Array(arguments.dropFirst())))
case "precompile": exit(precompile(Array(arguments.dropFirst())))
case "jit-report": exit(writeReport(Array(arguments.dropFirst())))
default: break
}

guard let root = locateOTP() else {
    complain("enigma: no Erlang/OTP 25 found: install Debian's erlang packages or set ENIGMA_OTP_ROOT")
    exit(1)
}
do throws(UsageError) {
    var reader = try CommandLineReader(
        arguments, root: root, binaries: "\(root)/erts-13.1.5/bin",
        program: getenv("PROGNAME").map { String(cString: $0) } ?? "erl")
    let plan = try reader.run()
    try boot(plan, root: root)
} catch {
    complain(error.text)
    exit(1)
}
