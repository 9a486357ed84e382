// Finding the lines of a record that a node refuses, when all it says is that there are some: by halves, in the order
// of the lines, until every other line was in a request that the node took whole (L22: a 400 for one line may hide
// that another was not stored). Points are idempotent, so sending them again in order is safe.

package struct RefusalSearch: Equatable, Sendable {
    package enum Step: Equatable, Sendable {
        /// Send these lines.
        case send(Range<Int>)
        /// All other lines are in.
        case done(refused: [Refused])
    }

    package struct Refused: Equatable, Sendable {
        /// More than one line when the node says that it dropped them all, or when the budget was used up: then at
        /// least one of them is at fault.
        package let lines: Range<Int>
        package let refusal: Refusal

        package init(lines: Range<Int>, refusal: Refusal) {
            self.lines = lines
            self.refusal = refusal
        }
    }

    /// Ranges still to be sent, the next one last.
    private var open: [Range<Int>]
    private var refused: [Refused] = []
    private var budget: Int

    /// Starts after the record as a whole was refused.
    /// - Parameters:
    ///   - lines: how many lines the record has.
    ///   - refusal: the words for the whole.
    ///   - budget: how many requests may be spent on splitting; what is open then is sent once each and not split.
    package init(lines: Int, refusal: Refusal, budget: Int = 256) {
        self.budget = budget
        if lines <= 1 {
            open = []
            refused = lines == 1 ? [Refused(lines: 0..<1, refusal: refusal)] : []
        } else {
            open = Self.halves(0..<lines)
        }
    }

    package var next: Step {
        if let range = open.last { return .send(range) }
        return .done(refused: refused)
    }

    /// The node took the lines of `next`.
    package mutating func accepted() { open.removeLast() }

    /// The node refused some of the lines of `next`.
    /// - Parameter dropped: how many lines it says it dropped: at least that many are refused.
    package mutating func refused(_ refusal: Refusal, dropped: Int? = nil) {
        let range = open.removeLast()
        budget -= 1
        if range.count == 1 || dropped.map({ $0 >= range.count }) == true || budget <= 0 {
            refused.append(Refused(lines: range, refusal: refusal))
        } else {
            open += Self.halves(range)
        }
    }

    /// The node wants less at a time.
    package mutating func tooLarge() {
        guard let range = open.last, range.count > 1 else {
            refused(Refusal(status: 413, message: "Request Entity Too Large"))
            return
        }
        open.removeLast()
        open += Self.halves(range)
    }

    private static func halves(_ range: Range<Int>) -> [Range<Int>] {
        let middle = range.lowerBound + range.count / 2
        return [middle..<range.upperBound, range.lowerBound..<middle]
    }
}
