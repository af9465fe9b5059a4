internal import Glibc
internal import Synchronization

/// One line per request, gathered in a bounded buffer and written by a thread of the log's own: a
/// slow reader of the log costs lines, which are counted, and neither a request's time nor the
/// daemon's answer to a signal.
public final class AccessLog: Sendable {
    public enum Format: String, Sendable, CaseIterable {
        case off, common, json
    }
    private struct State {
        var text: [UInt8] = []
        var dropped: UInt64 = 0
        var isFlushing = false
    }
    private static let bufferBytesMax = 4 << 20
    /// So much is written without waiting for the next tick.
    private static let flushBytes = 64 << 10
    /// How long a full pipe is waited for before the lines go back to the buffer.
    private static let stallMillisecondsMax: Int32 = 1_000
    /// A pipe that is ready to be written takes so much without blocking (pipe(7)).
    private static let pieceBytes = 4_096
    private let state = Mutex(State())
    /// Held while lines are on their way out: they stay in order.
    private let output: Mutex<Int32>
    private let format: Format
    private let writer: LoopThread?

    public init(_ format: Format, descriptor: Int32 = 1) {
        self.format = format
        output = Mutex(descriptor)
        writer = format == .off ? nil : LoopThread()
    }

    struct Entry {
        var peer: String
        var method: String
        var target: String
        var status: Int
        var bytes: UInt64
        var nanoseconds: UInt64
        var requestID: String
        var isBroken: Bool
    }

    func write(_ entry: Entry) {
        let line: String
        switch format {
        case .off: return
        case .common: line = Self.common(entry)
        case .json: line = Self.json(entry)
        }
        let isMuch = state.withLock { state in
            if state.text.count + line.utf8.count > Self.bufferBytesMax {
                state.dropped += 1
            } else {
                state.text.append(contentsOf: line.utf8)
            }
            return state.text.count >= Self.flushBytes && !state.isFlushing
        }
        if isMuch { flush() }
    }

    /// Has the log's thread write what has been gathered.
    func flush() {
        guard let writer else { return }
        let isNeeded = state.withLock { state in
            guard !state.isFlushing, !state.text.isEmpty || state.dropped > 0 else { return false }
            state.isFlushing = true
            return true
        }
        guard isNeeded else { return }
        Task(executorPreference: writer) { [self] in
            writeOut()
            state.withLock { $0.isFlushing = false }
        }
    }

    /// Writes what has been gathered before it returns, as far as the reader takes it.
    func finish() {
        if writer != nil { writeOut() }
    }

    private func writeOut() {
        output.withLock { descriptor in
            var (text, dropped) = state.withLock { state in
                defer { (state.text, state.dropped) = ([], 0) }
                return (state.text, state.dropped)
            }
            if dropped > 0 {
                text.append(contentsOf: "\(dropped) access log lines were dropped\n".utf8)
                dropped = 0
            }
            let rest = Self.write(text[...], to: descriptor)
            if !rest.isEmpty { state.withLock { $0.text.insert(contentsOf: rest, at: 0) } }
        }
    }

    /// Returns what a stalled reader did not take. What a broken descriptor does not take is lost.
    private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> ArraySlice<UInt8>
    {
        var rest = bytes
        while !rest.isEmpty {
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&ready, 1, stallMillisecondsMax) == 1 else { return rest }
            let count = rest.prefix(pieceBytes).withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return [] }
            rest = rest.dropFirst(count)
        }
        return rest
    }

    private static func common(_ entry: Entry) -> String {
        let peer = entry.peer.isEmpty ? "unix" : entry.peer
        let micros = entry.nanoseconds / 1_000
        let request = "\"\(escaped(entry.method)) \(escaped(entry.target)) HTTP/1.1\""
        let broken = entry.isBroken ? " broken" : ""
        return "\(peer) - - [\(timestamp())] \(request) \(entry.status) \(entry.bytes) "
            + "\(micros)us \(entry.requestID)\(broken)\n"
    }

    private static func json(_ entry: Entry) -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("time", timestamp())
            json.member("peer", entry.peer)
            json.member("method", entry.method)
            json.member("target", entry.target)
            json.member("status", entry.status)
            json.member("bytes", entry.bytes)
            json.member("microseconds", entry.nanoseconds / 1_000)
            json.member("request_id", entry.requestID)
            json.member("broken", entry.isBroken)
        }
        return String(decoding: json.bytes, as: UTF8.self) + "\n"
    }

    /// Quotes and control characters as `\xHH`, so that a line stays a line.
    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c }) else {
            return text
        }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.value < 0x20 || scalar == "\"" || scalar == "\\" {
                result += "\\x" + String(scalar.value, radix: 16)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func timestamp() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
