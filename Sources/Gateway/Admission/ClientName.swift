// The name that a client's credential claims, and the network that a client comes from. Nothing is checked here.

import NIOCore
import NIOHTTP1
import Querying

enum ClientName {
    /// In the order in which InfluxDB looks at the forms (reference, 3); nil: there is none.
    static func claimed(_ head: RequestHead, _ parameters: RequestParameters) -> String? {
        if let username = parameters.username, !username.isEmpty, let password = parameters.password, !password.isEmpty
        {
            return username
        }
        guard let header = head.headers.first(name: "Authorization"), let space = header.firstIndex(of: " ") else {
            return nil
        }
        let rest = header[header.index(after: space)...]
        switch header[..<space].lowercased() {
        case "basic": return base64(rest.utf8).flatMap { beforeColon(String(decoding: $0, as: UTF8.self)[...]) }
        case "token": return beforeColon(rest)
        case "bearer":
            let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 3, let claims = base64(parts[1].utf8) else { return nil }
            return ResultJSON(claims)?["username"]?.string
        default: return nil
        }
    }

    private static func beforeColon(_ text: Substring) -> String? {
        let name = text.prefix { $0 != ":" }
        return name.isEmpty ? nil : String(name)
    }

    /// Both alphabets, with or without padding; nil: it is neither.
    static func base64(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text where character != UInt8(ascii: "=") {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}

extension RequestUser {
    /// One host can have all addresses of an IPv6 network, so they count as one.
    init(_ address: SocketAddress?) {
        switch address {
        case .v4(let address):
            self = .address(high: 0, low: UInt64(UInt32(bigEndian: address.address.sin_addr.s_addr)))
        case .v6(let address):
            let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
            func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
            // An IPv4 client at a socket for both.
            let isMapped = number(0..<8) == 0 && number(8..<12) == 0xffff
            self = .address(high: number(0..<8), low: isMapped ? number(12..<16) : 0)
            if isMapped || number(0..<8) != 0 { break }
            // ::1 and its like are not each other.
            self = .address(high: 0, low: number(8..<16) | 1 << 63)
        case .unixDomainSocket, nil:
            self = .local
        }
    }
}
