// What the gateway must not forget of a node when it stops: kept as a note beside the log's cursors, as text.

import Cluster

/// A measurement that a node holds otherwise than its set.
package struct DivergedMeasurement: Hashable, Sendable {
    package let database: String
    package let measurement: String

    package init(database: String, measurement: String) {
        self.database = database
        self.measurement = measurement
    }
}

package struct NodeMemory: Equatable, Sendable {
    /// Why the log cannot bring it up to date any more; nil: it can.
    package var needsCopy: String?
    /// The operator's pause, if it has no end of its own.
    package var paused: String?
    package var diverged: Set<DivergedMeasurement> = []
    /// What it ran by itself before it belonged to Sluice.
    package var olderWork: Set<OwnWork.Item> = []

    /// More than this is no case of some measurements.
    static let mostDiverged = 1000
    /// Below what the log takes.
    static let longestNote = 60_000

    var isTooLong: Bool {
        diverged.count > Self.mostDiverged
            || diverged.reduce(1000) { $0 + 12 + 3 * ($1.database.utf8.count + $1.measurement.utf8.count) }
                > Self.longestNote
    }

    package init() {}

    package static func noteName(_ node: String) -> String { "node/" + node }

    package var isEmpty: Bool { self == NodeMemory() }

    /// One line a fact: a word, then texts in percent-encoding.
    package var encoded: [UInt8] {
        var text = ""
        if let needsCopy { text += "needs-copy \(NodeRequests.percentEncoded(needsCopy))\n" }
        if let paused { text += "paused \(NodeRequests.percentEncoded(paused))\n" }
        for place in diverged.sorted(by: { ($0.database, $0.measurement) < ($1.database, $1.measurement) }) {
            let line =
                "diverged \(NodeRequests.percentEncoded(place.database)) "
                + "\(NodeRequests.percentEncoded(place.measurement))\n"
            // A note has a limit; a node with more than fits is given up.
            if text.utf8.count + line.utf8.count <= Self.longestNote { text += line }
        }
        for item in olderWork.sorted() {
            let line =
                "older \(item.kind.rawValue) \(NodeRequests.percentEncoded(item.database)) "
                + "\(NodeRequests.percentEncoded(item.name))\n"
            if text.utf8.count + line.utf8.count <= Self.longestNote { text += line }
        }
        return Array(text.utf8)
    }

    package init(decoding bytes: [UInt8]) {
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false).map { NodeRequests.decoded($0) }
            switch (words.first, words.count) {
            case ("needs-copy", 2): needsCopy = words[1]
            case ("paused", 2): paused = words[1]
            case ("diverged", 3): diverged.insert(DivergedMeasurement(database: words[1], measurement: words[2]))
            case ("older", 4):
                if let kind = OwnWork.Kind(rawValue: words[1]) {
                    olderWork.insert(OwnWork.Item(kind, database: words[2], name: words[3]))
                }
            default: break
            }
        }
    }
}
