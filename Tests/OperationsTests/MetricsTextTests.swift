// The text that Prometheus reads.
import Operations
import Testing

@Suite("Metrics")
struct MetricsTextTests {
    @Test("families are rendered as Prometheus' text format 0.0.4")
    func render() {
        let families = [
            MetricFamily(
                name: "sluice_writes_total", help: "Write requests.", kind: .counter,
                samples: [
                    .init(labels: [("status", "204"), ("level", "insync")], value: 12),
                    .init(labels: [("status", "503"), ("level", "all")], value: 0),
                ]),
            MetricFamily(
                name: "sluice_sync_seconds", help: "A \\ and\na line.", kind: .gauge, samples: [.init(value: 0.125)]),
            MetricFamily(
                name: "sluice_wait_seconds", help: "Waits.", kind: .histogram,
                samples: [
                    .init(suffix: "_bucket", labels: [("le", "+Inf")], value: 3), .init(suffix: "_sum", value: 0.5),
                    .init(suffix: "_count", value: 3),
                ]),
        ]
        #expect(
            MetricsText.render(families) == """
                # HELP sluice_writes_total Write requests.
                # TYPE sluice_writes_total counter
                sluice_writes_total{status="204",level="insync"} 12
                sluice_writes_total{status="503",level="all"} 0
                # HELP sluice_sync_seconds A \\\\ and\\na line.
                # TYPE sluice_sync_seconds gauge
                sluice_sync_seconds 0.125
                # HELP sluice_wait_seconds Waits.
                # TYPE sluice_wait_seconds histogram
                sluice_wait_seconds_bucket{le="+Inf"} 3
                sluice_wait_seconds_sum 0.5
                sluice_wait_seconds_count 3

                """)
    }

    @Test("label values are escaped, odd numbers have Prometheus' names")
    func escapes() {
        let family = MetricFamily(
            name: "m", help: "h", kind: .untyped,
            samples: [
                .init(labels: [("l", "a\"b\\c\nd")], value: .infinity), .init(value: -.infinity), .init(value: .nan),
                .init(value: 1e300),
            ])
        let lines = MetricsText.render([family]).split(separator: "\n").dropFirst(2)
        #expect(Array(lines) == [#"m{l="a\"b\\c\nd"} +Inf"#, "m -Inf", "m NaN", "m 1e+300"])
    }
}
