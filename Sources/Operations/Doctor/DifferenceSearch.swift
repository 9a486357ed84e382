// Where in time two or more nodes differ: by number of points per week, then narrowed to the second at both ends; and,
// if all points are to be read, by a digest per week.

import NIOCore
import Replication

struct DifferenceSearch {
    /// How many measurements are narrowed down.
    static let mostSources = 20

    enum Outcome: Equatable {
        case equalNow
        /// The smallest range found that has all differences, and the points that each node has in it.
        case differs(TimeRange, points: [Int64])
        case unknown(reason: String)
    }

    let nodes: [DoctorNode]
    /// Points before it are compared.
    let before: Int64
    let time: TimeAmount

    private static let week: Int64 = 604_800_000_000_000
    private static let finer: [Int64] = [3_600_000_000_000, 60_000_000_000, 1_000_000_000]

    // MARK: By number

    func byCounts(_ source: Inventory.Source) async -> Outcome {
        do {
            guard let extent = try await extent(of: source) else { return .equalNow }
            let weeks = try await differing(source, in: extent, per: Self.week)
            guard var first = weeks.first, var last = weeks.last else { return .equalNow }
            for period in Self.finer {
                // Nothing there means that it became equal meanwhile: then what was found stands.
                first = try await differing(source, in: first, per: period).first ?? first
                last = try await differing(source, in: last, per: period).last ?? last
            }
            let range = TimeRange(start: first.start, end: last.end)
            let points = try await nodes.eachAnswer { [time] in
                $0.points(of: source, in: range, per: Self.week, within: time)
            }
            return .differs(range, points: points.map { $0.values.reduce(0) { $0 &+ $1.values.reduce(0, &+) } })
        } catch {
            return .unknown(reason: "\(error)")
        }
    }

    private func extent(of source: Inventory.Source) async throws -> TimeRange? {
        let extents = try await nodes.eachAnswer { [before, time] in
            $0.extent(of: source, before: before, within: time)
        }.compactMap { $0 }
        guard let start = extents.map(\.start).min(), let end = extents.map(\.end).max() else { return nil }
        return TimeRange(start: start, end: end)
    }

    /// The periods in which the nodes have different numbers of points, in order.
    private func differing(
        _ source: Inventory.Source, in range: TimeRange, per period: Int64
    ) async throws -> [TimeRange] {
        let all = try await nodes.eachAnswer { [time] in
            $0.points(of: source, in: range, per: period, within: time)
        }
        return Set(all.flatMap(\.keys)).sorted().filter { start in
            Set(all.map { $0[start] ?? [:] }).count > 1
        }.map { start in
            TimeRange(start: start, end: min(before, start &+ period))
        }
    }

    // MARK: By content

    /// Reads all measurements that are equal in number; what does not fit into the time is said.
    func byContent(
        in inventories: [Inventory], without skipped: Set<Inventory.Source>
    ) async -> [DoctorReport.Finding] {
        let end = ContinuousClock.now + .nanoseconds(time.nanoseconds)
        var findings: [DoctorReport.Finding] = []
        for source in Set(inventories.flatMap(\.measurements.keys)).subtracting(skipped).sorted() {
            let fields = Set(inventories.flatMap { ($0.measurements[source]?.points ?? [:]).keys }).sorted()
            if fields.isEmpty { continue }
            guard ContinuousClock.now < end else {
                findings.append(.notRead(source, "the time was used up"))
                continue
            }
            do {
                if let finding = try await compareContent(of: source, fields) { findings.append(finding) }
            } catch {
                findings.append(.notRead(source, "\(error)"))
            }
        }
        return findings
    }

    private func compareContent(
        of source: Inventory.Source, _ fields: [String]
    ) async throws -> DoctorReport.Finding? {
        guard let extent = try await extent(of: source) else { return nil }
        let tags = Set(try await nodes.eachAnswer { $0.tagKeys(of: source) }.joined()).sorted()
        let weeks = try await unlike(source, fields, tags, in: extent, per: Self.week)
        guard let first = weeks.first, let last = weeks.last else { return nil }
        let start = try await unlike(source, fields, tags, in: first, per: Self.finer[0]).first ?? first
        return DoctorReport.Finding(
            .error, "content",
            "\(source): as many points on each node, but other values or tags in \(weeks.count) week(s), the first"
                + " between \(DoctorText.time(start.start)) and \(DoctorText.time(start.end)), the last before"
                + " \(DoctorText.time(last.end))",
            advice: "copy that time range from the node that is right")
    }

    /// The periods in which the nodes have other points.
    private func unlike(
        _ source: Inventory.Source, _ fields: [String], _ tags: [String], in range: TimeRange, per period: Int64
    ) async throws -> [TimeRange] {
        let starts = try await nodes.eachAnswer { [time] in
            $0.points(of: source, in: range, per: period, within: time).map { Set($0.keys) }
        }
        var found: [TimeRange] = []
        for start in Set(starts.joined()).sorted() {
            let part = TimeRange(start: start, end: min(before, start &+ period))
            let digests = try await nodes.eachAnswer { [time] in
                $0.digest(of: source, fields: fields, tags: tags, in: part, within: time)
            }
            if Set(digests).count > 1 { found.append(part) }
        }
        return found
    }
}

extension DoctorReport.Finding {
    fileprivate static func notRead(_ source: Inventory.Source, _ reason: String) -> DoctorReport.Finding {
        DoctorReport.Finding(
            .warning, "not_compared", "\(source): its points were counted but not read: \(reason)",
            advice: "give it more time with --seconds")
    }
}
