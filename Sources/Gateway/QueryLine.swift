// Where queries of one event loop wait for their turn: the gate with a clock, and with whom to call.

import NIOCore
import Querying

/// Confined to its event loop.
final class QueryLine {
    private struct Waiter {
        let patience: Scheduled<Void>
        let whenOver: (Bool) -> Void
    }

    private let eventLoop: any EventLoop
    private let wait: TimeAmount
    private let figures: GatewayFigures
    private var gate: QueryGate
    private var waiters: [QueryGate.Ticket: Waiter] = [:]

    init(eventLoop: any EventLoop, limits: QueryGate.Limits, wait: TimeAmount, figures: GatewayFigures) {
        self.eventLoop = eventLoop
        self.wait = wait
        self.figures = figures
        gate = QueryGate(limits)
    }

    /// - Parameter whenOver: called once, later, if the query must wait: true, its turn has come; false, it has waited
    ///   too long.
    func enter(_ whenOver: @escaping (Bool) -> Void) -> QueryGate.Entry {
        let entry = gate.enter()
        switch entry {
        case .runs: figures.runningQueries.add(1, ordering: .relaxed)
        case .refused: break
        case .waits(let ticket):
            figures.waitingQueries.add(1, ordering: .relaxed)
            let here = NIOLoopBound(self, eventLoop: eventLoop)
            let patience = eventLoop.scheduleTask(in: wait) {
                if let waiter = here.value.remove(ticket) { waiter.whenOver(false) }
            }
            waiters[ticket] = Waiter(patience: patience, whenOver: whenOver)
        }
        return entry
    }

    /// A query that ran has ended.
    func ended() {
        guard let ticket = gate.ended() else {
            figures.runningQueries.subtract(1, ordering: .relaxed)
            return
        }
        guard let waiter = forget(ticket) else { return }
        // Not from within the end of another.
        eventLoop.assumeIsolated().execute { waiter.whenOver(true) }
    }

    /// The client has left.
    func leave(_ ticket: QueryGate.Ticket) { _ = remove(ticket) }

    private func remove(_ ticket: QueryGate.Ticket) -> Waiter? { gate.left(ticket) ? forget(ticket) : nil }

    private func forget(_ ticket: QueryGate.Ticket) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: ticket) else { return nil }
        waiter.patience.cancel()
        figures.waitingQueries.subtract(1, ordering: .relaxed)
        return waiter
    }
}
