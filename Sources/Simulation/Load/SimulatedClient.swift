// A client of the gateway: one connection, one request at a time, a patience, and an exact memory of what it was told.

import CommitLog
import NIOCore
import SimulatedDisk

package final class SimulatedClient: ConnectionPeer {
    private let gateway: SimulatedGateway
    private let scheduler: Scheduler
    private var connection: SimulatedConnection?
    private var reader = MessageReader()
    private var waiting: ((ReceivedAnswer?) -> Void)?
    private var patience: Scheduler.Ticket?

    package init(gateway: SimulatedGateway, scheduler: Scheduler) {
        self.gateway = gateway
        self.scheduler = scheduler
    }

    /// - Parameter done: gets nil when nobody knows what became of the request.
    package func send(
        _ method: String, _ target: String, body: String, isForm: Bool = false, patience: Int64,
        done: @escaping (ReceivedAnswer?) -> Void
    ) {
        if connection?.isOpenForPeer != true {
            connection = gateway.connect(self)
            reader = MessageReader()
        }
        guard let connection else {
            // Refused: like an answer that says that nothing was done, but a little later.
            scheduler.after(millisecond) { done(nil) }
            return
        }
        waiting = done
        var text = "\(method) \(target) HTTP/1.1\r\nHost: gateway\r\nContent-Length: \(body.utf8.count)\r\n"
        if isForm { text += "Content-Type: application/x-www-form-urlencoded\r\n" }
        text += "\r\n" + body
        connection.peerSends(ByteBuffer(string: text))
        self.patience = scheduler.after(patience) { [weak self] in self?.giveUp() }
    }

    private func giveUp() {
        connection?.peerCloses()
        connection = nil
        finish(nil)
    }

    private func finish(_ answer: ReceivedAnswer?) {
        if let patience { scheduler.cancel(patience) }
        patience = nil
        let done = waiting
        waiting = nil
        done?(answer)
    }

    package func received(_ bytes: ByteBuffer, on connection: SimulatedConnection) {
        guard connection === self.connection else { return }
        reader.append(bytes)
        while let message = reader.next() {
            guard let answer = ReceivedAnswer(message) else { return giveUp() }
            if answer.status == 100 { continue }
            if answer.header("connection") == "close" {
                self.connection = nil
                connection.peerCloses()
            }
            finish(answer)
        }
    }

    package func closed(_ connection: SimulatedConnection) {
        guard connection === self.connection else { return }
        self.connection = nil
        finish(nil)
    }
}
