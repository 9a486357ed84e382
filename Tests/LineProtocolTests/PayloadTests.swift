// What becomes of a body: stamps, cuts, and everything else byte by byte.

import LineProtocol
import Testing

@Suite("Body and payload")
struct PayloadTests {
    private static let stamp = " \(Scan.arrival)"

    @Test(
        "a body of good lines with timestamps is the payload as it is, comments and blank lines included",
        arguments: [
            "m v=1 5\n", "m v=1 5\nn v=2 6\n", "\n\nm v=1 5\n  \n\t\n# a comment\n #another one\nn v=2 6\n\n",
            "#\nm v=1 5\n",
        ])
    func asItIs(_ body: String) {
        let scan = Scan(body)
        #expect(scan.result.isBodyAsIs)
        #expect(!scan.result.lacksFinalNewline)
        #expect(scan.payloadText == body)
    }

    @Test("a missing last newline is added without touching the rest")
    func lastNewline() {
        let scan = Scan("m v=1 5\nn v=2 6")
        #expect(scan.result.isBodyAsIs)
        #expect(scan.result.lacksFinalNewline)
        #expect(scan.result.payloadLength == 16)
        #expect(scan.payloadText == "m v=1 5\nn v=2 6\n")
    }

    @Test(
        "a body without points has no payload", arguments: ["", "\n", "  ", "# comment", "# a=\"b\n\n", "\t\n\n#x\n"])
    func noPoints(_ body: String) {
        let scan = Scan(body)
        #expect(scan.result.lines == 0)
        #expect(scan.result.badLines == 0)
        #expect(scan.result.payloadLength == 0)
        #expect(!scan.result.isBodyAsIs)
        #expect(scan.result.failureMessage == "")
    }

