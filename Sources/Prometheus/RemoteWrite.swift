// A remote write of Prometheus as lines. InfluxDB makes points of it like this (found by experiment on 1.6.7): the
// metric's name is the measurement, every label a tag, `__name__` too, the value a float field `value`. Labels without
// a value are left out, of two labels of one name the last counts, a series without a name gets one. Samples that are
// NaN or infinite are dropped without a word, as InfluxDB 1.7.6 and later do it.

import LineProtocol
import SwiftProtobuf

/// Takes a message apart in bounded pieces:
///
///     var write = RemoteWrite(limit: 250_000_000)
///     while try !write.advance(message, budget: 1 << 18) { /* let others run */ }
///     write.lines.bytes
package struct RemoteWrite: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        /// In InfluxDB's words where it has some.
        case malformed(String)
        /// More would be kept in memory than allowed.
        case tooLarge(String)
    }

    /// Points, with times in nanoseconds.
    package private(set) var lines = LineWriter()
    /// Samples that line protocol cannot say.
    package private(set) var dropped = 0
    /// Of the first of them.
    package private(set) var dropReason = ""
    private let limit: Int
    private var position = 0

    private static let noName = Array("prom_metric_not_specified".utf8)
    private static let nameLabel = Array("__name__".utf8)
    private static let value = LineWriter.fieldKey("value".utf8) ?? []
    /// How much of a message is given to the decoder at once: what it makes of it takes many times as much.
    private static let piece = 64 << 10
    /// Of one series as it is sent; Prometheus sends some hundred bytes.
    package static let largestSeries = 4 << 20

    /// - Parameter limit: how many bytes of lines are allowed.
    package init(limit: Int) { self.limit = limit }

    /// Reads on in `message`, which is the same in every call.
    /// - Parameter budget: how many of its bytes to read, roughly.
    /// - Returns: whether all of it is read.
    package mutating func advance(_ message: [UInt8], budget: Int) throws(Failure) -> Bool {
        let stop = position + min(budget, message.count - position)
        while position < stop {
            let start = position
            while position < message.count, position - start < Self.piece {
                let end = try WireFormat.endOfField(in: message, at: position)
                guard end - position <= Self.largestSeries else {
                    throw .tooLarge("a series in the request is larger than \(Self.largestSeries) bytes")
                }
                position = end
            }
            let request: Sluice_Prometheus_WriteRequest
            do {
                request = try Sluice_Prometheus_WriteRequest(serializedBytes: Array(message[start..<position]))
            } catch {
                throw .malformed(WireFormat.words(error))
            }
            for series in request.timeseries { try add(series) }
        }
        return position == message.count
    }

    private mutating func add(_ series: Sluice_Prometheus_TimeSeries) throws(Failure) {
        guard !series.samples.isEmpty else { return }
        var tags = series.labels.map { (key: Array($0.name.utf8), value: Array($0.value.utf8)) }
        if !zip(tags, tags.dropFirst()).allSatisfy({ $0.key.lexicographicallyPrecedes($1.key) }) {
            tags = Dictionary(tags.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
                .map { (key: $0.key, value: $0.value) }
        }
        let measurement = tags.first { $0.key == Self.nameLabel }?.value ?? Self.noName
        let start = LineWriter.series(measurement, tags: tags)
        for sample in series.samples where sample.value.isFinite {
            guard let start else {
                drop(
                    "line protocol cannot say a measurement without a name, a label without one, a newline in a label, "
                        + "or a backslash at its end")
                continue
            }
            let (time, overflow) = sample.timestamp.multipliedReportingOverflow(by: 1_000_000)
            guard !overflow else {
                drop("time outside range -9223372036854775806 - 9223372036854775806")
                continue
            }
            lines.begin(start)
            lines.field(Self.value, sample.value)
            lines.end(time: time)
            guard lines.bytes.count <= limit else { throw .tooLarge("the points of the request are too large") }
        }
    }

    private mutating func drop(_ reason: String) {
        if dropped == 0 { dropReason = reason }
        dropped += 1
    }
}

/// The outermost layer of a protobuf message, as far as it must be known to take it apart at its seams.
enum WireFormat {
    /// The end of the field that begins at `start`. The words are those of the code that gogo makes for InfluxDB.
    /// - Parameters:
    ///   - name: of the message.
    ///   - field: the name of its field 1, a list of messages.
    static func endOfField(
        in message: [UInt8], at start: Int, of name: String = "WriteRequest", field: String = "Timeseries"
    ) throws(RemoteWrite.Failure) -> Int {
        var position = start
        let tag = try varint(in: message, at: &position)
        let (number, wireType) = (tag >> 3, tag & 7)
        if wireType == 4 { throw .malformed("proto: \(name): wiretype end group for non-group") }
        if number == 0 || number > 0x1FFF_FFFF {
            throw .malformed("proto: \(name): illegal tag \(number) (wire type \(wireType))")
        }
        if number == 1, wireType != 2 {
            throw .malformed("proto: wrong wireType = \(wireType) for field \(field)")
        }
        var length: UInt64
        switch wireType {
        case 0:
            _ = try varint(in: message, at: &position)
            length = 0
        case 1: length = 8
        case 2: length = try varint(in: message, at: &position)
        case 5: length = 4
        default: throw .malformed("proto: illegal wireType \(wireType)")
        }
        if length > UInt64(Int.max) { throw .malformed("proto: negative length found during unmarshaling") }
        guard length <= UInt64(message.count - position) else { throw .malformed("unexpected EOF") }
        return position + Int(length)
    }

    private static func varint(in message: [UInt8], at position: inout Int) throws(RemoteWrite.Failure) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < message.count else { throw .malformed("unexpected EOF") }
            let byte = message[position]
            position += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
        }
        throw .malformed("proto: integer overflow")
    }

    static func words(_ error: any Error) -> String {
        switch error {
        case RemoteWrite.Failure.malformed(let words): words
        case BinaryDecodingError.truncated: "unexpected EOF"
        case BinaryDecodingError.invalidUTF8: "proto: a label is not valid UTF-8"
        default: "proto: malformed message"
        }
    }
}
