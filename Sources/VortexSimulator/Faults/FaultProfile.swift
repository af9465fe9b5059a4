/// Which faults a run has.
public enum FaultProfile: String, CaseIterable, Sendable {
    case none
    /// Loss, duplication, long delays, one-way and full partitions.
    case network
    /// Processes that are killed and machines that lose power.
    case crashes
    /// Errors, slowness, a full disk; where other nodes have copies, rot too.
    case disk
    /// Wall clocks that are off, and jump.
    case clocks
    case everything

    var touchesDisks: Bool { self == .disk || self == .everything }

    enum Fault: Sendable {
        case loss, duplication, delay, cut, oneWayCut
        case kill, powerCut, powerCutOfAll
        case ioError, slowDisk, fullDisk, rot
        case clockJump
    }

    /// What may happen in a run of so many nodes.
    func faults(nodes: Int) -> [Fault] {
        switch self {
        case .none: return []
        case .network:
            // A node by itself has no network.
            return nodes > 1 ? [.loss, .duplication, .delay, .cut, .oneWayCut] : []
        case .crashes: return [.kill, .powerCut, .powerCut, .powerCutOfAll]
        case .disk:
            let all: [Fault] = [.ioError, .ioError, .slowDisk, .fullDisk]
            // What rots on one disk is to be had from the others, where there are others.
            return nodes > 2 ? all + [.rot] : all
        case .clocks: return [.clockJump]
        case .everything:
            return [Self.network, .crashes, .disk, .clocks].flatMap { $0.faults(nodes: nodes) }
        }
    }
}
