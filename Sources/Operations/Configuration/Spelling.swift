// "Did you mean ...?", because most wrong keys are right keys with one letter wrong.

package enum Spelling {
    /// The candidate that is few letters away from what was written, if any.
    package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let limit = max(1, min(3, word.count / 3))
        return candidates.map { ($0, distance(word.lowercased(), $0)) }
            .filter { $0.1 <= limit }
            .min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
    }

    /// Letters to insert, delete or replace (Levenshtein).
    static func distance(_ first: String, _ second: String) -> Int {
        let target = Array(second)
        var row = Array(0...target.count)
        for (line, character) in first.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for column in target.indices {
                let above = row[column + 1]
                row[column + 1] = min(
                    above + 1, row[column] + 1, diagonal + (target[column] == character ? 0 : 1))
                diagonal = above
            }
        }
        return row[target.count]
    }
}
