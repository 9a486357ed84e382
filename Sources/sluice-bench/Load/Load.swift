// The load generator: N connections, each with one write under way, as many agents behave.

import ArgumentParser
import Glibc

struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes to a server on 127.0.0.1 as fast as it answers, and reports how fast that was."
    )

    @Option(help: "Port of the server under load.")
    var port: Int

    @OptionGroup var shape: LoadShape

    @Flag(help: "Print one line of JSON instead of a table.")
    var json = false

    func run() throws {
        stopOnSignals()
        let result = try LoadGenerator(port: port, shape: shape).run()
        print(json ? result.json : result.description)
    }
}

/// What is sent, for how long.
struct LoadShape: ParsableArguments {
    @Option(help: "Connections, each with one request under way.")
    var connections = 64

    @Option(help: "Lines of one request.")
    var lines = 10

    @Option(help: "Measurements that the lines of a request go round in.")
    var measurements = 1

    @Option(help: "Seconds that are measured.")
    var seconds = 5.0

    @Option(help: "Seconds before that which are not.")
    var warmup = 1.0

    @Option(help: "The database written to.")
    var database = "bench"

    @Option(help: "Further query parameters of /write, as they go into the URL: consistency=all")
    var parameters = ""

    @Option(help: "Requests in all, at most; 0 sets no limit.")
    var requests = 0

    func validate() throws {
        guard connections > 0, lines > 0, measurements > 0, seconds > 0, warmup >= 0 else {
            throw ValidationError("--connections, --lines, --measurements and --seconds must be positive")
        }
    }
}

struct LoadResult: CustomStringConvertible {
    var requests = 0
    /// Requests answered with 204 in all, warm-up included: what must arrive behind the server.
    var acknowledgedInAll = 0
    var linesPerRequest = 0
    var seconds = 0.0
    var processorSeconds = 0.0
    var latencies = LatencyHistogram()
    /// Answers that were no 204, by status; 0 stands for a broken connection.
    var errors: [Int: Int] = [:]

    var requestsPerSecond: Double { Double(requests) / seconds }
    var linesPerSecond: Double { requestsPerSecond * Double(linesPerRequest) }

    var json: String {
        let errors = errors.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        return """
            {"requests":\(requests),"acknowledged_in_all":\(acknowledgedInAll),"seconds":\(seconds),\
            "requests_per_second":\(requestsPerSecond),"lines_per_second":\(linesPerSecond),\
            "p50_us":\(micros(0.5)),"p99_us":\(micros(0.99)),"p999_us":\(micros(0.999)),\
            "max_us":\(latencies.largest / 1000),"errors":{\(errors)},"load_cpu_seconds":\(processorSeconds)}
            """
    }

    var description: String {
        """
        \(Int(requestsPerSecond)) requests/s, \(Int(linesPerSecond)) lines/s over \(fixed(seconds, 1)) s
        latency p50 \(micros(0.5)) us, p99 \(micros(0.99)) us, p99.9 \(micros(0.999)) us, \
        max \(latencies.largest / 1000) us
        errors by status: \(errors.isEmpty ? "none" : "\(errors)")
        the generator used \(fixed(processorSeconds, 2)) s of CPU
        """
    }

    func micros(_ fraction: Double) -> UInt64 { latencies.percentile(fraction) / 1000 }
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((value.magnitude * scale).rounded())
    let whole = "\(value < 0 ? "-" : "")\(scaled / Int(scale))"
    guard decimals > 0 else { return whole }
    let rest = String(scaled % Int(scale))
    return whole + "." + String(repeating: "0", count: decimals - rest.count) + rest
}

/// All connections on one thread.
final class LoadGenerator {
    private let port: Int
    private let shape: LoadShape
    private var connections: [LoadConnection] = []
    private var result = LoadResult()
    private var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    private var sent = 0

    init(port: Int, shape: LoadShape) {
        self.port = port
        self.shape = shape
    }

    func run() throws -> LoadResult {
        result.linesPerRequest = shape.lines
        for number in 0..<shape.connections {
            let connection = LoadConnection(number: number, shape: shape)
            connection.descriptor = try connectSocket(port: port)
            makeNonBlocking(connection.descriptor)
            connections.append(connection)
        }
        defer { for connection in connections { close(connection.descriptor) } }

        let begin = now()
        let measureFrom = begin + UInt64(shape.warmup * 1e9)
        let end = measureFrom + UInt64(shape.seconds * 1e9)
        var processorAtStart = ownProcessorSeconds()
        var measuring = shape.warmup == 0
        var time = begin
        for connection in connections { send(connection, at: time) }
        while time < end, !stopRequested.load(ordering: .relaxed), !reachedLimit {
            try step(measuring: measuring)
            time = now()
            if !measuring, time >= measureFrom {
                measuring = true
                processorAtStart = ownProcessorSeconds()
            }
        }
        result.seconds = Double(time - measureFrom) / 1e9
        if time < measureFrom { result.seconds = 0 }
        result.processorSeconds = ownProcessorSeconds() - processorAtStart
        // What is under way is waited for, so that the sum of acknowledged lines is exact.
        let patience = time + 30_000_000_000
        while connections.contains(where: \.isWaiting), now() < patience { try step(measuring: false, refill: false) }
        return result
    }

    private var reachedLimit: Bool { shape.requests > 0 && sent >= shape.requests }

