// DebugBifs.swift: what erts_debug and the shell's size functions ask about the memory of terms.

import CMachine
internal import Machine
import Terms

let debugBifs: [Bif] = [
    Bif("erts_debug", "same", 2, erts_debug_same_2),
    Bif("erts_debug", "flat_size", 1, erts_debug_flat_size_1),
    Bif("erts_debug", "size_shared", 1, erts_debug_size_shared_1),
    Bif("erts_debug", "map_info", 1, erts_debug_map_info_1),
    Bif("erts_internal", "term_type", 1, erts_internal_term_type_1),
    Bif("erts_internal", "cmp_term", 2, erts_internal_cmp_term_2),
]

func erts_debug_same_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    arguments[0] == arguments[1] ? Atoms.true : Atoms.false
}

func erts_debug_flat_size_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    .small(flatSize(arguments[0]))
}

func erts_debug_size_shared_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    .small(sharedSize(arguments[0]))
}

/// -1, 0 or 1: the order of map keys.
func erts_internal_cmp_term_2(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    .small(compareExact(arguments[0], arguments[1]).signum())
}

/// The name of the representation of a term.
func erts_internal_term_type_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    let term = arguments[0]
    if term.isCons { return Atoms.list }
    if term.isSmall { return Atoms.fixnum }
    if term.isAtom { return Atoms.atom }
    if term.isNil { return Atoms.nil }
    if term.isLocalPid { return Atoms.pid }
    if term.isLocalPort { return Atoms.port }
    switch term.subtag {
    case Subtag.tuple: return Atoms.tuple
    case Subtag.positiveBig, Subtag.negativeBig: return Atoms.bignum
    case Subtag.reference, Subtag.magicReference: return Atoms.reference
    case Subtag.fun: return term.funIsExternal ? Atoms.export : Atoms.fun
    case Subtag.float: return Atoms.hfloat
    case Subtag.refcBinary: return Atoms.refc_binary
    case Subtag.heapBinary: return Atoms.heap_binary
    case Subtag.subBinary: return Atoms.sub_binary
    case Subtag.externalPid: return Atoms.external_pid
    case Subtag.externalPort: return Atoms.external_port
    case Subtag.externalReference: return Atoms.external_reference
    case Subtag.map:
        let kind = Header.mapKind(term.header)
        return kind == MapKind.flat ? Atoms.flatmap : kind == MapKind.root ? Atoms.hashmap : Atoms.hashmap_node
    default: return Atoms.matchstate
    }
}

// MARK: - Shape of a big map

private struct TrieShape {
    var depth = 0
    var leaves = 0
    var bitmaps = 0
    var arrays = 0
    /// By level.
    var leavesAt = InlineArray<16, Int>(repeating: 0)
    /// By number of children.
    var nodesOf = InlineArray<16, Int>(repeating: 0)

    mutating func add(_ node: Words, _ level: Int) {
        let count = Header.mapChildCount(node[0])
        depth = max(depth, level)
        if Header.mapKind(node[0]) == MapKind.root && count == 16 {
            arrays += 1
        } else {
            bitmaps += 1
            nodesOf[count - 1] += 1
        }
        let children = Header.mapChildren(node)
        for index in 0..<count {
            let child = Term(raw: children[index])
            if child.isBoxed {
                add(child.pointer, level + 1)
            } else {
                leaves += 1
                leavesAt[min(level + 1, 15)] += 1
                depth = max(depth, level + 1)
            }
        }
    }
}

/// [{depth,D}, {arrays,N,[]}, {bitmaps,N,ByChildren}, {leafs,N,ByLevel}] of a big map.
func erts_debug_map_info_1(_ process: Ref<Process>, _ arguments: Arguments) -> Term {
    guard arguments[0].isMap else { return process.badmap(arguments[0]) }
    guard !arguments[0].isFlatMap else { return process.badarg() }
    var shape = TrieShape()
    shape.add(arguments[0].pointer, 0)
    let heap = process.heap
    func counts(_ numbers: InlineArray<16, Int>) -> Term {
        let (tuple, elements) = heap.makeTuple(16)
        for index in 0..<16 { elements[index] = Term.small(numbers[index]).raw }
        return tuple
    }
    return heap.list([
        heap.tuple(Atoms.depth, .small(shape.depth)),
        heap.tuple(Atoms.arrays, .small(shape.arrays), .nil),
        heap.tuple(Atoms.bitmaps, .small(shape.bitmaps), counts(shape.nodesOf)),
        heap.tuple(Atoms.leafs, .small(shape.leaves), counts(shape.leavesAt)),
    ])
}
