// The credentials with which the gateway itself speaks to nodes: from the node's entry in the file, from a password file,
// from SLUICE_NODE_<NAME>_* variables.
import Foundation
import NodeClient

/// What a node's entry in the file says of its credential.
struct CredentialText {
    typealias Value = (text: String, origin: Origin)

    var username: Value?
    var password: Value?
    var passwordFile: Value?

    /// `SLUICE_NODE_DC1_A_PASSWORD` for the node `dc1.a`.
    static func variable(_ node: String, _ part: String) -> String {
        let name = node.uppercased().map { "._-".contains($0) ? "_" : String($0) }.joined()
        return "SLUICE_NODE_\(name)_\(part)"
    }

    static func isVariable(_ name: String) -> Bool {
        name.hasPrefix("SLUICE_NODE_") && ["_USERNAME", "_PASSWORD"].contains { name.hasSuffix($0) }
    }
}

/// A file with a password in its first line.
package struct PasswordFile: Sendable {
    package var password: Secret
    /// Others than its owner and group can read it.
    package var isReadableByOthers: Bool

    package init(password: Secret, isReadableByOthers: Bool) {
        self.password = password
        self.isReadableByOthers = isReadableByOthers
    }

    package static let read: @Sendable (String) throws(ValueFault) -> PasswordFile = { path throws(ValueFault) in
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValueFault(
                "the password file \(path) cannot be read (\(String(cString: strerror(errno == 0 ? ENOENT : errno))))",
                advice: "let the gateway's user own it, with mode 0600")
        }
        var status = stat()
        let isOpen = stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
        let line = data.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard let text = String(data: line, encoding: .utf8), !text.isEmpty, line.count <= 4_096 else {
            throw ValueFault(
                "the password file \(path) has no password in its first line",
                advice: "write the password there, as UTF-8 text")
        }
        return PasswordFile(password: Secret(text), isReadableByOthers: isOpen)
    }
}

extension ConfigurationLoader {
    /// After all nodes are known: variables serve nodes from wherever they came.
    mutating func readCredentials(_ environment: [String: String]) {
        var used: Set<String> = []
        for index in configuration.nodes.indices {
            let name = configuration.nodes[index].name
            var text = nodeOrigins[index].credential
            for (part, field) in [("USERNAME", \CredentialText.username), ("PASSWORD", \CredentialText.password)] {
                let variable = CredentialText.variable(name, part)
                guard let value = environment[variable] else { continue }
                used.insert(variable)
                text[keyPath: field] = (value, .environment(variable))
                if part == "PASSWORD" { text.passwordFile = nil }
            }
            configuration.nodes[index].credential = credential(text, of: name)
        }
        for variable in environment.keys.sorted() where CredentialText.isVariable(variable) && !used.contains(variable)
        {
            report(
                .environment(variable), "this variable sets nothing: no node has this name",
                advice: "write SLUICE_NODE_<NAME>_PASSWORD with a node's name in upper case, and _ for . and -")
        }
        warnOfMissing()
    }

    private mutating func credential(_ text: CredentialText, of node: String) -> ServiceCredential? {
        if let file = text.passwordFile, text.password != nil {
            report(file.origin, "node \(node) has a password and a password_file", advice: "keep one of them")
            return nil
        }
        guard let username = text.username else {
            if let value = text.password ?? text.passwordFile {
                report(value.origin, "node \(node) has a password and no username", advice: "add username")
            }
            return nil
        }
        guard !username.text.isEmpty, !username.text.contains(":"),
            username.text.unicodeScalars.allSatisfy({ $0.value >= 32 })
        else {
            report(
                username.origin, "the username of node \(node) is empty, or contains a colon or a control character",
                advice: "use another user: HTTP cannot carry this one")
            return nil
        }
        let password: Secret
        if let value = text.password {
            password = Secret(value.text)
        } else if let file = text.passwordFile {
            do {
                let read = try readPasswordFile(file.text)
                password = read.password
                if read.isReadableByOthers {
                    warn(
                        file.origin, "everybody on this machine can read the password file \(file.text)",
                        advice: "chmod 600 \(file.text)")
                }
            } catch {
                report(file.origin, error.what, advice: error.advice)
                return nil
            }
        } else {
            report(
                username.origin, "node \(node) has a username and no password",
                advice: "add password_file, or set \(CredentialText.variable(node, "PASSWORD"))")
            return nil
        }
        guard !password.isEmpty else {
            report(
                (text.password ?? username).origin, "the password of node \(node) is empty", advice: "give one")
            return nil
        }
        return ServiceCredential(username: username.text, password: password)
    }

    private mutating func warnOfMissing() {
        let without = configuration.nodes.indices.filter { configuration.nodes[$0].credential == nil }
        guard !without.isEmpty, without.count < configuration.nodes.count, errorsAreNone else { return }
        for index in without {
            warn(
                nodeOrigins[index].name, "node \(configuration.nodes[index].name) has no username, and others have one",
                advice: "add username and password_file, unless it runs without authentication")
        }
    }

    private var errorsAreNone: Bool { !problems.contains { $0.severity == .error } }
}
