import Testing
import CMachine
import Terms
@Test func smallRoundTrip() { #expect(Term.small(-5).smallValue == -5) }
