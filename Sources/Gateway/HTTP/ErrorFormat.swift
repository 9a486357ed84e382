// The formats in which InfluxDB tells what went wrong: that of the answer which the client wants.
import NIOCore
import Querying

/// The format of an error's body, chosen by `Accept` as 1.6 and 1.7 do: by the whole of its text; JSON by default [1.6.7].
package enum ErrorFormat: Equatable {
    case json
    /// With `pretty=true` in the URL, also of a write.
    case prettyJSON
    case csv
    case messagePack

    /// nil: JSON, one way or the other.
    package init?(accept: String?) {
        switch accept {
        case "text/csv", "application/csv": self = .csv
        case "application/x-msgpack": self = .messagePack
        default: return nil
        }
    }

    package init(accept: String?, rawQuery: String) {
        if let format = ErrorFormat(accept: accept) {
            self = format
        } else {
            let parameters = RequestParameters(urlQuery: rawQuery, method: "GET", contentType: nil, body: [])
            self = parameters.isPretty ? .prettyJSON : .json
        }
    }

    package var contentType: String {
        switch self {
        case .json, .prettyJSON: "application/json"
        case .csv: "text/csv"
        case .messagePack: "application/x-msgpack"
        }
    }

    /// - Parameter message: quotes a client's bytes, so it need not be UTF-8.
    package func body(_ message: some Collection<UInt8>) -> ByteBuffer {
        var body = ByteBuffer()
        body.reserveCapacity(message.count + 16)
        switch self {
        case .json:
            body.writeStaticString("{\"error\":")
            body.writeJSONString(message)
            body.writeStaticString("}\n")
        case .prettyJSON:
            body.writeStaticString("{\n    \"error\": ")
            body.writeJSONString(message)
            body.writeStaticString("\n}\n")
        case .csv:
            body.writeStaticString("error\n")
            body.writeCSVField(message)
            body.writeStaticString("\n")
        case .messagePack:
            var writer = MessagePackWriter()
            writer.map(1)
            writer.text("error")
            writer.text(bytes: message)
            body.writeBytes(writer.bytes)
        }
        return body
    }
}

extension ByteBuffer {
    /// A field as Go's encoding/csv writes it: quoted when it holds a quote, a comma or a line end, or begins with a blank.
    fileprivate mutating func writeCSVField(_ text: some Collection<UInt8>) {
        let isSpecial = text.contains { byte in
            byte == UInt8(ascii: "\"") || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\n")
                || byte == UInt8(ascii: "\r")
        }
        let beginsBlank = text.first.map { $0 == 0x20 || (0x09...0x0D).contains($0) } ?? false
        guard isSpecial || beginsBlank else {
            writeBytes(text)
            return
        }
        writeInteger(UInt8(ascii: "\""))
        for byte in text {
            if byte == UInt8(ascii: "\"") { writeInteger(byte) }
            writeInteger(byte)
        }
        writeInteger(UInt8(ascii: "\""))
    }
}
