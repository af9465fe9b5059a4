internal import Synchronization

/// A number that only grows.
public final class Counter: Sendable {
    private let value = Atomic<UInt64>(0)
    public init() {}
    public func add(_ count: UInt64) { value.add(count, ordering: .relaxed) }
    public func subtract(_ count: UInt64) { value.subtract(count, ordering: .relaxed) }
    public var count: UInt64 { value.load(ordering: .relaxed) }
}

/// Latencies in fixed buckets, as Prometheus wants them.
public final class LatencyHistogram: Sendable {
    /// Upper bounds in microseconds.
    static let bounds: [UInt64] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000, 10_000_000,
    ]
    private let buckets = (0...LatencyHistogram.bounds.count).map { _ in Counter() }
    private let sum = Counter()

    func record(nanoseconds: UInt64) {
        let micros = nanoseconds / 1_000
        let place = Self.bounds.firstIndex { micros <= $0 } ?? Self.bounds.count
        buckets[place].add(1)
        sum.add(nanoseconds)
    }

    func render(_ name: String, _ labels: String, into text: inout String) {
        var total: UInt64 = 0
        for (place, bound) in Self.bounds.enumerated() {
            total += buckets[place].count
            text += "\(name)_bucket{\(labels),le=\"\(Double(bound) / 1e6)\"} \(total)\n"
        }
        total += buckets[Self.bounds.count].count
        text += "\(name)_bucket{\(labels),le=\"+Inf\"} \(total)\n"
        text += "\(name)_sum{\(labels)} \(Double(sum.count) / 1e9)\n"
        text += "\(name)_count{\(labels)} \(total)\n"
    }
}

/// The numbers behind `/v1/metrics`: the server's own, and those that others add as they are asked
/// for.
public final class Metrics: Sendable {
    /// One value of a family: its labels in Prometheus's form, or none.
    public struct Sample: Sendable {
        public var name: String
        public var help: String
        public var isCounter: Bool
        public var value: Double
        public init(_ name: String, _ help: String, isCounter: Bool, _ value: Double) {
            self.name = name
            self.help = help
            self.isCounter = isCounter
            self.value = value
        }
    }

    static let methods = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "other"]
    public let requestsInFlight = Counter()
    public let receivedBytes = Counter()
    public let sentBytes = Counter()
    let brokenResponses = Counter()
    private let latencies = Metrics.methods.map { _ in LatencyHistogram() }
    /// By method and hundreds of the status, 1xx to 5xx.
    private let requests = (0..<Metrics.methods.count * 5).map { _ in Counter() }
    private let sources = Mutex<[@Sendable () -> [Sample]]>([])

    public init() {}

    /// Adds samples that are taken whenever the metrics are rendered.
    public func add(source: @escaping @Sendable () -> [Sample]) {
        sources.withLock { $0.append(source) }
    }

    func count(method: String, status: Int, nanoseconds: UInt64) {
        let place = Self.methods.firstIndex(of: method) ?? Self.methods.count - 1
        latencies[place].record(nanoseconds: nanoseconds)
        let hundreds = min(max(status / 100, 1), 5) - 1
        requests[place * 5 + hundreds].add(1)
    }

    /// Prometheus's text format, version 0.0.4.
    public func render() -> [UInt8] {
        var text = "# HELP vortex_http_requests_total Requests answered.\n"
        text += "# TYPE vortex_http_requests_total counter\n"
        for (place, method) in Self.methods.enumerated() {
            for hundreds in 0..<5 where requests[place * 5 + hundreds].count > 0 {
                let labels = "method=\"\(method)\",status=\"\(hundreds + 1)xx\""
                let count = requests[place * 5 + hundreds].count
                text += "vortex_http_requests_total{\(labels)} \(count)\n"
            }
        }
        text += "# HELP vortex_http_request_seconds From the request line to the response's end.\n"
        text += "# TYPE vortex_http_request_seconds histogram\n"
        for (place, method) in Self.methods.enumerated() {
            latencies[place].render(
                "vortex_http_request_seconds", "method=\"\(method)\"", into: &text)
        }
        let own = [
            Sample(
                "vortex_http_requests_in_flight", "Requests being answered.", isCounter: false,
                Double(requestsInFlight.count)),
            Sample(
                "vortex_http_received_bytes_total", "Bytes of request bodies taken.",
                isCounter: true, Double(receivedBytes.count)),
            Sample(
                "vortex_http_sent_bytes_total", "Bytes of response bodies handed to the socket.",
                isCounter: true, Double(sentBytes.count)),
            Sample(
                "vortex_http_broken_responses_total",
                "Responses broken off because their bytes could not be read.", isCounter: true,
                Double(brokenResponses.count)),
        ]
        let others = sources.withLock { $0 }.flatMap { $0() }
        for sample in own + others {
            text += "# HELP \(sample.name) \(sample.help)\n"
            text += "# TYPE \(sample.name) \(sample.isCounter ? "counter" : "gauge")\n"
            text += "\(sample.name) \(sample.value)\n"
        }
        return Array(text.utf8)
    }
}
