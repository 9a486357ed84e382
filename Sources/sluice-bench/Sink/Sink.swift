// An HTTP server in the place of an InfluxDB node that reads what it is sent, counts it and says 204: whatever time a
// write takes beyond this is the gateway's.

import ArgumentParser
import Glibc
import Synchronization

/// Set by SIGTERM and SIGINT; the loops look at it after each wait.
let stopRequested = Atomic(false)

func stopOnSignals() {
    for number in [SIGTERM, SIGINT] {
        signal(number) { _ in stopRequested.store(true, ordering: .relaxed) }
    }
    signal(SIGPIPE, SIG_IGN)
}

struct Sink: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plays an InfluxDB node: reads every write, counts it, answers 204."
    )

    @Option(help: "Port on 127.0.0.1; 0 takes a free one and prints it.")
    var port = 0

    @Option(help: "The database that it claims to have.")
    var database = "bench"

    func run() throws {
        stopOnSignals()
        let listener = try listenSocket(port: port)
        print("listening on 127.0.0.1:\(listener.port)")
        fflush(nil)
        let server = SinkServer(listener: listener.descriptor, database: database)
        server.run()
        print(server.counts.json)
    }
}

/// What a sink has received at `/write`.
struct SinkCounts {
    var requests = 0
    var lines = 0
    var bytes = 0

    var json: String {
        "{\"requests\":\(requests),\"lines\":\(lines),\"bytes\":\(bytes),\"cpu_seconds\":\(ownProcessorSeconds())}"
    }
}

/// All connections of the sink on one thread.
final class SinkServer {
    private(set) var counts = SinkCounts()
    private let listener: Int32
    private let database: String
    private var connections: [Int32: SinkConnection] = [:]
    /// As InfluxDB says when it was started.
    private let started = timestamp()
    private var buffer = [UInt8](repeating: 0, count: 256 * 1024)

    private static let headers =
        "Content-Type: application/json\r\nX-Influxdb-Build: OSS\r\nX-Influxdb-Version: 1.8.10\r\n"
    private static let noContent = Array("HTTP/1.1 204 No Content\r\n\(headers)\r\n".utf8)

    init(listener: Int32, database: String) {
        self.listener = listener
        self.database = database
    }

    /// Serves until a signal asks for the end.
    func run() {
        var waiting: [pollfd] = []
        var changed = true
        while !stopRequested.load(ordering: .relaxed) {
            if changed {
                waiting = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
                waiting += connections.keys.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                changed = false
            }
            guard poll(&waiting, nfds_t(waiting.count), 1000) > 0 else { continue }
            for index in waiting.indices where waiting[index].revents != 0 {
                let descriptor = waiting[index].fd
                if index == 0 {
                    changed = acceptAll() || changed
                } else if let connection = connections[descriptor], !serve(connection) {
                    connections[descriptor] = nil
                    close(descriptor)
                    changed = true
                }
            }
        }
    }

    private func acceptAll() -> Bool {
        var any = false
        while true {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { return any }
            makeNonBlocking(descriptor)
            connections[descriptor] = SinkConnection(descriptor: descriptor)
            any = true
        }
    }

