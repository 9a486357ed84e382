// A node hangs while gigabytes are written; the gateway is started again with that log, and then the node goes on.

import Foundation
import Glibc
import TestSupport

extension Stage {
    func catchUp(_ shape: LoadShape, _ folder: URL) async throws -> Phase {
        let present = try await SinkProcess(self, "a", shape, folder)
        let away = try await SinkProcess(self, "b", shape, folder)
        let gateway = try gateway(
            [("a", "http://127.0.0.1:\(present.port)"), ("b", "http://127.0.0.1:\(away.port)")], .any)
        defer { withExtendedLifetime((present, away, gateway)) {} }
        try await gateway.start()
        away.process.signal(SIGSTOP)

        var shape = shape
        shape.requests = backlogBytes / StampedRequest.lines(number: 0, shape: shape).bytes.count
        shape.seconds = 3600
        shape.warmup = 0
        var phase = try await load(.backlog, shape, ports: [gateway.port], on: gateway.process)
        _ = try await gateway.stop()
        phase.figures[.openSeconds] = try await gateway.start() / .seconds(1)

        guard let process = gateway.process else { throw BenchError("the gateway ended: \(gateway.log)") }
        let before = process.processorSeconds ?? 0
        away.process.signal(SIGCONT)
        let first = try await eventually("the first record arrives", within: .seconds(120), every: .milliseconds(2)) {
            let counts = try await away.counts()
            return counts.lines > 0 ? counts.bytes : nil
        }
        let begin = ContinuousClock.now
        var peak = process.anonymousBytes ?? 0
        let all = try await eventually("the backlog arrives", within: .seconds(600), every: .milliseconds(20)) {
            peak = max(peak, process.anonymousBytes ?? 0)
            let counts = try await away.counts()
            return counts.lines >= phase.acknowledgedLines ? counts : nil
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        phase.figures[.catchUpMegabytesPerSecond] = Double(all.bytes - first) / 1e6 / seconds
        phase.figures[.secondsPerGigabyte] =
            ((process.processorSeconds ?? 0) - before) / (Double(all.bytes) / 1e9)
        phase.figures[.backlogGibibytes] = Double(all.bytes) / Double(1 << 30)
        phase.figures[.peakMegabytes] = Double(peak) / 1e6
        return phase
    }
}
