// Points with distinct timestamps, so that any lost or doubled one would show.
import Foundation
import Synchronization

/// How a stretch of writing went.
struct LoadResult: Sendable {
    var points = 0
    var elapsed = Duration.zero
    var slowest = Duration.zero

    var rate: String { "\(StatusText.grouped(UInt64(Double(points) / (elapsed / .seconds(1))))) points/s" }
}

final class DemoLoad: Sendable {
    static let database = "demo"
    static let linesPerRequest = 500
    private static let writers = 4

    private let target: DemoHTTP
    private let first: Int64
    private let next = Atomic<Int>(0)

    init(target: DemoHTTP) {
        self.target = target
        first = Int64(Date.now.timeIntervalSince1970) * 1_000_000_000 - 3_600_000_000_000
    }

    var written: Int { next.load(ordering: .relaxed) }

    /// Writes so many points (a multiple of 2,000), four requests at a time; all were acknowledged when it returns.
    func write(points: Int) async throws -> LoadResult {
        let perWriter = points / Self.linesPerRequest / Self.writers
        let begin = ContinuousClock.now
        var result = LoadResult(points: perWriter * Self.writers * Self.linesPerRequest)
        try await withThrowingTaskGroup(of: Duration.self) { group in
            for _ in 0..<Self.writers {
                group.addTask {
                    var slowest = Duration.zero
                    for _ in 0..<perWriter {
                        let began = ContinuousClock.now
                        try await self.target.write(self.lines(Self.linesPerRequest), database: Self.database)
                        slowest = max(slowest, began.duration(to: .now))
                    }
                    return slowest
                }
            }
            for try await slowest in group { result.slowest = max(result.slowest, slowest) }
        }
        result.elapsed = begin.duration(to: .now)
        return result
    }

    /// One request with a few points.
    func trickle() async throws {
        try await target.write(lines(10), database: Self.database)
    }

    private func lines(_ count: Int) -> String {
        let begin = next.wrappingAdd(count, ordering: .relaxed).oldValue
        var text = ""
        for index in begin..<begin + count {
            text +=
                "load,host=h\(index % 10) value=\(index)i,level=\(Double(index % 1_000) / 10) \(first + Int64(index) * 1_000_000)\n"
        }
        return text
    }
}
