// What operators, proxies and monitoring ask a node about itself and about an object's copies.

internal import VortexCluster
internal import VortexCore

/// What the node says of itself: status, placement, metrics, health.
extension RESTHandler {
    func status(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        let status = await node.status()
        let now = clock.wallMilliseconds
        let cluster = await node.clusterStatus()
        return .json { json in
            json.members(of: status, now: now, isReady: readiness(status) == nil)
            json.members(of: cluster)
        }
    }

    func placement(_ call: Call) async throws(Problem) -> Response {
        let (bucket, key) = try parsing { () throws(RequestError) in
            try call.query.allow(only: [])
            return (try call.bucket(), try call.key())
        }
        let report = try await asking { () async throws(ClusterError) in
            try await self.node.placement(bucket: bucket, key: key)
        }
        return .json { json in
            json.member("bucket", bucket)
            json.member("key", utf8: key)
            json.members(of: report)
        }
    }

    func metrics(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        return Response(
            status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
            content: .bytes(metrics.render() + StatusMetrics(await node.status()).bytes))
    }

    func live(_ call: Call) throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        return .json { $0.member("status", "live") }
    }

    func ready(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        if let problem = readiness(await node.status()) { throw problem }
        return .json { $0.member("status", "ready") }
    }

    /// Why requests should go elsewhere; nil where they need not. A full disk is no reason: reads
    /// and deletes go on.
    private func readiness(_ status: NodeStatus) -> Problem? {
        isDraining ? Problem(.stopping) : nil
    }
}

extension JSONWriter {
    fileprivate mutating func members(of status: NodeStatus, now: UInt64, isReady: Bool) {
        member("cluster", status.cluster.description)
        member("node", status.node.description)
        member("boot", UInt64(status.boot))
        member("epoch", status.epoch.number)
        member("partitions", status.partitions)
        member("members", status.members)
        member("ready", isReady)
        member("started", time: status.startedMilliseconds)
        member(
            "uptime_seconds",
            (now - min(now, status.startedMilliseconds)) / 1_000)
        member("objects", status.objects)
        member("bytes", status.objectBytes)
        object("capacity") { json in
            json.member("total_bytes", status.diskTotalBytes)
            json.member("available_bytes", status.diskAvailableBytes)
            json.member("full", status.isFull)
        }
        object("journal") { json in
            json.member("segments", status.journalSegments)
            json.member("spare_segments", status.journalSpareSegments)
            json.member("bytes", status.journalBytes)
            json.member("live_bytes", status.journalLiveBytes)
            json.member("position", status.journalPosition)
            json.member("syncs", status.journalSyncs)
            json.member("records", status.journalRecords)
            json.member("queued", status.journalQueued)
            json.member("compacted_segments", status.compactedSegments)
            json.member("torn_tails", status.tornTails)
            json.array("damaged") { json in
                for region in status.damaged {
                    json.object { json in
                        json.member("segment", UInt64(region.segment))
                        json.member("offset", region.offset)
                        json.member("length", region.length)
                        json.member("may_hide_rows", region.mayHideRows)
                    }
                }
            }
        }
        object("index") { $0.member("bytes", status.indexBytes) }
        object("uploads") { json in
            json.member("active", status.activeUploads)
            json.member("waiting_changes", status.waitingChanges)
        }
        object("memory") { json in
            json.member("body_bytes", status.bufferBytes)
            json.member("body_limit_bytes", status.bufferLimitBytes)
        }
    }

    fileprivate mutating func members(of cluster: ClusterStatus) {
        array("nodes") { json in
            for node in cluster.nodes { json.object { $0.members(of: node) } }
        }
        object("replication") { json in
            let status = cluster.replication
            json.member("complete", cluster.isComplete)
            json.member("replicas", status.replicas)
            json.member("partitions", status.partitions)
            json.member("fully_replicated", status.fullyReplicated)
            json.member("under_replicated", status.underReplicated)
            json.member("unverified", status.unverified)
            json.member("migrating", status.migrating)
            json.member("without_quorum", status.withoutQuorum)
        }
        object("repair") { json in
            json.member("missing_rows", cluster.repair.missingRows)
            json.member("missing_chunks", cluster.repair.missingChunks)
            json.member("stray_chunks", cluster.repair.strayChunks)
            json.member("lost_chunks", cluster.repair.lostChunks)
            json.member("repaired_rows", cluster.repair.repairedRows)
            json.member("copied_chunks", cluster.repair.copiedChunks)
            json.member("collected_blobs", cluster.repair.collectedBlobs)
        }
    }

    private mutating func members(of node: MemberStatus) {
        member("node", node.node.description)
        member("address", node.address)
        member("zone", node.zone)
        member("host", node.host)
        switch node.state {
        case .active: member("state", "active")
        case .draining: member("state", "draining")
        case .dead: member("state", "dead")
        case .resyncing: member("state", "resyncing")
        case .replaced: member("state", "replaced")
        }
        member("health", node.health.rawValue)
        member("boot", UInt64(node.boot))
        member("owned_partitions", node.ownedPartitions)
        member("objects", node.objects)
        member("total_bytes", node.totalBytes)
        member("available_bytes", node.availableBytes)
        member("journal_live_bytes", node.journalLiveBytes)
        member("fenced", node.isFenced)
        member("verified", node.isVerified)
        if node.verifiedMilliseconds > 0 {
            member("verified_at", time: node.verifiedMilliseconds)
        } else {
            null("verified_at")
        }
    }

    fileprivate mutating func members(of report: PlacementReport) {
        member("version", report.version.id.description)
        member("size", report.version.size)
        member("partition", UInt64(report.partition))
        member("wanted_copies", report.wantedCopies)
        array("row_owners") { json in
            for node in report.rowOwners { json.value(node.description) }
        }
        member("chunk_count", report.chunkCount)
        array("chunks") { json in
            for chunk in report.chunks {
                json.object { json in
                    json.member("blob", chunk.chunk.blob.description)
                    json.member("index", UInt64(chunk.chunk.index))
                    json.member("length", chunk.length)
                    json.member("partition", UInt64(chunk.partition))
                    json.array("copies") { json in
                        for copy in chunk.copies { json.object { $0.members(of: copy) } }
                    }
                }
            }
        }
    }

    private mutating func members(of copy: ChunkCopy) {
        member("node", copy.node.description)
        switch copy.state {
        case .verified: member("state", "verified")
        case .damaged: member("state", "damaged")
        case .missing: member("state", "missing")
        case .notRead: member("state", "not-read")
        case .unreachable: member("state", "unreachable")
        }
        if let moment = copy.verifiedMilliseconds {
            member("verified", time: moment)
        } else {
            null("verified")
        }
    }
}
