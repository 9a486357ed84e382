// A proxy that maps measurements to backends: JSON with `proxy`, `backends` and `keymaps`, in which `_default_` stands for
// all other measurements.

import Yams

extension ImportedConfiguration {
    mutating func takeKeymaps(_ tree: ForeignTree) throws(ValueFault) {
        kind = "a proxy that maps measurements to backends"
        var names: [String: String] = [:]
        for (key, backend) in Self.backends(tree["backends"]) {
            guard let url = backend.text("url") else {
                remark("the backend \(key.commentLine) has no url and is left out")
                continue
            }
            names[key] = try add(
                name: key, url: url, zone: backend.text("zone") ?? "",
                role: backend.flag("writeonly") ? .writeOnly : .normal, username: backend.text("username"),
                password: backend.text("password") ?? "")
            remarkBackend(key, backend)
        }
        takeProxy(tree)
        takeRules(tree["keymaps"], names)
        for entry in tree.entries where !["backends", "keymaps", "proxy", "nodes", "defaultnode"].contains(entry.form) {
            remark(entry, nil)
        }
    }

    /// A map by name, or a list of maps with `name`.
    private static func backends(_ node: Node?) -> [(String, ForeignTree)] {
        if let list = node?.sequence {
            return list.compactMap(ForeignTree.init).enumerated().map { ($1.text("name") ?? "node\($0 + 1)", $1) }
        }
        guard let node, let mapping = node.mapping else { return [] }
        return mapping.compactMap { key, value in
            guard let name = key.scalar?.string, let backend = ForeignTree(value) else { return nil }
            return (name, backend)
        }
    }

    private mutating func remarkBackend(_ name: String, _ backend: ForeignTree) {
        if let database = backend.text("db") {
            remark(
                """
                the backend \(name.commentLine) kept everything in its database \(database.commentLine); Sluice writes to the database
                that the client names, so point clients to that one, or copy the data
                """)
        }
        for entry in backend.entries {
            switch entry.form {
            case "name", "url", "zone", "writeonly", "username", "password", "db": continue
            case "interval", "maxrowlimit":
                remark("\(entry.key) of the backends is left out: points are not held back to make batches")
            case "rewriteinterval":
                remark("\(entry.key) of the backends is left out: a node gets what it lacks as soon as it is back")
            case "checkinterval": remark("\(entry.key) of the backends is left out: see ping_interval")
            case "timeout":
                remark("\(entry.key) of the backends is left out: see ack_timeout; a slow node does not end a write")
            case "timeoutquery": remark("\(entry.key) of the backends is left out: see query.timeout")
            default: remark("\(entry.key.commentLine) of the backends has no equal here")
            }
        }
    }

    /// Older files have several proxies by name under `nodes`: the first is taken.
    private mutating func takeProxy(_ tree: ForeignTree) {
        let several = tree["nodes"].flatMap(ForeignTree.init)?.entries ?? []
        if several.count > 1 {
            remark("of the proxies \(several.map(\.key.commentLine).joined(separator: ", ")) the first was taken")
        }
        let own = [tree["proxy"], several.first?.node, tree["defaultnode"]].compactMap { $0 }
            .compactMap(ForeignTree.init)
        if let address = own.compactMap({ $0.text("listenaddr") }).first { take(listen: address) }
        zone = own.compactMap { $0.text("zone") }.first
        if let database = own.compactMap({ $0.text("db") }).first {
            remark(
                "the proxy let clients use the database \(database.commentLine) alone; here policy.databases can close others"
            )
        }
        if let all = own.compactMap({ $0["nexts"]?.filledText ?? $0["nexts"].map(\.summary) }).first {
            remark("nexts: \(all.commentLine) got everything: add these nodes to each rule below")
        }
        for entry in own.flatMap(\.entries)
        where !["listenaddr", "zone", "db", "nexts"].contains(entry.form) && entry.node.filledText != nil {
            remark(entry, Self.proxyReasons[entry.form])
        }
    }

    private static let proxyReasons = [
        "idletimeout": "see limits.idle_timeout", "writetracing": "see log_level", "querytracing": "see log_level",
        "interval": "points are not held back to make batches",
    ]

    private mutating func takeRules(_ node: Node?, _ names: [String: String]) {
        var rules = ConfiguredPlacement.Rules()
        var prefixes: [String] = []
        for (keyNode, value) in node?.mapping ?? [:] {
            guard let key = keyNode.scalar?.string else { continue }
            let wanted = (value.sequence.map(Array.init) ?? [value]).compactMap(\.filledText)
            for name in wanted where names[name] == nil {
                remark("the rule for \(key.commentLine) names the backend \(name.commentLine), which there is not")
            }
            var seen: Set<String> = []
            let nodes = wanted.compactMap { names[$0] }.filter { seen.insert($0).inserted }
            guard !nodes.isEmpty else {
                remark("the rule for \(key.commentLine) names no backend and is left out")
                continue
            }
            if key == "_default_" {
                rules.fallback = .nodes(nodes)
            } else {
                rules.measurements[key] = .nodes(nodes)
                prefixes.append("  - {match: \(YAMLText.scalar(key + "*")), on: \(YAMLText.target(.nodes(nodes)))}")
            }
        }
        if rules.fallback == nil {
            remark("there is no _default_: points of all other measurements are refused, as they were before")
        }
        if !prefixes.isEmpty {
            remark(
                """
                here a name is exact. Some versions of the proxy also sent measurements whose names only began with a key to
                its backends. If yours did, add this to placement:
                patterns:
                """ + "\n" + prefixes.map(\.commentLine).joined(separator: "\n"))
        }
        placement = rules
    }
}
