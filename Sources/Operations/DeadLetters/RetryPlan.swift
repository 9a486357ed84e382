// What writing dead letters again would do, said before it is done.

/// Answers `POST /api/v1/deadletters/retry` with `"dry_run": true`.
package struct RetryPlan: Codable, Equatable, Sendable {
    /// Lines of one measurement with refusals of one kind.
    package struct Part: Codable, Equatable, Sendable {
        package var database: String
        /// Empty: the database's default policy.
        package var retentionPolicy: String
        package var measurement: String
        package var reason: String
        package var lines: Int
        /// Of these: lines that would be refused again, for their field still has another type.
        package var stillConflicting: Int
        /// Which fields, such as `v is float, written as integer`; empty without conflicts.
        package var conflicts: [String]

        package init(
            database: String, retentionPolicy: String, measurement: String, reason: String, lines: Int,
            stillConflicting: Int = 0, conflicts: [String] = []
        ) {
            self.database = database
            self.retentionPolicy = retentionPolicy
            self.measurement = measurement
            self.reason = reason
            self.lines = lines
            self.stillConflicting = stillConflicting
            self.conflicts = conflicts
        }
    }

    /// How many lines would be written.
    package var lines: Int
    package var parts: [Part]
    /// Lines that are not written, because the unit of their timestamps was not kept.
    package var withoutPrecision: Int
    /// Lines that are not written, because they were no UTF-8 and were not kept byte for byte.
    package var notText: Int
    /// Lines that one node alone refused: the other nodes have them already.
    package var refusedByOneNode: Int
    /// False: the gateway did not say all types of fields.
    package var knowsFieldTypes: Bool
    /// The newest letter: those that come later are not meant.
    package var upTo: Int64

    package init(
        lines: Int = 0, parts: [Part] = [], withoutPrecision: Int = 0, notText: Int = 0, refusedByOneNode: Int = 0,
        knowsFieldTypes: Bool = true, upTo: Int64 = 0
    ) {
        self.lines = lines
        self.parts = parts
        self.withoutPrecision = withoutPrecision
        self.notText = notText
        self.refusedByOneNode = refusedByOneNode
        self.knowsFieldTypes = knowsFieldTypes
        self.upTo = upTo
    }
}

/// What writing a stretch of dead letters again did.
package struct RetryOutcome: Codable, Equatable, Sendable {
    /// Lines that were taken; they are dead letters no more.
    package var taken = 0
    /// Lines that were refused again; they stay, with the new reason.
    package var refusedAgain = 0
    /// Lines that were not written, see ``RetryPlan``; they stay.
    package var left = 0
    /// Where the next stretch begins; nil when all was done.
    package var after: Int64?
    /// Why it ended early: these lines and those behind them stay as they are.
    package var stopped: String?

    package init() {}
}

/// `field type conflict: input field "v" on measurement "m" is type integer, already exists as type float`.
package struct FieldTypeConflict: Hashable, Sendable {
    package var field: String
    package var written: String
    package var existing: String

    /// Nil when the reason is another, or the names hold quotes.
    package init?(reason: String) {
        let pattern = /input field "([^"]*)" on measurement "[^"]*" is type (\w+), already exists as type (\w+)/
        guard let match = reason.firstMatch(of: pattern) else { return nil }
        (field, written, existing) = (String(match.1), String(match.2), String(match.3))
    }

    /// Whether a field with these types (none: the field is gone) still refuses what was written.
    package func stands(against types: Set<String>) -> Bool { !types.isEmpty && !types.contains(written) }
}
