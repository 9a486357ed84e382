// Answers as Go's encoder writes them, byte for byte.

struct JSONText {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ text: String) { bytes += text.utf8 }

    mutating func string(_ text: String) { string(Array(text.utf8)) }

    mutating func string(_ text: [UInt8]) {
        bytes.append(Byte.quote)
        var plain = text.startIndex
        func isPlain(_ byte: UInt8) -> Bool {
            byte >= 0x20 && byte < 0x80 && byte != Byte.quote && byte != Byte.backslash && byte != UInt8(ascii: "<")
                && byte != UInt8(ascii: ">") && byte != UInt8(ascii: "&")
        }
        while plain < text.endIndex, isPlain(text[plain]) { plain += 1 }
        bytes += text[..<plain]
        if plain < text.endIndex { escaped(text[plain...]) }
        bytes.append(Byte.quote)
    }

    private mutating func escaped(_ text: ArraySlice<UInt8>) {
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\"": raw("\\\"")
            case "\\": raw("\\\\")
            case "\n": raw("\\n")
            case "\r": raw("\\r")
            case "\t": raw("\\t")
            case "<", ">", "&", "\u{0}"..."\u{1f}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                raw("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            // What was no UTF-8.
            case "\u{fffd}": raw("\\ufffd")
            default: raw(String(scalar))
            }
        }
    }

    mutating func list<Element>(_ elements: some Sequence<Element>, _ write: (inout JSONText, Element) -> Void) {
        raw("[")
        separated(elements, write)
        raw("]")
    }

    mutating func separated<Element>(_ elements: some Sequence<Element>, _ write: (inout JSONText, Element) -> Void) {
        var isFirst = true
        for element in elements {
            if !isFirst { raw(",") }
            isFirst = false
            write(&self, element)
        }
    }

    mutating func object<Value>(
        _ members: some Sequence<(String, Value)>, _ write: (inout JSONText, Value) -> Void
    ) {
        raw("{")
        separated(members) { json, member in
            json.string(member.0)
            json.raw(":")
            write(&json, member.1)
        }
        raw("}")
    }
}

/// One value in a row of an answer.
enum Cell: Hashable, Sendable {
    case null
    case text(Text)
    case integer(Int64)
    case float(Double)
    case boolean(Bool)
    /// Nanoseconds, printed as the request wants times.
    case time(Int64)
    case list([Text])

    init(_ value: FieldValue?) {
        switch value {
        case nil: self = .null
        case .float(let value): self = .float(value)
        case .integer(let value): self = .integer(value)
        case .string(let value): self = .text(value)
        case .boolean(let value): self = .boolean(value)
        }
    }
}

struct ResultSeries: Sendable {
    var name: Text = ""
    var tags: [(Text, Text)] = []
    var columns: [Text]
    var values: [[Cell]] = []
    var isPartial = false

    func isSameSeries(as other: ResultSeries) -> Bool {
        name == other.name && tags.elementsEqual(other.tags, by: ==)
    }
}

/// What a statement gives.
struct StatementResult: Sendable {
    enum Shape: Sendable {
        /// Cut into documents when the client wants chunks, each but the last one marked as partial.
        case rows
        /// A document for each series.
        case seriesBySeries
        case whole
    }

    var number = 0
    var series: [ResultSeries] = []
    var warning: String?
    var error: String?
    var shape = Shape.whole
    var isPartial = false
}

/// How a request wants its times.
enum TimeFormat: Sendable {
    case text
    /// Integers of so many nanoseconds.
    case units(Int64)

    init(epoch: String) {
        self =
            switch epoch {
            case "": .text
            case "u": .units(1000)
            case "ms": .units(1_000_000)
            case "s": .units(1_000_000_000)
            case "m": .units(60_000_000_000)
            case "h": .units(3_600_000_000_000)
            default: .units(1)
            }
    }
}

extension JSONText {
    mutating func document(_ results: [StatementResult], _ format: TimeFormat) {
        raw("{\"results\":")
        list(results) { $0.result($1, format) }
        raw("}\n")
    }

    private mutating func result(_ result: StatementResult, _ format: TimeFormat) {
        raw("{\"statement_id\":\(result.number)")
        if !result.series.isEmpty {
            raw(",\"series\":")
            list(result.series) { $0.series($1, format) }
        }
        if let warning = result.warning {
            raw(",\"messages\":[{\"level\":\"warning\",\"text\":")
            string(warning)
            raw("}]")
        }
        if result.isPartial { raw(",\"partial\":true") }
        if let error = result.error {
            raw(",\"error\":")
            string(error)
        }
        raw("}")
    }

    private mutating func series(_ series: ResultSeries, _ format: TimeFormat) {
        raw("{")
        if !series.name.isEmpty {
            raw("\"name\":")
            string(series.name.bytes)
            raw(",")
        }
        if !series.tags.isEmpty {
            raw("\"tags\":{")
            separated(series.tags) { json, tag in
                json.string(tag.0.bytes)
                json.raw(":")
                json.string(tag.1.bytes)
            }
            raw("},")
        }
        raw("\"columns\":")
        list(series.columns) { $0.string($1.bytes) }
        if !series.values.isEmpty {
            raw(",\"values\":")
            list(series.values) { json, row in json.list(row) { $0.cell($1, format) } }
        }
        if series.isPartial { raw(",\"partial\":true") }
        raw("}")
    }

    private mutating func cell(_ cell: Cell, _ format: TimeFormat) {
        switch (cell, format) {
        case (.null, _): raw("null")
        case (.text(let text), _): string(text.bytes)
        case (.integer(let value), _): raw("\(value)")
        case (.float(let value), _): raw(GoText.json(value))
        case (.boolean(let value), _): raw(value ? "true" : "false")
        case (.time(let time), .units(let unit)): raw("\(time / unit)")
        case (.time(let time), .text): raw("\"" + GoText.time(time, places: true) + "\"")
        case (.list(let texts), _): list(texts) { $0.string($1.bytes) }
        }
    }
}
