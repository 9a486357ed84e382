// InfluxDB's JSON answers as text that can be taken apart and put together again: `{"results":[...]}` with one object
// per statement, whose first member is its number (reference, 4).

/// The results of one answer, each as its own JSON text.
package struct ResultDocument: Equatable, Sendable {
    package let results: [[UInt8]]

    /// nil when the bytes are not `{"results":[...]}`.
    package init?(_ bytes: [UInt8]) {
        let prefix = Array("{\"results\":[".utf8)
        guard bytes.starts(with: prefix) else { return nil }
        var results: [[UInt8]] = []
        var position = prefix.count
        var start = position
        var depth = 0
        var inString = false
        while position < bytes.count {
            let byte = bytes[position]
            if inString {
                if byte == UInt8(ascii: "\\") { position += 1 } else if byte == UInt8(ascii: "\"") { inString = false }
            } else {
                switch byte {
                case UInt8(ascii: "\""): inString = true
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    if depth == 0 { start = position }
                    depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    if depth == 0 {
                        guard byte == UInt8(ascii: "]") else { return nil }
                        self.results = results
                        return
                    }
                    depth -= 1
                    if depth == 0 { results.append(Array(bytes[start...position])) }
                default: break
                }
            }
            position += 1
        }
        return nil
    }

    private static let number = Array("{\"statement_id\":".utf8)

    /// A result with another statement number; one whose number can be no statement's stays as it is.
    package static func renumbered(_ result: [UInt8], by shift: Int) -> [UInt8] {
        guard shift != 0, result.starts(with: number) else { return result }
        let digits = result[number.count...].prefix { $0 >= 0x30 && $0 <= 0x39 }
        guard let id = Int(String(decoding: digits, as: UTF8.self)) else { return result }
        let (moved, isTooLarge) = id.addingReportingOverflow(shift)
        return isTooLarge ? result : number + Array("\(moved)".utf8) + result[digits.endIndex...]
    }

    /// `{"statement_id":N,"error":"..."}`.
    package static func error(_ message: String, statement: Int) -> [UInt8] {
        number + Array("\(statement),\"error\":".utf8) + JSONText.quoted(message) + Array("}".utf8)
    }

    /// The result of a statement that changed something although the request was a GET, as InfluxDB shows it; errors
    /// carry no warning.
    package static func withReadOnlyWarning(_ result: [UInt8], statement: String) -> [UInt8] {
        guard result.starts(with: number), result.last == UInt8(ascii: "}"),
            let json = ResultJSON(result), json["error"] == nil, json["messages"] == nil
        else { return result }
        let text =
            "deprecated use of '\(statement)' in a read only context, please use a POST request instead"
        let messages = ",\"messages\":[{\"level\":\"warning\",\"text\":"
        return result.dropLast() + Array(messages.utf8) + JSONText.quoted(text) + Array("}]}".utf8)
    }

    /// A whole answer from results.
    package static func joined(_ results: [[UInt8]]) -> [UInt8] {
        Array("{\"results\":[".utf8) + Array(results.joined(separator: [UInt8(ascii: ",")])) + Array("]}\n".utf8)
    }
}

extension ResultDocument {
    /// Results in the other formats that InfluxDB speaks; nil: the client takes JSON, or there are rows of reads.
    /// CSV shows neither successes nor errors of statements; MessagePack leaves the number out beside an error [1.6.7].
    /// - Parameter accept: the request's `Accept`, which 1.6 and 1.7 compare as a whole.
    package static func withoutReads(
        _ results: [[UInt8]], accept: String
    ) -> (contentType: String, body: [UInt8])? {
        let parsed = results.compactMap { ResultJSON($0) }.compactMap { PlainResult($0) }
        guard parsed.count == results.count else { return nil }
        switch accept {
        case "text/csv", "application/csv":
            let tables = parsed.compactMap(\.written).map { "name,tags,time,written\nresult,,0,\($0)\n" }
            return ("text/csv", Array(tables.joined(separator: "\n").utf8))
        case "application/x-msgpack":
            var writer = MessagePackWriter()
            writer.map(1)
            writer.text("results")
            writer.array(parsed.count)
            for (number, result) in parsed.enumerated() { result.write(number, to: &writer) }
            return ("application/x-msgpack", writer.bytes)
        default: return nil
        }
    }
}

