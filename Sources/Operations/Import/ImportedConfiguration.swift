// A configuration made out of that of a similar gateway: what has an equal is taken over, what has none becomes a
// comment, and so does what had to be guessed.
import Cluster
import Foundation
import Yams

package struct ImportedConfiguration: Sendable {
    struct Server: Sendable {
        var name: String
        var url: String
        var zone = ""
        var role = NodeRole.normal
        var username: String?
        var password: String?
    }

    /// As in "a relay that writes to all of its addresses".
    var kind = ""
    let source: String
    var listen: String?
    /// Only where the usual one is taken.
    var admin: String?
    var certificate: (file: String, key: String)?
    /// The gateway's own.
    var zone: String?
    var queryTimeout: String?
    var nodes: [Server] = []
    var placement: ConfiguredPlacement.Rules?
    /// Each a comment of one line or more.
    private(set) var remarks: [String] = []

    /// - Parameter file: the path of the other gateway's configuration.
    package init(file: String) throws(ValueFault) {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ValueFault(
                "\(file) cannot be read (\(String(cString: strerror(errno == 0 ? ENOENT : errno))))",
                advice: "name the configuration of the other gateway")
        }
        guard data.count <= 1_000_000, let text = String(data: data, encoding: .utf8) else {
            throw ValueFault("\(file) is not UTF-8 text", advice: "name a YAML or JSON file")
        }
        try self.init(text: text, name: file)
    }

    package init(text: String, name: String) throws(ValueFault) {
        source = name
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw ValueFault("\(name) is neither YAML nor JSON (\("\(error)".commentLine))", advice: "correct it")
        }
        guard let tree = root.flatMap(ForeignTree.init) else { throw Self.unknown(name) }
        if tree["circles"] != nil {
            try takeCircles(tree)
        } else if tree["keymaps"] != nil || tree["backends"] != nil && tree["proxy"] != nil {
            try takeKeymaps(tree)
        } else if tree["addresses"] != nil {
            try takeRelay(tree)
        } else {
            throw Self.unknown(name)
        }
        guard !nodes.isEmpty else {
            throw ValueFault("\(name) names no InfluxDB server", advice: "there is nothing to make a configuration of")
        }
        dropRolesThatHideData()
    }

    private static func unknown(_ name: String) -> ValueFault {
        ValueFault(
            "\(name) is of no known kind",
            advice: """
                three are known: YAML with addresses, port and bind_address (a relay); JSON with proxy, backends and \
                keymaps; JSON or YAML with circles of backends, listen_addr and hash_key or shard_key
                """)
    }

    mutating func remark(_ text: String) {
        if !remarks.contains(text) { remarks.append(text) }
    }

    /// For keys that have no equal.
    mutating func remark(_ entry: ForeignTree.Entry, _ reason: String?) {
        let what = "\(entry.key.commentLine): \(entry.node.summary)"
        remark(reason.map { "\(what) is left out: \($0)" } ?? "\(what) has no equal here")
    }

    /// Takes an address to listen on, if it is one.
    mutating func take(listen text: String) {
        do throws(ValueFault) {
            let address = try ListenAddress(parsing: text)
            listen = address.description
            guard let usual = Configuration().admin.tcp, address.tcp?.port == usual.port else { return }
            admin = "\(usual.host):\(usual.port + 1)"
            remark("port \(usual.port) is otherwise that of health, metrics and status: they moved to \(admin ?? "")")
        } catch {
            remark("the address to listen on, \(text.commentLine), cannot be used: set listen")
        }
    }

    /// Adds a server; one with the same url only once.
    /// - Returns: the name under which it is known here.
    mutating func add(
        name: String, url: String, zone: String = "", role: NodeRole = .normal, username: String? = nil,
        password: String? = nil
    ) throws(ValueFault) -> String {
        let (address, login) = try Self.split(url)
        if let same = nodes.first(where: { $0.url.lowercased() == address.lowercased() }) {
            remark(
                "\(name.commentLine) is the same server as \(same.name), \(address): two names for one would count it twice"
            )
            return same.name
        }
        let own = freeName(like: name)
        if own != name {
            remark("the name \(name.commentLine) cannot be used here, or is there twice: it became \(own)")
        }
        var node = Server(name: own, url: address, zone: zone, role: role)
        if let user = username ?? login?.user {
            let secret = username == nil ? login?.password : password
            if let secret, !secret.isEmpty {
                (node.username, node.password) = (user, secret)
            } else {
                remark("\(own) has the username \(user.commentLine) and no password: both are left out")
            }
        }
        nodes.append(node)
        return own
    }

    /// The url without what stands before an @.
    private static func split(_ url: String) throws(ValueFault) -> (String, (user: String, password: String)?) {
        var parts = URLComponents(string: url)
        let login = parts?.user.map { (user: $0, password: parts?.password ?? "") }
        parts?.user = nil
        parts?.password = nil
        return (try NodeText.checkURL(parts?.string ?? url), login)
    }

    private func freeName(like name: String) -> String {
        let allowed = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "-" }
        let base = allowed.isEmpty ? "node" : String(allowed.prefix(60))
        let taken = Set(nodes.map(\.name))
        if !taken.contains(base) { return base }
        let numbers = (2...).lazy.map { "\(base)-\($0)" }
        return numbers.first { !taken.contains($0) } ?? base
    }

    /// A node that is only written to must not be all that holds a measurement.
    private mutating func dropRolesThatHideData() {
        let names = nodes.filter { $0.role != .normal }.map(\.name)
        guard !names.isEmpty else { return }
        var configuration = Configuration()
        configuration.nodes = nodes.map {
            var node = ConfiguredNode(name: $0.name, url: $0.url, zone: $0.zone)
            node.role = $0.role
            return node
        }
        configuration.placement = placement.map { ConfiguredPlacement(general: $0) }
        let made = Placement(configuration)
        let normal = NodeSet(nodes.indices.filter { nodes[$0].role == .normal }.map { NodeIndex($0) })
        let targets = Set(made.rules.targets)
        guard targets.allSatisfy({ made.replicaSetCount(of: $0) <= Placement.mostReplicaSets }),
            made.replicaSets.allSatisfy({ $0.bits & normal.bits != 0 })
        else {
            for index in nodes.indices { nodes[index].role = .normal }
            remark(
                "\(names.joined(separator: ", ")) were only written to; some measurements would lie nowhere else and could "
                    + "not be read, so here they are read as well")
            return
        }
    }
}
