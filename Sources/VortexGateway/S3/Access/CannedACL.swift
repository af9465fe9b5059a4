internal import VortexCore

/// S3's canned ACLs, and what of them is here: of a bucket, whether anybody may read and list it;
/// of an object nothing, since an object is as public as its bucket.
enum CannedACL: String, Sendable, CaseIterable {
    case `private`
    case publicRead = "public-read"
    case publicReadWrite = "public-read-write"
    case authenticatedRead = "authenticated-read"
    case awsExecRead = "aws-exec-read"
    case bucketOwnerRead = "bucket-owner-read"
    case bucketOwnerFullControl = "bucket-owner-full-control"
    case logDeliveryWrite = "log-delivery-write"

    static let header = "x-amz-acl"
    static let everybody = "http://acs.amazonaws.com/groups/global/AllUsers"

    /// The one that a request names; nil where it names none.
    static func find(_ headers: HeaderFields) throws(S3Error) -> CannedACL? {
        let lines = headers.all(header)
        guard let text = lines.first else { return nil }
        guard lines.count == 1, let acl = CannedACL(rawValue: text) else {
            throw .argument(header, lines.joined(separator: ","), "Unknown canned ACL.")
        }
        return acl
    }

    var notImplemented: S3Error { .notImplemented("\(Self.header): \(rawValue)") }

    /// What it makes of a bucket.
    var access: BucketSettings.Access? {
        switch self {
        case .private: .private
        case .publicRead: .publicRead
        default: nil
        }
    }

    /// It asks of an object what is so anyway: the owner has full control, and nobody else any.
    var isOfEveryObject: Bool { self == .private || self == .bucketOwnerFullControl }
}

/// An `AccessControlPolicy` document that says one of the two things that a bucket can be here.
enum ACLDocument {
    private static let grantsMax = 100

    static func access(_ body: [UInt8]) throws(S3Error) -> BucketSettings.Access {
        let root: XMLElement
        do throws(XMLElement.Failure) { root = try XMLElement.parse(body) } catch {
            throw S3Error(.malformedACL)
        }
        guard root.name == "AccessControlPolicy", let list = root.child("AccessControlList") else {
            throw S3Error(.malformedACL)
        }
        if let owner = root.child("Owner")?.value("ID"), owner != S3Owner.id {
            throw S3Error(.accessDenied)
        }
        guard list.children.count <= grantsMax else { throw S3Error(.malformedACL) }
        var isOwners = false
        var isPublic = false
        for grant in list.children {
            guard grant.name == "Grant", let grantee = grant.child("Grantee"),
                let permission = grant.value("Permission")
            else { throw S3Error(.malformedACL) }
            switch (grantee.value("ID"), grantee.value("URI"), permission) {
            case (S3Owner.id?, nil, "FULL_CONTROL"): isOwners = true
            case (nil, CannedACL.everybody?, "READ"): isPublic = true
            case (let id, let uri, _):
                throw .notImplemented("\(permission) to \(id ?? uri ?? "another grantee")")
            }
        }
        guard isOwners else {
            throw .notImplemented("An ACL that does not give the owner FULL_CONTROL")
        }
        return isPublic ? .publicRead : .private
    }

    /// The owner has full control; everybody may read, or nobody else may do anything.
    static func document(isPublic: Bool) -> [UInt8] {
        XMLWriter.document("AccessControlPolicy") { xml in
            xml.owner()
            xml.element("AccessControlList") { xml in
                xml.element("Grant") { xml in
                    xml.grantee()
                    xml.element("Permission", "FULL_CONTROL")
                }
                guard isPublic else { return }
                xml.element("Grant") { xml in
                    xml.everybody()
                    xml.element("Permission", "READ")
                }
            }
        }
    }
}
