internal import Glibc
internal import Synchronization

/// One line per request, gathered in a bounded buffer and written by whoever ticks it: a slow
/// reader of the log costs lines, which are counted, and never a request's time.
public final class AccessLog: Sendable {
    public enum Format: String, Sendable, CaseIterable {
        case off, common, json
    }
    private struct State {
        var text: [UInt8] = []
        var dropped: UInt64 = 0
    }
    private static let bufferBytesMax = 1 << 20
    private let state = Mutex(State())
    private let format: Format
    private let descriptor: Int32

    public init(_ format: Format, descriptor: Int32 = 1) {
        self.format = format
        self.descriptor = descriptor
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
        state.withLock { state in
            if state.text.count + line.utf8.count > Self.bufferBytesMax {
                state.dropped += 1
            } else {
                state.text.append(contentsOf: line.utf8)
            }
        }
    }

    /// Writes what has been gathered.
    public func flush() {
        let (text, dropped) = state.withLock { state in
            defer { state = State() }
            return (state.text, state.dropped)
        }
        write(text)
        if dropped > 0 { write(Array("\(dropped) access log lines were dropped\n".utf8)) }
    }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
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
