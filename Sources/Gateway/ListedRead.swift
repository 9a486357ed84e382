// An answer that lists databases is kept until it is whole: the gateway's own is taken out of it, and those that the
// client is not shown.

import NIOCore
import Querying

/// An answer with a list of databases in it, until it is whole.
final class ListedRead {
    private let listings: [Int: HiddenRows.Listing]
    private let isPretty: Bool
    private let isShown: (String) -> Bool
    private var status = 0
    private var headers: [(String, String)] = []
    private var body: [UInt8] = []

    init(listings: [Int: HiddenRows.Listing], isPretty: Bool, isShown: @escaping (String) -> Bool) {
        self.listings = listings
        self.isPretty = isPretty
        self.isShown = isShown
    }

    func begin(_ status: Int, _ headers: [(String, String)]) {
        self.status = status
        self.headers = headers
    }

    /// False: it is more than the limit.
    func take(_ bytes: ByteBuffer, limit: Int) -> Bool {
        guard body.count + bytes.readableBytes <= limit else { return false }
        body += bytes.readableBytesView
        return true
    }

    var response: Response {
        let contentType = headers.first { $0.0.lowercased() == "content-type" }?.1
        if status == 200 {
            body = HiddenRows.removed(
                from: body, contentType: contentType ?? "", listings: listings, isPretty: isPretty, isShown: isShown)
        }
        return Response(
            status: status, contentType: contentType, headers: headers.filter { $0.0.lowercased() != "content-type" },
            body: ByteBuffer(bytes: body)
        )
    }
}
