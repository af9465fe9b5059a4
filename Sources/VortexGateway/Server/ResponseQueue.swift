internal import CHttpd
internal import Glibc
internal import Synchronization
internal import VortexCluster
internal import VortexCore

/// From a `Response` to libmicrohttpd's own, and from a content stream to its reader.
extension Exchange {
    /// Hands the response to libmicrohttpd.
    func queue() -> MHD_Result {
        let (response, preloaded) = lock.withLock { state in
            defer { state.preloaded = nil }
            return (state.response, state.preloaded)
        }
        guard let response else { return vortex_no }
        guard let made = make(response, preloaded) else {
            preloaded?.buffer.deallocate()
            return vortex_no
        }
        defer { MHD_destroy_response(made) }
        for (name, value) in response.headers { MHD_add_response_header(made, name, value) }
        MHD_add_response_header(made, "x-request-id", head.requestID)
        if mustClose(response) { MHD_add_response_header(made, "Connection", "close") }
        status = response.status
        record.expect(within: server.options.sendSeconds)
        let result = MHD_queue_response(connection, UInt32(response.status), made)
        _ = leave()
        return result
    }

    /// What follows on the connection cannot be told from the request's body: the body was not read
    /// to its end, or its framing was missing or lost on the way.
    private func mustClose(_ response: Response) -> Bool {
        if response.status == 400 || response.status == 411 { return true }
        return framing != HeadCheck.Framing.none && !isBodyEnded
    }

    fileprivate func note(sent count: UInt64) {
        guard head.method != "HEAD" else { return }
        sentBytes += count
        server.metrics.sentBytes.add(count)
    }

    private func make(
        _ response: Response, _ preloaded: Preloaded?
    ) -> OpaquePointer? {
        switch response.content {
        case .empty(nil), .empty(contentLength: 0):
            return MHD_create_response_from_buffer(0, nil, vortex_memory_persistent)
        case .empty(.some(let length)):
            // Only for HEAD, which never asks for the content.
            return MHD_create_response_from_callback(
                length, 1_024, { _, _, _, _ in vortex_read_failed }, nil,
                nil)
        case .bytes(let bytes):
            note(sent: UInt64(bytes.count))
            return bytes.withUnsafeBytes { raw in
                MHD_create_response_from_buffer(
                    raw.count, UnsafeMutableRawPointer(mutating: raw.baseAddress),
                    vortex_memory_copy)
            }
        case .stream(let length, let stream):
            if let preloaded {
                note(sent: length)
                return MHD_create_response_from_buffer_with_free_callback(
                    preloaded.buffer.count, preloaded.buffer.baseAddress, httpdFreeBuffer)
            }
            let source = ResponseStream(self, stream, length: length)
            let context = Unmanaged.passRetained(source).toOpaque()
            let made = MHD_create_response_from_callback(
                length, ServerLimits.sendBlockBytes, httpdRead, context, httpdFreeStream)
            if made == nil { Unmanaged<ResponseStream>.fromOpaque(context).release() }
            return made
        }
    }
}

/// A content stream as libmicrohttpd's reader: each block is read straight into the library's
/// buffer, on its thread where nothing has to be waited for. While a block is waited for the
/// connection is suspended, so the library neither closes it nor frees the buffer.
///
/// Unchecked: used on the connection's thread alone, but for the pull, which the exchange's lock
/// guards.
final class ResponseStream: @unchecked Sendable {
    private let exchange: Exchange
    private let stream: any ContentStream
    private let length: UInt64

    init(_ exchange: Exchange, _ stream: any ContentStream, length: UInt64) {
        self.exchange = exchange
        self.stream = stream
        self.length = length
    }

    /// The bytes read, zero with the connection suspended, or the library's code for a failure.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        exchange.enter()
        exchange.record.expect(within: exchange.server.options.sendSeconds)
        let isNew = exchange.lock.withLock { state in
            guard state.pull == nil else { return false }
            state.pull = Exchange.Pull(offset: offset)
            return true
        }
        if isNew { pull(offset, buffer) }
        while true {
            exchange.drain()
            let result = exchange.lock.withLock { $0.pull?.result }
            if let result {
                exchange.lock.withLock { $0.pull = nil }
                if !exchange.leave() { exchange.drain() }
                _ = exchange.leave()
                return answer(result)
            }
            if exchange.suspend(unless: { $0.pull?.result != nil }) { return 0 }
        }
    }

    private func pull(_ offset: UInt64, _ buffer: UnsafeMutableRawBufferPointer) {
        let address = UInt(bitPattern: buffer.baseAddress)
        let count = Int(min(UInt64(buffer.count), length - offset))
        let (exchange, stream) = (exchange, stream)
        Task(executorPreference: exchange) {
            let target = UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(bitPattern: address), count: count)
            let result: Result<Int, ClusterError>
            do throws(ClusterError) {
                result = .success(try await stream.read(at: offset, into: target))
            } catch { result = .failure(error) }
            exchange.finishPull(result)
        }
    }

    private func answer(_ result: Result<Int, ClusterError>) -> Int {
        switch result {
        case .success(let count) where count > 0:
            exchange.note(sent: UInt64(count))
            return count
        case .success, .failure:
            exchange.server.metrics.brokenResponses.add(1)
            return vortex_read_failed
        }
    }
}

extension Exchange {
    func finishPull(_ result: Result<Int, ClusterError>) {
        let mustResume = lock.withLock { state in
            state.pull?.result = result
            guard state.phase == .suspended else { return false }
            state.phase = .resuming
            return true
        }
        if mustResume { MHD_resume_connection(connection) }
    }
}
