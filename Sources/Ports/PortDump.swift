// PortDump.swift: ports in a crash dump and in the break menu. The schedulers stand still, and the poll thread either
// asks itself or does no harm by going on.

import CMachine
import Machine
import Terms

func writePorts(_ output: DumpOutput) {
    for port in PortTable.all.sorted(by: { $0.number < $1.number }) { writePort(port, output) }
}

private func writePort(_ port: Port, _ output: DumpOutput) {
    var states = ["CONNECTED"]
    if port.options.isBinary { states.append("BINARY_IO") }
    if port.options.tellsEnd { states.append("SOFT_EOF") }
    output.line("=port:\(printed(port.id))")
    output.line("State: \(states.joined(separator: "|"))")
    output.line("Slot: \(port.number)")
    output.line("Connected: \(printed(port.owner))")
    let name = PortTable.name(of: port)
    if !name.isNone { output.line("Registered as: \(printed(name))") }
    if !port.links.isEmpty { output.line("Links: " + port.links.map { printed($0) }.joined(separator: ", ")) }
    output.line(kind(port))
    output.line("Input: \(port.inputBytes)")
    output.line("Output: \(port.outputBytes)")
    output.line("Queue: \((port.driver as? DescriptorDriver)?.queuedBytes ?? 0)")
}

/// What the port is, in the words crashdump_viewer looks for.
private func kind(_ port: Port) -> String {
    let name = String(decoding: port.name, as: UTF8.self)
    if name == "forker" { return "Port controls forker process: forker" }
    if port.osProcess > 0 { return "Port controls external process: \(name)" }
    let parts = name.split(separator: "/")
    if parts.count == 2, parts.allSatisfy({ Int($0) != nil }) { return "Port is UNIX fd not opened by emulator: \(name)" }
    return "Port controls linked-in driver: \(name)"
}
