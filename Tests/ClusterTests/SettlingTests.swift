// When nothing of a request whose end is not known can take effect any more, by samples of a node's counters.

import Cluster
import Testing

private func counts(
    _ process: String = "p", unfinished: Int = 0, active: Int = 0, mutations: Int = 0
) -> FenceCounts {
    FenceCounts(
        process: process, unfinishedWrites: unfinished, activeWrites: active, runningMutations: mutations)
}

private let again = Settling.Outcome.again(after: Settling.interval)

@Suite("Waiting until nothing is under way in a node")
struct SettlingTests {
    /// Samples by letter: `c`lean, `w`rite unfinished, write in hand (`a`ctive), `m`utation, `x`: not readable.
    private static func run(_ settling: inout Settling, _ samples: String) -> [Bool] {
        samples.map { letter in
            let outcome =
                switch letter {
                case "w": settling.sampled(counts(unfinished: 1))
                case "a": settling.sampled(counts(active: 1))
                case "m": settling.sampled(counts(mutations: 1))
                case "x": settling.couldNotSample()
                default: settling.sampled(counts())
                }
            return outcome == .settled
        }
    }

    @Test(
        "S10 three clean samples in a row, whatever came before: of a lost request nothing at all may be at work",
        arguments: ["ccc", "wccc", "cwccc", "ccwccc", "ccaccc", "ccmccc", "ccxccc", "xxccc", "cmcacwcxccc"])
    func unanswered(samples: String) {
        var settling = Settling(.unanswered, process: "p")
        let settled = Self.run(&settling, samples)
        #expect(settled.firstIndex(of: true) == samples.count - 1)
    }

    @Test(
        "S10 of an answered write only unfinished writes matter, not what else the node does",
        arguments: [("ccc", 2), ("ama", 2), ("wccc", 3), ("ccwaaa", 5), ("cacxmmm", 2), ("caxmmm", 5)])
    func answered(samples: String, last: Int) {
        var settling = Settling(.answered(database: "d"), process: "p")
        #expect(settling.database == "d")
        #expect(Self.run(&settling, samples).firstIndex(of: true) == last)
    }

    @Test("a doubt about a lost request looks at all databases")
    func database() {
        #expect(Settling(.unanswered, process: "").database == nil)
    }

    @Test("S10 what was under way in a process that is gone is over; an unknown process is not another one")
    func process() {
        var settling = Settling(.unanswered, process: "p")
        #expect(settling.sampled(counts("p", unfinished: 1)) == again)
        #expect(settling.sampled(counts("", unfinished: 1)) == again)
        #expect(settling.sampled(counts("q", unfinished: 1)) == .settled)

        settling = Settling(.unanswered, process: "")
        #expect(settling.sampled(counts("p", active: 1)) == again)
        #expect(settling.sampled(counts("q", active: 1)) == again, "which of them got the request is not known")
    }

    @Test("A4 a node whose counters cannot be read is asked less and less often, and at the old pace once it answers")
    func unreadable() {
        var settling = Settling(.unanswered, process: "p")
        var waits: [Int64] = []
        for _ in 0..<100 {
            if case .again(let wait) = settling.couldNotSample() { waits.append(wait) }
        }
        #expect(waits.count == 100, "it never settles")
        #expect(waits.first == 2 * Settling.interval)
        #expect(waits == waits.sorted())
        #expect(waits.max() == 1_000_000_000)
        #expect(settling.unreadable == 100)
        #expect(settling.sampled(counts()) == again)
        #expect(settling.unreadable == 0)
    }

    /// How many of the same sample it takes; nil: more than 10,000.
    private func samples(_ settling: inout Settling, _ counts: FenceCounts) -> Int? {
        (1...10_000).first { _ in settling.sampled(counts) == .settled }
    }

    @Test("A1 writes that InfluxDB forgot to count as ended do not hold up a node for ever")
    func forgotten() throws {
        for doubt in [Settling.Doubt.unanswered, .answered(database: "d")] {
            var settling = Settling(doubt, process: "p")
            let needed = try #require(samples(&settling, counts(unfinished: 5)))
            let seconds = Int64(needed) * Settling.interval / 1_000_000_000
            #expect((20...60).contains(seconds), "\(doubt)")
        }
    }

    @Test("A1 nor do they hold up a database while the node takes writes of others, or runs a statement")
    func forgottenWhileBusy() {
        var settling = Settling(.answered(database: "d"), process: "p")
        #expect(samples(&settling, counts(unfinished: 5, active: 1, mutations: 1)) != nil)
    }

    @Test(
        "S10 writes count as forgotten only when nothing else is under way, all the time",
        arguments: [counts(unfinished: 5, active: 1), counts(unfinished: 5, mutations: 1)])
    func notForgotten(busy: FenceCounts) {
        var settling = Settling(.unanswered, process: "p")
        #expect(samples(&settling, busy) == nil)
    }

    @Test("S10 a sample that differs, or is missing, begins the wait for forgotten writes anew")
    func forgottenAnew() throws {
        var undisturbed = Settling(.unanswered, process: "p")
        let needed = try #require(samples(&undisturbed, counts(unfinished: 5)))
        for letter in "wamxc" {
            var settling = Settling(.unanswered, process: "p")
            for _ in 0..<needed - 1 { #expect(settling.sampled(counts(unfinished: 5)) == again) }
            #expect(Self.run(&settling, String(letter)) == [false])
            let more = try #require(samples(&settling, counts(unfinished: 5)))
            #expect(more >= needed - 1, "after \(letter)")
        }
    }

    @Test("S10 what the network may still hold of a connection that was lost is waited for, and looked for once more")
    func transit() {
        let (lost, end) = (Int64(7_000_000_000), 7_000_000_000 + Settling.longestTransit)
        var settling = Settling(.unanswered, process: "p", lostAt: lost)
        #expect(settling.sampled(counts(), now: lost) == again)
        #expect(settling.sampled(counts(), now: lost + 20_000_000) == again)
        let wait = settling.sampled(counts(), now: lost + 40_000_000)
        #expect(wait == .again(after: Settling.longestTransit - 40_000_000))
        // What had been on its way is at work now.
        #expect(settling.sampled(counts(active: 1), now: end) == again)
        #expect(settling.sampled(counts(), now: end + 20_000_000) == again)
        #expect(settling.sampled(counts(), now: end + 40_000_000) == again)
        #expect(settling.sampled(counts(), now: end + 60_000_000) == .settled)
        // Another process never got it.
        settling = Settling(.unanswered, process: "p", lostAt: lost)
        #expect(settling.sampled(counts("q"), now: lost) == .settled)
    }

    @Test("S10 random samples: it settles exactly when the last three were clean", arguments: 0..<50)
    func random(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var settling = Settling(.unanswered, process: "p")
        var letters = ""
        var isSettled = false
        while !isSettled, letters.count < 1_000 {
            let letter = "cccwamx".randomElement(using: &random)!
            letters.append(letter)
            isSettled = Self.run(&settling, String(letter)) == [true]
            #expect(isSettled == letters.hasSuffix("ccc"))
        }
    }
}
