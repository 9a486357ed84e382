// A remote write of Prometheus becomes lines before it goes the way of all writes. What is small is decoded at once,
// what would stop the event loop on another thread.

import NIOCore
import NIOPosix
import Prometheus
import Synchronization

/// For one request; confined to its event loop.
final class RemoteWriteDecoding {
    /// Samples that could not be said; the others are stored.
    struct Loss: Sendable {
        let dropped: Int
        let reason: String

        /// In InfluxDB's form. Prometheus does not send such a batch again, and should not.
        var response: Response { .error(400, "partial write: \(reason) dropped=\(dropped)") }
    }

    enum Result: Sendable {
        case lines(ByteBuffer, Loss?)
        case refused(Response)
    }

    private let limit: Int

    /// Decoded bytes up to which it is done at once; Prometheus sends less.
    private static let smallMessage = 256 << 10

    /// - Parameter limit: how many bytes the message may have, and the lines.
    init(limit: Int) { self.limit = limit }

    /// `then` is called on the event loop, at once if that is possible.
    func start(_ packed: ByteBuffer, on context: LoopContext, then: @escaping (Result) -> Void) {
        let limit = limit
        let length: Int
        do throws(Snappy.Failure) {
            length = try packed.withUnsafeReadableBytes { bytes throws(Snappy.Failure) in
                try Snappy.decodedLength(of: bytes, limit: limit)
            }
        } catch {
            return then(.refused(Self.refusal(error)))
        }
        guard length > Self.smallMessage else { return then(Self.result(of: packed, limit: limit)) }
        // Message and lines, which are about as long, are here together for a moment.
        let room = 2 * length
        let figures = context.figures
        let all = figures.bodyBytes.add(room, ordering: .relaxed).newValue
        guard all <= context.settings.limits.bodiesInMemory else {
            figures.bodyBytes.subtract(room, ordering: .relaxed)
            return then(
                .refused(.unavailable("too many bytes of request bodies are in memory", retryAfter: 1)))
        }
        let whenDone = NIOLoopBound(then, eventLoop: context.eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop) { Self.result(of: packed, limit: limit) }
            .whenComplete { result in
                figures.bodyBytes.subtract(room, ordering: .relaxed)
                switch result {
                case .success(let result): whenDone.value(result)
                case .failure:
                    whenDone.value(.refused(.unavailable("the gateway is stopping", retryAfter: 1)))
                }
            }
    }

    private static func result(of packed: ByteBuffer, limit: Int) -> Result {
        let message: [UInt8]
        do throws(Snappy.Failure) {
            message = try packed.withUnsafeReadableBytes { bytes throws(Snappy.Failure) in
                try Snappy.decoded(bytes, limit: limit)
            }
        } catch {
            return .refused(refusal(error))
        }
        var write = RemoteWrite(limit: limit)
        do throws(RemoteWrite.Failure) {
            while try !write.advance(message, budget: .max) {}
        } catch {
            switch error {
            case .malformed(let words): return .refused(.error(400, words))
            case .tooLarge(let words): return .refused(.error(413, words))
            }
        }
        let loss = write.dropped == 0 ? nil : Loss(dropped: write.dropped, reason: write.dropReason)
        return .lines(ByteBuffer(bytes: write.lines.bytes), loss)
    }

    private static func refusal(_ failure: Snappy.Failure) -> Response {
        switch failure {
        case .tooLarge: .bodyTooLarge
        case .corrupt: .error(400, failure.words)
        }
    }
}
