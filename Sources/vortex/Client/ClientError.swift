internal import ArgumentParser
internal import Glibc

/// Why a client command failed: one line for a person, one exit code for a script.
enum ClientError: Error, Equatable {
    /// Ours or the file system's.
    case local(String)
    /// The server said no.
    case refused(status: Int, detail: String)
    /// Nothing answers at that address, or not as this protocol.
    case absent(String)
    /// No answer, or one that broke off: the request may have been carried out.
    case unreachable(String)
    /// By SIGINT or SIGTERM.
    case interrupted

    static let exitCodes = """
        Exit codes: 0 done; 1 usage, or a local file; 2 the server refused; 3 not found; \
        4 the server could not be reached; 5 a condition did not hold; 130 interrupted.
        """

    var exitCode: ExitCode {
        switch self {
        case .local: ExitCode(1)
        case .refused(404, _): ExitCode(3)
        case .refused(412, _): ExitCode(5)
        case .refused: ExitCode(2)
        case .absent, .unreachable: ExitCode(4)
        case .interrupted: ExitCode(130)
        }
    }

    var line: String {
        switch self {
        case .local(let text), .absent(let text), .unreachable(let text): text
        case .interrupted: "interrupted"
        case .refused(let status, let detail): "\(detail) (\(status))"
        }
    }

    /// Worth another attempt of what is idempotent.
    var isPassing: Bool {
        switch self {
        case .absent, .unreachable: true
        case .refused(let status, _): status == 503
        case .local, .interrupted: false
        }
    }

    static func local(_ path: String, errno: Int32) -> ClientError {
        .local("\(path): \(String(cString: strerror(errno)))")
    }
}

/// Runs a command's body; a failure becomes its one line and its exit code.
func reporting(_ body: () throws(ClientError) -> Void) throws {
    do throws(ClientError) { try body() } catch {
        printError("vortex: \(error.line)")
        throw error.exitCode
    }
}
