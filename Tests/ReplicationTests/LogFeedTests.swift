import Cluster
import CommitLog
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

import Replication

/// A log in a folder of its own, with records of a few kinds.
private final class TestLog {
    let folder: String
    let log: CommitLog
    let appender: LogAppender
    private let durable = NIOLockedValueBox(0)

    init() throws {
        folder = NSTemporaryDirectory() + "feed-" + UUID().uuidString
        var configuration = CommitLog.Configuration(directory: folder)
        configuration.segmentBytes = 4 << 20
        (log, _) = try CommitLog.open(configuration, fileSystem: PosixFileSystem(), clock: SystemClock())
        let durable = durable
        appender = log.makeAppender { completion in
            if case .durable(_, let count) = completion { durable.withLockedValue { $0 += count } }
        }
    }

    deinit {
        log.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func append(database: String, payload: String) throws {
        let bytes = Array(payload.utf8)
        try appender.append(
            points: PointsRecord.Head(database: database, precision: 0, lineCount: 1), payloadBytes: bytes.count,
            replicaSet: 0
        ) { $0.copyBytes(from: bytes) }
    }
}

/// What one node was given.
private final class Received: Sendable {
    let state = NIOLockedValueBox((offsets: [UInt64](), payloads: [String](), failure: ""))

    func take(_ event: FeedEvent) -> Int {
        switch event {
        case .failed(let reason):
            state.withLockedValue { $0.failure = reason }
            return 0
        case .chunk(let chunk):
            state.withLockedValue { state in
                for record in chunk.records {
                    switch record {
                    case .item(let item):
                        state.offsets.append(item.offset.rawValue)
                        if let payload = item.points { state.payloads.append(String(buffer: payload)) }
                    case .other(let offset, _):
                        state.offsets.append(offset.rawValue)
                    }
                }
            }
            return chunk.bytes
        }
    }

    func hasAll(_ count: Int) -> Bool { state.withLockedValue { $0.offsets.count >= count } }
}

private func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = NIODeadline.now() + .seconds(20)
    while NIODeadline.now() < deadline {
        if condition() { return true }
        sched_yield()
    }
    return condition()
}

@Suite("The feed gives each node the log from its position on")
struct LogFeedTests {
    @Test("every node gets every record once, in order, whenever it begins and however little room it has")
    func inOrder() async throws {
        let test = try TestLog()
        let feed = LogFeed(log: test.log)
        feed.start()
        let early = Received()
        let slow = Received()
        feed.subscribe(NodeIndex(0), from: .zero, room: 1 << 20) { event in
            feed.grant(NodeIndex(0), bytes: early.take(event))
        }
        feed.subscribe(NodeIndex(1), from: .zero, room: 1) { event in
            feed.grant(NodeIndex(1), bytes: slow.take(event))
        }
        for number in 0..<500 { try test.append(database: "db", payload: "m v=\(number)\n") }
        // Larger than what is read at a time.
        let large = "m v=\"" + String(repeating: "x", count: 3 << 20) + "\"\n"
        try test.append(database: "db", payload: large)
        try test.appender.append(
            RefusalRecord(
                target: Offset(3), node: "a", database: "db", reason: "no", lines: [], totalRefused: 1
            ), replicaSet: 0
        )
        for number in 0..<20 { try test.append(database: "db", payload: "m v=\(number)\n") }
        #expect(eventually { early.hasAll(522) && slow.hasAll(522) })
        let late = Received()
        feed.subscribe(NodeIndex(2), from: Offset(400), room: 1 << 20) { event in
            feed.grant(NodeIndex(2), bytes: late.take(event))
        }
        #expect(eventually { late.hasAll(122) })
        await feed.stop()
        for node in [early, slow] {
            #expect(node.state.withLockedValue { $0.offsets } == (0..<522).map(UInt64.init))
            #expect(node.state.withLockedValue { $0.payloads[500] } == large)
        }
        #expect(late.state.withLockedValue { $0.offsets } == (400..<522).map(UInt64.init))
    }

    @Test("A6 without room nothing is delivered, so memory does not grow with the backlog")
    func noRoom() async throws {
        let test = try TestLog()
        let feed = LogFeed(log: test.log)
        feed.start()
        let received = Received()
        feed.subscribe(NodeIndex(0), from: .zero, room: 1) { _ = received.take($0) }
        for number in 0..<50 { try test.append(database: "db", payload: "m v=\(number)\n") }
        #expect(eventually { received.hasAll(1) })
        let first = received.state.withLockedValue { $0.offsets.count }
        #expect(eventually { test.log.durableEnd == Offset(50) })
        for number in 50..<60 { try test.append(database: "db", payload: "m v=\(number)\n") }
        #expect(eventually { test.log.durableEnd == Offset(60) })
        #expect(received.state.withLockedValue { $0.offsets.count } == first)
        feed.grant(NodeIndex(0), bytes: 1 << 20)
        #expect(eventually { received.hasAll(60) })
        await feed.stop()
    }
}

@Suite("The lines of a record, taken apart")
struct LineSearchTests {
    @Test("L7 L16 what is sent again is exactly the lines, also with newlines inside strings")
    func slices() {
        let lines = ["m v=1", "m s=\"a\nb\"", "# comment", "m v=2", "m v=3"]
        let payload = ByteBuffer(string: lines.map { $0 + "\n" }.joined())
        var search = LineSearch(payload: payload, refusal: Refusal(status: 400, message: "no"))
        #expect(search.lines.count == 4)
        var sent: [String] = []
        while let slice = search.slice(of: payload) {
            let text = String(buffer: slice)
            sent.append(text)
            if text.contains("v=2") {
                search.state.refused(Refusal(status: 400, message: "conflict"))
            } else {
                search.state.accepted()
            }
        }
        #expect(sent.contains("m v=1\nm s=\"a\nb\""))
        guard case .done(let refused) = search.state.next else { return }
        let record = search.record(
            refused: refused, of: Offset(7), node: "a", database: "db",
            key: BatchKey(retentionPolicy: "", precision: 0),
            textLimit: 100)
        #expect(record.lines == [RefusalRecord.Line(number: 2, text: "m v=2")])
        #expect(record.reason == "conflict" && record.totalRefused == 1 && record.target == Offset(7))
    }

    @Test("the text of refused lines is bounded, their number is not lost")
    func bounded() {
        let payload = ByteBuffer(string: (0..<10).map { "m v=\($0)\n" }.joined())
        let search = LineSearch(payload: payload, refusal: Refusal(status: 404, message: "no"))
        let all = [RefusalSearch.Refused(lines: 0..<10, refusal: Refusal(status: 404, message: "no"))]
        let record = search.record(
            refused: all, of: .zero, node: "a", database: "db", key: BatchKey(retentionPolicy: "", precision: 0),
            textLimit: 12)
        #expect(record.lines.count == 2 && record.totalRefused == 10)
    }
}

@Suite("Records as requests")
struct NodeRequestTests {
    @Test("S5 S6 database, retention policy and precision reach the node, whatever their names are")
    func targets() {
        let request = NodeRequests.write(
            database: "my db/ä&", retentionPolicy: "a+b", precision: "ms", body: [ByteBuffer(string: "m v=1\n")]
        )
        #expect(request.target == "/write?db=my%20db%2F%C3%A4%26&rp=a%2Bb&precision=ms")
        #expect(
            NodeRequests.write(database: "d", retentionPolicy: "", precision: "n", body: []).target == "/write?db=d")
    }
}
