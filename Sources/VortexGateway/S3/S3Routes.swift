/// What S3 can be asked to do here.
enum S3Operation: Sendable, Hashable, CaseIterable {
    case listBuckets
    case createBucket, headBucket, deleteBucket, getBucketLocation
    case getBucketVersioning, putBucketVersioning, getBucketAcl, putBucketAcl
    case getBucketTagging, putBucketTagging, deleteBucketTagging
    case getBucketCors, putBucketCors, deleteBucketCors
    case getBucketOwnershipControls, putBucketOwnershipControls, deleteBucketOwnershipControls
    case getPublicAccessBlock, putPublicAccessBlock, deletePublicAccessBlock
    case listObjects, listObjectsV2, listObjectVersions, deleteObjects, postObject
    case putObject, copyObject, getObject, headObject, deleteObject, getObjectAcl
    case createMultipartUpload, uploadPart, uploadPartCopy, listParts, completeMultipartUpload
    case abortMultipartUpload, listMultipartUploads, getObjectAttributes
    case getObjectTagging, putObjectTagging, deleteObjectTagging
}

/// One of Amazon's operations: a method at the service, a bucket or an object, with a subresource
/// in the query or without. Those without an `operation` are known by name, and not there.
struct S3Route: Sendable {
    enum Scope: Sendable {
        case service, bucket, object
    }
    /// As Amazon's API reference has it.
    var name: String
    var method: String
    var scope: Scope
    var subresource: String?
    var operation: S3Operation?

    fileprivate init(
        _ method: String, _ scope: Scope, _ subresource: String?, _ name: String,
        _ operation: S3Operation? = nil
    ) {
        self.method = method
        self.scope = scope
        self.subresource = subresource
        self.name = name
        self.operation = operation
    }
}

/// The one table of operations: for dispatch, for 501, and for the test that holds docs/s3.md
/// against it.
enum S3Routes {
    static let table: [S3Route] = service + bucket + settings + object

    private static let service = [S3Route("GET", .service, nil, "ListBuckets", .listBuckets)]

    private static let bucket = [
        S3Route("PUT", .bucket, nil, "CreateBucket", .createBucket),
        S3Route("HEAD", .bucket, nil, "HeadBucket", .headBucket),
        S3Route("DELETE", .bucket, nil, "DeleteBucket", .deleteBucket),
        S3Route("GET", .bucket, nil, "ListObjects", .listObjects),
        S3Route("GET", .bucket, "list-type", "ListObjectsV2", .listObjectsV2),
        S3Route("GET", .bucket, "location", "GetBucketLocation", .getBucketLocation),
        S3Route("POST", .bucket, "delete", "DeleteObjects", .deleteObjects),
        S3Route("GET", .bucket, "versions", "ListObjectVersions", .listObjectVersions),
        S3Route("GET", .bucket, "uploads", "ListMultipartUploads", .listMultipartUploads),
        S3Route("POST", .bucket, nil, "PostObject", .postObject),
        S3Route("GET", .bucket, "session", "CreateSession"),
    ]

