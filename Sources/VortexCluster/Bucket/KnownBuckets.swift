internal import Synchronization
internal import VortexCore

/// Open buckets that this gateway has met, so that not every request reads two registers. Owners
/// refuse requests that are made by older settings than they know (`BucketGenerations`), and every
/// change of the settings reaches a majority of every partition's owners before it is acknowledged:
/// so an entry that is out of date is found out by the request that uses it.
///
/// Who may read and what a page may ask is decided before an owner is asked, though: so settings
/// are forgotten after five seconds, and a change of them is in effect everywhere within that time.
final class KnownBuckets: Sendable {
    private struct Known {
        var settings: BucketSettings
        var bytes: Int
        var sinceMilliseconds: UInt64
    }
    private struct State {
        var infos: [String: BucketInfo] = [:]
        var settings: [String: Known] = [:]
        var settingsBytes = 0
        /// By bucket, the newest generation that this gateway has told to the owners.
        var announced: [BucketID: UInt64] = [:]
        /// Raised by every forgetting: what was read before one is not remembered after it.
        var forgotten: UInt64 = 0
    }
    private let state = Mutex(State())
    private static let bucketsMax = 4_096
    /// Of all settings that are kept.
    private static let settingsBytesMax = 4 << 20
    static let settingsMilliseconds: UInt64 = 5_000

    subscript(name: String) -> BucketInfo? { state.withLock { $0.infos[name] } }

    func remember(_ info: BucketInfo) {
        state.withLock { state in
            if state.infos.count >= Self.bucketsMax { state.infos.removeAll() }
            state.infos[info.name] = info
        }
    }

    /// As they were at most five seconds ago; nil where that is not known.
    func settings(_ name: String, now milliseconds: UInt64) -> BucketSettings? {
        state.withLock { state in
            guard let known = state.settings[name],
                milliseconds - min(milliseconds, known.sinceMilliseconds)
                    < Self.settingsMilliseconds
            else { return nil }
            return known.settings
        }
    }

    /// To be taken before settings are read.
    var mark: UInt64 { state.withLock { $0.forgotten } }

    /// `since`: when the reading of them began, at `mark`.
    func remember(
        _ settings: BucketSettings, of name: String, since milliseconds: UInt64, mark: UInt64
    ) {
        let bytes = settings.encodedBytes
        state.withLock { state in
            guard state.forgotten == mark else { return }
            state.settingsBytes -= state.settings[name]?.bytes ?? 0
            if state.settings.count >= Self.bucketsMax
                || state.settingsBytes + bytes > Self.settingsBytesMax
            {
                state.settings.removeAll()
                state.settingsBytes = 0
            }
            state.settings[name] = Known(
                settings: settings, bytes: bytes, sinceMilliseconds: milliseconds)
            state.settingsBytes += bytes
        }
    }

    func isAnnounced(_ id: BucketID, _ generation: UInt64) -> Bool {
        state.withLock { $0.announced[id] ?? 0 >= generation }
    }

    func noteAnnounced(_ id: BucketID, _ generation: UInt64) {
        state.withLock { state in
            if state.announced.count >= Self.bucketsMax { state.announced.removeAll() }
            state.announced[id] = max(state.announced[id] ?? 0, generation)
        }
    }

    func forget(_ name: String) {
        state.withLock { state in
            state.forgotten &+= 1
            state.infos[name] = nil
            state.settingsBytes -= state.settings.removeValue(forKey: name)?.bytes ?? 0
        }
    }
}
