/// What the API can be asked to do. The raw value is the operationId in openapi.yaml.
public enum Operation: String, Sendable, Hashable, CaseIterable {
    case listBuckets, headBuckets, createBucket, getBucket, headBucket, deleteBucket
    case listObjects, headObjects, putObject, getObject, headObject, deleteObject
    case listUploads, headUploads, createUpload
    case getUpload, headUpload, appendUpload, abortUpload, completeUpload
    case status, headStatus, placement, headPlacement, metrics, headMetrics
    case live, headLive, ready, headReady
    case listKeys, headKeys, createKey, rotateKey, revokeKey
}

/// One method at one path. `{name}` stands for one piece between slashes, `{name...}` at the end
/// for all that is left, slashes and all.
public struct Route: Sendable {
    public let method: String
    public let pattern: String
    public let operation: Operation
    /// The health of a node is told without a token.
    public let isOpen: Bool

    private enum Piece: Sendable {
        case literal([UInt8])
        case parameter
    }
    private let pieces: [Piece]
    private let endsInRest: Bool

    init(_ method: String, _ pattern: String, _ operation: Operation, isOpen: Bool = false) {
        self.method = method
        self.pattern = pattern
        self.operation = operation
        self.isOpen = isOpen
        pieces = pattern.dropFirst().split(separator: "/").map {
            $0.first == "{" ? .parameter : .literal(Array($0.utf8))
        }
        endsInRest = pattern.hasSuffix("...}")
        precondition(pieces.count <= Routes.piecesMax)
    }

    /// The values of the parameters in order, or nil where the path is another one. `pieces` are at
    /// most `Routes.piecesMax`, `count` is how many the whole path has.
    func parameters(of pieces: [[UInt8]], count: Int) -> [[UInt8]]? {
        guard endsInRest ? count >= self.pieces.count : count == self.pieces.count else {
            return nil
        }
        var values: [[UInt8]] = []
        for (piece, given) in zip(self.pieces, pieces) {
            switch piece {
            case .literal(let text): if text != given { return nil }
            case .parameter: values.append(given)
            }
        }
        return values
    }
}

/// The one table of routes: for dispatch, for 405 with its Allow, and for the test that holds
/// openapi.yaml against it.
public enum Routes {
    static let piecesMax = 4

    public static let table: [Route] = [
        Route("PUT", "/v1/objects/{bucket}/{key...}", .putObject),
        Route("GET", "/v1/objects/{bucket}/{key...}", .getObject),
        Route("HEAD", "/v1/objects/{bucket}/{key...}", .headObject),
        Route("DELETE", "/v1/objects/{bucket}/{key...}", .deleteObject),
        Route("GET", "/v1/objects/{bucket}", .listObjects),
        Route("HEAD", "/v1/objects/{bucket}", .headObjects),
        Route("GET", "/v1/buckets", .listBuckets),
        Route("HEAD", "/v1/buckets", .headBuckets),
        Route("PUT", "/v1/buckets/{bucket}", .createBucket),
        Route("GET", "/v1/buckets/{bucket}", .getBucket),
        Route("HEAD", "/v1/buckets/{bucket}", .headBucket),
        Route("DELETE", "/v1/buckets/{bucket}", .deleteBucket),
        Route("GET", "/v1/uploads", .listUploads),
        Route("HEAD", "/v1/uploads", .headUploads),
        Route("POST", "/v1/uploads", .createUpload),
        Route("GET", "/v1/uploads/{id}", .getUpload),
        Route("HEAD", "/v1/uploads/{id}", .headUpload),
        Route("PATCH", "/v1/uploads/{id}", .appendUpload),
        Route("DELETE", "/v1/uploads/{id}", .abortUpload),
        Route("POST", "/v1/uploads/{id}/complete", .completeUpload),
        Route("GET", "/v1/status", .status),
        Route("HEAD", "/v1/status", .headStatus),
        Route("GET", "/v1/placement/{bucket}/{key...}", .placement),
        Route("HEAD", "/v1/placement/{bucket}/{key...}", .headPlacement),
        Route("GET", "/v1/metrics", .metrics),
        Route("HEAD", "/v1/metrics", .headMetrics),
        Route("GET", "/v1/keys", .listKeys),
        Route("HEAD", "/v1/keys", .headKeys),
        Route("POST", "/v1/keys", .createKey),
        Route("DELETE", "/v1/keys/{id}", .revokeKey),
        Route("POST", "/v1/keys/{id}/rotate", .rotateKey),
        Route("GET", "/v1/health/live", .live, isOpen: true),
        Route("HEAD", "/v1/health/live", .headLive, isOpen: true),
        Route("GET", "/v1/health/ready", .ready, isOpen: true),
        Route("HEAD", "/v1/health/ready", .headReady, isOpen: true),
    ]

    public struct Match: Sendable {
        public var route: Route
        public var parameters: [[UInt8]]
    }

    public static func match(
        method: String, _ target: RequestTarget
    ) throws(RequestError) -> Match {
        let count = target.pieceCount
        guard let pieces = try target.pieces(min(count, piecesMax)) else { throw .noSuchRoute }
        var allowed: [String] = []
        for route in table {
            guard let parameters = route.parameters(of: pieces, count: count) else { continue }
            if route.method == method { return Match(route: route, parameters: parameters) }
            allowed.append(route.method)
        }
        guard !allowed.isEmpty else { throw .noSuchRoute }
        throw .methodNotAllowed(allow: allowed.joined(separator: ", "))
    }
}
