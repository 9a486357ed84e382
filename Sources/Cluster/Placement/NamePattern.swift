// Patterns of placement rules: `*` is any number of characters, `?` is one, all else is itself. No regular expressions: what
// a pattern matches must be plain to whoever reads the configuration, and cost nothing on the way of a write.

package struct NamePattern: Hashable, Sendable, CustomStringConvertible {
    package let text: String
    private let scalars: [Unicode.Scalar]

    package init(_ text: String) {
        self.text = text
        scalars = Array(text.unicodeScalars)
    }

    package var description: String { text }

    /// In time proportional to the product of both lengths at worst.
    package func matches(_ name: String) -> Bool {
        matches(Array(name.unicodeScalars), isPattern: false)
    }

    /// All that the other one matches, this one matches, too. No is said in doubt.
    package func covers(_ other: NamePattern) -> Bool {
        matches(other.scalars, isPattern: true)
    }

    /// - Parameter isPattern: `*` in the name is any number of characters, for which a `?` is not enough.
    private func matches(_ name: [Unicode.Scalar], isPattern: Bool) -> Bool {
        var (at, position) = (0, 0)
        /// Where the last `*` stands, and what it has taken up to.
        var star: (pattern: Int, name: Int)?
        while position < name.count {
            if at < scalars.count, scalars[at] == "*" {
                star = (at, position)
                at += 1
            } else if at < scalars.count,
                scalars[at] == name[position] || scalars[at] == "?" && !(isPattern && name[position] == "*")
            {
                at += 1
                position += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                at = last.pattern + 1
                position = last.name + 1
            } else {
                return false
            }
        }
        return scalars[at...].allSatisfy { $0 == "*" }
    }
}
