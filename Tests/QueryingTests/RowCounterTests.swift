// Rows are counted in each format, wherever an answer is cut into pieces.
import Querying
import Testing

@Suite("Row counter")
struct RowCounterTests {
    /// Rows after all pieces, and where documents ended.
    private func count(_ bytes: [UInt8], _ format: RowCounter.Format, pieces size: Int) -> (rows: Int, ends: [Int]) {
        var counter = RowCounter(format)
        var ends: [Int] = []
        var position = 0
        while position < bytes.count {
            let piece = Array(bytes[position..<min(position + size, bytes.count)])
            let (count, ended) = piece.withUnsafeBytes { counter.take($0) }
            position += count
            if ended { ends.append(position) }
        }
        return (counter.rows, ends)
    }

    private static let json: [(String, rows: Int)] = [
        (#"{"results":[{"statement_id":0}]}"#, 0),
        (#"{"results":[{"statement_id":0,"error":"[[[[[[[["}]}"#, 0),
        (
            #"{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[[1,2],[3,null]]}]}]}"#,
            2
        ),
        (
            #"{"results":[{"statement_id":0,"series":[{"name":"a]","tags":{"x":"[\"[\\"},"columns":["t"],"values":[["[1,2]"]],"partial":true},{"name":"b","columns":["t"],"values":[[1],[2],[3]]}],"messages":[{"level":"warning","text":"x"}],"partial":true},{"statement_id":1,"series":[{"columns":["t"],"values":[[1]]}]}]}"#,
            5
        ),
        (
            #"{"results":[{"statement_id":0,"series":[{"columns":["name","destinations"],"values":[["s",["udp://a","udp://b"]]]}]}]}"#,
            1
        ),
    ]

    @Test("rows of JSON are counted, in any pieces, compact and pretty")
    func countsJSON() {
        for (text, rows) in Self.json {
            let compact = Array(text.utf8) + [0x0A]
            for bytes in [compact, JSONText.indented(compact)] {
                for size in [1, 2, 7, 64, 10_000] {
                    let counted = count(bytes, .json, pieces: size)
                    #expect(counted.rows == rows && counted.ends == [bytes.count], "\(text)")
                }
            }
        }
    }

    @Test("each chunk of a chunked answer is a document")
    func chunks() {
        let chunk = Array(Self.json[2].0.utf8) + [0x0A]
        let counted = count(chunk + chunk + chunk, .json, pieces: 50)
        #expect(counted.rows == 6 && counted.ends == [chunk.count, 2 * chunk.count, 3 * chunk.count])
    }

    @Test("lines of CSV count, but for headers and blank lines; a line end within quotes is data")
    func csv() {
        let text =
            "name,tags,time,v\ncpu,host=a,1,2\ncpu,host=a,2,\"a\nb\"\n\nname,tags,time,w\ncpu,,1,\"say \"\"x\"\"\nname,tags,\"\nname,,1,2\n"
        for size in [1, 3, 1_000] { #expect(count(Array(text.utf8), .csv, pieces: size).rows == 4) }
        #expect(count([], .csv, pieces: 1).rows == 0)
    }

    /// {results: [{statement_id: 0, series: [{name, columns: [time, v], values: [[time, 1.5], [time, "s"], [int, nil]]}]}]}
    private static let messagePack: [UInt8] = {
        func text(_ text: String) -> [UInt8] { [0xA0 | UInt8(text.utf8.count)] + Array(text.utf8) }
        let time: [UInt8] = [0xC7, 12, 5] + [UInt8](repeating: 0x91, count: 12)
        var bytes: [UInt8] = [0x81] + text("results") + [0xDC, 0, 1, 0x82] + text("statement_id") + [0x00]
        bytes += text("series") + [0xDD, 0, 0, 0, 1, 0x83] + text("name") + [0xD9, 3] + Array("cpu".utf8)
        bytes += text("columns") + [0x92] + text("time") + text("v") + text("values") + [0x93]
        bytes += [0x92] + time + [0xCB, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0]
        bytes += [0x92] + time + text("[s]")
        bytes += [0x92, 0xD3] + [UInt8](repeating: 0x92, count: 8) + [0xC0]
        return bytes
    }()

    @Test("rows of MessagePack are counted, in any pieces")
    func countsMessagePack() {
        let one = Self.messagePack
        for size in [1, 2, 5, 1_000] {
            let counted = count(one + one, .messagePack, pieces: size)
            #expect(counted.rows == 6 && counted.ends == [one.count, 2 * one.count])
        }
        #expect(count([0x81, 0xA7] + Array("results".utf8) + [0x90], .messagePack, pieces: 3).ends == [10])
    }

    @Test("the format is what the node says")
    func formats() {
        let expected: [(String, RowCounter.Format)] = [
            ("application/json", .json), ("text/csv", .csv), ("application/csv; charset=utf-8", .csv),
            ("application/x-msgpack", .messagePack), ("", .json),
        ]
        for (type, format) in expected { #expect(RowCounter.Format(contentType: type) == format) }
    }

    @Test("what stands in the place of a chunk has an error under the chunk's number")
    func lastDocument() {
        let cut = Array(#"{"results":[{"statement_id":12,"series":[{"#.utf8)
        let json = RowCounter(.json).lastDocument(error: "too \"many\"", inPlaceOf: cut, isPretty: false)
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"results":[{"statement_id":12,"error":"too \"many\""}]}"# + "\n")
        let pretty = RowCounter(.json).lastDocument(
            error: "x", inPlaceOf: JSONText.indented(cut + Array("}]}]}".utf8)), isPretty: true)
        #expect(String(decoding: pretty, as: UTF8.self).contains("\"statement_id\": 12,"))
        let packed = RowCounter(.messagePack).lastDocument(error: "x", inPlaceOf: [], isPretty: false)
        #expect(packed.count == 19)
    }
}