    private func step(measuring: Bool, refill: Bool = true) throws {
        var waiting = connections.map { connection in
            let events = connection.unsent > 0 ? POLLIN | POLLOUT : POLLIN
            return pollfd(fd: connection.descriptor, events: Int16(events), revents: 0)
        }
        guard poll(&waiting, nfds_t(waiting.count), 100) > 0 else { return }
        for index in waiting.indices where waiting[index].revents != 0 {
            let connection = connections[index]
            if Int32(waiting[index].revents) & POLLOUT != 0, connection.unsent > 0 { push(connection) }
            guard Int32(waiting[index].revents) & (POLLIN | POLLHUP | POLLERR) != 0 else { continue }
            try receive(connection, measuring: measuring, refill: refill)
        }
    }

    private func receive(_ connection: LoadConnection, measuring: Bool, refill: Bool) throws {
        let count = recv(connection.descriptor, &buffer, buffer.count, 0)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else { return try reconnect(connection, refill: refill) }
        guard connection.isWaiting, let answer = connection.take(buffer[..<count]) else { return }
        let time = now()
        connection.isWaiting = false
        if answer.status == 204 {
            result.acknowledgedInAll += 1
            if measuring {
                result.requests += 1
                result.latencies.record(time - connection.sentAt)
            }
        } else {
            result.errors[answer.status, default: 0] += 1
        }
        if answer.closes { return try reconnect(connection, refill: refill) }
        if refill, !reachedLimit { send(connection, at: time) }
    }

    private func reconnect(_ connection: LoadConnection, refill: Bool) throws {
        if connection.isWaiting { result.errors[0, default: 0] += 1 }
        connection.isWaiting = false
        close(connection.descriptor)
        connection.descriptor = try connectSocket(port: port)
        makeNonBlocking(connection.descriptor)
        connection.forgetAnswer()
        if refill { send(connection, at: now()) }
    }

    private func send(_ connection: LoadConnection, at time: UInt64) {
        connection.prepareNext()
        connection.sentAt = time
        connection.isWaiting = true
        sent += 1
        push(connection)
    }

    private func push(_ connection: LoadConnection) {
        let from = connection.request.count - connection.unsent
        let count = connection.request.withUnsafeBytes { bytes in
            Glibc.send(
                connection.descriptor, bytes.baseAddress.map { $0 + from }, connection.unsent, Int32(MSG_NOSIGNAL))
        }
        if count > 0 { connection.unsent -= count }
    }
}

/// One client: its request as prepared bytes, of which only the timestamps change, and its place in the answer.
final class LoadConnection {
    var descriptor: Int32 = -1
    private(set) var request: [UInt8]
    var unsent = 0
    var isWaiting = false
    var sentAt: UInt64 = 0
    private var timestamp: UInt64
    private var timestampPlaces: [Int] = []
    private var answer: [UInt8] = []

    private static let timestampDigits = 19

    init(number: Int, shape: LoadShape) {
        timestamp = 1_700_000_000_000_000_000
        var body: [UInt8] = []
        var places: [Int] = []
        for line in 0..<shape.lines {
            let host = "server\(number / 10)\(number % 10)"
            let values = "usage_idle=9\(line % 8).237,usage_system=3.2\(line % 7),usage_user=5.\(line % 9)1"
            let name = shape.measurements == 1 ? "cpu" : "cpu\(line % shape.measurements)"
            body += Array("\(name),cpu=cpu\(line),host=\(host) \(values) ".utf8)
            places.append(body.count)
            body += Array("\(timestamp)\n".utf8)
        }
        let parameters = shape.parameters.isEmpty ? "" : "&\(shape.parameters)"
        let head = """
            POST /write?db=\(shape.database)\(parameters) HTTP/1.1\r
            Host: 127.0.0.1\r
            User-Agent: sluice-bench\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(body.count)\r
            \r

            """
        request = Array(head.utf8) + body
        timestampPlaces = places.map { $0 + head.utf8.count }
    }

    /// The next request: the same series, one millisecond later.
    func prepareNext() {
        timestamp += 1_000_000
        unsent = request.count
        guard let first = timestampPlaces.first else { return }
        var rest = timestamp
        for digit in (0..<Self.timestampDigits).reversed() {
            request[first + digit] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        for place in timestampPlaces.dropFirst() {
            for digit in 0..<Self.timestampDigits { request[place + digit] = request[first + digit] }
        }
    }

    /// Adds what was received; the answer once it is complete.
    func take(_ bytes: ArraySlice<UInt8>) -> (status: Int, closes: Bool)? {
        // Nearly every answer is a 204 that comes in one piece: its status is in the bytes 9 to 11.
        if answer.isEmpty, bytes.count > 12, bytes[bytes.startIndex + 9] == UInt8(ascii: "2"),
            bytes[bytes.startIndex + 11] == UInt8(ascii: "4"), bytes.suffix(4).elementsEqual([13, 10, 13, 10])
        {
            return (204, false)
        }
        answer += bytes
        guard let head = HTTPHead(answer[...]) else { return nil }
        if head.status == 204 || head.status == 304 { return finish(head) }
        if head.isChunked { return answer.suffix(5).elementsEqual(Array("0\r\n\r\n".utf8)) ? finish(head) : nil }
        return answer.count >= head.end + (head.contentLength ?? 0) ? finish(head) : nil
    }

    private func finish(_ head: HTTPHead) -> (status: Int, closes: Bool) {
        answer = []
        return (head.status, head.closes)
    }

    func forgetAnswer() {
        answer = []
    }
}
