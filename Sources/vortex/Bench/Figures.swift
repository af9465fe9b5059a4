internal import VortexGateway

/// What a measurement says, as one JSON object or as lines of text; the same names in both.
struct Figures {
    private enum Value {
        case count(UInt64)
        case amount(Double)
    }
    private var values: [(name: StaticString, value: Value)] = []

    mutating func add(_ name: StaticString, _ count: UInt64) {
        values.append((name, .count(count)))
    }
    /// Thousandths are kept.
    mutating func add(_ name: StaticString, _ amount: Double) {
        values.append((name, .amount((amount * 1_000).rounded() / 1_000)))
    }

    var json: String {
        var json = JSONWriter()
        json.object { json in
            for (name, value) in values {
                switch value {
                case .count(let count): json.member(name, count)
                case .amount(let amount): json.member(name, amount)
                }
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    var text: String {
        let lines = values.map { name, value in
            switch value {
            case .count(let count): "\(name): \(count)"
            case .amount(let amount): "\(name): \(amount)"
            }
        }
        return lines.joined(separator: "\n")
    }
}
