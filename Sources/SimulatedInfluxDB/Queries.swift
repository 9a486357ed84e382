// /query: parsed as a whole, answered 200 before anything is executed, then one statement after the other. A mutation
// takes effect shard by shard, and goes on when its client has left (reference 9: M9, M10).

struct QueryTask: Sendable {
    var statements: [(statement: Statement, text: String)]
    var next = 0
    /// Shards that a deletion still has to go through; nil: it has not begun.
    var shardsLeft: [Int]?
    var results: [StatementResult] = []
    var database: Text
    var policy: Text
    var isGet: Bool
    var times: TimeFormat
    /// Rows in a chunk; nil: all in one document.
    var chunk: Int?
    var clientHasLeft = false
}

extension InfluxServer {
    mutating func beginQuery(_ request: InfluxRequest, _ work: inout InfluxWork, now: Int64) {
        let text = request.parameter("q")
        guard text.contains(where: { !$0.isWhitespace }) else {
            work.answer = failure(400, "missing required parameter \"q\"", to: work)
            return
        }
        if !request.parameter("params").isEmpty || request.parameter("pretty") == "true" {
            unknown.append("parameters of \(text)")
        }
        let statements: [(statement: Statement, text: String)]
        do throws(ParseFailure) {
            statements = try StatementParser.statements(in: text)
        } catch {
            unknown.append("\(error.message): \(text)")
            work.answer = failure(400, "error parsing query: \(error.message)", to: work)
            return
        }
        let isChunked = request.parameter("chunked") == "true"
        let size = Int(request.parameter("chunk_size")).flatMap { $0 > 0 ? $0 : nil } ?? 10_000
        let task = QueryTask(
            statements: statements, database: Text(request.parameter("db")), policy: Text(request.parameter("rp")),
            isGet: request.method == "GET", times: TimeFormat(epoch: request.parameter("epoch")),
            chunk: isChunked ? size : nil)
        work.head = answer(200, to: work)
        let number = (process?.lastQuery ?? 0) + 1
        process?.lastQuery = number
        process?.queries.append(
            RunningQuery(
                id: number, work: work.id, text: statements.map(\.text).joined(separator: ";\n"),
                database: request.parameter("db"), since: now))
        if statements.isEmpty {
            end(task, &work)
        } else {
            work.steps = [work.step(task.statements[0].text, isConcurrent: false)]
            work.task = .query(task)
        }
    }

    /// The connection of the request is gone. A statement that was to be executed still is, unless it only reads; those
    /// after it are not. A write goes on.
    package mutating func clientLeft(_ work: inout InfluxWork) {
        guard process?.generation == work.generation, case .query(var task) = work.task, !work.steps.isEmpty else {
            return
        }
        work.task = .none
        task.clientHasLeft = true
        if let index = process?.queries.firstIndex(where: { $0.work == work.id }) {
            process?.queries[index].isKilled = true
        }
        if task.statements[task.next].statement.isMutation {
            work.task = .query(task)
        } else {
            end(task, &work)
        }
    }

    mutating func carryOut(of task: inout QueryTask, _ work: inout InfluxWork, now: Int64) {
        let statement = task.statements[task.next].statement
        if statement.isMutation, case nil = task.shardsLeft {
            if let error = refusal(of: statement, task) {
                conclude(StatementResult(error: error), &task, &work)
                return
            }
            task.shardsLeft = shardsConcerned(by: statement, task)
        }
        if let shard = task.shardsLeft?.popLast() {
            willChange(shard, now: now)
            change(shard, statement, now: now)
            work.steps = [work.step("\(task.statements[task.next].text), after shard \(shard)", isConcurrent: false)]
            // The last shard and the end of a deletion from the data are one.
            let isLast = task.shardsLeft?.isEmpty ?? true
            guard isLast, !statement.changesSchema else { return }
        }
        var result: StatementResult
        do throws(StatementFailure) {
            result = try execute(statement, task, now: now)
        } catch {
            result = StatementResult(error: error.message)
        }
        if task.isGet, result.error == nil { result.warning = statement.warning }
        conclude(result, &task, &work)
    }

    private mutating func conclude(_ result: StatementResult, _ task: inout QueryTask, _ work: inout InfluxWork) {
        var result = result
        result.number = task.next
        task.results.append(result)
        task.shardsLeft = nil
        task.next += 1
        if result.error != nil {
            // All with the number of the failed one, which hides it from clients that do not ask for chunks.
            for _ in task.next..<max(task.next, task.statements.count) {
                task.results.append(StatementResult(number: result.number, error: "not executed"))
            }
        } else if task.next < task.statements.count, !task.clientHasLeft {
            work.steps = [work.step(task.statements[task.next].text, isConcurrent: false)]
            return
        }
        end(task, &work)
    }

    private mutating func end(_ task: QueryTask, _ work: inout InfluxWork) {
        work.steps = []
        process?.queries.removeAll { $0.work == work.id }
        var json = JSONText()
        if let chunk = task.chunk {
            for result in task.results {
                for part in result.parts(of: chunk) { json.document([part], task.times) }
            }
        } else {
            json.document(StatementResult.merged(task.results), task.times)
        }
        work.answer = answer(200, json.bytes, to: work)
    }
}

struct StatementFailure: Error {
    var message: String
}

extension StatementResult {
    /// As documents of their own: one series and so many rows each.
    fileprivate func parts(of size: Int) -> [StatementResult] {
        if shape == .whole || series.isEmpty { return [self] }
        var parts: [StatementResult] = []
        for one in series {
            var start = 0
            repeat {
                let end = shape == .rows ? min(one.values.count, start + size) : one.values.count
                var part = self
                part.series = [one]
                part.series[0].values = Array(one.values[start..<end])
                part.series[0].isPartial = end < one.values.count
                part.isPartial = shape == .rows
                parts.append(part)
                start = end
            } while start < one.values.count
        }
        parts[parts.count - 1].isPartial = false
        return parts
    }

    /// One for each number; an error takes the place of what stood there.
    fileprivate static func merged(_ results: [StatementResult]) -> [StatementResult] {
        var merged: [StatementResult] = []
        for result in results {
            if merged.last?.number == result.number { merged.removeLast() }
            merged.append(result)
        }
        return merged
    }
}

extension Statement {
    var isMutation: Bool {
        switch self {
        case .delete: true
        default: deprecatedWords != nil
        }
    }

    /// Of those that a GET is warned of; a DELETE is not.
    fileprivate var warning: String? {
        deprecatedWords.map {
            "deprecated use of '\($0)' in a read only context, please use a POST request instead"
        }
    }

    /// Something beside the shards changes, in a step of its own.
    fileprivate var changesSchema: Bool {
        switch self {
        case .dropDatabase, .dropPolicy: true
        default: false
        }
    }
}
