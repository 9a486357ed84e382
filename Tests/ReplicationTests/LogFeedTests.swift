import Cluster
import CommitLog
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestThreads
import Testing

import Replication

/// A log in a folder of its own, with records of a few kinds.
private final class TestLog {
    let folder: String
    let log: CommitLog
    let sets: ReplicaSetTable
    let appender: LogAppender
    private let durable = NIOLockedValueBox(0)

    /// - Parameter replicaSets: get the numbers from 1 on, the one with the first nodes first.
    init(segmentBytes: UInt64 = 4 << 20, replicaSets: Set<NodeSet> = []) throws {
        folder = NSTemporaryDirectory() + "feed-" + UUID().uuidString
        var configuration = CommitLog.Configuration(directory: folder)
        configuration.segmentBytes = segmentBytes
        configuration.keptBytes = 0
        (log, _) = try CommitLog.open(configuration, fileSystem: PosixFileSystem(), clock: SystemClock())
        sets = ReplicaSetTable(
            log: log, names: ["a", "b", "c"], replicaSets: replicaSets,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let durable = durable
        appender = log.makeAppender { completion in
            if case .durable(_, let count) = completion { durable.withLockedValue { $0 += count } }
        }
    }

    deinit {
        log.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func append(database: String, payload: String, replicaSet: UInt16 = 0) throws {
        let bytes = Array(payload.utf8)
        try appender.append(
            points: PointsRecord.Head(database: database, precision: 0, lineCount: 1), payloadBytes: bytes.count,
            replicaSet: replicaSet
        ) { $0.copyBytes(from: bytes) }
    }
}

/// What one node was given.
private final class Received: Sendable {
    let state = NIOLockedValueBox(
        (offsets: [UInt64](), payloads: [String](), failure: "", lostBefore: Offset?.none, gaps: 0))

    func take(_ event: FeedEvent) -> Int {
        switch event {
        case .failed(let reason, let lostBefore):
            state.withLockedValue { state in
                state.failure = reason
                state.lostBefore = lostBefore
            }
            return 0
        case .chunk(let chunk):
            state.withLockedValue { state in
                for record in chunk.records {
                    switch record {
                    case .item(let item):
                        state.offsets.append(item.offset.rawValue)
                        if let payload = item.points { state.payloads.append(String(buffer: payload)) }
                    case .gap(let gap): state.gaps += gap.lowerBound.distance(to: gap.upperBound)
                    case .refusal(let offset, _, _, _):
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

@Suite("The feed gives each node the log from its position on", .blocking)
struct LogFeedTests {
    @Test("every node gets every record once, in order, whenever it begins and however little room it has")
    func inOrder() async throws {
        let test = try TestLog()
        let feed = LogFeed(log: test.log, sets: test.sets)
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

    @Test(
        "S11 what the log left out is nothing to nodes without a part in it; one that lacks it is told how much is gone"
    )
    func gaps() async throws {
        let sets: Set<NodeSet> = [NodeSet([NodeIndex(0)]), NodeSet([NodeIndex(1)])]
        let test = try TestLog(segmentBytes: 64 << 10, replicaSets: sets)
        // Of b's records one in ten.
        for number in 0..<2000 {
            try test.append(
                database: "db", payload: "m v=\(number),s=\"\(String(repeating: "x", count: 200))\"\n",
                replicaSet: number % 10 == 0 ? 2 : 1)
        }
        #expect(eventually { test.log.durableEnd == Offset(2000) })
        test.log.setCursor("b", to: .zero)
        test.log.setFinished([0: test.log.durableEnd, 1: test.log.durableEnd, 2: .zero], default: .zero)
        #expect(eventually { test.log.figures.rewrittenSegments > 5 })
        let feed = LogFeed(log: test.log, sets: test.sets)
        feed.start()
        let received = (0..<3).map { _ in Received() }
        for node in [0, 1, 2] {
            feed.subscribe(NodeIndex(node), from: .zero, room: 1 << 20) { event in
                feed.grant(NodeIndex(node), bytes: received[node].take(event))
            }
        }
        #expect(eventually { received[0].state.withLockedValue { $0.lostBefore } != nil })
        #expect(eventually { received[1...].allSatisfy { $0.state.withLockedValue { $0.offsets.last } == 1999 } })
        await feed.stop()
        let node = received[1].state.withLockedValue { $0 }
        #expect(Set(stride(from: 0, to: 2000, by: 10)).isSubset(of: node.offsets), "each record that is its own")
        #expect(node.offsets.count + node.gaps == 2000 && node.gaps > 1000, "\(node.offsets.count) and \(node.gaps)")
        #expect(node.failure == "")
        // More may have been left out since.
        let lost = try #require(test.log.leftOut(from: .zero) { $0 == 1 })
        let told = try #require(received[0].state.withLockedValue { $0.lostBefore })
        #expect(told > Offset(500) && told <= lost.upperBound)
        #expect(received[0].state.withLockedValue { $0.failure }.contains("were left out"))
    }

    @Test("A6 without room nothing is delivered, so memory does not grow with the backlog")
    func noRoom() async throws {
        let test = try TestLog()
        let feed = LogFeed(log: test.log, sets: test.sets)
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

@Suite("The lines of a batch, taken apart")
struct BatchLinesTests {
    @Test("L7 L16 what is sent again is exactly the lines, also with newlines inside strings")
    func bodies() {
        let first = ByteBuffer(string: "m v=1\nm s=\"a\nb\"\n# comment\nm v=2\nm v=3\n")
        let second = ByteBuffer(string: "n v=4 10\nn v=5 20")
        let lines = BatchLines([first, second])
        func text(_ chosen: [Int]) -> String { lines.body(of: chosen).map { String(buffer: $0) }.joined() }
        #expect(lines.count == 6)
        #expect(text([0, 1]) == "m v=1\nm s=\"a\nb\"\n")
        #expect(text([0, 3, 5]) == "m v=1\nm v=3\nn v=5 20\n")
        #expect(text([2, 4]) == "m v=2\nn v=4 10\n")
        #expect(lines.times(of: [4, 5], precision: .seconds) == 10_000_000_000...20_000_000_000)
        #expect(lines.times(of: [0, 4], precision: .seconds) == nil)
        #expect(lines.excluded([1..<3], item: 0) == [1, 2])
        #expect(lines.measurements(of: [0], item: 1) == ["n"])
    }

    @Test(
        "L22 the node's own words name the lines that it refused",
        arguments: [
            (
                "partial write: field type conflict: input field \"v\" on measurement \"a b\" is type integer, already "
                    + "exists as type float dropped=2", [0, 3]
            ),
            (
                "partial write: max-values-per-tag limit exceeded (3/3): measurement=\"m\" tag=\"h\" value=\"4\" dropped=1",
                [1]
            ),
            ("partial write: invalid tag key: input tag \"time\" on measurement \"m\" is invalid dropped=1", [2]),
            ("partial write: max-series-per-database limit exceeded: (5) dropped=1", []),
        ])
    func words(_ words: String, _ expected: [Int]) {
        let text = "a\\ b v=1i 1\nm,h=4 v=1 2\nm,time=1 w=1 3\na\\ b,x=y u=1,v=2i 4\na\\ b v=1 5\n"
        let lines = BatchLines([ByteBuffer(string: text)])
        #expect(lines.matching(RefusalRule(words: words).map { [$0] } ?? []) == expected)
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
