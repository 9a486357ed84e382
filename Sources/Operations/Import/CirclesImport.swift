// A proxy with circles: each circle holds everything, spread over its backends by a consistent hash of its own.

import Yams

extension ImportedConfiguration {
    mutating func takeCircles(_ tree: ForeignTree) throws(ValueFault) {
        kind = "a proxy with circles of backends"
        let isSealed = tree.flag("authsecure") || tree.flag("authencrypt")
        let circles = (tree["circles"]?.sequence.map(Array.init) ?? []).compactMap(ForeignTree.init)
        for (index, circle) in circles.enumerated() {
            let zone = circle.text("name") ?? "circle-\(index + 1)"
            let backends = (circle["backends"]?.sequence.map(Array.init) ?? []).compactMap(ForeignTree.init)
            for (number, backend) in backends.enumerated() {
                let name = backend.text("name") ?? "\(zone)-\(number + 1)"
                guard let url = backend.text("url") else {
                    remark("the backend \(name.commentLine) has no url and is left out")
                    continue
                }
                try takeBackend(backend, name, url, zone, isSealed: isSealed)
            }
        }
        let used = Set(nodes.map(\.zone)).count
        let isHashed = nodes.count > used
        let isPlain = nodes.allSatisfy { $0.role == .normal }
        placement = ConfiguredPlacement.Rules(
            fallback: isHashed ? .hash(replicas: used, nodes: isPlain ? nil : nodes.map(\.name)) : .all)
        remarkPlacement(tree, circles: used, isHashed: isHashed)
        takeProxy(tree)
    }

    private mutating func takeBackend(
        _ backend: ForeignTree, _ name: String, _ url: String, _ zone: String, isSealed: Bool
    ) throws(ValueFault) {
        let username = isSealed ? nil : backend.text("username")
        let own = try add(
            name: name, url: url, zone: zone, role: backend.flag("writeonly") ? .writeOnly : .normal,
            username: username, password: username.map { _ in backend.text("password") ?? "" })
        if isSealed, backend.text("username") != nil {
            remark("the credentials of the backends are encrypted: give each node its username and password_file")
        } else if username != nil {
            remark("passwords stand here as they stood there: password_file keeps them out of this file")
        }
        if backend.text("token") != nil {
            remark("\(own) has a token: that is InfluxDB 2. Sluice needs InfluxDB 1.x, with username and password_file")
        }
        for entry in backend.entries
        where !["name", "url", "username", "password", "token", "writeonly", "authsecure", "authencrypt"]
            .contains(entry.form)
        {
            remark("\(entry.key.commentLine) of the backends has no equal here")
        }
    }

    private mutating func remarkPlacement(_ tree: ForeignTree, circles: Int, isHashed: Bool) {
        guard isHashed else {
            return remark("each circle had one backend: all nodes hold everything")
        }
        let keys = tree.entries.filter { ["hashkey", "shardkey"].contains($0.form) }
            .map { "\($0.key) \($0.node.summary)" }.joined(separator: ", ")
        remark(
            """
            THE DATA MUST MOVE. Each circle was a copy of everything, spread over its backends by a hash\(keys.isEmpty ? "" : " (\(keys))").
            Here each measurement lies on \(circles) node\(circles == 1 ? "" : "s"), one in each circle (its zone), chosen by another hash of
            database and measurement: where a measurement lies now is not where Sluice looks for it. Begin with empty nodes and
            write or copy the data again, or give each measurement a rule of its own under placement.measurements
            """)
        remark("sluice placement explain DATABASE MEASUREMENT says where Sluice looks for a measurement")
    }

    private mutating func takeProxy(_ tree: ForeignTree) {
        if let address = tree.text("listenaddr") { take(listen: address) }
        if tree.flag("httpsenabled"), let file = tree.text("httpscert"), let key = tree.text("httpskey") {
            certificate = (file, key)
        }
        let databases = (tree["dblist"]?.sequence.map(Array.init) ?? []).compactMap(\.filledText)
        if !databases.isEmpty {
            remark(
                "the proxy served the databases \(databases.map(\.commentLine).joined(separator: ", ")) alone; here "
                    + "policy.databases can close others")
        }
        if tree.text("username") != nil || tree.text("token") != nil {
            remark(
                "the proxy's own username and password are left out: see access in docs/configuration.md for who may what"
            )
        }
        let known = [
            "circles", "listenaddr", "httpsenabled", "httpscert", "httpskey", "dblist", "username", "password", "token",
            "hashkey", "shardkey", "authsecure", "authencrypt",
        ]
        for entry in tree.entries where !known.contains(entry.form) {
            remark(entry, Self.circleReasons[entry.form])
        }
    }

    private static let circleReasons = [
        "datadir": "let the proxy deliver what lies there before you change over; Sluice has a data_dir of its own",
        "tlogdir": "see log_level", "mlogdir": "see log_level", "logenabled": "see log_level",
        "writetracing": "see log_level", "querytracing": "see log_level",
        "vnodesize": "the hash needs none", "flushsize": "points are not held back to make batches",
        "flushtime": "points are not held back to make batches", "checkinterval": "see ping_interval",
        "rewriteinterval": "a node gets what it lacks as soon as it is back",
        "rewritethreads": "a node gets what it lacks as soon as it is back",
        "connpoolsize": "see limits.connections_per_node", "writetimeout": "see ack_timeout",
        "idletimeout": "see limits.idle_timeout", "querytimeout": "see query.timeout",
        "pprofenabled": "see /metrics on the admin address", "tls": "see minimum under tls in docs/configuration.md",
        "dbrp": "Sluice takes a bucket database/policy as InfluxDB 1.8 does",
    ]
}
