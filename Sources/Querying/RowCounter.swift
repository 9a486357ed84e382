// Counts the rows of a node's answer while its bytes pass, in each of the formats that InfluxDB speaks, however they are
// cut into pieces. What a row is follows from how deep it stands:
//
//   {"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[[1,2],[3,4]]}]}]}
//   1          23                         45                                              67     7
//
// Only a row opens an array inside six others: columns are no arrays of arrays, and arrays inside of a row are deeper.

/// The state after some bytes of an answer. Memory does not grow with it.
package struct RowCounter: Sendable {
    package enum Format: Equatable, Sendable {
        case json
        case csv
        case messagePack

        /// - Parameter contentType: as the node says.
        package init(contentType: String) {
            if contentType.hasPrefix("application/x-msgpack") {
                self = .messagePack
            } else {
                self = contentType.contains("csv") ? .csv : .json
            }
        }
    }

    package let format: Format
    package private(set) var rows = 0
    /// Containers that are open, around the next byte.
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var line = CSVLine()
    private var messagePack = MessagePackState()

    package init(_ format: Format) { self.format = format }

    private static let rowDepth = 6

    /// Takes bytes up to the end of a document: a chunk of a chunked answer, or the whole of another one. CSV has no documents.
    /// - Returns: how many were taken, and whether a document ends with the last of them.
    package mutating func take(_ bytes: UnsafeRawBufferPointer) -> (count: Int, endsDocument: Bool) {
        switch format {
        case .json: takeJSON(bytes)
        case .csv: takeCSV(bytes)
        case .messagePack: takeMessagePack(bytes)
        }
    }

    /// Takes all of them.
    package mutating func takeAll(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty { rest = rest.dropFirst(take(UnsafeRawBufferPointer(rebasing: rest)).count) }
    }

    // MARK: JSON

    /// A document ends with the line that its last brace stands in.
    private mutating func takeJSON(_ bytes: UnsafeRawBufferPointer) -> (count: Int, endsDocument: Bool) {
        for (position, byte) in bytes.enumerated() {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "["):
                if depth == Self.rowDepth { rows += 1 }
                depth += 1
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case UInt8(ascii: "\n") where depth <= 0: return (position + 1, true)
            default: break
            }
        }
        return (bytes.count, false)
    }

    // MARK: CSV

    /// Of a line of CSV as InfluxDB writes it: a line end within quotes is data.
    private struct CSVLine {
        var length = 0
        var isQuoted = false
        /// As far as it is read, it is one that names columns.
        var isHeader = true
        static let header = Array("name,tags,".utf8)
    }

    private mutating func takeCSV(_ bytes: UnsafeRawBufferPointer) -> (count: Int, endsDocument: Bool) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n"), !line.isQuoted {
                endLine()
                continue
            }
            if byte == UInt8(ascii: "\"") { line.isQuoted.toggle() }
            if line.length < CSVLine.header.count, CSVLine.header[line.length] != byte { line.isHeader = false }
            line.length += 1
        }
        return (bytes.count, false)
    }

    private mutating func endLine() {
        let isHeader = line.isHeader && line.length >= CSVLine.header.count
        if line.length > 0, !isHeader { rows += 1 }
        line = CSVLine()
    }

    // MARK: MessagePack

    private struct MessagePackState {
        /// Bytes of a value that mean nothing here.
        var skip = 0
        /// What came of a head that is not whole.
        var head: [UInt8] = []
        /// How many values each open container still holds.
        var open: [Int] = []
    }

    private mutating func takeMessagePack(_ bytes: UnsafeRawBufferPointer) -> (count: Int, endsDocument: Bool) {
        var position = 0
        while position < bytes.count {
            if messagePack.skip > 0 {
                let skipped = min(messagePack.skip, bytes.count - position)
                messagePack.skip -= skipped
                position += skipped
                if messagePack.skip == 0, endValue() { return (position, true) }
                continue
            }
            messagePack.head.append(bytes[position])
            position += 1
            if headGrew() { return (position, true) }
        }
        return (bytes.count, false)
    }

    /// True: a document ends with it.
    private mutating func headGrew() -> Bool {
        var end = 0
        let head: MessagePackHead?
        do throws(MessagePackHead.Malformed) {
            head = try MessagePackHead.read(messagePack.head, at: &end)
        } catch {
            head = .null
        }
        guard let head else { return false }
        messagePack.head.removeAll(keepingCapacity: true)
        if case .array = head, messagePack.open.count == Self.rowDepth { rows += 1 }
        let following = head.following
        messagePack.skip = following.bytes
        if following.values > 0 { messagePack.open.append(following.values) }
        return following.bytes == 0 && following.values == 0 && endValue()
    }

    private mutating func endValue() -> Bool {
        while let left = messagePack.open.popLast() {
            if left > 1 {
                messagePack.open.append(left - 1)
                return false
            }
        }
        return true
    }
}

// MARK: What a chunked answer ends with

extension RowCounter {
    /// A document with an error, as a node would send it when a statement fails behind some of its chunks.
    /// - Parameter cut: the beginning of the chunk that it stands in the place of.
    package func lastDocument(error: String, inPlaceOf cut: [UInt8], isPretty: Bool) -> [UInt8] {
        if format == .messagePack {
            var writer = MessagePackWriter()
            writer.map(1)
            writer.text("results")
            writer.array(1)
            writer.map(1)
            writer.text("error")
            writer.text(error)
            return writer.bytes
        }
        let document = ResultDocument.joined([ResultDocument.error(error, statement: Self.statement(of: cut))])
        return isPretty ? JSONText.indented(document) : document
    }

    /// The number in `{"results":[{"statement_id":N`, with and without line breaks.
    private static func statement(of document: [UInt8]) -> Int {
        let key = Array("\"statement_id\":".utf8)
        guard let found = document.prefix(200).firstRange(of: key) else { return 0 }
        let digits = document[found.upperBound...].drop { $0 == 0x20 }.prefix { $0 >= 0x30 && $0 <= 0x39 }
        return Int(String(decoding: digits, as: UTF8.self)) ?? 0
    }
}
