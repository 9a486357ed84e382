import Cluster
import CommitLog
import Testing

/// Not that of swift-testing.
private typealias Attachment = Cluster.Attachment

private let log = String(repeating: "a", count: 32)
private let otherLog = String(repeating: "b", count: 32)
private let server = ProcessIdentity(started: "2026-01-01T00:00:00.000000001Z", pid: 7)
private let earlier = ProcessIdentity(started: "2025-01-01T00:00:00.000000001Z", pid: 7)

private func offset(_ value: Int) -> Offset { Offset(UInt64(value)) }

private func marker(_ cursor: UInt64, epoch: UInt64 = 5, node: String = "a", log id: String = log) -> Marker {
    Marker(logID: id, epoch: epoch, cursor: cursor, node: node)
}

/// Node a of a log at epoch 6 that holds 100 ..< 2000, was opened at 1900 and has delivered up to 1000.
private func situation(_ change: (inout Attachment.Situation) -> Void = { _ in }) -> Attachment.Situation {
    var situation = Attachment.Situation(
        node: "a", logID: log, epoch: 6, logStart: offset(100), horizon: offset(1900), durableEnd: offset(2000),
        cursor: offset(1000))
    situation.process = server
    situation.markers = [marker(990)]
    change(&situation)
    return situation
}

private enum Expected: Equatable {
    case attach(Int), rewind(Int), needsCopy, hold, compareInventories

    init(_ verdict: Attachment.Verdict) {
        switch verdict {
        case .attach(let offset): self = .attach(Int(offset.rawValue))
        case .rewind(let offset, _): self = .rewind(Int(offset.rawValue))
        case .needsCopy: self = .needsCopy
        case .hold: self = .hold
        case .compareInventories: self = .compareInventories
        }
    }
}

private func reason(_ verdict: Attachment.Verdict) -> String {
    switch verdict {
    case .rewind(_, let reason), .needsCopy(let reason), .hold(let reason): reason
    case .attach, .compareInventories: ""
    }
}

private struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let expected: Expected
    /// Words that the reason must have.
    let says: [String]
    let situation: Attachment.Situation
    var testDescription: String { name }

    init(
        _ name: String, _ expected: Expected, _ says: String..., change: (inout Attachment.Situation) -> Void = { _ in }
    ) {
        self.name = name
        self.expected = expected
        self.says = says
        situation = AttachmentTests.make(change)
    }
}

@Suite("S11 What to do with a node that comes")
struct AttachmentTests {
    fileprivate static func make(_ change: (inout Attachment.Situation) -> Void) -> Attachment.Situation {
        situation(change)
    }

    private func check(_ row: Row) {
        let attachment = Attachment(row.situation)
        #expect(Expected(attachment.verdict) == row.expected, "\(attachment.verdict)")
        for text in row.says {
            #expect(reason(attachment.verdict).contains(text), "\(text) is not in: \(reason(attachment.verdict))")
        }
    }

    @Test(
        "S11 after a start of its server, a node with a shard that was never seen open is sent all since the last look",
        arguments: [
            (lookedAt: 950, open: [1], formerIsSame: false, expected: .attach(950)),
            (lookedAt: 995, open: [1], formerIsSame: false, expected: .attach(990)),
            (lookedAt: 950, open: [1, 2], formerIsSame: false, expected: .attach(990)),
            (lookedAt: 950, open: [1], formerIsSame: true, expected: .attach(1000)),
            (lookedAt: 50, open: [1], formerIsSame: false, expected: .attach(100)),
            (lookedAt: nil, open: [1], formerIsSame: false, expected: .attach(990)),
        ] as [(lookedAt: Int?, open: [Int64], formerIsSame: Bool, expected: Expected)])
    fileprivate func unseenShard(lookedAt: Int?, open: [Int64], formerIsSame: Bool, expected: Expected) {
        func shard(_ id: Int64) -> ShardIdentity { ShardIdentity(id: id, database: "d", policy: "autogen") }
        let judged = situation {
            $0.lastMarker = 990
            $0.formerProcess = formerIsSame ? server : ProcessIdentity(started: "before")
            if let lookedAt { $0.knownShards.saw([shard(1)], at: offset(lookedAt)) }
            $0.shards = ShardsSeen(
                process: server, open: Set(open.map(shard)),
                listed: [1, 2].map { ListedShard(shard($0), times: 0..<1, period: "") })
        }
        #expect(Expected(Attachment(judged).verdict) == expected)
    }

