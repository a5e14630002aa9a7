// NumberTextTests.swift: numbers as text and back. Expected texts are those of OTP 25.2.3.

import CMachine
import Terms
import TestSupport
import Testing

private func text(_ write: (UnsafeMutablePointer<UInt8>) -> Int?) -> String? {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
        write(buffer.baseAddress!).map { String(decoding: buffer[..<$0], as: UTF8.self) }
    }
}

@Test(arguments: [
    (0.1, "0.1"), (0.001, "0.001"), (0.0001, "0.0001"), (1.0e-5, "1.0e-5"), (1.23e-4, "1.23e-4"), (100.0, "100.0"),
    (1.0e5, "1.0e5"), (123456789.0, "123456789.0"), (9007199254740991.0, "9007199254740991.0"),
    (9007199254740992.0, "9.007199254740992e15"), (Double.leastNonzeroMagnitude, "5.0e-324"),
    (1.7976931348623157e308, "1.7976931348623157e308"), (-0.0, "-0.0"), (0.0012345, "0.0012345"),
    (1234567890123456.0, "1234567890123456.0"), (120000.0, "1.2e5"), (1.0e22, "1.0e22"), (-1.5, "-1.5"),
])
func shortestFloats(_ value: Double, _ expected: String) {
    #expect(text { writeShortest(value, $0) } == expected)
}

@Test(arguments: [
    (0.125, 2, false, "0.13"), (2.675, 2, false, "2.67"), (2.5, 0, false, "3"), (0.5, 0, false, "1"),
    (-0.4, 0, false, "-0"), (1.0e23, 4, false, "99999999999999991611392.0000"), (1.0, 6, true, "1.0"),
    (1.0e-9, 6, true, "0.0"), (1.0e20, 0, true, "1"), (-0.001, 2, false, "-0.00"), (1.0e300, 4, false, nil),
    (1.5, 254, false, nil), (1.5, -1, false, nil),
] as [(Double, Int32, Bool, String?)])
func floatsWithDecimals(_ value: Double, _ decimals: Int32, _ compact: Bool, _ expected: String?) {
    #expect(text { writeFixed(value, decimals: decimals, compact: compact, $0) } == expected)
}

@Test func scientificFloats() {
    #expect(text { writeScientific(0.1, decimals: 20, $0) } == "1.00000000000000005551e-01")
    #expect(text { writeScientific(7.12, decimals: 3, $0) } == "7.120e+00")
    #expect(text { writeScientific(1.5, decimals: 249, $0) }?.count == 255)
    #expect(text { writeScientific(1.5, decimals: 250, $0) } == nil)
}

@Test(arguments: [
    ("00001.50", 1.5), ("1.0e-400", 0.0), ("+1.5", 1.5), ("-1.5E+2", -150.0), ("1,5", 1.5), ("1", nil), ("1.", nil),
    ("1e5", nil), (" 1.0", nil), ("nan", nil), ("1.0e400", nil), ("1.0e", nil), ("", nil), (".5", nil),
] as [(String, Double?)])
func readingFloats(_ source: String, _ expected: Double?) {
    var bytes = Array(source.utf8) + [0]
    let value = bytes.withUnsafeMutableBufferPointer { parseFloat($0.baseAddress!, count: $0.count - 1) }
    #expect(value == expected)
}

@Test(arguments: [
    ("-0", 10, 0), ("+00012", 10, 12), ("zz", 36, 1295), ("FF", 16, 255), ("-1111", 2, -15), ("12", 2, nil),
    ("", 10, nil), ("-", 10, nil), ("+-1", 10, nil), ("1 ", 10, nil),
] as [(String, Int, Int?)])
func readingIntegers(_ source: String, _ base: Int, _ expected: Int?) {
    withTermHeap { heap in
        let bytes = Array(source.utf8)
        let term = bytes.withUnsafeBufferPointer { parseInteger(heap, $0, base: base) }
        #expect(term == expected.map { Term.small($0) } ?? .none)
    }
}

@Test func integersReadBack() {
    var random = TestRandom(state: 7)
    for base in 2...36 {
        withTermHeap { heap in
            var integer = Term.small(-1)
            for _ in 0..<30 {
                let limb = heap.integer(unsigned: random.next())
                integer = subtract(heap, multiply(heap, integer, limb), limb)
                withIntegerText(integer, base: base) { text in
                    #expect(termsIdentical(parseInteger(heap, text, base: base), integer))
                }
            }
        }
    }
}
