// Whereabouts.swift: where a process is in its code, for process_info and purges.
//
// A process that asks about itself is at the call of a native function. Another one was left at `pc`, with its stack
// stored: in a receive `location` says where; otherwise `pc` is the entry of a function, or continues behind a call, and the
// word before it is a Location; or it is the stub of a function that was never called, or of an export without code.

import CMachine
import Terms

struct Whereabouts {
    let module: Term
    let name: Term
    let arity: Int
    /// Where in the source, if it is known.
    let location: UnsafePointer<Location>?
    /// The first return address on the stack: what lies below belongs to the frame in force.
    let firstReturn: Words

    init(_ process: Ref<Process>, isOwn: Bool) {
        let stack = process.pointee.stackTop
        if !isOwn, process.isHibernating {
            self.init(Atoms.erlang, Atoms.hibernate, 3, nil, process.pointee.stackEnd)
        } else if let native = process.pointee.native?.pointee.function.pointee {
            self.init(native.module, native.name, Int(native.arity), nil, stack)
        } else if let location = process.pointee.location {
            self.init(location, stack)
        } else if isOwn {
            // The native function was entered by a call: its caller is meant.
            self.init(returnTo: stack, process)
        } else if let export = Self.export(process.pointee.pc) {
            self.init(export.pointee.module, export.pointee.name, Int(export.pointee.arity), nil, stack)
        } else if let function = Self.undecoded(process.pointee.pc) {
            self.init(UnsafePointer(bitPattern: UInt(decodeFunction(function)[-1])).unsafelyUnwrapped, stack)
        } else if let location = RawTrace.returnLocation(UInt64(UInt(bitPattern: process.pointee.pc))) {
            self.init(location, stack)
        } else {
            self.init(returnTo: stack, process)
        }
    }

    private init(
        _ module: Term, _ name: Term, _ arity: Int, _ location: UnsafePointer<Location>?, _ firstReturn: Words
    ) {
        self.module = module
        self.name = name
        self.arity = arity
        self.location = location
        self.firstReturn = firstReturn
    }

    private init(_ location: UnsafePointer<Location>, _ stack: Words) {
        let function = location.pointee.function.unsafelyUnwrapped.pointee
        self.init(
            function.moduleName, function.name, Int(function.arity), location, RawTrace.firstReturn(stack, location))
    }

    private init(returnTo first: Words, _ process: Ref<Process>) {
        var slot = first
        // Frames of traced calls belong to no function.
        while slot < process.pointee.stackEnd, let location = RawTrace.returnLocation(slot[0]), location.pointee.function == nil {
            slot += 1 + Int(location.pointee.frame)
        }
        if slot < process.pointee.stackEnd, let location = RawTrace.returnLocation(slot[0]) {
            self.init(location, slot + 1)
        } else {
            let process = process.pointee
            self.init(process.initialModule, process.initialName, Int(process.initialArity), nil, slot)
        }
    }

    // The second word of a stub is its owner.

    /// The export whose stub `pc` is.
    private static func export(_ pc: CodePointer) -> Ref<Export>? {
        let isStub = pc[-1] == UInt64(UInt(bitPattern: pc)) || pc[0] == handlerSlots.undefinedFunction
        return isStub && pc[0] != handlerSlots.decodeFunction ? Ref(bitPattern: UInt(pc[1])) : nil
    }

    /// The function whose stub `pc` is.
    private static func undecoded(_ pc: CodePointer) -> Ref<Function>? {
        pc[0] == handlerSlots.decodeFunction ? Ref(bitPattern: UInt(pc[1])) : nil
    }
}

extension UnsafeMutablePointer where Pointee == Process {
    /// Has been left by hibernate/3 and not been woken.
    var isHibernating: Bool {
        pointee.flags & ProcessFlags.hibernating != 0 && state & ProcessState.active == 0
    }
}
