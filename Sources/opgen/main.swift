// opgen: writes the generated files of the tree from the tables in OpSpec. `opgen ROOT` rewrites them,
// `opgen --check ROOT` only says (exit code 1) which of them are not current.

import Glibc
import OpSpec

var arguments = Array(CommandLine.arguments.dropFirst())
let checkOnly = arguments.first == "--check"
if checkOnly { arguments.removeFirst() }
guard let root = arguments.first else {
    complain("usage: opgen [--check] ROOT")
    exit(1)
}

let outputs: [(path: String, text: String)] = [
    ("Sources/Terms/Generated/Atoms.swift", generateAtoms()),
    ("Sources/CMachine/include/Handlers.inc", generateHandlers()),
    ("Sources/Machine/Generated/Handlers.swift", generateStubs()),
    ("Sources/Machine/Generated/Operations.swift", generateOperations()),
]
var stale = false
for output in outputs {
    let path = root + "/" + output.path
    if readText(path) == output.text { continue }
    if checkOnly {
        print("not current: \(output.path)")
        stale = true
    } else {
        writeText(path, output.text)
        print("wrote \(output.path)")
    }
}
exit(stale ? 1 : 0)
