internal import CHttpd
internal import Glibc
internal import VortexCluster
internal import VortexCore

/// What libmicrohttpd calls, as plain C functions. They stand in a file of their own: a closure in
/// main.swift would belong to the main actor and crash on the library's threads.

func httpdURI(
    _ context: UnsafeMutableRawPointer?, _ uri: UnsafePointer<CChar>?, _ connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let context, let uri, let connection else { return nil }
    let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
    guard let entry = vortex_httpd_socket_context(connection) else { return nil }
    let record = Unmanaged<ConnectionRecord>.fromOpaque(entry).takeUnretainedValue()
    record.expect(within: core.options.headSeconds)
    core.metrics.requestsInFlight.add(1)
    // Repaired, bytes that are not UTF-8 would name another key; an empty target is refused.
    let exchange = Exchange(
        connection: connection, target: String(validatingCString: uri) ?? "", server: core,
        record: record)
    return Unmanaged.passRetained(exchange).toOpaque()
}

/// Nothing is unescaped: the target is taken as it came.
func httpdUnescape(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ text: UnsafeMutablePointer<CChar>?
) -> Int {
    text.map { strlen($0) } ?? 0
}

func httpdConnection(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ entry: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ code: MHD_ConnectionNotificationCode
) {
    guard let context, let connection, let entry else { return }
    let core = Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
    if vortex_httpd_is_start(code) != 0 {
        let record = ConnectionRecord(
            socket: vortex_httpd_socket(connection), peer: peerName(vortex_httpd_peer(connection)),
            isPlain: core.options.certificate == nil)
        record.expect(within: core.options.idleSeconds)
        core.connections.add(record)
        entry.pointee = Unmanaged.passRetained(record).toOpaque()
    } else if let pointer = entry.pointee {
        let record = Unmanaged<ConnectionRecord>.fromOpaque(pointer).takeRetainedValue()
        core.connections.remove(record)
        entry.pointee = nil
    }
}

func httpdCompleted(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ code: MHD_RequestTerminationCode
) {
    guard let slot, let pointer = slot.pointee else { return }
    slot.pointee = nil
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
    let isAborted = vortex_httpd_is_complete(code) == 0
    exchange.close(aborted: isAborted)
    exchange.record.expect(within: exchange.server.options.idleSeconds)
    exchange.server.finished(exchange, aborted: isAborted)
}

func httpdHandler(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ url: UnsafePointer<CChar>?, _ method: UnsafePointer<CChar>?,
    _ version: UnsafePointer<CChar>?, _ data: UnsafePointer<CChar>?,
    _ dataCount: UnsafeMutablePointer<Int>?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let pointer = slot?.pointee, let dataCount, let method, let version else {
        return vortex_no
    }
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
    exchange.enter()
    if exchange.framing == nil {
        exchange.readHead(String(cString: method), version)
        return exchange.begin()
    }
    exchange.drain()
    if !exchange.hasBegun { return exchange.begin() }
    let count = dataCount.pointee
    guard count > 0, let data else { return exchange.bodyEnded() }
    let piece = UnsafeRawBufferPointer(start: data, count: count)
    guard let taken = exchange.take(piece) else { return vortex_no }
    dataCount.pointee = count - taken
    return vortex_yes
}

func httpdField(
    _ context: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?,
    _ nameBytes: Int, _ value: UnsafePointer<CChar>?, _ valueBytes: Int
) -> MHD_Result {
    guard let context, let name else { return vortex_no }
    let reading = context.assumingMemoryBound(to: HeadReading.self)
    reading.pointee.follow(name, value, valueBytes)
    // With the lengths: a NUL does not end a value, it makes it malformed. What is not UTF-8 could
    // not be given back as it came, and is refused in the same way.
    let bytes = UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueBytes)
    let text = String(validating: bytes, as: UTF8.self) ?? "\u{0}"
    reading.pointee.fields.append((String(cString: name), text))
    return vortex_yes
}

func httpdRead(
    _ context: UnsafeMutableRawPointer?, _ offset: UInt64, _ buffer: UnsafeMutablePointer<CChar>?,
    _ count: Int
) -> Int {
    guard let context, let buffer else { return vortex_read_failed }
    let stream = Unmanaged<ResponseStream>.fromOpaque(context).takeUnretainedValue()
    return stream.read(at: offset, into: UnsafeMutableRawBufferPointer(start: buffer, count: count))
}

func httpdFreeStream(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<ResponseStream>.fromOpaque(context).release()
}

func httpdFreeBuffer(_ buffer: UnsafeMutableRawPointer?) { buffer?.deallocate() }

func httpdPanic(
    _ context: UnsafeMutableRawPointer?, _ file: UnsafePointer<CChar>?, _ line: UInt32,
    _ reason: UnsafePointer<CChar>?
) {
    let text = reason.map { String(cString: $0) } ?? "no reason given"
    fatalError("libmicrohttpd, line \(line): \(text)")
}
