// What goes wrong in a run, when, and for how long: a plan that is drawn from the seed before the run begins, so that a
// part of it can be left out when a failure is cut down.

import SimulatedDisk

package struct Fault: CustomStringConvertible {
    package enum Kind: CaseIterable {
        case gatewayKilled, gatewayLosesPower, gatewayCrashesWithinWrite, gatewayHangs
        case nodeKilled, nodeLosesPower, nodeHangs, nodeSlow, nodeRefuses, nodeTimesOut, nodeBreaksConnections
        case nodeRolledBack, nodeWiped, nodeFlaps, nodeDamaged, allNodesLosePower
        case linkCut, linkReset, linkSlow, clientsCut
        case diskFull, diskSlow, syncFails, diskRots, diskLies
        case nodePaused
        case gatewayClockJumps, nodeClockJumps

        /// After it a node may lack what the log does not bring back.
        var needsCopies: Bool {
            switch self {
            case .nodeRolledBack, .nodeWiped, .nodeDamaged, .nodeLosesPower, .allNodesLosePower, .diskRots, .diskLies,
                .diskFull:
                true
            default: false
            }
        }
    }

    /// Among the run's faults.
    package let number: Int
    package let kind: Kind
    /// Nanoseconds since the beginning.
    package let time: Int64
    package let duration: Int64
    package let node: Int
    /// Whatever else it needs to decide.
    package let salt: UInt64

    package var description: String {
        "fault \(number): \(kind), node \(node), for \(duration / millisecond) ms"
    }

    package static func plan(
        _ count: Int, over span: Int64, nodes: Int, kinds: [Kind], random: inout SplitMix
    ) -> [Fault] {
        let times = (0..<count).map { _ in Int64.random(in: 2 * second...max(3 * second, span), using: &random) }
            .sorted()
        return times.enumerated().map { number, time in
            Fault(
                number: number, kind: random.pick(kinds), time: time,
                duration: random.time(millisecond...8 * second), node: Int.random(in: 0..<nodes, using: &random),
                salt: random.next())
        }
    }
}
