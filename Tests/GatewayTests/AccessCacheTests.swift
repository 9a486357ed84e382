// What is known of credentials, for how long, and in how much memory.
import Gateway
import NIOCore
import Testing

@Suite("What nodes said of credentials")
struct AccessCacheTests {
    private func key(_ number: Int) -> CredentialDigest { CredentialDigest(SIMD4(repeating: UInt64(number))) }
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func word(_ answer: AccessCache<String>.Answer) -> String {
        switch answer {
        case .allowed: "allowed"
        case .refused(let words): words
        case .unknown: "unknown"
        }
    }

    @Test("a yes is good for 30 seconds, a no for one, and a yes is remembered for an hour")
    func times() {
        var cache = AccessCache<String>()
        func answer(_ number: Int, epoch: Int, now: NIODeadline) -> String {
            word(cache.answer(key(number), epoch: epoch, now: now))
        }
        func remembers(_ number: Int, epoch: Int, now: NIODeadline) -> Bool {
            cache.remembers(key(number), epoch: epoch, now: now)
        }
        #expect(answer(1, epoch: 0, now: start) == "unknown")
        cache.learn(key(1), refusal: nil, epoch: 0, now: start)
        cache.learn(key(2), refusal: "no", epoch: 0, now: start)
        #expect(answer(1, epoch: 0, now: start + .seconds(29)) == "allowed")
        #expect(answer(2, epoch: 0, now: start + .milliseconds(999)) == "no")
        #expect(answer(2, epoch: 0, now: start + .seconds(1)) == "unknown")
        #expect(answer(1, epoch: 0, now: start + .seconds(30)) == "unknown")
        #expect(remembers(1, epoch: 0, now: start + .minutes(59)))
        #expect(!remembers(1, epoch: 0, now: start + .hours(1)))
        #expect(!remembers(2, epoch: 0, now: start))
        #expect(!remembers(3, epoch: 0, now: start))
    }

    @Test("I7 what was said before a change of users is forgotten, also when the answer comes later")
    func epochs() {
        var cache = AccessCache<String>()
        func answer(_ number: Int, epoch: Int, now: NIODeadline) -> String {
            word(cache.answer(key(number), epoch: epoch, now: now))
        }
        func remembers(_ number: Int, epoch: Int, now: NIODeadline) -> Bool {
            cache.remembers(key(number), epoch: epoch, now: now)
        }
        cache.learn(key(1), refusal: nil, epoch: 0, now: start)
        #expect(answer(1, epoch: 1, now: start) == "unknown")
        #expect(!remembers(1, epoch: 1, now: start))
        cache.learn(key(1), refusal: nil, epoch: 0, now: start)
        #expect(answer(1, epoch: 1, now: start) == "unknown")
        cache.learn(key(1), refusal: nil, epoch: 1, now: start)
        #expect(answer(1, epoch: 1, now: start) == "allowed")
    }

    @Test("a no ends a yes, and a yes a no")
    func changesOfMind() {
        var cache = AccessCache<String>()
        func answer(_ number: Int, epoch: Int, now: NIODeadline) -> String {
            word(cache.answer(key(number), epoch: epoch, now: now))
        }
        func remembers(_ number: Int, epoch: Int, now: NIODeadline) -> Bool {
            cache.remembers(key(number), epoch: epoch, now: now)
        }
        cache.learn(key(1), refusal: nil, epoch: 0, now: start)
        cache.learn(key(1), refusal: "no", epoch: 0, now: start)
        #expect(answer(1, epoch: 0, now: start) == "no")
        #expect(!remembers(1, epoch: 0, now: start))
        cache.learn(key(1), refusal: nil, epoch: 0, now: start)
        #expect(answer(1, epoch: 0, now: start) == "allowed")
    }

    @Test("I8 a million guesses take no more room than a thousand, and push out nobody who is known")
    func bounds() {
        var limits = AccessCache<String>.Limits()
        limits.allowed = 100
        limits.refused = 10
        var cache = AccessCache<String>(limits: limits)
        func answer(_ number: Int, epoch: Int, now: NIODeadline) -> String {
            word(cache.answer(key(number), epoch: epoch, now: now))
        }
        for number in 0..<50 { cache.learn(key(number), refusal: nil, epoch: 0, now: start) }
        for number in 1_000..<10_000 { cache.learn(key(number), refusal: "no", epoch: 0, now: start) }
        #expect(cache.count <= 60)
        for number in 0..<50 { #expect(answer(number, epoch: 0, now: start) == "allowed") }
        // Those who are used stay, others go.
        for number in 100..<1_000 {
            cache.learn(key(number), refusal: nil, epoch: 0, now: start)
            #expect(answer(0, epoch: 0, now: start) == "allowed")
        }
        #expect(cache.count <= 110)
        #expect(answer(1, epoch: 0, now: start) == "unknown")
    }
}
