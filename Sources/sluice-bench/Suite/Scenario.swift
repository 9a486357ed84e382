// The table of what can be measured.

/// A piece of work, and the ways to have it done that are held against each other.
struct Scenario {
    let name: String
    let title: String
    let ways: [Way]
    /// What it asks for, where the command line says nothing else.
    var shape: (inout LoadShape) -> Void = { _ in }
    /// Bytes of a sink's answer to a SELECT.
    var answerBytes = 1000

    /// - Parameter levels: of acknowledgement, for the first rows.
    static func all(levels: [Acknowledgement]) -> [Scenario] {
        [
            Scenario(
                name: "small", title: "Writes of 10 lines, 64 connections",
                ways: [.sink, .mirror] + levels.map { .gateway($0) }),
            Scenario(
                name: "large", title: "Writes of 1,000 lines, 16 connections",
                ways: [.sink, .mirror] + levels.map { .gateway($0) },
                shape: { shape in (shape.lines, shape.connections) = (1000, 16) }),
            Scenario(
                name: "gzip", title: "Writes of 1,000 lines, compressed, in chunks, 16 connections",
                ways: [.sink, .gateway(.any)],
                shape: { shape in (shape.lines, shape.connections, shape.gzip) = (1000, 16, true) }),
            Scenario(
                name: "paced", title: "Writes of 10 lines, 500 connections, each one request a second",
                ways: [.sink, .gateway(.any), .secureGateway(.any)],
                shape: { shape in (shape.connections, shape.rate) = (500, 500) }),
            Scenario(
                name: "tls", title: "Writes of 10 lines, 64 connections, through a tunnel that adds TLS",
                ways: [.gateway(.any), .secureGateway(.any)]),
            Scenario(
                name: "nodes", title: "Writes of 10 lines, 64 connections, two real nodes",
                ways: [.bothNodes, .gatewayToNodes(.insync)]),
            Scenario(
                name: "query", title: "A small query, 16 connections",
                ways: [.sink, .gateway(.insync)],
                shape: { shape in (shape.connections, shape.query) = (16, smallQuery) }),
            Scenario(
                name: "latency", title: "A small query, one connection",
                ways: [.sink, .gateway(.insync)],
                shape: { shape in (shape.connections, shape.query) = (1, smallQuery) }),
            Scenario(
                name: "answer", title: "Answers of 1 GB, one connection",
                ways: [.sink, .gateway(.insync)],
                shape: { shape in (shape.connections, shape.query) = (1, "SELECT * FROM cpu") },
                answerBytes: 1_000_000_000),
            Scenario(
                name: "placed", title: "Writes of 10 lines of ten measurements, 64 connections, four sinks",
                ways: levels.suffix(1).flatMap { [Way.placed($0, .oneSet), .placed($0, .fourSets)] },
                shape: { shape in shape.measurements = 10 }),
            Scenario(
                name: "backlog", title: "Catching up from a backlog of writes of 1,000 lines",
                ways: [.backlog],
                shape: { shape in (shape.lines, shape.connections) = (1000, 16) }),
        ]
    }

    /// What a panel of a dashboard asks.
    private static let smallQuery =
        #"SELECT mean("usage_idle") FROM "cpu" WHERE ("host" = 'server01') AND time >= $time AND time <= $time "#
        + "GROUP BY time(10s) fill(null)"
}

/// Levels of the gateway, `ack` in its configuration.
enum Acknowledgement: String, CaseIterable {
    case any, one, quorum, insync, all
}

enum Way: Hashable, CustomStringConvertible {
    /// What ten measurements are placed on, of four nodes; always two copies.
    enum Placement: String {
        case oneSet = "one set"
        case fourSets = "four sets"

        var rules: String {
            switch self {
            case .oneSet: "{default: [a, b]}"
            case .fourSets:
                """
                {measurements: {cpu0: [a, b], cpu1: [b, c], cpu2: [c, d], cpu3: [d, a], cpu4: [a, b], cpu5: [b, c], \
                cpu6: [c, d], cpu7: [d, a], cpu8: [a, b], cpu9: [b, c]}}
                """
            }
        }
    }

    /// Without a gateway; of two sinks, one.
    case sink
    /// Through nginx, which sends each request to one sink and a copy to the other, and keeps nothing.
    case mirror
    case gateway(Acknowledgement)
    case secureGateway(Acknowledgement)
    case placed(Acknowledgement, Placement)
    /// Each request to both real nodes by the client itself.
    case bothNodes
    case gatewayToNodes(Acknowledgement)
    case backlog

    var description: String {
        switch self {
        case .sink: "straight to a sink"
        case .mirror: "nginx, mirror"
        case .gateway(let level): "gateway, \(level)"
        case .secureGateway(let level): "gateway, \(level), TLS"
        case .placed(let level, let placement): "gateway, \(level), \(placement.rawValue)"
        case .bothNodes: "clients, to both nodes"
        case .gatewayToNodes(let level): "gateway, \(level), to both nodes"
        case .backlog: "gateway, one sink back"
        }
    }
}
