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
