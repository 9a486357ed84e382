// What goes into a simulated server and what comes out of it.

package struct InfluxRequest: Sendable {
    package var method: String
    /// Without the query string.
    package var path: String
    /// Decoded. Of a form post the form's come before the URL's: the first of a name counts (reference: http 4).
    package var parameters: [(String, String)]
    /// Plain, never compressed.
    package var body: [UInt8]

    package init(method: String, path: String, parameters: [(String, String)] = [], body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.parameters = parameters
        self.body = body
    }

    /// Empty where there is none.
    package func parameter(_ name: String) -> String { parameters.first { $0.0 == name }?.1 ?? "" }
}

package struct InfluxAnswer: Sendable {
    package var status: Int
    /// Without `Date`, `Content-Length` and `Transfer-Encoding`, which belong to the connection.
    package var headers: [(String, String)]
    package var body: [UInt8]

    package init(status: Int, headers: [(String, String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// A request that the server works on. It ends when no steps are left; the answer may come before that.
package struct InfluxWork: Sendable {
    package struct Step: Hashable, Sendable {
        /// Unique within the work.
        package let number: Int
        /// Whether it may come before those that stand before it among the steps.
        package let isConcurrent: Bool
        /// For traces.
        package let what: String
    }

    package let id: Int
    /// What may be carried out now. A step that was carried out is replaced by its successor, if it has one.
    package internal(set) var steps: [Step] = []
    /// Status and headers are on their way already, before anything is executed; the body comes with `answer`.
    package internal(set) var head: InfluxAnswer?
    /// Complete. A write may still be under way in some shards.
    package internal(set) var answer: InfluxAnswer?

    /// Of the process; what an earlier process had begun is over.
    let generation: Int
    var task = Task.none
    private var nextNumber = 0

    enum Task: Sendable {
        case none
        case write(WriteTask)
        case query(QueryTask)
    }

    init(id: Int, generation: Int) {
        self.id = id
        self.generation = generation
    }

    mutating func step(_ what: String, isConcurrent: Bool) -> Step {
        nextNumber += 1
        return Step(number: nextNumber, isConcurrent: isConcurrent, what: what)
    }

    package var isOver: Bool { steps.isEmpty }
}
