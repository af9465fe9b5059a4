internal import VortexCluster
internal import VortexCore

/// `/v1/keys`: made, listed, given new secrets, revoked. A secret is told once, to its maker.
extension RESTHandler {
    func listKeys(_ call: Call) async throws(Problem) -> Response {
        let (after, limit) = try parsing { () throws(RequestError) in
            try call.query.allow(only: ["after", "limit"])
            return (try call.query.text("after", .after), try call.limit())
        }
        let page = try await asking { () async throws(ClusterError) in
            try await self.keys.list(after: after, limit: limit)
        }
        return .json { json in
            json.array("keys") { json in
                for key in page.keys {
                    json.object { $0.members(of: key.row, id: key.id, secret: nil) }
                }
            }
            if let next = page.next { json.member("next", next) } else { json.null("next") }
        }
    }

    /// `grants` as `vortex key create` spells them, `lifetime` in seconds.
    func createKey(_ call: Call) async throws(Problem) -> Response {
        let now = clock.wallMilliseconds
        let order = try parsing { () throws(RequestError) in
            try call.query.allow(only: ["grants", "lifetime"])
            guard !call.hasBody else { throw .unsupported(.body) }
            guard let text = try call.query.text("grants", .grants) else {
                throw .missing(.grants)
            }
            guard let grants = KeyGrant.list(text) else { throw .malformed(.grants) }
            var order = KeyRing.Order(grants: grants)
            if let text = try call.query.text("lifetime", .lifetime) {
                guard let seconds = UInt64(text), (1...Self.lifetimeSecondsMax).contains(seconds)
                else { throw .malformed(.lifetime) }
                order.expiresMilliseconds = now + seconds * 1_000
            }
            return order
        }
        let made = try await asking { () async throws(ClusterError) in
            try await self.keys.create(order)
        }
        guard let made else { throw Problem(.busy) }
        return .json(status: 201) { $0.members(of: made.row, id: made.id, secret: made.secret) }
    }

    /// A hundred years.
    private static let lifetimeSecondsMax: UInt64 = 100 * 366 * 86_400

    func rotateKey(_ call: Call) async throws(Problem) -> Response {
        let id = try keyID(call)
        let made = try await asking { () async throws(ClusterError) in
            try await self.keys.rotate(id)
        }
        guard let made else { throw Problem(.noSuchKey) }
        return .json { $0.members(of: made.row, id: made.id, secret: made.secret) }
    }

    func revokeKey(_ call: Call) async throws(Problem) -> Response {
        let id = try keyID(call)
        let wasThere = try await asking { () async throws(ClusterError) in
            try await self.keys.revoke(id)
        }
        guard wasThere else { throw Problem(.noSuchKey) }
        return Response(status: 204)
    }

    private func keyID(_ call: Call) throws(Problem) -> String {
        try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            guard !call.hasBody else { throw .unsupported(.body) }
            return try call.accessKeyID()
        }
    }
}

extension JSONWriter {
    fileprivate mutating func members(of row: AccessKeyRow, id: String, secret: String?) {
        member("id", id)
        if let secret { member("secret", secret) }
        member("created", time: row.createdMilliseconds)
        if let expires = row.expiresMilliseconds {
            member("expires", time: expires)
        } else {
            null("expires")
        }
        array("grants") { json in
            for grant in row.grants { json.value(grant.text) }
        }
    }
}
