internal import Synchronization
internal import VortexCore
internal import VortexStore

extension ClusterNode {
    public func status() async -> NodeStatus {
        NodeStatus(
            cluster: store.identity.cluster, node: node, boot: boot, epoch: Epoch(number: 1),
            partitions: 1 << Int(Limits.partitionBitsDefault), members: 1,
            startedMilliseconds: startedMilliseconds, activeUploads: active.count,
            waitingChanges: coordinator.latch.waiting, bufferBytes: buffers.usedBytes,
            bufferLimitBytes: buffers.limitBytes,
            collectedBlobs: collected.load(ordering: .relaxed), usage: store.usage)
    }
}
