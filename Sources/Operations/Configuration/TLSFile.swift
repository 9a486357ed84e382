// Reads `tls`: of the main listener, of a further one, of a node; and what else a listener's socket can have.
import NodeClient
import SecureTransport
import Yams

/// Rights of a Unix socket's file, as chmod takes them.
enum SocketMode {
    static func parse(_ text: String) throws(ValueFault) -> UInt32 {
        guard let mode = UInt32(text, radix: 8), (1...0o777).contains(mode) else {
            throw ValueFault("\"\(text)\" are no rights of a file", advice: "write them like 0660")
        }
        return mode
    }

    static func render(_ mode: UInt32) -> String { "0" + String(mode, radix: 8) }
}

extension ConfigurationLoader {
    /// - Returns: nil when something is wrong with it, which was reported.
    mutating func readTLS(_ node: Node, _ role: TLSRole, in file: FilePositions) -> TLSSettings? {
        guard let mapping = node.mapping else {
            report(file.origin(node), "tls is not a map", advice: Self.example(role))
            return nil
        }
        let errorsBefore = errorCount
        var settings = TLSSettings()
        var origins: [TLSFault.Part: Origin] = [:]
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            let name = "tls.\(key)"
            switch (key, role) {
            case ("certificate", _):
                settings.certificate = read(value, name, in: file, Self.path)
                origins[.certificate] = file.origin(value)
            case ("key", _):
                settings.key = read(value, name, in: file, Self.path)
                origins[.key] = file.origin(value)
            case ("client_ca", .server), ("ca", .client):
                settings.authorities = read(value, name, in: file, Self.path)
                origins[.authorities] = file.origin(value)
            case ("minimum", _): settings.minimum = read(value, name, in: file, Self.version) ?? .v12
            case ("server_name", .client): settings.serverName = read(value, name, in: file, Self.hostName)
            case ("verify", .client): settings.verifies = read(value, name, in: file, Self.flag) ?? true
            default:
                let known = ["certificate", "key", "minimum"]
                let more = role == .server ? ["client_ca"] : ["ca", "server_name", "verify"]
                reportUnknown(name, among: (known + more).map { "tls.\($0)" }, at: file.origin(keyNode))
            }
        }
        guard errorCount == errorsBefore else { return nil }
        do throws(TLSFault) {
            for warning in try examineTLS(settings, role) {
                warn(origins[warning.part] ?? file.origin(node), warning.what, advice: warning.advice)
            }
            return settings
        } catch {
            report(origins[error.part] ?? file.origin(node), error.what, advice: error.advice)
            return nil
        }
    }

    mutating func checkTLS(of node: ConfiguredNode, at origin: Origin) {
        guard node.isSecure else {
            return report(
                origin, "node \(node.name) has tls, and an http:// url", advice: "write https:// in its url")
        }
        if node.tls?.verifies == false {
            warn(
                origin,
                "the certificate of node \(node.name) is NOT VERIFIED: whoever stands between can read and change"
                    + " everything, the gateway's password included",
                advice: "remove verify: false, and name the certificate of its authority with ca")
        }
    }

    private static func example(_ role: TLSRole) -> String {
        role == .server
            ? "write it like tls: {certificate: /etc/sluice/tls.crt, key: /etc/sluice/tls.key}"
            : "write it like tls: {ca: /etc/sluice/ca.crt}"
    }

    private static func path(_ text: String) throws(ValueFault) -> String {
        guard !text.isEmpty else { throw ValueFault("is empty", advice: "name a PEM file") }
        return text
    }

    private static func version(_ text: String) throws(ValueFault) -> TLSSettings.Version {
        guard let version = TLSSettings.Version(rawValue: text) else {
            throw ValueFault("\"\(text)\" is not known", advice: "use \"1.2\" or \"1.3\"; older versions are not safe")
        }
        return version
    }

    private static func hostName(_ text: String) throws(ValueFault) -> String {
        let isName =
            !text.isEmpty && text.utf8.count < 254
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-.".contains($0)) }
        guard isName, text.contains(where: \.isLetter) else {
            throw ValueFault(
                "\"\(text)\" is no name of a host",
                advice: "write a name that the node's certificate has; an address in numbers belongs into the url")
        }
        return text
    }
}
