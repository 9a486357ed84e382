// What the parameters of a /query request are, read exactly as a node would read them. The statements are classified
// from this reading, and nodes are sent this reading again (`encodedForm`), so that both are always the same.

/// The parameters of an HTTP request as Go's `Request.FormValue` finds them, found by experiment on InfluxDB 1.6.7 (Go 1.19):
/// - A urlencoded body counts for POST, PUT and PATCH only, and comes before the URL; a body of more than 10 MiB is not read.
/// - A multipart body counts for every method, also GET, and comes *behind* the URL.
/// - Of several values of one key the first wins, an empty one too.
/// - A pair with a raw `;` or a broken `%` escape is dropped, the others stay.
/// - `q` may also be an uploaded file, used if the parameter `q` is blank.
///
/// Two things that Go reads are dropped here, with the same result as if they had not been sent: multipart names in
/// RFC 2231 form (`name*=`), and multipart forms with a part in quoted-printable.
package struct RequestParameters: Sendable {
    private struct Pair: Sendable {
        var key: [UInt8]
        var value: [UInt8]
    }

    /// In the order in which Go looks for them.
    private var pairs: [Pair] = []
    private let urlPairs: [Pair]
    private var file: [UInt8]?

    /// - Parameters:
    ///   - urlQuery: behind the `?`, as it came.
    ///   - contentType: the first Content-Type header.
    ///   - body: the whole body, without transfer coding; content codings are not undone, as InfluxDB does not.
    package init(urlQuery: some Sequence<UInt8>, method: String, contentType: String?, body: [UInt8]) {
        urlPairs = Self.parse(Array(urlQuery)[...])
        let type = MediaType(contentType ?? "")
        if ["POST", "PUT", "PATCH"].contains(method), type?.name == "application/x-www-form-urlencoded",
            body.count <= Self.maximumFormSize
        {
            pairs = Self.parse(body[...])
        }
        pairs += urlPairs
        if let type, type.name == "multipart/form-data", type.isComplete, let boundary = type["boundary"] {
            for part in MultipartForm.parts(of: body, boundary: Array(boundary.utf8)) ?? [] {
                if !part.isFile {
                    pairs.append(Pair(key: part.name, value: part.content))
                } else if file == nil, part.name == Array("q".utf8) {
                    file = part.content
                }
            }
        }
    }

    package init(urlQuery: some StringProtocol, method: String, contentType: String?, body: [UInt8]) {
        self.init(urlQuery: Array(urlQuery.utf8), method: method, contentType: contentType, body: body)
    }

    /// 10 MiB, as in Go's net/http.
    package static let maximumFormSize = 10 << 20

    // MARK: Reading

    /// The value that a node uses for `key`; nil if there is none.
    package subscript(_ key: String) -> String? {
        bytes(key).map { String(decoding: $0, as: UTF8.self) }
    }

    package func bytes(_ key: String) -> [UInt8]? {
        let key = Array(key.utf8)
        return pairs.first { $0.key == key }?.value
    }

    /// The statements: `q` without the white space around it, or the uploaded file `q`. nil: `missing required parameter "q"`.
    package var statements: [UInt8]? {
        if let trimmed = bytes("q").map({ WhiteSpace.trimmed($0) }), !trimmed.isEmpty { return trimmed }
        return file
    }

    /// `u`, `p` and `pretty` count in the URL only.
    package func urlOnly(_ key: String) -> String? {
        let key = Array(key.utf8)
        return urlPairs.first { $0.key == key }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    package var username: String? { urlOnly("u") }
    package var password: String? { urlOnly("p") }
    package var isPretty: Bool { urlOnly("pretty") == "true" }

    // MARK: Writing

    /// The parameters as `application/x-www-form-urlencoded`: each key once, with the value that counts; `q` is what
    /// `statements` says. Without `u` and `p`, which count in the URL only and must not wander about, and `pretty`.
    /// Fit for a body and for a URL.
    /// - Parameter replacing: values to use instead of the client's, also for keys it did not send; nil leaves a key out.
    package func encodedForm(replacing: [String: [UInt8]?] = [:]) -> [UInt8] {
        var result: [UInt8] = []
        var seen: Set<[UInt8]> = [Array("u".utf8), Array("p".utf8), Array("pretty".utf8), Array("q".utf8)]
        func append(_ key: [UInt8], _ value: [UInt8]) {
            if !result.isEmpty { result.append(UInt8(ascii: "&")) }
            PercentEncoding.append(key, to: &result)
            result.append(UInt8(ascii: "="))
            PercentEncoding.append(value, to: &result)
        }
        if let replacement = replacing["q"] {
            if let replacement { append(Array("q".utf8), replacement) }
        } else if let statements {
            append(Array("q".utf8), statements)
        }
        for (key, value) in replacing.sorted(by: { $0.key < $1.key }) {
            guard seen.insert(Array(key.utf8)).inserted else { continue }
            if let value { append(Array(key.utf8), value) }
        }
        for pair in pairs where seen.insert(pair.key).inserted {
            append(pair.key, pair.value)
        }
        return result
    }

    // MARK: Go's url.ParseQuery

    private static func parse(_ text: ArraySlice<UInt8>) -> [Pair] {
        var pairs: [Pair] = []
        for piece in text.split(separator: UInt8(ascii: "&")) where !piece.contains(UInt8(ascii: ";")) {
            let equals = piece.firstIndex(of: UInt8(ascii: "=")) ?? piece.endIndex
            guard let key = PercentEncoding.decoded(piece[..<equals]),
                let value = PercentEncoding.decoded(piece[equals...].dropFirst())
            else { continue }
            pairs.append(Pair(key: key, value: value))
        }
        return pairs
    }
}

package enum PercentEncoding {
    /// `%XX` and `+` decoded; nil if a `%` is not followed by two hexadecimal digits.
    static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            switch text[at] {
            case UInt8(ascii: "%"):
                guard at + 2 < text.endIndex, let high = digit(text[at + 1]), let low = digit(text[at + 2]) else {
                    return nil
                }
                result.append(high << 4 | low)
                at += 3
            case UInt8(ascii: "+"):
                result.append(UInt8(ascii: " "))
                at += 1
            default:
                result.append(text[at])
                at += 1
            }
        }
        return result
    }

    /// Leaves letters, digits and `-_.~`, writes a space as `+`, all else as `%XX`.
    package static func append(_ bytes: [UInt8], to result: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: " "):
                result.append(UInt8(ascii: "+"))
            default:
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

