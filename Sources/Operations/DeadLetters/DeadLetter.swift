// One refused line with the node's reason, and what can be read off it.

package struct DeadLetter: Codable, Equatable, Sendable {
    /// Given by the index.
    package var id: Int64
    /// Of the record that held the line.
    package var offset: Int64
    /// Within the record, from 0.
    package var lineNumber: Int
    package var node: String
    package var database: String
    package var measurement: String
    /// The node's own words.
    package var reason: String
    package var line: String
    /// When the refusal was logged, RFC 3339.
    package var time: String

    package init(
        id: Int64 = 0, offset: Int64, lineNumber: Int, node: String, database: String, reason: String, line: String,
        time: String
    ) {
        self.id = id
        self.offset = offset
        self.lineNumber = lineNumber
        self.node = node
        self.database = database
        self.measurement = Self.measurement(of: line)
        self.reason = reason
        self.line = line
        self.time = time
    }

    /// The line up to the first comma or space that is not escaped, without its escapes.
    package static func measurement(of line: String) -> String {
        var name = ""
        var isEscaped = false
        for character in line {
            if isEscaped {
                if character != ",", character != " " { name.append("\\") }
                name.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "," || character == " " {
                break
            } else {
                name.append(character)
            }
        }
        return name
    }

    /// The reason without what differs from line to line (quoted text), so that letters can be counted by it.
    package static func kind(of reason: String) -> String {
        var kind = ""
        var quote: Character?
        for character in reason.prefix(400) {
            if let open = quote {
                if character == open {
                    kind.append("…")
                    kind.append(character)
                    quote = nil
                }
            } else {
                kind.append(character)
                if character == "\"" || character == "'" { quote = character }
            }
        }
        return kind
    }
}

/// What /api/v1/deadletters answers, newest first.
package struct DeadLetterList: Codable, Equatable, Sendable {
    /// All that were ever refused, also those that were only counted.
    package var total: Int
    package var deadLetters: [DeadLetter]

    package init(total: Int, deadLetters: [DeadLetter]) {
        self.total = total
        self.deadLetters = deadLetters
    }
}
