// The status for people.
import Operations
import Testing

@Suite("Status text")
struct StatusTextTests {
    @Test("the status is a table that a person can read")
    func table() {
        let plane = ScriptedDataPlane()
        let report = StatusReport(
            version: "0.1.0", uptimeSeconds: 192, listen: ["127.0.0.1:8086"], ready: .init(isReady: true, reason: ""),
            log: plane.logStatus(), nodes: plane.nodeStatus(), requests: [:], deadLetters: 1_234)
        #expect(
            StatusText.render(report) == """
                sluice 0.1.0, up 3m12s, ready
                clients  127.0.0.1:8086
                log      1,000 records, 3 MiB of 10 GiB, epoch 2
                refused  1,234 lines; see sluice deadletters list

                NODE  SYNC         HEALTH  BACKLOG  CURSOR  VERSION  URL
                a     in-sync      up            0   1,010  1.6.7    http://10.0.0.1:8086
                b     catching-up  down        610     400  ?        http://10.0.0.2:8086
                b: last error: connection refused

                """)
    }

    @Test("the status says why a node is not in-sync, and everything that may need a person")
    func remarks() {
        let plane = ScriptedDataPlane()
        var log = plane.logStatus()
        log.outageBudgetSeconds = 3 * 86_400 + 5
        var nodes = plane.nodeStatus()
        nodes[0].warnings = ["wal-fsync-delay is 100ms: a power cut can lose what it acknowledged"]
        nodes[0].delayBudgetLeft = 0.4
        nodes[1].sync = "paused"
        nodes[1].reason = "by an operator"
        nodes[1].lastError = nil
        nodes[1].delayBudgetLeft = 1
        nodes[1].diverged = ["db.cpu"]
        let report = StatusReport(
            version: "0.1.0", uptimeSeconds: 192, listen: ["127.0.0.1:8086"], ready: .init(isReady: true, reason: ""),
            log: log, nodes: nodes, requests: [:], deadLetters: 0)
        #expect(
            StatusText.render(report) == """
                sluice 0.1.0, up 3m12s, ready
                clients  127.0.0.1:8086
                log      1,000 records, 3 MiB of 10 GiB, epoch 2, lasts 3d at this rate

                NODE  SYNC     HEALTH  BACKLOG  CURSOR  VERSION  URL
                a     in-sync  up            0   1,010  1.6.7    http://10.0.0.1:8086
                b     paused   down        610     400  ?        http://10.0.0.2:8086
                a: has slowed writes; 40 % of its delay budget is left
                a: warning: wal-fsync-delay is 100ms: a power cut can lose what it acknowledged
                b: paused: by an operator
                b: differs from the others, not read there: db.cpu

                """)
    }

    @Test(
        "times are said as people say them",
        arguments: [(0, "0s"), (119, "119s"), (600, "10m"), (7_200, "2h"), (172_800, "2d"), (3_000_000, "34d")])
    func roughly(seconds: Int, text: String) {
        #expect(StatusText.roughly(seconds: seconds) == text)
    }

    @Test(
        "numbers are grouped, bytes have binary units",
        arguments: [
            (0, "0", "0 B"), (999, "999", "999 B"), (1_536, "1,536", "1.5 KiB"), (1_234_567, "1,234,567", "1.2 MiB"),
        ])
    func numbers(value: Int, grouped: String, bytes: String) {
        #expect(StatusText.grouped(UInt64(value)) == grouped)
        #expect(StatusText.bytes(value) == bytes)
    }
}
