/// Which faults a run has.
public enum FaultProfile: String, CaseIterable, Sendable {
    case none
    /// Loss, duplication, long delays, one-way and full partitions.
    case network
    /// Processes that are killed and machines that lose power.
    case crashes
    /// Errors, slowness, a full disk; where other nodes have copies, one disk that rots, too.
    case disk
    /// Wall clocks that are off, and jump.
    case clocks
    /// Nodes that join while clients work, and one that comes back with an old copy of its disk.
    case membership
    case everything

    var touchesDisks: Bool { self == .disk || self == .everything }
    var hasLateNodes: Bool { self == .membership || self == .everything }

    enum Fault: Sendable {
        case loss, duplication, delay, cut, oneWayCut
        case kill, powerCut, powerCutOfAll
        case ioError, readError, slowDisk, fullDisk
        case clockJump
        /// Of the one disk whose content the others must make up for.
        case rot, badSector, oldImage
    }

    /// What may happen in a run of so many nodes. `hasLoss`: what one disk holds may be lost.
    func faults(nodes: Int, hasLoss: Bool) -> [Fault] {
        switch self {
        case .none: return []
        case .network:
            // A node by itself has no network.
            return nodes > 1 ? [.loss, .duplication, .delay, .cut, .oneWayCut] : []
        case .crashes: return [.kill, .powerCut, .powerCut, .powerCutOfAll]
        case .disk:
            let all: [Fault] = [.ioError, .ioError, .readError, .slowDisk, .fullDisk]
            return hasLoss ? all + [.rot, .rot, .badSector] : all
        case .clocks: return [.clockJump]
        case .membership: return hasLoss ? [.kill, .powerCut, .oldImage] : [.kill, .powerCut]
        case .everything:
            return [Self.network, .crashes, .disk, .clocks, .membership].flatMap {
                $0.faults(nodes: nodes, hasLoss: hasLoss)
            }
        }
    }
}
