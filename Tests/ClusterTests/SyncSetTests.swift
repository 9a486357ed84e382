import Cluster
import CommitLog
import TestThreads
import Testing

private let a = NodeIndex(0)
private let b = NodeIndex(1)
private let second: Int64 = 1_000_000_000

private func offset(_ value: Int) -> Offset { Offset(UInt64(value)) }

/// Nodes that are up and attached at these cursors.
private func attached(_ cursors: Int..., horizon: Int = 0, settings: SyncSet.Settings = .init()) -> SyncSet {
    var sync = SyncSet(nodes: cursors.count, settings: settings)
    for (index, cursor) in cursors.enumerated() {
        _ = sync.healthChanged(NodeIndex(index), isUp: true, missedPings: 0)
        _ = sync.attached(NodeIndex(index), cursor: offset(cursor), horizon: offset(horizon))
    }
    return sync
}

/// Two nodes in sync at `durableEnd`, at time 0.
private func inSync(durableEnd: Int = 10) -> SyncSet {
    var sync = attached(durableEnd, durableEnd)
    let actions = sync.tick(now: 0, durableEnd: offset(durableEnd))
    guard case .announce(let set, let announcement) = actions.last, set == [a, b] else {
        Issue.record("both nodes enter: \(actions)")
        return sync
    }
    _ = sync.confirmed(announcement: announcement, durableEnd: offset(durableEnd))
    return sync
}

@Suite("How nodes come into the in-sync set and leave it", .blocking)
struct SyncSetTests {
    @Test("S2 a node that answers pings is not read before it has the backlog")
    func healthIsNotSync() {
        var sync = attached(0)
        #expect(sync.tick(now: 0, durableEnd: offset(100)).isEmpty)
        #expect(sync.tick(now: second, durableEnd: offset(100)).isEmpty)
        #expect(sync.readSet.isEmpty && sync.ackSet.isEmpty)
        _ = sync.progressed(a, cursor: offset(100))
        #expect(sync.tick(now: 2 * second, durableEnd: offset(100)) == [.announce(ackSet: [a], announcement: 1)])
    }