    @Test("L15 one bad line is cut out and reported, the good lines around it stay")
    func badLineAmongGood() {
        let scan = Scan("m v=1 5\nbad line here\nn v=2 6\n")
        #expect(scan.result.lines == 2)
        #expect(scan.result.badLines == 1)
        #expect(scan.payloadText == "m v=1 5\nn v=2 6\n")
        #expect(
            scan.result.failureMessage
                == "partial write: unable to parse 'bad line here': invalid field format dropped=0")
    }

    @Test(
        "L15 bad lines anywhere are cut out",
        arguments: [
            ("x\nm v=1 5\n", "m v=1 5\n"), ("m v=1 5\nx\n", "m v=1 5\n"), ("m v=1 5\nx", "m v=1 5\n"),
            ("x\ny\nm v=1 5\nx\ny\nn v=2 6\nz", "m v=1 5\nn v=2 6\n"), ("x\n\n#c\nm v=1 5", "\n#c\nm v=1 5\n"),
            ("m v=1 5\nx\n\n", "m v=1 5\n\n"),
        ])
    func badLinesAreCut(_ body: String, _ payload: String) {
        #expect(Scan(body).payloadText == payload)
    }

    @Test(
        "L16 a newline inside a quoted string is data",
        arguments: [
            "m v=\"a\nb\" 5\n", "m v=\"\n\n\n\",w=\"x\ny=1 5\n\" 5\n",
            "m,t=a v=\"a\\\"\nb\" 5\nn v=\"\nm v=1 5\n\" 6\n",
            "m v=\"a\\\\\",w=\"\n\" 5\n", "m v=1,w=\"# no comment\n# none either\" 5\n",
        ])
    func newlineInString(_ body: String) {
        let scan = Scan(body)
        #expect(scan.reasons == [])
        #expect(scan.payloadText == body)
        #expect(
            scan.result.lines == body.count { $0 == "5" || $0 == "6" }
                - (body.contains("y=1 5") || body.contains("v=1 5") ? 1 : 0))
    }

    @Test(
        "L16 a newline behind a quote elsewhere ends the line",
        arguments: ["m\"x v=1 5\nn v=2 6\n", "m,t=\"a v=1 5\nn,t=b\" v=2 6\n", "m a\"b=1 5\nn v=2 6\n"])
    func quotesElsewhere(_ body: String) {
        #expect(Scan(body).result.lines == 2)
        #expect(Scan(body).payloadText == body)
    }

    @Test("L17 every bad line is counted and named, none goes silently")
    func everyBadLine() {
        let scan = Scan("x\nm v=1 5\n y\nm v=z\n# comment\n\n")
        #expect(scan.result.lines == 1)
        #expect(scan.result.badLines == 3)
        #expect(
            scan.result.failureMessage
                == "partial write: unable to parse 'x': missing fields\nunable to parse 'y': missing fields\nunable to parse 'm v=z': invalid boolean dropped=0"
        )
        let allBad = Scan("x\ny\n")
        #expect(
            allBad.result.failureMessage == "unable to parse 'x': missing fields\nunable to parse 'y': missing fields")
        #expect(allBad.payload == [])
    }

    @Test("L17 errors are bounded in bytes; what does not fit is still counted")
    func errorsAreBounded() {
        let body = Array(String(repeating: "bad\n", count: 1000).utf8)
        let scan = Scan(body, maximumErrorBytes: 10 * (64 + 3))
        #expect(scan.result.badLines == 1000)
        #expect(scan.result.errors.count == 10)
        #expect(scan.result.failureMessage.hasSuffix("unable to parse 'bad': missing fields\n... and 990 more lines"))
        let long = Scan(Array(("m v=" + String(repeating: "1", count: 100_000) + "i\n").utf8), maximumErrorBytes: 100)
        #expect(long.result.failureMessageBytes.count < 500)
        #expect(long.result.errors.first?.isTruncated == true)
    }

    @Test(
        "L18 negative timestamps stay as they are",
        arguments: ["m v=1 -1\n", "m v=1 -9223372036854775806\n", "m v=\"a\" -5  \n"])
    func negativeTimes(_ body: String) {
        #expect(Scan(body).result.isBodyAsIs)
        #expect(Scan(body).payloadText == body)
    }

    @Test(
        "L18 a line without timestamp gets the arrival time, and loses nothing",
        arguments: [
            ("m v=1\n", "m v=1\(stamp)\n"), ("m v=1", "m v=1\(stamp)\n"), ("m v=1  \n", "m v=1  \(stamp)\n"),
            ("m v=1 \t\n", "m v=1 \t\(stamp)\n"), ("m v=1 \u{0}", "m v=1 \u{0}\(stamp)\n"),
            ("m v=1\nn v=2 6\no v=3\n", "m v=1\(stamp)\nn v=2 6\no v=3\(stamp)\n"),
            ("m v=\"a\nb\"\n", "m v=\"a\nb\"\(stamp)\n"), (" m v=1\n", " m v=1\(stamp)\n"),
            // Stored as a": the byte behind the closing quote is taken for it.
            ("m v=\"a\"\r\n", "m v=\"a\"\r\(stamp)\n"), ("m v=\"a\"\r", "m v=\"a\"\r\(stamp)\n"),
            ("m v=\"a\"\\\\\n", "m v=\"a\"\\\\\(stamp)\n"),
        ])
    func stamped(_ body: String, _ payload: String) {
        #expect(Scan(body).reasons == [])
        #expect(Scan(body).payloadText == payload)
    }

    @Test(
        "a line that its neighbours could spoil is made to stand alone, with the same meaning",
        arguments: [
            // The last byte of the value is dropped by InfluxDB, whatever it is; this one would hide the newline.
            ("m v=\"a\"\\", "m v=\"a\"_\(stamp)\n"), ("m v=\"a\"\\\n", "m v=\"a\"_\(stamp)\n"),
            ("m v=\"a\"\\\\\\", "m v=\"a\"\\\\_\(stamp)\n"),
            ("m v=\"a\"b\\\n\nn v=1 5", "m v=\"a\"b_\(stamp)\nn v=1 5\n"),
            // Behind leading blanks, quotes count from the first byte on.
            (" m=a\"b v=1 5\"\n", ""), (" m=a\"b v=1 \n junk \"\nn v=2 6\n", "m=a\"b v=1 \(stamp)\nn v=2 6\n"),
            (" m=a\"b v=1 5", "m=a\"b v=1 5\n"),
            // Comments and blank lines that never end.
            ("m v=1 5\n# a=\"b\nn v=2 6", "m v=1 5\n"), ("m v=1 5\n# a \\\n", "m v=1 5\n"),
            ("m v=1 5\n# a \\", "m v=1 5\n"),
            ("# a \\\n\nm v=1 5\n", "# a \\\n\nm v=1 5\n"),
        ])
    func standsAlone(_ body: String, _ payload: String) {
        let scan = Scan(body)
        #expect(scan.payloadText == payload)
        #expect(scan.result.badLines == (payload.isEmpty ? 1 : 0))
    }

    @Test(
        "a line that only the end of the request completes is refused",
        arguments: ["m\\\\ a=b\" v=1 ", "m\\\\ a=b\" v=1 5"])
    func endsOnlyWithBody(_ body: String) {
        #expect(Scan(body).result.errors.map(\.reason) == [.endsOnlyWithBody])
        #expect(Scan(body).reasons == ["unbalanced quotes"])
    }

    @Test("the failure message replaces bytes that are not UTF-8 one by one, as Go does")
    func failureMessageText() {
        let scan = Scan([
            0x61, 0xFF, 0xE2, 0x82, 0x62, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0xED, 0xA0, 0x80, 0xC0, 0xAF,
        ])
        #expect(
            scan.result.failureMessage
                == "unable to parse 'a\u{FFFD}\u{FFFD}\u{FFFD}b€\(String(repeating: "\u{FFFD}", count: 8))': missing fields"
        )
    }
}

