// Rows in MessagePack, however their bytes come, and the lines that INTO makes of them.
import Querying
import Testing

/// Writes MessagePack as InfluxDB does.
private struct Pack {
    var bytes: [UInt8] = []

    static func map(_ pairs: [(String, Pack)]) -> Pack {
        Pack(bytes: [0x80 | UInt8(pairs.count)] + pairs.flatMap { text($0.0).bytes + $0.1.bytes })
    }
    static func array(_ values: [Pack]) -> Pack {
        Pack(bytes: [0xDC, UInt8(values.count >> 8), UInt8(values.count & 255)] + values.flatMap(\.bytes))
    }
    static func text(_ text: String) -> Pack {
        let utf8 = Array(text.utf8)
        return Pack(bytes: (utf8.count < 32 ? [0xA0 | UInt8(utf8.count)] : [0xD9, UInt8(utf8.count)]) + utf8)
    }
    static func float(_ value: Double) -> Pack { Pack(bytes: [0xCB] + big(value.bitPattern)) }
    static func integer(_ value: Int64) -> Pack { Pack(bytes: [0xD3] + big(UInt64(bitPattern: value))) }
    static func time(_ seconds: Int64, _ nanoseconds: UInt64 = 0) -> Pack {
        Pack(bytes: [0xC7, 12, 5] + big(UInt64(bitPattern: seconds)) + big(nanoseconds).suffix(4))
    }
    static let null = Pack(bytes: [0xC0])
    static let yes = Pack(bytes: [0xC3])
    static let no = Pack(bytes: [0xC2])
    static let small = Pack(bytes: [7])
    static let negative = Pack(bytes: [0xFF])

    private static func big(_ value: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
    }

    static func series(
        _ name: String, tags: [(String, String)] = [], columns: [String], _ rows: [[Pack]], partial: Bool = false
    ) -> Pack {
        var members: [(String, Pack)] = [("name", text(name))]
        if !tags.isEmpty { members.append(("tags", map(tags.map { ($0.0, text($0.1)) }))) }
        members.append(("columns", array(columns.map(text))))
        members.append(("values", array(rows.map { array($0) })))
        if partial { members.append(("partial", yes)) }
        return map(members)
    }
    static func document(_ series: [Pack], partial: Bool = false) -> Pack {
        var members: [(String, Pack)] = [("statement_id", small), ("series", array(series))]
        if partial { members.append(("partial", yes)) }
        return map([("results", array([map(members)]))])
    }
}

