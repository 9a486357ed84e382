import Gateway
import LineProtocol
import NIOCore
import Testing

@Suite("Batches of datagrams")
struct UDPBatchTests {
    private func add(_ text: String, at time: Int64 = 5, to batch: inout UDPBatch) -> UDPBatch.Taken {
        Array(text.utf8).withUnsafeBytes { batch.add($0, arrival: time) }
    }

    @Test("each line gets the time of its own datagram, and lines of two datagrams never touch")
    func stamps() {
        var batch = UDPBatch(precision: .microseconds, maximumLines: 10)
        _ = add("m v=1\nm v=2 7", at: 1_999, to: &batch)
        _ = add("n s=\"a\nb\"", at: 3_000, to: &batch)
        _ = add("# a comment without an end", at: 4_000, to: &batch)
        _ = add("o v=1", at: 4_000, to: &batch)
        #expect(batch.lines == 4)
        let lines = "m v=1 1\nm v=2 7\nn s=\"a\nb\" 3\no v=1 4\n"
        #expect(String(buffer: batch.payload) == lines)
    }

    @Test(
        "bad lines are counted, and their reason is told without them",
        arguments: [
            ("m v=1 1", 1, 0, nil), ("", 0, 0, nil), ("secret", 0, 1, "missing fields"),
            ("secret\nm v=1\nm v=x", 1, 2, "missing fields"), ("m v=1 x", 0, 1, "bad timestamp"),
            ("\u{0}\u{1}\u{ff}", 0, 1, "missing fields"),
        ] as [(String, Int, Int, String?)])
    func bad(_ text: String, _ lines: Int, _ bad: Int, _ reason: String?) {
        var batch = UDPBatch(precision: .nanoseconds, maximumLines: 10)
        let taken = add(text, to: &batch)
        #expect(taken.lines == lines && taken.badLines == bad && taken.reason == reason, "\(taken)")
        #expect(batch.lines == lines)
    }

    @Test("a batch is full by lines or by bytes, and can be used again")
    func full() {
        var batch = UDPBatch(precision: .nanoseconds, maximumLines: 3)
        _ = add("m v=1\nm v=2", to: &batch)
        #expect(!batch.isFull && !batch.isEmpty)
        _ = add("m v=1\nm v=2", to: &batch)
        #expect(batch.isFull && batch.lines == 4)
        batch.removeAll()
        #expect(batch.isEmpty && !batch.isFull && batch.payload.readableBytes == 0)
        var large = UDPBatch(precision: .nanoseconds, maximumLines: .max)
        let datagram = "m s=\"\(String(repeating: "x", count: 60_000))\""
        var count = 0
        while !large.isFull {
            _ = add(datagram, to: &large)
            count += 1
        }
        #expect(count == (UDPBatch.maximumBytes + 60_007) / 60_008)
    }
}
