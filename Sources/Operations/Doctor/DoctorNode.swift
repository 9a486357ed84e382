// One node under examination: an interview on an event loop, asked from a task.

import Cluster
import NIOCore
import NodeClient
import Replication

struct DoctorNode: Sendable {
    let name: String
    let url: String
    private let loop: any EventLoop
    private let interview: NIOLoopBoundBox<NodeInterview>

    init(_ node: ConfiguredNode, on loop: any EventLoop, credential: ServiceCredential?) async throws {
        name = node.name
        url = node.url
        self.loop = loop
        let address = try NodeAddress(parsing: node.url)
        let connector = try TCPConnector(to: [node])
        interview = try await loop.submit {
            var limits = NodeInterview.Limits()
            limits.idle = .seconds(10)
            var poolLimits = NodePoolLimits()
            poolLimits.maximumConnections = 4
            poolLimits.connectTimeout = .seconds(3)
            let pool = NodePool(
                eventLoop: loop, address: address, limits: poolLimits, credential: credential,
                connector: connector)
            return NIOLoopBoundBox(
                NodeInterview(pool: pool, limits: limits), eventLoop: loop)
        }.get()
    }

    func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (NodeInterview) -> EventLoopFuture<Answer>
    ) async throws -> Answer {
        try await loop.flatSubmit { question(interview.value) }.get()
    }

    func close() async {
        try? await loop.flatSubmit { interview.value.pool.close(force: true) }.get()
    }
}

extension Array where Element == DoctorNode {
    /// The answers of all nodes to one question, in their order; asked side by side.
    func askAll<Answer: Sendable>(
        _ question: @escaping @Sendable (NodeInterview) -> EventLoopFuture<Answer>
    ) async -> [Result<Answer, any Error>] {
        await withTaskGroup(of: (Int, Result<Answer, any Error>).self) { group in
            for (index, node) in enumerated() {
                group.addTask {
                    do {
                        return (index, .success(try await node.ask(question)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var answers: [Int: Result<Answer, any Error>] = [:]
            for await (index, answer) in group { answers[index] = answer }
            return indices.compactMap { answers[$0] }
        }
    }

    /// As above; the first failure counts for all.
    func eachAnswer<Answer: Sendable>(
        _ question: @escaping @Sendable (NodeInterview) -> EventLoopFuture<Answer>
    ) async throws -> [Answer] {
        try await askAll(question).map { try $0.get() }
    }
}