enum WhiteSpace {
    /// Without the white space at both ends, as Go's strings.TrimSpace has it: Unicode's White_Space.
    static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        var slice = bytes[...]
        while let length = spaceLength(slice, fromEnd: false) { slice = slice.dropFirst(length) }
        while let length = spaceLength(slice, fromEnd: true) { slice = slice.dropLast(length) }
        return Array(slice)
    }

    /// The length in bytes of the white space at one end; nil if there is none.
    private static func spaceLength(_ bytes: ArraySlice<UInt8>, fromEnd: Bool) -> Int? {
        for length in 1...3 where length <= bytes.count {
            let piece = Array(fromEnd ? bytes.suffix(length) : bytes.prefix(length))
            switch (length, piece) {
            case (1, let one) where (0x09...0x0D).contains(one[0]) || one[0] == 0x20: return 1
            case (2, [0xC2, 0x85]), (2, [0xC2, 0xA0]): return 2
            case (3, [0xE1, 0x9A, 0x80]), (3, [0xE2, 0x81, 0x9F]), (3, [0xE3, 0x80, 0x80]): return 3
            case (3, let three) where three[0] == 0xE2 && three[1] == 0x80:
                if (0x80...0x8A).contains(three[2]) || [0xA8, 0xA9, 0xAF].contains(three[2]) { return 3 }
            default: break
            }
        }
        return nil
    }
}
