// ListBifs.swift: the module lists, and the list BIFs of erlang except `--`. Errors as in OTP: a list is only checked as
// far as the function gets, so an improper tail behind the answer is never seen.

import CMachine
internal import Machine
import Terms

let listBifs: [Bif] = [
    Bif("lists", "member", 2, lists_member_2),
    Bif("lists", "reverse", 2, lists_reverse_2),
    Bif("lists", "keyfind", 3, lists_keyfind_3),
    Bif("lists", "keymember", 3, lists_keymember_3),
    Bif("lists", "keysearch", 3, lists_keysearch_3),
    Bif("erlang", "++", 2, erlang_append_2),
    Bif("erlang", "append", 2, erlang_append_2),
    Bif("erlang", "length", 1, erlang_length_1),
    Bif("erlang", "hd", 1, erlang_hd_1),
    Bif("erlang", "tl", 1, erlang_tl_1),
]

func lists_member_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let key = arguments[0]
    var list = arguments[1]
    var count = 0
    var isFound = false
    var pace = Pace(unit: 16)
    if key.isImmediate {
        while list.isCons {
            count &+= 1
            isFound = list.head == key
            if isFound { break }
            list = list.tail
            guard pace.goesOn(count) else { return process.giveWay(arguments) }
        }
    } else {
        while list.isCons {
            count &+= 1
            isFound = isSameKey(list.head, key)
            if isFound { break }
            list = list.tail
            guard pace.goesOn(count) else { return process.giveWay(arguments) }
        }
    }
    process.bump(count / 16)
    if isFound { return Atoms.true }
    return list.isNil ? Atoms.false : process.badarg()
}

/// Elements that are copied without a look at the reductions.
private let shortList = 30_000

/// The price of finding the length of a list and copying it.
private func chargeCopy(_ process: Ref<Process>, _ count: Int) { process.bump(count / 40 &+ count / 60) }

func lists_reverse_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if let made = process.heap.reverseShortList(arguments[0], limit: shortList, tail: arguments[1]) {
        chargeCopy(process, made.count)
        return made.list
    }
    var pace = Pace(unit: 60)
    let count = listLength(arguments[0], &pace)
    guard count >= 0 else { return pace.isStopped ? process.giveWay(arguments) : process.badarg() }
    chargeCopy(process, count)
    return process.heap.reverseList(arguments[0], count: count, tail: arguments[1])
}

// MARK: - Tuples with a key

func lists_keyfind_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    findKey(process, arguments) ?? Atoms.false
}

func lists_keymember_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let found = findKey(process, arguments) else { return Atoms.false }
    return found.isNone ? found : Atoms.true
}

func lists_keysearch_3(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let found = findKey(process, arguments) else { return Atoms.false }
    return found.isNone ? found : process.heap.tuple(Atoms.value, found)
}

/// How a key is compared with elements that are other words.
private enum KeyKind {
    /// A small integer equals the float that it converts to, even where `==` would see a difference.
    case small
    /// Other immediates equal nothing else.
    case identity
    /// As `==`.
    case equality

    @inline(__always) func isEqual(_ key: Term, _ element: Term) -> Bool {
        switch self {
        case .small: element.isFloat && element.floatValue == Double(key.smallValue)
        case .identity: false
        case .equality: !element.isAtom && termsEqual(key, element)
        }
    }
}

/// The first tuple whose element at the position equals the key, nil if there is none, Term.none after an error.
private func findKey(_ process: Ref<Process>, _ arguments: Arguments) -> Term? {
    let key = arguments[0]
    guard arguments[1].isSmall, arguments[1].smallValue >= 1 else { return process.badarg() }
    let position = arguments[1].smallValue &- 1
    let kind: KeyKind = key.isSmall ? .small : key.isImmediate ? .identity : .equality
    var list = arguments[2]
    var count = 0
    var pace = Pace(unit: 10)
    defer { process.bump(count / 10) }
    while list.isCons {
        count &+= 1
        let tuple = list.head
        if tuple.isTuple, position < tuple.tupleSize {
            let element = tuple.element(position)
            if element == key || kind.isEqual(key, element) { return tuple }
        }
        list = list.tail
        guard pace.goesOn(count) else { return process.giveWay(arguments) }
    }
    return list.isNil ? nil : process.badarg()
}

// MARK: - erlang

/// `++`: the right side is not looked at.
func erlang_append_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    if !arguments[1].isNil, let made = process.heap.copyShortList(arguments[0], limit: shortList, tail: arguments[1]) {
        chargeCopy(process, made.count)
        return made.list
    }
    var pace = Pace(unit: 60)
    let count = listLength(arguments[0], &pace)
    guard count >= 0 else { return pace.isStopped ? process.giveWay(arguments) : process.badarg() }
    if arguments[1].isNil { return arguments[0] }
    chargeCopy(process, count)
    return process.heap.copyList(arguments[0], count: count, tail: arguments[1])
}

func erlang_length_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var pace = Pace(unit: 16)
    let count = listLength(arguments[0], &pace)
    guard count >= 0 else { return pace.isStopped ? process.giveWay(arguments) : process.badarg() }
    process.bump(count / 16)
    return .small(count)
}

func erlang_hd_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isCons ? arguments[0].head : process.badarg()
}

func erlang_tl_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0].isCons ? arguments[0].tail : process.badarg()
}
