// As much of an HTTP/1.1 head as a benchmark needs: where it ends, how long the body is, the status.

/// The end of a head's empty line within `bytes`, as an index; nil while it has not come.
func endOfHead(_ bytes: ArraySlice<UInt8>) -> Int? {
    let newline = UInt8(ascii: "\n")
    var index = bytes.startIndex + 3
    while index < bytes.endIndex {
        // Most bytes are no line end: look at every byte only where one is.
        if bytes[index] == newline, bytes[index - 1] == UInt8(ascii: "\r"), bytes[index - 2] == newline {
            return index + 1
        }
        index += 1
    }
    return nil
}

struct HTTPHead {
    /// Index of the first byte of the body.
    let end: Int
    let firstLine: Substring
    let contentLength: Int?
    let isChunked: Bool
    let closes: Bool

    init?(_ bytes: ArraySlice<UInt8>) {
        guard let end = endOfHead(bytes) else { return nil }
        self.end = end
        let text = String(decoding: bytes[..<end], as: UTF8.self)
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
        firstLine = lines.first ?? ""
        var length: Int?
        var chunked = false
        var closes = false
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            switch line[..<colon].lowercased() {
            case "content-length": length = Int(value)
            case "transfer-encoding": chunked = value.lowercased() == "chunked"
            case "connection": closes = value.lowercased() == "close"
            default: break
            }
        }
        contentLength = length
        isChunked = chunked
        self.closes = closes
    }

    /// Of a response: 204 in `HTTP/1.1 204 No Content`.
    var status: Int {
        firstLine.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }

    /// Of a request: method, and path with query.
    var method: Substring { firstLine.split(separator: " ").first ?? "" }
    var target: Substring { firstLine.split(separator: " ").dropFirst().first ?? "" }
}
