import Cluster
import CommitLog
import Testing

private let a = NodeIndex(0)
private let b = NodeIndex(1)
private let second: Int64 = 1_000_000_000

private func offset(_ value: Int) -> Offset { Offset(UInt64(value)) }

/// Two nodes in sync at `durableEnd`, at time 0.
private func inSync(durableEnd: Int = 10) -> SyncSet {
    var sync = SyncSet(cursors: [offset(durableEnd), offset(durableEnd)])
    for node in [a, b] { _ = sync.healthChanged(node, isUp: true, missedPings: 0) }
    let actions = sync.tick(now: 0, durableEnd: offset(durableEnd))
    guard case .announce(let set, let announcement) = actions.last, set == [a, b] else {
        Issue.record("both nodes enter: \(actions)")
        return sync
    }
    _ = sync.confirmed(announcement: announcement, durableEnd: offset(durableEnd))
    return sync
}

@Suite("How nodes come into the in-sync set and leave it")
struct SyncSetTests {
    @Test("S2 a node that answers pings is not read before it has the backlog")
    func healthIsNotSync() {
        var sync = SyncSet(cursors: [offset(0)])
        _ = sync.healthChanged(a, isUp: true, missedPings: 0)
        #expect(sync.tick(now: 0, durableEnd: offset(100)).isEmpty)
        #expect(sync.tick(now: second, durableEnd: offset(100)).isEmpty)
        #expect(sync.readSet.isEmpty && sync.ackSet.isEmpty)
        _ = sync.progressed(a, cursor: offset(100))
        #expect(sync.tick(now: 2 * second, durableEnd: offset(100)) == [.announce(ackSet: [a], announcement: 1)])
    }

    @Test("S1 a node is waited for first, and read only when it has all that was acknowledged without it")
    func twoSteps() {
        var sync = SyncSet(cursors: [offset(95)])
        _ = sync.healthChanged(a, isUp: true, missedPings: 0)
        _ = sync.tick(now: 0, durableEnd: offset(95))
        _ = sync.tick(now: second, durableEnd: offset(100))
        #expect(sync.ackSet == [a])
        // The end at the time when all loops wait for it counts, not that of the announcement.
        #expect(sync.confirmed(announcement: 1, durableEnd: offset(120)).isEmpty)
        #expect(sync.progressed(a, cursor: offset(119)).isEmpty)
        #expect(sync.readSet.isEmpty)
        #expect(sync.progressed(a, cursor: offset(120)) == [.publish(readSet: [a]), .entered(a)])
        #expect(sync.readSet == [a])
    }

