internal import Synchronization
internal import VortexCore
internal import VortexStore

extension ClusterNode {
    public func status() async -> NodeStatus {
        NodeStatus(
            cluster: store.identity.cluster, node: node, boot: boot, epoch: layout.epoch,
            partitions: layout.ring.partitionCount, members: layout.members.count,
            startedMilliseconds: startedMilliseconds, activeUploads: active.count,
            waitingChanges: coordinator.latch.waiting, bufferBytes: buffers.usedBytes,
            bufferLimitBytes: buffers.limitBytes,
            collectedBlobs: collected.load(ordering: .relaxed), usage: store.usage)
    }
}