    private static let settings = [
        S3Route("GET", .bucket, "versioning", "GetBucketVersioning", .getBucketVersioning),
        S3Route("PUT", .bucket, "versioning", "PutBucketVersioning", .putBucketVersioning),
        S3Route("GET", .bucket, "acl", "GetBucketAcl", .getBucketAcl),
        S3Route("PUT", .bucket, "acl", "PutBucketAcl", .putBucketAcl),
        S3Route("GET", .bucket, "cors", "GetBucketCors", .getBucketCors),
        S3Route("PUT", .bucket, "cors", "PutBucketCors", .putBucketCors),
        S3Route("DELETE", .bucket, "cors", "DeleteBucketCors", .deleteBucketCors),
        S3Route("GET", .bucket, "tagging", "GetBucketTagging", .getBucketTagging),
        S3Route("PUT", .bucket, "tagging", "PutBucketTagging", .putBucketTagging),
        S3Route(
            "DELETE", .bucket, "tagging", "DeleteBucketTagging", .deleteBucketTagging),
        S3Route("GET", .bucket, "policy", "GetBucketPolicy"),
        S3Route("PUT", .bucket, "policy", "PutBucketPolicy"),
        S3Route("DELETE", .bucket, "policy", "DeleteBucketPolicy"),
        S3Route("GET", .bucket, "policyStatus", "GetBucketPolicyStatus"),
        S3Route("GET", .bucket, "lifecycle", "GetBucketLifecycleConfiguration"),
        S3Route("PUT", .bucket, "lifecycle", "PutBucketLifecycleConfiguration"),
        S3Route("DELETE", .bucket, "lifecycle", "DeleteBucketLifecycle"),
        S3Route("GET", .bucket, "encryption", "GetBucketEncryption"),
        S3Route("PUT", .bucket, "encryption", "PutBucketEncryption"),
        S3Route("DELETE", .bucket, "encryption", "DeleteBucketEncryption"),
        S3Route("GET", .bucket, "object-lock", "GetObjectLockConfiguration"),
        S3Route("PUT", .bucket, "object-lock", "PutObjectLockConfiguration"),
        S3Route(
            "GET", .bucket, "ownershipControls", "GetBucketOwnershipControls",
            .getBucketOwnershipControls),
        S3Route(
            "PUT", .bucket, "ownershipControls", "PutBucketOwnershipControls",
            .putBucketOwnershipControls),
        S3Route(
            "DELETE", .bucket, "ownershipControls", "DeleteBucketOwnershipControls",
            .deleteBucketOwnershipControls),
        S3Route(
            "GET", .bucket, "publicAccessBlock", "GetPublicAccessBlock",
            .getPublicAccessBlock),
        S3Route(
            "PUT", .bucket, "publicAccessBlock", "PutPublicAccessBlock",
            .putPublicAccessBlock),
        S3Route(
            "DELETE", .bucket, "publicAccessBlock", "DeletePublicAccessBlock",
            .deletePublicAccessBlock),
        S3Route("GET", .bucket, "website", "GetBucketWebsite"),
        S3Route("PUT", .bucket, "website", "PutBucketWebsite"),
        S3Route("DELETE", .bucket, "website", "DeleteBucketWebsite"),
        S3Route("GET", .bucket, "notification", "GetBucketNotificationConfiguration"),
        S3Route("PUT", .bucket, "notification", "PutBucketNotificationConfiguration"),
        S3Route("GET", .bucket, "replication", "GetBucketReplication"),
        S3Route("PUT", .bucket, "replication", "PutBucketReplication"),
        S3Route("DELETE", .bucket, "replication", "DeleteBucketReplication"),
        S3Route("GET", .bucket, "logging", "GetBucketLogging"),
        S3Route("PUT", .bucket, "logging", "PutBucketLogging"),
        S3Route("GET", .bucket, "requestPayment", "GetBucketRequestPayment"),
        S3Route("PUT", .bucket, "requestPayment", "PutBucketRequestPayment"),
        S3Route("GET", .bucket, "accelerate", "GetBucketAccelerateConfiguration"),
        S3Route("PUT", .bucket, "accelerate", "PutBucketAccelerateConfiguration"),
        S3Route("GET", .bucket, "analytics", "GetBucketAnalyticsConfiguration"),
        S3Route("PUT", .bucket, "analytics", "PutBucketAnalyticsConfiguration"),
        S3Route("DELETE", .bucket, "analytics", "DeleteBucketAnalyticsConfiguration"),
        S3Route("GET", .bucket, "inventory", "GetBucketInventoryConfiguration"),
        S3Route("PUT", .bucket, "inventory", "PutBucketInventoryConfiguration"),
        S3Route("DELETE", .bucket, "inventory", "DeleteBucketInventoryConfiguration"),
        S3Route("GET", .bucket, "metrics", "GetBucketMetricsConfiguration"),
        S3Route("PUT", .bucket, "metrics", "PutBucketMetricsConfiguration"),
        S3Route("DELETE", .bucket, "metrics", "DeleteBucketMetricsConfiguration"),
        S3Route(
            "GET", .bucket, "intelligent-tiering", "GetBucketIntelligentTieringConfiguration"),
        S3Route(
            "PUT", .bucket, "intelligent-tiering", "PutBucketIntelligentTieringConfiguration"),
        S3Route(
            "DELETE", .bucket, "intelligent-tiering",
            "DeleteBucketIntelligentTieringConfiguration"),
    ]

