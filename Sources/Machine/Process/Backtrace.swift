// Backtrace.swift: the stack of a process as text, for process_info(P, backtrace) and erlang:process_display/2. Offsets are
// bytes of threaded code.

import CMachine
import Terms

struct Backtrace {
    private let process: Ref<Process>
    private var text = ""
    /// Number of the next y register.
    private var register = 0

    /// Empty for a process that is `sensitive`.
    static func text(_ process: Ref<Process>, isOwn: Bool) -> String {
        guard process.pointee.flags & ProcessFlags.sensitive == 0 else { return "" }
        var trace = Backtrace(process: process)
        trace.addCounter(isOwn: isOwn)
        var slot = process.pointee.stackTop
        while slot < process.pointee.stackEnd {
            trace.addElement(slot)
            slot += 1
        }
        return trace.text
    }

    private init(process: Ref<Process>) { self.process = process }

    private mutating func addCounter(isOwn: Bool) {
        if isOwn, let bif = process.pointee.currentBif {
            text += "Program counter: \(hex(UInt(bitPattern: bif.stubAddress))) (\(name(bif.pointee.module, bif.pointee.name, Int(bif.pointee.arity))) + 0)\n"
            // A native function that was called in place returns behind its call.
            guard let location = process.pointee.location, let address = Self.continuation(location) else { return }
            return addReturn(at: process.pointee.stackTop - 1, address)
        }
        let pc = UInt64(UInt(bitPattern: process.pointee.pc))
        let place = process.isHibernating ? "unknown function" : describe(pc, Whereabouts(process, isOwn: isOwn))
        text += "Program counter: \(hex(UInt(pc))) (\(place))\n"
    }

    private mutating func addElement(_ slot: Words) {
        let word = Term(raw: slot[0])
        if word.isHeader { return addReturn(at: slot, slot[0]) }
        let name = "y(\(register))"
        register += 1
        text += name + String(repeating: " ", count: max(9 - name.count, 1))
        if word.isCatch {
            let address = UInt(bitPattern: word.catchPosition)
            text += "Catch \(hex(address)) (\(describe(UInt64(address), nil)))\n"
        } else {
            text += printed(word, limit: .max) + "\n"
        }
    }

    private mutating func addReturn(at slot: Words, _ address: UInt64) {
        text += "\n\(hex(UInt(bitPattern: slot))) Return addr \(hex(UInt(address))) (\(describe(address, nil)))\n"
        register = 0
    }

    private func describe(_ address: UInt64, _ place: Whereabouts?) -> String {
        if UInt(address) == UInt(bitPattern: normalExitAddress) { return "<terminate process normally>" }
        if let place {
            let start = place.location?.pointee.function?.pointee.code.map { UInt64(UInt(bitPattern: $0)) } ?? address
            return "\(name(place.module, place.name, place.arity)) + \(address &- start)"
        }
        guard let function = Modules.function(at: UInt(address)) else { return "unknown function" }
        let start = UInt64(UInt(bitPattern: function.pointee.code))
        let mfa = name(function.pointee.moduleName, function.pointee.name, Int(function.pointee.arity))
        return "\(mfa) + \(address &- start)"
    }

    private func name(_ module: Term, _ name: Term, _ arity: Int) -> String {
        "\(printed(module)):\(printed(name))/\(arity)"
    }

    private func hex(_ address: UInt) -> String {
        let digits = String(address, radix: 16)
        return "0x" + String(repeating: "0", count: max(16 - digits.count, 0)) + digits
    }

    /// Where the call with this Location continues: the word behind the one that names it.
    private static func continuation(_ location: UnsafePointer<Location>) -> UInt64? {
        guard let function = location.pointee.function, let code = function.pointee.code else { return nil }
        let wanted = UInt64(UInt(bitPattern: location))
        for index in 0..<Int(function.pointee.codeWords) where code[index] == wanted {
            return UInt64(UInt(bitPattern: code + index + 1))
        }
        return nil
    }
}