    @Test(
        "S11 a marker that fits lets a node in, at the marker if it may have gone back a little",
        arguments: [
            Row("after a start of the gateway", .attach(990)),
            Row("marker and cursor are equal", .attach(1000)) { $0.markers = [marker(1000)] },
            Row("as far behind as is usual", .attach(500)) {
                $0.markers = [marker(500)]
                $0.markerSlack = 500
            },
            Row("the server is the same as before: nothing is sent twice", .attach(1000)) {
                $0.formerProcess = server
                $0.lastMarker = 990
                $0.attemptedMarker = 990
                $0.markers = [marker(990, epoch: 6)]
            },
            Row("the server was restarted", .attach(990)) {
                $0.formerProcess = earlier
                $0.lastMarker = 990
                $0.attemptedMarker = 990
                $0.markers = [marker(990, epoch: 6)]
            },
            Row("a marker arrived whose answer did not", .attach(995)) {
                $0.lastMarker = 990
                $0.attemptedMarker = 995
                $0.markers = [marker(995, epoch: 6)]
            },
            Row("an older marker at the same place: nothing was delivered since", .attach(990)) {
                $0.lastMarker = 990
                $0.attemptedMarker = 990
                $0.markers = [marker(990, epoch: 4)]
            },
            Row("the gateway has forgotten its cursor", .attach(990)) { $0.cursor = nil },
            Row("a node whose databases were all dropped is no wiped node", .attach(990)) { $0.isEmpty = true },
            Row("a word of an operator changes nothing for a healthy node", .attach(990)) { $0.isTrusted = true },
        ])
    fileprivate func healthy(row: Row) { check(row) }

    @Test(
        "S11 a node that went back in time gets again what it lost, or needs a copy",
        arguments: [
            Row("behind the last marker that it confirmed", .rewind(400), "went back in time", "990") {
                $0.lastMarker = 990
                $0.attemptedMarker = 990
                $0.markers = [marker(400)]
            },
            Row("by one record", .rewind(989), "went back in time") {
                $0.lastMarker = 990
                $0.attemptedMarker = 990
                $0.markers = [marker(989, epoch: 6)]
            },
            Row("even if the server claims to be the same", .rewind(400)) {
                $0.formerProcess = server
                $0.lastMarker = 990
                $0.attemptedMarker = 990
                $0.markers = [marker(400, epoch: 6)]
            },
            Row("too far behind for a restart of the gateway", .rewind(400), "did not run", "1000") {
                $0.markers = [marker(400)]
                $0.markerSlack = 500
            },
            Row("so far that the log has no more", .needsCopy, "the log begins at 100", "copy") {
                $0.markers = [marker(99)]
            },
            Row("no further than the log reaches", .attach(100)) { $0.markers = [marker(100)] },
        ])
    fileprivate func wentBack(row: Row) { check(row) }

    @Test(
        "S11 when the log itself went back, nodes are held until a person has looked",
        arguments: [
            Row("a later epoch", .hold, "epoch 7", "only in epoch 6", "sluice nodes trust a") {
                $0.markers = [marker(990, epoch: 7)]
            },
            Row("this epoch, before anything was written", .hold, "did not write that") {
                $0.markers = [marker(990, epoch: 6)]
            },
            Row("this epoch, beyond what was written", .hold, "did not write that", "second gateway") {
                $0.markers = [marker(996, epoch: 6)]
                $0.lastMarker = 990
                $0.attemptedMarker = 995
            },
            Row("beyond the end of the log", .hold, "had only reached") { $0.markers = [marker(2001)] },
            Row("beyond the end at the open, though new records hide it", .hold, "only reached 1900") {
                $0.markers = [marker(1950)]
                $0.cursor = nil
            },
            Row("beyond the cursor", .hold, "only up to 1000") { $0.markers = [marker(1001)] },
            Row("kept as it is at an operator's word", .attach(1000)) {
                $0.markers = [marker(1001)]
                $0.isTrusted = true
            },
        ])
    fileprivate func logWentBack(row: Row) { check(row) }

    @Test(
        "S11 a node without a marker is new, wiped, or not what it was",
        arguments: [
            Row("new, and so is the log", .attach(0)) {
                $0.markers = []
                $0.cursor = nil
                $0.isEmpty = true
                $0.logStart = .zero
                $0.holdsAllHistory = true
            },
            Row("new beside nodes with data", .needsCopy, "new and empty") {
                $0.markers = []
                $0.cursor = nil
                $0.isEmpty = true
            },
            Row("new, the log begins at 0 but the nodes had data before", .needsCopy, "new and empty") {
                $0.markers = []
                $0.cursor = nil
                $0.isEmpty = true
                $0.logStart = .zero
            },
            Row("wiped, and the log has everything", .rewind(0), "was wiped") {
                $0.markers = []
                $0.isEmpty = true
                $0.logStart = .zero
                $0.holdsAllHistory = true
            },
            Row("wiped", .needsCopy, "was wiped", "1000") {
                $0.markers = []
                $0.isEmpty = true
            },
            Row("first contact, with data", .compareInventories) {
                $0.markers = []
                $0.cursor = nil
            },
            Row("never delivered to, with data", .compareInventories) {
                $0.markers = []
                $0.cursor = .zero
            },
            Row("its marker is gone, its data is not", .hold, "no marker", "_sluice", "sluice nodes trust a") {
                $0.markers = []
            },
            Row("declared good", .attach(1000)) {
                $0.markers = []
                $0.isTrusted = true
            },
            Row("declared good at first contact: it gets all that the log has", .attach(100)) {
                $0.markers = []
                $0.cursor = nil
                $0.isTrusted = true
            },
            Row("declared good, but its cursor lies below the log", .attach(100)) {
                $0.markers = []
                $0.cursor = offset(50)
                $0.isTrusted = true
            },
        ])
    fileprivate func withoutMarker(row: Row) { check(row) }

