// Decides for one node's pool which exchange runs on which connection: events in, actions out, no I/O and no clock.
import NIOCore

/// The decisions of a `NodePool`.
///
/// Connections are numbered by the state, exchanges by the caller. A connection is `connecting`, `idle` or `busy`; it
/// leaves by `connectFailed` or `closed`. Waiting exchanges are served first come, first served; idle connections are
/// used last in, first out, so that surplus ones grow old and are closed.
///
/// Invariants: while something waits, nothing is idle; there are never more connects under way than exchanges waiting
/// at the time they were started; connections never exceed the limit.
package struct NodePoolState {
    package typealias ConnectionID = Int
    package typealias ExchangeID = Int

    package enum Action: Equatable, Sendable {
        case connect(ConnectionID)
        case run(ExchangeID, on: ConnectionID)
        case close(ConnectionID)
        /// The exchange never reached a connection.
        case refuse(ExchangeID, Refusal)
    }

    package enum Refusal: Equatable, Sendable {
        case tooManyWaiting
        case waitedTooLong
        case poolClosed
        case connectFailed(String)
    }

    private enum Connection: Equatable {
        case connecting
        case idle
        case busy
    }

    private struct Waiting {
        var exchange: ExchangeID
        var since: NIODeadline
    }

    private let limits: NodePoolLimits
    private var connections: [ConnectionID: Connection] = [:]
    /// Oldest first.
    private var idle: [(connection: ConnectionID, since: NIODeadline)] = []
    private var waiting = CircularBuffer<Waiting>()
    private var nextConnection: ConnectionID = 0
    package private(set) var connecting = 0
    package private(set) var busy = 0
    package private(set) var isClosed = false

    package init(limits: NodePoolLimits) {
        self.limits = limits
    }

    /// Connections that are established.
    package var open: Int { connections.count - connecting }
    package var waitingCount: Int { waiting.count }
    package var isEmpty: Bool { connections.isEmpty && waiting.isEmpty }

    // MARK: Events of exchanges

    package mutating func enqueue(_ exchange: ExchangeID, now: NIODeadline) -> [Action] {
        guard !isClosed else {
            return [.refuse(exchange, .poolClosed)]
        }
        if let connection = takeIdle() {
            return [.run(exchange, on: connection)]
        }
        guard waiting.count < limits.maximumWaiting else {
            return [.refuse(exchange, .tooManyWaiting)]
        }
        waiting.append(Waiting(exchange: exchange, since: now))
        return connectIfUseful()
    }

    /// Takes back an exchange that has no connection yet.
    ///
    /// - Returns: Whether it was waiting.
    package mutating func cancelWaiting(_ exchange: ExchangeID) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.exchange == exchange }) else {
            return false
        }
        waiting.remove(at: index)
        return true
    }

    // MARK: Events of connections

    package mutating func connected(_ connection: ConnectionID, now: NIODeadline) -> [Action] {
        guard connections[connection] == .connecting else {
            return []
        }
        connecting -= 1
        return becomeFree(connection, now: now)
    }

    /// A connect failed. The exchange that has waited longest ends with it; if no other connection is there or under
    /// way, so do all others: the node is not there, and each finding out for itself would take a connect time-out.
    package mutating func connectFailed(_ connection: ConnectionID, reason: String) -> [Action] {
        guard connections[connection] == .connecting else {
            return []
        }
        connecting -= 1
        connections[connection] = nil
        var actions: [Action] = []
        if connections.isEmpty {
            actions = waiting.map { .refuse($0.exchange, .connectFailed(reason)) }
            waiting.removeAll()
        } else if let first = waiting.popFirst() {
            actions = [.refuse(first.exchange, .connectFailed(reason))]
        }
        return actions + connectIfUseful()
    }

    /// The exchange on the connection is complete, and the connection can carry another one.
    package mutating func released(_ connection: ConnectionID, now: NIODeadline) -> [Action] {
        guard connections[connection] == .busy else {
            return []
        }
        busy -= 1
        return becomeFree(connection, now: now)
    }

    /// An established connection is gone, whatever it was doing.
    package mutating func closed(_ connection: ConnectionID) -> [Action] {
        switch connections.removeValue(forKey: connection) {
        case .busy:
            busy -= 1
        case .idle:
            idle.removeAll { $0.connection == connection }
        case .connecting:
            connections[connection] = .connecting
            return connectFailed(connection, reason: "the connection was closed at once")
        case nil:
            return []
        }
        return connectIfUseful()
    }

    // MARK: Time and the end

    /// When `timePassed` has something to do; nil: never.
    package var nextDeadline: NIODeadline? {
        let waitingEnds = limits.acquireTimeout.flatMap { timeout in waiting.first.map { $0.since + timeout } }
        let idleEnds = idle.first.map { $0.since + limits.idleTimeout }
        return switch (waitingEnds, idleEnds) {
        case (let a?, let b?): min(a, b)
        case (let a, let b): a ?? b
        }
    }

    package mutating func timePassed(now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        if let timeout = limits.acquireTimeout {
            while let first = waiting.first, first.since + timeout <= now {
                waiting.removeFirst()
                actions.append(.refuse(first.exchange, .waitedTooLong))
            }
        }
        let old = idle.prefix { $0.since + limits.idleTimeout <= now }
        for entry in old {
            actions.append(drop(entry.connection))
        }
        idle.removeFirst(old.count)
        return actions
    }

    /// Refuses what waits and what comes later, and closes what is idle. Running exchanges go on.
    package mutating func close() -> [Action] {
        guard !isClosed else {
            return []
        }
        isClosed = true
        var actions: [Action] = waiting.map { .refuse($0.exchange, .poolClosed) }
        waiting.removeAll()
        for entry in idle {
            actions.append(drop(entry.connection))
        }
        idle.removeAll()
        return actions
    }

    // MARK: Parts

    private mutating func drop(_ connection: ConnectionID) -> Action {
        connections[connection] = nil
        return .close(connection)
    }

    private mutating func takeIdle() -> ConnectionID? {
        guard let connection = idle.popLast()?.connection else {
            return nil
        }
        connections[connection] = .busy
        busy += 1
        return connection
    }

    private mutating func becomeFree(_ connection: ConnectionID, now: NIODeadline) -> [Action] {
        if isClosed {
            return [drop(connection)]
        }
        if let next = waiting.popFirst() {
            connections[connection] = .busy
            busy += 1
            return [.run(next.exchange, on: connection)]
        }
        connections[connection] = .idle
        idle.append((connection, now))
        return []
    }

    private mutating func connectIfUseful() -> [Action] {
        guard !isClosed, connecting < waiting.count, connections.count < limits.maximumConnections else {
            return []
        }
        let connection = nextConnection
        nextConnection += 1
        connections[connection] = .connecting
        connecting += 1
        return [.connect(connection)]
    }
}
