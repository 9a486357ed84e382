// Where a node listens, and how that is read from the configuration.

/// The address of a node's HTTP API.
package struct NodeAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host name or an IP address; an IPv6 address without its brackets.
    package var host: String
    package var port: Int
    /// What stands before every path: empty, or `/` and more without a `/` at the end.
    package var basePath: String
    /// Spoken to over TLS.
    package var isSecure: Bool

    package init(host: String, port: Int, basePath: String = "", isSecure: Bool = false) {
        self.host = host
        self.port = port
        self.basePath = basePath
        self.isSecure = isSecure
    }

    /// Parses `http://host[:port][/path]`, or `https://...`. The port defaults to 8086 for both.
    ///
    /// - Throws: `NodeAddressError`, which says what to write instead.
    package init(parsing url: String) throws(NodeAddressError) {
        func fail(_ reason: NodeAddressError.Reason) -> NodeAddressError {
            NodeAddressError(url: Self.withoutUserinfo(url), reason: reason)
        }
        guard let schemeEnd = url.firstRange(of: "://") else {
            throw fail(.noScheme)
        }
        let isSecure: Bool
        switch url[..<schemeEnd.lowerBound].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default: throw fail(.unsupportedScheme(String(url[..<schemeEnd.lowerBound])))
        }
        let rest = url[schemeEnd.upperBound...]
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw fail(.forbiddenCharacter)
        }
        guard !rest.contains("?"), !rest.contains("#") else {
            throw fail(.queryOrFragment)
        }
        let authority = rest.prefix { $0 != "/" }
        guard !authority.contains("@") else {
            throw fail(.userinfo)
        }
        var path = rest[authority.endIndex...]
        while path.last == "/" {
            path.removeLast()
        }

        let host: Substring
        let portText: Substring?
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else {
                throw fail(.noHost)
            }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let tail = authority[authority.index(after: close)...]
            guard tail.isEmpty || tail.first == ":" else {
                throw fail(.badPort(String(tail)))
            }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
            guard !host.contains(":") else {
                throw fail(.unbracketedIPv6)
            }
        } else {
            host = authority
            portText = nil
        }
        guard !host.isEmpty else {
            throw fail(.noHost)
        }
        var port = 8086
        if let portText {
            guard let number = UInt16(portText), number > 0, portText.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
            else {
                throw fail(.badPort(String(portText)))
            }
            port = Int(number)
        }
        self.init(host: String(host), port: port, basePath: String(path), isSecure: isSecure)
    }

    /// The value of the `Host` header field.
    package var authority: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    package var description: String {
        "\(isSecure ? "https" : "http")://\(authority)\(basePath)"
    }

    /// A password in a URL must not reach an error text.
    private static func withoutUserinfo(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else {
            return url
        }
        let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        return start <= at ? url[..<start] + "***" + url[at...] : url
    }
}

/// Why a node's URL cannot be used.
package struct NodeAddressError: Error, Equatable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case noScheme
        case unsupportedScheme(String)
        case noHost
        case badPort(String)
        case unbracketedIPv6
        case userinfo
        case queryOrFragment
        case forbiddenCharacter
    }

    /// The URL as given, without a password in it.
    package var url: String
    package var reason: Reason

    package var description: String {
        let advice =
            switch reason {
            case .noScheme: "it has no scheme; write http://host:8086"
            case .unsupportedScheme(let scheme): "the scheme \"\(scheme)\" is not supported; only http and https are"
            case .noHost: "it names no host; write http://host:8086"
            case .badPort(let port): "\"\(port)\" is no port; write a number from 1 to 65535"
            case .unbracketedIPv6: "an IPv6 address needs brackets; write http://[::1]:8086"
            case .userinfo: "user and password do not belong in it; use `username` and `password_file`"
            case .queryOrFragment: "it must not contain ? or #; only a path may follow the port"
            case .forbiddenCharacter: "it contains a blank, a control character or a character that is not ASCII"
            }
        return "node URL \"\(url)\": \(advice)"
    }
}
