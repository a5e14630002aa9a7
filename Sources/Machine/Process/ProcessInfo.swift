// ProcessInfo.swift: process_info: what one can ask about a process. The process itself builds the answer: for its own
// call on its heap, for another process's request as a reply message.

import CMachine
import Terms

public enum ProcessInfo {
    /// What process_info/1 tells, in its order; registered_name comes first if there is one.
    static var defaultItems: [Term] {
        [
            Atoms.current_function, Atoms.initial_call, Atoms.status, Atoms.message_queue_len, Atoms.links,
            Atoms.dictionary, Atoms.trap_exit, Atoms.error_handler, Atoms.priority, Atoms.group_leader,
            Atoms.total_heap_size, Atoms.heap_size, Atoms.stack_size, Atoms.reductions, Atoms.garbage_collection,
            Atoms.suspending,
        ]
    }

    /// Whether an item is known, so that a request can be refused before it is sent.
    static func isItem(_ item: Term) -> Bool {
        switch item {
        case Atoms.registered_name, Atoms.current_function, Atoms.initial_call, Atoms.status,
            Atoms.message_queue_len, Atoms.messages, Atoms.links, Atoms.dictionary, Atoms.trap_exit,
            Atoms.error_handler, Atoms.priority, Atoms.group_leader, Atoms.total_heap_size, Atoms.heap_size,
            Atoms.stack_size, Atoms.reductions, Atoms.garbage_collection, Atoms.garbage_collection_info,
            Atoms.suspending, Atoms.monitors, Atoms.monitored_by, Atoms.memory, Atoms.binary, Atoms.catchlevel,
            Atoms.current_location, Atoms.current_stacktrace, Atoms.backtrace, Atoms.last_calls,
            Atoms.min_heap_size, Atoms.min_bin_vheap_size, Atoms.max_heap_size, Atoms.fullsweep_after,
            Atoms.message_queue_data, Atoms.parent, Atoms.sequential_trace_token, Atoms.trace, Atoms.magic_ref:
            true
        default: false
        }
    }

    // MARK: Requests

    /// Signal.flags of a request to display the stack.
    static let displayRequest: UInt32 = 1

    static func handle(_ signal: Ref<Signal>, _ process: Ref<Process>) {
        let numbers = signal.numbers
        if signal.pointee.flags == displayRequest {
            displayStack(process, isOwn: false)
            return reply(numbers, to: signal.pointee.from, from: process, Atoms.true)
        }
        let request = signal.pointee.payload
        sendBuilt(to: signal.pointee.from, from: process.pointee.id, on: process.pointee.scheduler) { heap in
            let builder = InfoBuilder(process: process, heap: heap, isOwn: false)
            return heap.tuple(heap.reference(numbers), builder.answer(request))
        }
    }

    /// `[{old_heap_block_size,N}, ...]`
    static func collectionInfo(_ process: Ref<Process>, _ heap: Ref<Heap>, extra: Int, extraOld: Int) -> Term {
        InfoBuilder(process: process, heap: heap, isOwn: true).collectionInfo(extra: extra, extraOld: extraOld)
    }
}

/// Builds answers about `process` on `heap`, which is the process's own when `isOwn`.
struct InfoBuilder {
    let process: Ref<Process>
    let heap: Ref<Heap>
    let isOwn: Bool

    /// For a list of items, a single one, or `[]` of process_info/1 given as the atom `all`.
    func answer(_ request: Term) -> Term {
        if request == Atoms.all {
            let items = ProcessInfo.defaultItems.map { heap.tuple($0, value($0)) }
            let name = process.pointee.registeredName
            let list = heap.list(items)
            return name.isNone ? list : heap.cons(heap.tuple(Atoms.registered_name, name), list)
        }
        if request.isList {
            var results: [Term] = []
            var rest = request
            while rest.isCons {
                results.append(pair(rest.head, inList: true))
                rest = rest.tail
            }
            return heap.list(results)
        }
        return pair(request, inList: false)
    }

    private func pair(_ item: Term, inList: Bool) -> Term {
        if item == Atoms.registered_name, process.pointee.registeredName.isNone, !inList { return .nil }
        let result = heap.tuple(item, value(item))
        return result
    }

    /// A term of the process's: itself, or a copy for another process.
    private func own(_ term: Term) -> Term { isOwn ? term : copyTerm(term, to: heap) }