    @Test(
        "S11 copies, twins and other gateways' nodes are told apart",
        arguments: [
            Row("a copy of another node", .rewind(1500), "a copy of b", "1500") {
                $0.markers = [marker(1500, node: "b")]
            },
            Row("a copy made in this run", .rewind(1950), "a copy of b") {
                $0.markers = [marker(1950, epoch: 6, node: "b")]
                $0.cursor = nil
            },
            Row("a copy that is too old", .needsCopy, "the log begins at 100") {
                $0.markers = [marker(99, node: "b")]
            },
            Row("a copy from the future", .hold, "epoch 7") { $0.markers = [marker(1500, epoch: 7, node: "b")] },
            Row("the same server under two names", .hold, "a and b are the same server", "process 7") {
                $0.markers = [marker(1500, node: "b")]
                $0.peers = [Attachment.Situation.Peer(name: "b", process: server)]
            },
            Row("the same server, though an operator trusts it", .hold, "same server") {
                $0.peers = [Attachment.Situation.Peer(name: "b", process: server)]
                $0.isTrusted = true
            },
            Row("other servers", .attach(990)) {
                $0.peers = [
                    Attachment.Situation.Peer(name: "b", process: earlier),
                    Attachment.Situation.Peer(name: "c", process: nil),
                ]
            },
            Row("another gateway's node", .hold, "belongs to another gateway", otherLog) {
                $0.markers = [marker(990, log: otherLog)]
            },
            Row("another gateway's node, empty or not", .hold, otherLog) {
                $0.markers = [marker(990, log: otherLog)]
                $0.isEmpty = true
            },
            Row("taken over at an operator's word", .attach(100)) {
                $0.markers = [marker(990, log: otherLog)]
                $0.cursor = nil
                $0.isTrusted = true
            },
        ])
    fileprivate func others(row: Row) { check(row) }

    @Test("beside its own marker, another gateway's is a warning")
    func warning() {
        let both = Attachment(
            situation { $0.markers.append(marker(3, log: otherLog)) })
        #expect(both.verdict == .attach(offset(990)))
        #expect(both.warnings.count == 1)
        #expect(both.warnings.first?.contains(otherLog) == true)
        #expect(Attachment(situation()).warnings == [])
    }

    @Test("whatever is known, delivery never begins where the log has no records, and twins never get any")
    func everything() {
        let cursors: [Offset?] = [nil, .zero, offset(50), offset(1000), offset(3000)]
        let markers: [[Marker]] =
            [[]]
            + [0, 50, 990, 1950, 5000].flatMap { cursor in
                [4, 6, 9].flatMap { epoch in
                    ["a", "b"].map { [marker(cursor, epoch: epoch, node: $0)] }
                }
            } + [[marker(5, log: otherLog)]]
        var verdicts: Set<String> = []
        for cursor in cursors {
            for markers in markers {
                for bits in 0..<32 {
                    let situation = situation {
                        $0.cursor = cursor
                        $0.markers = markers
                        $0.isEmpty = bits & 1 != 0
                        $0.isTrusted = bits & 2 != 0
                        $0.holdsAllHistory = bits & 4 != 0
                        if bits & 4 != 0 { $0.logStart = .zero }
                        if bits & 8 != 0 {
                            $0.lastMarker = 990
                            $0.attemptedMarker = 990
                        }
                        if bits & 16 != 0 { $0.peers = [Attachment.Situation.Peer(name: "b", process: server)] }
                    }
                    let verdict = Attachment(situation).verdict
                    switch verdict {
                    case .attach(let offset), .rewind(let offset, _):
                        #expect(offset >= situation.logStart && offset <= situation.durableEnd)
                        #expect(situation.peers.isEmpty)
                    case .needsCopy, .hold, .compareInventories: break
                    }
                    verdicts.insert("\(verdict)".prefix { $0 != "(" }.description)
                }
            }
        }
        #expect(verdicts.count == 5)
    }
}
