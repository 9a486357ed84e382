// The pool's decisions, event by event, without a socket and without a clock.
import NIOCore
import NodeClient
import Testing

@Suite("Node pool state")
struct NodePoolStateTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func limits(
        connections: Int = 2, waiting: Int = 3, acquire: TimeAmount? = .seconds(10), idle: TimeAmount = .seconds(60)
    ) -> NodePoolLimits {
        var limits = NodePoolLimits()
        limits.maximumConnections = connections
        limits.maximumWaiting = waiting
        limits.acquireTimeout = acquire
        limits.idleTimeout = idle
        return limits
    }

    @Test("the first exchange opens a connection and runs on it, the next one reuses it")
    func reuse() {
        var state = NodePoolState(limits: limits())
        #expect(state.enqueue(1, now: start) == [.connect(0)])
        #expect(state.connected(0, now: start) == [.run(1, on: 0)])
        #expect(state.released(0, now: start) == [])
        #expect(state.enqueue(2, now: start) == [.run(2, on: 0)])
        #expect(state.open == 1 && state.busy == 1)
    }

    @Test("connections are opened up to the limit; then exchanges wait, in order, in a bounded queue")
    func waiting() {
        var state = NodePoolState(limits: limits())
        #expect(state.enqueue(1, now: start) == [.connect(0)])
        #expect(state.enqueue(2, now: start) == [.connect(1)])
        #expect(state.connected(0, now: start) == [.run(1, on: 0)])
        #expect(state.connected(1, now: start) == [.run(2, on: 1)])
        for exchange in 3...5 {
            #expect(state.enqueue(exchange, now: start) == [])
        }
        #expect(state.enqueue(6, now: start) == [.refuse(6, .tooManyWaiting)])
        #expect(state.released(1, now: start) == [.run(3, on: 1)])
        #expect(state.cancelWaiting(4) == true)
        #expect(state.cancelWaiting(4) == false)
        #expect(state.released(0, now: start) == [.run(5, on: 0)])
        #expect(state.released(0, now: start) == [])
        #expect(state.waitingCount == 0)
    }

    @Test("a connection that ends while exchanges wait is replaced")
    func replaced() {
        var state = NodePoolState(limits: limits(connections: 1))
        _ = state.enqueue(1, now: start)
        _ = state.connected(0, now: start)
        #expect(state.enqueue(2, now: start) == [])
        #expect(state.closed(0) == [.connect(1)])
        #expect(state.connected(1, now: start) == [.run(2, on: 1)])
        #expect(state.closed(1) == [])
        #expect(state.isEmpty)
    }

    @Test("A4 a failed connect ends what waited for it, and opens none by itself")
    func connectFails() {
        var state = NodePoolState(limits: limits())
        _ = state.enqueue(1, now: start)
        _ = state.enqueue(2, now: start)
        _ = state.enqueue(3, now: start)
        #expect(state.connectFailed(0, reason: "refused") == [.refuse(1, .connectFailed("refused")), .connect(2)])
        #expect(
            state.connectFailed(1, reason: "refused") == [.refuse(2, .connectFailed("refused"))])
        #expect(state.connectFailed(2, reason: "refused") == [.refuse(3, .connectFailed("refused"))])
        #expect(state.isEmpty)
    }

    @Test("when the last connect fails, nobody waits for another one")
    func allConnectsFail() {
        var state = NodePoolState(limits: limits(connections: 1))
        for exchange in 1...3 {
            _ = state.enqueue(exchange, now: start)
        }
        #expect(
            state.connectFailed(0, reason: "x") == (1...3).map { .refuse($0, .connectFailed("x")) })
    }

    @Test("a connection that closes before it was ready counts as a failed connect")
    func closedWhileConnecting() {
        var state = NodePoolState(limits: limits())
        _ = state.enqueue(1, now: start)
        #expect(state.closed(0) == [.refuse(1, .connectFailed("the connection was closed at once"))])
        #expect(state.connecting == 0)
        #expect(state.connected(0, now: start) == [])
    }

    @Test("a connection whose exchange was cancelled in the meantime becomes idle")
    func idleAfterCancel() {
        var state = NodePoolState(limits: limits())
        _ = state.enqueue(1, now: start)
        #expect(state.cancelWaiting(1) == true)
        #expect(state.connected(0, now: start) == [])
        #expect(state.enqueue(2, now: start) == [.run(2, on: 0)])
    }

    @Test("idle connections are used last in, first out, and the old ones are closed")
    func idleTimeout() {
        var state = NodePoolState(limits: limits())
        _ = state.enqueue(1, now: start)
        _ = state.enqueue(2, now: start)
        _ = state.connected(0, now: start)
        _ = state.connected(1, now: start)
        #expect(state.nextDeadline == nil)
        _ = state.released(0, now: start)
        _ = state.released(1, now: start + .seconds(30))
        #expect(state.nextDeadline == start + .seconds(60))
        #expect(state.enqueue(3, now: start + .seconds(40)) == [.run(3, on: 1)])
        _ = state.released(1, now: start + .seconds(41))
        #expect(state.timePassed(now: start + .seconds(59)) == [])
        #expect(state.timePassed(now: start + .seconds(60)) == [.close(0)])
        #expect(state.nextDeadline == start + .seconds(101))
        #expect(state.closed(0) == [])
        #expect(state.open == 1)
    }

    @Test("an idle connection that the node closes is forgotten")
    func closedWhileIdle() {
        var state = NodePoolState(limits: limits())
        _ = state.enqueue(1, now: start)
        _ = state.connected(0, now: start)
        _ = state.released(0, now: start)
        #expect(state.closed(0) == [])
        #expect(state.enqueue(2, now: start) == [.connect(1)])
        #expect(state.nextDeadline == start + .seconds(10))
    }

    @Test("an exchange that waits too long is refused")
    func acquireTimeout() {
        var state = NodePoolState(limits: limits(connections: 1))
        _ = state.enqueue(1, now: start)
        _ = state.enqueue(2, now: start + .seconds(5))
        #expect(state.timePassed(now: start + .seconds(10)) == [.refuse(1, .waitedTooLong)])
        #expect(state.nextDeadline == start + .seconds(15))
        #expect(state.connected(0, now: start) == [.run(2, on: 0)])
        #expect(state.nextDeadline == nil)
    }

    @Test("closing refuses what waits and what comes, closes what is idle and lets the rest end")
    func close() {
        var state = NodePoolState(limits: limits())
        for exchange in 1...4 {
            _ = state.enqueue(exchange, now: start)
        }
        _ = state.connected(0, now: start)
        _ = state.connected(1, now: start)
        _ = state.cancelWaiting(3)
        _ = state.cancelWaiting(4)
        _ = state.released(0, now: start)
        _ = state.enqueue(5, now: start)
        _ = state.enqueue(6, now: start)
        _ = state.released(1, now: start)
        _ = state.released(1, now: start)
        #expect(state.close() == [.close(1)])
        #expect(state.close() == [])
        #expect(state.enqueue(7, now: start) == [.refuse(7, .poolClosed)])
        #expect(state.released(0, now: start) == [.close(0)])
        #expect(state.isEmpty)
    }

    @Test("A2 no sequence of events loses an exchange, doubles one, or exceeds the limits")
    func randomWalk() {
        struct Walk {
            var state: NodePoolState
            var queued: Set<Int> = []
            var running: [Int: Int] = [:]
            var connecting: Set<Int> = []
            var idle: Set<Int> = []

            mutating func apply(_ actions: [NodePoolState.Action]) {
                for action in actions {
                    switch action {
                    case .connect(let id): #expect(connecting.insert(id).inserted)
                    case .run(let exchange, let id):
                        #expect(queued.remove(exchange) != nil)
                        #expect(connecting.remove(id) != nil || idle.remove(id) != nil || running[id] != nil)
                        running[id] = exchange
                    case .close(let id):
                        #expect(idle.remove(id) != nil || running.removeValue(forKey: id) != nil)
                    case .refuse(let exchange, _): #expect(queued.remove(exchange) != nil)
                    }
                }
                #expect(state.waitingCount == queued.count)
                #expect(state.busy == running.count)
                #expect(state.open == running.count + idle.count)
                #expect(connecting.count + running.count + idle.count <= 3)
                #expect(queued.isEmpty || idle.isEmpty)
                #expect(queued.isEmpty || !connecting.isEmpty || !running.isEmpty, "somebody waits for nothing")
            }
        }
        var random = SplitMix(state: 7)
        for _ in 0..<200 {
            var walk = Walk(state: NodePoolState(limits: limits(connections: 3, waiting: 4)))
            var now = start
            for step in 0..<200 {
                now = now + .seconds(Int64.random(in: 0...3, using: &random))
                switch Int.random(in: 0..<7, using: &random) {
                case 0, 1:
                    walk.queued.insert(step)
                    walk.apply(walk.state.enqueue(step, now: now))
                case 2:
                    if let id = walk.connecting.sorted().randomElement(using: &random) {
                        let actions = walk.state.connected(id, now: now)
                        if actions.isEmpty {
                            walk.connecting.remove(id)
                            walk.idle.insert(id)
                        }
                        walk.apply(actions)
                    }
                case 3:
                    if let id = walk.connecting.sorted().randomElement(using: &random) {
                        walk.connecting.remove(id)
                        walk.apply(walk.state.connectFailed(id, reason: "x"))
                    }
                case 4:
                    if let id = walk.running.keys.sorted().randomElement(using: &random) {
                        let actions = walk.state.released(id, now: now)
                        if actions.isEmpty {
                            walk.running[id] = nil
                            walk.idle.insert(id)
                        }
                        walk.apply(actions)
                    }
                case 5:
                    if let id = (Array(walk.running.keys) + walk.idle).sorted().randomElement(using: &random) {
                        walk.running[id] = nil
                        walk.idle.remove(id)
                        walk.apply(walk.state.closed(id))
                    }
                default:
                    walk.apply(walk.state.timePassed(now: now))
                }
            }
        }
    }
}

/// A small seeded generator, so that a failure can be repeated.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
