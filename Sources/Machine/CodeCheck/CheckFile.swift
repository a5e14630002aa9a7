// CheckFile.swift: the code check over whole modules, for `enigma check-code`.

import BeamFile
import CMachine
import Terms

public struct CodeCheckReport: Sendable {
    public init() {}

    public var functions = 0
    /// Instructions in front of which the decoder places a test.
    public var tests = 0
    /// `name/arity: fault` of the functions that were refused.
    public var refused: [String] = []
}

extension LoadedModule {
    public func checkCode() -> CodeCheckReport {
        var report = CodeCheckReport()
        for index in 0..<functionCount {
            let function = functions + index
            var reader = reader(function)
            var check = CodeCheck(self, function, operands: reader.operands)
            let fault = check.run(&reader)
            report.functions += 1
            report.tests += check.unproven.count
            if fault != .none {
                report.refused.append("\(function.pointee.name.atomText)/\(function.pointee.arity): \(fault.text)")
            }
        }
        return report
    }
}
