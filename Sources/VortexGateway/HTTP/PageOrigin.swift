/// Whether a browser sends a request for a page of somebody else. A gateway that lets in whoever
/// reaches it is reached by every browser on its machine, and a browser sends some requests
/// (a form's, say) for any page that asks, without asking here first: what such a request changes
/// would be changed by whoever made the page. Browsers name the page's origin with every request
/// that changes something (the Fetch standard, "Origin header"); who is no browser names none.
enum PageOrigin {
    static let header = "origin"
    /// On objects of a gateway that lets in whoever reaches it: a page among them is not of the
    /// gateway's own origin, where it could do anything.
    static let sandbox = [
        ("Content-Security-Policy", "sandbox"), ("X-Content-Type-Options", "nosniff"),
    ]

    /// `hosts`: the names by which this server was asked, in `Host` or as a trusted proxy tells. An
    /// origin without a name, `null`, is foreign.
    static func isForeign(_ headers: HeaderFields, hosts: [String?]) -> Bool {
        headers.all(header).contains { page in
            !hosts.contains { $0.map { isSame(page, host: $0) } ?? false }
        }
    }

    /// Scheme and default port are left out of it: what ends TLS in front does not tell.
    static func isSame(_ page: String, host: String) -> Bool {
        for (scheme, port) in [("http://", ":80"), ("https://", ":443")] {
            let text = page.lowercased()
            guard text.hasPrefix(scheme) else { continue }
            return bare(text.dropFirst(scheme.count), port) == bare(host.lowercased()[...], port)
        }
        return false
    }

    private static func bare(_ host: Substring, _ port: String) -> Substring {
        host.hasSuffix(port) ? host.dropLast(port.count) : host
    }

    /// Methods that change nothing (RFC 9110, 9.2.1).
    static func isSafe(_ method: String) -> Bool { ["GET", "HEAD", "OPTIONS"].contains(method) }
}
