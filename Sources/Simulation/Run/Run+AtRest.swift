// The end of a run: what each node must hold then, by the log.

import Cluster
import CommitLog
import Replication
import SimulatedInfluxDB

extension Run {
    /// Each node equals the log without refused lines, as far as it concerns the node, applied in order to a server of
    /// its own.
    func compareAtRest() throws {
        if placement == nil { return try compareAtRest(Array(nodes.indices)) }
        for index in nodes.indices { try compareAtRest([index]) }
    }

    /// - Parameter indices: nodes that must hold the same.
    private func compareAtRest(_ indices: [Int]) throws {
        var refused: [Offset: Set<Int>] = [:]
        for record in copy.records {
            if case .refusal(let target, let node, let lines) = record, node.isEmpty {
                refused[target, default: []].formUnion(lines)
            }
        }
        var model = InfluxServer(settings: InfluxServer.Settings())
        model.start(now: SimulatedClock.epoch)
        for (number, record) in copy.records.enumerated() {
            let offset = Offset(UInt64(number))
            let request: InfluxRequest
            switch record {
            case .points(let database, let lines):
                let kept = lines.indices.filter { index in
                    refused[offset]?.contains(index) != true && isPlaced(lines[index], of: database, on: indices[0])
                }.map { lines[$0] }
                guard !kept.isEmpty else { continue }
                request = Self.write(kept, to: database)
            case .mutation(let statement, let database):
                request = InfluxRequest(
                    method: "POST", path: "/query", parameters: [("q", statement), ("db", database)])
            case .refusal: continue
            }
            let first = ask(&model, request)
            guard case .points(let database, let lines) = record, first?.status != 204 else { continue }
            // The server has taken the others; again it must take all that is not erased later.
            let erasing = erasures(after: number)
            let lasting = lines.indices.filter { index in
                refused[offset]?.contains(index) != true && isPlaced(lines[index], of: database, on: indices[0])
                    && !isErased(lines[index], of: database, by: erasing)
            }.map { lines[$0] }
            guard !lasting.isEmpty, !isDoubtful(lines, of: database),
                let answer = ask(&model, Self.write(lasting, to: database)), answer.status != 204
            else { continue }
            throw Violation(
                "7 refusal",
                "a server of its own refuses what no refusal in the log speaks of: record \(offset) of "
                    + "\(database), \(lines.joined(separator: " | ")), refused by the log "
                    + "\(refused[offset]?.sorted() ?? []): \(answer.text)")
        }
        let expected = Self.lines(of: model)
        for index in indices {
            let node = nodes[index]
            let diverged = snapshot?.divergences.filter { Int($0.node.value) == index }.map(\.place) ?? []
            let found = Self.lines(of: node.server)
            let different = Set(expected).symmetricDifference(found).sorted().filter { line in
                !diverged.contains {
                    line.contains("\($0.database).autogen.\($0.measurement)")
                        || line.hasPrefix("\($0.database).autogen \($0.measurement),")
                } && !isDoubtful(line)
            }
            guard let line = different.first else { continue }
            let side = expected.contains(line) ? "lacks" : "has, against the log,"
            throw Violation(
                "5 convergence", "\(node.name) \(side) \(line), and \(different.count - 1) more lines differ")
        }
        for node in nodes where !node.server.unknown.isEmpty {
            throw Violation("simulation", "the model of a node does not know \(node.server.unknown[0])")
        }
    }

    private func isPlaced(_ text: String, of database: String, on node: Int) -> Bool {
        guard let placement, let line = LoadLine(text: text, database: database) else { return true }
        let nodes = placement.nodes(database: database, measurement: line.register.measurement)
        return nodes?.contains(NodeIndex(node)) == true
    }

    private func ask(_ model: inout InfluxServer, _ request: InfluxRequest) -> InfluxAnswer? {
        var work = model.begin(request, now: SimulatedClock.wall(scheduler.now))
        model.finish(&work, now: SimulatedClock.wall(scheduler.now))
        return work.answer
    }

    private static func write(_ lines: [String], to database: String) -> InfluxRequest {
        InfluxRequest(
            method: "POST", path: "/write", parameters: [("db", database)],
            body: Array(lines.joined(separator: "\n").utf8))
    }

    /// Later statements that leave nothing of a measurement, types included.
    private func erasures(after number: Int) -> [LoadMutation] {
        copy.records[(number + 1)...].compactMap { record -> LoadMutation? in
            guard case .mutation(let statement, let database) = record else { return nil }
            let mutation = LoadMutation(statement: statement, database: database)
            switch mutation {
            case .dropMeasurement, .dropDatabase: return mutation
            default: return nil
            }
        }
    }

    /// Whether what becomes of the line at a node that gets it a second time is nobody's business.
    private func isErased(_ text: String, of database: String, by erasing: [LoadMutation]) -> Bool {
        guard let line = LoadLine(text: text, database: database) else { return false }
        return erasing.contains { $0.covers(line.register) }
    }

    private func isDoubtful(_ texts: [String], of database: String) -> Bool {
        texts.contains { text in
            guard let line = LoadLine(text: text, database: database) else { return false }
            return registers.isDoubtful(line.register.measurement, in: database)
        }
    }

    /// - Parameter line: of what a server holds.
    private func isDoubtful(_ line: String) -> Bool {
        Load.databases.contains { database in
            if registers.isDoubtful(database) {
                return line.contains("\(database).autogen") || line.hasPrefix("database \(database),")
            }
            return Load.measurements.contains {
                registers.isDoubtful($0, in: database)
                    && (line.contains("\(database).autogen.\($0) ") || line.contains("\(database).autogen \($0),"))
            }
        }
    }

    private static func lines(of server: InfluxServer) -> [String] {
        server.contents().lines.filter { !$0.contains("_sluice") }
    }
}
