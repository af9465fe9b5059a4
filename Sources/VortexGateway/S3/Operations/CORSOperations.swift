internal import VortexCluster
internal import VortexCore

/// A bucket's CORS rules; what a browser asks before it lets a page ask; and what every answer to a
/// page says.
extension S3Handler {
    func getBucketCors(_ call: S3Call) async throws(S3Error) -> Response {
        let rules = try await settings(call).cors
        guard !rules.isEmpty else { throw S3Error(.noSuchCORS) }
        return .xml(CORSDocument.document(rules))
    }

    func putBucketCors(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try administered(call)
        let rules = try CORSDocument.parse(try await document(call, most: Self.settingsBytesMax))
        try await change(bucket) { $0.cors = rules }
        return Response(status: 200)
    }

    func deleteBucketCors(_ call: S3Call) async throws(S3Error) -> Response {
        try await change(try administered(call)) { $0.cors = [] }
        return Response(status: 204)
    }

    /// `OPTIONS`: whoever asks, and without a key, since browsers send none. Of a bucket that is
    /// not there nothing else is told than of one without rules.
    func preflight(_ head: RequestHead, _ place: S3Place) async throws(S3Error) -> Response {
        guard let bucket = place.bucket else { throw S3Error(.methodNotAllowed) }
        guard head.headers[PageOrigin.header] != nil else {
            throw S3Error(
                .badRequest, "Insufficient information. Origin request header needed.")
        }
        let method = head.headers["access-control-request-method"]
        guard let method, CORSRule.Methods(name: method) != nil else {
            throw S3Error(
                .badRequest, "Invalid Access-Control-Request-Method: \(method ?? "null")")
        }
        let rules = try await settings(ofPerhaps: bucket)?.cors ?? []
        guard !rules.isEmpty else {
            throw S3Error(
                .accessForbidden, "CORSResponse: CORS is not enabled for this bucket.")
        }
        let answer = CORSAnswer(
            rules, head.headers, method: method, requested: CORSAnswer.requested(head.headers))
        guard let answer else { throw S3Error(.accessForbidden) }
        return Response(status: 200, headers: answer.headers + [CORSAnswer.vary])
    }

    /// An answer depends on the page's origin wherever there are rules, whether a page asked or
    /// not: what is cached for the one must not be shown to the other.
    func addCORS(
        to response: inout Response, _ head: RequestHead, _ place: S3Place?
    ) async {
        let isAsked = head.headers[PageOrigin.header] != nil
        guard let bucket = place?.bucket, head.method != "OPTIONS",
            isAsked || (response.status < 400 && PageOrigin.isSafe(head.method))
        else { return }
        let rules: [CORSRule]
        do throws(S3Error) { rules = try await settings(ofPerhaps: bucket)?.cors ?? [] } catch {
            // Without a majority for the bucket's row nobody knows its rules: a browser lets no
            // page see such an answer.
            return
        }
        guard !rules.isEmpty else { return }
        response.headers += CORSAnswer(rules, head.headers, method: head.method)?.headers ?? []
        response.headers.append(CORSAnswer.vary)
    }
}
