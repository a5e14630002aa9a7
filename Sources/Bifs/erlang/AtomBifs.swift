// AtomBifs.swift: atoms from and to text. An atom has at most 255 characters; longer text is a system_limit error where
// an atom would be made, and badarg where it has to exist already.

import CMachine
internal import Machine
import Terms

let atomBifs: [Bif] = [
    Bif("erlang", "atom_to_list", 1, erlang_atom_to_list_1),
    Bif("erlang", "atom_to_binary", 2, erlang_atom_to_binary_2),
    Bif("erlang", "list_to_atom", 1, erlang_list_to_atom_1),
    Bif("erlang", "list_to_existing_atom", 1, erlang_list_to_existing_atom_1),
    Bif("erlang", "binary_to_atom", 2, erlang_binary_to_atom_2),
    Bif("erlang", "binary_to_existing_atom", 2, erlang_binary_to_existing_atom_2),
]

/// Most bytes that the text of an atom can have.
private let maximumBytes = 4 * AtomTable.maximumCharacters

// MARK: - To text

func erlang_atom_to_list_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    let entry = AtomTable.entry(arguments[0])
    var list = Term.nil
    var index = Int(entry.pointee.count)
    while index > 0 {
        // Backwards: continuation bytes first, then the lead byte.
        var value: UInt32 = 0
        var shift: UInt32 = 0
        index &-= 1
        while entry.pointee.bytes[index] & 0xC0 == 0x80 {
            value |= UInt32(entry.pointee.bytes[index] & 0x3F) &<< shift
            shift &+= 6
            index &-= 1
        }
        let lead = UInt32(entry.pointee.bytes[index])
        value |= (shift == 0 ? lead : lead & 0x3F &>> (shift / 6)) &<< shift
        list = process.heap.cons(.small(Int(value)), list)
    }
    return list
}

func erlang_atom_to_binary_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isAtom else { return process.badarg() }
    let entry = AtomTable.entry(arguments[0])
    let count = Int(entry.pointee.count)
    switch arguments[1] {
    case Atoms.utf8, Atoms.unicode:
        return process.heap.makeBinary(entry.pointee.bytes, count: count)
    case Atoms.latin1 where entry.pointee.isLatin1:
        let (binary, bytes) = process.heap.makeBinary(Int(entry.pointee.characters))
        var (source, target) = (0, 0)
        while source < count {
            let byte = entry.pointee.bytes[source]
            if byte < 0x80 {
                bytes[target] = byte
                source &+= 1
            } else {
                bytes[target] = byte &<< 6 | entry.pointee.bytes[source &+ 1] & 0x3F
                source &+= 2
            }
            target &+= 1
        }
        return binary
    default: return process.badarg()
    }
}

// MARK: - From lists

func erlang_list_to_atom_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withText(of: arguments[0]) { text in
        switch text {
        case .bytes(let bytes): AtomTable.intern(bytes) ?? process.badarg()
        case .tooLong: process.systemLimit()
        case .invalid: process.badarg()
        }
    }
}

func erlang_list_to_existing_atom_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    withText(of: arguments[0]) { text in
        guard case .bytes(let bytes) = text else { return process.badarg() }
        return AtomTable.find(bytes) ?? process.badarg()
    }
}

private enum AtomText {
    /// UTF-8.
    case bytes(UnsafeBufferPointer<UInt8>)
    case tooLong
    case invalid
}

/// Calls `body` with the text of a list of code points.
private func withText(of list: Term, _ body: (AtomText) -> Term) -> Term {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maximumBytes) { buffer in
        var list = list
        var count = 0
        var characters = 0
        while list.isCons {
            guard characters < AtomTable.maximumCharacters else { return body(.tooLong) }
            guard list.head.isSmall, let scalar = UInt32(exactly: list.head.smallValue),
                let length = encode(scalar, buffer.baseAddress.unsafelyUnwrapped + count)
            else { return body(.invalid) }
            count &+= length
            characters &+= 1
            list = list.tail
        }
        return body(list.isNil ? .bytes(UnsafeBufferPointer(rebasing: buffer[..<count])) : .invalid)
    }
}

/// Writes a code point as UTF-8 (up to 4 bytes) and answers its length; nil for surrogates and what is out of range.
private func encode(_ scalar: UInt32, _ bytes: UnsafeMutablePointer<UInt8>) -> Int? {
    func continuation(_ shift: UInt32) -> UInt8 { UInt8(0x80 | scalar &>> shift & 0x3F) }
    if scalar < 0x80 {
        bytes[0] = UInt8(scalar)
        return 1
    }
    if scalar < 0x800 {
        bytes[0] = UInt8(0xC0 | scalar &>> 6)
        bytes[1] = continuation(0)
        return 2
    }
    if scalar < 0x10000 {
        if scalar >= 0xD800 && scalar < 0xE000 { return nil }
        bytes[0] = UInt8(0xE0 | scalar &>> 12)
        bytes[1] = continuation(6)
        bytes[2] = continuation(0)
        return 3
    }
    guard scalar < 0x110000 else { return nil }
    bytes[0] = UInt8(0xF0 | scalar &>> 18)
    bytes[1] = continuation(12)
    bytes[2] = continuation(6)
    bytes[3] = continuation(0)
    return 4
}

// MARK: - From binaries

func erlang_binary_to_atom_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    binaryToAtom(process, arguments, mustExist: false)
}

func erlang_binary_to_existing_atom_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    binaryToAtom(process, arguments, mustExist: true)
}

private func binaryToAtom(_ process: Ref<Process>, _ arguments: Arguments, mustExist: Bool) -> Term {
    guard let view = ByteView(arguments[0]) else { return process.badarg() }
    defer { view.release() }
    switch arguments[1] {
    case Atoms.utf8, Atoms.unicode:
        if let atom = AtomTable.find(view.buffer) { return atom }
        if mustExist { return process.badarg() }
        if view.count > maximumBytes || hasMoreCharacters(view.buffer) { return process.systemLimit() }
        return AtomTable.intern(view.buffer) ?? process.badarg()
    case Atoms.latin1:
        guard view.count <= AtomTable.maximumCharacters else {
            return mustExist ? process.badarg() : process.systemLimit()
        }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maximumBytes) { buffer in
            var count = 0
            for byte in view.buffer {
                count &+= encode(UInt32(byte), buffer.baseAddress.unsafelyUnwrapped + count).unsafelyUnwrapped
            }
            let text = UnsafeBufferPointer(rebasing: buffer[..<count])
            return (mustExist ? AtomTable.find(text) : AtomTable.intern(text)) ?? process.badarg()
        }
    default: return process.badarg()
    }
}

/// Whether 255 valid characters are followed by anything. Invalid text before that is left to the atom table.
private func hasMoreCharacters(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var decoder = Unicode.UTF8.ForwardParser()
    var source = bytes.makeIterator()
    for _ in 0..<AtomTable.maximumCharacters {
        guard case .valid = decoder.parseScalar(from: &source) else { return false }
    }
    if case .emptyInput = decoder.parseScalar(from: &source) { return false }
    return true
}
