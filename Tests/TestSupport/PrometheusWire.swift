// Prometheus' remote protocol, written down byte by byte: tests hold the gateway's decoder against this, not against itself.

/// A protobuf message, field by field.
package struct WireMessage {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func varint(_ number: Int, _ value: UInt64) {
        key(number, 0)
        plain(value)
    }

    package mutating func double(_ number: Int, _ value: Double) {
        key(number, 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }

    package mutating func field(_ number: Int, _ content: some Collection<UInt8>) {
        key(number, 2)
        plain(UInt64(content.count))
        bytes += content
    }

    private mutating func key(_ number: Int, _ type: UInt64) { plain(UInt64(number) << 3 | type) }

    private mutating func plain(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

package enum PrometheusWire {
    package typealias Sample = (value: Double, milliseconds: Int64)

    package static func series(_ labels: [(String, String)], _ samples: [Sample]) -> [UInt8] {
        var series = WireMessage()
        for (name, value) in labels {
            var label = WireMessage()
            if !name.isEmpty { label.field(1, name.utf8) }
            if !value.isEmpty { label.field(2, value.utf8) }
            series.field(1, label.bytes)
        }
        for (value, milliseconds) in samples {
            var sample = WireMessage()
            if value.bitPattern != 0 { sample.double(1, value) }
            if milliseconds != 0 { sample.varint(2, UInt64(bitPattern: milliseconds)) }
            series.field(2, sample.bytes)
        }
        return series.bytes
    }

    package static func write(_ series: [[UInt8]]) -> [UInt8] {
        var request = WireMessage()
        for one in series { request.field(1, one) }
        return request.bytes
    }

    /// - Parameter matchers: 0 to 3 for `=`, `!=`, `=~`, `!~`; label; value.
    package static func query(_ matchers: [(UInt64, String, String)], from start: Int64, to end: Int64) -> [UInt8] {
        var query = WireMessage()
        if start != 0 { query.varint(1, UInt64(bitPattern: start)) }
        if end != 0 { query.varint(2, UInt64(bitPattern: end)) }
        for (kind, name, value) in matchers {
            var matcher = WireMessage()
            if kind != 0 { matcher.varint(1, kind) }
            matcher.field(2, name.utf8)
            matcher.field(3, value.utf8)
            query.field(3, matcher.bytes)
        }
        return query.bytes
    }

    package static func read(_ queries: [[UInt8]]) -> [UInt8] { write(queries) }
}
