// What passes of an answer with a limit on its rows, and what is held back.
import Gateway
import NIOCore
import Querying
import Testing

@Suite("Answers with a limit on rows")
struct LimitedAnswerTests {
    private func answer(
        rows: Int, bytes: Int = 1_000, isChunked: Bool, contentType: String = "application/json"
    ) -> LimitedAnswer {
        let answer = LimitedAnswer(maximumRows: rows, maximumBytes: bytes, isChunked: isChunked)
        answer.begin(200, [("Content-Type", contentType)])
        return answer
    }

    /// A document with so many rows.
    private func chunk(_ rows: Int) -> ByteBuffer {
        let values = (0..<rows).map { "[\($0)]" }.joined(separator: ",")
        return ByteBuffer(string: "{\"results\":[{\"statement_id\":0,\"series\":[{\"values\":[\(values)]}]}]}\n")
    }

    @Test("a chunk passes when it is whole, and the one that goes too far is held back")
    func chunks() {
        let answer = answer(rows: 5, isChunked: true)
        var first = chunk(3)
        let firstHalf = first.readSlice(length: 30) ?? ByteBuffer()
        #expect(answer.take(firstHalf) == .pass(ByteBuffer()))
        var (rest, whole) = (first, chunk(3))
        var second = chunk(2)
        rest.writeBuffer(&second)
        var expected = chunk(2)
        whole.writeBuffer(&expected)
        #expect(answer.take(rest) == .pass(whole))
        var last = chunk(0)
        var tooMany = chunk(1)
        let lastWhole = last
        last.writeBuffer(&tooMany)
        #expect(answer.take(last) == .stop(pass: lastWhole, isTooLarge: false))
    }

    @Test("what is not chunked passes only when it is whole; so does CSV", arguments: [true, false])
    func whole(isCSV: Bool) {
        let answer = answer(rows: 5, isChunked: isCSV, contentType: isCSV ? "text/csv" : "application/json")
        let body = isCSV ? ByteBuffer(string: "name,tags,v\nm,,1\nm,,2\n") : chunk(5)
        #expect(answer.take(body) == .pass(ByteBuffer()))
        #expect(answer.held == body)
    }

    @Test("A6 no more is held back than a limit, and rows are never passed uncounted for that")
    func bytes() {
        let whole = answer(rows: 1_000, bytes: 100, isChunked: false)
        #expect(whole.take(chunk(50)) == .stop(pass: ByteBuffer(), isTooLarge: true))
        let chunked = answer(rows: 1_000, bytes: 100, isChunked: true)
        #expect(chunked.take(chunk(50)) == .pass(chunk(50)))
        var next = chunk(50)
        let part = next.readSlice(length: next.readableBytes - 1) ?? ByteBuffer()
        #expect(chunked.take(part) == .stop(pass: ByteBuffer(), isTooLarge: true))
    }
}
