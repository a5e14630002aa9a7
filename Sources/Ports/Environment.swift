// Environment.swift: the environment variables as the VM sees them: a copy taken at boot, kept apart from the C
// library's (which is not safe for threads). Programs started by ports get this copy.

import CMachine
import Glibc
import Machine
import Terms

enum Environment {
    struct Variable {
        var name: [UInt8]
        var value: [UInt8]
    }

    /// Guards `variables`.
    nonisolated(unsafe) private static var lock = Lock()
    /// Sorted by name, byte by byte.
    nonisolated(unsafe) private static var variables: [Variable] = initial()

    /// The environment that the VM was started with.
    private static func initial() -> [Variable] {
        var found: [Variable] = []
        var entry = environ
        while let text = entry.pointee {
            entry += 1
            let bytes = UnsafeBufferPointer(start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
            guard let equals = bytes.firstIndex(of: 0x3D) else { continue }
            found.append(Variable(name: Array(bytes[..<equals]), value: Array(bytes[(equals + 1)...])))
        }
        // The first of two variables of one name counts, as for getenv(3).
        var sorted: [Variable] = []
        for variable in found {
            let position = index(of: variable.name, in: sorted)
            if position < sorted.count, sorted[position].name == variable.name { continue }
            sorted.insert(variable, at: position)
        }
        return sorted
    }

    /// Position of the first variable whose name is not before `name`.
    private static func index(of name: [UInt8], in list: [Variable]) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if list[middle].name.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func locked<Result>(_ body: () -> Result) -> Result {
        vm_lock(&lock)
        defer { vm_unlock(&lock) }
        return body()
    }

    static var all: [Variable] { locked { variables } }

    static func value(of name: [UInt8]) -> [UInt8]? {
        locked {
            let position = index(of: name, in: variables)
            guard position < variables.count, variables[position].name == name else { return nil }
            return variables[position].value
        }
    }

    /// Nil removes the variable.
    static func set(_ name: [UInt8], _ value: [UInt8]?) {
        locked { change(&variables, name, value) }
    }

    static func change(_ list: inout [Variable], _ name: [UInt8], _ value: [UInt8]?) {
        let position = index(of: name, in: list)
        let exists = position < list.count && list[position].name == name
        if let value {
            if exists { list[position].value = value } else { list.insert(Variable(name: name, value: value), at: position) }
        } else if exists {
            list.remove(at: position)
        }
    }
}

/// The bytes of a variable's name: a deep list of characters without `=`.
func environmentName(_ term: Term) -> [UInt8]? {
    guard let bytes = nativeBytes(ofList: term), !bytes.contains(0x3D) else { return nil }
    return bytes
}

func os_getenv_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let name = environmentName(arguments[0]) else { return process.badarg() }
    guard let value = Environment.value(of: name) else { return Atoms.false }
    return value.withUnsafeBufferPointer { process.heap.nativeText($0) }
}

func os_env_0(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let heap = process.heap
    var list = Term.nil
    for variable in Environment.all {
        let name = variable.name.withUnsafeBufferPointer { heap.nativeText($0) }
        let value = variable.value.withUnsafeBufferPointer { heap.nativeText($0) }
        list = heap.cons(heap.tuple(name, value), list)
    }
    return list
}

func os_putenv_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let name = environmentName(arguments[0]), let value = nativeBytes(ofList: arguments[1]) else {
        return process.badarg()
    }
    Environment.set(name, value)
    return Atoms.true
}

func os_unsetenv_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let name = environmentName(arguments[0]) else { return process.badarg() }
    Environment.set(name, nil)
    return Atoms.true
}

let environmentTable: [Bif] = [
    Bif("os", "getenv", 1, os_getenv_1),
    Bif("os", "env", 0, os_env_0),
    Bif("os", "putenv", 2, os_putenv_2),
    Bif("os", "unsetenv", 1, os_unsetenv_1),
]