    /// Reads what is there and answers what is complete; false when the connection is over.
    private func serve(_ connection: SinkConnection) -> Bool {
        let count = recv(connection.descriptor, &buffer, buffer.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        if count == 0 { return false }
        var rest = buffer[..<count]
        while !rest.isEmpty {
            guard connection.take(&rest) else { return false }
            guard let request = connection.finishedRequest() else { continue }
            guard answer(request, on: connection.descriptor) else { return false }
        }
        return true
    }

    private func answer(_ request: SinkConnection.Request, on descriptor: Int32) -> Bool {
        // Beside the load a gateway writes its marker.
        if request.target.hasPrefix("/write?db=_sluice") { return write(Self.noContent, to: descriptor) }
        if request.target.hasPrefix("/write") {
            counts.requests += 1
            counts.lines += request.lines
            counts.bytes += request.bytes
            return write(Self.noContent, to: descriptor)
        }
        if request.target.hasPrefix("/ping") { return write(Self.noContent, to: descriptor) }
        let body: String
        if request.target.hasPrefix("/counts") {
            body = counts.json
        } else if request.target.hasPrefix("/debug/vars") {
            body =
                "{\"system\":{\"started\":\"\(started)\"},"
                + "\"httpd\":{\"name\":\"httpd\",\"tags\":{},\"values\":{\"writeReqActive\":0}}}"
        } else {
            body = queryAnswer(request)
        }
        let head = "HTTP/1.1 200 OK\r\n\(Self.headers)Content-Length: \(body.utf8.count)\r\n\r\n"
        return write(Array((head + body).utf8), to: descriptor)
    }

    // Enough of an answer for a gateway that asks what its node holds.
    private func queryAnswer(_ request: SinkConnection.Request) -> String {
        let question = (request.target + request.text).uppercased()
        let series: String
        if question.contains("DIAGNOSTICS") {
            let columns = "[\"PID\",\"currentTime\",\"started\"]"
            series =
                "{\"name\":\"system\",\"columns\":\(columns),"
                + "\"values\":[[\(getpid()),\"\(timestamp())\",\"\(started)\"]]}"
        } else if question.contains("DATABASES") {
            series = "{\"name\":\"databases\",\"columns\":[\"name\"],\"values\":[[\"\(database)\"]]}"
        } else if question.contains("POLICIES") {
            let columns = "[\"name\",\"duration\",\"shardGroupDuration\",\"replicaN\",\"default\"]"
            series = "{\"columns\":\(columns),\"values\":[[\"autogen\",\"0s\",\"168h0m0s\",1,true]]}"
        } else {
            return "{\"results\":[{\"statement_id\":0}]}\n"
        }
        return "{\"results\":[{\"statement_id\":0,\"series\":[\(series)]}]}\n"
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        // Answers are far smaller than a socket's buffer, and the peer waits for them.
        send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }
}

/// Now, as InfluxDB prints it: `2026-01-02T03:04:05.000000006Z`.
private func timestamp() -> String {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    var parts = tm()
    gmtime_r(&now.tv_sec, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
    let seconds = String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let nanoseconds = String(now.tv_nsec)
    return seconds + "." + String(repeating: "0", count: 9 - nanoseconds.count) + nanoseconds + "Z"
}

/// One connection's place in its current request.
final class SinkConnection {
    struct Request {
        var target: String
        var lines = 0
        var bytes = 0
        /// The body of everything that is no write.
        var text = ""
    }

    let descriptor: Int32
    private var head: [UInt8] = []
    private var lastHead: (bytes: [UInt8], target: String, contentLength: Int)?
    private var request: Request?
    private var bodyLeft = 0

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Takes from `bytes` what belongs to the current request; false when this is nothing that the sink speaks.
    func take(_ bytes: inout ArraySlice<UInt8>) -> Bool {
        if request == nil {
            // Clients repeat themselves: a head of the same bytes as the last one means the same.
            if head.isEmpty, let last = lastHead, bytes.starts(with: last.bytes) {
                request = Request(target: last.target)
                bodyLeft = last.contentLength
                bytes = bytes[(bytes.startIndex + last.bytes.count)...]
                return takeBody(&bytes)
            }
            let before = head.count
            let whole = before == 0 ? bytes : (head + bytes)[...]
            guard let parsed = HTTPHead(whole) else {
                head += bytes
                bytes = []
                return head.count < 65536
            }
            guard !parsed.isChunked else { return false }
            request = Request(target: String(parsed.target))
            bodyLeft = parsed.contentLength ?? 0
            lastHead = (Array(whole[..<parsed.end]), String(parsed.target), bodyLeft)
            head = []
            bytes = bytes[(bytes.startIndex + (parsed.end - whole.startIndex) - before)...]
        }
        return takeBody(&bytes)
    }

    private func takeBody(_ bytes: inout ArraySlice<UInt8>) -> Bool {
        let piece = bytes.prefix(bodyLeft)
        bytes = bytes[piece.endIndex...]
        bodyLeft -= piece.count
        request?.bytes += piece.count
        if request?.target.hasPrefix("/write") == true {
            request?.lines += countNewlines(piece)
        } else {
            request?.text += String(decoding: piece, as: UTF8.self)
        }
        return true
    }

    /// The request, once it is complete.
    func finishedRequest() -> Request? {
        guard bodyLeft == 0, let finished = request else { return nil }
        request = nil
        return finished
    }

    private func countNewlines(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.withUnsafeBufferPointer { bytes in
            var count = 0
            for byte in bytes { count &+= byte == UInt8(ascii: "\n") ? 1 : 0 }
            return count
        }
    }
}