/// A statement's result that does not hold rows which were read.
private struct PlainResult {
    var error: String?
    /// Of a SELECT INTO.
    var written: Int?
    private var isEpoch = false
    private var warnings: [String] = []

    /// nil: it holds such rows.
    init?(_ json: ResultJSON) {
        error = json["error"]?.string
        let messages = json["messages"]?.elements ?? []
        warnings = messages.compactMap { $0["text"]?.string }
        guard let series = json["series"] else {
            return
        }
        guard series.elements.count == 1, let row = series.elements.first, row["name"]?.string == "result",
            row["columns"]?.elements.map(\.string) == ["time", "written"], let values = row["values"]?.elements,
            values.count == 1, let text = values[0].elements.last?.literal, let count = Int(text), count >= 0
        else { return nil }
        written = count
        isEpoch = values[0].elements.first?.literal == "0"
        guard isEpoch || values[0].elements.first?.string == "1970-01-01T00:00:00Z" else { return nil }
    }

    func write(_ number: Int, to writer: inout MessagePackWriter) {
        if let error {
            writer.map(1)
            writer.text("error")
            writer.text(error)
            return
        }
        writer.map(warnings.isEmpty ? 2 : 3)
        writer.text("statement_id")
        writer.number(number)
        if !warnings.isEmpty {
            writer.text("messages")
            writer.array(warnings.count)
            for warning in warnings {
                writer.map(2)
                writer.text("level")
                writer.text("warning")
                writer.text("text")
                writer.text(warning)
            }
        }
        writer.text("series")
        guard let written else { return writer.array(0) }
        writer.array(1)
        writer.map(3)
        writer.text("name")
        writer.text("result")
        writer.text("columns")
        writer.array(2)
        writer.text("time")
        writer.text("written")
        writer.text("values")
        writer.array(1)
        writer.array(2)
        // The epoch as a time: extension 5, seconds and nanoseconds.
        if isEpoch { writer.number(0) } else { writer.bytes += [0xC7, 12, 5] + [UInt8](repeating: 0, count: 12) }
        writer.number(written)
    }
}

/// JSON as Go's encoder writes it.
package enum JSONText {
    /// A string with its quotes; `<`, `>` and `&` are escaped as Go does.
    package static func quoted(_ text: String) -> [UInt8] {
        var result: [UInt8] = [UInt8(ascii: "\"")]
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += Array("\\\"".utf8)
            case "\\": result += Array("\\\\".utf8)
            case "\n": result += Array("\\n".utf8)
            case "\r": result += Array("\\r".utf8)
            case "\t": result += Array("\\t".utf8)
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                result += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
            default: result += Array(String(scalar).utf8)
            }
        }
        return result + [UInt8(ascii: "\"")]
    }

    /// With line breaks and four spaces a level, as `pretty=true` gives it.
    package static func indented(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var depth = 0
        var inString = false
        var position = 0
        func breakLine() { result += [UInt8(ascii: "\n")] + Array(repeating: UInt8(ascii: " "), count: depth * 4) }
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if inString {
                result.append(byte)
                if byte == UInt8(ascii: "\\"), position < bytes.count {
                    result.append(bytes[position])
                    position += 1
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                inString = true
                result.append(byte)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                result.append(byte)
                if position < bytes.count, bytes[position] == byte + 2 {
                    result.append(bytes[position])
                    position += 1
                } else {
                    depth += 1
                    breakLine()
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // Of bytes that are no JSON there may be more ends than beginnings.
                depth = max(0, depth - 1)
                breakLine()
                result.append(byte)
            case UInt8(ascii: ","):
                result.append(byte)
                breakLine()
            case UInt8(ascii: ":"):
                result += [byte, UInt8(ascii: " ")]
            default:
                result.append(byte)
            }
        }
        return result
    }
}
