// An answer with a limit on its rows, on its way from a node to the client: nothing of it is ever left out in silence. A
// chunked answer passes chunk by chunk, any other is held back until it is whole.

import NIOCore
import Querying

package final class LimitedAnswer {
    package enum Step: Equatable {
        /// To the client, now.
        case pass(ByteBuffer)
        /// `pass` may still go to the client; what comes next may not. It `isTooLarge` to be held back, or has too many
        /// rows.
        case stop(pass: ByteBuffer, isTooLarge: Bool)
    }

    package private(set) var status = 0
    package private(set) var headers: [(String, String)] = []
    /// Something of it was passed on: its head is out.
    var hasBegun = false
    private let maximumRows: Int
    private let maximumBytes: Int
    private let isChunked: Bool
    private var counter = RowCounter(.json)
    /// What came and was not passed on.
    package private(set) var held = ByteBuffer()

    /// - Parameters:
    ///   - maximumBytes: how much is held back at most.
    ///   - isChunked: the client asked for chunks.
    package init(maximumRows: Int, maximumBytes: Int, isChunked: Bool) {
        self.maximumRows = maximumRows
        self.maximumBytes = maximumBytes
        self.isChunked = isChunked
    }

    package func begin(_ status: Int, _ headers: [(String, String)]) {
        self.status = status
        self.headers = headers
        counter = RowCounter(RowCounter.Format(contentType: contentType ?? ""))
    }

    var contentType: String? { headers.first { $0.0.lowercased() == "content-type" }?.1 }

    /// What was held back, when it is all there is.
    var response: Response {
        Response(
            status: status, contentType: contentType, headers: headers.filter { $0.0.lowercased() != "content-type" },
            body: held)
    }

    /// CSV has no way to say that it goes no further.
    private var passesChunks: Bool { isChunked && status == 200 && counter.format != .csv }

    package func take(_ bytes: ByteBuffer) -> Step {
        var rest = bytes
        var passed = ByteBuffer()
        while rest.readableBytes > 0 {
            let (count, endsDocument) = rest.withUnsafeReadableBytes { counter.take($0) }
            guard var piece = rest.readSlice(length: count) else { break }
            held.writeBuffer(&piece)
            if status == 200, counter.rows > maximumRows { return .stop(pass: passed, isTooLarge: false) }
            if endsDocument, passesChunks {
                passed.writeBuffer(&held)
                held.clear()
            }
            if held.readableBytes > maximumBytes { return .stop(pass: passed, isTooLarge: true) }
        }
        return .pass(passed)
    }

    /// What stands in the place of a chunk that does not pass.
    package func lastDocument(_ error: String, isPretty: Bool) -> ByteBuffer {
        ByteBuffer(
            bytes: counter.lastDocument(
                error: error, inPlaceOf: Array(held.readableBytesView.prefix(200)), isPretty: isPretty))
    }

    /// The rows of a whole answer.
    static func rows(of body: ByteBuffer, contentType: String) -> Int {
        var counter = RowCounter(RowCounter.Format(contentType: contentType))
        body.withUnsafeReadableBytes { counter.takeAll($0) }
        return counter.rows
    }
}
