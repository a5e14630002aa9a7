// TableSelect.swift: what a match specification asks of a table: which keys can match, and going through the objects.
//
// With a known key only its bucket or node is looked at; in an ordered set a key pattern whose beginning is known gives
// a range. A traversal with a limit keeps its place in the continuation: a bucket index, or the last key. In a big table
// the native function runs on a fiber and lets go of the table when it gives the thread back (`pause`): the table is
// fixed meanwhile, so that its buckets stay where they are; an ordered set is entered again at the next key.

import CMachine
import Machine
import Terms

/// What is done with the objects that match.
enum SelectAction {
    /// Results become a list.
    case collect
    /// Count the results that are true.
    case count
    /// Delete the objects whose result is true.
    case delete
    /// Put the result in the place of the object.
    case replace
}

/// How much of the keys that can match is known.
enum KeyKnowledge {
    case nothing
    /// Nothing in the table can match.
    case impossible
    /// All possible keys of a hash table, or the only one of an ordered set.
    case keys
    /// Ordered sets: bounds, which may be patterns.
    case range(from: Term, to: Term)
}

/// A specification made ready for one table.
struct Selection {
    let program: Ref<MatchProgram>
    let knowledge: KeyKnowledge
    /// The possible keys, of each bucket once.
    let keys: [Term]

    /// Nil after storing the exception. The caller frees the program, unless a term owns it.
    static func make(
        _ process: Ref<Process>, _ table: Ref<Table>, _ specification: Term, _ action: SelectAction
    ) -> Selection? {
        guard let clauses = matchClauses(specification) else {
            _ = process.badarg()
            return nil
        }
        let position = table.pointee.keyPosition
        if action == .replace {
            for clause in clauses where !keepsKey(clause, position) {
                _ = process.badarg()
                return nil
            }
        }
        do throws(MatchFailure) {
            var compiler = MatchCompiler(flags: MatchFlags.table)
            let program = try compiler.compile(clauses)
            let (knowledge, keys) =
                table.isOrdered ? treeKnowledge(clauses, position) : hashKnowledge(clauses, table)
            return Selection(program: program, knowledge: knowledge, keys: keys)
        } catch {
            _ = error == .tooDeep ? process.systemLimit() : process.badarg()
            return nil
        }
    }
}

// MARK: - Keys

/// A pattern's key: nil for a pattern that matches everything, none for one that no object with a key matches.
private func patternKey(_ pattern: Term, _ position: Int) -> Term? {
    if pattern == Atoms.underscore || matchVariable(pattern) != nil { return nil }
    guard pattern.isTuple, pattern.tupleSize >= position else { return Term.none }
    return pattern.element(position - 1)
}

private func hashKnowledge(_ clauses: [MatchClause], _ table: Ref<Table>) -> (KeyKnowledge, [Term]) {
    var keys: [Term] = []
    var buckets: [Int] = []
    for clause in clauses {
        guard let key = patternKey(clause.pattern, table.pointee.keyPosition) else { return (.nothing, []) }
        if key.isNone { continue }
        if hasMatchVariable(key) { return (.nothing, []) }
        let hash = tableHash(key)
        let stripe = table.stripe(hash)
        table.lockStripe(stripe)
        let index = table.bucketIndex(hash)
        table.unlockStripe(stripe)
        if buckets.contains(index) { continue }
        if table.pointee.stripeMask == 0, !table.hasKey(key) { continue }
        buckets.append(index)
        keys.append(key)
    }
    return keys.isEmpty ? (.impossible, []) : (.keys, keys)
}

private func treeKnowledge(_ clauses: [MatchClause], _ position: Int) -> (KeyKnowledge, [Term]) {
    var least: Term?
    var most: Term?
    var patterns = 0
    for clause in clauses {
        guard let key = patternKey(clause.pattern, position) else { return (.nothing, []) }
        if key.isNone { continue }
        if hasMatchVariable(key) {
            // Bounds of several patterns would have to be merged: rare, so all objects are looked at.
            if least != nil || patterns > 0 || key.isAtom || containsMap(key) { return (.nothing, []) }
            patterns += 1
            least = key
            most = key
            continue
        }
        if patterns > 0 { return (.nothing, []) }
        if least == nil || compareTerms(key, least.unsafelyUnwrapped) < 0 { least = key }
        if most == nil || compareTerms(key, most.unsafelyUnwrapped) > 0 { most = key }
    }
    guard let least, let most else { return (.impossible, []) }
    if patterns == 0, compareTerms(least, most) == 0 { return (.keys, [least]) }
    return (.range(from: least, to: most), [])
}

/// Whether a pattern has a map in its tuples and lists: such a pattern bounds no range.
private func containsMap(_ term: Term) -> Bool {
    var stack = WordBuffer()
    defer { stack.release() }
    stack.push(term.raw)
    while stack.count > 0 {
        stack.count -= 1
        var current = Term(raw: stack.words[stack.count])
        while current.isCons {
            stack.push(current.head.raw)
            current = current.tail
        }
        if current.isMap { return true }
        if current.isTuple {
            for index in 0..<current.tupleSize { stack.push(current.element(index).raw) }
        }
    }
    return false
}

