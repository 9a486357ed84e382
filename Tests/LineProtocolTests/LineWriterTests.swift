// Points written as lines: what is read back from them is what was meant, and what cannot be said is not said.
import LineProtocol
import Testing

@Suite("Points as lines")
struct LineWriterTests {
    private func series(_ measurement: String, _ tags: [(String, String)] = []) -> String? {
        LineWriter.series(
            measurement.utf8, tags: tags.map { (key: Array($0.0.utf8), value: Array($0.1.utf8)) }
        ).map { String(decoding: $0, as: UTF8.self) }
    }

    private func key(_ name: String) -> String? {
        LineWriter.fieldKey(name.utf8).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("names are escaped as InfluxDB escapes them; tags are sorted, those without a value left out")
    func names() {
        #expect(series("cpu") == "cpu")
        #expect(series("cpu", [("b", "2"), ("a", "1"), ("c", "")]) == "cpu,a=1,b=2")
        #expect(series("a,b c=d\"e") == "a\\,b\\ c=d\"e")
        #expect(series(" lead") == "\\ lead")
        #expect(series("m", [("k 1,=", "v 2,=")]) == "m,k\\ 1\\,\\==v\\ 2\\,\\=")
        #expect(series("m", [("k", "a\\b")]) == "m,k=a\\b")
        // As InfluxDB has it: an escape in a measurement's name counts as one.
        #expect(series("a\\,b") == "a\\,b")
        #expect(key("v") == "v=")
        #expect(key("a b,c=d\"e") == "a\\ b\\,c\\=d\\\"e=")
        #expect(key("a\\b") == "a\\b=")
    }

    @Test("what line protocol cannot say is not said")
    func unsayable() {
        for measurement in ["", "a\\", "\tm", "#m", "\nm", "a\nb", "\0m"] {
            #expect(series(measurement) == nil, "\(measurement)")
        }
        #expect(series("m", [("k", "v\\")]) == nil)
        #expect(series("m", [("k\\", "v")]) == nil)
        #expect(series("m", [("", "v")]) == nil)
        #expect(series("m", [("k", "a\nb")]) == nil)
        for name in ["", "a\\", "a\nb"] { #expect(key(name) == nil, "\(name)") }
    }

    @Test("each type of value is written so that it is read back as it was")
    func values() throws {
        let key = try #require(LineWriter.fieldKey("v".utf8))
        func line(_ write: (inout LineWriter) -> Void) -> String {
            var writer = LineWriter()
            writer.begin(Array("m".utf8))
            write(&writer)
            writer.end(time: -5)
            return String(decoding: writer.bytes, as: UTF8.self)
        }
        let floats: [(Double, String)] = [
            (1, "1.0"), (-0.0, "-0.0"), (0.1, "0.1"), (1e300, "1e+300"), (.leastNonzeroMagnitude, "5e-324"),
            (1e21, "1e+21"),
            (123_456_789.125, "123456789.125"), (.greatestFiniteMagnitude, "1.7976931348623157e+308"),
        ]
        for (value, text) in floats {
            let written = line { $0.field(key, value) }
            #expect(written == "m v=\(text) -5\n")
        }
        let others = [
            line { $0.field(key, Int64.min) }, line { $0.field(key, true) }, line { $0.field(key, false) },
            line { $0.field(key, Array("a\"b\\c\nd".utf8)[...]) }, line { $0.field(key, [][...]) },
        ]
        #expect(
            others == [
                "m v=-9223372036854775808i -5\n", "m v=t -5\n", "m v=f -5\n", "m v=\"a\\\"b\\\\c\nd\" -5\n",
                "m v=\"\" -5\n",
            ])
    }

    @Test("a line without fields is taken back")
    func withoutFields() throws {
        let key = try #require(LineWriter.fieldKey("v".utf8))
        var writer = LineWriter()
        writer.begin(Array("m".utf8))
        let empty = writer.end(time: 1)
        #expect(!empty)
        writer.begin(Array("m".utf8))
        writer.field(key, Int64(1))
        let full = writer.end(time: 1)
        #expect(full)
        writer.begin(Array("m".utf8))
        writer.field(key, Int64(2))
        writer.takeBack()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "m v=1i 1\n")
        #expect(writer.lines == 1)
    }

    @Test("random points are good lines with the same parts")
    func random() throws {
        var generator = SystemRandomNumberGenerator()
        let letters = Array("ab ,=\"\\#ü\tx'".unicodeScalars)
        func name() -> String {
            String(
                String.UnicodeScalarView(
                    (0..<Int.random(in: 1...5, using: &generator)).map { _ in
                        letters[Int.random(in: 0..<letters.count, using: &generator)]
                    }))
        }
        var said = 0
        for _ in 0..<5_000 {
            let tags = (0..<Int.random(in: 0...3, using: &generator)).map { (key: "t\($0)" + name(), value: name()) }
            let fields = (0..<Int.random(in: 1...3, using: &generator)).map { "f\($0)" + name() }
            guard
                let start = LineWriter.series(
                    name().utf8, tags: tags.map { (key: Array($0.key.utf8), value: Array($0.value.utf8)) }),
                let keys = Optional(fields.compactMap { LineWriter.fieldKey($0.utf8) }), keys.count == fields.count
            else { continue }
            var writer = LineWriter()
            writer.begin(start)
            for key in keys { writer.field(key, Array(name().utf8)[...]) }
            writer.end(time: 7)
            var scanner = LineScanner(precision: .nanoseconds, arrivalTime: 0)
            let text = writer.bytes
            text.withUnsafeBytes { _ = scanner.scan($0, isFinal: true) }
            // A backslash before what is escaped cannot be said; the scanner notices.
            guard scanner.result.badLines == 0 else { continue }
            said += 1
            #expect(scanner.result.lines == 1)
            let parts = text.dropLast().withUnsafeBytes { LineParts($0) }
            #expect(parts.tags.count == tags.count, "\(String(decoding: text, as: UTF8.self))")
            #expect(parts.time == 7, "\(String(decoding: text, as: UTF8.self))")
        }
        #expect(said > 1_000)
    }
}