@Suite("Precision")
struct PrecisionTests {
    @Test("the parameter is read as InfluxDB 1.8 reads it")
    func parameters() {
        let expected: [(String, Precision?)] = [
            ("", .nanoseconds), ("n", .nanoseconds), ("ns", .nanoseconds), ("u", .microseconds), ("ms", .milliseconds),
            ("s", .seconds), ("m", .minutes), ("h", .hours), ("us", nil), ("µ", nil), ("S", nil), ("d", nil),
            (" s", nil),
        ]
        for (parameter, precision) in expected { #expect(Precision(parameter: parameter) == precision, "\(parameter)") }
        for precision in Precision.allCases { #expect(Precision(parameter: precision.parameter) == precision) }
        #expect(Precision(version2Parameter: "us") == .microseconds)
        #expect(Precision(version2Parameter: "") == .nanoseconds)
        #expect(Precision(version2Parameter: "u") == nil)
        #expect(Precision(version2Parameter: "m") == nil)
    }

    @Test(
        "a time is rounded down to the precision, before 1970 too",
        arguments: [
            (Precision.nanoseconds, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789), (.microseconds, 1_999, 1),
            (.milliseconds, 1_700_000_000_123_456_789, 1_700_000_000_123), (.seconds, -1, -1),
            (.seconds, -1_000_000_000, -1),
            (.seconds, 999_999_999, 0), (.minutes, 119_999_999_999, 1), (.hours, -3_600_000_000_001, -2),
        ])
    func truncation(_ precision: Precision, _ time: Int64, _ expected: Int64) {
        #expect(precision.truncate(nanosecondsSinceEpoch: time) == expected)
    }
}

@Suite("Lines of a payload")
struct PayloadLinesTests {
    private func lines(_ payload: String) -> [String] {
        let bytes = Array(payload.utf8)
        return bytes.withUnsafeBytes { bytes in
            PayloadLines(bytes).map { String(decoding: bytes[$0], as: UTF8.self) }
        }
    }

    @Test(
        "lines are found by the scanner's rules; comments and blank lines are left out",
        arguments: [
            ("", []), ("\n", []), ("m v=1 5\n", ["m v=1 5"]), ("m v=1 5\nn v=2 6\n", ["m v=1 5", "n v=2 6"]),
            ("m v=1 5", ["m v=1 5"]), ("# c\n\n  m v=1 5\n\t\n", ["m v=1 5"]),
            ("m v=\"a\nb\" 5\nn v=2 6\n", ["m v=\"a\nb\" 5", "n v=2 6"]),
            ("m,t=\"a v=1 5\nn v=2 6\n", ["m,t=\"a v=1 5", "n v=2 6"]),
            ("m\\ x v=\"\\\"\n\" 5\nn v=2 6\n", ["m\\ x v=\"\\\"\n\" 5", "n v=2 6"]),
            ("# a=\"b\nc\" d\nm v=1 5\n", ["m v=1 5"]),
            // Behind a blank InfluxDB's splitter sees a quoted value in the measurement; without it two lines.
            (" a=\"b\nc\" v=1 5\nm v=1 5\n", [" a=\"b\nc\" v=1 5", "m v=1 5"]),
        ] as [(String, [String])])
    func splitting(_ payload: String, _ expected: [String]) {
        #expect(lines(payload) == expected)
    }

    @Test(
        "the measurement is what stands before the first comma or space that is not escaped",
        arguments: [
            ("cpu,host=a v=1", "cpu", "cpu"), ("cpu v=1", "cpu", "cpu"), ("a\\,b,t=c v=1", "a\\,b", "a,b"),
            ("a\\ b v=1", "a\\ b", "a b"),
            ("a\\=b v=1", "a\\=b", "a=b"), ("a=b v=1", "a=b", "a=b"), ("a\\\"b v=1", "a\\\"b", "a\"b"),
            ("a\\b v=1", "a\\b", "a\\b"),
            ("a\\\\b v=1", "a\\\\b", "a\\\\b"), ("a\\\\,b v=1", "a\\\\,b", "a\\,b"), ("\\,a v=1", "\\,a", ",a"),
            ("ü,t=a v=1", "ü", "ü"), (" a=\"b\nc\" v=1", "a=\"b\nc\"", "a=\"b\nc\""),
        ])
    func measurement(_ line: String, _ raw: String, _ name: String) {
        let bytes = Array(line.utf8)
        let range = bytes.withUnsafeBytes { MeasurementName.range(inLine: $0) }
        #expect(String(decoding: bytes[range], as: UTF8.self) == raw)
        #expect(String(decoding: MeasurementName.unescape(bytes[range]), as: UTF8.self) == name)
    }

    @Test(
        "the parts of a line are found as the scanner finds them",
        arguments: [
            (
                "cpu,host=a,dc=b v=1.5,w=2i,x=t,y=\"a b\" 5", ["host", "dc"],
                ["v float", "w integer", "x boolean", "y string"], 5
            ),
            ("m v=\"a\\\" b,c=\" -7", [], ["v string"], -7),
            // A space behind a backslash behind the closing quote: InfluxDB's parser takes it for data.
            ("m v=\"a\"\\ b 5", [], ["v string"], 5),
            // Its storage takes a second value for a part of the first one, and the comma for part of a key.
            ("m a=\"x\"=1,,b=t 5", [], ["a string", ",b boolean"], 5),
            (" a=\"b\nc\",d=\"e\nf\" v=1 5", ["d"], ["v float"], 5),
            ("m\\,x,a\\=b=c f\\=g=1  12", ["a\\=b"], ["f\\=g float"], 12),
        ] as [(String, [String], [String], Int64)])
    func parts(_ line: String, _ tags: [String], _ fields: [String], _ time: Int64) {
        let bytes = Array(line.utf8)
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        let parts = bytes.withUnsafeBytes { LineParts($0) }
        #expect(parts.tags.map { text($0.key) } == tags)
        #expect(parts.fields.map { "\(text($0.key)) \($0.type.rawValue)" } == fields)
        #expect(parts.time == time)
    }
}
