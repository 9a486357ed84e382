// In which format an error is said: InfluxDB uses that of its answers, as `Accept` and `pretty` ask for it (1.6.7, which
// compares `Accept` as a whole; later versions take the first of a list that they know).

import NIOCore
import Querying

extension Response {
    /// The answer as the client wants to read it.
    func formatted(for head: RequestHead) -> Response {
        guard isRouted, contentType == "application/json", errorWords != nil || body.readableBytes == 0 else {
            return self
        }
        var response = self
        switch head.headers.first(name: "Accept") {
        case "text/csv", "application/csv":
            response.contentType = "text/csv"
            if let errorWords { response.body = ByteBuffer(bytes: Self.csv(errorWords)) }
        case "application/x-msgpack":
            response.contentType = "application/x-msgpack"
            if let errorWords { response.body = ByteBuffer(bytes: Self.messagePack(errorWords)) }
        default:
            guard errorWords != nil, head.rawQuery.utf8.count >= 11 else { return self }
            let parameters = RequestParameters(urlQuery: head.rawQuery, method: "GET", contentType: nil, body: [])
            guard parameters.isPretty else { return self }
            let text = body.readableBytesView.dropLast()
            response.body = ByteBuffer(bytes: JSONText.indented(Array(text)) + [UInt8(ascii: "\n")])
        }
        return response
    }

    /// A header and a record, quoted where Go's encoding/csv does it.
    private static func csv(_ words: [UInt8]) -> [UInt8] {
        let quote = UInt8(ascii: "\"")
        let special = Array("\",\r\n".utf8)
        let isBlank = words.first == UInt8(ascii: " ") || words.first == UInt8(ascii: "\t")
        let needsQuotes = words.contains { special.contains($0) } || isBlank
        var result = Array("error\n".utf8)
        if needsQuotes { result.append(quote) }
        for byte in words {
            if byte == quote { result.append(quote) }
            result.append(byte)
        }
        if needsQuotes { result.append(quote) }
        return result + [UInt8(ascii: "\n")]
    }

    /// `{"error": words}`
    private static func messagePack(_ words: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [0x81, 0xA5] + Array("error".utf8)
        switch words.count {
        case ..<32: result.append(0xA0 | UInt8(words.count))
        case ..<256: result += [0xD9, UInt8(words.count)]
        case ..<65536: result += [0xDA, UInt8(words.count >> 8), UInt8(words.count & 0xFF)]
        default: result += [0xDB] + (0..<4).reversed().map { UInt8(truncatingIfNeeded: words.count >> ($0 * 8)) }
        }
        return result + words
    }
}
