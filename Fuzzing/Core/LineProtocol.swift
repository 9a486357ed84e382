// Line protocol: whatever comes in pieces is read the same, and what is kept of it is good, alone and joined.

import FuzzEngine
import LineProtocol

/// Input: a byte for precision and arrival time, a byte for the budget, two bytes for cuts, then a body.
let lineProtocol = FuzzTarget("line-protocol") { bytes in
    var input = FuzzInput(bytes)
    let setting = input.byte()
    let precision = Precision.allCases[Int(setting) % Precision.allCases.count]
    let now = precision.truncate(nanosecondsSinceEpoch: 1_700_000_000_123_456_789)
    let arrival = [0, now, -5, precision.maximumTimestamp][Int(setting) / 8 % 4]
    let scanner = LineScanner(
        precision: precision, arrivalTime: arrival, maximumErrorBytes: setting < 128 ? 1 << 20 : 40)
    let budget = Int(input.byte()) + 1
    let cuts = [input.byte(), input.byte()].map(Int.init)
    let body = input.rest()

    let whole = Scanned(scanner, [body])
    check(whole.result, of: body, keepsAllErrors: setting < 128)
    demand(
        Scanned(scanner, pieces(of: body, at: cuts), budget: budget) == whole, "a body in pieces is another body")
    // Byte by byte no line is ever complete when it is first seen, so none takes the fast path.
    if body.count <= 160 {
        demand(Scanned(scanner, body.map { [$0] }) == whole, "the fast path says something else than the grammar")
    }

    let again = Scanned(scanner, [whole.payload])
    demand(again.payload == whole.payload, "a payload does not stay as it is")
    demand(again.result.lines == whole.result.lines && again.result.badLines == 0, "a payload has bad lines")
    demand(
        again.result.lines == 0 || again.result.isBodyAsIs && !again.result.lacksFinalNewline, "a payload is changed")
    checkLines(of: whole.payload, count: whole.result.lines, scanner)
}

/// What a scan of a body made of it.
private struct Scanned: Equatable {
    let result: ScanResult
    let payload: [UInt8]

    /// Scans the body as it grows, at another address each time.
    init(_ scanner: LineScanner, _ pieces: [[UInt8]], budget: Int = LineScanner.defaultBudget) {
        var scanner = scanner
        var body: [UInt8] = []
        for (place, piece) in pieces.enumerated() {
            body += piece
            let isFinal = place + 1 == pieces.count
            var progress = LineScanner.Progress.yielded
            while progress == .yielded {
                progress = withExactMemory(body) { scanner.scan($0, isFinal: isFinal, budget: budget) }
            }
            demand(progress == (isFinal ? .finished : .needsMoreBytes), "a scan ends as \(progress)")
        }
        if pieces.isEmpty { _ = withExactMemory([]) { scanner.scan($0, isFinal: true) } }
        result = scanner.result
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: scanner.result.payloadLength, alignment: 1)
        defer { memory.deallocate() }
        let written = withExactMemory(body) { scanner.result.writePayload(of: $0, into: memory) }
        demand(written == memory.count, "\(written) bytes of payload, not \(memory.count)")
        payload = Array(memory)
    }

    static func == (left: Scanned, right: Scanned) -> Bool {
        left.payload == right.payload && left.result.lines == right.result.lines
            && left.result.badLines == right.result.badLines && left.result.errors == right.result.errors
    }
}

private func pieces(of body: [UInt8], at cuts: [Int]) -> [[UInt8]] {
    let places = cuts.map { $0 * (body.count + 1) / 256 }.sorted()
    return zip([0] + places, places + [body.count]).map { Array(body[$0..<$1]) } + [[]]
}

private func check(_ result: ScanResult, of body: [UInt8], keepsAllErrors: Bool) {
    var end = 0
    for edit in result.edits {
        demand(edit.offset >= end && edit.removed >= 0, "edits overlap")
        end = edit.offset + edit.removed
    }
    demand(end <= body.count, "an edit lies behind the body")
    demand(result.errors.count <= result.badLines, "more errors than bad lines")
    demand(!keepsAllErrors || result.errors.count == result.badLines, "an error is missing")
    for error in result.errors {
        let line = body[error.range]
        demand(
            error.isTruncated ? line.starts(with: error.line) : line.elementsEqual(error.line), "another line's error")
    }
    demand((result.badLines == 0) == result.failureMessageBytes.isEmpty, "bad lines and no words, or words for none")
    demand(
        !result.failureMessageBytes.allSatisfy { $0 < 0x80 }
            || result.failureMessageBytes == Array(result.failureMessage.utf8), "the message is not its bytes")
}

/// The lines of a payload are good, each alone; together they are the payload again, but for comments.
private func checkLines(of payload: [UInt8], count: Int, _ scanner: LineScanner) {
    let ranges = withExactMemory(payload) { Array(PayloadLines($0)) }
    demand(ranges.count == count, "\(ranges.count) lines of \(count)")
    var joined: [UInt8] = []
    var end = 0
    for range in ranges {
        demand(range.lowerBound >= end && !range.isEmpty && range.upperBound < payload.count, "lines overlap")
        demand(payload[range.upperBound] == 0x0A, "a line does not end where the next begins")
        end = range.upperBound + 1
        let line = Array(payload[range])
        withExactMemory(line) { check(LineParts($0), of: $0) }
        let alone = Scanned(scanner, [line + [0x0A]])
        demand(
            alone.payload == line + [0x0A] && alone.result.lines == 1,
            "alone it says something else: \(shown(line)) gives \(shown(alone.payload))")
        joined += line + [0x0A]
    }
    let all = Scanned(scanner, [joined])
    demand(all.payload == joined && all.result.lines == count, "lines joined are other lines")
}

/// The parts lie in the line, one behind the other, with the right byte between them.
private func check(_ parts: LineParts, of line: UnsafeRawBufferPointer) {
    let comma = UInt8(ascii: ",")
    let equals = UInt8(ascii: "=")
    demand(!parts.measurement.isEmpty, "no measurement")
    demand(parts.measurement == MeasurementName.range(inLine: line), "two measurements")
    demand(MeasurementName.unescape(line[parts.measurement]).count <= parts.measurement.count, "a name has grown")
    var end = parts.measurement.upperBound
    for tag in parts.tags {
        demand(line[end] == comma && tag.key.lowerBound == end + 1 && !tag.key.isEmpty, "a tag begins elsewhere")
        demand(line[tag.key.upperBound] == equals && tag.value.lowerBound == tag.key.upperBound + 1, "no tag value")
        demand(!tag.value.isEmpty, "an empty tag value")
        end = tag.value.upperBound
    }
    demand(!parts.fields.isEmpty, "no fields")
    for (place, field) in parts.fields.enumerated() {
        let begins = place == 0 ? field.key.lowerBound > end : field.key.lowerBound > end && line[end] != comma
        demand(begins, "a field begins in what stands before it")
        demand(field.key.upperBound < line.count && line[field.key.upperBound] == equals, "a field without a value")
        end = field.key.upperBound
    }
    demand(parts.time != nil, "no time")
}

private func shown(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).debugDescription }