    @Test("S1 a node is waited for first, and read only when it has all that was acknowledged without it")
    func twoSteps() {
        var sync = attached(95)
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

    @Test("a node whose role is not to be waited for stays catching-up, and only an async one is a stand-in")
    func roles() {
        var sync = SyncSet(nodes: 3, roles: [.normal, .writeOnly, .async])
        for index in 0..<3 {
            _ = sync.healthChanged(NodeIndex(index), isUp: true, missedPings: 0)
            _ = sync.attached(NodeIndex(index), cursor: offset(10), horizon: offset(0))
        }
        #expect(sync.fallbacks() == [a, NodeIndex(2)])
        #expect(sync.tick(now: 0, durableEnd: offset(10)) == [.announce(ackSet: [a], announcement: 1)])
        _ = sync.confirmed(announcement: 1, durableEnd: offset(10))
        #expect(sync.readSet == [a])
        #expect(sync.tick(now: second, durableEnd: offset(10)).isEmpty)
        #expect(sync.obstacle(b)?.contains("write-only") == true)
    }

    @Test("A12 a slow node stays where its replica set would have nobody without it, and leaves where there is another")
    func slowInASet() {
        let c = NodeIndex(2)
        for (sets, leaves) in [([[a, b, c]], true), ([[a, b], [b, c]], true), ([[a, b], [b]], false)]
            as [([NodeSet], Bool)]
        {
            var sync = SyncSet(nodes: 3, replicaSets: Set(sets))
            for index in 0..<3 {
                _ = sync.healthChanged(NodeIndex(index), isUp: true, missedPings: 0)
                _ = sync.attached(NodeIndex(index), cursor: offset(10), horizon: offset(0))
            }
            _ = sync.tick(now: 0, durableEnd: offset(10))
            _ = sync.confirmed(announcement: 1, durableEnd: offset(10))
            #expect(sync.readSet == [a, b, c])
            var now: Int64 = 0
            for step in 1...200 {
                now += 50_000_000
                _ = sync.progressed(a, cursor: offset(10 + step))
                _ = sync.progressed(c, cursor: offset(10 + step))
                _ = sync.tick(now: now, durableEnd: offset(10 + step))
            }
            #expect(sync.ackSet.contains(b) == !leaves, "\(sets)")
            #expect(sync.ackSet.contains(a) && sync.ackSet.contains(c))
        }
    }

    @Test("an announcement that was overtaken by a departure does not let a node in")
    func overtakenAnnouncement() {
        var sync = attached(5, 5)
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

    @Test("A12 a node that holds up writes leaves when its delay budget is spent, and returns when it is full again")
    func slowness() {
        var sync = inSync()
        var log: [String] = []
        var end = 10
        // Ten records a second for two minutes; b applies nothing from second 1 to second 5.
        for tick in 1...2400 {
            let now = Int64(tick) * second / 20
            if tick % 2 == 0 { end += 1 }
            var actions = sync.progressed(a, cursor: offset(end))
            if !(20..<100).contains(tick) { actions += sync.progressed(b, cursor: offset(end)) }
            actions += sync.tick(now: now, durableEnd: offset(end))
            for action in actions {
                switch action {
                case .announce(_, let announcement):
                    _ = sync.confirmed(announcement: announcement, durableEnd: offset(end))
                    if sync.readSet.contains(b) { log.append("b entered at \(tick / 20) s") }
                case .left(let node, let reason):
                    #expect(node == b)
                    #expect(reason == "writes waited for it 2.0 s longer than for the fastest node, within 60.0 s")
                    #expect(sync.budgetLeft(b) == 0)
                    #expect(
                        sync.obstacle(b)?.hasSuffix("it may come back when it has made nobody wait for as long") == true
                    )
                    log.append("b left at \(tick / 20) s")
                case .publish, .entered: break
                }
            }
        }
        #expect(log == ["b left at 3 s", "b entered at 63 s"])
        #expect(sync.budgetLeft(a) == 1 && sync.budgetLeft(b) == 1)
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

    @Test("A12 a node without a budget comes back at once when nobody else is in sync, and goes when it is slow again")
    func lastOneLeft() {
        var sync = inSync()
        var tick = 0
        func run(ticks: Int, a isFastThere: Bool, bLacks lag: Int) {
            for _ in 0..<ticks {
                tick += 1
                if isFastThere { _ = sync.progressed(a, cursor: offset(10 + tick)) }
                _ = sync.progressed(b, cursor: offset(10 + tick - lag))
                for action in sync.tick(now: Int64(tick) * second / 20, durableEnd: offset(10 + tick)) {
                    guard case .announce(_, let announcement) = action else { continue }
                    _ = sync.confirmed(announcement: announcement, durableEnd: offset(10 + tick))
                }
            }
        }
        run(ticks: 20, a: true, bLacks: 0)
        run(ticks: 60, a: true, bLacks: 10)
        #expect(sync.readSet == [a] && sync.budgetLeft(b) == 0)
        run(ticks: 20, a: true, bLacks: 0)
        #expect(sync.readSet == [a], "its budget is not full")
        _ = sync.deliveryFailed(a, reason: "gone")
        run(ticks: 20, a: false, bLacks: 0)
        #expect(sync.readSet == [b])
        run(ticks: 20, a: true, bLacks: 0)
        #expect(sync.readSet == [a, b])
        run(ticks: 20, a: true, bLacks: 10)
        #expect(sync.readSet == [a])
    }

    @Test("a budget that is partly used keeps no node from entering again after another fault")
    func anotherFault() {
        var sync = inSync()
        for tick in 1...20 {
            _ = sync.progressed(a, cursor: offset(10 + tick))
            _ = sync.tick(now: Int64(tick) * second / 20, durableEnd: offset(10 + tick))
        }
        _ = sync.deliveryFailed(b, reason: "reset")
        let left = sync.budgetLeft(b)
        #expect(left > 0.3 && left < 0.7)
        _ = sync.progressed(b, cursor: offset(30))
        #expect(sync.tick(now: 2 * second, durableEnd: offset(30)).last == .announce(ackSet: [a, b], announcement: 3))
        #expect(sync.budgetLeft(b) == left)
    }

    @Test("S11 a node is detached until it was looked at: neither waited for, nor read, nor a stand-in")
    func detached() {
        var sync = SyncSet(nodes: 2)
        for node in [a, b] { _ = sync.healthChanged(node, isUp: true, missedPings: 0) }
        #expect(sync.tick(now: 0, durableEnd: offset(3)).isEmpty)
        #expect(sync.members[0].state == .detached(reason: "it has not answered yet"))
        #expect(sync.members[0].state.word == "unattached")
        #expect(sync.progressed(a, cursor: offset(3)).isEmpty)
        #expect(sync.members[0].cursor == .zero, "late news from before")
        #expect(sync.fallbacks().isEmpty)
        _ = sync.attached(b, cursor: offset(3), horizon: offset(3))
        #expect(sync.tick(now: 1, durableEnd: offset(3)) == [.announce(ackSet: [b], announcement: 1)])
    }

    @Test(
        "S11 a node that went back in time leaves the sets before it is fed again, and what was on its way is ignored")
    func rewind() {
        var sync = inSync()
        let before = sync.members[1].attachment
        let actions = sync.attached(b, cursor: offset(4), horizon: offset(10))
        #expect(actions.first == .publish(readSet: [a]))
        #expect(sync.ackSet == [a])
        #expect(sync.progressed(b, cursor: offset(10), attachment: before).isEmpty)
        #expect(sync.members[1].cursor == offset(4))
        #expect(sync.fallbacks().isEmpty)
        _ = sync.progressed(b, cursor: offset(9), attachment: before + 1)
        #expect(sync.fallbacks().isEmpty)
        #expect(sync.tick(now: 1, durableEnd: offset(10)).isEmpty, "below its horizon no node enters")
        #expect(sync.obstacle(b)?.contains("10") == true)
        _ = sync.progressed(b, cursor: offset(10), attachment: before + 1)
        #expect(sync.tick(now: 2, durableEnd: offset(10)).last == .announce(ackSet: [a, b], announcement: 3))
    }

    @Test("S10 a node with an unsettled request is neither waited for, nor read, nor a stand-in, until it is settled")
    func unsettled() {
        var sync = inSync()
        _ = sync.unsettled(b, reason: "a connection was lost with a request under way")
        #expect(sync.readSet == [a])
        #expect(sync.fallbacks().isEmpty)
        #expect(sync.tick(now: 1, durableEnd: offset(10)).isEmpty)
        #expect(sync.obstacle(b) == "a connection was lost with a request under way")
        _ = sync.settled(b)
        #expect(sync.fallbacks() == [b])
        #expect(sync.tick(now: 2, durableEnd: offset(10)).last == .announce(ackSet: [a, b], announcement: 3))
    }

    @Test("a paused node leaves and stays out, whatever it does, and comes back when it is resumed")
    func paused() {
        var sync = inSync()
        #expect(sync.paused(b, reason: "maintenance").first == .publish(readSet: [a]))
        #expect(sync.members[1].state == .paused(reason: "maintenance"))
        _ = sync.progressed(b, cursor: offset(12))
        #expect(sync.members[1].cursor == offset(12), "what was under way counts")
        #expect(sync.tick(now: 1, durableEnd: offset(12)).isEmpty)
        #expect(sync.fallbacks().isEmpty)
        _ = sync.resumed(b)
        #expect(sync.members[1].state == .catchingUp)
        #expect(sync.tick(now: 2, durableEnd: offset(12)).last == .announce(ackSet: [a, b], announcement: 3))
    }

    @Test("pausing hides nothing that is more important, and ends nothing else")
    func pausedAndMore() {
        var sync = inSync()
        _ = sync.paused(b, reason: "maintenance")
        _ = sync.needsCopy(b, reason: "the log is full")
        #expect(sync.members[1].state == .needsCopy(reason: "the log is full"))
        _ = sync.attached(b, cursor: offset(10), horizon: offset(10))
        #expect(sync.members[1].state == .paused(reason: "maintenance"))
        _ = sync.detached(b, reason: "its process changed")
        _ = sync.resumed(b)
        #expect(sync.members[1].state == .detached(reason: "its process changed"))
        #expect(sync.tick(now: 1, durableEnd: offset(10)).isEmpty)
    }

    @Test("a node that needs a copy is neither waited for nor read, whatever it applies")
    func needsCopy() {
        var sync = attached(3, 3)
        _ = sync.needsCopy(a, reason: "wiped")
        _ = sync.progressed(a, cursor: offset(4))
        #expect(sync.tick(now: 0, durableEnd: offset(3)) == [.announce(ackSet: [b], announcement: 1)])
        #expect(sync.members[0].state == .needsCopy(reason: "wiped"))
        _ = sync.deliveryFailed(b, reason: "gone")
        #expect(sync.fallbacks() == [b])
    }

    @Test("only nodes past the horizon may stand in when none is in sync, the most advanced first")
    func fallbacks() {
        var sync = attached(5, 9)
        #expect(sync.fallbacks(notBelow: offset(5)) == [b, a])
        #expect(sync.fallbacks(notBelow: offset(6)) == [b])
        #expect(sync.fallbacks(notBelow: offset(10)).isEmpty)
        _ = sync.attached(a, cursor: offset(5), horizon: offset(6))
        #expect(sync.fallbacks() == [b])
        _ = sync.tick(now: 0, durableEnd: offset(9))
        #expect(sync.members[1].state == .entering(announcement: 1))
        #expect(sync.fallbacks() == [b], "on its way in it is no worse")
    }

    @Test(
        "random events in any order: who is read is waited for by every loop, and nobody enters who must not",
        arguments: 0..<300)
    func readWithinAck(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var sync = SyncSet(nodes: 3)
        var end = 0
        var now: Int64 = 0
        /// What the loops wait for, and announcements on their way to them.
        var loops = NodeSet()
        var underWay: [(NodeSet, Int)] = []
        var readers = NodeSet()
        /// The highest offset that was acknowledged without a node, by node.
        var ackedWithout = [0, 0, 0]
        /// What each node really has, and why it must stay out.
        var truth = Array(repeating: (cursor: 0, horizon: 0), count: 3)
        var forbidden = Array(repeating: Set(["detached", "down"]), count: 3)
        func perform(_ actions: [SyncSet.Action]) {
            for (position, action) in actions.enumerated() {
                switch action {
                case .publish(let set): readers = set
                case .announce(let set, let announcement): underWay.append((set, announcement))
                case .entered(let node):
                    #expect(forbidden[Int(node.value)].isEmpty)
                    #expect(readers.contains(node))
                case .left(let node, _):
                    guard case .publish(let set) = actions[position - 2], !set.contains(node),
                        case .announce(let waited, _) = actions[position - 1], !waited.contains(node)
                    else { return #expect(Bool(false), "readers first, then those who wait: \(actions)") }
                }
            }
        }
        for _ in 0..<600 {
            let index = Int(random.next() % 3)
            let node = NodeIndex(index)
            let isRare = random.next() % 6 == 0
            switch random.next() % 14 {
            case 0: end += Int(random.next() % 5)
            case 1, 2:
                now += Int64(random.next() % 400_000_000)
                perform(sync.tick(now: now, durableEnd: offset(end)))
            case 3, 4, 5:
                if !forbidden[index].contains("detached") {
                    truth[index].cursor = min(end, truth[index].cursor + Int(random.next() % 6))
                    perform(sync.progressed(node, cursor: offset(truth[index].cursor)))
                } else {
                    perform(sync.progressed(node, cursor: offset(end)))
                }
            case 6:
                let isUp = random.next() % 4 != 0
                if isUp { forbidden[index].remove("down") } else { forbidden[index].insert("down") }
                perform(sync.healthChanged(node, isUp: isUp, missedPings: isUp ? 0 : 3))
            case 7:
                if isRare { perform(sync.deliveryFailed(node, reason: "")) }
            case 8:
                guard isRare || forbidden[index].contains("detached") else { continue }
                truth[index] = (max(0, end - Int(random.next() % 4)), end - Int(random.next() % 3))
                perform(
                    sync.attached(
                        node, cursor: offset(truth[index].cursor), horizon: offset(max(0, truth[index].horizon))))
                forbidden[index].remove("detached")
            case 9:
                guard isRare else { continue }
                forbidden[index].insert("detached")
                perform(random.next() % 2 == 0 ? sync.detached(node, reason: "") : sync.needsCopy(node, reason: ""))
            case 10:
                if isRare {
                    forbidden[index].insert("unsettled")
                    perform(sync.unsettled(node, reason: ""))
                } else {
                    forbidden[index].remove("unsettled")
                    perform(sync.settled(node))
                }
            case 11:
                if isRare {
                    forbidden[index].insert("paused")
                    perform(sync.paused(node, reason: ""))
                } else {
                    forbidden[index].remove("paused")
                    perform(sync.resumed(node))
                }
            default:
                guard !underWay.isEmpty else { continue }
                let (set, announcement) = underWay.removeFirst()
                loops = set
                perform(sync.confirmed(announcement: announcement, durableEnd: offset(end)))
            }
            // Whatever the loops need not wait for may be acknowledged without it at any time.
            for index in 0..<3 where !loops.contains(NodeIndex(index)) { ackedWithout[index] = end }
            #expect(readers.isSubset(of: loops), "a reader might miss what is acknowledged now")
            #expect(readers == sync.readSet && readers.isSubset(of: sync.ackSet))
            for waited in sync.ackSet { #expect(forbidden[Int(waited.value)].isEmpty) }
            for reader in readers + sync.fallbacks() {
                let (cursor, horizon) = truth[Int(reader.value)]
                #expect(sync.members[Int(reader.value)].cursor == offset(cursor) && cursor >= horizon)
                #expect(forbidden[Int(reader.value)].isEmpty)
            }
            for reader in readers { #expect(truth[Int(reader.value)].cursor >= ackedWithout[Int(reader.value)]) }
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
