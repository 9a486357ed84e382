// One batch on its way to one node, from the moment on when it cannot simply be sent and answered with 204: until every
// line is either refused, or was in a request that the node took whole, in the order of the log (L7, L15, L22). A
// value without I/O; the replicator sends what `next` says and reports what the node said.
//
//   main: all but the suspects --204--> suspects --all refused--> done
//     |  400 whose words name lines: these become suspects, main again
//     |  400 that names none                |  some refused
//     v                                     v
//   search by halves -----------------> confirm: all that is not refused, in one request --204--> done
//
// Suspects are lines like those that were refused a moment ago: during a storm of type conflicts they travel apart, so
// that the others need one request. Points are idempotent, so what was taken already is sent again without harm, and
// the last request holds everything in order.

package struct BatchDelivery: Equatable, Sendable {
    package enum Step: Equatable, Sendable {
        /// Send these lines in one request.
        case send([Int])
        /// Every line is in or refused.
        case done
    }

    package struct RefusedLine: Equatable, Sendable {
        package let line: Int
        package let refusal: Refusal

        package init(line: Int, refusal: Refusal) {
            self.line = line
            self.refusal = refusal
        }
    }

    private enum Phase: Equatable, Sendable {
        case main
        case suspects
        case search(RefusalSearch, lines: [Int])
        case confirm
        case done
    }

    private let count: Int
    private var phase = Phase.main
    private var suspects: Set<Int>
    /// Lines that were refused, by their number; `nil`: known before, by what the set refused.
    private var refused: [Int: Refusal?] = [:]
    private var rounds = 0

    /// After this many refused attempts words are no longer believed, and lines are found by halves.
    private static let roundsByWords = 12
    /// Requests that one search may take; enough to tell each of 10,000 lines from its neighbours.
    private static let searchBudget = 20_000

    /// - Parameters:
    ///   - lines: how many lines the batch has.
    ///   - excluded: lines that must not be sent: their set has refused them.
    ///   - suspects: lines like those that were refused a moment ago.
    package init(lines: Int, excluded: some Sequence<Int> = [], suspects: some Sequence<Int> = []) {
        count = lines
        self.suspects = Set(suspects)
        for line in excluded {
            refused[line] = .some(nil)
            self.suspects.remove(line)
        }
        skipEmpty()
    }

    /// The lines that this node refused, in order; final when `next` is `done`.
    package var refusedLines: [RefusedLine] {
        refused.compactMap { line, refusal in refusal.map { RefusedLine(line: line, refusal: $0) } }
            .sorted { $0.line < $1.line }
    }

    package var next: Step {
        switch phase {
        case .main: .send(mainLines)
        case .suspects: .send(suspects.sorted())
        case .search(let search, let lines):
            if case .send(let range) = search.next { .send(Array(lines[range])) } else { .done }
        case .confirm: .send(unrefused)
        case .done: .done
        }
    }

    private var unrefused: [Int] { (0..<count).filter { refused[$0] == nil } }
    private var mainLines: [Int] { (0..<count).filter { refused[$0] == nil && !suspects.contains($0) } }

    /// The node took the lines of `next`.
    package mutating func accepted() {
        switch phase {
        case .main:
            phase = .suspects
            skipEmpty()
        case .suspects:
            // They are innocent after all: once more, in order with the others, if there are others.
            phase = mainLines.isEmpty ? .done : .confirm
            suspects = []
        case .search(var search, let lines):
            search.accepted()
            searched(search, lines: lines)
        case .confirm: phase = .done
        case .done: break
        }
    }

    /// The node refused some of the lines of `next`.
    /// - Parameters:
    ///   - dropped: how many lines it says it dropped: at least that many are refused.
    ///   - named: the lines, among those of `next`, that its words speak of; empty when they name none.
    package mutating func refused(_ refusal: Refusal, dropped: Int? = nil, named: [Int] = []) {
        rounds += 1
        switch phase {
        case .main, .confirm:
            let sent = Set(phase == .main ? mainLines : unrefused)
            let new = sent.intersection(named)
            if new.isEmpty || rounds > Self.roundsByWords {
                beginSearch(sent.sorted(), refusal)
            } else {
                suspects.formUnion(new)
                phase = .main
                skipEmpty()
            }
        case .suspects:
            if let dropped, dropped >= suspects.count {
                refuse(suspects.sorted(), refusal)
                suspects = []
                phase = .done
            } else {
                beginSearch(suspects.sorted(), refusal)
            }
        case .search(var search, let lines):
            search.refused(refusal, dropped: dropped)
            searched(search, lines: lines)
        case .done: break
        }
    }

    /// Nothing of the batch can ever be stored: no such database or policy.
    package mutating func refusedWhole(_ refusal: Refusal) {
        refuse(unrefused, refusal)
        suspects = []
        phase = .done
    }

    /// The node wants less at a time.
    package mutating func tooLarge() {
        switch phase {
        case .search(var search, let lines):
            search.tooLarge()
            searched(search, lines: lines)
        case .main, .suspects, .confirm:
            guard case .send(let lines) = next else { return }
            beginSearch(lines, Refusal(status: 413, message: "Request Entity Too Large"))
        case .done: break
        }
    }

    private mutating func refuse(_ lines: some Sequence<Int>, _ refusal: Refusal) {
        for line in lines { refused[line] = .some(refusal) }
    }

    private mutating func beginSearch(_ lines: [Int], _ refusal: Refusal) {
        searched(RefusalSearch(lines: lines.count, refusal: refusal, budget: Self.searchBudget), lines: lines)
    }

    private mutating func searched(_ search: RefusalSearch, lines: [Int]) {
        guard case .done(let found) = search.next else {
            phase = .search(search, lines: lines)
            return
        }
        for part in found { refuse(part.lines.map { lines[$0] }, part.refusal) }
        let searched = Set(lines)
        suspects = suspects.filter { !searched.contains($0) }
        if !suspects.isEmpty {
            phase = .suspects
            return
        }
        // Pieces were taken in order: what is missing from the order are lines that were taken before these. If none
        // of these was taken, nothing is. A search that follows `confirm` is of all lines, so this ends.
        let count = found.reduce(0) { $0 + $1.lines.count }
        phase = count == lines.count || lines.count == unrefused.count + count ? .done : .confirm
        skipEmpty()
    }

    /// What has nothing to send is over.
    private mutating func skipEmpty() {
        if phase == .main, mainLines.isEmpty {
            phase = .suspects
        }
        if phase == .suspects, suspects.isEmpty { phase = .done }
        if phase == .confirm, unrefused.isEmpty { phase = .done }
    }
}
