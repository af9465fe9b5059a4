internal import ArgumentParser
internal import CCurl
internal import Glibc
internal import VortexGateway

/// Where the server is, and who we are: options that all client commands share.
struct ServerOptions: ParsableArguments {
    @Option(help: "The server: http(s)://HOST:PORT or unix:PATH. (VORTEX_URL)")
    var server: String?
    @Option(
        help: """
            A file whose first line is a key's ID:SECRET, or a token. (VORTEX_TOKEN_FILE; or \
            VORTEX_ACCESS_KEY and VORTEX_SECRET_KEY)
            """)
    var tokenFile: String?
    @Option(help: "Certificates (PEM) to trust besides the system's. (VORTEX_CA_FILE)")
    var caFile: String?

    func connect() throws(ClientError) -> HTTPClient {
        let url = server ?? Self.environment("VORTEX_URL") ?? "http://127.0.0.1:8080"
        var token = Self.environment("VORTEX_TOKEN")
        if let path = tokenFile ?? Self.environment("VORTEX_TOKEN_FILE") {
            do throws(Configuration.Failure) {
                token = String(decoding: try Configuration.token(path), as: UTF8.self)
            } catch { throw .local(error.description) }
        }
        if token == nil, let id = Self.environment("VORTEX_ACCESS_KEY"),
            let secret = Self.environment("VORTEX_SECRET_KEY")
        {
            token = id + ":" + secret
        }
        let authorities = caFile ?? Self.environment("VORTEX_CA_FILE")
        return HTTPClient(server: url, token: token, authorities: authorities)
    }

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

/// One request and where its bytes come from and go to.
struct ClientRequest {
    var method = "GET"
    var target: String
    var headers: [String] = []
    /// Fills a buffer with the body's next bytes; zero at its end. Nil: no body.
    var source: ((UnsafeMutableRawBufferPointer) throws(ClientError) -> Int)?
    /// Of the source; nil: unknown, sent in chunks.
    var length: UInt64?
    /// Takes the content of a successful response. Nil: gathered in the answer.
    var sink: ((UnsafeRawBufferPointer) throws(ClientError) -> Void)?
    /// The only successful status whose content the sink may take; nil: any.
    var sinkStatus: Int?
}

struct ClientAnswer {
    var status = 0
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    /// `name` in lower case.
    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// HTTP by libcurl: one handle, one connection kept alive, one request at a time.
///
/// Unchecked: each thread of a command makes its own.
final class HTTPClient: @unchecked Sendable {
    /// What is gathered of an answer that goes to no sink.
    private static let bodyBytesMax = 64 << 20

    let server: String
    private let token: String?
    private let authorities: String?
    private let curl: UnsafeMutableRawPointer

    /// What libcurl's callbacks work on.
    fileprivate final class Transfer {
        var request: ClientRequest
        var answer = ClientAnswer()
        /// Ours, for which a callback stopped the transfer.
        var failure: ClientError?
        init(_ request: ClientRequest) { self.request = request }
    }

    init(server: String, token: String?, authorities: String?) {
        self.server = server
        self.token = token
        self.authorities = authorities
        guard let curl = vortex_curl_init() else {
            printError("vortex: libcurl.so.4 cannot be loaded; on Debian it is libcurl4.")
            exit(EX_UNAVAILABLE)
        }
        self.curl = curl
    }

    deinit { vortex_curl_cleanup(curl) }

    /// Another connection to the same server.
    func another() -> HTTPClient {
        HTTPClient(server: server, token: token, authorities: authorities)
    }

    /// Sends and waits. A status outside 2xx is thrown, with the problem's own words.
    func send(_ request: ClientRequest) throws(ClientError) -> ClientAnswer {
        let transfer = Transfer(request)
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        prepare(request.target, context)
        let list = describe(request, context)
        defer { vortex_curl_free_all(list) }
        _ = vortex_curl_set_list(curl, CURLOPT_HTTPHEADER, list)
        let code = withExtendedLifetime(transfer) { vortex_curl_perform(curl) }
        transfer.answer.status = vortex_curl_status(curl)
        let answer = transfer.answer
        if Interruption.isWanted { throw .interrupted }
        if let failure = transfer.failure { throw failure }
        if answer.status >= 300 { throw .refused(status: answer.status, detail: detail(answer)) }
        guard code == CURLE_OK, answer.status >= 200 else {
            let line = "\(server): \(String(cString: vortex_curl_strerror(code)))"
            throw Self.isPassing(code) ? .unreachable(line) : .absent(line)
        }
        return answer
    }

