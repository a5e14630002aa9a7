// NativeHelpers.swift: what native code calls, with the C convention. The machine registers are stored in the process
// before a helper that takes the context; the others touch no process. The JIT takes their addresses from here.

import CMachine
import Terms

public enum NativeHelpers {
    /// Erlang's order: negative, zero or positive.
    static let compare: @convention(c) (UInt64, UInt64) -> Int = { a, b in
        compareTerms(Term(raw: a), Term(raw: b))
    }

    /// `=:=`
    static let identical: @convention(c) (UInt64, UInt64) -> UInt64 = { a, b in
        termsIdentical(Term(raw: a), Term(raw: b)) ? 1 : 0
    }

    /// `==`
    static let equal: @convention(c) (UInt64, UInt64) -> UInt64 = { a, b in
        termsEqual(Term(raw: a), Term(raw: b)) ? 1 : 0
    }

    /// Value of a key in a map, 0 if it is not there. Requires: a map.
    static let mapLookup: @convention(c) (UInt64, UInt64) -> UInt64 = { map, key in
        mapGet(Term(raw: map), Term(raw: key))?.raw ?? 0
    }

    /// The type of `mapPut`: a map, a key, its value, and the process's stack and heap.
    typealias MapChange = @convention(c) (Ref<Context>, UInt64, UInt64, UInt64, Words, Words) -> UInt64

    /// The map with another value for the key; 0 if the slow function must do it, because it is no map or something is to
    /// be collected. Needs the process's stack and heap alone, and keeps its heap.
    static let mapPut: MapChange = { c, map, key, value, stack, top in
        changed(c, map, stack, top) { $0.mapPut($1, Term(raw: key), Term(raw: value)) }
    }

    /// The same if the map has the key, else 0.
    static let mapUpdate: MapChange = { c, map, key, value, stack, top in
        changed(c, map, stack, top) { $0.mapUpdate($1, Term(raw: key), Term(raw: value)) }
    }

    @inline(__always) private static func changed(
        _ c: Ref<Context>, _ map: UInt64, _ stack: Words, _ top: Words, _ change: (Ref<Heap>, Term) -> Term?
    ) -> UInt64 {
        let map = Term(raw: map)
        guard _fastPath(map.isMap), c.pointee.stress == 0 else { return 0 }
        c.e = stack
        c.heap.pointee.top = top
        guard let result = change(c.heap, map), _fastPath(!c.process.wantsCollection) else { return 0 }
        return result.raw
    }

    /// `bits` bits (at most 64) from bit `position` on, most significant first.
    static let readBits: @convention(c) (UInt64, Int, Int) -> UInt64 = { base, position, bits in
        Terms.readBits(Bytes(bitPattern: UInt(base)).unsafelyUnwrapped, position, bits)
    }

    /// A match context takes `bits` bits that equal the string's; 0 if they do not.
    static let matchString: @convention(c) (UInt64, UInt64, Int) -> UInt64 = { context, string, bits in
        let bytes = UnsafePointer<UInt8>(bitPattern: UInt(string)) ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped
        return MatchContext(Term(raw: context)).matchString(bytes, bits: bits) ? 1 : 0
    }

    /// vm_native_collect of Native.c: collects for `words` free words with x[0..<live] as roots; answers null, or where
    /// to continue because the process ends.
    public static var collectAddress: UInt64 { vm_native_collect_address() }
    /// vm_native_slow of Native.c: stores the machine registers, runs a slow function, answers where to continue.
    public static var slowCallAddress: UInt64 { vm_native_slow_address() }
    static func boot() {
        vm_native_boot { c, words, live in c.collect(need: words, live: live) ? nil : c.leaveExiting() }
    }
    public static var compareAddress: UInt64 { address(unsafeBitCast(compare, to: UInt.self)) }
    public static var identicalAddress: UInt64 { address(unsafeBitCast(identical, to: UInt.self)) }
    public static var equalAddress: UInt64 { address(unsafeBitCast(equal, to: UInt.self)) }
    public static var mapLookupAddress: UInt64 { address(unsafeBitCast(mapLookup, to: UInt.self)) }
    public static var mapPutAddress: UInt64 { address(unsafeBitCast(mapPut, to: UInt.self)) }
    public static var mapUpdateAddress: UInt64 { address(unsafeBitCast(mapUpdate, to: UInt.self)) }
    public static var readBitsAddress: UInt64 { address(unsafeBitCast(readBits, to: UInt.self)) }
    public static var matchStringAddress: UInt64 { address(unsafeBitCast(matchString, to: UInt.self)) }
    private static func address(_ function: UInt) -> UInt64 { UInt64(function) }

    /// The word at this address leaves Erlang code.
    public static var exitWord: UInt64 { UInt64(UInt(bitPattern: PlacedCode.exit)) }
}
