// CodeFault.swift: what can be wrong with the code of a function.

/// A rule that the compiler keeps and a damaged file may break.
enum CodeFault: UInt8, Error, CaseIterable {
    case none
    case emptyRegister
    case outsideFrame
    case wrongFrame
    case unclearedFrame
    case liveTag
    case heapSpace
    case missingEnd
    case wrongArity
    case notGuard
    case notBuilding
    case handler
    case wrongType
    case badSize
    case endlessLoop
    case tooComplex
    /// Not a fault: there are more registers than the check has room for.
    case narrow

    var text: StaticString {
        switch self {
        case .none, .narrow: ""
        case .emptyRegister: "uses a register that holds nothing"
        case .outsideFrame: "uses a y register outside the stack frame"
        case .wrongFrame: "stack frame of the wrong size"
        case .unclearedFrame: "y register not set where a collection can happen"
        case .liveTag: "stack frame changed while an exception handler is in it"
        case .heapSpace: "builds more than it reserved"
        case .missingEnd: "runs past its end"
        case .wrongArity: "wrong number of arguments"
        case .notGuard: "function that is no guard"
        case .notBuilding: "no bit string under construction"
        case .handler: "exception that is not taken at its handler"
        case .wrongType: "value of the wrong kind"
        case .badSize: "bad size or unit"
        case .endlessLoop: "loop that nothing interrupts"
        case .tooComplex: "control flow too complex"
        }
    }
}
