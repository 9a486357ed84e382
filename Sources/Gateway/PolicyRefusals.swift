// Where policy meets requests: which one holds for a listener, and what is counted and said when it refuses.

import Querying

extension GatewaySettings {
    /// The main listener and the further ones, by `Exchange.listener`.
    package var allListeners: [Listener] {
        var main = Listener(endpoint, policy: policy, tls: tls)
        main.passedSocket = passedSocket
        return [main] + listeners
    }

    /// With what the listeners say of connections.
    var serverLimits: ServerLimits {
        var limits = server
        for (number, listener) in allListeners.enumerated() {
            limits.connectionsPerListener[number] = listener.limits.connections
        }
        return limits
    }

    func bodyBytes(ofListener number: Int) -> Int {
        number == 0 ? limits.bodyBytes : listeners[number - 1].limits.bodyBytes ?? limits.bodyBytes
    }

    func policy(ofListener number: Int) -> Policy { number == 0 ? policy : listeners[number - 1].policy }
}

extension Policy {
    /// What stands against a whole answer; nil: nothing.
    func refusal(ofRows response: Response) -> Refusal? {
        guard let maximumRows, response.status == 200 else { return nil }
        let rows = LimitedAnswer.rows(of: response.body, contentType: response.contentType ?? "")
        return rows > maximumRows ? tooManyRows : nil
    }
}

extension LoopContext {
    /// Counts a query of which nothing runs. The words hold none of the client's, so they may be logged.
    func refusedByPolicy(_ rule: Policy.Rule, _ words: String) {
        figures.queriesRefusedByPolicy[rule]?.add(1)
        logger.debug("a query was refused", metadata: ["words": "\(words)"])
    }

    /// - Throws: the answer to a write that the policy forbids. An agent then drops the batch: it would never be taken.
    func checkWrite(to database: String, listener: Int) throws(WriteTarget.Problem) {
        do throws(Policy.Refusal) {
            try settings.policy(ofListener: listener).checkWrite(to: database)
        } catch {
            figures.writesRefusedByPolicy.add(1)
            logger.debug("a write was refused", metadata: ["words": "\(error.message)"])
            throw WriteTarget.Problem(status: 403, message: error.message)
        }
    }
}
