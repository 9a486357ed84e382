// A request's target: its path and its query, as they were sent.

package struct RequestTarget: Equatable, Sendable {
    /// Not decoded; `*` for the server as a whole.
    package var path: String
    /// What follows the first `?`, not decoded; empty if there is none.
    package var query: String

    /// Origin form, absolute form and `*`. A broken percent escape in the path is malformed, in the query it is data.
    ///
    /// - Parameter isAuthority: of CONNECT, whose target is an address.
    package init(_ bytes: UnsafeRawBufferPointer, isAuthority: Bool = false) throws(HTTPSyntaxError) {
        if bytes.first != UInt8(ascii: "/") {
            if isAuthority || bytes.count == 1 && bytes[0] == UInt8(ascii: "*") {
                path = String(decoding: bytes, as: UTF8.self)
                query = ""
                return
            }
            let scheme = bytes.prefix { $0 != UInt8(ascii: ":") }
            let isHTTP =
                HTTPSyntax.isSame(UnsafeRawBufferPointer(rebasing: scheme), "http")
                || HTTPSyntax.isSame(UnsafeRawBufferPointer(rebasing: scheme), "https")
            guard isHTTP, bytes[scheme.endIndex...].starts(with: "://".utf8) else { throw .malformed }
            let authority = bytes[scheme.endIndex...].dropFirst(3)
            let rest = authority.drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            (path, query) = try Self.split(UnsafeRawBufferPointer(rebasing: rest))
        } else {
            (path, query) = try Self.split(bytes)
        }
    }

    private static func split(_ bytes: UnsafeRawBufferPointer) throws(HTTPSyntaxError) -> (String, String) {
        var end = 0
        while end < bytes.count, bytes[end] != UInt8(ascii: "?") {
            if bytes[end] == UInt8(ascii: "%") {
                guard end + 2 < bytes.count, HTTPSyntax.hexValue(bytes[end + 1]) != nil,
                    HTTPSyntax.hexValue(bytes[end + 2]) != nil
                else { throw .malformed }
            }
            end += 1
        }
        let path = end == 0 ? "/" : String(decoding: bytes[..<end], as: UTF8.self)
        let query = end < bytes.count ? String(decoding: bytes[(end + 1)...], as: UTF8.self) : ""
        return (path, query)
    }
}
