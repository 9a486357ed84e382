// What a line of line protocol is, and what is wrong with one that is not: the tables.

import LineProtocol
import Testing

/// A body and what becomes of it.
struct Scan {
    let result: ScanResult
    let payload: [UInt8]

    /// The arrival time of all tests.
    static let arrival: Int64 = 1_700_000_000

    init(_ body: [UInt8], precision: Precision = .nanoseconds, maximumErrorBytes: Int = 1 << 20) {
        self.init(pieces: [body], precision: precision, maximumErrorBytes: maximumErrorBytes)
    }

    init(_ body: String, precision: Precision = .nanoseconds) {
        self.init(Array(body.utf8), precision: precision)
    }

    /// Scans a body that arrives in pieces; the last call says that it is complete.
    init(
        pieces: [[UInt8]], precision: Precision = .nanoseconds, budget: Int = LineScanner.defaultBudget,
        maximumErrorBytes: Int = 1 << 20
    ) {
        var scanner = LineScanner(
            precision: precision, arrivalTime: Self.arrival, maximumErrorBytes: maximumErrorBytes)
        var body: [UInt8] = []
        for (index, piece) in pieces.enumerated() {
            body += piece
            let isFinal = index == pieces.count - 1
            // In memory of its own each time: nothing may be remembered by address, and a sanitizer sees each byte
            // that is read behind the end.
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: body.count, alignment: 1)
            defer { memory.deallocate() }
            memory.copyBytes(from: body)
            while scanner.scan(UnsafeRawBufferPointer(memory), isFinal: isFinal, budget: budget) == .yielded {}
        }
        result = scanner.result
        var payload = [UInt8](repeating: 0xEE, count: result.payloadLength)
        let result = result
        let written = payload.withUnsafeMutableBytes { payload in
            body.withUnsafeBytes { result.writePayload(of: $0, into: payload) }
        }
        precondition(written == payload.count)
        self.payload = payload
    }

    var payloadText: String { String(decoding: payload, as: UTF8.self) }
    var reasons: [String] { result.errors.map { String(decoding: $0.reason.text, as: UTF8.self) } }
}

@Suite("One line")
struct LineTests {
    @Test(
        "a good line is a point, and stays as it is",
        arguments: [
            "m v=1 5",
            "m v=1 -5",
            "m v=1 0",
            "cpu,host=a,region=b usage=1.5,idle=2i,up=t,name=\"x\" 1700000000000000000",
            // Spaces: any number between the parts, and behind the line.
            "m  v=1   5", "m v=1 5   ", "m,t=a   v=1  5 ",
            // Before the fields and before the time, tabs and NULs count as blanks, behind a space.
            "m \tv=1 5", "m v=1 \t5", "m v=1 \u{0}5", "m \u{0}\t v=1 \t\u{0} 5",
            // Leading blanks.
            " m v=1 5", "\tm v=1 5", "\u{0}m v=1 5", " \t\u{0} m v=1 5",
            // Measurements and tags.
            "m\\,x v=1 5", "m\\ x v=1 5", "m\\=x v=1 5", "m=x v=1 5", "m\"x v=1 5", "\"m\" v=1 5", "m\\x v=1 5",
            "\\ v v=1 5",
            "m,t=a\\,b v=1 5", "m,t=a\\ b v=1 5", "m,t=a\\=b v=1 5", "m,a\\,b=t v=1 5", "m,a\\ b=t v=1 5",
            "m,a\\=b=t v=1 5",
            "m,t=\"a\" v=1 5", "m,t=a\"b v=1 5", "m,t=a\\b v=1 5", "m,t=\\\\a v=1 5", "m,\\==t v=1 5",
            "m,t== v=1 5", "m,t==a v=1 5",
            "m,b=1,a=2 v=1 5", "m,c=1,a=2,b=3 v=1 5", "m,a=1,ab=2,abc=3 v=1 5", "m,abc=1,ab=2,a=3 v=1 5",
            // Field keys.
            "m a\\,b=1 5", "m a\\ b=1 5", "m a\\=b=1 5", "m \"a\"=1 5", "m a\"b=1,c\"d=2 5", "m a\\b=1 5",
            "m a\\\"b=1 5",
            // An empty field key, behind a tab.
            "m \t=1 5",
            // The same field twice: the last one wins, in the storage.
            "m a=1,a=2 5",
            // Names that only the storage refuses.
            "m time=1 5", "m,time=a v=1 5", "m time=1,v=2 5",
            // Floats.
            "m v=1.5 5", "m v=-1.5 5", "m v=.5 5", "m v=5. 5", "m v=-.5 5", "m v=-0 5", "m v=00012 5",
            "m v=1e5 5", "m v=1E5 5", "m v=1e+5 5", "m v=1e-5 5", "m v=1.5e10 5", "m v=1.e5 5", "m v=.1e5 5",
            "m v=1e308 5", "m v=1.7976931348623157e308 5", "m v=1.7976931348623158e308 5",
            "m v=-1.7976931348623157e308 5",
            "m v=17.9e307 5", "m v=1.e308 5", "m v=.1e309 5", "m v=4.9e-324 5", "m v=1e-400 5", "m v=0e999999999 5",
            "m v=1e-99999999999999999999 5", "m v=3.14159265358979323846264338327950288 5",
            "m v=\(String(repeating: "9", count: 308)) 5", "m v=0.\(String(repeating: "0", count: 400))1e300 5",
            // Integers.
            "m v=0i 5", "m v=-0i 5", "m v=9223372036854775807i 5", "m v=-9223372036854775808i 5",
            "m v=0000000000000000000000000000001i 5",
            // Booleans.
            "m v=t 5", "m v=T 5", "m v=true 5", "m v=True 5", "m v=TRUE 5", "m v=f 5", "m v=F 5", "m v=false 5",
            "m v=False 5",
            "m v=FALSE 5", "m a=t,b=FALSE,c=f 5",
            // Strings.
            "m v=\"\" 5", "m v=\"a b\" 5", "m v=\"a,b\" 5", "m v=\"a=b\" 5", "m v=\"a\\\"b\" 5", "m v=\"a\\\\\" 5",
            "m v=\"\\\\\\\"\" 5", "m v=\"\\n\" 5", "m v=\"a\",w=\"b\" 5", "m v=\"a\nb\" 5", "m v=\"\n\" 5",
            "m v=\"a\\\nb\" 5",
            "m v=\"a,b=\\\"c\\\" 1\",w=2 5",
            // Behind a closing quote, bytes are accepted; what is stored lacks the last of them, not the quote.
            "m v=\"a\"b 5", "m v=\"a\"\"b\" 5", "m v=\"a\"\r 5", "m v=\"a\"\t 5", "m v=\"a\"\\\\ 5", "m v=\"a\"\\ b 5",
            "m a=\"x\"=1,,b=t 5",
            // Times.
            "m v=1 9223372036854775806", "m v=1 -9223372036854775806", "m v=1 00000000000000000000000000005",
            "m v=1 -0",
        ])
    func goodLine(_ line: String) {
        let scan = Scan(line + "\n")
        #expect(scan.reasons == [])
        #expect(scan.result.lines == 1)
        #expect(scan.result.isBodyAsIs)
        #expect(scan.payloadText == line + "\n")
    }

