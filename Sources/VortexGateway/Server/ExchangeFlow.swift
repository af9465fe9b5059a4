internal import CHttpd
internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// A request's way through libmicrohttpd's callbacks.
///
///     head read -> begin -> take, take, ... -> bodyEnded -> queue the response
///
/// Each step may find the task waiting for something of ours; then the connection is suspended and
/// the step is taken again when it is resumed.
extension Exchange {
    var hasBegun: Bool { isBegun }

    func readHead(_ method: String, _ version: UnsafePointer<CChar>) {
        var reading = HeadReading(after: version)
        withUnsafeMutablePointer(to: &reading) { pointer in
            _ = MHD_get_connection_values_n(connection, vortex_header_kind, httpdField, pointer)
        }
        head.method = method
        head.headers = HeaderFields(reading.fields)
        let framing =
            reading.isWhole
            ? HeadCheck.framing(head, version: String(cString: version))
            : .malformed("The header has a line that is not a field.")
        self.framing = framing
        record.rest()
        switch framing {
        case .none: requestBody.expect(0)
        case .length(let count): requestBody.expect(count)
        case .chunked: requestBody.expect(nil)
        case .malformed(let reason):
            requestBody.expect(0)
            lock.withLock { $0.response = server.refusal(reason, head.requestID) }
            return
        case .expectation:
            requestBody.expect(0)
            lock.withLock {
                $0.response = Problem(.expectationFailed).response(requestID: head.requestID)
            }
            return
        }
        start()
    }

    private var isRefused: Bool {
        switch framing {
        case .malformed, .expectation: true
        default: false
        }
    }

    private var hasBody: Bool { framing != HeadCheck.Framing.none }

    /// The first callback, and again until the handler has let the body come or answered.
    func begin() -> MHD_Result {
        while true {
            drain()
            if isRefused { return queue() }
            guard hasBody else {
                isBegun = true
                // Answered on the second call: a response queued on the first closes the
                // connection.
                if leave() { return vortex_yes }
                continue
            }
            let hasAnswered = lock.withLock { $0.response != nil }
            if hasAnswered {
                if mustRefuseNow { return queue() }
                isBegun = true
                record.expectBody(of: head.requestID)
                record.expect(within: server.options.bodySeconds)
                if leave() { return vortex_yes }
                continue
            }
            if requestBody.wasAsked {
                isBegun = true
                record.expectBody(of: head.requestID)
                record.expect(within: server.options.bodySeconds)
                if leave() { return vortex_yes }
                continue
            }
            if suspend(unless: { $0.response != nil }) { return vortex_yes }
        }
    }

    /// The body must not come: the client waits for 100 Continue, or there is too much to let it
    /// pass.
    private var mustRefuseNow: Bool {
        if head.headers["expect"]?.lowercased() == "100-continue" { return true }
        guard case .length(let count) = framing else { return true }
        return count > ServerLimits.discardedBytesMax
    }

    /// A piece of the body; how much of it was taken, nil to close the connection.
    func take(_ piece: UnsafeRawBufferPointer) -> Int? {
        var taken = 0
        while true {
            drain()
            if lock.withLock({ $0.response != nil }) {
                // Answered already; what still comes is let pass, within bounds.
                discarded += UInt64(piece.count - taken)
                guard discarded <= ServerLimits.discardedBytesMax else { return nil }
                noteProgress(piece.count - taken)
                taken = piece.count
                record.expectAgain(within: server.options.bodySeconds)
                if leave() { return piece.count }
                continue
            }
            if taken < piece.count {
                let count = requestBody.deliver(
                    UnsafeRawBufferPointer(rebasing: piece[taken...]))
                if count > 0 {
                    taken += count
                    server.metrics.receivedBytes.add(UInt64(count))
                    continue
                }
                if suspend(unless: { [requestBody] state in
                    state.response != nil || requestBody.isWanted
                }) {
                    return taken
                }
                continue
            }
            noteProgress(taken)
            record.expectAgain(within: server.options.bodySeconds)
            if leave() { return taken }
        }
    }

    /// A client has to bring so much in each window of time; less is too slow.
    private func noteProgress(_ count: Int) {
        progress += count
        guard progress >= ServerLimits.bodyWindowBytes else { return }
        progress = 0
        record.expect(within: server.options.bodySeconds)
    }

    func bodyEnded() -> MHD_Result {
        if !isBodyEnded {
            isBodyEnded = true
            record.endBody()
            requestBody.end()
        }
        while true {
            drain()
            if lock.withLock({ $0.response != nil }) { return queue() }
            if suspend(unless: { $0.response != nil }) { return vortex_yes }
        }
    }
}
