// Checks that need more than one key: each value alone may be right, and the whole still wrong.

extension ConfigurationLoader {
    static let maximumNodes = 64
    /// Telegraf gives up on a write after this, by default.
    static let agentTimeout = Duration.seconds(5)

    mutating func crossCheck() {
        checkNodes()
        checkPlacement()
        checkTimeouts()
        checkLimits()
        checkListeners()
        checkAccess()
        checkUDP()
        if configuration.listen == configuration.admin, !configuration.listen.isAnyPort {
            report(
                origin("admin", or: "listen"), "listen and admin are the same address, \(configuration.listen)",
                advice: "give admin a port of its own, such as \(configuration.listen.tcp?.host ?? "127.0.0.1"):8087")
        }
    }

    private func origin(_ key: String, or other: String) -> Origin {
        origins[key] ?? origins[other] ?? .builtIn
    }

    private mutating func checkNodes() {
        if configuration.nodes.isEmpty, !nodesAreBroken {
            report(
                origins["nodes"] ?? .builtIn, "there are no nodes",
                advice: "list them under nodes: in a file for --config, or pass --node a=http://10.0.0.1:8086")
        }
        if configuration.nodes.count > Self.maximumNodes {
            report(
                origins["nodes"] ?? .builtIn, "there are \(configuration.nodes.count) nodes",
                advice: "use \(Self.maximumNodes) at most")
        }
        var names: [String: Int] = [:]
        var urls: [String: Int] = [:]
        for (index, node) in configuration.nodes.enumerated() {
            if names[node.name] != nil {
                report(
                    nodeOrigins[index].name, "the node name \(node.name) is there twice",
                    advice: "give each node its own name")
            } else {
                names[node.name] = index
            }
            if let first = urls[node.url.lowercased()] {
                report(
                    nodeOrigins[index].url,
                    "nodes \(configuration.nodes[first].name) and \(node.name) have the same url",
                    advice: "give each node its own server; two names for one server would count its answer twice")
            } else {
                urls[node.url.lowercased()] = index
            }
        }
    }

    private mutating func checkAccess() {
        let place = origin("access", or: "users")
        if configuration.access == .users, configuration.users.isEmpty {
            report(
                place, "access is users, and there are none",
                advice: "add users: with their password_hash or token_hash, see docs/configuration.md")
        }
        if configuration.access == .nodes || configuration.access == .none, !configuration.users.isEmpty {
            warn(
                place, "there are users, and access: \(configuration.access) takes no notice of them",
                advice: "remove one of the two")
        }
        if configuration.decidedAccess == .users,
            !configuration.users.contains(where: { $0.user.isAdministrator }), !configuration.users.isEmpty
        {
            warn(
                origin("users", or: "access"), "no user is an administrator",
                advice: "give one of them admin: true, unless nobody is to create users or see the nodes' figures")
        }
    }

    private mutating func checkListeners() {
        var taken = [("listen", configuration.listen), ("admin", configuration.admin)]
        for (listener, origin) in zip(configuration.listeners, listenerOrigins) where !listener.address.isAnyPort {
            if let (key, _) = taken.first(where: { $0.1 == listener.address }) {
                report(
                    origin, "this listener and \(key) are the same address, \(listener.address)",
                    advice: "give each listener an address of its own")
            }
            taken.append(("another", listener.address))
        }
        if configuration.tls != nil { refuseTLS(at: configuration.listen, origin("tls", or: "listen")) }
        for (listener, origin) in zip(configuration.listeners, listenerOrigins) where listener.tls != nil {
            refuseTLS(at: listener.address, origin)
        }
    }

    private mutating func refuseTLS(at address: ListenAddress, _ origin: Origin) {
        guard case .unix = address else { return }
        report(
            origin, "\(address) has tls, which makes no sense on a Unix socket",
            advice: "remove tls there: nobody can listen in on one; its mode says who may connect")
    }

    private mutating func checkTimeouts() {
        if configuration.syncTimeout >= configuration.ackTimeout {
            report(
                origin("sync_timeout", or: "ack_timeout"),
                "sync_timeout (\(DurationText.render(configuration.syncTimeout))) is not shorter than ack_timeout (\(DurationText.render(configuration.ackTimeout)))",
                advice: "lower sync_timeout, else a hung node fails writes before it leaves the in-sync set")
        }
        if configuration.ackTimeout >= Self.agentTimeout {
            warn(
                origin("ack_timeout", or: "sync_timeout"),
                "ack_timeout (\(DurationText.render(configuration.ackTimeout))) is not shorter than Telegraf's time-out of 5s",
                advice: "use 4s, or raise timeout in telegraf.conf")
        }
    }

    private mutating func checkLimits() {
        let limits = configuration.limits
        let pairs: [(String, Int, String, Int)] = [
            ("limits.body", limits.body, "limits.inflated_body", limits.inflatedBody),
            ("limits.batch_bytes", limits.batchBytes, "limits.look_ahead", limits.lookAhead),
        ]
        for (small, smallValue, large, largeValue) in pairs where smallValue > largeValue {
            report(
                origin(small, or: large),
                "\(small) (\(SizeText.render(smallValue))) is larger than \(large) (\(SizeText.render(largeValue)))",
                advice: "lower \(small) or raise \(large)")
        }
        if let maximum = configuration.log.maximumBytes, maximum < 2 * configuration.log.segmentBytes {
            report(
                origin("log.max_bytes", or: "log.segment"),
                "log.max_bytes (\(SizeText.render(maximum))) holds less than two segments (\(SizeText.render(configuration.log.segmentBytes)) each)",
                advice: "raise log.max_bytes or lower log.segment")
        }
    }
}
