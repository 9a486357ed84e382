// What an operator says about TLS of one listener or to one node: files and rules, not yet read.

/// Files in PEM form, by path.
package struct TLSSettings: Hashable, Sendable {
    package enum Version: String, CaseIterable, Sendable {
        case v12 = "1.2"
        case v13 = "1.3"
    }

    /// The certificate that is shown, with those that lead to its authority behind it; needed by a listener.
    package var certificate: String?
    package var key: String?
    /// Who must have signed the other side's certificate. At a listener nil means that clients need none; to a node it
    /// means the authorities that this system knows.
    package var authorities: String?
    package var minimum = Version.v12
    /// To a node: the name that its certificate must have; nil: the host in its url.
    package var serverName: String?
    /// To a node: whether its certificate is looked at.
    package var verifies = true

    package init() {}
}

extension TLSSettings: CustomStringConvertible {
    package var description: String {
        var parts = ["TLS \(minimum.rawValue)"]
        if let certificate { parts.append("certificate \(certificate)") }
        if let authorities { parts.append("ca \(authorities)") }
        if let serverName { parts.append("server_name \(serverName)") }
        if !verifies { parts.append("NOT VERIFIED") }
        return parts.joined(separator: ", ")
    }
}

/// Which end of a connection the gateway is.
package enum TLSRole: Sendable {
    /// Of clients' connections.
    case server
    /// Of connections to nodes.
    case client
}
