// DumpProcess.swift: a process in a crash dump and in the break menu. The schedulers stand still meanwhile; a process
// that a dirty thread has is told of without its heap.

public import CMachine
import Terms

public enum DumpProcess {
    /// Whether its heap, stack and queues can be looked at.
    static func isQuiet(_ process: Ref<Process>, caller: Ref<Process>?) -> Bool {
        process == caller || process.state & ProcessState.running == 0 && process.pointee.flags & ProcessFlags.inside == 0
    }

    static func stateName(_ process: Ref<Process>, caller: Ref<Process>?) -> String {
        let state = process.state
        if state & ProcessState.exiting != 0 { return "Exiting" }
        if state & ProcessState.running != 0 || process == caller { return "Running" }
        if state & ProcessState.collecting != 0 { return "Garbing" }
        if state & ProcessState.suspended != 0 { return "Suspended" }
        return state & ProcessState.active != 0 ? "Scheduled" : "Waiting"
    }

    /// The section `=proc`. `withStack`: the stack's terms follow, as the break menu shows them.
    public static func write(_ process: Ref<Process>, caller: Ref<Process>?, withStack: Bool, _ output: DumpOutput) {
        let p = process.pointee
        output.line("=proc:\(printed(p.id))")
        output.line("State: \(stateName(process, caller: caller))")
        if !p.registeredName.isNone { output.line("Name: \(printed(p.registeredName))") }
        output.line("Spawned as: \(name(p.initialModule, p.initialName, Int(p.initialArity)))")
        if process.state & ProcessState.running != 0, let bif = p.currentBif {
            output.line("Last scheduled in for: \(name(bif.pointee.module, bif.pointee.name, Int(bif.pointee.arity)))")
        }
        output.line("Spawned by: \(p.parent.isNone ? "[]" : printed(p.parent))")
        guard isQuiet(process, caller: caller) else { return output.line("Internal State: \(internalState(process))") }
        let heap = InfoBuilder(process: process, heap: process.heap, isOwn: process == caller)
        output.line("Message queue length: \(heap.messageCount())")
        writeFragments(process, output)
        writeRelations(process, output)
        if withStack { writePlainDictionary(process, output) }
        output.line("Reductions: \(heap.reductions())")
        writeSizes(process, output)
        output.line("Memory: \(heap.memory())")
        if withStack { output.line("Stack dump:") }
        if let pc = UInt(exactly: Int(bitPattern: p.pc)), pc != 0 {
            output.line("Program counter: \(address(UInt64(pc))) (\(place(p.location, UInt64(pc))))")
        }
        if withStack {
            output.line("arity = \(p.liveX)")
            writePlainStack(process, output)
        }
        output.line("Internal State: \(internalState(process))")
    }

    private static func writePlainDictionary(_ process: Ref<Process>, _ output: DumpOutput) {
        var pairs: [String] = []
        Dictionary.forEach(process) { pairs.append("{\(printed($0, limit: 1000)),\(printed($1, limit: 1000))}") }
        if !pairs.isEmpty { output.line("Dictionary: [" + pairs.joined(separator: ",") + "]") }
    }

    private static func writeFragments(_ process: Ref<Process>, _ output: DumpOutput) {
        var count = 0
        var next = process.pointee.heap.fragments
        while let fragment = next {
            count += 1
            next = fragment.pointee.next
        }
        output.line("Number of heap fragments: \(count)")
        output.line("Heap fragment data: \(process.pointee.heap.fragmentWords)")
    }

    /// Links, and monitors of both directions: `[<0.1.0>, {to,<0.2.0>,#Ref<...>}, {from,...}]`.
    private static func writeRelations(_ process: Ref<Process>, _ output: DumpOutput) {
        var list: [String] = []
        IdTable.forEach(process.pointee.links) {
            if $0.pointee.a == 0 { list.append(printed(Term(raw: $0.pointee.key.first))) }
        }
        var scratch = Heap()
        withUnsafeMutablePointer(to: &scratch) { heap in
            IdTable.forEach(process.pointee.monitors) { entry in
                guard entry.pointee.a != 0 else { return }
                let isTarget = entry.pointee.c & MonitorFlags.isTarget != 0
                let reference = printed(heap.reference((entry.pointee.key.first, entry.pointee.key.second)))
                let other = Term(raw: entry.pointee.a)
                let name = Term(raw: entry.pointee.b)
                let node = printed(Nodes.local.pointee.name)
                let object = isTarget || name.isNone ? printed(other) : "{\(printed(name)),\(node)}"
                list.append("{\(isTarget ? "from" : "to"),\(object),\(reference)}")
            }
            freeScratch(heap)
        }
        if !list.isEmpty { output.line("Link list: [" + list.joined(separator: ", ") + "]") }
    }

    private static func writeSizes(_ process: Ref<Process>, _ output: DumpOutput) {
        let p = process.pointee
        let old = p.oldStart.map { p.oldEnd! - $0 } ?? 0
        let oldUsed = p.oldStart.map { p.oldTop! - $0 } ?? 0
        output.line("Stack+heap: \(p.stackEnd - p.heapStart)")
        output.line("OldHeap: \(old)")
        output.line("Heap unused: \(p.stackTop - (p.heap.top ?? p.heapStart))")
        output.line("OldHeap unused: \(old - oldUsed)")
        output.line("BinVHeap: \(p.heap.offHeap.words)")
        output.line("OldBinVHeap: \(p.oldOffHeap.words)")
        output.line("BinVHeap unused: \(max(0, Int(p.binaryWordsLimit) - Int(p.heap.offHeap.words)))")
        output.line("OldBinVHeap unused: \(max(0, Int(p.oldBinaryWordsLimit) - Int(p.oldOffHeap.words)))")
    }

