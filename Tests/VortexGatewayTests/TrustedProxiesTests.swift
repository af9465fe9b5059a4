import Testing

@testable import VortexGateway

@Suite struct TrustedProxiesTests {
    private func client(
        _ list: String, _ peer: String, _ fields: [HeaderFields.Element]
    ) -> String? {
        TrustedProxies(list)?.client(peer: peer, HeaderFields(fields))
    }

    @Test func `nobody is believed who is not configured`() {
        let fields: [HeaderFields.Element] = [("X-Forwarded-For", "1.2.3.4")]
        #expect(client("", "127.0.0.1", fields) == "127.0.0.1")
        #expect(client("10.0.0.0/8", "127.0.0.1", fields) == "127.0.0.1")
        #expect(client("10.0.0.0/8", "", fields) == "")
    }

    @Test func `the nearest address that is no proxy is the client's`() {
        let list = "127.0.0.0/8, 10.0.0.0/8,unix"
        let fields: [HeaderFields.Element] = [("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.1.1.1")]
        #expect(client(list, "127.0.0.1", fields) == "1.2.3.4")
        #expect(client(list, "", fields) == "1.2.3.4")
        let forwarded: [HeaderFields.Element] = [
            ("Forwarded", "for=\"[2001:db8::1]:80\";proto=https, for=10.0.0.1:99")
        ]
        #expect(client(list, "127.0.0.1", forwarded) == "2001:db8::1")
        #expect(client(list, "127.0.0.1", [("x-forwarded-for", "unknown")]) == "127.0.0.1")
    }

    @Test(arguments: ["nonsense", "1.2.3.4/33", "::1/129", "1.2.3.4/-1", "1.2.3"])
    func `what is no network is refused`(list: String) {
        #expect(TrustedProxies(list) == nil)
    }
}
