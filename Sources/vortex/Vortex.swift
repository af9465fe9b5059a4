internal import ArgumentParser

/// The program: one binary that is the node, its gateway, and the client of both.
@main
struct Vortex: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vortex",
        abstract: "An object store for a few machines of your own.",
        discussion: """
            Start a node:       vortex server --data ./data
            Make a bucket:      vortex bucket create demo
            Store and fetch:    vortex put file.txt demo/file.txt; vortex cat demo/file.txt
            Look at its disk:   vortex inspect ./data
            """,
        version: "0.1.0",
        subcommands: [
            ServerCommand.self, PutCommand.self, GetCommand.self, CatCommand.self,
            ListCommand.self, RemoveCommand.self, StatCommand.self, BucketCommand.self,
            KeyCommand.self, StatusCommand.self, InspectCommand.self, BenchCommand.self,
            SimulateCommand.self, CheckHistoryCommand.self,
        ])

    /// As ArgumentParser's own, but that a usage error exits with 1 (not 64), as the help says.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            printError(fullMessage(for: error))
            exit(withError: ExitCode(1))
        }
    }
}
