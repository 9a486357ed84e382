// All connections of the sink on one thread.

import Glibc

/// What a sink has received at `/write`.
struct SinkCounts: Codable {
    var requests = 0
    /// Of bodies that are not compressed.
    var lines = 0
    var bytes = 0
}

final class SinkServer {
    private(set) var counts = SinkCounts()
    private let listener: Int32
    private var answers: SinkAnswers
    private var connections: [Int32: SinkConnection] = [:]
    private var buffer = [UInt8](repeating: 0, count: 256 * 1024)

    init(listener: Int32, answers: SinkAnswers) {
        self.listener = listener
        self.answers = answers
    }

    /// Serves until a signal asks for the end.
    func run() {
        var waiting: [pollfd] = []
        var changed = true
        while !stopRequested.load(ordering: .relaxed) {
            if changed {
                waiting = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
                waiting += connections.values.map { connection in
                    let events = connection.output.isEmpty ? POLLIN : POLLOUT
                    return pollfd(fd: connection.descriptor, events: Int16(events), revents: 0)
                }
                changed = false
            }
            guard poll(&waiting, nfds_t(waiting.count), 1000) > 0 else { continue }
            for index in waiting.indices where waiting[index].revents != 0 {
                let descriptor = waiting[index].fd
                if index == 0 {
                    changed = acceptAll() || changed
                } else if let connection = connections[descriptor] {
                    let wasSending = !connection.output.isEmpty
                    if !serve(connection) {
                        connections[descriptor] = nil
                        close(descriptor)
                        changed = true
                    }
                    if wasSending == connection.output.isEmpty { changed = true }
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
        guard connection.output.isEmpty else { return connection.push() }
        let count = recv(connection.descriptor, &buffer, buffer.count, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        if count == 0 { return false }
        var rest = buffer[..<count]
        while !rest.isEmpty {
            guard connection.take(&rest) else { return false }
            guard let request = connection.finishedRequest() else { continue }
            connection.output.append(answer(request))
            guard connection.push() else { return false }
        }
        return true
    }

    private func answer(_ request: SinkRequest) -> SinkAnswer {
        if request.target.hasPrefix("/counts") { return answers.json(counts) }
        if request.isWrite, !request.isMarker {
            counts.requests += 1
            counts.lines += request.lines
            counts.bytes += request.bytes
        }
        return answers.answer(request)
    }
}

struct SinkRequest {
    var target: String
    var lines = 0
    var bytes = 0
    /// The body of everything that is no write of the load.
    var text = ""

    var isWrite: Bool { target.hasPrefix("/write") }
    /// Beside the load a gateway writes its marker.
    var isMarker: Bool { target.hasPrefix("/write?db=_sluice") }
}

/// Bytes to be sent, with a middle that is sent several times.
struct SinkAnswer {
    var head: [UInt8]
    var block: [UInt8] = []
    var blocks = 0
    var tail: [UInt8] = []
}

/// What waits to be sent on a connection.
struct SinkOutput {
    private var answers: [SinkAnswer] = []
    private var sent = 0

    var isEmpty: Bool { answers.isEmpty }

    mutating func append(_ answer: SinkAnswer) { answers.append(answer) }

    /// Sends what the socket takes; false when the connection is over.
    mutating func push(to descriptor: Int32) -> Bool {
        while let answer = answers.first {
            let piece = !answer.head.isEmpty ? answer.head : answer.blocks > 0 ? answer.block : answer.tail
            let count = piece.withUnsafeBytes { bytes in
                send(descriptor, bytes.baseAddress.map { $0 + sent }, piece.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count >= 0 else { return errno == EAGAIN || errno == EINTR }
            sent += count
            guard sent == piece.count else { continue }
            sent = 0
            if !answer.head.isEmpty {
                answers[0].head = []
            } else if answer.blocks > 0 {
                answers[0].blocks -= 1
            } else {
                answers[0].tail = []
            }
            if answers[0].head.isEmpty, answers[0].blocks == 0, answers[0].tail.isEmpty { answers.removeFirst() }
        }
        return true
    }
}

/// One connection's place in its current request.
final class SinkConnection {
    let descriptor: Int32
    var output = SinkOutput()
    private var head: [UInt8] = []
    private var last: (head: [UInt8], target: String, body: BodyReader)?
    private var under: (request: SinkRequest, body: BodyReader, isComplete: Bool)?

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    func push() -> Bool { output.push(to: descriptor) }

    /// Takes from `bytes` what belongs to the current request; false when this is nothing that the sink speaks.
    func take(_ bytes: inout ArraySlice<UInt8>) -> Bool {
        if under == nil {
            // Clients repeat themselves: a head of the same bytes as the last one means the same.
            if head.isEmpty, let last, bytes.starts(with: last.head) {
                under = (SinkRequest(target: last.target), last.body, false)
                bytes = bytes.dropFirst(last.head.count)
            } else {
                let before = head.count
                head += bytes
                guard let parsed = HTTPHead(head[...]) else {
                    bytes = []
                    return head.count < 65536
                }
                let body = BodyReader(contentLength: parsed.contentLength, isChunked: parsed.isChunked)
                let target = String(parsed.target)
                under = (SinkRequest(target: target), body, false)
                last = (Array(head[..<parsed.end]), target, body)
                bytes = bytes.dropFirst(parsed.end - before)
                head = []
            }
        }
        takeBody(&bytes)
        return true
    }

    private func takeBody(_ bytes: inout ArraySlice<UInt8>) {
        guard var (request, body, _) = under else { return }
        let isLoad = request.isWrite && !request.isMarker
        let isComplete = body.take(&bytes) { piece in
            request.bytes += piece.count
            if isLoad {
                request.lines += Self.newlines(in: piece)
            } else {
                request.text += String(decoding: piece, as: UTF8.self)
            }
        }
        under = (request, body, isComplete)
    }

    /// The request, once it is complete.
    func finishedRequest() -> SinkRequest? {
        guard let under, under.isComplete else { return nil }
        self.under = nil
        return under.request
    }

    private static func newlines(in bytes: ArraySlice<UInt8>) -> Int {
        bytes.withUnsafeBufferPointer { bytes in
            var count = 0
            for byte in bytes { count &+= byte == UInt8(ascii: "\n") ? 1 : 0 }
            return count
        }
    }
}
