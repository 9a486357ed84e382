// One read over several replica sets: what to ask which set, and what to make of the answers. Questions may come first
// (which measurements match, which columns exist); the answers to the last ones are merged into the one that a single
// InfluxDB with all the data would give.
//
//   start --> ask --> take --> ask --> take --> ... --> result | failed
//
// No I/O: whoever runs it sends the questions and brings the answers.

import Cluster
import InfluxQL

package struct ScatteredRead: Equatable, Sendable {
    /// What one set is asked.
    package struct Part: Equatable, Sendable {
        package let scope: ReadScope
        /// One or more statements.
        package let text: String

        /// - Parameter database: the `db` of the request.
        package func footprint(database: String) -> ReadFootprint {
            guard case .statements(let statements) = Parsed(text, hasParameters: false) else {
                return ReadFootprint([], database: database)
            }
            return ReadFootprint(statements, database: database)
        }
    }

    package enum Step: Equatable, Sendable {
        /// The answers, whole, in JSON, in this order are wanted next.
        case ask([Part])
        /// As `ask`; and each answer is a part of the result, no two of the same series.
        case askForRows([Part])
        /// The statement's result in JSON, numbered 0. It may be an error in a node's words.
        case result([UInt8])
        /// It cannot be answered exactly, or a node's answer cannot be understood.
        case failed(String)
    }

    private enum Stage: Equatable, Sendable {
        case idle
        case select(ScatteredSelect)
        case show(ScatteredShow)
    }

    package let statement: Statement
    /// The sets that it may need.
    package let sets: [NodeSet]
    private let context: StatementContext
    private let placement: Placement
    private var stage = Stage.idle

    init(_ statement: Statement, _ context: StatementContext, _ placement: Placement, sets: Set<NodeSet>) {
        self.statement = statement
        self.context = context
        self.placement = placement
        self.sets = sets.sorted { $0.bits < $1.bits }
    }

    /// - Parameters:
    ///   - now: what `now()` means, in nanoseconds since the epoch: the same on all nodes.
    ///   - parameters: of the request.
    ///   - available: the nodes that can answer now, the most welcome first: one that stands in several sets is asked for
    ///     all of them. When one of those fails, start again without.
    package mutating func start(
        now: Int64, parameters: [String: BoundValue] = [:], available: [NodeIndex] = []
    ) -> Step {
        guard let text = statement.executable(at: now, parameters: parameters),
            case .statements(let read) = Parsed(text, parameters: [:]), read.count == 1
        else {
            return .failed("a read over several replica sets cannot take this value from a parameter")
        }
        let cover = SetCover(placement, sets: sets, available: available)
        if case .select(let select) = read[0].body {
            var scattered = ScatteredSelect(select, context, cover, now: now)
            let step = scattered.start()
            stage = .select(scattered)
            return step
        }
        var show = ScatteredShow(
            read[0].body, database: context.name(read[0].database), cover, sets: cover.covering(sets))
        let step = show.start()
        stage = .show(show)
        return step
    }

    /// - Parameter answers: to what was asked last.
    package mutating func take(_ answers: [[UInt8]]) -> Step {
        var results: [[PartResult]] = []
        for answer in answers {
            guard let document = ResultDocument(answer) else { return .failed("a node's answer is no JSON of results") }
            var parsed: [PartResult] = []
            for result in document.results {
                guard let part = PartResult(result) else { return .failed("a node's result cannot be read") }
                if let error = part.error { return .result(ResultDocument.error(error, statement: 0)) }
                if part.isPartial {
                    return .failed("a node cuts its answers off at its max-row-limit: raise it, or set it to 0")
                }
                parsed.append(part)
            }
            guard !parsed.isEmpty else { return .failed("a node's answer has no results") }
            results.append(parsed)
        }
        switch stage {
        case .idle: return .failed("nothing was asked")
        case .select(var select):
            let step = select.take(results)
            stage = .select(select)
            return step
        case .show(var show):
            let step = show.take(results.map { $0[0] })
            stage = .show(show)
            return step
        }
    }

    /// What its result looks like when a client wants it in chunks.
    package var chunkStyle: ResultChunks.Style {
        switch statement.kind {
        case .showMeasurements: .whole
        case .showTagKeys, .showTagValues: .series
        default: .rows
        }
    }
}
