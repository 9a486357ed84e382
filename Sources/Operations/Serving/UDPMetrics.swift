// The figures of UDP listeners under their Prometheus names.
import Gateway
import Replication

extension GatewayMetrics {
    static func udp(_ listeners: [UDPFigures]) -> [MetricFamily] {
        guard !listeners.isEmpty else { return [] }
        func family(
            _ name: String, _ help: String, _ kind: MetricFamily.Kind = .counter, _ value: (UDPFigures) -> Double
        ) -> MetricFamily {
            MetricFamily(
                name: name, help: help, kind: kind,
                samples: listeners.map { .init(labels: [("listener", $0.address)], value: value($0)) })
        }
        func counter(_ name: String, _ help: String, _ field: KeyPath<UDPFigures, Counter>) -> MetricFamily {
            family(name, help) { Double($0[keyPath: field].value) }
        }
        return [
            counter("sluice_udp_datagrams_total", "Datagrams that were read.", \.datagrams),
            counter("sluice_udp_bytes_total", "Bytes in these datagrams.", \.bytes),
            counter("sluice_udp_points_total", "Points from datagrams that are durable in the log.", \.points),
            counter("sluice_udp_bad_lines_total", "Lines in datagrams that are not line protocol.", \.badLines),
            MetricFamily(
                name: "sluice_udp_dropped_points_total",
                help: "Good points from datagrams that were dropped, by reason.",
                kind: .counter,
                samples: listeners.flatMap { figures in
                    UDPFigures.Drop.allCases.map { reason in
                        .init(
                            labels: [("listener", figures.address), ("reason", reason.rawValue)],
                            value: Double(figures.dropped[reason]?.value ?? 0))
                    }
                }),
            counter(
                "sluice_udp_lost_datagrams_total", "Datagrams that the system dropped because its buffer was full.",
                \.lostDatagrams),
            family("sluice_udp_read_buffer_bytes", "Buffer that the system grants.", .gauge) {
                Double($0.readBuffer.load(ordering: .relaxed))
            },
        ]
    }
}
