internal import ArgumentParser

/// Measurements that need nothing but this binary: `vortex bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a server on this machine, its disk, or the layout of a large cluster.",
        subcommands: [HTTPBench.self, DiskBench.self, LayoutBench.self])
}