    private static func internalState(_ process: Ref<Process>) -> String {
        let priority = "PRIO_" + printed(ProcessPriority.atom(process.pointee.priority)).uppercased()
        var words = ["ACT_\(priority)", "USR_\(priority)", "PRQ_\(priority)"]
        let state = process.state
        if process.pointee.queueData == 1 { words.append("OFF_HEAP_MSGQ") }
        if state & ProcessState.signals != 0 { words.append("SIG_IN_Q") }
        if state & ProcessState.active != 0 { words.append("ACTIVE") }
        if state & ProcessState.suspended != 0 { words.append("SUSPENDED") }
        if state & ProcessState.exiting != 0 { words.append("EXITING") }
        if state & ProcessState.queued != 0 { words.append("IN_RUNQ") }
        if state & ProcessState.running != 0 { words.append("RUNNING") }
        return words.joined(separator: " | ")
    }

    static func name(_ module: Term, _ name: Term, _ arity: Int) -> String {
        "\(printed(module)):\(printed(name))/\(arity)"
    }

    /// `M:F/A + Offset` of a place in code; the offset is in bytes of threaded code, 0 where it is elsewhere.
    static func place(_ location: UnsafePointer<Location>?, _ position: UInt64) -> String {
        guard let function = location?.pointee.function else { return "unknown function" }
        let f = function.pointee
        let start = UInt64(UInt(bitPattern: f.code))
        let offset = f.code != nil && position >= start && position - start < f.codeWords * 8 ? position - start : 0
        return "\(name(f.moduleName, f.name, Int(f.arity))) + \(offset)"
    }

    // MARK: Stacks

    /// Calls `slot` for every y register (number and word) and `frame` for every return address.
    static func walkStack(
        _ process: Ref<Process>, slot: (Int, UInt64) -> Void, frame: (_ position: UInt64, _ code: UInt64) -> Void
    ) {
        var next = process.pointee.stackTop
        var number = 0
        while next < process.pointee.stackEnd {
            let word = next[0]
            if word & 3 == 0, word != 0 {
                frame(UInt64(UInt(bitPattern: next)), word)
                number = 0
            } else {
                slot(number, word)
                number += 1
            }
            next += 1
        }
    }

    static func returnPlace(_ code: UInt64) -> String {
        guard let pointer = CodePointer(bitPattern: UInt(code)),
            let location = UnsafePointer<Location>(bitPattern: UInt(pointer[-1])), location.pointee.function != nil
        else { return "<terminate process normally>" }
        return place(location, code)
    }

    static func catchText(_ word: UInt64) -> String {
        "Catch 0x" + hexadecimal(UInt64(UInt(bitPattern: Term(raw: word).catchPosition)))
    }

    private static func writePlainStack(_ process: Ref<Process>, _ output: DumpOutput) {
        walkStack(process) { number, word in
            let term = Term(raw: word)
            let text = term.isCatch ? catchText(word) : word == 0 ? "[]" : printed(term, limit: 1000)
            output.line("y(\(number))     \(text)")
        } frame: { position, code in
            output.line("\n\(address(position)) Return addr \(address(code)) (\(returnPlace(code)))")
        }
    }

    /// The sections of messages, dictionary, stack and heap. Answers the literals and binaries they name.
    static func writeContents(_ process: Ref<Process>, _ output: DumpOutput) -> DumpTerms {
        let terms = DumpTerms(output)
        let id = printed(process.pointee.id)
        var messages: [Term] = []
        for first in [process.pointee.messages, process.pointee.outerFirst] {
            var next = first
            while let signal = next {
                next = signal.pointee.next
                if SignalKind.isMessage(signal.pointee.kind) { messages.append(signal.pointee.payload) }
            }
        }
        if !messages.isEmpty {
            output.line("=proc_messages:\(id)")
            for message in messages {
                terms.add(message)
                output.line(DumpTerms.reference(message) + ":N")
            }
        }
        var pairs: [(Term, Term)] = []
        Dictionary.forEach(process) { pairs.append(($0, $1)) }
        if !pairs.isEmpty { output.line("=proc_dictionary:\(id)") }
        for index in pairs.indices { output.line("H" + hexadecimal(dictionaryBase + UInt64(index) * 32)) }
        output.line("=proc_stack:\(id)")
        walkStack(process) { number, word in
            let term = Term(raw: word)
            terms.add(term)
            output.line("y\(number):" + (term.isCatch ? "S" + catchText(word) : DumpTerms.reference(term)))
        } frame: { position, code in
            output.line("\(address(position)):SReturn addr 0x\(hexadecimal(code)) (\(returnPlace(code)))")
        }
        output.line("=proc_heap:\(id)")
        for (index, pair) in pairs.enumerated() {
            terms.add(pair.0)
            terms.add(pair.1)
            let position = hexadecimal(dictionaryBase + UInt64(index) * 32)
            output.line("\(position):t2:\(DumpTerms.reference(pair.0)),\(DumpTerms.reference(pair.1))")
        }
        terms.writeObjects()
        return terms
    }

    /// Entries of a dictionary are written as the tuples they are in OTP, at invented addresses from here.
    private static let dictionaryBase = UInt64(1) << 61
}
