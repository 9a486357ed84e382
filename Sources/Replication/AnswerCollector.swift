// A node's whole answer, bounded: verdicts are given on complete answers only (D3).

import Cluster
import HTTPCodec
import NIOCore
import NodeClient

enum CollectedAnswer {
    case complete(Answer)
    case failed(NodeFailure)

    struct Answer {
        var status: Int
        /// `X-Influxdb-Version`; empty where there is none.
        var version: String
        var retryAfter: Int64?
        var body: [UInt8]
        /// The body was larger than the collector takes.
        var isTruncated: Bool

        var isFromInfluxDB: Bool { !version.isEmpty }

        /// The answer as the table of answers wants it: with the `error` of a JSON body, or its text.
        var nodeAnswer: NodeAnswer {
            let errors = ResponseErrors(body)
            let message =
                errors.isComplete ? errors.first ?? "" : String(decoding: body.prefix(4096), as: UTF8.self)
            return NodeAnswer(
                status: status, isFromInfluxDB: isFromInfluxDB, message: message, retryAfter: retryAfter
            )
        }
    }
}

final class AnswerCollector: NodeResponseReceiver {
    private var answer = CollectedAnswer.Answer(status: 0, version: "", body: [], isTruncated: false)
    private let limit: Int
    private let whenDone: (CollectedAnswer) -> Void

    init(limit: Int, whenDone: @escaping (CollectedAnswer) -> Void) {
        self.limit = limit
        self.whenDone = whenDone
    }

    func responseHead(status: Int, headers: HeaderFields) {
        answer.status = status
        answer.version = headers.first(name: "X-Influxdb-Version") ?? ""
        answer.retryAfter = headers.first(name: "Retry-After").flatMap { Int64($0) }.map {
            min(max($0, 0), 86_400) * 1_000_000_000
        }
    }

    func responseBody(_ bytes: ByteBuffer) {
        let room = limit - answer.body.count
        if bytes.readableBytes > room { answer.isTruncated = true }
        answer.body += bytes.readableBytesView.prefix(room)
    }

    func responseEnd() { whenDone(.complete(answer)) }

    func responseFailed(_ failure: NodeFailure) { whenDone(.failed(failure)) }
}