    @Test(
        "a bad line is refused for InfluxDB's reason",
        arguments: [
            (",t=a v=1", "missing measurement"),
            (",", "missing measurement"),
            ("m", "missing fields"),
            ("m\\ v=1", "missing fields"),
            ("m,t=a", "missing fields"),
            ("m\t", "missing fields"),
            ("m\tv=1 5", "invalid field format"),
            ("m, v=1", "missing tag key"),
            ("m,", "missing tag key"),
            ("m,,t=a v=1", "missing tag key"),
            ("m,=a v=1", "missing tag key"),
            ("m,t=a, v=1", "missing tag key"),
            ("m,t v=1", "missing tag value"),
            ("m,t", "missing tag value"),
            ("m,t= v=1", "missing tag value"),
            ("m,t=", "missing tag value"),
            ("m,t=,u=a v=1", "missing tag value"),
            ("m,t,u=a v=1", "missing tag value"),
            ("m,t=a=b v=1", "invalid tag format"),
            ("m,t=== v=1", "invalid tag format"),
            ("m,t=a\\ v=1 5", "invalid tag format"),
            ("m,t=a\\\\ v=1 5", "invalid tag format"),
            ("m,t=a,t=b v=1", "duplicate tags"),
            ("m,t=a,u=b,t=c v=1", "duplicate tags"),
            ("m,u=a,t=b,t=c v=1", "duplicate tags"),
            ("m,t=a,t=b", "missing fields"),
            ("m,t=a,t=b,u v=1", "missing tag value"),
            ("m =1", "missing field key"),
            ("m a=1,=2", "missing field key"),
            ("m a=1, b=2", "invalid field format"),
            ("m v=", "missing field value"),
            ("m v= 5", "missing field value"),
            ("m v=,w=1", "missing field value"),
            ("m a=1,b=", "missing field value"),
            ("m ", "invalid field format"),
            ("m v", "invalid field format"),
            ("m 1", "invalid field format"),
            ("m v=1,", "invalid field format"),
            ("m a=1,b", "invalid field format"),
            ("m a,b=1", "invalid field format"),
            ("m a=1,,b=2", "invalid field format"),
            ("m a b=1", "invalid field format"),
            ("m\\\\ v=1 5", "invalid field format"),
            ("m v=\"a", "unbalanced quotes"),
            ("m v=\"", "unbalanced quotes"),
            ("m v=\"a\\\"", "unbalanced quotes"),
            ("m v=\"a\" w=\"b\"", "bad timestamp"),
            ("m v=\"a\"\"", "unbalanced quotes"),
            ("m v=1u 5", "invalid number"),
            ("m v=- 5", "invalid number"),
            ("m v=-", "invalid number"),
            ("m v=--1", "invalid number"),
            ("m v=. 5", "invalid number"),
            ("m v=-. 5", "invalid number"),
            ("m v=1.1.1 5", "invalid number"),
            ("m v=1..1 5", "invalid number"),
            ("m v=1-1 5", "invalid number"),
            ("m v=1+1 5", "invalid number"),
            ("m v=-i 5", "invalid number"),
            ("m v=1ii 5", "invalid number"),
            ("m v=1i1 5", "invalid number"),
            ("m v=1.0i 5", "invalid number"),
            ("m v=1e3i 5", "invalid number"),
            ("m v=nan 5", "invalid number"),
            ("m v=NaN 5", "invalid number"),
            ("m v=N 5", "invalid number"),
            ("m v=-nan 5", "invalid number"),
            ("m v=-inf 5", "invalid number"),
            ("m v=0x10 5", "invalid number"),
            ("m v=1_000 5", "invalid number"),
            ("m v=1a 5", "invalid number"),
            ("m v=1\t", "invalid number"),
            ("m v=1\r", "invalid number"),
            ("m v=1\u{0}", "invalid number"),
            ("m v=+1 5", "invalid boolean"),
            ("m v=Inf 5", "invalid boolean"),
            ("m v=inf 5", "invalid boolean"),
            ("m v=i 5", "invalid boolean"),
            ("m v=a 5", "invalid boolean"),
            ("m v='a' 5", "invalid boolean"),
            ("m v=tr 5", "invalid boolean"),
            ("m v=tRUE 5", "invalid boolean"),
            ("m v=TRue 5", "invalid boolean"),
            ("m v=trueish 5", "invalid boolean"),
            ("m v=fals 5", "invalid boolean"),
            ("m v=t\r", "invalid boolean"),
            ("m v=true\r", "invalid boolean"),
            ("m v=yes 5", "invalid boolean"),
            ("m v==1 5", "invalid boolean"),
            ("m v=1e 5", "invalid float"),
            ("m v=1e+ 5", "invalid float"),
            ("m v=1e5e5 5", "invalid float"),
            ("m v=1e5.5 5", "invalid float"),
            ("m v=-e5 5", "invalid float"),
            ("m v=1e400 5", "invalid float"),
            ("m v=-1e400 5", "invalid float"),
            ("m v=1e309 5", "invalid float"),
            ("m v=1.7976931348623159e308 5", "invalid float"),
            ("m v=1e99999999999999999999999 5", "invalid float"),
            ("m v=\(String(repeating: "9", count: 309)) 5", "invalid float"),
            (
                "m v=9223372036854775808i 5",
                "unable to parse integer 9223372036854775808: strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
            ),
            (
                "m v=-9223372036854775809i 5",
                "unable to parse integer -9223372036854775809: strconv.ParseInt: parsing \"-9223372036854775809\": value out of range"
            ),
            ("m a\\\\=1 5", "invalid value: field-key=a\\\\=1"),
            ("m a=\"x\"=1,b 5", "invalid value: field-key=b"),
            ("m v=1 5\t", "bad timestamp"),
            ("m v=1 5\r", "bad timestamp"),
            ("m v=1 a", "bad timestamp"),
            ("m v=1 5a", "bad timestamp"),
            ("m v=1 5.0", "bad timestamp"),
            ("m v=1 +5", "bad timestamp"),
            ("m v=1 --5", "bad timestamp"),
            ("m v=1 5-", "bad timestamp"),
            ("m v=1 \"5\"", "bad timestamp"),
            ("m v=1 \r", "bad timestamp"),
            ("m v=1 # comment", "bad timestamp"),
            ("m v=1 -", "strconv.ParseInt: parsing \"-\": invalid syntax"),
            ("m v=1 9223372036854775808", "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"),
            ("m v=1 -9223372036854775809", "strconv.ParseInt: parsing \"-9223372036854775809\": value out of range"),
            ("m v=1 9223372036854775807", "time outside range -9223372036854775806 - 9223372036854775806"),
            ("m v=1 -9223372036854775807", "time outside range -9223372036854775806 - 9223372036854775806"),
            ("m v=1 -9223372036854775808", "time outside range -9223372036854775806 - 9223372036854775806"),
            ("m v=1 5 6", "point is invalid"),
            ("m v=1 5 # comment", "point is invalid"),
            ("m v=1 5 \t", "point is invalid"),
        ])
    func badLine(_ line: String, _ reason: String) {
        let scan = Scan(line + "\n")
        #expect(scan.reasons == [reason])
        #expect(scan.result.lines == 0)
        #expect(scan.payload == [])
        #expect(scan.result.failureMessage == "unable to parse '\(line)': \(reason)")
        // The same between good lines: they stay, and it goes.
        let among = Scan("a v=1 1\n\(line)\nb v=2 2\n")
        #expect(among.payloadText == "a v=1 1\nb v=2 2\n" || line.contains("\""))
        #expect(
            among.result.failureMessage == "partial write: unable to parse '\(line)': \(reason) dropped=0"
                || line.contains("\""))
    }

    @Test("the longest key is 65535 bytes, the separator of 4 and the field's name included")
    func longestKey() {
        func line(_ key: Int, _ field: Int) -> String {
            String(repeating: "m", count: key) + " " + String(repeating: "f", count: field) + "=1 5\n"
        }
        #expect(Scan(line(65_530, 1)).reasons == [])
        #expect(Scan(line(65_531, 1)).reasons == ["max key length exceeded: 65536 > 65535"])
        #expect(Scan(line(1, 65_531)).reasons == ["max key length exceeded: 65536 > 65535"])
        #expect(Scan(line(65_536, 1)).reasons == ["max key length exceeded: 65536 > 65535"])
        #expect(Scan(line(70_000, 1)).reasons == ["max key length exceeded: 70000 > 65535"])
        #expect(
            Scan("m " + String(repeating: "f", count: 10) + "=\"" + String(repeating: "x", count: 99_999) + "\" 5")
                .reasons == [])
    }

    @Test(
        "any number of tags is fine, sorted or not, unless one comes twice",
        arguments: [2, 31, 32, 33, 64, 65, 99, 101, 500])
    func manyTags(_ count: Int) {
        let sorted = (0..<count).map { "k\($0)=v" }.sorted()
        for tags in [sorted, sorted.reversed()] {
            #expect(Scan("m,\(tags.joined(separator: ",")) v=1 5\n").reasons == [])
            #expect(Scan("m,\(tags.joined(separator: ",")),k0=w v=1 5\n").reasons == ["duplicate tags"])
            #expect(Scan("m,\(tags.joined(separator: ",")),\(sorted[count - 1]) v=1 5\n").reasons == ["duplicate tags"])
        }
    }

    @Test(
        "timestamps are limited by the range of nanoseconds, in each precision",
        arguments: [
            (Precision.nanoseconds, "9223372036854775806", "9223372036854775807"),
            (.microseconds, "9223372036854775", "9223372036854776"),
            (.milliseconds, "9223372036854", "9223372036855"),
            (.seconds, "9223372036", "9223372037"),
            (.minutes, "153722867", "153722868"),
            (.hours, "2562047", "2562048"),
        ])
    func timeRange(_ precision: Precision, _ inside: String, _ outside: String) {
        let outsideRange = "time outside range -9223372036854775806 - 9223372036854775806"
        for sign in ["", "-"] {
            #expect(Scan("m v=1 \(sign)\(inside)\n", precision: precision).reasons == [])
            #expect(Scan("m v=1 \(sign)000\(inside)\n", precision: precision).reasons == [])
            #expect(Scan("m v=1 \(sign)\(outside)\n", precision: precision).reasons == [outsideRange])
            #expect(Scan("m v=1 \(sign)9223372036854775807\n", precision: precision).reasons == [outsideRange])
        }
    }

    /// See `LineErrorReason.unstorableValue`; measured on influxd 1.6.7: 500 for the whole request, or a crash.
    @Test(
        "a line that InfluxDB's parser accepts and its storage cannot read is refused",
        arguments: [
            ("m a\\\\=\"b=\" 5", "a\\\\=\"b"), ("m a\\\\=\"x=,b=1\" 5", "a\\\\=\"x"),
            ("m a\\\\=\"b=xyz\" 5", "a\\\\=\"b"),
            ("m a\\\\=\"b=12\" 5", "a\\\\=\"b"), ("m a\\\\=\"b=1,c=2\" 5", "c"),
        ])
    func unstorable(_ line: String, _ key: String) {
        let scan = Scan(line)
        #expect(scan.result.errors.map(\.reason) == [.unstorableValue(fieldKey: Array(key.utf8))])
        #expect(scan.reasons == ["invalid value: field-key=\(key)"])
    }

    @Test("bytes that are not UTF-8 are accepted and stay")
    func notUTF8() {
        let line: [UInt8] = [0xFF, 0x2C, 0xC3, 0x3D, 0x80] + Array(" f=\"".utf8) + [0xE2, 0x82] + Array("\" 5\n".utf8)
        let scan = Scan(line)
        #expect(scan.result.lines == 1)
        #expect(scan.payload == line)
    }
}
