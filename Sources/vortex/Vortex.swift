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
            StatusCommand.self, InspectCommand.self, BenchCommand.self,
        ])
}
