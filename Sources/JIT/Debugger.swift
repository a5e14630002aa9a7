// Debugger.swift: --jit-gdb. Tells gdb of native code, with its names and how to unwind it. gdb sees one frame for all of
// Erlang, because native code and handlers are tail calls; the frames of the process are in its own memory, and
// otp/enigma-gdb.py has them printed by a function here.

import CLLVM
import CMachine
import Glibc
import Machine
import Terms

/// The Erlang frames above a word of some running process's stack, a line each. Null: the address is nothing of that kind.
@c(enigma_stack_text)
public func stackText(_ address: UInt) -> UnsafeMutablePointer<CChar>? {
    guard address & 7 == 0 else { return nil }
    for index in 0..<Schedulers.total {
        // Both are null until the scheduler has run something.
        guard let context = Ref<Context>(bitPattern: UInt(bitPattern: Schedulers.at(index).pointee.context)),
            let process = Ref<Process>(bitPattern: UInt(bitPattern: context.pointee.process))
        else { continue }
        let (start, end) = (process.pointee.heapStart, process.pointee.stackEnd)
        guard address >= UInt(bitPattern: start), address < UInt(bitPattern: end) else { continue }
        return frames(Words(bitPattern: address)!, end).map { strdup("\(printed(process.pointee.id)):\n" + $0) }
    }
    return nil
}

/// Nil: the words from `slot` on are no stack.
private func frames(_ slot: Words, _ end: Words) -> String? {
    let modules = Modules.allCurrent()
    var slot = slot
    var text = ""
    // What lies below the first return address belongs to the function that runs.
    while slot < end, slot[0] & 3 != 0 { slot += 1 }
    while slot < end {
        let word = UInt(slot[0])
        if word == UInt(bitPattern: normalExitAddress) { return slot + 1 == end ? text : nil }
        guard word & 7 == 0, modules.contains(where: { $0.containsCode(word) }),
            let location = UnsafePointer<Location>(bitPattern: UInt(Words(bitPattern: word)![-1]))
        else { return nil }
        let name = location.pointee.function.map { JIT.name($0) } ?? "?"
        let place = SourcePlace(UInt64(UInt(bitPattern: location))).map { "\($0.file):\($0.line)" } ?? ""
        text += "    \(name)  \(place)\n"
        slot += 1 + Int(location.pointee.frame)
    }
    return nil
}

/// Object files as gdb wants them: the whole file, with the addresses of its sections filled in.
enum DebuggerImage {
    /// Guards gdb's list and `images`: code is made by the compile thread, and freed by others too.
    nonisolated(unsafe) private static var lock = Lock()
    /// By address of the code.
    nonisolated(unsafe) private static var images: [UnsafeMutableRawPointer: (entry: UnsafeMutableRawPointer, file: UnsafeMutableRawPointer)] = [:]

    static func add(_ code: NativeCode, _ object: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawPointer.allocate(byteCount: object.count, alignment: 16)
        copy.copyMemory(from: object.baseAddress!, byteCount: object.count)
        // ELF: the table of section headers, 64 bytes each, with the address at 16.
        let table = Int(copy.load(fromByteOffset: 40, as: UInt64.self))
        for (index, place) in code.places.enumerated() {
            guard let place else { continue }
            let address = UInt64(UInt(bitPattern: code.memory + place))
            copy.storeBytes(of: address, toByteOffset: table + 64 * index + 16, as: UInt64.self)
        }
        // The names the interface prescribes are in C.
        vm_lock(&lock)
        if let entry = jit_debug_register(copy, UInt64(object.count)) { images[code.memory] = (entry, copy) }
        vm_unlock(&lock)
    }

    /// The code is about to be freed.
    static func remove(_ code: NativeCode) {
        vm_lock(&lock)
        let image = images.removeValue(forKey: code.memory)
        if let image { jit_debug_unregister(image.entry) }
        vm_unlock(&lock)
        image?.file.deallocate()
    }
}
