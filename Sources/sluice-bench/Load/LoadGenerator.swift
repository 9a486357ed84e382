// All connections of the load on one thread: on two cores each microsecond that the generator burns is taken from the
// server under test.

import Glibc

final class LoadGenerator {
    private let shape: LoadShape
    private let clients: [LoadClient]
    private let connections: [LoadConnection]
    private var result = LoadResult()
    private var latencies = LatencyHistogram()
    private var buffer = [UInt8](repeating: 0, count: 256 * 1024)
    private var sent = 0
    private var isMeasuring = false
    private var isEnding = false

    /// Clients with as many connections each as there are ports.
    init(ports: [Int], shape: LoadShape) {
        self.shape = shape
        clients = (0..<shape.connections).map { LoadClient(number: $0, ports: ports, shape: shape) }
        connections = clients.flatMap(\.connections)
    }

    func run() throws -> LoadResult {
        result.linesPerRequest = shape.linesPerRequest
        for connection in connections { try connection.connect() }
        defer { for connection in connections { connection.disconnect() } }

        let begin = now()
        let measureFrom = begin + nanoseconds(shape.warmup)
        let end = measureFrom + nanoseconds(shape.seconds)
        var processorAtStart = ownProcessorSeconds()
        isMeasuring = shape.warmup == 0
        var time = begin
        for (index, client) in clients.enumerated() {
            client.due = begin
            if shape.rate > 0 { client.due += period * UInt64(index) / UInt64(clients.count) }
        }
        while time < end, !stopRequested.load(ordering: .relaxed), !reachedLimit {
            sendDue(at: time)
            try step(until: end)
            time = now()
            if !isMeasuring, time >= measureFrom {
                isMeasuring = true
                processorAtStart = ownProcessorSeconds()
            }
        }
        result.seconds = time > measureFrom ? Double(time - measureFrom) / 1e9 : 0
        result.processorSeconds = ownProcessorSeconds() - processorAtStart
        isMeasuring = false
        isEnding = true
        // What is under way is waited for, so that the sum of acknowledged lines is exact.
        let patience = time + nanoseconds(30)
        while connections.contains(where: \.isWaiting), now() < patience { try step(until: patience) }
        result.note(latencies)
        return result
    }

    private var reachedLimit: Bool { shape.requests > 0 && sent >= shape.requests }

    /// Of one client.
    private var period: UInt64 { nanoseconds(Double(clients.count) / shape.rate) }

    private func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1e9) }

    private func sendDue(at time: UInt64) {
        for client in clients where client.due <= time && !client.isWaiting && !reachedLimit { send(client) }
    }

    private func send(_ client: LoadClient) {
        client.beganAt = shape.rate > 0 ? client.due : now()
        client.due = shape.rate > 0 ? client.due + period : .max
        sent += 1
        client.send()
    }

    /// Waits for something to happen, until the next request is due at the latest.
    private func step(until end: UInt64) throws {
        var waiting = connections.map { connection in
            let events = connection.hasUnsent ? POLLIN | POLLOUT : POLLIN
            return pollfd(fd: connection.descriptor, events: Int16(events), revents: 0)
        }
        let next = isEnding ? end : min(end, clients.lazy.filter { !$0.isWaiting }.map(\.due).min() ?? end)
        let time = now()
        // Whole milliseconds: what is due may be sent one late, and counts as late.
        let milliseconds = min(next > time ? (next - time + 999_999) / 1_000_000 : 0, 100)
        guard poll(&waiting, nfds_t(waiting.count), Int32(milliseconds)) > 0 else { return }
        for index in waiting.indices where waiting[index].revents != 0 {
            let connection = connections[index]
            if Int32(waiting[index].revents) & POLLOUT != 0 { connection.push() }
            guard Int32(waiting[index].revents) & (POLLIN | POLLHUP | POLLERR) != 0 else { continue }
            try receive(connection, of: clients[index / clients[0].connections.count])
        }
    }

    private func receive(_ connection: LoadConnection, of client: LoadClient) throws {
        let count = recv(connection.descriptor, &buffer, buffer.count, 0)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else {
            if connection.isWaiting { client.failure = 0 }
            try connection.reconnect()
            return finish(client)
        }
        if isMeasuring { result.receivedBytes += count }
        guard connection.isWaiting, let answer = connection.take(buffer[..<count]) else { return }
        if !(200..<300).contains(answer.status) { client.failure = answer.status }
        if answer.closes { try connection.reconnect() }
        finish(client)
    }

    /// Counts the request if all its answers are there, and sends the next.
    private func finish(_ client: LoadClient) {
        guard !client.isWaiting, let beganAt = client.beganAt else { return }
        client.beganAt = nil
        if let status = client.failure {
            client.failure = nil
            result.errors[status, default: 0] += 1
        } else {
            result.acknowledged += 1
            if isMeasuring {
                result.requests += 1
                latencies.record(now() - beganAt)
            }
        }
        if shape.rate == 0, !isEnding, !reachedLimit { send(client) }
    }
}

/// One agent: the same request to each of its servers, the next when all have answered.
final class LoadClient {
    let connections: [LoadConnection]
    /// When the next request is to be sent; `.max`: when the last is answered.
    var due: UInt64 = 0
    /// When the one under way was sent, or was due; nil: none is.
    var beganAt: UInt64?
    /// What a server said that was no success; 0 for a broken connection.
    var failure: Int?
    private var payload: Payload

    init(number: Int, ports: [Int], shape: LoadShape) {
        connections = ports.map { LoadConnection(port: $0) }
        payload = Payload(number: number, shape: shape)
    }

    var isWaiting: Bool { connections.contains(where: \.isWaiting) }

    func send() {
        // The bytes change in place where nobody else holds them.
        for connection in connections { connection.forgetRequest() }
        let request = payload.next()
        for connection in connections { connection.send(request) }
    }
}

/// One connection and its place in its request and its answer.
final class LoadConnection {
    private(set) var descriptor: Int32 = -1
    private(set) var isWaiting = false
    private let port: Int
    private var request: [UInt8] = []
    private var unsent = 0
    private var answer = AnswerReader()

    init(port: Int) {
        self.port = port
    }

    var hasUnsent: Bool { unsent > 0 }

    func connect() throws {
        descriptor = try connectSocket(port: port)
        makeNonBlocking(descriptor)
    }

    func disconnect() { close(descriptor) }

    /// A new connection, without what was under way.
    func reconnect() throws {
        disconnect()
        isWaiting = false
        unsent = 0
        answer = AnswerReader()
        try connect()
    }

    func forgetRequest() { request = [] }

    func send(_ request: [UInt8]) {
        self.request = request
        unsent = request.count
        isWaiting = true
        push()
    }

    /// Sends what the socket takes.
    func push() {
        guard unsent > 0 else { return }
        let from = request.count - unsent
        let count = request.withUnsafeBytes { bytes in
            Glibc.send(descriptor, bytes.baseAddress.map { $0 + from }, unsent, Int32(MSG_NOSIGNAL))
        }
        if count > 0 { unsent -= count }
    }

    /// Takes bytes of the answer; gives it back once it is complete.
    func take(_ bytes: ArraySlice<UInt8>) -> AnswerReader.Answer? {
        guard let answer = answer.take(bytes) else { return nil }
        isWaiting = false
        return answer
    }
}
