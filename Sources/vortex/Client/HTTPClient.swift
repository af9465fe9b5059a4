internal import ArgumentParser
internal import CCurl
internal import Glibc

/// Where the server is, and who we are: options that all client commands share.
struct ServerOptions: ParsableArguments {
    @Option(help: "The server: http(s)://HOST:PORT or unix:PATH. (VORTEX_URL)")
    var server: String?
    @Option(help: "A file whose first line is the bearer token. (VORTEX_TOKEN_FILE)")
    var tokenFile: String?

    func connect() throws(ClientError) -> HTTPClient {
        let url = server ?? Self.environment("VORTEX_URL") ?? "http://127.0.0.1:8080"
        var token = Self.environment("VORTEX_TOKEN")
        if let path = tokenFile ?? Self.environment("VORTEX_TOKEN_FILE") {
            do throws(Configuration.Failure) {
                token = try Configuration.text(path).split(separator: "\n").first.map(String.init)
            } catch { throw .local(error.description) }
        }
        return HTTPClient(server: url, token: token)
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
    var source: ((UnsafeMutableRawBufferPointer) -> Int?)?
    /// Of the source; nil: unknown, sent in chunks.
    var length: UInt64?
    /// Takes the content of a successful response; false stops. Nil: gathered in the answer.
    var sink: ((UnsafeRawBufferPointer) -> Bool)?
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
    private let curl: UnsafeMutableRawPointer

    /// What libcurl's callbacks work on.
    fileprivate final class Transfer {
        var request: ClientRequest
        var answer = ClientAnswer()
        init(_ request: ClientRequest) { self.request = request }
    }

    init(server: String, token: String?) {
        self.server = server
        self.token = token
        guard let curl = curl_easy_init() else { preconditionFailure("libcurl has no memory") }
        self.curl = curl
    }

    deinit { curl_easy_cleanup(curl) }

    /// Another connection to the same server.
    func another() -> HTTPClient { HTTPClient(server: server, token: token) }

    /// Sends and waits. A status outside 2xx is thrown, with the problem's own words.
    func send(_ request: ClientRequest) throws(ClientError) -> ClientAnswer {
        let transfer = Transfer(request)
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        curl_easy_reset(curl)
        var base = server
        if server.hasPrefix("unix:") {
            _ = vortex_curl_set_text(curl, CURLOPT_UNIX_SOCKET_PATH, String(server.dropFirst(5)))
            base = "http://localhost"
        }
        _ = vortex_curl_set_text(curl, CURLOPT_URL, base + request.target)
        _ = vortex_curl_set_number(curl, CURLOPT_PATH_AS_IS, 1)
        _ = vortex_curl_set_number(curl, CURLOPT_NOSIGNAL, 1)
        _ = vortex_curl_set_number(curl, CURLOPT_CONNECTTIMEOUT, 10)
        _ = vortex_curl_set_number(curl, CURLOPT_LOW_SPEED_LIMIT, 1)
        _ = vortex_curl_set_number(curl, CURLOPT_LOW_SPEED_TIME, 120)
        _ = vortex_curl_set_number(curl, CURLOPT_BUFFERSIZE, 256 << 10)
        _ = vortex_curl_set_transfer(curl, CURLOPT_WRITEFUNCTION, clientWrite)
        _ = vortex_curl_set_context(curl, CURLOPT_WRITEDATA, context)
        _ = vortex_curl_set_transfer(curl, CURLOPT_HEADERFUNCTION, clientHeader)
        _ = vortex_curl_set_context(curl, CURLOPT_HEADERDATA, context)
        let list = describe(request, context)
        defer { curl_slist_free_all(list) }
        _ = vortex_curl_set_list(curl, CURLOPT_HTTPHEADER, list)
        let code = withExtendedLifetime(transfer) { curl_easy_perform(curl) }
        transfer.answer.status = vortex_curl_status(curl)
        let answer = transfer.answer
        if answer.status >= 300 { throw .refused(status: answer.status, detail: detail(answer)) }
        guard code == CURLE_OK, answer.status >= 200 else {
            throw .unreachable("\(server): \(String(cString: curl_easy_strerror(code)))")
        }
        return answer
    }

    private func describe(
        _ request: ClientRequest, _ context: UnsafeMutableRawPointer
    ) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        for header in request.headers { list = curl_slist_append(list, header) }
        if let token { list = curl_slist_append(list, "Authorization: Bearer \(token)") }
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
            list = curl_slist_append(list, "Content-Length: 0")
        }
        if request.method != "HEAD" {
            _ = vortex_curl_set_text(curl, CURLOPT_CUSTOMREQUEST, request.method)
        }
        return list
    }

    private func detail(_ answer: ClientAnswer) -> String {
        let plain = answer.status == 404 ? "Not found" : "The server answered \(answer.status)"
        let problem: JSONValue
        do throws(JSONReader.Failure) { problem = try JSONReader.read(answer.body) } catch {
            return plain  // Not of this server: a proxy's page, or the empty answer to HEAD.
        }
        let words = [problem["title"]?.text, problem["detail"]?.text].compactMap { $0 }
        return words.isEmpty ? plain : words.filter { !$0.isEmpty }.joined(separator: ": ")
    }

    fileprivate static func gather(_ bytes: UnsafeRawBufferPointer, _ transfer: Transfer) -> Bool {
        guard transfer.answer.body.count + bytes.count <= bodyBytesMax else { return false }
        transfer.answer.body.append(contentsOf: bytes)
        return true
    }
}

private func clientWrite(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let context else { return 0 }
    let transfer = Unmanaged<HTTPClient.Transfer>.fromOpaque(context).takeUnretainedValue()
    let bytes = UnsafeRawBufferPointer(start: buffer, count: size * count)
    if transfer.answer.status < 300, let sink = transfer.request.sink {
        return sink(bytes) ? bytes.count : 0
    }
    return HTTPClient.gather(bytes, transfer) ? bytes.count : 0
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
    return transfer.request.source?(target) ?? vortex_curl_abort
}
