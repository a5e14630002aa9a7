// HashBifs.swift: phash2 and phash. Ranges go up to 2^32; big terms cost a reduction per 16 steps.

import CMachine
internal import Machine
import Terms

let hashBifs: [Bif] = [
    Bif("erlang", "phash2", 1, erlang_phash2_1),
    Bif("erlang", "phash2", 2, erlang_phash2_2),
    Bif("erlang", "phash", 2, erlang_phash_2),
]

func erlang_phash2_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    var steps = 0
    var pace = Pace(unit: 16)
    let hash = portableHash(arguments[0], steps: &steps, pace: &pace)
    guard !pace.isStopped else { return process.giveWay(arguments) }
    process.bump(steps / 16)
    return .small(Int(hash & 0x7FF_FFFF))
}

func erlang_phash2_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let range = hashRange(arguments[1]) else { return process.badarg() }
    var steps = 0
    var pace = Pace(unit: 16)
    let hash = portableHash(arguments[0], steps: &steps, pace: &pace)
    guard !pace.isStopped else { return process.giveWay(arguments) }
    process.bump(steps / 16)
    return .small(Int(hash) % range)
}

func erlang_phash_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard let range = hashRange(arguments[1]) else { return process.badarg() }
    if arguments[0].isBitstring, process.isLong(arguments[0].byteCount / 64) { return process.goLong(arguments) }
    var steps = 0
    var pace = Pace(unit: 16)
    let hash = oldHash(arguments[0], steps: &steps, pace: &pace)
    guard !pace.isStopped else { return process.giveWay(arguments) }
    process.bump(steps / 16)
    return .small(1 &+ Int(hash) % range)
}

private func hashRange(_ term: Term) -> Int? {
    guard term.isSmall, term.smallValue >= 1, term.smallValue <= 1 << 32 else { return nil }
    return term.smallValue
}
