// The rows of an answer in MessagePack, as they arrive. Only there an answer tells integers from floats (JSON writes both
// 1.0 and 1 as `1`), and strings come byte for byte.

/// Reads the answer to one SELECT, chunked or not: bytes in, series and rows out.
///
///     stream.feed(bytes)
///     while case let event = try stream.next(), event != .needsBytes { ... }
///
/// Memory is bounded by what is fed and not yet read, and by the largest single row (``Limits``). Nothing recurses: what
/// is not understood is stepped over with a counter.
package struct RowStream: Sendable {
    /// A value of a row. Texts are ranges of ``buffer``, good until the next call.
    package enum Value: Equatable, Sendable {
        case null
        case boolean(Bool)
        case integer(Int64)
        case float(Double)
        case text(Range<Int>)
        /// In nanoseconds since the epoch.
        case time(Int64)
    }

    package struct Series: Equatable, Sendable {
        package struct Tag: Equatable, Sendable {
            package var key: [UInt8]
            package var value: [UInt8]

            package init(key: [UInt8], value: [UInt8]) {
                self.key = key
                self.value = value
            }
        }

        package var name: [UInt8] = []
        package var tags: [Tag] = []
        package var columns: [[UInt8]] = []

        package init() {}
    }

    package enum Event: Equatable, Sendable {
        /// What follows are rows of it. Each chunk begins so.
        case series(Series)
        /// ``row`` has one value for each column.
        case row
        /// The node says that the statement failed. Rows before it count.
        case failure(String)
        /// Everything that was fed is read.
        case needsBytes
    }

    package struct Limits: Sendable {
        /// Of a row, a series' head or a key, as sent.
        package var unitBytes = 32 << 20
        package var columns = 1 << 16

        package init() {}
    }

    /// Why the bytes are not the rows of an InfluxDB's answer.
    package struct Problem: Error, Equatable, Sendable {
        package let reason: String
    }

    private enum State {
        case document, documentKeys, results, resultKeys, seriesList, seriesKeys, rows
    }

    /// What was fed and is not dropped yet.
    package private(set) var buffer: [UInt8] = []
    package private(set) var row: [Value] = []
    private var position = 0
    private var state = State.document
    private let limits: Limits
    // How many of each are still to come, where they are being read.
    private var documentKeys = 0
    private var results = 0
    private var resultKeys = 0
    private var seriesLeft = 0
    private var seriesKeys = 0
    private var rows = 0
    private var series = Series()

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// Whether no document is broken off.
    package var isComplete: Bool { state == .document && position == buffer.count }

    package mutating func feed(_ bytes: some Collection<UInt8>) {
        if position > 0 {
            buffer.removeSubrange(..<position)
            position = 0
        }
        buffer += bytes
    }

    package mutating func next() throws(Problem) -> Event {
        while true {
            let start = position
            do throws(Interruption) {
                if let event = try step() { return event }
            } catch {
                if case .problem(let problem) = error { throw problem }
                position = start
                guard buffer.count - position <= limits.unitBytes else {
                    throw Problem(reason: "one row is larger than \(limits.unitBytes) bytes")
                }
                return .needsBytes
            }
        }
    }

    // MARK: Steps

    private enum Interruption: Error {
        case incomplete
        case problem(Problem)
    }

    /// Reads one unit: all of it, or nothing and `incomplete`. Changes besides `position` come last.
    private mutating func step() throws(Interruption) -> Event? {
        switch state {
        case .document:
            documentKeys = try map("an answer")
            state = .documentKeys
        case .documentKeys:
            if documentKeys == 0 {
                state = .document
                return nil
            }
            switch try key() {
            case "results":
                results = try array("results")
                state = .results
            case "error":
                let words = try string("error")
                documentKeys -= 1
                return .failure(words)
            default: try skip()
            }
            documentKeys -= 1
        case .results:
            if results == 0 {
                state = .documentKeys
                return nil
            }
            resultKeys = try map("a result")
            results -= 1
            state = .resultKeys
        case .resultKeys:
            if resultKeys == 0 {
                state = .results
                return nil
            }
            switch try key() {
            case "series":
                seriesLeft = try array("series")
                state = .seriesList
            case "error":
                let words = try string("error")
                resultKeys -= 1
                return .failure(words)
            default: try skip()
            }
            resultKeys -= 1
        case .seriesList:
            if seriesLeft == 0 {
                state = .resultKeys
                return nil
            }
            seriesKeys = try map("a series")
            seriesLeft -= 1
            series = Series()
            state = .seriesKeys
        case .seriesKeys: return try seriesMember()
        case .rows:
            if rows == 0 {
                state = .seriesKeys
                return nil
            }
            try readRow()
            rows -= 1
            return .row
        }
        return nil
    }

    private mutating func seriesMember() throws(Interruption) -> Event? {
        if seriesKeys == 0 {
            state = .seriesList
            return nil
        }
        var event: Event?
        switch try key() {
        case "name": series.name = Array(buffer[try text("name")])
        case "tags":
            var tags: [Series.Tag] = []
            for _ in 0..<(try bounded(map("tags"))) {
                let key = try text("a tag")
                tags.append(Series.Tag(key: Array(buffer[key]), value: Array(buffer[try text("a tag")])))
            }
            series.tags = tags
        case "columns":
            var columns: [[UInt8]] = []
            for _ in 0..<(try bounded(array("columns"))) { columns.append(Array(buffer[try text("a column")])) }
            series.columns = columns
        case "values":
            rows = try array("values")
            guard !series.columns.isEmpty || rows == 0 else { throw problem("rows come before their columns") }
            state = .rows
            event = .series(series)
        default: try skip()
        }
        seriesKeys -= 1
        return event
    }

    private mutating func readRow() throws(Interruption) {
        guard try array("a row") == series.columns.count else { throw problem("a row has another number of columns") }
        row.removeAll(keepingCapacity: true)
        for _ in series.columns.indices { row.append(try value()) }
    }

    private mutating func value() throws(Interruption) -> Value {
        switch try head() {
        case .null: return .null
        case .boolean(let value): return .boolean(value)
        case .integer(let value): return .integer(value)
        case .float(let value): return .float(value)
        case .text(let count): return .text(try bytes(count))
        case .extended(type: 5, 12): return .time(try time(bytes(12)))
        case .unsigned: throw problem("an unsigned value is larger than an integer can be")
        case .array, .map, .extended: throw problem("a value in a row is of an unknown kind")
        }
    }

    /// Seconds and nanoseconds.
    private func time(_ range: Range<Int>) throws(Interruption) -> Int64 {
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let seconds = Int64(bitPattern: number(buffer[range].prefix(8)))
        let nanoseconds = Int64(number(buffer[range].suffix(4)))
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = scaled.addingReportingOverflow(nanoseconds)
        if overflow || overflow2 { throw problem("a time is outside the range of InfluxDB") }
        return sum
    }

    // MARK: Pieces

    private mutating func head() throws(Interruption) -> MessagePackHead {
        let head: MessagePackHead?
        do throws(MessagePackHead.Malformed) {
            head = try MessagePackHead.read(buffer, at: &position)
        } catch {
            throw problem("it is no MessagePack")
        }
        guard let head else { throw .incomplete }
        return head
    }

    private mutating func bytes(_ count: Int) throws(Interruption) -> Range<Int> {
        guard count <= limits.unitBytes else { throw problem("a value is larger than \(limits.unitBytes) bytes") }
        guard position + count <= buffer.count else { throw .incomplete }
        defer { position += count }
        return position..<position + count
    }

    private mutating func text(_ what: String) throws(Interruption) -> Range<Int> {
        guard case .text(let count) = try head() else { throw problem("\(what) is no text") }
        return try bytes(count)
    }

    private mutating func string(_ what: String) throws(Interruption) -> String {
        String(decoding: buffer[try text(what)], as: UTF8.self)
    }

    private mutating func key() throws(Interruption) -> String { try string("a key") }

    private mutating func array(_ what: String) throws(Interruption) -> Int {
        switch try head() {
        case .array(let count): return count
        case .null: return 0
        default: throw problem("\(what): no list")
        }
    }

    private mutating func map(_ what: String) throws(Interruption) -> Int {
        guard case .map(let count) = try head() else { throw problem("\(what): no map") }
        return count
    }

    private func bounded(_ count: Int) throws(Interruption) -> Int {
        guard count <= limits.columns else { throw problem("there are more than \(limits.columns) columns or tags") }
        return count
    }

    /// Steps over one value, whatever is in it.
    private mutating func skip() throws(Interruption) {
        var values = 1
        while values > 0 {
            let following = try head().following
            _ = try bytes(following.bytes)
            values += following.values - 1
        }
    }

    private func problem(_ reason: String) -> Interruption { .problem(Problem(reason: reason)) }
}
