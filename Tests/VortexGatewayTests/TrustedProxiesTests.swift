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

    @Test func `a trusted proxy says whether its client came by TLS, and nobody else`() {
        func isSecure(_ peer: String, _ name: String, _ value: String) -> Bool? {
            TrustedProxies("10.0.0.0/8")?.isSecure(peer: peer, HeaderFields([(name, value)]))
        }
        #expect(isSecure("10.1.1.1", "X-Forwarded-Proto", "HTTPS") == true)
        #expect(isSecure("10.1.1.1", "X-Forwarded-Proto", "http") == false)
        #expect(isSecure("10.1.1.1", "Forwarded", "for=1.2.3.4;proto=https, for=10.1.1.2") == true)
        #expect(isSecure("10.1.1.1", "Via", "1.1 a") == nil)
        #expect(isSecure("1.2.3.4", "X-Forwarded-Proto", "https") == nil)
        let origin = Authenticator.Origin(
            address: "", forwardedHost: "store.example", isSecure: true)
        #expect(origin.root(HeaderFields([("Host", "inner")])) == "https://store.example")
        #expect(
            Authenticator.Origin(address: "").root(HeaderFields([("Host", "a:80")]))
                == "http://a:80")
    }

    @Test(arguments: ["nonsense", "1.2.3.4/33", "::1/129", "1.2.3.4/-1", "1.2.3"])
    func `what is no network is refused`(list: String) {
        #expect(TrustedProxies(list) == nil)
    }
}
