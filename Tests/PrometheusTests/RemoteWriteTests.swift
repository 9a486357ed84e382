// Remote writes as lines: what InfluxDB 1.6.7 makes of samples, and what is refused before memory is taken.

import Prometheus
import TestSupport
import Testing

struct RemoteWriteTests {
    private func lines(
        _ series: [([(String, String)], [PrometheusWire.Sample])], budget: Int = .max
    ) throws -> (text: String, dropped: Int) {
        let message = PrometheusWire.write(series.map { PrometheusWire.series($0, $1) })
        var write = RemoteWrite(limit: 1 << 20)
        while try !write.advance(message, budget: budget) {}
        return (String(decoding: write.lines.bytes, as: UTF8.self), write.dropped)
    }

    @Test(
        "A series becomes a measurement with all its labels as tags and a float field value",
        arguments: [
            ([("__name__", "up"), ("job", "a")], 1.5, #"up,__name__=up,job=a value=1.5 1700000000000000000"#),
            ([("job", "a")], 1, "prom_metric_not_specified,job=a value=1.0 1700000000000000000"),
            ([], 1, "prom_metric_not_specified value=1.0 1700000000000000000"),
            ([("__name__", "ev"), ("job", "")], 1, "ev,__name__=ev value=1.0 1700000000000000000"),
            ([("a", "1"), ("a", "2"), ("__name__", "x")], 1, "x,__name__=x,a=2 value=1.0 1700000000000000000"),
            (
                [("z", "1"), ("__name__", "e c,x"), ("a b", "x y,=z")], -0.0,
                #"e\ c\,x,__name__=e\ c\,x,a\ b=x\ y\,\=z,z=1 value=-0.0 1700000000000000000"#
            ),
            ([("__name__", "s")], .leastNonzeroMagnitude, "s,__name__=s value=5e-324 1700000000000000000"),
        ] as [([(String, String)], Double, String)])
    func points(labels: [(String, String)], value: Double, line: String) throws {
        let written = try lines([(labels, [(value, 1_700_000_000_000)])])
        #expect(written.text == line + "\n")
        #expect(written.dropped == 0)
    }

    @Test("NaN and infinities are dropped without a word, and a series without samples is none")
    func notNumbers() throws {
        let written = try lines([
            ([("__name__", "a")], [(.nan, 1), (.infinity, 2), (-.infinity, 3), (4, 4)]), ([("__name__", "b")], []),
        ])
        #expect(written.text == "a,__name__=a value=4.0 4000000\n")
        #expect(written.dropped == 0)
    }

    @Test("What line protocol cannot say is dropped and counted, and the rest is stored")
    func unsayable() throws {
        let written = try lines([
            ([("__name__", "")], [(1, 1)]), ([("__name__", "a"), ("path", #"C:\"#)], [(1, 1), (2, 2)]),
            ([("__name__", "b"), ("text", "x\ny")], [(1, 1)]), ([("__name__", "c"), ("", "v")], [(1, 1)]),
            ([("__name__", "d")], [(1, .max), (2, 2)]),
        ])
        #expect(written.text == "d,__name__=d value=2.0 2000000\n")
        #expect(written.dropped == 6)
    }

    @Test("A message in small pieces gives the same lines as the whole")
    func pieces() throws {
        let series = (0..<3000).map { number in
            ([("__name__", "m"), ("n", "\(number)")], [(Double(number), Int64(number))])
        }
        let whole = try lines(series)
        #expect(try lines(series, budget: 100).text == whole.text)
        #expect(whole.text.split(separator: "\n").count == 3000)
    }

    @Test(
        "A message that is none is refused, in InfluxDB's words where its outermost layer is wrong",
        arguments: [
            ([0xFF, 0xFF, 0xFF], "unexpected EOF"),
            ([0x08, 0x01], "proto: wrong wireType = 0 for field Timeseries"),
            ([0x0B], "proto: wrong wireType = 3 for field Timeseries"),
            ([0x00], "proto: WriteRequest: illegal tag 0 (wire type 0)"),
            ([0x0C], "proto: WriteRequest: wiretype end group for non-group"),
            ([0x0A] + [UInt8](repeating: 0xFF, count: 10) + [0x01], "proto: integer overflow"),
            ([0x0A] + [UInt8](repeating: 0xFF, count: 9) + [0x01], "proto: negative length found during unmarshaling"),
            ([0x0A, 0x50], "unexpected EOF"),
            ([0x0A, 0x02, 0x0A, 0x09], "unexpected EOF"),
        ] as [([UInt8], String)])
    func malformed(message: [UInt8], words: String) {
        var write = RemoteWrite(limit: 1000)
        #expect(throws: RemoteWrite.Failure.malformed(words)) {
            while try !write.advance(message, budget: .max) {}
        }
    }

    @Test("Fields of later versions of the protocol are passed over")
    func unknownFields() throws {
        var request = WireMessage()
        request.varint(9, 7)
        request.field(1, PrometheusWire.series([("__name__", "a")], [(1, 1)]))
        request.field(3, [0x08, 0x01])
        request.double(12, 4)
        var write = RemoteWrite(limit: 1000)
        while try !write.advance(request.bytes, budget: .max) {}
        #expect(write.lines.lines == 1)
    }

    @Test("A few bytes that stand for very many points stop at the limit")
    func bound() {
        let series = PrometheusWire.series(
            [("__name__", String(repeating: "m", count: 1000))], Array(repeating: (1, 1), count: 10_000))
        var write = RemoteWrite(limit: 1 << 20)
        #expect(throws: RemoteWrite.Failure.tooLarge("the points of the request are too large")) {
            while try !write.advance(PrometheusWire.write([series]), budget: .max) {}
        }
        #expect(write.lines.bytes.count < 1 << 21)
    }
}

struct SnappyTests {
    private func decoded(_ bytes: [UInt8], limit: Int = 1 << 20) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try Snappy.decoded($0, limit: limit) }
    }

    @Test("What was compressed comes out", arguments: [0, 1, 100, 100_000])
    func roundTrip(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 3) }
        #expect(try decoded(Snappy.encoded(bytes)) == bytes)
    }

    @Test("Truncated, lying and damaged blocks are refused")
    func corrupt() {
        let good = Snappy.encoded(Array("a remote write of some length".utf8))
        let bad: [[UInt8]] = [
            [], Array("garbage!".utf8), good.dropLast(3), [3] + good.dropFirst(), [100] + good.dropFirst(),
            [0xFF, 0xFF, 0xFF, 0xFF, 0x0F] + good.dropFirst(), [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F] + good.dropFirst(),
        ]
        for block in bad { #expect(throws: Snappy.Failure.corrupt) { try decoded(block) } }
    }

    @Test("A block of more than the limit is refused before it is decoded")
    func limit() {
        let bomb = Snappy.encoded([UInt8](repeating: 0, count: 1 << 20))
        #expect(throws: Snappy.Failure.tooLarge(limit: 1000)) { try decoded(bomb, limit: 1000) }
    }
}
