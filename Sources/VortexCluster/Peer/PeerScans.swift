internal import VortexCore
internal import VortexStore

/// Questions about many rows, both ends.

extension PeerAnswers {
    /// Partitions in one question about digests.
    static let digestsMax = 4_096

    func scan(
        _ kind: WireKind, _ question: WireMessage
    ) async throws(CodingError) -> Result<Reply, OwnerFailure> {
        let isOfSync = kind == .partition || kind == .generations
        let isFenced = !isOfSync || !book.omitted.contains(.syncFence)
        if isFenced, let refusal = standing(question.epoch) { return .failure(refusal) }
        if let refusal = owner.fenced { return .failure(refusal) }
        let reply: Result<Reply, OwnerFailure>
        switch kind {
        case .list:
            let list = try decode(question) { (reader) throws(CodingError) in
                try reader.readListQuestion()
            }
            reply = owner.list(list).map { Reply(head: $0.encoded) }
        case .uploads:
            let (after, limit) = try decode(question) { (reader) throws(CodingError) in
                (try reader.readID(UploadID.self), try reader.readCount(max: 1_024))
            }
            reply = owner.uploads(after: after == .zero ? nil : after, limit: limit)
                .map { Reply(head: $0.encoded) }
        case .parts:
            let (id, after, limit) = try decode(question) { (reader) throws(CodingError) in
                (
                    try reader.readID(UploadID.self), try reader.readFixed(UInt32.self),
                    try reader.readCount(max: 1_024)
                )
            }
            reply = owner.parts(of: id, after: after, limit: limit).map { Reply(head: $0.encoded) }
        case .partition:
            let (partition, after, limit) = try decode(question) { (reader) throws(CodingError) in
                (
                    try reader.readFixed(UInt16.self),
                    try reader.readString(max: 2 * Limits.keyBytesMax),
                    try reader.readCount(max: 4_096)
                )
            }
            reply = await owner.settledPage(
                of: try known(partition), after: after.isEmpty ? nil : after, limit: max(1, limit)
            ).map { Reply(head: $0.encoded) }
        case .digests: reply = try digests(question)
        default: reply = try await generation(kind, question)
        }
        if isFenced, let refusal = standing(question.epoch) { return .failure(refusal) }
        return reply
    }

    private func known(_ partition: UInt16) throws(CodingError) -> Partition {
        guard Int(partition) < book.view.count else { throw .outOfRange(UInt64(partition)) }
        return Partition(partition)
    }

    private func digests(
        _ question: WireMessage
    ) throws(CodingError) -> Result<Reply, OwnerFailure> {
        let partitions = try decode(question) { (reader) throws(CodingError) -> [UInt16] in
            var partitions: [UInt16] = []
            for _ in 0..<(try reader.readCount(max: Self.digestsMax)) {
                partitions.append(try reader.readFixed())
            }
            return partitions
        }
        var writer = ByteWriter(reserving: 8 * partitions.count)
        for partition in partitions {
            switch owner.digest(of: try known(partition)) {
            case .success(let sum): writer.write(fixed: sum)
            case .failure(let failure): return .failure(failure)
            }
        }
        return .success(Reply(head: writer.bytes))
    }

    private func generation(
        _ kind: WireKind, _ question: WireMessage
    ) async throws(CodingError) -> Result<Reply, OwnerFailure> {
        if kind == .generations {
            do throws(StoreError) {
                return .success(Reply(head: BucketGenerations.encode(try owner.generations.all())))
            } catch { return .failure(OwnerFailure(error)) }
        }
        let (bucket, generation) = try decode(question) { (reader) throws(CodingError) in
            (try reader.readID(BucketID.self), try reader.readNumber())
        }
        do throws(StoreError) {
            try await owner.generations.push(bucket, generation: generation)
        } catch { return .failure(OwnerFailure(error)) }
        await owner.slots.drain(bucket: bucket)
        return .success(Reply())
    }
}

