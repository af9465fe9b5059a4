internal import VortexCluster

/// The node's numbers in Prometheus' text format, beside those that the server counts itself.
struct StatusMetrics {
    private(set) var bytes: [UInt8] = []

    init(_ status: NodeStatus) {
        gauge("vortex_objects", "Visible objects.", status.objects)
        gauge("vortex_object_bytes", "Their bytes.", status.objectBytes)
        gauge("vortex_disk_total_bytes", "The file system's size.", status.diskTotalBytes)
        gauge("vortex_disk_available_bytes", "What is left of it.", status.diskAvailableBytes)
        gauge("vortex_disk_full", "1 where bodies are refused.", status.isFull ? 1 : 0)
        gauge("vortex_journal_bytes", "The journal's segments.", status.journalBytes)
        gauge("vortex_journal_live_bytes", "Bytes still referred to.", status.journalLiveBytes)
        gauge("vortex_journal_segments", "Segments in use.", UInt64(status.journalSegments))
        gauge(
            "vortex_journal_queued", "Writes waiting for the writer.", UInt64(status.journalQueued))
        counter("vortex_journal_syncs_total", "Calls of fdatasync.", status.journalSyncs)
        counter("vortex_journal_records_total", "Records written.", status.journalRecords)
        counter("vortex_journal_written_bytes_total", "Bytes written.", status.journalWrittenBytes)
        counter(
            "vortex_journal_compacted_segments_total", "Segments compacted.",
            status.compactedSegments)
        counter("vortex_journal_torn_tails_total", "Tails cut off.", UInt64(status.tornTails))
        gauge(
            "vortex_journal_damaged_regions", "Regions that do not verify.",
            UInt64(status.damaged.count))
        gauge("vortex_index_bytes", "The index on disk.", status.indexBytes)
        gauge("vortex_body_buffer_bytes", "Bodies in memory.", UInt64(status.bufferBytes))
        gauge(
            "vortex_body_buffer_limit_bytes", "The most there may be.",
            UInt64(status.bufferLimitBytes))
        gauge("vortex_active_uploads", "Bodies arriving.", UInt64(status.activeUploads))
        gauge("vortex_waiting_changes", "Changes in a key's queue.", UInt64(status.waitingChanges))
        counter("vortex_collected_blobs_total", "Blobs collected.", status.collectedBlobs)
    }

    private mutating func gauge(_ name: String, _ help: String, _ value: UInt64) {
        append(name, help, "gauge", value)
    }
    private mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        append(name, help, "counter", value)
    }
    private mutating func append(_ name: String, _ help: String, _ kind: String, _ value: UInt64) {
        bytes.append(
            contentsOf: "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n\(name) \(value)\n".utf8)
    }
}
