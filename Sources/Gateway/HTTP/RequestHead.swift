// A request's head as endpoints see it, and the checks that a head must pass before one does.
import HTTPCodec
import NIOCore
import NIOHTTP1

package struct RequestHead: Sendable {
    package var method: HTTPMethod
    /// The path as sent, not decoded: InfluxDB's routes match it byte by byte (`/p%69ng` is a 404).
    package var path: String
    /// What follows the first `?`, not decoded; empty if there is none.
    package var rawQuery: String
    package var headers: HeaderFields
    package var isHTTP10: Bool
    /// What the client wants; the server may decide to close all the same.
    package var keepAlive: Bool
    package var contentLength: Int?
    package var isChunked: Bool
    package var expectsContinue: Bool
    package var remoteAddress: SocketAddress?

    /// Taken from the head because every answer needs them.
    package var origin: String?
    /// `X-Request-Id`, else `Request-Id`; nil: the server makes one.
    package var requestID: String?

    package var hasBody: Bool {
        isChunked || (contentLength ?? 0) > 0
    }

    /// Why a head that the decoder let pass is refused, as Go's net/http does.
    package enum Refusal: Error {
        case missingHost
        case tooManyHosts
        case malformedHost
        case unsupportedExpectation
    }

    package init(_ message: RequestMessage, remoteAddress: SocketAddress?) throws(Refusal) {
        method = message.method
        path = message.target.path
        rawQuery = message.target.query
        headers = message.fields
        isHTTP10 = message.isHTTP10
        // A proxy would speak another protocol from here on.
        keepAlive = message.keepAlive && message.method != .CONNECT
        contentLength = message.contentLength
        isChunked = message.isChunked
        expectsContinue = false
        self.remoteAddress = remoteAddress

        var hosts = 0
        var otherRequestID: String?
        try message.fields.forEach { name, value throws(Refusal) in
            switch name.count {
            case 4 where HeaderFields.isSame(name, "host"):
                hosts += 1
                guard value.allSatisfy(Self.isHostByte) else {
                    throw .malformedHost
                }
            case 6 where HeaderFields.isSame(name, "expect"):
                guard HeaderFields.isSame(value, "100-continue") else {
                    throw .unsupportedExpectation
                }
                expectsContinue = !isHTTP10
            case 6 where HeaderFields.isSame(name, "origin"):
                origin = String(decoding: value, as: UTF8.self)
            case 10 where HeaderFields.isSame(name, "request-id"):
                otherRequestID = String(decoding: value, as: UTF8.self)
            case 12 where HeaderFields.isSame(name, "x-request-id"):
                requestID = requestID ?? String(decoding: value, as: UTF8.self)
            default:
                break
            }
        }
        requestID = requestID.flatMap { $0.isEmpty ? nil : $0 } ?? otherRequestID.flatMap { $0.isEmpty ? nil : $0 }
        guard hosts <= 1 else {
            throw .tooManyHosts
        }
        guard hosts == 1 || isHTTP10 else {
            throw .missingHost
        }
    }

    /// Those that Go's net/http lets pass.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"): true
        case UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"),
            UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","),
            UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "@"), UInt8(ascii: "["), UInt8(ascii: "]"),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
