// The network between the gateway and a node, each in a network namespace of its own: packets are lost and late as they
// are between hosts, and what the kernels do about it is real.

import Foundation
import Synchronization
import TestSupport

/// The way from the gateway to one node and what can be wrong with it. Each fault lasts until `mend`.
protocol NodeLink: Sendable {
    /// Where the gateway reaches the node.
    var gatewayURL: String { get }
    func cut(_ direction: Fault.Direction) async throws
    /// Resets the connections that there are.
    func reset() async throws
    func slow() async throws
    func mend() async throws
}

/// A pair of virtual network cards; the node has a second pair, which faults never touch, for those who check it.
///
/// Lives in the network and mount namespaces of this process (see `Confinement`), and goes with them.
final class VirtualCable: NodeLink {
    let name: String
    private let number: Int
    private let ip: String
    private let tc: String
    private let tool: Tool
    private let hasNetem: Bool
    private let port = Mutex(0)

    /// The address of the node for those who check it.
    var controlHost: String { "10.78.\(number).2" }
    private var dataHost: String { "10.77.\(number).2" }
    private var card: String { "data\(number)" }

    var launcher: [String] { [ip, "netns", "exec", name] }
    var gatewayURL: String { "http://\(dataHost):\(port.withLock { $0 })" }
    func setPort(_ value: Int) { port.withLock { $0 = value } }

    /// Once, before the first cable.
    static func prepare(_ tool: Tool) async throws {
        guard let ip = Tool.path(of: "ip") else { throw TestFailure("there is no `ip`: install iproute2") }
        // Names of namespaces live in this folder; with a file system of its own it is ours alone.
        try FileManager.default.createDirectory(atPath: "/run/netns", withIntermediateDirectories: true)
        try await tool.run(["/usr/bin/mount", "-t", "tmpfs", "none", "/run/netns"])
        try await tool.run([ip, "link", "set", "lo", "up"])
    }

    init(to name: String, number: Int, _ tool: Tool) async throws {
        guard let ip = Tool.path(of: "ip"), let tc = Tool.path(of: "tc") else {
            throw TestFailure("there is no `ip` or no `tc`: install iproute2")
        }
        (self.name, self.number, self.ip, self.tc, self.tool) = (name, number, ip, tc, tool)
        try await tool.run([ip, "netns", "add", name])
        try await tool.run([ip, "-n", name, "link", "set", "lo", "up"])
        for (card, net) in [("data\(number)", "10.77.\(number)"), ("ctrl\(number)", "10.78.\(number)")] {
            let far = card + "n"
            try await tool.run([ip, "link", "add", card, "type", "veth", "peer", "name", far, "netns", name])
            try await tool.run([ip, "addr", "add", "\(net).1/24", "dev", card])
            try await tool.run([ip, "link", "set", card, "up"])
            try await tool.run([ip, "-n", name, "addr", "add", "\(net).2/24", "dev", far])
            try await tool.run([ip, "-n", name, "link", "set", far, "up"])
        }
        // Not every kernel can delay packets; a narrow pipe with a long queue is late as well, under load.
        let probe = [tc, "qdisc", "replace", "dev", "data\(number)", "root", "netem", "delay", "1ms"]
        do {
            try await tool.run(probe)
            try await tool.run([tc, "qdisc", "del", "dev", "data\(number)", "root"])
            hasNetem = true
        } catch {
            hasNetem = false
        }
    }

    var slowness: String { hasNetem ? "tc netem (delay and loss)" : "tc tbf (a narrow pipe): this kernel has no netem" }

    func cut(_ direction: Fault.Direction) async throws {
        // A bucket smaller than any packet lets none through, and says nothing to the sender.
        let nothing = ["tbf", "rate", "1kbit", "burst", "10", "limit", "1"]
        if direction != .toGateway { try await shape(near, nothing) }
        if direction != .toNode { try await shape(far, nothing) }
    }

    func slow() async throws {
        if hasNetem {
            let late = ["netem", "delay", "60ms", "30ms", "loss", "2%"]
            try await shape(near, late)
            try await shape(far, late)
        } else {
            try await shape(near, ["tbf", "rate", "400kbit", "burst", "4000", "latency", "1500ms"])
            try await shape(far, ["tbf", "rate", "100kbit", "burst", "2000", "latency", "1500ms"])
        }
    }

    func reset() async throws {
        guard let ss = Tool.path(of: "ss") else { throw TestFailure("there is no `ss`: install iproute2") }
        try await tool.run([ss, "-K", "dst", dataHost])
    }

    func mend() async throws {
        for side in [near, far] {
            // There is nothing to delete on a side that was left alone.
            try? await tool.run([tc] + side.namespace + ["qdisc", "del", "dev", side.card, "root"])
        }
    }

    private var near: (namespace: [String], card: String) { ([], card) }
    private var far: (namespace: [String], card: String) { (["-n", name], card + "n") }

    private func shape(_ side: (namespace: [String], card: String), _ how: [String]) async throws {
        try await tool.run([tc] + side.namespace + ["qdisc", "replace", "dev", side.card, "root"] + how)
    }
}

/// A proxy in the place of a network, for where namespaces are not to be had.
struct ProxiedLink: NodeLink {
    let link: FaultyLink

    var gatewayURL: String { link.url }
    func cut(_ direction: Fault.Direction) { link.silence() }
    func reset() { link.cut(.rst) }
    func slow() { link.delay(answers: .milliseconds(150), requests: .milliseconds(150)) }

    func mend() {
        link.delay()
        link.restore()
    }
}
