// What a client may conclude from how its request ended.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix
import TestSupport

package enum Outcome: Sendable, CustomStringConvertible {
    /// Promised.
    case acknowledged
    /// A final no: 4xx. It was not carried out, and never will be.
    case refused(String)
    /// No connection came about.
    case notSent(String)
    /// It may have been carried out or not; if it was, that happened before anything that is sent from now on.
    case unknown(String)
    /// As `unknown`, but it may also be carried out later: the client left while somebody still held its request.
    case open(String)

    package var description: String {
        switch self {
        case .acknowledged: "acknowledged"
        case .refused(let why): "refused: \(why)"
        case .notSent(let why): "not sent: \(why)"
        case .unknown(let why): "unknown: \(why)"
        case .open(let why): "open: \(why)"
        }
    }

    /// From an answer to a write or, with `isStatement`, to a statement.
    init(_ reply: Reply, isStatement: Bool = false) {
        switch reply.status {
        case 204 where !isStatement: self = .acknowledged
        case 200 where isStatement:
            // An error in the body may be one node's; the statement is sent again.
            self = reply.error.map { .unknown("200 \($0)") } ?? .acknowledged
        case 400..<500: self = .refused("\(reply)")
        default: self = .unknown("\(reply.status) \(reply.text.prefix(300))")
        }
    }

    init(_ error: any Error) {
        switch error {
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            self = .open("no answer in time")
        case let error as HTTPClientError where error == .connectTimeout:
            self = .notSent("no connection in time")
        case is NIOConnectionError: self = .notSent("no connection")
        default: self = .unknown("\(error)")
        }
    }
}
