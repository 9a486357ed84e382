// What a client is told whose points went to several replica sets: what one InfluxDB would have said of all of them.

/// A value without I/O; parts are added in any order.
package struct SplitVerdict: Sendable {
    /// How many parts have not said yet what became of them.
    package var awaited = 0
    private var timedOut = false
    private var hasNoInSyncNode = false
    private var refusal: (words: Refusal, part: Int)?
    /// Lines that the refusals speak of, as far as they count them.
    private var dropped = 0

    package init() {}

    /// - Parameter part: its place among the parts, by first line.
    package mutating func add(_ outcome: AckOutcome, of part: Int) {
        awaited -= 1
        switch outcome {
        case .acknowledged(nil): break
        case .acknowledged(let refusal?): add(refusal, part)
        case .timedOut: timedOut = true
        case .noInSyncNode: hasNoInSyncNode = true
        }
    }

    /// Lines that no rule places, in the form of a partial write.
    package mutating func addUnplaced(lines: Int, measurement: String) {
        add(
            Refusal(
                status: 400,
                message: "partial write: no placement rule for measurement \"\(measurement)\" dropped=\(lines)"), .max)
    }

    private mutating func add(_ new: Refusal, _ part: Int) {
        dropped += DroppedLines.count(in: new.message) ?? 0
        // The whole of a part is more than some of its lines: "database not found".
        if let refusal, (refusal.words.status, part) >= (new.status, refusal.part) { return }
        refusal = (new, part)
    }

    /// Nobody is told that all is well while a part may not be.
    package var outcome: AckOutcome {
        if timedOut { return .timedOut }
        if hasNoInSyncNode { return .noInSyncNode }
        return .acknowledged(
            refusal.map { refusal in
                Refusal(
                    status: refusal.words.status,
                    message: DroppedLines.replaced(in: refusal.words.message, by: dropped))
            })
    }
}
