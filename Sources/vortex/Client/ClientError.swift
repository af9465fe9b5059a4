internal import ArgumentParser
internal import Glibc

/// Why a client command failed: one line for a person, one exit code for a script.
enum ClientError: Error, Equatable {
    /// Ours or the file system's.
    case local(String)
    /// The server said no.
    case refused(status: Int, detail: String)
    /// No answer, or one that broke off.
    case unreachable(String)

    static let exitCodes = """
        Exit codes: 0 done; 1 usage, or a local file; 2 the server refused; 3 not found; \
        4 the server could not be reached; 5 a condition did not hold.
        """

    var exitCode: ExitCode {
        switch self {
        case .local: ExitCode(1)
        case .refused(404, _): ExitCode(3)
        case .refused(412, _): ExitCode(5)
        case .refused: ExitCode(2)
        case .unreachable: ExitCode(4)
        }
    }

    var line: String {
        switch self {
        case .local(let text), .unreachable(let text): text
        case .refused(let status, let detail): "\(detail) (\(status))"
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