/// Order of a key pattern and a key as far as the pattern is known; 0 from its first variable on. Below a depth of
/// 1000 everything counts as equal, which only makes ranges larger.
func comparePattern(_ pattern: Term, _ key: Term) -> Int {
    var done = false
    return comparePart(pattern, key, &done, 0)
}

private func comparePart(_ pattern: Term, _ key: Term, _ done: inout Bool, _ depth: Int) -> Int {
    if pattern.isAtom, pattern == Atoms.underscore || matchVariable(pattern) != nil || depth > 1000 {
        done = true
        return 0
    }
    if pattern == key { return 0 }
    if depth > 1000 {
        done = true
        return 0
    }
    if pattern.isCons, key.isCons {
        var a = pattern
        var b = key
        while a.isCons, b.isCons {
            let order = comparePart(a.head, b.head, &done, depth + 1)
            if order != 0 || done { return order }
            a = a.tail
            b = b.tail
            if a == b { return 0 }
        }
        return comparePart(a, b, &done, depth + 1)
    }
    if pattern.isTuple, key.isTuple {
        let size = pattern.tupleSize
        if size != key.tupleSize { return size < key.tupleSize ? -1 : 1 }
        for index in 0..<size {
            let order = comparePart(pattern.element(index), key.element(index), &done, depth + 1)
            if order != 0 || done { return order }
        }
        return 0
    }
    return compareTerms(pattern, key)
}

extension UnsafeMutablePointer where Pointee == Table {
    /// The first object that is not before the pattern.
    func treeFirst(in pattern: Term) -> TableObject? {
        var best: TableObject?
        var current = pointee.root
        while let object = current {
            if comparePattern(pattern, object.key(pointee.keyPosition)) > 0 {
                current = object.right
            } else {
                best = object
                current = object.left
            }
        }
        return best
    }

    /// The last object that is not behind the pattern.
    func treeLast(in pattern: Term) -> TableObject? {
        var best: TableObject?
        var current = pointee.root
        while let object = current {
            if comparePattern(pattern, object.key(pointee.keyPosition)) < 0 {
                current = object.left
            } else {
                best = object
                current = object.right
            }
        }
        return best
    }
}

// MARK: - Going through a table

/// The state of a traversal and what it has found.
struct Traversal {
    let table: Ref<Table>
    let action: SelectAction
    var runner: MatchRunner
    private let heap: Ref<Heap>
    /// Nil: the table is gone or may not be used any more, an exception is stored; or the process is ending.
    private var locked: LockedTable?
    private let access: TableAccess
    private let locking: TableLocking
    /// Made at the first pause, from which on the traversal fixes the table.
    private var reference = Term.none
    private var charged = 0
    /// Results so far, the last one first; their number.
    var list = Term.nil
    var found = 0
    /// Objects looked at.
    var visited = 0

    /// Takes over `locked`, a table locked as the action needs it; `end` lets go of it.
    init(_ process: Ref<Process>, _ locked: LockedTable, _ program: Ref<MatchProgram>, _ action: SelectAction) {
        table = locked.table
        self.locked = locked
        self.action = action
        let isReading = action == .collect || action == .count
        access = isReading ? .read : .write
        locking = isReading ? .shared : .record
        runner = MatchRunner(program, process, copies: action == .collect)
        heap = process.heap
        vm_hold(1)
    }

    /// The traversal was broken off; what the function answers is an exception that is stored.
    var isBroken: Bool { locked == nil }

    mutating func end() {
        runner.release()
        locked?.unlock()
        locked = nil
        if !reference.isNone {
            var cause = Term.none
            if let again = TableRegistry.acquire(runner.process, reference, .information, .record, &cause) {
                _ = vm_fetch_sub(&table.pointee.fixCount, 1)
                if !table.isFixed, table.hasDeletions { table.purgeDeletions() }
                again.unlock()
            }
        }
        vm_hold(-1)
    }

    /// Whether the thread is to be given back before the next object.
    @inline(__always) private mutating func isDue() -> Bool {
        if visited &- charged < 64 { return false }
        return charge()
    }

    @inline(never) private mutating func charge() -> Bool {
        guard vm_on_fiber() else {
            charged = .max
            return false
        }
        let work = visited - charged
        charged = visited
        return !vm_breathe(Int64(work)) || runner.process.pointee.sliceReductions <= 0
    }

    /// Gives the thread back without the table. False: broken off.
    private mutating func pause() -> Bool {
        guard let before = locked else { return false }
        if reference.isNone {
            reference = table.reference(heap)
            _ = vm_fetch_add(&table.pointee.fixCount, 1)
        }
        before.unlock()
        locked = nil
        vm_hold(-1)
        let goesOn = vm_breathe(1)
        vm_hold(1)
        if goesOn { locked = TableRegistry.acquire(runner.process, reference, access, locking) }
        return locked != nil
    }

