// Names and URLs of nodes, checked before anything starts.
import Foundation

package enum NodeText {
    /// InfluxDB's own, for a url that names none.
    static let defaultPort = 8086

    static func checkName(_ name: String) throws(ValueFault) {
        let isAllowed = { (c: Character) in c.isASCII && (c.isLetter || c.isNumber || "._-".contains(c)) }
        guard !name.isEmpty, name.count <= 64, name.allSatisfy(isAllowed) else {
            throw ValueFault(
                "the node name \"\(name)\" cannot be used", advice: "use 1 to 64 letters, digits, '.', '_' or '-'")
        }
    }

    /// Checks a node's URL; returns it with its port and without a slash at its end.
    static func checkURL(_ url: String) throws(ValueFault) -> String {
        let text = withoutPassword(url)
        guard text == url else {
            throw ValueFault(
                "the url \(text) contains a user name",
                advice: "give username and password_file as keys of the node: urls show in logs and status")
        }
        guard let url = URLComponents(string: text), let scheme = url.scheme, let host = url.host, !host.isEmpty else {
            throw ValueFault("the url \"\(text)\" cannot be read", advice: "write http://host:8086")
        }
        guard ["http", "https"].contains(scheme.lowercased()) else {
            throw ValueFault("the url \"\(text)\" is not an HTTP address", advice: "write http://host:8086")
        }
        guard url.query == nil, url.fragment == nil else {
            throw ValueFault("the url \"\(text)\" has a query or fragment", advice: "write http://host:8086")
        }
        guard (1...65_535).contains(url.port ?? defaultPort) else {
            throw ValueFault("the url \"\(text)\" has no valid port", advice: "use 1 to 65535")
        }
        var path = url.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        return "\(scheme.lowercased())://\(url.percentEncodedHost ?? host):\(url.port ?? defaultPort)\(path)"
    }

    /// For messages: with `***` for whatever stands before an `@`.
    private static func withoutPassword(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return text }
        let start = text.range(of: "://").map(\.upperBound) ?? text.startIndex
        return start < at ? text[..<start] + "***" + text[at...] : "***" + text[at...]
    }

    /// `name=url`, as in `--node a=http://10.0.0.1:8086`.
    static func parseFlag(_ text: String) throws(ValueFault) -> ConfiguredNode {
        guard let equals = text.firstIndex(of: "=") else {
            throw ValueFault(
                "\"\(withoutPassword(text))\" is not a node", advice: "write name=url, such as a=http://10.0.0.1:8086")
        }
        let name = String(text[..<equals])
        try checkName(name)
        return ConfiguredNode(name: name, url: try checkURL(String(text[text.index(after: equals)...])))
    }
}
