// A request's head as endpoints see it, and the checks that a head must pass before one does.
import NIOCore
import NIOHTTP1

package struct RequestHead: Sendable {
    package var method: HTTPMethod
    /// The path as sent, not decoded: InfluxDB's routes match it byte by byte (`/p%69ng` is a 404).
    package var path: String
    /// What follows the first `?`, not decoded; empty if there is none.
    package var rawQuery: String
    package var headers: HTTPHeaders
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
        case malformed
        case missingHost
        case tooManyHosts
        case malformedHost
        case unsupportedTransferEncoding
        case unsupportedExpectation
    }

    package init(_ head: HTTPRequestHead, remoteAddress: SocketAddress?) throws(Refusal) {
        method = head.method
        headers = head.headers
        isHTTP10 = head.version == .http1_0
        keepAlive = head.isKeepAlive
        self.remoteAddress = remoteAddress
        isChunked = false
        expectsContinue = false
        (path, rawQuery) = try Self.split(target: head.uri, method: head.method)

        var hosts = 0
        var otherRequestID: String?
        var upgrade = false
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where name.isHeader("host"):
                hosts += 1
                guard value.utf8.allSatisfy(Self.isHostByte) else {
                    throw .malformedHost
                }
            case 6 where name.isHeader("expect"):
                guard value.lowercased() == "100-continue" else {
                    throw .unsupportedExpectation
                }
                expectsContinue = !isHTTP10
            case 6 where name.isHeader("origin"):
                origin = value
            case 7 where name.isHeader("upgrade"):
                upgrade = true
            case 10 where name.isHeader("request-id"):
                otherRequestID = value
            case 12 where name.isHeader("x-request-id"):
                requestID = requestID ?? value
            case 14 where name.isHeader("content-length"):
                guard let length = Self.contentLength(value), contentLength == nil || contentLength == length else {
                    throw .malformed
                }
                contentLength = length
            case 17 where name.isHeader("transfer-encoding"):
                guard value.lowercased() == "chunked", !isChunked, !isHTTP10 else {
                    throw .unsupportedTransferEncoding
                }
                isChunked = true
            default:
                break
            }
        }
        requestID = requestID.flatMap { $0.isEmpty ? nil : $0 } ?? otherRequestID.flatMap { $0.isEmpty ? nil : $0 }
        guard !isChunked || contentLength == nil else {
            throw .malformed
        }
        guard hosts <= 1 else {
            throw .tooManyHosts
        }
        guard hosts == 1 || isHTTP10 else {
            throw .missingHost
        }
        // The decoder stops after a request that could switch protocols.
        if upgrade || method == .CONNECT {
            keepAlive = false
        }
    }

    private static func contentLength(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            return nil
        }
        return Int(text)
    }

    /// Origin form, absolute form and `*`; a broken percent escape in the path is malformed, in the query it is data.
    private static func split(target: String, method: HTTPMethod) throws(Refusal) -> (path: String, query: String) {
        let bytes = target.utf8
        var rest = target[...]
        if bytes.first != UInt8(ascii: "/") {
            if target == "*" || method == .CONNECT {
                return (target, "")
            }
            guard let scheme = target.firstRange(of: "://"),
                ["http", "https"].contains(target[..<scheme.lowerBound].lowercased())
            else {
                throw .malformed
            }
            let afterScheme = target[scheme.upperBound...]
            let authorityEnd = afterScheme.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
            rest = afterScheme[(authorityEnd ?? afterScheme.endIndex)...]
        }
        let path: Substring
        let query: Substring
        if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
            path = rest[..<mark]
            query = rest[rest.utf8.index(after: mark)...]
        } else {
            path = rest
            query = ""
        }
        var toCheck = path.utf8[...]
        while let percent = toCheck.firstIndex(of: UInt8(ascii: "%")) {
            toCheck = toCheck[percent...].dropFirst()
            guard toCheck.prefix(2).count == 2, toCheck.prefix(2).allSatisfy(isHexDigit) else {
                throw .malformed
            }
        }
        return (path.isEmpty ? "/" : String(path), String(query))
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

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}

extension String {
    /// Compares a header's name without regard to case and without making a copy.
    fileprivate func isHeader(_ lowercased: StaticString) -> Bool {
        var position = lowercased.utf8Start
        guard utf8.count == lowercased.utf8CodeUnitCount else {
            return false
        }
        for byte in utf8 {
            // Names have no other characters that this could confuse: the decoder lets only tokens pass.
            guard byte | 0x20 == position.pointee else {
                return false
            }
            position += 1
        }
        return true
    }
}
