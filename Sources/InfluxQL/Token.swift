// What the lexer hands to the parser: a kind, and where in the text it stands.

/// One token of an InfluxQL text. Offsets count bytes from the start of the text.
package struct Token: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case endOfText
        /// A bare or quoted name that is no keyword.
        case identifier
        case keyword(Keyword)
        /// `'...'`
        case string
        /// A number with a point in it.
        case number
        case integer
        /// Digits followed by letters; whether the unit exists is for the parser to say.
        case durationValue
        /// `$name` or `$"name"`
        case boundParameter
        /// A parameter that the request gives no value, or one without a name. The parser calls it so, not the lexer.
        case unboundParameter
        case regex
        /// A quoted text that ends at a newline or at the end. Ends behind the newline, as InfluxDB's scanner does.
        case badString
        /// A quoted text with an escape that does not exist. Ends right behind the escape, as InfluxDB's scanner does.
        case badEscape
        case badRegex
        /// A character that starts no token, or a block comment that never ends.
        case illegal
        case plus, minus, star, slash, percent, ampersand, pipe, caret
        case equal, notEqual, matches, matchesNot, less, lessOrEqual, greater, greaterOrEqual
        case leftParenthesis, rightParenthesis, comma, colon, doubleColon, semicolon, dot
    }

    /// What stands between a token and the one before it.
    package enum Gap: Equatable, Sendable {
        case none
        case whitespace
        /// At least one comment, perhaps with white space around it.
        case comment
    }

    package var kind: Kind
    package var start: Int
    package var end: Int
    /// Where the content of a quoted token begins: behind the quote. For bare tokens the same as `start`
    /// (for a bound parameter: behind the `$`).
    package var contentStart: Int
    package var isQuoted: Bool
    /// A bound parameter that has the kind of its value. The offsets are those of the parameter.
    package var isBound = false
    package var gap: Gap

    package var range: Range<Int> { start..<end }

    func isKeyword(_ keyword: Keyword) -> Bool { kind == .keyword(keyword) }
}

extension Token.Kind {
    /// How InfluxDB names a token without text of its own in `found X`.
    package var symbol: String {
        switch self {
        case .endOfText: "EOF"
        case .identifier: "IDENT"
        case .keyword(let keyword): keyword.rawValue
        case .string: "STRING"
        case .number: "NUMBER"
        case .integer: "INTEGER"
        case .durationValue: "DURATIONVAL"
        case .boundParameter, .unboundParameter: "BOUNDPARAM"
        case .regex: "REGEX"
        case .badString: "BADSTRING"
        case .badEscape: "BADESCAPE"
        case .badRegex: "BADREGEX"
        case .illegal: "ILLEGAL"
        case .plus: "+"
        case .minus: "-"
        case .star: "*"
        case .slash: "/"
        case .percent: "%"
        case .ampersand: "&"
        case .pipe: "|"
        case .caret: "^"
        case .equal: "="
        case .notEqual: "!="
        case .matches: "=~"
        case .matchesNot: "!~"
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
        case .greaterOrEqual: ">="
        case .leftParenthesis: "("
        case .rightParenthesis: ")"
        case .comma: ","
        case .colon: ":"
        case .doubleColon: "::"
        case .semicolon: ";"
        case .dot: "."
        }
    }
}
