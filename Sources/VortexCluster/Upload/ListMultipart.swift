public import VortexCore

/// A page of a bucket's open uploads with numbered parts.
public struct UploadQuestion: Hashable, Sendable {
    public var prefix: [UInt8]
    /// Folds keys that have it behind the prefix; empty: none.
    public var delimiter: [UInt8]
    /// The page begins behind this key or folded prefix; with `idMarker`, behind that upload.
    public var keyMarker: [UInt8]
    public var idMarker: UploadID?
    public var limit: Int
    public init(
        prefix: [UInt8] = [], delimiter: [UInt8] = [], keyMarker: [UInt8] = [],
        idMarker: UploadID? = nil, limit: Int
    ) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.keyMarker = keyMarker
        self.idMarker = idMarker
        self.limit = limit
    }
}

public struct ListedUpload: Hashable, Sendable {
    public var id: UploadID
    public var info: MultipartInfo
}

/// An upload, or a prefix to which several are folded.
public struct UploadItem: Hashable, Sendable {
    /// The key or the prefix.
    public var name: [UInt8]
    /// nil: a prefix.
    public var upload: ListedUpload?
}

extension ClusterNode {
    /// In order of keys, then of ids, which is that of their beginnings. Uploads are found by their
    /// ids, whatever their bucket: so all are passed, and only the page is kept.
    public func multipartUploads(
        bucket: String, _ question: UploadQuestion
    ) async throws(ClusterError) -> (items: [UploadItem], more: Bool) {
        let info = try await self.bucket(bucket)
        var page = UploadPage(question)
        var after: UploadID?
        repeat {
            let found = try await uploadRows(after: after, limit: Self.uploadsListedMax)
            for upload in found.uploads
            where upload.key.bucket == info.id && upload.row.isNumbered && upload.row.state == .open
            {
                page.take(
                    upload.key.key, ListedUpload(id: upload.id, info: Self.info(upload)))
            }
            after = found.next
        } while after != nil
        return page.result
    }
}

/// The first items of a listing, of what comes in any order.
struct UploadPage {
    private let question: UploadQuestion
    /// Sorted; one more than the page has.
    private var items: [UploadItem] = []

    init(_ question: UploadQuestion) { self.question = question }

    var result: (items: [UploadItem], more: Bool) {
        (Array(items.prefix(question.limit)), items.count > question.limit)
    }

    mutating func take(_ key: [UInt8], _ upload: ListedUpload) {
        guard key.starts(with: question.prefix) else { return }
        var item = UploadItem(name: key, upload: upload)
        let folding = Delimiter(prefix: question.prefix, delimiter: question.delimiter)
        if let end = key.withUnsafeBytes({ folding.fold($0) }) {
            item = UploadItem(name: Array(key[..<end]), upload: nil)
        }
        guard isBehindMarker(item) else { return }
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low + high) / 2
            if Self.isBefore(items[middle], item) { low = middle + 1 } else { high = middle }
        }
        if low < items.count, !Self.isBefore(item, items[low]) { return }
        items.insert(item, at: low)
        if items.count > question.limit + 1 { items.removeLast() }
    }

    private func isBehindMarker(_ item: UploadItem) -> Bool {
        if question.keyMarker.isEmpty { return true }
        if item.name == question.keyMarker, let upload = item.upload, let id = question.idMarker {
            return upload.id > id
        }
        return question.keyMarker.lexicographicallyPrecedes(item.name)
    }

    private static func isBefore(_ left: UploadItem, _ right: UploadItem) -> Bool {
        guard left.name == right.name else {
            return left.name.lexicographicallyPrecedes(right.name)
        }
        return (left.upload?.id ?? .zero) < (right.upload?.id ?? .zero)
    }
}
