internal import VortexCluster
internal import VortexCore

/// PostObject: a browser's form. Who has signed its policy is who stores the object; whoever sends
/// the form needs no key.
///
///     fields -> signature -> policy -> grant -> only then the file, as it comes
extension S3Handler {
    func postObject(_ call: S3Call) async throws(S3Error) -> Response {
        let bucket = try call.bucket()
        // A signature of the request would have to be checked against all of the body.
        guard call.admission.signed == nil else {
            throw S3Error(.invalidRequest, "A form is signed by its fields, not by a header.")
        }
        let form = try await FormHead.read(call.source, call.headers)
        let caller = try await formCaller(call, form)
        let upload = try FormUpload(form, bucket: bucket)
        var bytes: ClosedRange<UInt64> = 0...Self.bodyBytesMax
        if let text = form["policy"] {
            let policy = try PostPolicy(text)
            try policy.check(upload.conditioned, nowSeconds: nowSeconds)
            bytes = policy.bytes
        }
        guard caller.may(.write, bucket: bucket, key: upload.key) else {
            throw S3Error(.accessDenied)
        }
        try await checkACL(call, upload.acl, caller)
        let file = FormFile(call.source, form.scanner, bytes: bytes)
        let body = S3Body(file, try BodyPlan(fields: upload.headers), wantsTag: true, lanes: lanes)
        let result: PutResult
        do throws(ClusterError) {
            try await node.admitPut(
                bucket: bucket, key: upload.key, condition: .none,
                expectedBytes: call.source.expectedBytes)
            result = try await node.put(
                bucket: bucket, key: upload.key, attributes: upload.attributes, condition: .none,
                idempotency: nil, body: body)
        } catch { throw file.failure ?? body.failure ?? S3Error(answering: error) }
        let etag = "\"\(result.version.etag)\""
        let checksum = body.checksum?.headers(of: result.version.tag) ?? []
        return upload.response(
            etag: etag, root: call.origin.root(call.headers), result.headers + checksum)
    }

    /// Who has signed the form; else who sends it, which for a page of another origin is nobody.
    private func formCaller(_ call: S3Call, _ form: FormHead) async throws(S3Error) -> Caller {
        let claim: FormClaim?
        do throws(SignatureError) { claim = try FormClaim.find(form) } catch {
            throw S3Error(signature: error)
        }
        if let claim {
            do throws(AdmissionError) {
                return try await authenticator.admit(claim, from: call.origin)
            } catch { throw S3Error(admission: error) }
        }
        if case .stranger = call.caller { throw S3Error(.accessDenied) }
        try await refuseForeignPage(call, .postObject)
        return call.caller
    }
}

/// What a form asks for.
private struct FormUpload: Sendable {
    let bucket: String
    let key: [UInt8]
    let attributes: ObjectAttributes
    let acl: CannedACL?
    /// The fields that are an upload's headers as well.
    let headers: HeaderFields
    /// What a policy's conditions are about.
    let conditioned: [HeaderFields.Element]
    private let status: Int
    private let redirect: String?

    private static let filename = "${filename}"
    /// A key, and what may stand in it for the file's name, once or twice.
    private static let patternBytesMax = Limits.keyBytesMax + 32

    init(_ form: FormHead, bucket: String) throws(S3Error) {
        guard let pattern = form["key"], !pattern.isEmpty else {
            throw .argument(
                "key", "",
                "Bucket POST must contain a field named 'key'.  If it is specified, "
                    + "please check the order of the fields.")
        }
        // Before it is made: a file's name is not among what is signed.
        guard pattern.utf8.count <= Self.patternBytesMax,
            form.filename.utf8.count <= Limits.keyBytesMax
        else { throw S3Error(.keyTooLong) }
        let key = pattern.replacing(Self.filename, with: form.filename)
        self.key = try S3Place.checked(Array(key.utf8))
        self.bucket = bucket
        var conditioned: [HeaderFields.Element] = [(name: "bucket", value: bucket)]
        for field in form.fields where field.name != "bucket" {
            conditioned.append(field.name == "key" ? (name: field.name, value: key) : field)
        }
        if let named = form["bucket"], named != bucket {
            throw .argument("bucket", named, "The form is for another bucket than its address.")
        }
        self.conditioned = conditioned
        let signature: Set<String> = [
            "x-amz-algorithm", "x-amz-credential", "x-amz-signature", "x-amz-security-token",
        ]
        headers = HeaderFields(form.fields.filter { !signature.contains($0.name) })
        try S3Headers.check(headers)
        var attributes = try S3Headers.attributes(of: headers)
        if let text = form["tagging"] { attributes.tags = try S3Tags.parse(Array(text.utf8)) }
        self.attributes = attributes
        acl = try CannedACL.find(
            HeaderFields(
                form.fields.filter { $0.name == "acl" || $0.name == CannedACL.header }
                    .map { (name: CannedACL.header, value: $0.value) }))
        let asked = form["success_action_status"]
        status = asked == "200" ? 200 : asked == "201" ? 201 : 204
        redirect = Self.redirect(form["success_action_redirect"] ?? form["redirect"])
    }

    /// What is no address is passed over, as in Amazon's.
    private static func redirect(_ text: String?) -> String? {
        guard let text, text.hasPrefix("http://") || text.hasPrefix("https://"),
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        return text
    }

    func response(
        etag: String, root: String, _ more: [(String, String)]
    ) -> Response {
        let path = Array("/\(bucket)/".utf8) + PercentCoding.encode(key, keepsSlash: true)
        let location = root + String(decoding: path, as: UTF8.self)
        let headers = [("ETag", etag)] + more
        if let redirect {
            func encoded(_ bytes: some Sequence<UInt8>) -> String {
                String(decoding: PercentCoding.encode(bytes), as: UTF8.self)
            }
            let query =
                "bucket=\(bucket)&key=\(encoded(key))&etag=\(encoded(etag.utf8))"
            let target = redirect + (redirect.contains("?") ? "&" : "?") + query
            return Response(status: 303, headers: headers + [("Location", target)])
        }
        guard status == 201 else {
            return Response(status: status, headers: headers + [("Location", location)])
        }
        var response = Response.xml(
            XMLWriter.plain("PostResponse") { xml in
                xml.element("Location", location)
                xml.element("Bucket", bucket)
                xml.element("Key", utf8: key)
                xml.element("ETag", etag)
            }, status: 201)
        response.headers += headers + [("Location", location)]
        return response
    }
}
