internal import ArgumentParser
internal import VortexGateway
internal import VortexSimulator

/// Whether what clients of a real server logged is linearizable: `vortex check-history`.
struct CheckHistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-history",
        abstract: "Check the logs of clients: does one order of all changes explain them?",
        discussion: """
            Reads JSON, one object a line, from all files together. One line is one request:

              {"client": 3, "op": "put", "bucket": "demo", "key": "a", "start_ns": 100, \
            "end_ns": 250, "status": 201, "etag": "\\"5d41-1\\"", "digest": "2cf24dba"}

              client         a number
              op             put, get, head or delete
              bucket, key    texts
              start_ns       when it was sent, before the first byte; one clock for all clients
              end_ns         when the answer had come; null where none came
              status         the answer's HTTP status; null where none came
              etag           of the answer; quotes and W/ do not matter
              if_match, if_none_match
                             the request's conditions: *, or entity tags
              digest         of the body that a put sent or a get received whole, by any one \
            method; what a put of unknown outcome can be recognised by
              existed        of a delete, where the answer said so

            Fields that are null or missing are not known. A put or delete without an answer, or \
            answered 408 or 5xx (but 507), may have taken effect, then or later, or never. Prints \
            what no order explains, and exits with 1; with 2 where a line cannot be read.
            """)

    @Argument(help: "The logs; - is standard input.")
    var files: [String]

    func run() throws {
        var log = ClientLog()
        for file in files {
            var number = 0
            do {
                try LogLines.each(of: file) { line in
                    number += 1
                    guard !line.allSatisfy({ $0 == 0x20 || $0 == 0x0d }) else { return }
                    log.add(try ClientLog.Line(json: try JSONValue.read(line)))
                }
            } catch {
                printError("vortex: \(file), line \(number): \(error)")
                throw ExitCode(2)
            }
        }
        let problems = log.problems()
        for problem in problems { print(problem) }
        print("\(log.count) requests, \(problems.count) keys that no order explains")
        if !problems.isEmpty { throw ExitCode(1) }
    }
}

/// A file's lines, one at a time, however long the file is.
private enum LogLines {
    private static let bufferBytes = 1 << 20

    static func each(of path: String, _ body: ([UInt8]) throws -> Void) throws {
        let file = try LocalFile(reading: path)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: bufferBytes, alignment: 4_096)
        defer { buffer.deallocate() }
        var line: [UInt8] = []
        while true {
            let count = try file.read(into: buffer)
            if count == 0 { break }
            for byte in UnsafeRawBufferPointer(rebasing: buffer[..<count]) {
                if byte == UInt8(ascii: "\n") {
                    try body(line)
                    line.removeAll(keepingCapacity: true)
                } else {
                    line.append(byte)
                }
            }
        }
        if !line.isEmpty { try body(line) }
    }
}

/// A line of a log that is not one.
private enum LogFailure: Error, CustomStringConvertible {
    case missing(String)

    var description: String {
        switch self {
        case .missing(let field): "\(field) is missing, or not what it should be"
        }
    }
}

extension ClientLog.Line {
    fileprivate init(json: JSONValue) throws(LogFailure) {
        guard let operation = json["op"]?.text.flatMap({ Operation(rawValue: $0) }) else {
            throw .missing("op")
        }
        guard let bucket = json["bucket"]?.text else { throw .missing("bucket") }
        guard let key = json["key"]?.text else { throw .missing("key") }
        guard let client = json["client"]?.number.flatMap({ Int(exactly: $0) }) else {
            throw .missing("client")
        }
        guard let start = json["start_ns"]?.number else { throw .missing("start_ns") }
        self.init(
            client: client, operation: operation, bucket: bucket, key: key, start: start,
            end: json["end_ns"]?.number, status: json["status"]?.number.flatMap { Int(exactly: $0) }
        )
        if let end, end < start { throw .missing("end_ns") }
        etag = json["etag"]?.text
        ifMatch = json["if_match"]?.text
        ifNoneMatch = json["if_none_match"]?.text
        digest = json["digest"]?.text
        if case .bool(let value)? = json["existed"] { existed = value }
    }
}