/// What comes out of a stream, as text.
private func told(_ pieces: [ArraySlice<UInt8>]) throws -> [String] {
    var stream = RowStream()
    var told: [String] = []
    for piece in pieces {
        stream.feed(piece)
        reading: while true {
            switch try stream.next() {
            case .series(let series):
                let tags = series.tags.map { "\(text($0.key))=\(text($0.value))" }
                told.append("series \(text(series.name)) \(tags) \(series.columns.map(text))")
            case .row:
                told.append(
                    "row "
                        + stream.row.map { value in
                            if case .text(let range) = value { return "'\(text(Array(stream.buffer[range])))'" }
                            return "\(value)"
                        }.joined(separator: " "))
            case .failure(let words): told.append("failure \(words)")
            case .needsBytes: break reading
            }
        }
    }
    told.append(stream.isComplete ? "complete" : "cut")
    return told
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite("Rows of an answer in MessagePack")
struct RowStreamTests {
    private static let answer =
        Pack.document(
            [
                .series(
                    "cpu", tags: [("host", "a"), ("x", "")], columns: ["time", "v", "i", "s", "b"],
                    [
                        [.time(1, 5), .float(1), .integer(.min), .text("x\"y"), .yes],
                        [.time(-1, 999_999_999), .null, .small, .text(""), .no],
                        [.time(0), .negative, .null, .null, .null],
                    ], partial: true)
            ], partial: true
        ).bytes
        + Pack.document([.series("mem", columns: ["time", "v"], []), .series("d", columns: ["time"], [[.time(2)]])])
        .bytes
    private static let expected = [
        "series cpu [\"host=a\", \"x=\"] [\"time\", \"v\", \"i\", \"s\", \"b\"]",
        "row time(1000000005) float(1.0) integer(-9223372036854775808) 'x\"y' boolean(true)",
        "row time(-1) null integer(7) '' boolean(false)", "row time(0) integer(-1) null null null",
        "series mem [] [\"time\", \"v\"]", "series d [] [\"time\"]", "row time(2000000000)", "complete",
    ]

    @Test("rows come with their types, times in nanoseconds")
    func whole() throws { #expect(try told([Self.answer[...]]) == Self.expected) }

    @Test("the same comes out wherever the bytes are cut")
    func cut() throws {
        for at in Self.answer.indices {
            #expect(try told([Self.answer[..<at], Self.answer[at...]]) == Self.expected, "cut at \(at)")
        }
        #expect(try told(Self.answer.indices.map { Self.answer[$0...$0] }) == Self.expected)
    }

    @Test("an answer that is cut off is known to be")
    func cutOff() throws {
        let ends = try Self.answer.indices.filter { try told([Self.answer[..<$0]]).last == "complete" }
        // Nothing at all, and the end of the first chunk.
        #expect(ends.count == 2 && ends[0] == 0, "\(ends)")
    }

    @Test("errors are told, that of a statement and that of the whole request")
    func errors() throws {
        let error = Pack.map([("results", .array([.map([("error", .text("query-timeout limit exceeded"))])]))])
        #expect(try told([error.bytes[...]]) == ["failure query-timeout limit exceeded", "complete"])
        let whole = Pack.map([("error", .text("no"))])
        #expect(try told([whole.bytes[...]]) == ["failure no", "complete"])
        #expect(
            try told([(Self.answer + error.bytes)[...]]).suffix(2) == [
                "failure query-timeout limit exceeded", "complete",
            ])
    }

    @Test("what is not understood is stepped over, however deep it is")
    func unknown() throws {
        let deep = Pack(bytes: Array(repeating: 0x91, count: 100_000) + [0xC0])
        let document = Pack.map([
            ("extra", deep),
            (
                "results",
                .array([
                    .map([
                        ("messages", .array([.map([("level", .text("warning")), ("text", .text("t"))])])),
                        ("series", .array([.series("m", columns: ["time"], [[.time(1)]])])),
                    ])
                ])
            ),
        ])
        #expect(try told([document.bytes[...]]) == ["series m [] [\"time\"]", "row time(1000000000)", "complete"])
    }

    @Test("bytes that are no answer are an error, never a crash and never without end")
    func damaged() {
        var generator = SystemRandomNumberGenerator()
        var refused = 0
        for _ in 0..<3_000 {
            var bytes = Self.answer
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            let cut = Int.random(in: bytes.indices, using: &generator)
            do { _ = try told([bytes[..<cut], bytes[cut...]]) } catch { refused += 1 }
        }
        #expect(refused > 500)
        #expect(throws: RowStream.Problem.self) { try told([Array("{\"results\":[]}".utf8)[...]]) }
        // A length that no memory holds.
        #expect(throws: RowStream.Problem.self) { try told([[0x81, 0xDB, 0xFF, 0xFF, 0xFF, 0xFF][...]]) }
    }
}

@Suite("Rows as points")
struct RowLinesTests {
    private func lines(
        _ rules: RowLines.Rules = .init(measurement: "out"), _ documents: Pack...
    ) throws -> (text: String, lines: Int) {
        var stream = RowStream()
        var rows = RowLines(rules)
        stream.feed(documents.flatMap(\.bytes))
        while true {
            switch try stream.next() {
            case .series(let series): try rows.begin(series)
            case .row: try rows.add(stream.row, of: stream.buffer)
            case .failure(let words): Issue.record("\(words)")
            case .needsBytes: return (text(rows.lines.bytes), rows.lines.lines)
            }
        }
    }

    @Test("types are kept, nulls left out, rows without fields are none")
    func types() throws {
        let rows: [[Pack]] = [
            [.time(1), .float(1), .integer(2), .text("a\"b\\"), .yes], [.time(2), .null, .null, .null, .null],
            [.time(3), .null, .small, .null, .null],
        ]
        let result = try lines(
            .init(measurement: "out"), .document([.series("m", columns: ["time", "v", "i", "s", "b"], rows)]))
        #expect(
            result == (
                "out v=1.0,i=2i,s=\"a\\\"b\\\\\",b=t 1000000000\nout i=7i 3000000000\n", 2
            ))
    }

    @Test("a row with an infinity or a NaN is no point, all of it")
    func infinities() throws {
        let rows: [[Pack]] = [
            [.time(1), .small, .float(.infinity)], [.time(2), .small, .float(.nan)], [.time(3), .small, .float(0)],
        ]
        #expect(
            try lines(.init(measurement: "o"), .document([.series("m", columns: ["time", "a", "b"], rows)])).text
                == "o a=7i,b=0.0 3000000000\n")
    }

    @Test("tags of the series are tags, and the source's name stays where none is given")
    func tags() throws {
        let document = Pack.document([
            .series(
                "m 1", tags: [("z", "1"), ("a", "x y"), ("n", "")], columns: ["v", "time"], [[.small, .time(0)]]),
            .series("m2", columns: ["time", "v"], [[.time(0, 9), .small]]),
        ])
        #expect(try lines(.init(), document).text == "m\\ 1,a=x\\ y,z=1 v=7i 0\nm2 v=7i 9\n")
    }

    @Test("of two columns of one name the last counts, also where it is null")
    func sameNames() throws {
        let document = Pack.document([
            .series(
                "m", columns: ["time", "x", "x", "y"],
                [[.time(0), .float(1), .small, .small], [.time(1), .float(1), .null, .small]])
        ])
        #expect(try lines(.init(measurement: "o"), document).text == "o x=7i,y=7i 0\no y=7i 1000000000\n")
    }

    @Test("columns of tags, which top() brings, are tags")
    func tagColumns() throws {
        let document = Pack.document([
            .series(
                "m", tags: [("g", "1")], columns: ["time", "top", "host_1", "host"],
                [[.time(0), .float(1), .text("a b"), .text("f")], [.time(1), .float(2), .null, .null]])
        ])
        let rules = RowLines.Rules(measurement: "o", tagColumns: .init(first: 2, tags: ["host"]))
        #expect(
            try lines(rules, document).text
                == "o,g=1,host=a\\ b top=1.0,host=\"f\" 0\no,g=1 top=2.0 1000000000\n")
    }

    @Test("rows without a time, and names that cannot be said, are errors")
    func problems() {
        func problem(_ rules: RowLines.Rules, _ columns: [String], _ row: [Pack]) -> String {
            do {
                _ = try lines(rules, .document([.series("m", columns: columns, [row])]))
                return ""
            } catch {
                return (error as? RowLines.Problem)?.reason ?? "\(error)"
            }
        }
        let plain = RowLines.Rules(measurement: "o")
        #expect(problem(plain, ["t", "v"], [.time(0), .small]) == "error finding time index in result")
        #expect(problem(plain, ["time", "time"], [.time(0), .small]) == "the column \"time\" does not hold times")
        #expect(
            problem(plain, ["time", "a\\"], [.time(0), .small])
                == "line protocol cannot say the name of a field: \"a\\\\\"")
        let first = Set(
            (0..<50).map { _ in problem(plain, ["time", "a\\", "b\\", "c\\"], [.time(0), .small, .small, .small]) })
        #expect(first == ["line protocol cannot say the name of a field: \"a\\\\\""])
        #expect(
            problem(.init(measurement: "a\\"), ["time", "v"], [.time(0), .small])
                == "line protocol cannot say the measurement \"a\\\\\"")
    }
}
