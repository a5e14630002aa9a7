// CodeCheck+Bits.swift: the bit syntax. A match context is what bs_start_match made, in whatever register it is now;
// construction by several instructions (OTP 24 and before) needs its beginning.

import BeamFile
import CMachine
import Terms

extension CodeCheck {
    mutating func bits(_ opcode: Opcode) throws(CodeFault) -> Bool {
        switch opcode {
        case .bs_start_match3: try start(source: 1, live: 2, target: 3)
        case .bs_start_match4: try start(source: 2, live: 1, target: 3)
        case .bs_get_integer2, .bs_get_float2, .bs_get_binary2:
            try read(3)
            try unit(4)
            try matching(live: 2)
            try write(6, opcode == .bs_get_float2 ? Fact.plain | Fact.float : Fact.plain)
        case .bs_get_utf8, .bs_get_utf16, .bs_get_utf32:
            try matching(live: 2)
            try write(4)
        case .bs_skip_utf8, .bs_skip_utf16, .bs_skip_utf32: try matching(live: 2)
        case .bs_skip_bits2:
            try read(2)
            try unit(3)
            try matching(live: nil)
        case .bs_test_tail2, .bs_match_string: try matching(live: nil)
        case .bs_test_unit:
            try unit(2)
            try matching(live: nil)
        case .bs_get_tail:
            try context(0)
            try safepoint(value(2))
            try write(1)
        case .bs_get_position:
            try context(0)
            try write(1, Fact.plain | Fact.position)
        case .bs_set_position:
            try context(0)
            guard try read(1) & Fact.position != 0 else { throw .wrongType }
        case .bs_create_bin: try create()
        default: return try build(opcode)
        }
        return true
    }

    private mutating func context(_ index: Int) throws(CodeFault) {
        guard try read(index) & Fact.context != 0 else { throw .wrongType }
    }

    private func unit(_ index: Int) throws(CodeFault) {
        guard value(index) > 0, value(index) <= 256 else { throw .badSize }
    }

    /// `label context ...`
    private mutating func matching(live index: Int?) throws(CodeFault) {
        try context(1)
        if let index { try safepoint(value(index)) }
        try join(value(0))
    }

    private mutating func start(source: Int, live: Int, target: Int) throws(CodeFault) {
        try read(source)
        try safepoint(value(live))
        try fail(0)
        try write(target, Fact.plain | Fact.context)
    }

    /// `label heap live unit destination [type segment unit flags value size]...`
    private mutating func create() throws(CodeFault) {
        for segment in stride(from: 6, to: 6 + value(5), by: 6) {
            // Characters and strings have none.
            if value(segment + 2) != 0 || BitSegmentKind(atom: atoms[value(segment)])?.hasUnit != false {
                try unit(segment + 2)
            }
            try read(segment + 4)
            try read(segment + 5)
        }
        try safepoint(value(2))
        try fail(0)
        facts.heap = heapWords(1)
        try write(4)
    }

    // MARK: Construction by several instructions

    private mutating func build(_ opcode: Opcode) throws(CodeFault) -> Bool {
        switch opcode {
        case .bs_init2, .bs_init_bits:
            try read(1)
            try beginBuilding(live: 3, heap: 2)
            try write(5)
        case .bs_append: try append(source: 5, unit: 4, live: 3, heap: 2, target: 7)
        case .bs_private_append: try append(source: 3, unit: 2, target: 5)
        case .bs_put_integer, .bs_put_float, .bs_put_binary:
            try read(1)
            try unit(2)
            try put(4)
        case .bs_put_utf8, .bs_put_utf16, .bs_put_utf32: try put(2)
        case .bs_put_string: guard facts.has(RegisterFacts.building) else { throw .notBuilding }
        case .bs_utf8_size, .bs_utf16_size:
            try read(1)
            try write(2)
        case .bs_add:
            try read(1)
            try read(2)
            try unit(3)
            try fail(0)
            try write(4)
        case .bs_init_writable:
            try safepoint(1)
            facts.x[0] = Fact.plain
        default: return false
        }
        return true
    }

    private mutating func append(
        source: Int, unit index: Int, live: Int? = nil, heap: Int? = nil, target: Int
    ) throws(CodeFault) {
        try read(1)
        try read(source)
        try unit(index)
        try beginBuilding(live: live, heap: heap)
        try write(target)
    }

    private mutating func beginBuilding(live: Int?, heap: Int?) throws(CodeFault) {
        if let live { try safepoint(value(live)) }
        try fail(0)
        facts.heap = if let heap { heapWords(heap) } else { 0 }
        facts.flags |= RegisterFacts.building
    }

    private mutating func put(_ source: Int) throws(CodeFault) {
        try read(source)
        guard facts.has(RegisterFacts.building) else { throw .notBuilding }
        try fail(0)
    }
}
