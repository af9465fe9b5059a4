// What operators, proxies and monitoring ask a node about itself and about an object's copies.

internal import VortexCluster
internal import VortexCore

/// What the node says of itself: status, placement, metrics, health.
extension RESTHandler {
    func status(_ call: Call) async throws(Problem) -> Response {
        try parsing { () throws(RequestError) in try call.query.allow(only: []) }
        let status = await node.status()
        let now = clock.wallMilliseconds
        return .json { $0.members(of: status, now: now, isReady: readiness(status) == nil) }
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
        object("repair") { $0.member("collected_blobs", status.collectedBlobs) }
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
        }
        if let moment = copy.verifiedMilliseconds {
            member("verified", time: moment)
        } else {
            null("verified")
        }
    }
}
