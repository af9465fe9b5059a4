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

    /// `since`: when the reading of them began.
    func remember(_ settings: BucketSettings, of name: String, since milliseconds: UInt64) {
        let bytes = settings.encodedBytes
        state.withLock { state in
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

    func forget(_ name: String) {
        state.withLock { state in
            state.infos[name] = nil
            state.settingsBytes -= state.settings.removeValue(forKey: name)?.bytes ?? 0
        }
    }
}
