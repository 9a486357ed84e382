// Reads `users`: the gateway's own users, with hashes of their passwords and tokens, and what they may.
import Gateway
import Yams

extension ConfigurationLoader {
    private static let userKeys = ["name", "password_hash", "token_hash", "admin", "grants"]

    mutating func readUsers(_ node: Node, in file: FilePositions) {
        origins["users"] = file.origin(node)
        for (entry, mapping) in entries(
            of: node, "users", "a user", like: "{name: telegraf, token_hash: ..., grants: {telegraf: write}}", in: file)
        { readUser(entry, mapping, in: file) }
    }

    private mutating func readUser(_ node: Node, _ mapping: Node.Mapping, in file: FilePositions) {
        let errorsBefore = errorCount
        var name = ""
        var password: PasswordHash?
        var tokens: [TokenHash] = []
        var isAdministrator = false
        var grants: [String: Role] = [:]
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            switch key {
            case "name": name = read(value, "name of a user", in: file, Self.userName) ?? ""
            case "password_hash":
                password = read(value, "password_hash", in: file, PasswordHash.init(parsing:))
            case "token_hash":
                for entry in value.sequence.map(Array.init) ?? [value] {
                    if let token = read(entry, "token_hash", in: file, TokenHash.init(parsing:)) {
                        tokens.append(token)
                    }
                }
            case "admin": isAdministrator = read(value, "admin", in: file, Self.flag) ?? false
            case "grants": grants = readGrants(value, in: file)
            default: reportUnknown(key, among: Self.userKeys, at: file.origin(keyNode))
            }
        }
        guard errorCount == errorsBefore else { return }
        guard !name.isEmpty else { return report(file.origin(node), "this user has no name", advice: "add name: ...") }
        guard !configuration.users.contains(where: { $0.user.name == name }) else {
            return report(
                file.origin(node), "the user \(name) is there twice", advice: "put all of its grants into one entry")
        }
        if password == nil, tokens.isEmpty {
            return report(
                file.origin(node), "the user \(name) has neither password_hash nor token_hash",
                advice: "run `sluice users hash` or `sluice users token` and add its line")
        }
        if !isAdministrator, grants.isEmpty {
            warn(file.origin(node), "the user \(name) may nothing", advice: "add grants, or admin: true")
        }
        let otherwise = grants.removeValue(forKey: "*") ?? []
        let user = GatewayUser(name: name, isAdministrator: isAdministrator, grants: grants, otherwise: otherwise)
        configuration.users.append(ConfiguredUser(user: user, password: password, tokens: tokens))
    }

    private mutating func readGrants(_ node: Node, in file: FilePositions) -> [String: Role] {
        guard let mapping = node.mapping else {
            report(
                file.origin(node), "grants is not a map",
                advice: "write each database with a role, such as {telegraf: write, \"*\": read}")
            return [:]
        }
        var grants: [String: Role] = [:]
        for (keyNode, value) in mapping {
            guard let database = readKey(keyNode, in: file) else { continue }
            var roles = Role()
            for entry in value.sequence.map(Array.init) ?? [value] {
                if let role = read(entry, "the role for \(database)", in: file, Self.role) { roles.formUnion(role) }
            }
            grants[database] = roles
        }
        return grants
    }

    private static func role(_ text: String) throws(ValueFault) -> Role {
        switch text {
        case "read": return .read
        case "write": return .write
        case "admin": return .admin
        default:
            throw ValueFault(
                "\"\(text)\" is not known", advice: "use read, write, admin, or a list such as [read, write]")
        }
    }

    private static func userName(_ text: String) throws(ValueFault) -> String {
        guard !text.isEmpty, !text.contains(":"), text.unicodeScalars.allSatisfy({ $0.value >= 32 }) else {
            throw ValueFault(
                "is empty, or has a colon or a control character", advice: "HTTP cannot carry such a name: use another")
        }
        return text
    }
}
