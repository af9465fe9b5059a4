import Testing

@testable import VortexCore

/// A schedule, and the rules without which it goes wrong.
struct Schedule: Sendable, CustomTestStringConvertible {
    let name: String
    let rules: Omissions
    let owners: [Int]
    let body: @Sendable (Script) -> Void

    init(
        _ name: String, _ rules: Omissions, owners: [Int] = [1, 2, 3],
        _ body: @escaping @Sendable (Script) -> Void
    ) {
        self.name = name
        self.rules = rules
        self.owners = owners
        self.body = body
    }

    var testDescription: String { name }

    /// What is wrong with the history afterwards, and the history.
    func run(omitting rules: Omissions) -> (problem: String?, story: String) {
        let script = Script(owners: owners, omitted: rules)
        body(script)
        let (problem, story) = (script.problem, script.story)
        script.close()
        return (problem, story)
    }
}
