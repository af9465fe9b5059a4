internal import Crypto
internal import Synchronization
internal import VortexCore

/// What a signing key is good for: one day, one region, one service.
struct SigningScope: Hashable, Sendable {
    /// yyyymmdd
    var date: String
    var region: String

    static let service = "s3"
    static let terminator = "aws4_request"

    /// `20130524/us-east-1/s3/aws4_request`
    var text: String { "\(date)/\(region)/\(Self.service)/\(Self.terminator)" }

    /// Of a credential's pieces behind the key's id. Any region is taken as it is: it only enters
    /// the derivation, and a store has no others to be confused with.
    init?(_ pieces: some Collection<ArraySlice<UInt8>>) {
        let pieces = Array(pieces)
        guard pieces.count == 4, pieces[0].count == 8, pieces[0].allSatisfy(isDigit),
            (1...64).contains(pieces[1].count), pieces[2].elementsEqual(Self.service.utf8),
            pieces[3].elementsEqual(Self.terminator.utf8),
            let region = String(validating: pieces[1], as: UTF8.self)
        else { return nil }
        date = String(decoding: pieces[0], as: UTF8.self)
        self.region = region
    }

    init(date: String, region: String) {
        self.date = date
        self.region = region
    }

    /// The chain of HMACs from the secret to the key that signs.
    func key(of secret: [UInt8]) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4".utf8) + secret)
        for piece in [date, region, Self.service, Self.terminator] {
            key = SymmetricKey(
                data: HMAC<SHA256>.authenticationCode(for: Array(piece.utf8), using: key))
        }
        return key
    }
}

/// Signing keys already derived: four HMACs less on each request. A key's id is not part of the
/// name, its secret is: a secret that was changed is never answered with the old one's key.
final class SigningKeys: Sendable {
    private struct Name: Hashable {
        var secret: [UInt8]
        var scope: SigningScope
    }
    private struct State {
        var keys: [Name: SymmetricKey] = [:]
        var names: [Name] = []
        /// The place in `names` that is given up next.
        var oldest = 0
    }
    private let state = Mutex(State())
    private let keysMax: Int

    /// Whoever has a key has one day and one region, mostly.
    init(keysMax: Int = 1_024) { self.keysMax = max(1, keysMax) }

    var count: Int { state.withLock { $0.keys.count } }

    func key(of secret: [UInt8], in scope: SigningScope) -> SymmetricKey {
        let name = Name(secret: secret, scope: scope)
        if let known = state.withLock({ $0.keys[name] }) { return known }
        let key = scope.key(of: secret)
        state.withLock { state in
            guard state.keys.updateValue(key, forKey: name) == nil else { return }
            if state.names.count < keysMax {
                state.names.append(name)
            } else {
                state.keys[state.names[state.oldest]] = nil
                state.names[state.oldest] = name
                state.oldest = (state.oldest + 1) % keysMax
            }
        }
        return key
    }

    /// Forgets all. Called when keys change, so that no secret outlives its key by long.
    func forget() { state.withLock { $0 = State() } }
}

/// Comparison whose time depends on the lengths only.
enum ConstantTime {
    static func equal(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(left, right) { difference |= one ^ other }
        return difference == 0
    }
}
