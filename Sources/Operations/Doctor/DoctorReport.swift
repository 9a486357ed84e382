// What `sluice doctor` found, for people and, as JSON, for programs: keys are only ever added.

package struct DoctorReport: Codable, Equatable, Sendable {
    package struct Node: Codable, Equatable, Sendable {
        package var name: String
        package var url: String
        /// Nil where the node could not be asked.
        package var version: String?
        package var index: String?
        /// The node's clock minus this machine's.
        package var clockOffsetMilliseconds: Double?
        package var databases: Int?
        /// Values of all fields that were counted.
        package var points: Int64?
    }

    package enum Severity: String, Codable, Comparable, Sendable {
        case note
        case warning
        case error

        package static func < (left: Severity, right: Severity) -> Bool { left.weight < right.weight }

        private var weight: Int {
            switch self {
            case .note: 0
            case .warning: 1
            case .error: 2
            }
        }
    }

    package struct Finding: Codable, Equatable, Sendable {
        package var severity: Severity
        /// What kind of thing it is, for programs: `unreachable`, `clock`, `points`, ...
        package var kind: String
        /// What is the case, and where.
        package var text: String
        /// What to do.
        package var advice: String

        package init(_ severity: Severity, _ kind: String, _ text: String, advice: String) {
            self.severity = severity
            self.kind = kind
            self.text = text
            self.advice = advice
        }
    }

    package var nodes: [Node]
    /// The gravest first.
    package var findings: [Finding]
    /// Points before this time were compared, RFC 3339; nil: none were.
    package var comparedBefore: String?
    /// Every node could be asked.
    package var isComplete: Bool

    /// 0: nothing to say, 1: something was found, 2: a node could not be looked at.
    package var exitCode: Int32 {
        if !isComplete { return 2 }
        return findings.contains { $0.severity > .note } ? 1 : 0
    }
}
