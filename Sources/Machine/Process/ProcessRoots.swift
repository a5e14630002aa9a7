// ProcessRoots.swift: the terms that point into a process's heap from outside it: the dictionary and the messages that
// were handed out but stay in the queue. The collector forwards them.

import CMachine
import Terms

/// Calls `body` with the place of every term kept outside the heap, the stack and the registers.
func forEachRoot(of process: Ref<Process>, _ body: (Ref<Term>) -> Void) {
    Dictionary.forEachRoot(process, body)
    forEachQueueRoot(process, body)
}

/// The messages without memory of their own.
func forEachQueueRoot(_ process: Ref<Process>, _ body: (Ref<Term>) -> Void) {
    let offset = MemoryLayout<Signal>.offset(of: \.payload)!
    var next = process.pointee.messages
    while let signal = next {
        next = signal.pointee.next
        if signal.pointee.fragments == nil, !signal.pointee.payload.isImmediate {
            body((UnsafeMutableRawPointer(signal) + offset).assumingMemoryBound(to: Term.self))
        }
    }
}
