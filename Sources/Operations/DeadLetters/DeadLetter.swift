// One refused line with the node's reason, and what can be read off it.

package struct DeadLetter: Codable, Equatable, Sendable {
    /// Given by the index.
    package var id: Int64
    /// Of the record that held the line.
    package var offset: Int64
    /// Within the record, from 0.
    package var lineNumber: Int
    /// Empty: all in-sync nodes of the replica set refused the line. A name: that node alone did.
    package var node: String
    package var database: String
    /// Empty: the database's default policy.
    package var retentionPolicy: String
    /// The unit of the line's timestamp as `/write` takes it (`n`, `u`, `ms`, `s`, `m`, `h`); nil when it was not kept.
    package var precision: String?
    package var measurement: String
    /// The node's own words.
    package var reason: String
    package var line: String
    /// When the refusal was logged, RFC 3339.
    package var time: String

    package init(
        id: Int64 = 0, offset: Int64, lineNumber: Int, node: String, database: String,
        retentionPolicy: String = "", precision: String? = nil, reason: String, line: String, time: String
    ) {
        self.id = id
        self.offset = offset
        self.lineNumber = lineNumber
        self.node = node
        self.database = database
        self.retentionPolicy = retentionPolicy
        self.precision = precision
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

    /// The reason without what differs from line to line (quoted text, numbers), so that letters can be counted by it.
    package static func kind(of reason: String) -> String {
        var kind = ""
        let characters = Array(reason.prefix(400))
        var position = 0
        while position < characters.count {
            let character = characters[position]
            if character == "\"" || character == "'" {
                kind += "\(character)…\(character)"
                position = endOfQuoted(characters, from: position)
            } else if character.isASCII, character.isNumber {
                if !kind.hasSuffix("…") { kind.append("…") }
                position += 1
            } else {
                kind.append(character)
                position += 1
            }
        }
        // What InfluxDB puts around every refusal of single lines.
        if kind.hasPrefix("partial write: ") { kind.removeFirst("partial write: ".count) }
        if kind.hasSuffix(" dropped=…") { kind.removeLast(" dropped=…".count) }
        return kind
    }

    /// Behind the closing quote. InfluxDB escapes `"`, but puts whole lines unescaped between `'`: there only a quote
    /// that no word goes on from closes.
    private static func endOfQuoted(_ characters: [Character], from start: Int) -> Int {
        let quote = characters[start]
        var position = start + 1
        while position < characters.count {
            if characters[position] == "\\" {
                position += 2
                continue
            }
            let following = position + 1
            if characters[position] == quote {
                let goesOn =
                    following < characters.count && (characters[following].isLetter || characters[following].isNumber)
                if quote == "\"" || !goesOn { return following }
            }
            position = following
        }
        return characters.count
    }
}

/// What /api/v1/deadletters answers, newest first.
package struct DeadLetterList: Codable, Equatable, Sendable {
    /// All that were ever refused, also those that were only counted, retried or purged.
    package var total: Int
    package var deadLetters: [DeadLetter]

    package init(total: Int, deadLetters: [DeadLetter]) {
        self.total = total
        self.deadLetters = deadLetters
    }
}

/// Dead letters of one database and measurement with reasons of one kind.
package struct DeadLetterReason: Codable, Equatable, Sendable {
    package var database: String
    /// Empty: several, or not known.
    package var measurement: String
    /// ``DeadLetter/kind(of:)``.
    package var reason: String
    /// Lines that can be looked at, retried and purged.
    package var kept: Int
    /// All lines, kept or merely counted.
    package var refused: Int
    /// When the first and the last refusal were logged, RFC 3339.
    package var first: String
    package var last: String
    /// The beginning of a refused line.
    package var example: String
}

/// What /api/v1/deadletters/reasons answers, the latest refusal first.
package struct DeadLetterSummary: Codable, Equatable, Sendable {
    /// All that were ever refused, also those that were only counted, retried or purged.
    package var total: Int
    package var reasons: [DeadLetterReason]

    package init(total: Int, reasons: [DeadLetterReason]) {
        self.total = total
        self.reasons = reasons
    }
}
