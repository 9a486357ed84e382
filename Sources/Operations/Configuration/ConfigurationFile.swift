// Reads the YAML file as a tree with positions, so that every complaint names its line and column. JSON is YAML.
import SecureTransport
import Yams

extension ConfigurationLoader {
    mutating func readFile(name: String, text: String) {
        let file = FilePositions(name: name)
        do {
            guard let root = try Yams.compose(yaml: text) else { return }
            guard let mapping = root.mapping else {
                nodesAreBroken = true
                report(
                    file.origin(root), "the file is not a list of keys",
                    advice: "write lines such as listen: 127.0.0.1:8086")
                return
            }
            readRoot(mapping, in: file)
        } catch let error as YamlError {
            let (mark, what) = Self.explain(error)
            nodesAreBroken = true
            report(
                .file(name, line: mark?.line ?? 1, column: mark?.column ?? 1), what,
                advice: mark == nil ? "correct it" : "correct the YAML here or just above")
        } catch {
            nodesAreBroken = true
            report(.file(name, line: 1, column: 1), "the file cannot be read as YAML", advice: "\(error)")
        }
    }

    private mutating func readRoot(_ mapping: Node.Mapping, in file: FilePositions) {
        let topLevel =
            Setting.all.map(\.key).filter { !$0.contains(".") } + Setting.sections
            + ["nodes", "listeners", "placement", "tls", "udp", "users"]
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            if key == "nodes" {
                readNodes(value, in: file)
            } else if key == "listeners" {
                readListeners(value, in: file)
            } else if key == "placement" {
                readPlacement(value, in: file)
            } else if key == "users" {
                readUsers(value, in: file)
            } else if key == "udp" {
                readUDP(value, in: file)
            } else if key == "tls" {
                configuration.tls = readTLS(value, .server, in: file)
                origins["tls"] = file.origin(keyNode)
            } else if key == "policy", value.mapping != nil {
                readPolicy(value, in: file)
            } else if Setting.sections.contains(key), Setting.named(key) == nil {
                readSection(key, value, in: file)
            } else if let setting = Setting.named(key), !key.contains(".") {
                readScalar(value, for: setting, in: file)
            } else {
                reportUnknown(key, among: topLevel, at: file.origin(keyNode))
            }
        }
    }

    private mutating func readSection(_ section: String, _ node: Node, in file: FilePositions) {
        let inside = Setting.all.map(\.key).filter { $0.hasPrefix(section + ".") }
        guard let mapping = node.mapping else {
            let example = inside.first.flatMap(Setting.named)
            report(
                file.origin(node), "\(section) is a section, not a value",
                advice:
                    "write its keys indented below it, such as \(example.map { "\($0.key.dropFirst(section.count + 1)): \($0.example)" } ?? "")"
            )
            return
        }
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            let full = "\(section).\(key)"
            if let setting = Setting.named(full) {
                readScalar(value, for: setting, in: file)
            } else {
                reportUnknown(full, among: inside, at: file.origin(keyNode))
            }
        }
    }

    private mutating func readScalar(_ node: Node, for setting: Setting, in file: FilePositions) {
        let origin = file.origin(node)
        guard let scalar = node.scalar else {
            report(origin, "\(setting.key) takes one value", advice: "write it like \(setting.example)")
            return
        }
        guard !isNull(node) else {
            report(
                origin, "\(setting.key) has no value",
                advice: "give one, such as \(setting.example), or remove the line")
            return
        }
        apply(setting, scalar.string, from: origin)
    }

    private mutating func readNodes(_ node: Node, in file: FilePositions) {
        origins["nodes"] = file.origin(node)
        let errorsBefore = errorCount
        defer { nodesAreBroken = errorCount > errorsBefore }
        guard let entries = node.sequence, !isNull(node) else {
            report(
                file.origin(node), "nodes is not a list",
                advice: "write one line per node, such as - {name: a, url: http://10.0.0.1:8086}")
            return
        }
        for entry in entries {
            readNode(entry, in: file)
        }
    }

    private mutating func readNode(_ node: Node, in file: FilePositions) {
        guard let mapping = node.mapping else {
            report(
                file.origin(node), "this is not a node", advice: "write it like - {name: a, url: http://10.0.0.1:8086}")
            return
        }
        var values: [String: CredentialText.Value] = [:]
        var tls: (settings: TLSSettings, origin: Origin)?
        var isComplete = true
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            let known = Self.nodeKeys
            guard known.contains(key) else {
                reportUnknown(key, among: known, at: file.origin(keyNode))
                continue
            }
            if key == "tls" {
                tls = readTLS(value, .client, in: file).map { ($0, file.origin(value)) }
                isComplete = isComplete && tls != nil
                continue
            }
            guard let scalar = value.scalar, !isNull(value) else {
                report(file.origin(value), "\(key) of a node takes one value", advice: "write it as text")
                isComplete = false
                continue
            }
            values[key] = (scalar.string, file.origin(value))
        }
        guard isComplete else { return }
        guard let name = values["name"] else {
            report(file.origin(node), "this node has no name", advice: "add name: a")
            return
        }
        guard let url = values["url"] else {
            report(file.origin(node), "node \(name.text) has no url", advice: "add url: http://host:8086")
            return
        }
        do {
            try NodeText.checkName(name.text)
        } catch {
            report(name.origin, error.what, advice: error.advice)
            isComplete = false
        }
        do {
            let checked = try NodeText.checkURL(url.text)
            guard isComplete else { return }
            var configured = ConfiguredNode(
                name: name.text, url: checked, zone: values["zone"]?.text ?? "", tls: tls?.settings)
            readExtras(of: &configured, values)
            if let tls { checkTLS(of: configured, at: tls.origin) }
            configuration.nodes.append(configured)
            let credential = CredentialText(
                username: values["username"], password: values["password"], passwordFile: values["password_file"]
            )
            nodeOrigins.append(NodeOrigin(name: name.origin, url: url.origin, credential: credential))
        } catch {
            report(url.origin, error.what, advice: error.advice)
        }
    }

    /// The entries of a list of maps; what is none is reported.
    mutating func entries(
        of node: Node, _ list: String, _ one: String, like example: String, in file: FilePositions
    ) -> [(Node, Node.Mapping)] {
        guard let entries = node.sequence, !isNull(node) else {
            report(file.origin(node), "\(list) is not a list", advice: "write one line for each, such as - \(example)")
            return []
        }
        return entries.compactMap { entry in
            if let mapping = entry.mapping { return (entry, mapping) }
            report(file.origin(entry), "this is not \(one)", advice: "write it like - \(example)")
            return nil
        }
    }

    mutating func readKey(_ node: Node, in file: FilePositions) -> String? {
        if let key = node.scalar?.string { return key }
        report(file.origin(node), "a key must be a word", advice: "write key: value")
        return nil
    }

    func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar else { return false }
        return scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func explain(_ error: YamlError) -> (Mark?, String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return (mark, "not valid YAML, \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            if duplicates.count == 1 {
                return (context.mark, "the key \(duplicates[0]) is there twice in one mapping, the first time here")
            }
            // The parser names one place of many, at random.
            let names = duplicates.sorted().joined(separator: ", ")
            return (nil, "each of the keys \(names) is there twice in one mapping")
        case .reader(let problem, _, _, _):
            return (nil, "not valid text, \(problem)")
        default:
            return (nil, "not valid YAML, \(error)")
        }
    }
}

/// Turns positions in one file into origins.
struct FilePositions {
    let name: String

    func origin(_ node: Node) -> Origin {
        .file(name, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }
}
