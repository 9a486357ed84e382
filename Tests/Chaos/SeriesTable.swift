// The answer to `SELECT v FROM ... GROUP BY tags`, as values that can be looked up.

import Foundation
import TestSupport

struct SeriesTable: Sendable {
    struct Key: Hashable, Sendable {
        let tags: [String: String]
        let time: Int
    }

    /// Integers as numbers; anything else as text.
    enum Value: Equatable, Sendable {
        case integer(Int)
        case other(String)
    }

    private(set) var values: [Key: Value] = [:]

    init(_ reply: Reply) throws {
        struct Document: Decodable {
            struct Result: Decodable {
                struct Series: Decodable {
                    let tags: [String: String]?
                    let values: [[Cell]]
                }
                let series: [Series]?
                let error: String?
            }
            let results: [Result]
        }
        let document = try JSONDecoder().decode(Document.self, from: Data(reply.body))
        for result in document.results {
            if let error = result.error { throw TestFailure("an answer with an error: \(error)") }
            for series in result.series ?? [] {
                for row in series.values {
                    guard row.count == 2, case .integer(let time) = row[0].value else {
                        throw TestFailure("a row that is no time and value: \(reply)")
                    }
                    values[Key(tags: series.tags ?? [:], time: time)] = row[1].value
                }
            }
        }
    }

    private struct Cell: Decodable {
        let value: Value

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                value = .integer(number)
            } else if let text = try? container.decode(String.self) {
                value = .other(text)
            } else if let number = try? container.decode(Double.self) {
                value = .other("\(number)")
            } else {
                value = .other("\((try? container.decode(Bool.self)).map(String.init) ?? "null")")
            }
        }
    }

    func value(tags: [String: String], time: Int) -> Int? {
        guard case .integer(let value) = values[Key(tags: tags, time: time)] else { return nil }
        return value
    }
}
