// The result of one statement in JSON, taken apart as far as a merge needs it: series by name, rows as they are written.
// Nothing inside of rows is looked at, so that no number is written anew.

/// One member of `results`.
struct PartResult: Equatable, Sendable {
    struct Series: Equatable, Sendable {
        /// The whole object.
        let text: ArraySlice<UInt8>
        /// Empty: it has none.
        let name: [UInt8]
        /// `["time","v"]`
        let columns: ArraySlice<UInt8>
        /// `{"host":"a"}`; empty: it has none.
        let tags: ArraySlice<UInt8>
        /// `[[1,2],[3,4]]`; empty: it has none.
        let values: ArraySlice<UInt8>

        /// Of the rows that there are, not all are here.
        ///
        /// A series of more than 10,000 rows says so although it is whole, because it was put together from chunks
        /// [1.6.7].
        fileprivate(set) var isCut = false

        /// Each row, `[1,2]`.
        var rows: [ArraySlice<UInt8>] { JSONPieces.elements(of: values) }
    }

    private(set) var series: [Series] = []
    private(set) var error: String?
    /// Rows are missing: the node has a limit of its own.
    private(set) var isPartial = false

    /// nil: it is no object of this shape.
    init?(_ result: [UInt8]) {
        guard let members = JSONPieces.members(of: result[...]) else { return nil }
        for (key, value) in members {
            switch key {
            case "error": error = JSONPieces.string(value)
            case "partial": isPartial = value.first == UInt8(ascii: "t")
            case "series":
                for element in JSONPieces.elements(of: value) {
                    guard let one = Self.series(element) else { return nil }
                    if one.isCut { isPartial = true }
                    series.append(one)
                }
            default: break
            }
        }
    }

    private static func series(_ text: ArraySlice<UInt8>) -> Series? {
        guard let members = JSONPieces.members(of: text) else { return nil }
        var (name, isPartial) = ([UInt8](), false)
        var (columns, tags, values) = (ArraySlice<UInt8>(), ArraySlice<UInt8>(), ArraySlice<UInt8>())
        for (key, value) in members {
            switch key {
            case "name":
                guard let text = JSONPieces.string(value) else { return nil }
                name = Array(text.utf8)
            case "columns": columns = value
            case "tags": tags = value
            case "values": values = value
            case "partial": isPartial = value.first == UInt8(ascii: "t")
            default: break
            }
        }
        var series = Series(text: text, name: name, columns: columns, tags: tags, values: values)
        series.isCut = isPartial && series.rows.count <= ResultChunks.usualSize
        return series
    }
}

/// The pieces of JSON values as ranges of their text.
enum JSONPieces {
    static func string(_ value: ArraySlice<UInt8>) -> String? { ResultJSON(Array(value))?.string }

    /// The elements of an array without white space; none for anything else.
    static func elements(of array: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        guard array.first == UInt8(ascii: "[") else { return [] }
        var elements: [ArraySlice<UInt8>] = []
        var position = array.startIndex + 1
        while position < array.endIndex, array[position] != UInt8(ascii: "]") {
            let end = valueEnd(array, position)
            guard end > position else { return elements }
            elements.append(array[position..<end])
            position = end
            if position < array.endIndex, array[position] == UInt8(ascii: ",") { position += 1 }
        }
        return elements
    }

    /// The members of an object without white space; nil for anything else.
    static func members(of object: ArraySlice<UInt8>) -> [(key: String, value: ArraySlice<UInt8>)]? {
        guard object.first == UInt8(ascii: "{") else { return nil }
        var members: [(String, ArraySlice<UInt8>)] = []
        var position = object.startIndex + 1
        while position < object.endIndex, object[position] != UInt8(ascii: "}") {
            let keyEnd = valueEnd(object, position)
            guard let key = string(object[position..<keyEnd]), keyEnd < object.endIndex,
                object[keyEnd] == UInt8(ascii: ":")
            else { return nil }
            let end = valueEnd(object, keyEnd + 1)
            guard end > keyEnd + 1 else { return nil }
            members.append((key, object[keyEnd + 1..<end]))
            position = end
            if position < object.endIndex, object[position] == UInt8(ascii: ",") { position += 1 }
        }
        return members
    }

    /// Behind the value that begins at `start`.
    private static func valueEnd(_ text: ArraySlice<UInt8>, _ start: Int) -> Int {
        text.withUnsafeBufferPointer { bytes in
            let base = text.startIndex
            var position = start - base
            var depth = 0
            while position < bytes.count {
                let byte = bytes[position]
                switch byte {
                case UInt8(ascii: "\""):
                    position += 1
                    while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                        position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
                    }
                    if depth == 0 { return min(position + 1, bytes.count) + base }
                case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    if depth == 0 { return position + base }
                    depth -= 1
                    if depth == 0 { return position + 1 + base }
                case UInt8(ascii: ","), UInt8(ascii: ":"):
                    if depth == 0 { return position + base }
                default: break
                }
                position += 1
            }
            return bytes.count + base
        }
    }
}

/// Results as text.
enum MergedResult {
    static let none = Array(#"{"statement_id":0}"#.utf8)

    /// - Parameter series: whole objects, in order.
    static func of(_ series: [ArraySlice<UInt8>]) -> [UInt8] {
        if series.isEmpty { return none }
        var result = Array(#"{"statement_id":0,"series":["#.utf8)
        result.reserveCapacity(series.reduce(result.count + 2) { $0 + $1.count + 1 })
        for (index, text) in series.enumerated() {
            if index > 0 { result.append(UInt8(ascii: ",")) }
            result += text
        }
        return result + Array("]}".utf8)
    }

    /// One series.
    /// - Parameters:
    ///   - name: empty: it has none.
    ///   - rows: each as `[...]`; none: no series at all.
    static func of(name: String, column: String, rows: some Collection<ArraySlice<UInt8>>) -> [UInt8] {
        if rows.isEmpty { return none }
        var text = name.isEmpty ? Array("{".utf8) : Array("{\"name\":".utf8) + JSONText.quoted(name) + Array(",".utf8)
        text += Array("\"columns\":[".utf8) + JSONText.quoted(column) + Array("],\"values\":[".utf8)
        for (index, row) in rows.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text += row
        }
        return of([(text + Array("]}".utf8))[...]])
    }
}
