// Lowering+Maps.swift: looking keys up in maps.

import CLLVM
import CMachine
import Machine
import Terms

extension Lowering {
    /// Immediate keys in flat maps are looked for in line, everything else by the machine.
    func lowerMapElements() {
        guard let fail = failBlock(1) else { return }
        let count = Int(raw(2))
        let results = lookUp((0..<count).map { current.operands[3 + 2 * $0] }, fail)
        for pair in 0..<count { set(4 + 2 * pair, results[pair]) }
    }

    func lowerMapFields() {
        guard let fail = failBlock(1) else { return }
        _ = lookUp((0..<Int(raw(2))).map { current.operands[3 + $0] }, fail)
    }

    /// The values of keys of the map that is the first operand; on to `fail` if one is missing.
    private func lookUp(_ keys: [Operand], _ fail: BasicBlock) -> [Value] {
        let map = value(0)
        let object = self.object(map)
        let isFlat = ir.equal(ir.and(ir.shiftRightLogical(word(object, 0), ir.int(40)), 3), 0)
        return keys.map { key in
            if case .constant(let raw) = key, Term(raw: raw).isImmediate {
                return flatLookup(object, map, isFlat, raw, fail)
            }
            let found = ir.call(lookupHelper, [map, value(key)])
            failIfNone(found, fail)
            return found
        }
    }

    /// map_get(Key, Map) and is_map_key(Key, Map) for a map; the rest is the machine's, or a failed guard.
    func lowerMapBif(isGet: Bool) {
        let (key, map) = (value(1), value(2))
        let guardFails = failBlock(4)
        let other = guardFails ?? newBlock("slow")
        _ = demandBoxed(map, Subtag.map, or: other)
        if guardFails == nil { callElsewhere(other) }
        let found = ir.call(lookupHelper, [map, key])
        if isGet {
            failIfNone(found, other)
            set(3, found)
        } else {
            set(3, ir.select(ir.equal(found, 0), ir.word(Atoms.false.raw), ir.word(Atoms.true.raw)))
        }
        ir.branch(continuation())
    }

    /// One key of a map gets a value. The machine's function does it if nothing need be collected, and touches nothing but
    /// the heap; the rest is the slow function's.
    func lowerPutMap() -> Bool {
        guard current.op == .put_map_assoc || current.op == .put_map_exact, raw(4) == 1, FunctionBody.mayCollect(current) else {
            return false
        }
        // Its new objects would take the words of floats without boxes.
        guard !liveAfter.members.contains(where: known.unboxed.contains) else { return false }
        let (map, key, value) = (value(0), value(5), value(6))
        let put = helper(
            current.op == .put_map_assoc ? .mapPut : .mapUpdate, ir.i64, [ir.pointer, ir.i64, ir.i64, ir.i64, ir.pointer, ir.pointer])
        let changed = ir.call(put, [context, map, key, value, stack, heapTop])
        let slow = newBlock("slow")
        demand(ir.compare(LLVMIntNE, changed, ir.int(0)), or: slow, "changed")
        callElsewhere(slow)
        heapTop = ir.load(ir.pointer, ir.offset(processAddress, Field.top), .process)
        set(1, changed)
        ir.branch(continuation())
        return true
    }

    private var lookupHelper: IRBuilder.Callee { helper(.mapLookup, ir.i64, [ir.i64, ir.i64]) }

    private func failIfNone(_ value: Value, _ fail: BasicBlock) {
        let found = newBlock("found")
        ir.branch(ir.equal(value, 0), fail, found)
        ir.position(found)
    }

    private func flatLookup(_ object: Value, _ map: Value, _ isFlat: Value, _ key: UInt64, _ fail: BasicBlock) -> Value {
        let flat = newBlock("flat")
        let search = newBlock("search")
        let test = newBlock("test")
        let hashed = newBlock("hashed")
        let hit = newBlock("hit")
        let done = newBlock("value")
        ir.branch(isFlat, flat, hashed)
        ir.position(flat)
        let size = word(object, 1)
        let keys = self.object(word(object, 2))
        ir.branch(search)
        ir.position(search)
        let index: Value = LLVMBuildPhi(ir.builder, ir.i64, "")
        ir.branch(ir.equal(index, size), fail, test)
        ir.position(test)
        let bytes = ir.shiftLeft(index, ir.int(3))
        let next = ir.add(index, ir.int(1))
        ir.branch(ir.equal(ir.load(ir.i64, ir.offset(ir.offset(keys, 8), bytes), .heap), term(key)), hit, search)
        var values: [LLVMValueRef?] = [ir.int(0), next]
        var blocks: [LLVMBasicBlockRef?] = [flat, test]
        LLVMAddIncoming(index, &values, &blocks, 2)
        ir.position(hit)
        let inFlat = ir.load(ir.i64, ir.offset(ir.offset(object, 24), bytes), .heap)
        ir.branch(done)
        ir.position(hashed)
        let inTree = ir.call(lookupHelper, [map, term(key)])
        failIfNone(inTree, fail)
        let found = ir.currentBlock
        ir.branch(done)
        ir.position(done)
        return ir.phi([(inFlat, hit), (inTree, found)])
    }
}
