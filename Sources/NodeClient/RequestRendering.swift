// Writes a request's head as bytes, in one buffer.
import NIOCore
import NIOHTTP1

extension NodeRequest {
    /// The sum of the body's pieces, in bytes.
    var bodyBytes: Int {
        body.reduce(0) { $0 + $1.readableBytes }
    }

    /// A request has `Content-Length` if it has a body or a method that usually has one (RFC 9110 §8.6).
    private var needsContentLength: Bool {
        switch method {
        case .GET, .HEAD, .OPTIONS: !body.isEmpty
        default: true
        }
    }

    /// - Parameter authorization: for a request that has none of its own.
    func writeHead(to address: NodeAddress, authorization: Secret? = nil, into buffer: inout ByteBuffer) {
        buffer.writeString(method.rawValue)
        buffer.writeInteger(UInt8(ascii: " "))
        if !address.basePath.isEmpty {
            buffer.writeString(address.basePath)
        }
        buffer.writeString(target)
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        buffer.writeString(address.authority)
        buffer.writeStaticString("\r\n")
        var hasUserAgent = false
        var hasAuthorization = false
        for (name, value) in headers {
            hasUserAgent = hasUserAgent || (name.utf8.count == 10 && name.lowercased() == "user-agent")
            hasAuthorization = hasAuthorization || (name.utf8.count == 13 && name.lowercased() == "authorization")
            buffer.writeString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
        }
        if !hasUserAgent {
            buffer.writeStaticString("User-Agent: sluice\r\n")
        }
        if let authorization, !hasAuthorization {
            buffer.writeStaticString("Authorization: ")
            buffer.writeString(authorization.reveal())
            buffer.writeStaticString("\r\n")
        }
        if needsContentLength {
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(bodyBytes))
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    /// Header injection is a programmer's error that must not reach a node.
    var isWellFormed: Bool {
        func isClean(_ text: String) -> Bool {
            text.utf8.allSatisfy { $0 != 13 && $0 != 10 && $0 != 0 }
        }
        return target.utf8.first == UInt8(ascii: "/")
            && target.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            && headers.allSatisfy { isClean($0.0) && isClean($0.1) }
    }
}