extension Peers {
    func list(
        _ node: NodeID, _ question: ListQuestion, epoch: Epoch
    ) async -> Result<ListAnswer, OwnerFailure> {
        let asked = await ask(
            node, .list, epoch: epoch, question.encoded, milliseconds: Self.scanMilliseconds)
        return RemoteOwner.result(asked) { (reader) throws(CodingError) in
            try reader.readListAnswer(question)
        }
    }

    func uploads(
        _ node: NodeID, after: UploadID?, limit: Int, epoch: Epoch
    ) async -> Result<FoundPage, OwnerFailure> {
        var writer = ByteWriter(reserving: 24)
        writer.write(after ?? .zero)
        writer.write(number: UInt64(limit))
        return Self.rows(
            await ask(
                node, .uploads, epoch: epoch, writer.bytes, milliseconds: Self.scanMilliseconds))
    }

    func parts(
        _ node: NodeID, of id: UploadID, after: UInt32, limit: Int, epoch: Epoch
    ) async -> Result<FoundPage, OwnerFailure> {
        var writer = ByteWriter(reserving: 24)
        writer.write(id)
        writer.write(fixed: after)
        writer.write(number: UInt64(limit))
        return Self.rows(
            await ask(
                node, .parts, epoch: epoch, writer.bytes, milliseconds: Self.scanMilliseconds))
    }

    private static func rows(
        _ asked: Result<WireMessage, OwnerFailure>
    ) -> Result<FoundPage, OwnerFailure> {
        RemoteOwner.result(asked) { (reader) throws(CodingError) in
            var page = FoundPage()
            if try reader.readByte() != 0 { page.end = try reader.readRowKey() }
            for _ in 0..<(try reader.readCount(max: 1_025)) {
                page.rows.append(
                    FoundRow(
                        key: try reader.readRowKey(), accepted: try reader.readBallot(),
                        value: try reader.readRegisterValue()))
            }
            return page
        }
    }

    func page(
        _ node: NodeID, of partition: Partition, after: [UInt8]?, limit: Int, epoch: Epoch
    ) async -> Result<LocalOwner.PartitionPage, OwnerFailure> {
        var writer = ByteWriter(reserving: 16 + (after?.count ?? 0))
        writer.write(fixed: partition.value)
        writer.write(string: after ?? [])
        writer.write(number: UInt64(limit))
        let asked = await ask(
            node, .partition, epoch: epoch, writer.bytes, milliseconds: Self.scanMilliseconds)
        return RemoteOwner.result(asked) { (reader) throws(CodingError) in
            try reader.readPartitionPage()
        }
    }

    func digests(
        _ node: NodeID, of partitions: [Partition], epoch: Epoch
    ) async -> Result<[UInt64], OwnerFailure> {
        var writer = ByteWriter(reserving: 8 + 2 * partitions.count)
        writer.write(number: UInt64(partitions.count))
        for partition in partitions { writer.write(fixed: partition.value) }
        let asked = await ask(
            node, .digests, epoch: epoch, writer.bytes, milliseconds: Self.scanMilliseconds)
        return RemoteOwner.result(asked) { (reader) throws(CodingError) in
            var sums: [UInt64] = []
            for _ in partitions { sums.append(try reader.readFixed()) }
            return sums
        }
    }

    func generations(
        _ node: NodeID, epoch: Epoch
    ) async -> Result<[BucketGenerations.Entry], OwnerFailure> {
        RemoteOwner.result(await ask(node, .generations, epoch: epoch)) {
            (reader) throws(CodingError) in
            try BucketGenerations.decode(&reader)
        }
    }

    func push(
        _ node: NodeID, _ bucket: BucketID, generation: UInt64, epoch: Epoch
    ) async -> OwnerFailure? {
        var writer = ByteWriter(reserving: 24)
        writer.write(bucket)
        writer.write(number: generation)
        let asked = await ask(node, .generation, epoch: epoch, writer.bytes)
        if case .failure(let failure) = asked { return failure }
        return nil
    }
}

extension ListQuestion {
    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 64 + from.count + prefix.count)
        writer.write(bucket)
        writer.write(number: generation)
        writer.write(string: from)
        writer.write(string: prefix)
        writer.write(string: delimiter)
        writer.write(number: UInt64(limit))
        writer.write(UInt8(wantsVersions ? 2 : wantsValues ? 1 : 0))
        return writer.bytes
    }

    static let limitMax = 4_096
}

