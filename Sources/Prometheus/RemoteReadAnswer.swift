// The answer to a remote read: series and samples as rows bring them, in the order in which InfluxDB's storage has them.

import LineProtocol
import SwiftProtobuf

package struct RemoteReadAnswer: Sendable {
    private struct Series {
        /// What InfluxDB sorts by.
        let key: [UInt8]
        var message: Sluice_Prometheus_TimeSeries
    }

    private var series: [Series] = []
    /// In memory, roughly.
    package private(set) var bytes = 0

    package init() {}

    /// Samples that follow are of this series; one without samples does not count.
    package mutating func begin(measurement: [UInt8], tags: [(key: [UInt8], value: [UInt8])]) {
        let tags = tags.filter { !$0.value.isEmpty }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        let key = LineWriter.series(measurement, tags: tags) ?? measurement
        // The next chunk of the same one.
        if key == series.last?.key { return }
        var message = Sluice_Prometheus_TimeSeries()
        message.labels = tags.map { tag in
            var label = Sluice_Prometheus_Label()
            label.name = String(decoding: tag.key, as: UTF8.self)
            label.value = String(decoding: tag.value, as: UTF8.self)
            return label
        }
        bytes += key.count + tags.count * 48
        series.append(Series(key: key, message: message))
    }

    /// - Parameter time: in nanoseconds since the epoch.
    package mutating func add(time: Int64, value: Double) {
        var sample = Sluice_Prometheus_Sample()
        sample.timestamp = time / 1_000_000
        sample.value = value
        series[series.count - 1].message.samples.append(sample)
        bytes += MemoryLayout<Sluice_Prometheus_Sample>.size
    }

    /// As it is sent: protobuf, compressed.
    package func encoded() throws -> [UInt8] {
        var result = Sluice_Prometheus_QueryResult()
        result.timeseries = series.filter { !$0.message.samples.isEmpty }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map(\.message)
        var response = Sluice_Prometheus_ReadResponse()
        response.results = [result]
        return Snappy.encoded(try response.serializedBytes())
    }
}
