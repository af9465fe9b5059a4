internal import NIOCore

/// Runs tasks on one event loop's thread: a question that arrived there is answered there, and the
/// answer's frame is written there. A hop to the global pool and back costs 50 to 100 µs and five
/// times the CPU (DESIGN.md, Measured).
///
/// Goes down with its `PeerNetwork`: jobs that come after `stop()` never run.
public final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        loop.execute { job.runSynchronously(on: executor) }
    }
}