    private func value(_ item: Term) -> Term {
        let p = process
        switch item {
        case Atoms.registered_name: return p.pointee.registeredName.isNone ? .nil : p.pointee.registeredName
        case Atoms.current_function: return currentFunction()
        case Atoms.current_location: return currentLocation()
        case Atoms.current_stacktrace: return currentStack()
        case Atoms.backtrace: return heap.makeBinary(Backtrace.text(process, isOwn: isOwn))
        case Atoms.initial_call:
            return heap.tuple(p.pointee.initialModule, p.pointee.initialName, .small(Int(p.pointee.initialArity)))
        case Atoms.status: return status()
        case Atoms.message_queue_len: return .small(messageCount())
        case Atoms.messages: return messages()
        case Atoms.links: return links()
        case Atoms.monitors: return monitors()
        case Atoms.monitored_by: return monitoredBy()
        case Atoms.dictionary: return dictionary()
        case Atoms.trap_exit: return boolean(p.trapsExits)
        case Atoms.error_handler: return errorHandler(p)
        case Atoms.priority: return ProcessPriority.atom(p.pointee.priority)
        case Atoms.group_leader: return own(p.pointee.groupLeader)
        case Atoms.suspending: return suspending()
        case Atoms.reductions: return .small(reductions())
        case Atoms.parent: return p.pointee.parent.isNone ? Atoms.undefined : p.pointee.parent
        case Atoms.catchlevel: return .small(catchLevel())
        case Atoms.last_calls: return SavedCalls.term(heap, p)
        case Atoms.sequential_trace_token: return SequentialTrace.term(heap, SequentialTrace.token(p))
        case Atoms.magic_ref: return .nil
        case Atoms.trace: return .small(Int(Tracees.find(pid: p.pointee.id).flags))
        case Atoms.binary: return binaries()
        default: return memoryValue(item)
        }
    }

    private func boolean(_ value: Bool) -> Term { value ? Atoms.true : Atoms.false }

    // MARK: State

    private func currentFunction() -> Term {
        let place = Whereabouts(process, isOwn: isOwn)
        return heap.tuple(place.module, place.name, .small(place.arity))
    }

    /// `{M, F, Arity, [{file, File}, {line, Line}]}`
    private func currentLocation() -> Term { frame(Whereabouts(process, isOwn: isOwn)) }

    private func frame(_ place: Whereabouts) -> Term {
        if let location = place.location { return RawTrace.frame(heap, location, arity: .none, info: .nil) }
        return heap.tuple(place.module, place.name, .small(place.arity), .nil)
    }

