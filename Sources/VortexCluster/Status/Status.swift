internal import Synchronization
internal import VortexCore
internal import VortexStore

/// What a node says of itself.
extension ClusterNode {
    public func status() async -> NodeStatus {
        NodeStatus(
            cluster: store.identity.cluster, node: node, boot: boot, epoch: layout.epoch,
            partitions: layout.ring.partitionCount, members: layout.members.count,
            startedMilliseconds: startedMilliseconds, activeUploads: active.count,
            waitingChanges: coordinator.latch.waiting, bufferBytes: buffers.usedBytes,
            bufferLimitBytes: buffers.limitBytes,
            collectedBlobs: progress.now.collectedBlobs, usage: store.usage,
            isHealed: fence.isHealed(view))
    }
}
