// One client's work in a run: writes, reads, changes, one after the other, each checked against what was promised.

import CommitLog
import Replication
import SimulatedDisk

final class Load {
    private unowned let run: Run
    private let number: Int
    private let client: SimulatedClient
    private var random: SplitMix

    static let databases = ["da", "db"]
    static let measurements = ["ma", "mb", "mc"]
    private static let series = ["0", "1"]
    /// Two of each of two shard groups.
    private static let times: [Int64] = [
        1_700_000_000 * second, 1_700_000_001 * second, 1_703_000_000 * second, 1_703_000_001 * second,
    ]

    init(_ number: Int, of run: Run) {
        self.number = number
        self.run = run
        client = SimulatedClient(gateway: run.gateway, scheduler: run.scheduler)
        random = SplitMix(seed: run.options.seed &* 31 &+ UInt64(number))
        next()
    }

    private func next() {
        let thinking = random.time(10 * microsecond...150 * millisecond)
        run.scheduler.after(thinking) { [weak self] in
            guard let self, run.violation == nil else { return }
            guard !run.isCalm, run.startedOperations < run.options.operations else { return }
            run.startedOperations += 1
            begin()
        }
    }

    private func begin() {
        let database = random.pick(Self.databases)
        let isChange = run.hasManyChanges && random.chance(20)
        switch Int.random(in: isChange ? 90..<100 : 0..<100, using: &random) {
        case ..<58: write(database, isBad: false)
        case ..<62: write(database, isBad: run.hasBadLines)
        case ..<90: read(database)
        case ..<92: change(.dropMeasurement(database: database, random.pick(Self.measurements)))
        case ..<94:
            let from = random.pick(Self.times)
            change(
                .delete(
                    database: database, random.pick(Self.measurements), from: from,
                    below: from + random.pick([1, 4_000_000 * second])))
        case ..<95:
            change(.dropSeries(database: database, random.pick(Self.measurements), series: random.pick(Self.series)))
        case ..<96: change(.dropDatabase(database))
        default: change(.createDatabase(database))
        }
    }

    private func ended() {
        run.underWay -= 1
        next()
    }

    /// - Parameter done: gets the answer; nil: nobody knows.
    private func ask(
        _ method: String, _ target: String, _ body: String, isForm: Bool = false,
        _ done: @escaping (ReceivedAnswer?) throws -> Void
    ) {
        run.underWay += 1
        client.send(method, target, body: body, isForm: isForm, patience: 20 * second) { [weak self] answer in
            guard let self else { return }
            do { try done(answer) } catch { run.fail(error) }
            ended()
        }
    }

    // MARK: Writes

    private func write(_ database: String, isBad: Bool) {
        let count = random.pick([1, 1, 2, 3, 5, 20])
        let lines = (0..<count).map { _ -> LoadLine in
            defer { run.nextValue += 1 }
            return LoadLine(
                register: Register(
                    database: database, measurement: random.pick(Self.measurements), series: random.pick(Self.series),
                    time: random.pick(Self.times)),
                value: run.nextValue, isBad: isBad && random.chance(50))
        }
        run.note("client \(number) writes to \(database): \(lines.map(\.text).joined(separator: " | "))")
        ask("POST", "/write?db=\(database)", lines.map(\.text).joined(separator: "\n")) { [unowned self] answer in
            run.note("client \(number) is told \(answer.map { "\($0.status)" } ?? "nothing") of \(lines[0].value)")
            guard let answer else { return }
            if answer.status == 204 {
                run.outcome.acknowledged += 1
                try run.registers.acknowledged(lines)
            } else if (400..<500).contains(answer.status), answer.status != 404, !run.hasBadLines {
                throw Violation(
                    "11 liveness",
                    "good lines are answered \(answer.status): \(String(decoding: answer.body, as: UTF8.self))")
            }
        }
    }

    // MARK: Changes

    private func change(_ mutation: LoadMutation) {
        let sentAt = run.copy.end
        run.note("client \(number): \(mutation.statement) on \(mutation.database)")
        let form = "db=\(mutation.database)&q=\(Form.encode(mutation.statement))"
        ask("POST", "/query", form, isForm: true) { [unowned self] answer in
            run.note(
                "client \(number) is told \(answer.map { "\($0.status) " + String(decoding: $0.body.prefix(120), as: UTF8.self) } ?? "nothing")"
            )
            guard let answer, answer.status == 200,
                !String(decoding: answer.body, as: UTF8.self).contains("\"error\"")
            else { return }
            run.outcome.acknowledged += 1
            try run.registers.acknowledged(mutation, sentAt: sentAt)
        }
    }