    private static let object = [
        S3Route("PUT", .object, nil, "PutObject", .putObject),
        S3Route("PUT", .object, nil, "CopyObject", .copyObject),
        S3Route("GET", .object, nil, "GetObject", .getObject),
        S3Route("HEAD", .object, nil, "HeadObject", .headObject),
        S3Route("DELETE", .object, nil, "DeleteObject", .deleteObject),
        S3Route("GET", .object, "acl", "GetObjectAcl", .getObjectAcl),
        S3Route("PUT", .object, "acl", "PutObjectAcl"),
        S3Route("POST", .object, "uploads", "CreateMultipartUpload", .createMultipartUpload),
        S3Route("PUT", .object, "uploadId", "UploadPart", .uploadPart),
        S3Route("PUT", .object, "uploadId", "UploadPartCopy", .uploadPartCopy),
        S3Route("GET", .object, "uploadId", "ListParts", .listParts),
        S3Route(
            "POST", .object, "uploadId", "CompleteMultipartUpload", .completeMultipartUpload),
        S3Route("DELETE", .object, "uploadId", "AbortMultipartUpload", .abortMultipartUpload),
        S3Route(
            "GET", .object, "attributes", "GetObjectAttributes", .getObjectAttributes),
        S3Route("GET", .object, "tagging", "GetObjectTagging", .getObjectTagging),
        S3Route("PUT", .object, "tagging", "PutObjectTagging", .putObjectTagging),
        S3Route(
            "DELETE", .object, "tagging", "DeleteObjectTagging", .deleteObjectTagging),
        S3Route("GET", .object, "retention", "GetObjectRetention"),
        S3Route("PUT", .object, "retention", "PutObjectRetention"),
        S3Route("GET", .object, "legal-hold", "GetObjectLegalHold"),
        S3Route("PUT", .object, "legal-hold", "PutObjectLegalHold"),
        S3Route("GET", .object, "torrent", "GetObjectTorrent"),
        S3Route("POST", .object, "restore", "RestoreObject"),
        S3Route("POST", .object, "select", "SelectObjectContent"),
        S3Route("PUT", .object, "renameObject", "RenameObject"),
        S3Route("PUT", .object, "encryption", "UpdateObjectEncryption"),
    ]

    private static let subresources: Set<String> = Set(table.compactMap(\.subresource))

    /// What the request asks for.
    static func find(
        method: String, _ place: S3Place, _ target: S3Target, isCopy: Bool
    ) throws(S3Error) -> S3Operation {
        let scope: S3Route.Scope =
            place.bucket == nil ? .service : place.key == nil ? .bucket : .object
        let present = subresources.filter { name in
            target.has(name) && (name != "list-type" || scope == .bucket)
        }
        guard present.count <= 1 else {
            throw S3Error(.invalidRequest, "More than one subresource.")
        }
        let subresource = present.first
        let here = table.filter { $0.scope == scope && $0.subresource == subresource }
        let found = here.filter { $0.method == method }
        guard let first = found.first else {
            guard here.isEmpty, let subresource else { throw S3Error(.methodNotAllowed) }
            throw .notImplemented("?\(subresource)")
        }
        let route = isCopy ? found.last ?? first : first
        guard let operation = route.operation else { throw .notImplemented(route.name) }
        return operation
    }
}
