// Cuts InfluxQL text into tokens exactly where InfluxDB 1.x cuts it: a gateway that sees other tokens than the node
// sees can be talked into forwarding a mutation as a read.

/// The scanner of InfluxQL over UTF-8 bytes. It keeps no state: `token(at:)` is a function of the text and an offset,
/// so a parser looks ahead and goes back as it likes. Each call is linear in the bytes it passes; nothing recurses.
///
/// The rules are those of InfluxDB's `influxql.Scanner`, oddities included, each found on a running 1.6.7:
/// - white space is space, tab, newline, and carriage return (alone or before a newline: one newline); nothing else;
/// - a newline of any of these spellings ends a `--` comment;
/// - a quote right behind a bare word swallows the word: `foo"bar"` is the identifier `bar`, never a keyword;
/// - an unknown escape ends the token in the middle of the quotes;
/// - `/` starts a regex only where the grammar asks for one, so the parser calls `regex(at:)`.
///
/// InfluxDB takes a NUL for the end of the text in some places and skips it in others. Texts that contain one are
/// refused before they come here (`StatementParser`); the lexer calls it `illegal`.
package struct Lexer: Sendable {
    package let bytes: [UInt8]
    /// What bound parameters are replaced by; the others stay as they are.
    let parameters: [String: BoundValue]

    package init(_ bytes: [UInt8], parameters: [String: BoundValue] = [:]) {
        self.bytes = bytes
        self.parameters = parameters
    }

    package init(_ text: some StringProtocol) { self.init(Array(text.utf8)) }

    /// The first token at or behind `offset` that is neither white space nor comment.
    package func token(at offset: Int) -> Token {
        var at = offset
        var gap = Token.Gap.none
        while at < bytes.count {
            let byte = bytes[at]
            if isWhitespace(byte) {
                at += 1
                if gap == .none { gap = .whitespace }
            } else if let end = commentEnd(at: at) {
                guard let end else { return make(.illegal, at, bytes.count, gap) }
                at = end
                gap = .comment
            } else {
                return scan(at, gap)
            }
        }
        return make(.endOfText, bytes.count, bytes.count, gap)
    }

    /// Where the piece at `offset` ends, white space and comments being pieces too: what InfluxDB's `Scan` would eat.
    func pieceEnd(at offset: Int) -> Int {
        guard offset < bytes.count else { return offset }
        if isWhitespace(bytes[offset]) { return whitespaceEnd(at: offset) }
        if let end = commentEnd(at: offset) { return end ?? bytes.count }
        return scan(offset, .none).end
    }

    /// The end of the run of white space at `offset`; comments are not part of it.
    func whitespaceEnd(at offset: Int) -> Int {
        var at = offset
        while at < bytes.count, isWhitespace(bytes[at]) { at += 1 }
        return at
    }

    /// Reads the regex whose opening `/` stands at `offset`. Only `\/` is an escape; any other backslash is kept and
    /// does not protect what follows, so `\\/` does not end the regex either.
    package func regex(at offset: Int) -> Token {
        var at = offset + 1
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "/"):
                return make(.regex, offset, at + 1, .none, contentStart: offset + 1, quoted: true)
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                return make(.badRegex, offset, at, .none)
            case UInt8(ascii: "\\") where at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "/"):
                at += 2
            default:
                at += 1
            }
        }
        return make(.badRegex, offset, bytes.count, .none)
    }

    // MARK: Pieces

    private func isWhitespace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    private func byte(_ offset: Int) -> UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    /// nil: no comment starts here. `.some(nil)`: a block comment starts and never ends.
    private func commentEnd(at offset: Int) -> Int?? {
        guard offset + 1 < bytes.count else { return nil }
        switch (bytes[offset], bytes[offset + 1]) {
        case (UInt8(ascii: "-"), UInt8(ascii: "-")):
            var at = offset + 2
            while at < bytes.count {
                if bytes[at] == 0x0A || bytes[at] == 0x0D { return at + 1 }
                at += 1
            }
            return at
        case (UInt8(ascii: "/"), UInt8(ascii: "*")):
            var at = offset + 2
            while at + 1 < bytes.count {
                if bytes[at] == UInt8(ascii: "*"), bytes[at + 1] == UInt8(ascii: "/") { return at + 2 }
                at += 1
            }
            return .some(nil)
        default:
            return nil
        }
    }

    private func scan(_ offset: Int, _ gap: Token.Gap) -> Token {
        let first = bytes[offset]
        if isLetter(first) || first == UInt8(ascii: "_") { return bareWord(offset, gap) }
        if isDigit(first) { return number(offset, gap) }
        let second = byte(offset + 1)
        switch first {
        case UInt8(ascii: "\""): return quoted(offset, offset, .identifier, gap)
        case UInt8(ascii: "'"): return quoted(offset, offset, .string, gap)
        case UInt8(ascii: "$"): return parameter(offset, gap)
        case UInt8(ascii: "."): return isDigit(second) ? number(offset, gap) : make(.dot, offset, offset + 1, gap)
        case UInt8(ascii: "+"): return make(.plus, offset, offset + 1, gap)
        case UInt8(ascii: "-"): return make(.minus, offset, offset + 1, gap)
        case UInt8(ascii: "*"): return make(.star, offset, offset + 1, gap)
        case UInt8(ascii: "/"): return make(.slash, offset, offset + 1, gap)
        case UInt8(ascii: "%"): return make(.percent, offset, offset + 1, gap)
        case UInt8(ascii: "&"): return make(.ampersand, offset, offset + 1, gap)
        case UInt8(ascii: "|"): return make(.pipe, offset, offset + 1, gap)
        case UInt8(ascii: "^"): return make(.caret, offset, offset + 1, gap)
        case UInt8(ascii: "("): return make(.leftParenthesis, offset, offset + 1, gap)
        case UInt8(ascii: ")"): return make(.rightParenthesis, offset, offset + 1, gap)
        case UInt8(ascii: ","): return make(.comma, offset, offset + 1, gap)
        case UInt8(ascii: ";"): return make(.semicolon, offset, offset + 1, gap)
        case UInt8(ascii: ":"):
            return second == first
                ? make(.doubleColon, offset, offset + 2, gap) : make(.colon, offset, offset + 1, gap)
        case UInt8(ascii: "="):
            return second == UInt8(ascii: "~")
                ? make(.matches, offset, offset + 2, gap) : make(.equal, offset, offset + 1, gap)
        case UInt8(ascii: "!"):
            if second == UInt8(ascii: "=") { return make(.notEqual, offset, offset + 2, gap) }
            if second == UInt8(ascii: "~") { return make(.matchesNot, offset, offset + 2, gap) }
        case UInt8(ascii: ">"):
            return second == UInt8(ascii: "=")
                ? make(.greaterOrEqual, offset, offset + 2, gap) : make(.greater, offset, offset + 1, gap)
        case UInt8(ascii: "<"):
            if second == UInt8(ascii: "=") { return make(.lessOrEqual, offset, offset + 2, gap) }
            if second == UInt8(ascii: ">") { return make(.notEqual, offset, offset + 2, gap) }
            return make(.less, offset, offset + 1, gap)
        default: break
        }
        return make(.illegal, offset, offset + Runes.length(in: bytes, at: offset), gap)
    }

    private func bareWord(_ offset: Int, _ gap: Token.Gap) -> Token {
        let end = wordEnd(offset)
        // InfluxDB's scanner forgets the word when a quote follows.
        if byte(end) == UInt8(ascii: "\"") { return quoted(offset, end, .identifier, gap) }
        if let keyword = Keyword.named(bytes[offset..<end]) { return make(.keyword(keyword), offset, end, gap) }
        return make(.identifier, offset, end, gap)
    }

    private func parameter(_ offset: Int, _ gap: Token.Gap) -> Token {
        let end = wordEnd(offset + 1)
        var token =
            byte(end) == UInt8(ascii: "\"")
            ? quoted(offset, end, .boundParameter, gap)
            : make(.boundParameter, offset, end, gap, contentStart: offset + 1)
        if !parameters.isEmpty, token.kind == .boundParameter, let value = parameters[written(token)] {
            token.kind = value.kind
            token.isBound = true
        }
        return token
    }

    /// `start` is where the token begins, `quote` where its opening quote stands.
    private func quoted(_ start: Int, _ quote: Int, _ kind: Token.Kind, _ gap: Token.Gap) -> Token {
        let delimiter = bytes[quote]
        var at = quote + 1
        while at < bytes.count {
            let next = bytes[at]
            if next == delimiter { return make(kind, start, at + 1, gap, contentStart: quote + 1, quoted: true) }
            if next == 0x0A || next == 0x0D {
                let end = next == 0x0D && byte(at + 1) == 0x0A ? at + 2 : at + 1
                return make(.badString, start, end, gap, contentStart: quote + 1, quoted: true)
            }
            if next == UInt8(ascii: "\\") {
                switch byte(at + 1) {
                case UInt8(ascii: "n"), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"):
                    at += 2
                    continue
                default:
                    let end = min(bytes.count, at + 1 + Runes.length(in: bytes, at: at + 1))
                    return make(.badEscape, start, end, gap, contentStart: at, quoted: true)
                }
            }
            at += 1
        }
        return make(.badString, start, bytes.count, gap, contentStart: quote + 1, quoted: true)
    }

    private func number(_ offset: Int, _ gap: Token.Gap) -> Token {
        var at = digitsEnd(offset)
        if byte(at) == UInt8(ascii: ".") {
            at += 1
            if isDigit(byte(at)) { at = digitsEnd(at) }
            return make(.number, offset, at, gap)
        }
        guard let unit = unitEnd(at) else { return make(.integer, offset, at, gap) }
        at = unit
        while true {
            if isDigit(byte(at)) {
                at += 1
            } else if let more = unitEnd(at) {
                at = more
            } else {
                return make(.durationValue, offset, at, gap)
            }
        }
    }

    /// The end of the letter or `µ` (U+00B5) at `offset`; nil if there is none.
    private func unitEnd(_ offset: Int) -> Int? {
        let first = byte(offset)
        if isLetter(first) { return offset + 1 }
        if first == 0xC2, byte(offset + 1) == 0xB5 { return offset + 2 }
        return nil
    }

    private func wordEnd(_ offset: Int) -> Int {
        var at = offset
        while at < bytes.count, isLetter(bytes[at]) || isDigit(bytes[at]) || bytes[at] == UInt8(ascii: "_") { at += 1 }
        return at
    }

    private func digitsEnd(_ offset: Int) -> Int {
        var at = offset
        while at < bytes.count, isDigit(bytes[at]) { at += 1 }
        return at
    }

    private func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private func make(
        _ kind: Token.Kind, _ start: Int, _ end: Int, _ gap: Token.Gap, contentStart: Int? = nil, quoted: Bool = false
    ) -> Token {
        Token(kind: kind, start: start, end: end, contentStart: contentStart ?? start, isQuoted: quoted, gap: gap)
    }
}
