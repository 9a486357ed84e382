// What a UDP listener tells the operator of what it drops: not a line for each datagram, or whoever can reach the port
// fills the disk with them.

import Logging
import NIOCore

final class UDPReports {
    private struct Loss {
        var count = 0
        var words = ""
    }

    private let logger: Logger
    private let address: () -> String
    private var losses: [String: Loss] = [:]
    private var nextReport: NIODeadline?

    private static let pause = TimeAmount.seconds(10)

    init(logger: Logger, address: @escaping () -> String) {
        self.logger = logger
        self.address = address
    }

    /// - Parameters:
    ///   - reason: the word under which the metrics count it.
    ///   - words: what is wrong, for people; the last is told.
    func add(_ count: Int, _ reason: String, _ words: String) {
        losses[reason, default: Loss()].count += count
        losses[reason]?.words = words
    }

    /// To be called about once a second.
    func tell(now: NIODeadline) {
        guard !losses.isEmpty, nextReport.map({ now >= $0 }) ?? true else { return }
        nextReport = now + Self.pause
        for (reason, loss) in losses.sorted(by: { $0.key < $1.key }) {
            logger.warning(
                "data that came by UDP was dropped",
                metadata: [
                    "listener": "\(address())", "count": "\(loss.count)", "what": "\(reason)",
                    "reason": "\(loss.words)",
                ])
        }
        losses = [:]
    }
}
