internal import ArgumentParser
internal import Glibc

/// `vortex server`: a node with its gateway, until it is told to stop.
struct ServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Run a node with its HTTP gateway.",
        discussion: """
            Every option can also be given in the environment (VORTEX_HTTP for --http) or in a \
            file of 'name = value' lines (--config). Flags win over the environment, the \
            environment over the file.

            Examples:
              vortex server --data /srv/vortex
              vortex server --data /srv/vortex --http 0.0.0.0:8080
              vortex server --data /srv/vortex --http unix:/run/vortex/http.sock
              vortex server --data /srv/vortex --node 10.0.0.1:7080 --secret-file /etc/secret
              vortex server --data /srv/vortex --node 10.0.0.2:7080 --secret-file /etc/secret \\
                --join 10.0.0.1:7080
            """)

    @Option(help: "The data directory; made where it is missing.")
    var data: String?
    @Option(help: "HOST:PORT or unix:PATH to listen on. (default: 127.0.0.1:8080)")
    var http: String?
    @Option(help: "A file whose first line clients must send as bearer token.")
    var tokenFile: String?
    @Option(
        help: "'keys': who asks needs an access key; 'open': not. (default: keys beyond loopback)")
    var auth: String?
    @Option(help: "A domain below which hosts name buckets: photos.DOMAIN for the bucket photos.")
    var s3Domain: String?
    @Option(help: "A certificate (PEM) for TLS of its own; needs --tls-key.")
    var tlsCert: String?
    @Option(help: "The certificate's private key (PEM).")
    var tlsKey: String?
    @Option(help: "Proxies whose X-Forwarded-For counts: networks or 'unix', with commas.")
    var trustedProxy: String?
    @Option(help: "off, common or json, to standard output. (default: common)")
    var accessLog: String?
    @Option(help: "HTTP threads. (default: one per core)")
    var threads: String?
    @Option(help: "Memory for bodies on their way, in MiB. (default: 96)")
    var bufferMib: String?
    @Option(help: "Free disk space that is left alone, in MiB. (default: 256)")
    var reserveMib: String?
    @Option(help: "HOST:PORT at which other nodes reach this one.")
    var node: String?
    @Option(help: "The cluster's secret; the first node makes the file.")
    var secretFile: String?
    @Option(help: "HOST:PORT of any node of the cluster to join.")
    var join: String?
    @Option(help: "What fails together with this node: a room, a rack, a site.")
    var zone: String?
    @Option(help: "The machine within its zone. (default: its name)")
    var host: String?
    @Option(help: "trace, debug, info, notice, warning or error. (default: notice)")
    var logLevel: String?
    @Option(help: "A file of 'name = value' lines.")
    var config: String?

    func run() throws {
        var flags: [String: String] = [:]
        flags["data"] = data
        flags["http"] = http
        flags["token-file"] = tokenFile
        flags["auth"] = auth
        flags["s3-domain"] = s3Domain
        flags["tls-cert"] = tlsCert
        flags["tls-key"] = tlsKey
        flags["trusted-proxy"] = trustedProxy
        flags["access-log"] = accessLog
        flags["threads"] = threads
        flags["buffer-mib"] = bufferMib
        flags["reserve-mib"] = reserveMib
        flags["node"] = node
        flags["secret-file"] = secretFile
        flags["join"] = join
        flags["zone"] = zone
        flags["host"] = host
        flags["log-level"] = logLevel
        do throws(Configuration.Failure) {
            let file = try config.map(Configuration.text)
            let configuration = try Configuration(
                flags: flags, file: file,
                environment: { name in getenv(name).map { String(cString: $0) } })
            serve(configuration)
        } catch { throw ValidationError(error.description) }
    }
}
