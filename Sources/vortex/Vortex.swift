internal import ArgumentParser

/// The program: one binary that is the node, its gateway, and the client of both.
@main
struct Vortex: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vortex",
        abstract: "An object store for a few machines of your own.",
        discussion: """
            Start a node:     vortex server --data ./data
            Look at its disk: vortex inspect ./data
            """,
        version: "0.1.0",
        subcommands: [ServerCommand.self, InspectCommand.self, LayoutBench.self])
}
