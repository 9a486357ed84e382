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
    static func checkURL(_ text: String) throws(ValueFault) -> String {
        guard let url = URLComponents(string: text), let scheme = url.scheme, let host = url.host, !host.isEmpty else {
            throw ValueFault("the url \"\(text)\" cannot be read", advice: "write http://host:8086")
        }
        switch scheme.lowercased() {
        case "http": break
        case "https":
            throw ValueFault(
                "the url \"\(text)\" needs TLS, which this version cannot do to nodes",
                advice: "use http:// over a trusted network or a local TLS proxy")
        default:
            throw ValueFault("the url \"\(text)\" is not an HTTP address", advice: "write http://host:8086")
        }
        guard url.user == nil, url.password == nil else {
            throw ValueFault(
                "the url contains a user name, and nodes with authentication are not supported by this version",
                advice: "remove it, and let the node accept the gateway without a password")
        }
        guard url.query == nil, url.fragment == nil else {
            throw ValueFault("the url \"\(text)\" has a query or fragment", advice: "write http://host:8086")
        }
        guard (1...65_535).contains(url.port ?? defaultPort) else {
            throw ValueFault("the url \"\(text)\" has no valid port", advice: "use 1 to 65535")
        }
        var path = url.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        return "http://\(url.percentEncodedHost ?? host):\(url.port ?? defaultPort)\(path)"
    }

    /// `name=url`, as in `--node a=http://10.0.0.1:8086`.
    static func parseFlag(_ text: String) throws(ValueFault) -> ConfiguredNode {
        guard let equals = text.firstIndex(of: "=") else {
            throw ValueFault("\"\(text)\" is not a node", advice: "write name=url, such as a=http://10.0.0.1:8086")
        }
        let name = String(text[..<equals])
        try checkName(name)
        return ConfiguredNode(name: name, url: try checkURL(String(text[text.index(after: equals)...])))
    }
}
