internal import ArgumentParser
internal import Glibc
internal import Logging
internal import VortexSimulator

/// Runs whole clusters in one thread, from seeds, with faults: `vortex simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run clusters on simulated disks, network and time, and look for lost data.",
        discussion: """
            Every run follows from its seed alone: the same seed gives the same run, event by \
            event. Clients race on a few keys while faults come and go; then everything is healed, \
            and what each client saw must be explained by one order of all changes.

              vortex simulate --seeds 1000
              vortex simulate --seeds 1000 --faults everything --nodes 3
              vortex simulate --seed 77 --faults crashes --trace

            Exits 1 where a run failed, after a line for each with the command that replays it.
            """)

    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds to run, one after the other.") var seeds: UInt64 = 1
    @Option(help: "Nodes of each cluster; 1, 3, 4, 5, 6 or 7 by seed where it is not given.")
    var nodes: Int?
    @Option(help: "Client operations of each run.") var operations: Int = 200
    @Option(
        help: ArgumentHelp(
            """
            none, network, crashes, disk, clocks, membership or everything; by seed where it is not \
            given.
            """, valueName: "profile"))
    var faults: String?
    @Flag(help: "Print every event and log line, and at the end the number of the whole.")
    var trace = false

    /// A line of how far it is comes so often.
    private static let linePerSeeds: UInt64 = 100

    func validate() throws {
        guard faults.map({ FaultProfile(rawValue: $0) != nil }) ?? true else {
            throw ValidationError("no such profile: \(faults ?? "")")
        }
        guard (1...15).contains(nodes ?? 1) else { throw ValidationError("1 to 15 nodes") }
        guard operations > 0, seeds > 0 else { throw ValidationError("at least one") }
    }

    func run() throws {
        let isTold = trace
        LoggingSystem.bootstrap { label in
            guard isTold else { return SwiftLogNoOpLogHandler() }
            var handler = StreamLogHandler.standardOutput(label: label)
            handler.logLevel = .debug
            return handler
        }
        var failed = 0
        let line: @Sendable (String) -> Void = { print($0) }
        let begin = ContinuousClock.now
        for number in 0..<seeds {
            let settings = Simulation.Settings.drawn(
                seed: seed &+ number, nodes: nodes, operations: operations,
                faults: faults.flatMap { FaultProfile(rawValue: $0) })
            let report = Simulation.run(settings, sink: trace ? line : nil)
            if trace {
                print("trace \(report.traceHash) of \(report.events) events")
            }
            if (number + 1) % Self.linePerSeeds == 0 {
                print("\(number + 1) runs, \(failed) failed")
                fflush(nil)
            }
            guard !report.reasons.isEmpty else { continue }
            failed += 1
            print("FAILED \(replay(settings))")
            for reason in report.reasons { print("    \(reason)") }
            fflush(nil)
        }
        let elapsed = begin.duration(to: .now)
        let seconds = max(
            Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18,
            1e-9)
        let total = Double(operations) * Double(seeds)
        print(
            "\(seeds) runs, \(failed) failed, \(Int(total)) operations,",
            "\(Int(total / seconds)) operations a second")
        if failed > 0 { throw ExitCode(1) }
    }

    private func replay(_ settings: Simulation.Settings) -> String {
        "vortex simulate --seed \(settings.seed) --nodes \(settings.nodes)"
            + " --operations \(operations) --faults \(settings.faults)"
    }
}