    private func currentStack() -> Term {
        let depth = max(Int(vm_load_relaxed(&backtraceDepth)), 1)
        if !isOwn, process.isHibernating { return .nil }
        let place = Whereabouts(process, isOwn: isOwn)
        // As in OTP, a function on a dirty thread has no frame.
        var list: [Term] = process.state & ProcessState.dirty != 0 ? [] : [frame(place)]
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: depth) { buffer in
            let count = RawTrace.gather(
                place.firstReturn, process.pointee.stackEnd, into: buffer.baseAddress!, limit: depth - 1)
            for index in 0..<count {
                guard let location = UnsafePointer<Location>(bitPattern: UInt(buffer[index])) else { continue }
                list.append(RawTrace.frame(heap, location, arity: .none, info: .nil))
            }
        }
        return heap.list(list)
    }

    private func status() -> Term {
        let state = process.state
        if isOwn { return Atoms.running }
        if state & ProcessState.exiting != 0 { return Atoms.exiting }
        if state & ProcessState.collecting != 0 { return Atoms.garbage_collecting }
        if state & ProcessState.dirtyRunning != 0 { return Atoms.running }
        if state & ProcessState.suspended != 0 { return Atoms.suspended }
        return state & ProcessState.active != 0 ? Atoms.runnable : Atoms.waiting
    }

    func reductions() -> Int {
        Int(process.pointee.reductions &+ sliceLength &- process.pointee.sliceReductions)
    }

    private func catchLevel() -> Int {
        var slot = process.pointee.stackTop
        var count = 0
        while slot < process.pointee.stackEnd {
            if Term(raw: slot[0]).isCatch { count += 1 }
            slot += 1
        }
        return count
    }

    // MARK: Messages

    /// Messages in both queues: a process that asks about itself has not taken over the outer one.
    func messageCount() -> Int {
        var count = Int(process.pointee.messageCount)
        forEachOuterMessage { _ in count += 1 }
        return count
    }

    private func forEachOuterMessage(_ body: (Ref<Signal>) -> Void) {
        guard isOwn else { return }
        vm_lock(&process.pointee.signalLock)
        var next = process.pointee.outerFirst
        while let signal = next {
            next = signal.pointee.next
            if SignalKind.isMessage(signal.pointee.kind) { body(signal) }
        }
        vm_unlock(&process.pointee.signalLock)
    }

    private var isSensitive: Bool { process.pointee.flags & ProcessFlags.sensitive != 0 }

    private func messages() -> Term {
        if isSensitive, !isOwn { return .nil }
        var list: [Term] = []
        var next = process.pointee.messages
        while let signal = next {
            next = signal.pointee.next
            if isOwn { process.adopt(signal) }
            list.append(own(signal.pointee.payload))
        }
        forEachOuterMessage { list.append(copyTerm($0.pointee.payload, to: heap)) }
        return heap.list(list)
    }

    // MARK: Relations

    private func links() -> Term {
        var list: [Term] = []
        IdTable.forEach(process.pointee.links) {
            if $0.pointee.a == 0 { list.append(Term(raw: $0.pointee.key.first)) }
        }
        list.sort { compareTerms($0, $1) < 0 }
        return heap.list(list)
    }

    private func monitors() -> Term {
        var list: [Term] = []
        IdTable.forEach(process.pointee.monitors) { entry in
            guard entry.pointee.c & MonitorFlags.isTarget == 0 else { return }
            if entry.pointee.c & MonitorFlags.timeOffset != 0 {
                return list.append(heap.tuple(Atoms.time_offset, Atoms.clock_service))
            }
            guard entry.pointee.a != 0 else { return }
            let target = Term(raw: entry.pointee.a)
            let name = Term(raw: entry.pointee.b)
            let object = name.isNone ? target : heap.tuple(name, Nodes.local.pointee.name)
            list.append(heap.tuple(target.isLocalPort ? Atoms.port : Atoms.process, object))
        }
        return heap.list(list)
    }

    private func monitoredBy() -> Term {
        var list: [Term] = []
        IdTable.forEach(process.pointee.monitors) {
            if $0.pointee.c & MonitorFlags.isTarget != 0 { list.append(Term(raw: $0.pointee.a)) }
        }
        return heap.list(list)
    }

    private func suspending() -> Term {
        var list: [Term] = []
        IdTable.forEach(ProcessExtra.find(process)?.pointee.suspended) {
            let count = Int($0.pointee.a)
            list.append(heap.tuple(Term(raw: $0.pointee.key.first), .small(count), .small(0)))
        }
        return heap.list(list)
    }

    private func dictionary() -> Term {
        if isSensitive, !isOwn { return .nil }
        var list: [Term] = []
        Dictionary.forEach(process) { list.append(heap.tuple(own($0), own($1))) }
        return heap.list(list)
    }

    /// `[{Address, Size, References}]` of the shared binaries.
    private func binaries() -> Term {
        var list: [Term] = []
        for start in [process.pointee.heap.offHeap.first, process.pointee.oldOffHeap.first] {
            var next = start
            while let object = next {
                next = Words(bitPattern: UInt(object[2]))
                guard Header.subtag(object[0]) == Subtag.refcBinary,
                    let binary = Ref<Binary>(bitPattern: UInt(object[3]))
                else { continue }
                let address = heap.integer(unsigned: UInt64(UInt(bitPattern: binary)))
                let size = heap.integer(unsigned: binary.pointee.capacity)
                list.append(heap.tuple(address, size, heap.integer(unsigned: vm_load_relaxed(binary.referencesField))))
            }
        }
        return heap.list(list)
    }

    // MARK: Memory

    private var blockWords: Int { process.pointee.stackEnd - process.pointee.heapStart }
    private var oldWords: Int { process.pointee.oldStart.map { process.pointee.oldEnd! - $0 } ?? 0 }

    /// In OTP the return address of a native function, or of the collector, is on the stack.
    private var stackWords: Int {
        process.pointee.stackEnd - process.pointee.stackTop + (isOwn ? 1 : 0)
    }

    /// Words of young block, old generation and fragments.
    private func totalWords() -> Int { blockWords + oldWords + fragmentWords() }

    /// Words of fragments, and of the messages in the inner queue if they belong on the heap.
    private func fragmentWords() -> Int {
        var words = Int(process.pointee.heap.fragmentWords)
        guard process.pointee.queueData == 0 else { return words }
        var next = process.pointee.messages
        while let signal = next {
            next = signal.pointee.next
            var fragment = signal.pointee.fragments
            while let current = fragment {
                words += Int(current.pointee.used)
                fragment = current.pointee.next
            }
        }
        return words
    }

    func memory() -> Int {
        var bytes = MemoryLayout<Process>.size + totalWords() * 8
        bytes += IdTable.byteCount(process.pointee.links) + IdTable.byteCount(process.pointee.monitors)
        bytes += Dictionary.byteCount(process)
        if process.pointee.savedXCapacity > 6 { bytes += Int(process.pointee.savedXCapacity) * 8 }
        var next = process.pointee.messages
        while let signal = next {
            next = signal.pointee.next
            bytes += MemoryLayout<Signal>.size
            var fragment = signal.pointee.fragments
            while let current = fragment {
                bytes += MemoryLayout<Fragment>.size + Int(current.pointee.capacity) * 8
                fragment = current.pointee.next
            }
        }
        return bytes
    }

    private func memoryValue(_ item: Term) -> Term {
        let p = process.pointee
        switch item {
        case Atoms.heap_size: return .small(blockWords)
        case Atoms.total_heap_size: return .small(totalWords())
        case Atoms.stack_size: return .small(stackWords)
        case Atoms.memory: return .small(memory())
        case Atoms.min_heap_size: return .small(Int(p.minHeapWords))
        case Atoms.min_bin_vheap_size: return .small(Int(p.minBinaryWords))
        case Atoms.max_heap_size: return maxHeapSize()
        case Atoms.fullsweep_after: return .small(Int(p.fullSweepAfter))
        case Atoms.message_queue_data: return p.queueData == 1 ? Atoms.off_heap : Atoms.on_heap
        case Atoms.garbage_collection:
            return heap.list([
                heap.tuple(Atoms.max_heap_size, maxHeapSize()),
                heap.tuple(Atoms.min_bin_vheap_size, .small(Int(p.minBinaryWords))),
                heap.tuple(Atoms.min_heap_size, .small(Int(p.minHeapWords))),
                heap.tuple(Atoms.fullsweep_after, .small(Int(p.fullSweepAfter))),
                heap.tuple(Atoms.minor_gcs, .small(Int(p.minorSinceFull))),
            ])
        case Atoms.garbage_collection_info: return collectionInfo()
        default: return Atoms.undefined
        }
    }

    /// `#{size => N, kill => K, error_logger => E}`
    private func maxHeapSize() -> Term {
        maxHeapMap(heap, size: Int(process.pointee.maxHeapWords), flags: process.pointee.flags)
    }

    /// `extra`, `extraOld`: words that a collection is about to allocate.
    func collectionInfo(extra: Int = 0, extraOld: Int = 0) -> Term {
        let p = process.pointee
        let top = p.heap.top.map { $0 - p.heapStart } ?? 0
        let pairs: [(Term, Int)] = [
            (Atoms.old_heap_block_size, oldWords + extraOld),
            (Atoms.heap_block_size, blockWords + extra),
            (Atoms.mbuf_size, fragmentWords()),
            (Atoms.recent_size, p.highWater - p.heapStart),
            (Atoms.stack_size, stackWords),
            (Atoms.old_heap_size, p.oldStart.map { p.oldTop! - $0 } ?? 0),
            (Atoms.heap_size, top),
            (Atoms.bin_vheap_size, Int(p.heap.offHeap.words)),
            (Atoms.bin_vheap_block_size, Int(p.binaryWordsLimit)),
            (Atoms.bin_old_vheap_size, Int(p.oldOffHeap.words)),
            (Atoms.bin_old_vheap_block_size, Int(p.oldBinaryWordsLimit)),
        ]
        return heap.list(pairs.map { heap.tuple($0.0, .small($0.1)) })
    }
}

func maxHeapMap(_ heap: Ref<Heap>, size: Int, flags: UInt32) -> Term {
    map(
        heap,
        [
            (Atoms.size, .small(size)),
            (Atoms.kill, flags & ProcessFlags.killOnHeapLimit != 0 ? Atoms.true : Atoms.false),
            (Atoms.error_logger, flags & ProcessFlags.reportHeapLimit != 0 ? Atoms.true : Atoms.false),
        ])
}