    /// What all requests have in common.
    private func prepare(_ target: String, _ context: UnsafeMutableRawPointer) {
        vortex_curl_reset(curl)
        var base = server
        while base.hasSuffix("/") { base.removeLast() }
        if server.hasPrefix("unix:") {
            _ = vortex_curl_set_text(curl, CURLOPT_UNIX_SOCKET_PATH, String(server.dropFirst(5)))
            base = "http://localhost"
        }
        _ = vortex_curl_set_text(curl, CURLOPT_URL, base + target)
        _ = vortex_curl_set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https")
        if let authorities { _ = vortex_curl_set_text(curl, CURLOPT_CAINFO, authorities) }
        _ = vortex_curl_set_number(curl, CURLOPT_PATH_AS_IS, 1)
        _ = vortex_curl_set_number(curl, CURLOPT_NOSIGNAL, 1)
        _ = vortex_curl_set_number(curl, CURLOPT_CONNECTTIMEOUT, 10)
        _ = vortex_curl_set_number(curl, CURLOPT_LOW_SPEED_LIMIT, 1)
        _ = vortex_curl_set_number(curl, CURLOPT_LOW_SPEED_TIME, 60)
        _ = vortex_curl_set_number(curl, CURLOPT_BUFFERSIZE, 256 << 10)
        _ = vortex_curl_set_transfer(curl, CURLOPT_WRITEFUNCTION, clientWrite)
        _ = vortex_curl_set_context(curl, CURLOPT_WRITEDATA, context)
        _ = vortex_curl_set_transfer(curl, CURLOPT_HEADERFUNCTION, clientHeader)
        _ = vortex_curl_set_context(curl, CURLOPT_HEADERDATA, context)
        _ = vortex_curl_set_watch(curl, clientWatch)
        _ = vortex_curl_set_number(curl, CURLOPT_NOPROGRESS, 0)
    }

    /// Whether the request got as far as a server that may answer another attempt.
    private static func isPassing(_ code: CURLcode) -> Bool {
        ![
            CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY,
            CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_SSL_CONNECT_ERROR,
            CURLE_SSL_CACERT_BADFILE, CURLE_PEER_FAILED_VERIFICATION,
        ].contains(code)
    }

    private func describe(
        _ request: ClientRequest, _ context: UnsafeMutableRawPointer
    ) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        for header in request.headers { list = vortex_curl_append(list, header) }
        if let token { list = vortex_curl_append(list, "Authorization: Bearer \(token)") }
        if request.source != nil {
            _ = vortex_curl_set_number(curl, CURLOPT_UPLOAD, 1)
            _ = vortex_curl_set_transfer(curl, CURLOPT_READFUNCTION, clientRead)
            _ = vortex_curl_set_context(curl, CURLOPT_READDATA, context)
            _ = vortex_curl_set_number(curl, CURLOPT_UPLOAD_BUFFERSIZE, 1 << 20)
            if let length = request.length {
                _ = vortex_curl_set_size(
                    curl, CURLOPT_INFILESIZE_LARGE, curl_off_t(length))
            }
        } else if request.method == "HEAD" {
            _ = vortex_curl_set_number(curl, CURLOPT_NOBODY, 1)
        } else if request.method != "GET" {
            list = vortex_curl_append(list, "Content-Length: 0")
        }
        if request.method != "HEAD" {
            _ = vortex_curl_set_text(curl, CURLOPT_CUSTOMREQUEST, request.method)
        }
        return list
    }

    private func detail(_ answer: ClientAnswer) -> String {
        let plain = answer.status == 404 ? "Not found" : "The server answered \(answer.status)"
        let problem: JSONValue
        do throws(JSONValue.Malformed) { problem = try JSONValue.read(answer.body) } catch {
            return plain  // Not of this server: a proxy's page, or the empty answer to HEAD.
        }
        let words = [problem["title"]?.text, problem["detail"]?.text].compactMap { $0 }
        return words.isEmpty ? plain : words.filter { !$0.isEmpty }.joined(separator: ": ")
    }

    /// The content goes to the sink, or where there is none into the answer.
    fileprivate static func take(
        _ bytes: UnsafeRawBufferPointer, _ transfer: Transfer
    ) throws(ClientError) {
        let status = transfer.answer.status
        if status < 300, let sink = transfer.request.sink {
            guard transfer.request.sinkStatus ?? status == status else {
                throw .unreachable("the whole was sent where a range was asked for")
            }
            return try sink(bytes)
        }
        guard transfer.answer.body.count + bytes.count <= bodyBytesMax else {
            throw .unreachable("an answer of more than \(bodyBytesMax) bytes")
        }
        transfer.answer.body.append(contentsOf: bytes)
    }
}

private func clientWrite(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let context else { return 0 }
    let transfer = Unmanaged<HTTPClient.Transfer>.fromOpaque(context).takeUnretainedValue()
    let bytes = UnsafeRawBufferPointer(start: buffer, count: size * count)
    do throws(ClientError) { try HTTPClient.take(bytes, transfer) } catch {
        transfer.failure = error
        return 0
    }
    return bytes.count
}

private func clientWatch(
    _: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> Int32 {
    Interruption.isWanted ? 1 : 0
}

private func clientHeader(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let context else { return 0 }
    let transfer = Unmanaged<HTTPClient.Transfer>.fromOpaque(context).takeUnretainedValue()
    let bytes = UnsafeRawBufferPointer(start: buffer, count: size * count)
    let line = String(decoding: bytes, as: UTF8.self)
    if line.hasPrefix("HTTP/") {
        transfer.answer = ClientAnswer()
        let code = line.split(separator: " ").dropFirst().first
        transfer.answer.status = code.flatMap { Int($0) } ?? 0
    } else if let colon = line.firstIndex(of: ":") {
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        transfer.answer.headers.append(
            (line[..<colon].lowercased(), String(value.prefix { $0 != "\r\n" && $0 != "\r" })))
    }
    return bytes.count
}

private func clientRead(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let context else { return vortex_curl_abort }
    let transfer = Unmanaged<HTTPClient.Transfer>.fromOpaque(context).takeUnretainedValue()
    let target = UnsafeMutableRawBufferPointer(start: buffer, count: size * count)
    do throws(ClientError) { return try transfer.request.source?(target) ?? 0 } catch {
        transfer.failure = error
        return vortex_curl_abort
    }
}
