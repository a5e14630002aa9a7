// FileNames.swift: file names between Erlang text and the bytes of the system. The encoding is UTF-8 or Latin-1; it is
// set once before the first scheduler starts, from the locale or the +fn flags.

@_spi(_Unicode) import Swift

import CMachine
import Glibc
import Machine
import Terms

/// What a directory listing does with names that are not valid UTF-8 (+fnue, +fnui, +fnuw).
public enum FileNameWarning: Sendable {
    case warning, ignore, error
}

public enum FileNames {
    /// Constant after boot.
    nonisolated(unsafe) public static var isUTF8 = true
    /// Constant after boot.
    nonisolated(unsafe) public static var onInvalid = FileNameWarning.warning

    /// Takes the encoding from the locale of the environment.
    public static func takeEncodingFromLocale() {
        setlocale(LC_CTYPE, "")
        guard let codeset = nl_langinfo(Int32(CODESET)) else { return }
        isUTF8 = strcmp(codeset, "UTF-8") == 0 || strcmp(codeset, "utf8") == 0
    }

    /// The letters behind +f: `nl` Latin-1, `nu` UTF-8, `na` by the locale; then w, i or e for what invalid names do.
    public static func choose(_ letters: String) {
        if letters.hasPrefix("nl") { isUTF8 = false }
        if letters.hasPrefix("nu") { isUTF8 = true }
        switch letters.dropFirst(2) {
        case "i": onInvalid = .ignore
        case "e": onInvalid = .error
        default: break
        }
    }
}

// MARK: - Text to bytes

/// Appends `character` in the file name encoding. False if it has none there, or is 0.
private func appendNative(_ character: Int, to bytes: inout [UInt8]) -> Bool {
    guard character > 0 else { return false }
    if !FileNames.isUTF8 {
        guard character < 256 else { return false }
        bytes.append(UInt8(character))
        return true
    }
    guard let scalar = UInt32(exactly: character).flatMap(Unicode.Scalar.init) else { return false }
    bytes.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
    return true
}

/// The bytes of a deep list of characters, without a terminating zero. Nil for anything else: another term, a
/// character that the encoding cannot express, a zero, an improper list.
func nativeBytes(ofList list: Term) -> [UInt8]? {
    guard list.isList else { return nil }
    var bytes: [UInt8] = []
    var pending = [list]
    while var rest = pending.popLast() {
        while rest.isCons {
            let element = rest.head
            rest = rest.tail
            if element.isSmall {
                guard appendNative(element.smallValue, to: &bytes) else { return nil }
            } else if element.isCons {
                pending.append(rest)
                rest = element
            } else if !element.isNil {
                return nil
            }
        }
        guard rest.isNil else { return nil }
    }
    return bytes
}

/// The bytes of a name given as a deep list of characters, as a binary (taken as it is) or, if allowed, as an atom.
func nativeBytes(ofName name: Term, allowingAtom: Bool) -> [UInt8]? {
    if name.isBitstring {
        let view = ByteView(wholeBytesOf: Bits(name))
        defer { view.release() }
        return Array(view.buffer)
    }
    if name.isAtom {
        guard allowingAtom else { return nil }
        var bytes: [UInt8] = []
        for scalar in name.atomText.unicodeScalars {
            guard appendNative(Int(scalar.value), to: &bytes) else { return nil }
        }
        return bytes
    }
    return nativeBytes(ofList: name)
}

// MARK: - Bytes to text

/// The code points of valid UTF-8; nil for invalid text.
func utf8Scalars(_ bytes: UnsafeBufferPointer<UInt8>) -> [Unicode.Scalar]? {
    var scalars: [Unicode.Scalar] = []
    scalars.reserveCapacity(bytes.count)
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    while true {
        switch decoder.decode(&iterator) {
        case .scalarValue(let scalar): scalars.append(scalar)
        case .emptyInput: return scalars
        case .error: return nil
        }
    }
}

extension UnsafeMutablePointer where Pointee == Heap {
    func scalarList(_ scalars: [Unicode.Scalar]) -> Term {
        var list = Term.nil
        for scalar in scalars.reversed() { list = cons(.small(Int(scalar.value)), list) }
        return list
    }

    /// The characters of native text; bytes one by one where they are no valid text.
    func nativeText(_ bytes: UnsafeBufferPointer<UInt8>) -> Term {
        if FileNames.isUTF8, let scalars = utf8Scalars(bytes) { return scalarList(scalars) }
        return byteList(bytes)
    }
}

// MARK: - BIFs

func prim_file_internal_name2native_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let bytes = nativeBytes(ofName: arguments[0], allowingAtom: false), !bytes.contains(0) else {
        return process.badarg()
    }
    let (term, target) = process.heap.makeBinary(bytes.count + 1)
    for (index, byte) in bytes.enumerated() { target[index] = byte }
    target[bytes.count] = 0
    return term
}

func prim_file_internal_native2name_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let view = ByteView(arguments[0]) else { return process.badarg() }
    defer { view.release() }
    guard FileNames.isUTF8 else { return process.heap.byteList(view.buffer) }
    if let scalars = utf8Scalars(view.buffer) { return process.heap.scalarList(scalars) }
    let kind: Term =
        switch FileNames.onInvalid {
        case .warning: Atoms.warning
        case .ignore: Atoms.ignore
        case .error: Atoms.error
        }
    return process.heap.tuple(Atoms.error, kind)
}

func prim_file_is_translatable_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let view = ByteView(arguments[0]) else { return process.badarg() }
    defer { view.release() }
    return !FileNames.isUTF8 || utf8Scalars(view.buffer) != nil ? Atoms.true : Atoms.false
}

func file_native_name_encoding_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    FileNames.isUTF8 ? Atoms.utf8 : Atoms.latin1
}

/// Canonical composition, which file systems need that store decomposed names.
func prim_file_internal_normalize_utf8_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let view = ByteView(arguments[0]) else { return process.badarg() }
    defer { view.release() }
    guard let scalars = utf8Scalars(view.buffer) else { return process.badarg() }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return process.heap.scalarList(Array(String(text)._nfc))
}

let fileNamesTable: [Bif] = [
    Bif("prim_file", "internal_name2native", 1, prim_file_internal_name2native_1),
    Bif("prim_file", "internal_native2name", 1, prim_file_internal_native2name_1),
    Bif("prim_file", "internal_normalize_utf8", 1, prim_file_internal_normalize_utf8_1),
    Bif("prim_file", "is_translatable", 1, prim_file_is_translatable_1),
    Bif("file", "native_name_encoding", 0, file_native_name_encoding_0),
]
