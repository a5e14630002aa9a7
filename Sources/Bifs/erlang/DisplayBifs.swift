// DisplayBifs.swift: erlang:display and its relatives, and the printed forms of pids, ports, references and funs.

import CMachine
import Glibc
import Machine
import Terms

let erlangDisplayBifs: [Bif] = [
    Bif("erlang", "display", 1, erlang_display_1),
    Bif("erlang", "display_string", 1, erlang_display_string_1),
    Bif("erlang", "display_nl", 0, erlang_display_nl_0),
    Bif("erts_debug", "display", 1, erts_debug_display_1),
    Bif("erlang", "pid_to_list", 1, erlang_pid_to_list_1),
    Bif("erlang", "port_to_list", 1, erlang_port_to_list_1),
    Bif("erlang", "ref_to_list", 1, erlang_ref_to_list_1),
    Bif("erlang", "fun_to_list", 1, erlang_fun_to_list_1),
    Bif("erlang", "list_to_pid", 1, erlang_list_to_pid_1),
    Bif("erlang", "list_to_port", 1, erlang_list_to_port_1),
    Bif("erlang", "list_to_ref", 1, erlang_list_to_ref_1),
]

// MARK: - To the terminal

/// Writes all of `bytes`, with a carriage return before each newline as the VM's own output has.
private func writeRaw(_ file: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
    var output = ByteBuffer(capacity: bytes.count + 16)
    for byte in bytes {
        if byte == 10 { output.append(13) }
        output.append(byte)
    }
    var written = 0
    while written < output.count {
        let count = write(file, output.start + written, output.count - written)
        if count < 0, errno != EINTR, errno != EAGAIN { return }
        written += max(count, 0)
    }
}

func erlang_display_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var output = ByteBuffer()
    printTerm(arguments[0], into: &output)
    output.append(10)
    writeRaw(1, output.bytes)
    return Atoms.true
}

/// Also answers what was printed.
func erts_debug_display_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var output = ByteBuffer()
    printTerm(arguments[0], into: &output)
    output.append(10)
    writeRaw(1, output.bytes)
    return process.heap.byteList(output.bytes)
}

func erlang_display_string_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var output = ByteBuffer()
    var rest = arguments[0]
    while rest.isCons {
        guard rest.head.isSmall, let value = UInt32(exactly: rest.head.smallValue), let scalar = Unicode.Scalar(value)
        else { return process.badarg() }
        for byte in UTF8.encode(scalar).unsafelyUnwrapped { output.append(byte) }
        rest = rest.tail
    }
    guard rest.isNil else { return process.badarg() }
    writeRaw(2, output.bytes)
    return Atoms.true
}

func erlang_display_nl_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withUnsafeBytes(of: UInt8(10)) { writeRaw(2, $0.assumingMemoryBound(to: UInt8.self)) }
    return Atoms.true
}

// MARK: - To text

private func printedList(_ process: Ref<Process>, _ term: Term) -> Term {
    var output = ByteBuffer()
    printTerm(term, into: &output)
    return process.heap.byteList(output.bytes)
}

func erlang_pid_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isPid ? printedList(process, arguments[0]) : process.badarg()
}

func erlang_port_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isPort ? printedList(process, arguments[0]) : process.badarg()
}

func erlang_ref_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isReference ? printedList(process, arguments[0]) : process.badarg()
}

func erlang_fun_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isFun ? printedList(process, arguments[0]) : process.badarg()
}

// MARK: - From text

/// The numbers in `prefix` number "." number ... ">", as a list of bytes; nil for anything else or more than six.
private func numbers(_ list: Term, after prefix: StaticString) -> [UInt64]? {
    var rest = list
    for index in 0..<prefix.utf8CodeUnitCount {
        guard rest.isCons, rest.head == .small(Int(prefix.utf8Start[index])) else { return nil }
        rest = rest.tail
    }
    var result: [UInt64] = []
    while result.count < 6 {
        var value: UInt64 = 0
        var digits = 0
        while rest.isCons, rest.head.isSmall, rest.head.smallValue >= 48, rest.head.smallValue <= 57 {
            digits += 1
            guard digits <= 20 else { return nil }
            value = value &* 10 &+ UInt64(rest.head.smallValue - 48)
            rest = rest.tail
        }
        guard digits > 0, rest.isCons else { return nil }
        result.append(value)
        let separator = rest.head
        rest = rest.tail
        if separator == .small(Int(UInt8(ascii: ">"))) { return rest.isNil ? result : nil }
        guard separator == .small(Int(UInt8(ascii: "."))) else { return nil }
    }
    return nil
}

private func node(_ channel: UInt64) -> Ref<NodeEntry>? {
    UInt32(exactly: channel).flatMap { Nodes.find(channel: $0) }
}

func erlang_list_to_pid_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let parts = numbers(arguments[0], after: "<"), parts.count == 3, let node = node(parts[0]),
        let number = UInt32(exactly: parts[1]), let serial = UInt32(exactly: parts[2])
    else { return process.badarg() }
    if node == Nodes.local, number > 0x7FFF || serial > 0x1FFF { return process.badarg() }
    return process.heap.pid(node: node, number: number, serial: serial)
}

func erlang_list_to_port_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let parts = numbers(arguments[0], after: "#Port<"), parts.count == 2, let node = node(parts[0]),
        node != Nodes.local || parts[1] < 1 << 28
    else { return process.badarg() }
    return process.heap.port(node: node, number: parts[1])
}

func erlang_list_to_ref_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let parts = numbers(arguments[0], after: "#Ref<"), parts.count >= 2, let node = node(parts[0]),
        parts.allSatisfy({ $0 <= UInt64(UInt32.max) })
    else { return process.badarg() }
    let words = parts.dropFirst().reversed().map { UInt32($0) }
    if node == Nodes.local {
        guard words.count == 3, words[0] < 1 << 18 else { return process.badarg() }
        let numbers = (UInt64(words[0]) | UInt64(words[1]) << 32, UInt64(words[2]))
        return TermHooks.liveReference?(process.heap, numbers) ?? process.heap.reference(numbers)
    }
    return words.withUnsafeBufferPointer {
        process.heap.externalReference(node: node, words: $0.baseAddress.unsafelyUnwrapped, count: words.count)
    }
}
