import Testing
import VortexGateway

@testable import vortex

@Suite struct ConfigurationTests {
    private func resolve(
        _ flags: [String: String], file: String? = nil, environment: [String: String] = [:]
    ) throws(Configuration.Failure) -> Configuration {
        try Configuration(flags: flags, file: file, environment: { environment[$0] })
    }

    @Test func `a flag wins over the environment, the environment over the file`() throws {
        let file = "data = /file\nhttp = 127.0.0.1:1\naccess-log = json\n"
        let environment = ["VORTEX_DATA": "/environment", "VORTEX_HTTP": "127.0.0.1:2"]
        let settings = try resolve(["data": "/flag"], file: file, environment: environment)
        #expect(settings.data == "/flag")
        #expect(settings.address == .tcp(host: "127.0.0.1", port: 2))
        #expect(settings.accessLog == .json)
        #expect(settings.bufferBytes == 96 << 20)
    }

    @Test(arguments: [
        ("surprise = 1", Configuration.Failure.unknown("surprise", line: 1)),
        ("# fine\n\nno equals sign", .malformedLine(3)),
    ])
    func `a line that means nothing is an error`(
        file: String, failure: Configuration.Failure
    ) {
        #expect(throws: failure) { try resolve(["data": "d"], file: file) }
    }

    @Test(arguments: [
        "0.0.0.0:80", "192.168.0.1:8080", "[::]:80", "example.org:80", "127.example.org:80",
    ])
    func `beyond loopback keys are asked for, whatever is said`(address: String) throws {
        #expect(try !resolve(["data": "d", "http": address]).isOpen)
        #expect(throws: Configuration.Failure.self) {
            try resolve(["data": "d", "http": address, "auth": "open"])
        }
    }

    @Test(arguments: ["127.0.0.1:80", "localhost:8080", "[::1]:80", "unix:/tmp/x"])
    func `on loopback and on a Unix socket they are not, unless that is said`(
        address: String
    ) throws {
        #expect(try resolve(["data": "d", "http": address]).isOpen)
        #expect(try !resolve(["data": "d", "http": address, "auth": "keys"]).isOpen)
    }

    @Test(arguments: [
        ("http", "nonsense"), ("auth", "perhaps"), ("http", "host:99999"),
        ("access-log", "loud"), ("threads", "0"),
        ("buffer-mib", "-1"), ("reserve-mib", "many"), ("tls-cert", "/no/such/file"),
    ])
    func `a value out of bounds is an error`(name: String, value: String) {
        #expect(throws: Configuration.Failure.self) { try resolve(["data": "d", name: value]) }
    }
}
