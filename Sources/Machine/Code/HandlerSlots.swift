// HandlerSlots.swift: addresses of the handlers that calls meet before there is threaded code. The interpreter fills
// them at boot, before the first export is made; constant afterwards.

/// Each is stored in the first word of a stub; the second word is the stub's owner (a Function or an Export).
public struct HandlerSlots: Sendable {
    /// Function.stub: decode the function, then continue at its new entry.
    public var decodeFunction: UInt64 = 0
    /// Export.stub: no such function; call the process's error handler.
    public var undefinedFunction: UInt64 = 0
    /// Export.stub: run `Export.bif`.
    public var callBif: UInt64 = 0
}

nonisolated(unsafe) public var handlerSlots = HandlerSlots()
