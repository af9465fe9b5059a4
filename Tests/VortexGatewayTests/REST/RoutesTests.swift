import Testing

@testable import VortexGateway

struct RoutesTests {
    @Test(
        arguments: [
            ("PUT", "/v1/objects/b/a/b//../", .putObject, ["b", "a/b//../"]),
            ("GET", "/v1/objects/b/", .getObject, ["b", ""]),
            ("GET", "/v1/objects/b?prefix=x", .listObjects, ["b"]),
            ("HEAD", "/v1/buckets", .headBuckets, []),
            ("DELETE", "/v1/buckets/b", .deleteBucket, ["b"]),
            ("POST", "/v1/uploads?bucket=b&key=k", .createUpload, []),
            ("PATCH", "/v1/uploads/7", .appendUpload, ["7"]),
            ("POST", "/v1/uploads/7/complete", .completeUpload, ["7"]),
            ("GET", "/v1/placement/b/k/k", .placement, ["b", "k/k"]),
            ("GET", "/v1/health/live", .live, []),
            ("GET", "/%761/status", .status, []),
            ("GET", "http://h:1/v1/status", .status, []),
        ] as [(String, String, Operation, [String])])
    func `a request finds its route`(
        method: String, raw: String, operation: Operation, parameters: [String]
    ) throws {
        let match = try Routes.match(method: method, RequestTarget(raw))
        #expect(match.route.operation == operation)
        #expect(match.parameters == parameters.map { Array($0.utf8) })
    }

    @Test(arguments: [
        "/", "/v1", "/v1/", "/v2/status", "/v1/status/", "/v1/objects", "/v1/uploads/7/finish",
        "/v1/uploads/7/complete/", "/v1/objects%2Fb/k", "/V1/status", "//v1/status", "/v1//status",
    ])
    func `other paths have none`(raw: String) throws {
        let target = try RequestTarget(raw)
        #expect(throws: RequestError.noSuchRoute) { try Routes.match(method: "GET", target) }
    }

    @Test(arguments: [
        ("POST", "/v1/objects/b/k", "PUT, GET, HEAD, DELETE"), ("PUT", "/v1/status", "GET, HEAD"),
        ("GET", "/v1/uploads/7/complete", "POST"), ("OPTIONS", "/v1/uploads", "GET, HEAD, POST"),
        ("get", "/v1/status", "GET, HEAD"),
    ])
    func `another method is told those that are allowed`(
        method: String, raw: String, allow: String
    ) throws {
        let target = try RequestTarget(raw)
        #expect(throws: RequestError.methodNotAllowed(allow: allow)) {
            try Routes.match(method: method, target)
        }
    }

    @Test func `every operation has one route, and GET has its HEAD`() {
        #expect(
            Routes.table.map(\.operation.rawValue).sorted()
                == Operation.allCases.map(\.rawValue).sorted())
        for route in Routes.table where route.method == "GET" {
            #expect(
                Routes.table.contains { $0.method == "HEAD" && $0.pattern == route.pattern })
        }
    }

    @Test func `every kind of problem has a status of its class and its own title`() {
        let titles = ProblemType.allCases.map(\.title)
        #expect(Set(titles).count == titles.count)
        for type in ProblemType.allCases {
            #expect((400...599).contains(type.status))
            #expect((type.status == 503) == (type.retryAfterSeconds != nil))
        }
    }
}
