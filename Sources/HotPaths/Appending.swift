// What a turn of an event loop appends to the log, until it is durable: on a real disk, in a folder of its own.

import CommitLog
import Foundation

enum Appending {
    private static let records = 32

    /// In one thread, so that every call does the same.
    static let group: HotPath = {
        let body = Scanning.agentLines(10)
        return HotPath(
            "append-\(records)", "appends \(records) writes of 10 lines as one group", bytes: records * body.count
        ) {
            let folder = Scratch()
            var configuration = CommitLog.Configuration(directory: folder.url.path)
            configuration.driving = .caller
            do throws(LogError) {
                let log = try CommitLog.open(configuration).log
                let appender = log.makeAppender { _ in }
                let head = PointsRecord.Head(database: "telegraf", precision: 0, lineCount: 10)
                return {
                    let before = log.durableEnd
                    for _ in 0..<records {
                        try? appender.append(points: head, payloadBytes: body.count, replicaSet: 0, isLast: false) {
                            $0.copyBytes(from: body)
                        }
                    }
                    while log.durableEnd == before { log.writePending() }
                    withExtendedLifetime(folder) {}
                }
            } catch {
                preconditionFailure("no log in \(folder.url.path): \(error)")
            }
        }
    }()

    /// A folder that goes with the last call.
    private final class Scratch {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "sluice-hot-paths-\(UInt32.random(in: .min ... .max))")

        deinit { try? FileManager.default.removeItem(at: url) }
    }
}