    @Test("an announcement that was overtaken by a departure does not let a node in")
    func overtakenAnnouncement() {
        var sync = SyncSet(cursors: [offset(5), offset(5)])
        for node in [a, b] { _ = sync.healthChanged(node, isUp: true, missedPings: 0) }
        #expect(sync.tick(now: 0, durableEnd: offset(5)).last == .announce(ackSet: [a, b], announcement: 1))
        let leave = sync.deliveryFailed(b, reason: "gone")
        #expect(
            leave == [
                .publish(readSet: []), .announce(ackSet: [a], announcement: 2), .left(b, reason: "gone"),
            ])
        #expect(sync.confirmed(announcement: 1, durableEnd: offset(5)).isEmpty)
        #expect(sync.readSet.isEmpty)
        #expect(sync.confirmed(announcement: 2, durableEnd: offset(5)) == [.publish(readSet: [a]), .entered(a)])
    }

    @Test("A1 leaving: readers first, then those who wait")
    func leavingOrder() {
        var sync = inSync()
        #expect(sync.readSet == [a, b])
        let actions = sync.deliveryFailed(b, reason: "connection refused")
        #expect(actions.first == .publish(readSet: [a]))
        guard case .announce(let set, _) = actions[1] else { return #expect(Bool(false), "\(actions)") }
        #expect(set == [a])
    }

    @Test("a node that makes writes wait longer than sync_timeout leaves; the fastest never does for slowness")
    func slowness() {
        var sync = inSync()
        #expect(sync.tick(now: second, durableEnd: offset(20)).isEmpty)
        _ = sync.progressed(a, cursor: offset(15))
        #expect(sync.tick(now: 2 * second, durableEnd: offset(20)).isEmpty)
        _ = sync.tick(now: 3 * second + 1, durableEnd: offset(20))
        #expect(sync.readSet == [a], "b has applied nothing for more than two seconds")
        _ = sync.tick(now: 60 * second, durableEnd: offset(20))
        #expect(sync.readSet == [a], "a is the fastest there is")
    }

    @Test("A12 when all are slow, nobody is thrown out")
    func allSlow() {
        var sync = inSync()
        _ = sync.tick(now: second, durableEnd: offset(20))
        _ = sync.tick(now: 30 * second, durableEnd: offset(20))
        #expect(sync.readSet == [a, b])
    }

    @Test("a node that gives no answer at all leaves, be it the fastest")
    func noAnswer() {
        var sync = inSync()
        _ = sync.tick(now: second, durableEnd: offset(20))
        for node in [a, b] { _ = sync.healthChanged(node, isUp: true, missedPings: 1) }
        _ = sync.tick(now: 4 * second, durableEnd: offset(20))
        #expect(sync.ackSet.isEmpty)
    }

    @Test("a node whose pings fail leaves, and is not asked back before it answers")
    func down() {
        var sync = inSync()
        _ = sync.healthChanged(b, isUp: false, missedPings: 3)
        #expect(sync.readSet == [a])
        #expect(sync.tick(now: second, durableEnd: offset(10)).isEmpty)
        _ = sync.healthChanged(b, isUp: true, missedPings: 0)
        #expect(!sync.tick(now: 2 * second, durableEnd: offset(10)).isEmpty)
    }

    @Test("a node that needs a copy is neither waited for nor read, whatever it applies")
    func needsCopy() {
        var sync = SyncSet(cursors: [nil, offset(3)])
        for node in [a, b] { _ = sync.healthChanged(node, isUp: true, missedPings: 0) }
        let actions = sync.tick(now: 0, durableEnd: offset(3))
        #expect(actions == [.announce(ackSet: [b], announcement: 1)])
        #expect(sync.fallbacks(notBelow: .zero).isEmpty)
    }

    @Test("only nodes past the horizon may stand in when none is in sync, the most advanced first")
    func fallbacks() {
        var sync = SyncSet(cursors: [offset(5), offset(9)])
        for node in [a, b] { _ = sync.healthChanged(node, isUp: true, missedPings: 0) }
        #expect(sync.fallbacks(notBelow: offset(5)) == [b, a])
        #expect(sync.fallbacks(notBelow: offset(6)) == [b])
        #expect(sync.fallbacks(notBelow: offset(10)).isEmpty)
    }

    @Test("random events: the read set is always within what every loop waits for", arguments: 0..<300)
    func readWithinAck(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var sync = SyncSet(cursors: [offset(0), offset(0), offset(0)])
        var end = 0
        var now: Int64 = 0
        /// What the loops wait for, and announcements on their way to them.
        var loops = NodeSet()
        var underWay: [(NodeSet, Int)] = []
        var readers = NodeSet()
        /// The highest offset that was acknowledged without a node, by node.
        var ackedWithout = [0, 0, 0]
        func perform(_ actions: [SyncSet.Action]) {
            for action in actions {
                switch action {
                case .publish(let set): readers = set
                case .announce(let set, let announcement): underWay.append((set, announcement))
                case .entered, .left: break
                }
            }
        }
        for _ in 0..<400 {
            let node = Int(random.next() % 3)
            switch random.next() % 7 {
            case 0: end += Int(random.next() % 5)
            case 1:
                now += Int64(random.next() % 400_000_000)
                perform(sync.tick(now: now, durableEnd: offset(end)))
            case 2, 3:
                let cursor = Int(sync.members[node].cursor.rawValue)
                perform(sync.progressed(NodeIndex(node), cursor: offset(min(end, cursor + Int(random.next() % 4)))))
            case 4:
                let isUp = random.next() % 4 != 0
                perform(sync.healthChanged(NodeIndex(node), isUp: isUp, missedPings: isUp ? 0 : 3))
            case 5:
                if random.next() % 4 == 0 { perform(sync.deliveryFailed(NodeIndex(node), reason: "")) }
            default:
                guard !underWay.isEmpty else { continue }
                let (set, announcement) = underWay.removeFirst()
                loops = set
                perform(sync.confirmed(announcement: announcement, durableEnd: offset(end)))
            }
            // Whatever the loops need not wait for may be acknowledged without it at any time.
            for index in 0..<3 where !loops.contains(NodeIndex(index)) { ackedWithout[index] = end }
            #expect(readers.isSubset(of: loops), "a reader might miss what is acknowledged now")
            #expect(readers == sync.readSet)
            for reader in readers {
                #expect(sync.members[Int(reader.value)].cursor >= offset(ackedWithout[Int(reader.value)]))
            }
        }
    }
}

@Suite("How old a backlog is")
struct DurableHistoryTests {
    @Test("the age is that of the first record that is lacking")
    func ages() {
        var history = DurableHistory(reach: 100)
        history.note(offset(5), at: 0)
        history.note(offset(7), at: 10)
        history.note(offset(7), at: 20)
        history.note(offset(9), at: 30)
        #expect(history.age(ofBacklogFrom: offset(9), at: 50) == 0)
        #expect(history.age(ofBacklogFrom: offset(8), at: 50) == 20)
        #expect(history.age(ofBacklogFrom: offset(7), at: 50) == 20)
        #expect(history.age(ofBacklogFrom: offset(6), at: 50) == 40)
        #expect(history.age(ofBacklogFrom: offset(3), at: 50) == .max)
    }
}