    // MARK: Reads

    private func read(_ database: String) {
        if run.placement != nil, random.chance(30) { return readAll(database) }
        let measurement = random.pick(Self.measurements)
        let floors = run.registers.floors(of: measurement, in: database)
        run.outcome.reads += 1
        let sentAt = run.scheduler.now
        let query = Form.encode("SELECT v FROM \(measurement) GROUP BY s")
        ask("GET", "/query?db=\(database)&epoch=ns&q=\(query)", "") { [unowned self] answer in
            guard let answer, answer.status == 200 else { return }
            let age = answer.header("x-sluice-stale")
            if age != nil { run.outcome.staleReads += 1 }
            let seen = try Self.values(answer.body, measurement, database)
            guard let seen else { return }
            try check(seen, measurement, database, floors: floors, age: age, sentAt: sentAt)
        }
    }

    /// All measurements in one request: nodes of several replica sets answer it.
    private func readAll(_ database: String) {
        let floors = Dictionary(
            uniqueKeysWithValues: Self.measurements.map { ($0, run.registers.floors(of: $0, in: database)) })
        run.outcome.reads += 1
        let sentAt = run.scheduler.now
        let query = Form.encode(Self.measurements.map { "SELECT v FROM \($0) GROUP BY s" }.joined(separator: ";"))
        ask("GET", "/query?db=\(database)&epoch=ns&q=\(query)", "") { [unowned self] answer in
            guard let answer, answer.status == 200 else { return }
            let age = answer.header("x-sluice-stale")
            if age != nil { run.outcome.staleReads += 1 }
            for (number, measurement) in Self.measurements.enumerated() {
                guard let seen = try Self.values(answer.body, measurement, database, result: number) else { return }
                try check(seen, measurement, database, floors: floors[measurement] ?? [:], age: age, sentAt: sentAt)
            }
        }
    }

    private func check(
        _ seen: [Register: Int], _ measurement: String, _ database: String, floors: [Register: Offset], age: String?,
        sentAt: Int64
    ) throws {
        for (register, value) in seen.sorted(by: { $0.key < $1.key }) where !run.registers.isKnown(value) {
            throw Violation("5 convergence", "a read shows \(value) at \(register), which is not in the log")
        }
        guard !run.registers.isDoubtful(measurement, in: database) else { return }
        // On an operator's word nodes go on without what has rotted.
        if age != nil, !run.trusted.isEmpty || run.hasLied { return }
        let staleFloor = age.map { run.staleFloor(sentAt: sentAt, seconds: Int64($0.dropLast())) }
        for register in run.registers.registers(of: measurement, in: database) {
            // What came after the read was sent may be seen or not.
            let floor = staleFloor ?? floors[register] ?? .zero
            guard run.registers.mayShow(register, seen[register], floor: floor) else {
                throw Violation(
                    "3 read your acks",
                    "client \(number) reads \(seen[register].map(String.init) ?? "nothing") at \(register), though "
                        + "everything up to \(floor) was acknowledged before\(age.map { " and it says it is \($0) old" } ?? ""); "
                        + run.registers.history(register))
            }
        }
    }

    /// By register; nil: the answer says that it is none.
    private static func values(_ body: [UInt8], _ measurement: String, _ database: String, result number: Int = 0)
        throws -> [Register: Int]?
    {
        guard let document = try? JSONValue(parsing: body), let results = document["results"]?.array,
            let result = results.dropFirst(number).first
        else { throw Violation("3 read your acks", "an answer is no JSON: \(String(decoding: body, as: UTF8.self))") }
        guard result["error"] == nil else { return nil }
        var seen: [Register: Int] = [:]
        for series in result["series"]?.array ?? [] {
            let name = series["tags"]?["s"]?.string ?? ""
            for row in series["values"]?.array ?? [] {
                guard let columns = row.array, columns.count == 2, let time = columns[0].int64 else { continue }
                let value = columns[1].int64.map(Int.init) ?? columns[1].string.flatMap { Int($0) }
                if let value {
                    seen[Register(database: database, measurement: measurement, series: name, time: time)] = value
                }
            }
        }
        return seen
    }
}
