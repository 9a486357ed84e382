// A request that is wrong in itself: its answer is known, but InfluxDB tells it to its users only.

import NIOCore

final class RefusalEndpoint: Endpoint {
    private let exchange: Exchange
    private let response: Response

    init(exchange: Exchange, response: Response) {
        self.exchange = exchange
        self.response = response
    }

    /// False: it is answered already.
    func start(_ admission: WriteAdmission, _ credential: ClientCredential) -> Bool {
        let known = admission.user(credential, or: response) { [weak self] in self?.answer($0) }
        guard let known else {
            exchange.pauseReading()
            return true
        }
        answer(known)
        return false
    }

    private func answer(_ admission: Admission) {
        if case .refused(let response) = admission { exchange.respond(response) }
    }

    func body(_ bytes: ByteBuffer) {}
    func bodyEnd() {}
    func clientLeft() {}
}
