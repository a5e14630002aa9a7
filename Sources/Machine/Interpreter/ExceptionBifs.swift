// ExceptionBifs.swift: erlang:error/1,2,3, exit/1, throw/1, raise/3.

import CMachine
import Terms

public let exceptionBifs: [Bif] = [
    Bif("erlang", "error", 1, erlang_error_1),
    Bif("erlang", "error", 2, erlang_error_2),
    Bif("erlang", "error", 3, erlang_error_3),
    Bif("erlang", "exit", 1, erlang_exit_1),
    Bif("erlang", "throw", 1, erlang_throw_1),
    Bif("erlang", "raise", 3, erlang_raise_3),
]

func erlang_error_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term { process.raise(arguments[0]) }

func erlang_error_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    _ = process.raise(arguments[0])
    if arguments[1] != Atoms.none { process.pointee.exceptionArguments = arguments[1] }
    return .none
}

/// The third argument is `[{error_info, Map}]`.
func erlang_error_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var options = arguments[2]
    var info = Term.none
    while options.isCons {
        let option = options.head
        guard option.isTuple(2), option.element(0) == Atoms.error_info, option.element(1).isMap else {
            return process.badarg()
        }
        info = option.element(1)
        options = options.tail
    }
    guard options.isNil else { return process.badarg() }
    _ = process.raise(arguments[0])
    if arguments[1] != Atoms.none { process.pointee.exceptionArguments = arguments[1] }
    process.pointee.exceptionInfo = info
    return .none
}

func erlang_exit_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.raise(arguments[0], as: ExceptionClass.exit)
}

func erlang_throw_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    process.raise(arguments[0], as: ExceptionClass.throw)
}

/// Raises with a given class, reason and stack trace; answers badarg (as a value) when they are none.
func erlang_raise_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let exceptionClass: Int
    switch arguments[0] {
    case Atoms.error: exceptionClass = ExceptionClass.error
    case Atoms.exit: exceptionClass = ExceptionClass.exit
    case Atoms.throw: exceptionClass = ExceptionClass.throw
    default: return Atoms.badarg
    }
    guard let trace = checkedTrace(process.heap, arguments[2]) else { return Atoms.badarg }
    _ = process.raise(arguments[1], as: exceptionClass)
    process.pointee.trace = RawTrace.given(process.heap, class: exceptionClass, list: trace)
    return .none
}

/// The given trace, cut to the back-trace depth, with a location list added to entries without one; nil if it is no
/// stack trace.
private func checkedTrace(_ heap: Ref<Heap>, _ list: Term) -> Term? {
    var entries: [Term] = []
    var rest = list
    let depth = Int(vm_load_relaxed(&backtraceDepth))
    while rest.isCons {
        let entry = rest.head
        guard let checked = checkedEntry(heap, entry) else { return nil }
        if entries.count < depth { entries.append(checked) }
        rest = rest.tail
    }
    return rest.isNil ? heap.list(entries) : nil
}

private func checkedEntry(_ heap: Ref<Heap>, _ entry: Term) -> Term? {
    guard entry.isTuple else { return nil }
    let size = entry.tupleSize
    if size >= 2, size <= 3, entry.element(0).isFun {
        let isArguments = entry.element(1).isNil || entry.element(1).isCons
        guard isArguments, size == 2 || entry.element(2).isList else { return nil }
        return size == 3 ? entry : heap.tuple(entry.element(0), entry.element(1), .nil)
    }
    guard size == 3 || size == 4, entry.element(0).isAtom, entry.element(1).isAtom else { return nil }
    let arity = entry.element(2)
    if size == 4 { return entry.element(3).isList ? entry : nil }
    return heap.tuple(entry.element(0), entry.element(1), arity, .nil)
}
