// The work that is done for each request, on fixed input: what benchmarks time and what instruction counts are kept of.

/// A piece of the way of a write or a query, done again and again on the same input.
package struct HotPath: Sendable {
    package let name: String
    /// What one call does, in words.
    package let title: String
    /// Bytes of input of one call.
    package let bytes: Int
    private let prepare: @Sendable () -> () -> Void

    /// - Parameter prepare: makes everything that lasts, and gives back what one call does.
    init(_ name: String, _ title: String, bytes: Int, prepare: @escaping @Sendable () -> () -> Void) {
        self.name = name
        self.title = title
        self.bytes = bytes
        self.prepare = prepare
    }

    /// One call, with its own state.
    package func prepared() -> () -> Void { prepare() }

    package static let all: [HotPath] =
        [Scanning.agent(lines: 10), Scanning.agent(lines: 1000), Scanning.mixed(lines: 1000)]
        + [Requests.decode, Responses.decode, Appending.group, Queries.parse, Queries.plan]
}
