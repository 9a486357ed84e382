// An HTTP server in the place of an InfluxDB node that reads what it is sent, counts it and says 204: whatever time a
// request takes beyond this is the gateway's.

import ArgumentParser
import Foundation
import Synchronization

/// Set by SIGTERM and SIGINT; the loops look at it after each wait.
let stopRequested = Atomic(false)

func stopOnSignals() {
    for number in [SIGTERM, SIGINT] {
        signal(number) { _ in stopRequested.store(true, ordering: .relaxed) }
    }
    signal(SIGPIPE, SIG_IGN)
}

struct Sink: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plays an InfluxDB node: reads every write, counts it, answers 204."
    )

    @Option(help: "Port on 127.0.0.1; 0 takes a free one and prints it.")
    var port = 0

    @Option(help: "The database that it claims to have.")
    var database = "bench"

    @Option(help: "Bytes of its answer to a SELECT, about.")
    var answerBytes = 1000

    func run() throws {
        stopOnSignals()
        let listener = try listenSocket(port: port)
        print("listening on 127.0.0.1:\(listener.port)")
        fflush(nil)
        let server = SinkServer(
            listener: listener.descriptor, answers: SinkAnswers(database: database, selected: answerBytes))
        server.run()
        print(String(decoding: try JSONEncoder().encode(server.counts), as: UTF8.self))
    }
}
