import Testing
import VortexSimulator

@Test func `the same seed gives the same numbers`() {
    let (one, other) = (SimulatedEntropy(seed: 7), SimulatedEntropy(seed: 7))
    for _ in 0..<100 { #expect(one.next() == other.next()) }
}