extension ListAnswer {
    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 64 + 96 * rows.count)
        writer.write(UInt8(isCut ? 1 : 0))
        writer.write(number: UInt64(rows.count))
        for row in rows {
            writer.write(string: row.key)
            writer.write(fixed: row.partition)
            writer.write(row.accepted)
            if let value = row.value {
                writer.write(value)
                continue
            }
            switch row.glance {
            case .hidden(let isTombstone): writer.write(UInt8(isTombstone ? 0 : 1))
            case .visible(let summary):
                writer.write(UInt8(2))
                writer.write(number: summary.size)
                writer.write(summary.tag)
                writer.write(number: summary.modifiedMilliseconds)
            }
        }
        return writer.bytes
    }
}

extension FoundPage {
    fileprivate var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 64 + 256 * rows.count)
        writer.write(UInt8(end == nil ? 0 : 1))
        if let end { writer.write(end) }
        writer.write(number: UInt64(rows.count))
        for row in rows {
            writer.write(row.key)
            writer.write(row.accepted)
            writer.write(row.value)
        }
        return writer.bytes
    }
}

extension LocalOwner.PartitionPage {
    fileprivate var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 64 + 96 * rows.count)
        writer.write(horizon)
        writer.write(string: next ?? [])
        writer.write(number: UInt64(rows.count))
        for row in rows {
            writer.write(row.key)
            writer.write(row.accepted)
        }
        return writer.bytes
    }
}

extension ByteReader {
    fileprivate mutating func readListQuestion() throws(CodingError) -> ListQuestion {
        var question = ListQuestion(
            bucket: try readID(), generation: try readNumber(),
            from: try readString(max: 2 * Limits.keyBytesMax),
            prefix: try readString(max: 2 * Limits.keyBytesMax),
            delimiter: try readString(max: 2 * Limits.keyBytesMax),
            limit: max(1, try readCount(max: ListQuestion.limitMax)))
        let wants = try readByte()
        guard wants < 3 else { throw .unknown(tag: UInt64(wants)) }
        question.wantsValues = wants > 0
        question.wantsVersions = wants == 2
        return question
    }

    fileprivate mutating func readListAnswer(
        _ question: ListQuestion
    ) throws(CodingError) -> ListAnswer {
        var answer = ListAnswer(isCut: try readByte() == 1)
        let count = try readCount(max: ListQuestion.limitMax)
        answer.rows.reserveCapacity(count)
        for _ in 0..<count {
            let key = try readString(max: Limits.keyBytesMax)
            let partition: UInt16 = try readFixed()
            let accepted = try readBallot()
            var row = ListedRow(
                key: key, partition: partition, accepted: accepted,
                glance: .hidden(isTombstone: true))
            if question.wantsValues {
                let value = try readRegisterValue()
                row.glance = .hidden(isTombstone: value.isTombstone)
                row.value = value
            } else {
                row.glance = try readGlance()
            }
            answer.rows.append(row)
        }
        return answer
    }

    private mutating func readGlance() throws(CodingError) -> ObjectGlance {
        switch try readByte() {
        case 0: return .hidden(isTombstone: true)
        case 1: return .hidden(isTombstone: false)
        case 2:
            let size = try readNumber()
            let tag = try readEntityTag()
            return .visible(
                ObjectSummary(size: size, tag: tag, modifiedMilliseconds: try readMilliseconds()))
        case let tag: throw .unknown(tag: UInt64(tag))
        }
    }

    fileprivate mutating func readPartitionPage() throws(CodingError) -> LocalOwner.PartitionPage {
        let horizon = try readBallot()
        let next = try readString(max: 2 * Limits.keyBytesMax)
        var rows: [Store.PartitionRow] = []
        for _ in 0..<(try readCount(max: 4_096)) {
            rows.append(.init(key: try readRowKey(), accepted: try readBallot()))
        }
        return LocalOwner.PartitionPage(
            rows: rows, next: next.isEmpty ? nil : next, horizon: horizon)
    }
}
