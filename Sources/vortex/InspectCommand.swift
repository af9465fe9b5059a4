internal import ArgumentParser
internal import Glibc
internal import VortexCore
internal import VortexGateway
internal import VortexStore

/// `vortex inspect DIR`: what a data directory holds, and what of it is damaged. Changes nothing.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show a data directory's segments, records and damage, read-only.",
        discussion: "The directory must not be in use. Exits with 1 where something is damaged.")

    @Argument(help: "The data directory.")
    var directory: String
    @Flag(help: "Print every record.")
    var records = false
    @Flag(help: "Read and verify every chunk's bytes too.")
    var verify = false

    func run() throws {
        guard access(directory, F_OK) == 0 else {
            throw ValidationError("\(directory): \(String(cString: strerror(errno))).")
        }
        let (directory, records, verify) = (directory, records, verify)
        let report: StoreInspection
        do {
            report = try LoopThread().wait { () async throws(ServeFailure) in
                let disk: FileDisk
                do throws(DiskError) { disk = try FileDisk(path: directory) } catch {
                    throw ServeFailure.disk(error, path: directory)
                }
                do throws(StoreError) {
                    return try await StoreInspection.inspect(disk, verifyingData: verify) { line in
                        if records { print(line) }
                    }
                } catch { throw ServeFailure.store(error) }
            }
        } catch {
            printError("vortex: \(error)")
            throw ExitCode(1)
        }
        print("cluster \(report.identity.cluster) node \(report.identity.node)")
        print("segment size \(report.identity.segmentBytes) bytes, \(report.spares.count) spare")
        for segment in report.segments { Self.show(segment) }
        for name in report.unreadable { print("\(name) unreadable header") }
        let isDamaged =
            !report.unreadable.isEmpty || report.segments.contains { !$0.damage.isEmpty }
        print(isDamaged ? "damaged" : "no damage found")
        if isDamaged { throw ExitCode(1) }
    }

    private static func show(_ segment: StoreInspection.SegmentReport) {
        var line = "segment \(segment.number): \(segment.end) of \(segment.sizeBytes) bytes, "
        line += "batches \(segment.batches) (\(segment.firstBatch) to \(segment.lastBatch), "
        line += "the last at \(segment.lastBatchOffset)), rows \(segment.rows), "
        line += "chunks \(segment.chunks) (\(segment.chunkBytes) bytes), notes \(segment.notes), "
        line += "deletes \(segment.deletes), purges \(segment.purges)"
        if segment.isTorn { line += ", torn tail" }
        print(line)
        for range in segment.damage {
            print("  damage at \(range.lowerBound), \(range.count) bytes")
        }
    }
}
