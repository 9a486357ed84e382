// Why a text is not InfluxQL, in the words that InfluxDB 1.x uses: clients match on them.

/// A text that InfluxDB would not parse. Such a request runs none of its statements.
package struct ParseFailure: Error, Equatable, Sendable {
    /// `found X, expected Y`, or a sentence.
    package var reason: String
    /// From 1; 0 where InfluxDB gives no position.
    package var line: Int
    /// From 1, in characters.
    package var character: Int

    package init(reason: String, line: Int = 0, character: Int = 0) {
        self.reason = reason
        self.line = line
        self.character = character
    }

    /// The `error` of InfluxDB's 400 answer.
    package var message: String {
        line == 0
            ? "error parsing query: \(reason)" : "error parsing query: \(reason) at line \(line), char \(character)"
    }
}

extension Lexer {
    /// InfluxDB's "found X, expected Y". The position has its oddities: that of a string is the character before its
    /// quote.
    func unexpected(_ token: Token, expected: [String]) -> ParseFailure {
        failure("found \(spelling(of: token)), expected \(expected.joined(separator: ", "))", at: token)
    }

    /// Whether InfluxDB's scanner read the end of the text while it read the last piece before it: it does at the end
    /// of a bare word, of white space and of a `--` comment, and not behind numbers, quotes and other signs.
    func readsEnd(_ previous: Token?, before end: Token) -> Bool {
        if end.gap == .none {
            guard let previous, !previous.isQuoted else { return false }
            if previous.isBound { return true }
            switch previous.kind {
            case .identifier, .keyword, .boundParameter, .unboundParameter: return true
            default: return false
            }
        }
        var at = previous?.end ?? 0
        while pieceEnd(at: at) < bytes.count { at = pieceEnd(at: at) }
        return bytes[at] != UInt8(ascii: "/")
    }

    /// As `unexpected`, of the white space, comment or token that stands right at `offset`.
    func unexpectedPiece(at offset: Int, expected: [String]) -> ParseFailure {
        let end = pieceEnd(at: offset)
        let isSpace = whitespaceEnd(at: offset) > offset
        let place = Runes.position(in: bytes, of: offset).at
        let piece = isSpace ? whitespace(offset..<end) : ""
        return ParseFailure(
            reason: "found \(piece), expected \(expected.joined(separator: ", "))",
            line: place.line + 1, character: place.character + 1)
    }

    /// White space as InfluxDB has it in memory: every end of line is a newline.
    func whitespace(_ range: Range<Int>) -> String {
        var result = ""
        var at = range.lowerBound
        while at < range.upperBound {
            if bytes[at] == 0x0D {
                result += "\n"
                at += at + 1 < range.upperBound && bytes[at + 1] == 0x0A ? 2 : 1
            } else {
                result.unicodeScalars.append(Unicode.Scalar(bytes[at]))
                at += 1
            }
        }
        return result
    }

    func failure(_ reason: String, at token: Token) -> ParseFailure {
        let place: (line: Int, character: Int)
        switch token.isBound ? .boundParameter : token.kind {
        case .string, .regex, .badRegex:
            place = Runes.position(in: bytes, of: token.start).before
        case .badString where bytes[token.start] != UInt8(ascii: "$"):
            place = Runes.position(in: bytes, of: token.contentStart - 1).before
        case .badEscape where bytes[token.start] != UInt8(ascii: "$"):
            place = Runes.position(in: bytes, of: token.contentStart + 1).at
        default:
            place = Runes.position(in: bytes, of: token.start).at
        }
        return ParseFailure(reason: reason, line: place.line + 1, character: place.character + 1)
    }

    /// What InfluxDB prints for a token: its literal if it has one, else its name.
    func spelling(of token: Token) -> String {
        let literal: String
        switch token.kind {
        case _ where token.isBound:
            literal = content(of: token)
        case .number where bytes[token.end - 1] == UInt8(ascii: "."):
            literal = String(content(of: token).dropLast())
        case .identifier, .string, .number, .integer, .durationValue:
            literal = content(of: token)
        case .boundParameter, .unboundParameter:
            literal = "$" + content(of: token)
        case .illegal:
            literal = bytes[token.start] == UInt8(ascii: "/") ? "" : Runes.text(of: bytes, token.range)
        case .badString:
            let dollar = bytes[token.start] == UInt8(ascii: "$") ? "$" : ""
            literal = dollar + unescaped(token.contentStart..<badStringEnd(token))
        case .badEscape:
            let dollar = bytes[token.start] == UInt8(ascii: "$") ? "$" : ""
            let escaped = Runes.text(of: bytes, token.contentStart + 1..<token.end)
            literal = dollar + "\\" + (escaped.isEmpty ? "\u{0}" : escaped == "\r" ? "\n" : escaped)
        default:
            literal = ""
        }
        return literal.isEmpty ? token.kind.symbol : literal
    }

    /// The name or text that a token stands for, without quotes and escapes.
    package func content(of token: Token) -> String {
        let text = written(token)
        return token.isBound ? parameters[text]?.text ?? text : text
    }

    /// The same of what the text has there: of a bound parameter, its name.
    func written(_ token: Token) -> String {
        guard token.isQuoted else { return Runes.text(of: bytes, token.contentStart..<token.end) }
        // A quote that nothing follows has no end.
        return unescaped(token.contentStart..<max(token.contentStart, token.end - 1))
    }

    /// Whether the token's content is `word` (lower case, ASCII) in any case.
    func spells(_ token: Token, _ word: StaticString) -> Bool {
        if token.isBound { return content(of: token).lowercased() == "\(word)" }
        let end = token.isQuoted ? token.end - 1 : token.end
        guard end - token.contentStart == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { word in
            for index in 0..<word.count where Self.folded(bytes[token.contentStart + index]) != word[index] {
                return false
            }
            return true
        }
    }

    private static func folded(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

    /// The pattern of a regex as it is compiled: without the backslashes before slashes.
    package func pattern(of token: Token) -> String {
        if token.isBound { return content(of: token) }
        var plain: [UInt8] = []
        var at = token.contentStart
        while at < token.end - 1 {
            if bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "/") { at += 1 }
            plain.append(bytes[at])
            at += 1
        }
        return Runes.text(of: plain, 0..<plain.count)
    }

    private func badStringEnd(_ token: Token) -> Int {
        var end = token.end
        while end > token.contentStart, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D { end -= 1 }
        return end
    }

    private func unescaped(_ range: Range<Int>) -> String {
        guard bytes[range].contains(UInt8(ascii: "\\")) else { return Runes.text(of: bytes, range) }
        var plain: [UInt8] = []
        plain.reserveCapacity(range.count)
        var at = range.lowerBound
        while at < range.upperBound {
            if bytes[at] == UInt8(ascii: "\\"), at + 1 < range.upperBound {
                at += 1
                plain.append(bytes[at] == UInt8(ascii: "n") ? 0x0A : bytes[at])
            } else {
                plain.append(bytes[at])
            }
            at += 1
        }
        return Runes.text(of: plain, 0..<plain.count)
    }
}
