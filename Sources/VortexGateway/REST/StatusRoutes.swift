internal import VortexCluster

extension RESTHandler {
    func status(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        _ = await node.status()
        return .json { _ in }
    }

    func placement(_ call: Call) async throws(Problem) -> Response {
        let (bucket, key) = try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            return (try call.bucket(), try call.key())
        }
        _ = try await asking { () async throws(ClusterError) in
            try await self.node.placement(bucket: bucket, key: key)
        }
        return .json { _ in }
    }

    func metrics(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        return Response(
            status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
            content: .bytes(metrics.render()))
    }

    func live(_ call: Call) throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        return .json { $0.member("status", "live") }
    }

    func ready(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        guard !isDraining else { throw Problem(.stopping) }
        return .json { $0.member("status", "ready") }
    }
}
