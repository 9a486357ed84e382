// Writes names and texts so that InfluxQL reads them back as they were.

package enum Quoting {
    /// `"..."`, with backslash, quote and newline escaped.
    package static func identifier(_ name: String) -> String { quoted(name, "\"") }

    /// `'...'`, with backslash, quote and newline escaped.
    package static func string(_ text: String) -> String { quoted(text, "'") }

    /// Bare where the grammar takes it bare, else quoted.
    package static func identifierIfNeeded(_ name: String) -> String {
        let bytes = Array(name.utf8)
        let lexer = Lexer(bytes)
        let token = lexer.token(at: 0)
        let isBare = token.kind == .identifier && !token.isQuoted && token.start == 0 && token.end == bytes.count
        return isBare ? name : identifier(name)
    }

    private static func quoted(_ text: String, _ quote: Unicode.Scalar) -> String {
        var result = String.UnicodeScalarView()
        result.append(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\\", quote:
                result.append("\\")
                result.append(scalar)
            default: result.append(scalar)
            }
        }
        result.append(quote)
        return String(result)
    }
}
