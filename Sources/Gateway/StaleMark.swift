// How old an answer is that several nodes may have had a part in: as old as its oldest part.

import HTTPCodec

struct StaleMark {
    private static let header = "X-Sluice-Stale"

    /// `12s` or `unknown`; nil: every node that answered was in sync.
    private(set) var age: String?

    /// What a part's answer says of itself.
    mutating func add(_ headers: HeaderFields) { add(headers.first(name: Self.header)) }
    mutating func add(_ other: StaleMark) { add(other.age) }

    private mutating func add(_ other: String?) {
        guard let other else { return }
        guard let age else { return self.age = other }
        // Nobody knows how old: that is older than any age.
        guard let own = Int(age.dropLast()) else { return }
        self.age = Int(other.dropLast()).map { $0 > own ? other : age } ?? other
    }

    func mark(_ response: inout Response) {
        if let age { response.headers.append((Self.header, age)) }
    }
}
