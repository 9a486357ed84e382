// What goes wrong, where, when and for how long: drawn from the seed, several at once, but never two on the same thing.

package enum FaultKind: String, CaseIterable, Sendable {
    case killGateway = "kill-gateway"
    case killNode = "kill-node"
    case stopGateway = "stop-gateway"
    case stopNode = "stop-node"
    case hangGateway = "hang-gateway"
    case hangNode = "hang-node"
    case cut
    case reset
    case slow
    case fillLog = "fill-log"
    case fillNode = "fill-node"
    case clock

    /// What it does, for the help text.
    package var explanation: String {
        switch self {
        case .killGateway: "kill -9 of the gateway, and a start"
        case .killNode: "kill -9 of a node, and a start"
        case .stopGateway: "SIGTERM to the gateway, and a start"
        case .stopNode: "SIGTERM to a node, and a start"
        case .hangGateway: "SIGSTOP, later SIGCONT of the gateway"
        case .hangNode: "SIGSTOP, later SIGCONT of a node"
        case .cut: "packets between gateway and a node vanish, both ways or one way"
        case .reset: "the connections between gateway and a node are reset"
        case .slow: "packets between gateway and a node are late (and a few are lost)"
        case .fillLog: "the file system under the log is full"
        case .fillNode:
            "the file system under a node is full (not by default: InfluxDB 1.6 loses data by that, two starts later)"
        case .clock: "the gateway's clock jumps, and later back"
        }
    }

    /// Not `fillNode`: an InfluxDB 1.6 whose disk was full has a torn entry in its WAL. When it starts again it cuts the
    /// file there, but goes on writing where the end was: what it acknowledges from then on is behind a hole, and gone
    /// with the start after that one. No gateway can see it.
    package static let usual = allCases.filter { $0 != .fillNode }

    var isNodes: Bool {
        switch self {
        case .killNode, .stopNode, .hangNode, .cut, .reset, .slow, .fillNode: true
        case .killGateway, .stopGateway, .hangGateway, .fillLog, .clock: false
        }
    }

    /// How likely it is drawn, beside the others.
    var weight: Int {
        switch self {
        case .killGateway, .killNode: 6
        case .hangGateway, .hangNode, .cut: 3
        case .stopGateway, .stopNode, .reset, .slow: 2
        case .fillLog, .fillNode, .clock: 1
        }
    }
}

/// What a fault has to itself while it lasts.
package enum Resource: Hashable, Sendable {
    case gatewayProcess
    case nodeProcess(Int)
    case link(Int)
    case logDisk
    case nodeDisk(Int)
    case clock
}

package struct Fault: Equatable, Sendable, CustomStringConvertible {
    package enum Direction: String, Sendable { case both, toNode, toGateway }

    package let kind: FaultKind
    /// The node's number; 0 for faults of the gateway.
    package let node: Int
    /// From its beginning to its end.
    package let hold: Duration
    package var direction = Direction.both
    /// Of the clock, in seconds.
    package var jump = 0

    package var description: String {
        var text = kind.rawValue
        if kind.isNodes { text += " \(NodeNames.all[node])" }
        if kind == .cut { text += " (\(direction.rawValue))" }
        if kind == .clock { text += " by \(jump) s" }
        return text
    }

    func resources(nodes: Int) -> Set<Resource> {
        switch kind {
        case .killGateway, .stopGateway, .hangGateway: return [.gatewayProcess]
        case .killNode, .stopNode, .hangNode: return [.nodeProcess(node)]
        case .cut, .reset, .slow: return [.link(node)]
        case .clock: return [.clock]
        case .fillNode: return [.nodeDisk(node)]
        case .fillLog:
            // A log without room gives up nodes that lag, for good: that is promised, and no end of a round. So all
            // nodes are left alone meanwhile.
            let all = (0..<nodes).flatMap { [Resource.nodeProcess($0), .link($0), .nodeDisk($0)] }
            return Set([.logDisk] + all)
        }
    }
}

package enum NodeNames {
    package static let all = ["a", "b", "c", "d", "e"]
}

/// Draws one fault after the other.
package struct FaultPlan: Sendable {
    private var dice: Dice
    private let kinds: [FaultKind]
    private let nodes: Int
    /// The least and the most time between the beginnings of two faults, in seconds.
    private let pause: ClosedRange<Double>

    package init(seed: UInt64, kinds: [FaultKind], nodes: Int, pause: ClosedRange<Double>) {
        dice = Dice(seed: seed, for: "faults")
        self.kinds = kinds
        self.nodes = nodes
        self.pause = pause
    }

    /// The next fault, and how long to wait before it. It is skipped if what it needs is in use then, so that the draws
    /// do not depend on how long faults really last.
    package mutating func next() -> (pause: Duration, fault: Fault) {
        let wait = dice.duration(pause)
        let bag = kinds.flatMap { Array(repeating: $0, count: $0.weight) }
        let kind = dice.pick(bag)
        let node = Int.random(in: 0..<nodes, using: &dice)
        var fault = Fault(kind: kind, node: kind.isNodes ? node : 0, hold: hold(kind))
        let direction = dice.pick([Fault.Direction.both, .both, .toNode, .toGateway])
        let seconds = dice.pick([1, 30, 300, 1800]) * (dice.chance(50) ? 1 : -1)
        if kind == .cut { fault.direction = direction }
        if kind == .clock { fault.jump = seconds }
        return (wait, fault)
    }

    private mutating func hold(_ kind: FaultKind) -> Duration {
        let (range, length) = (dice.next(), dice.next())
        func within(_ range: ClosedRange<Double>) -> Duration {
            var dice = Dice(seed: length)
            return dice.duration(range)
        }
        switch kind {
        case .killGateway, .killNode: return within(0...1.5)
        case .stopGateway, .stopNode: return within(0...1)
        case .hangGateway, .hangNode, .cut:
            // Too short to be noticed; noticed; longer than every time-out on the way.
            switch range % 10 {
            case 0..<3: return within(0.02...0.3)
            case 3..<8: return within(0.3...2.5)
            default: return within(4...7)
            }
        case .reset: return .zero
        case .slow: return within(0.5...4)
        case .fillLog, .fillNode: return within(0.5...3)
        case .clock: return within(0.5...5)
        }
    }
}