    /// Matches one object. True if something is to be done with it; `result` is what it became.
    @inline(__always) private mutating func match(_ object: TableObject, _ result: inout Term) -> Bool {
        visited &+= 1
        runner.object = object
        result = runner.run(object.tuple)
        if result.isNone { return false }
        switch action {
        case .collect:
            list = heap.cons(result, list)
            found &+= 1
            return false
        case .count:
            if result == Atoms.true { found &+= 1 }
            return false
        case .delete: return result == Atoms.true
        case .replace: return true
        }
    }

    // MARK: Hash tables

    /// Goes through the chain of one bucket, whose stripe is locked.
    mutating func visit(bucket: Bucket) {
        var link = bucket
        var result = Term.none
        while let object = TableObject(link.pointee) {
            if !object.isDeleted, match(object, &result) {
                found &+= 1
                if action == .replace {
                    let fresh = replacement(of: object, result)
                    link.pointee = fresh.word
                    link = fresh.base
                    continue
                }
                if removeOrMark(object, link) { continue }
            }
            link = object.base
        }
    }

    private func replacement(of object: TableObject, _ result: Term) -> TableObject {
        let fresh = TableObject.make(result, inTree: false)
        fresh.hash = object.hash
        fresh.next = object.next
        table.stripe(object.hash).pointee.words &+= fresh.words &- object.words
        object.free(inTree: false)
        return fresh
    }

    private func removeOrMark(_ object: TableObject, _ link: Bucket) -> Bool {
        let stripe = table.stripe(object.hash)
        stripe.pointee.objects &-= 1
        if table.isFixed {
            object.isDeleted = true
            table.rememberDeletion(object.hash, stripe)
            return false
        }
        link.pointee = object.base[0]
        stripe.pointee.words &-= object.allocatedWords(inTree: false)
        object.free(inTree: false)
        return true
    }

    /// Visits the buckets of the keys.
    mutating func visit(keys: [Term]) {
        for key in keys {
            var walk = HashWalk(table, hash: tableHash(key))
            visit(bucket: walk.bucket)
            walk.stop()
        }
    }

    /// Visits buckets from `index` on until `limit` results were found at the end of one (0: no limit); answers the
    /// next bucket, or -1 at the end of the table.
    mutating func visitBuckets(from index: Int, limit: Int) -> Int {
        var walk = HashWalk(table, at: index)
        while !walk.isDone {
            if isDue() {
                let place = walk.index
                walk.stop()
                guard pause() else { return -1 }
                walk = HashWalk(table, at: place)
            }
            visit(bucket: walk.bucket)
            walk.advance()
            if limit > 0, found >= limit, !walk.isDone {
                walk.stop()
                return walk.index
            }
        }
        return -1
    }

    // MARK: Ordered sets

    /// Visits one node; answers the one that stands there afterwards.
    mutating func visit(node object: TableObject) {
        var result = Term.none
        guard match(object, &result) else { return }
        found &+= 1
        if action == .replace {
            table.treeReplace(object, by: TableObject.make(result, inTree: true))
        } else {
            table.treeRemove(object)
            object.free(inTree: true)
        }
    }

    /// Visits nodes from `start` on until one is behind `end` (a pattern; nil: no bound), or `limit` results were found.
    /// Answers the last node visited if the limit ended it.
    mutating func visitNodes(from start: TableObject?, to end: Term?, ascending: Bool, limit: Int) -> TableObject? {
        var current = start
        while let next = current {
            var object = next
            if isDue() {
                let key = copyOut(object.key(table.pointee.keyPosition), to: heap)
                guard pause() else { return nil }
                guard let found = table.treeFind(key) ?? (ascending ? table.treeAfter(key) : table.treeBefore(key)) else {
                    return nil
                }
                object = found
            }
            if let end {
                let order = comparePattern(end, object.key(table.pointee.keyPosition))
                if ascending ? order < 0 : order > 0 { return nil }
            }
            current = ascending ? object.successor : object.predecessor
            visit(node: object)
            if limit > 0, found == limit { return object }
        }
        return nil
    }

    /// The whole traversal of an ordered set without a limit.
    mutating func visitTree(_ selection: Selection, ascending: Bool) {
        switch selection.knowledge {
        case .impossible: break
        case .keys:
            if let object = table.treeFind(selection.keys[0]) { visit(node: object) }
        case .nothing:
            _ = visitNodes(
                from: ascending ? table.treeFirst : table.treeLast, to: nil, ascending: ascending, limit: 0)
        case .range(let from, let to):
            let start = ascending ? table.treeFirst(in: from) : table.treeLast(in: to)
            _ = visitNodes(from: start, to: ascending ? to : from, ascending: ascending, limit: 0)
        }
    }

    /// The whole traversal of any table without a limit.
    mutating func visitAll(_ selection: Selection, ascending: Bool) {
        if table.isOrdered { return visitTree(selection, ascending: ascending) }
        switch selection.knowledge {
        case .impossible: break
        case .keys: visit(keys: selection.keys)
        default: _ = visitBuckets(from: 0, limit: 0)
        }
    }
}
