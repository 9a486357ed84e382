// Reads InfluxQL as far as the model goes. Whatever else comes is not InfluxDB's parse error but a gap in the model.

struct ParseFailure: Error {
    var message: String
}

struct StatementParser {
    enum Token: Equatable {
        /// A word; keywords are words.
        case word(String)
        case identifier(Text)
        case string(Text)
        case integer(Int64)
        /// Nanoseconds.
        case duration(Int64)
        case symbol(String)
        case end
    }

    private let bytes: [UInt8]
    private var at = 0
    private(set) var token = Token.end
    /// Where the present token begins, and where the one before it ended.
    private var tokenStart = 0
    private var lastEnd = 0

    static let keywords: Set<String> = [
        "ALL", "ALTER", "ANALYZE", "ANY", "AS", "ASC", "BEGIN", "BY", "CARDINALITY", "CREATE", "CONTINUOUS",
        "DATABASE", "DATABASES", "DEFAULT", "DELETE", "DESC", "DESTINATIONS", "DIAGNOSTICS", "DISTINCT", "DROP",
        "DURATION", "END", "EVERY", "EXACT", "EXPLAIN", "FIELD", "FOR", "FROM", "GRANT", "GRANTS", "GROUP", "GROUPS",
        "IN", "INF", "INSERT", "INTO", "KEY", "KEYS", "KILL", "LIMIT", "MEASUREMENT", "MEASUREMENTS", "NAME", "OFFSET",
        "ON", "ORDER", "PASSWORD", "POLICY", "POLICIES", "PRIVILEGES", "QUERIES", "QUERY", "READ", "REPLICATION",
        "RESAMPLE", "RETENTION", "REVOKE", "SELECT", "SERIES", "SET", "SHOW", "SHARD", "SHARDS", "SLIMIT", "SOFFSET",
        "STATS", "SUBSCRIPTION", "SUBSCRIPTIONS", "TAG", "TO", "USER", "USERS", "VALUES", "WHERE", "WITH", "WRITE",
        "AND", "OR", "TRUE", "FALSE",
    ]

    init(_ text: String) throws(ParseFailure) {
        bytes = Array(text.utf8)
        try advance()
    }

    /// All statements of a request, each with its text.
    static func statements(in text: String) throws(ParseFailure) -> [(statement: Statement, text: String)] {
        var parser = try StatementParser(text)
        var statements: [(statement: Statement, text: String)] = []
        while true {
            while parser.token == .symbol(";") { try parser.advance() }
            if parser.token == .end { return statements }
            let start = parser.tokenStart
            let statement = try parser.statement()
            guard parser.token == .end || parser.token == .symbol(";") else { throw parser.unexpected() }
            statements.append((statement, parser.text(from: start)))
        }
    }

    // MARK: Tokens

    func unexpected() -> ParseFailure {
        ParseFailure(message: "model: \(token) in \(String(decoding: bytes, as: UTF8.self))")
    }

    /// The text of a statement that began at `start` and ends with the last token, its first words in capitals, as the
    /// server shows what runs.
    func text(from start: Int) -> String {
        let words = String(decoding: bytes[start..<lastEnd], as: UTF8.self).split(separator: " ")
        let head = words.prefix { Self.keywords.contains($0.uppercased()) }
        return (head.map { $0.uppercased() } + words.dropFirst(head.count).map(String.init)).joined(separator: " ")
    }

    mutating func advance() throws(ParseFailure) {
        lastEnd = at
        while at < bytes.count, bytes[at] <= Byte.space { at += 1 }
        tokenStart = at
        guard at < bytes.count else {
            token = .end
            return
        }
        let byte = bytes[at]
        switch byte {
        case Byte.quote: token = .identifier(try quotedText())
        case Byte.apostrophe: token = .string(try quotedText())
        case _ where Byte.isDigit(byte): token = try number()
        case _ where Self.isWordByte(byte): token = .word(word())
        default:
            let pair = String(decoding: bytes[at..<min(at + 2, bytes.count)], as: UTF8.self)
            let symbol = ["<=", ">=", "!=", "<>", "::", "=~", "!~"].contains(pair) ? pair : String(pair.prefix(1))
            at += symbol.utf8.count
            token = .symbol(symbol)
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        Byte.isDigit(byte) || byte == UInt8(ascii: "_")
            || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
    }

    private mutating func word() -> String {
        let start = at
        while at < bytes.count, Self.isWordByte(bytes[at]) { at += 1 }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func quotedText() throws(ParseFailure) -> Text {
        let quote = bytes[at]
        var text: [UInt8] = []
        at += 1
        while at < bytes.count, bytes[at] != quote {
            if bytes[at] == Byte.backslash {
                at += 1
                guard at < bytes.count else { break }
                switch bytes[at] {
                case UInt8(ascii: "n"): text.append(Byte.newline)
                case Byte.backslash, Byte.quote, Byte.apostrophe: text.append(bytes[at])
                default: throw ParseFailure(message: "model: an escape that InfluxQL does not know")
                }
            } else {
                text.append(bytes[at])
            }
            at += 1
        }
        guard at < bytes.count else { throw ParseFailure(message: "model: a string without end") }
        at += 1
        return Text(text)
    }

    private mutating func number() throws(ParseFailure) -> Token {
        var total: Int64?
        while true {
            let start = at
            while at < bytes.count, Byte.isDigit(bytes[at]) { at += 1 }
            guard let count = Int64(String(decoding: bytes[start..<at], as: UTF8.self)) else {
                throw ParseFailure(message: "model: a number out of range")
            }
            let unitStart = at
            while at < bytes.count, Self.isWordByte(bytes[at]), !Byte.isDigit(bytes[at]) { at += 1 }
            if unitStart == at {
                if total != nil || (at < bytes.count && bytes[at] == Byte.dot) { throw unexpected() }
                return .integer(count)
            }
            let unit = String(decoding: bytes[unitStart..<at], as: UTF8.self)
            guard let scale = unit == "ns" ? 1 : GoText.units.first(where: { $0.0 == unit })?.1 else {
                throw ParseFailure(message: "model: the unit \(unit)")
            }
            total = (total ?? 0) &+ count &* scale
            if at >= bytes.count || !Byte.isDigit(bytes[at]) { return .duration(total ?? 0) }
        }
    }

    // MARK: Pieces

    func isNext(_ word: String) -> Bool {
        if case .word(let next) = token { return next.uppercased() == word }
        return false
    }

    mutating func take(_ words: String...) throws(ParseFailure) -> Bool {
        guard let first = words.first, isNext(first) else { return false }
        for word in words {
            guard isNext(word) else { throw unexpected() }
            try advance()
        }
        return true
    }

    mutating func expect(_ words: String...) throws(ParseFailure) {
        for word in words {
            guard isNext(word) else { throw unexpected() }
            try advance()
        }
    }

    mutating func take(symbol: String) throws(ParseFailure) -> Bool {
        guard token == .symbol(symbol) else { return false }
        try advance()
        return true
    }

    mutating func expect(symbol: String) throws(ParseFailure) {
        guard try take(symbol: symbol) else { throw unexpected() }
    }

    mutating func name() throws(ParseFailure) -> Text {
        switch token {
        case .identifier(let text):
            try advance()
            return text
        case .word(let word) where !Self.keywords.contains(word.uppercased()):
            try advance()
            return Text(word)
        default: throw unexpected()
        }
    }

    mutating func string() throws(ParseFailure) -> Text {
        guard case .string(let text) = token else { throw unexpected() }
        try advance()
        return text
    }

    mutating func integer() throws(ParseFailure) -> Int64 {
        guard case .integer(let value) = token else { throw unexpected() }
        try advance()
        return value
    }

    /// Zero for INF.
    mutating func duration() throws(ParseFailure) -> Int64 {
        if try take("INF") { return 0 }
        if case .integer(0) = token {
            try advance()
            return 0
        }
        guard case .duration(let value) = token else { throw unexpected() }
        try advance()
        return value
    }

    mutating func list<Element>(
        _ element: (inout StatementParser) throws(ParseFailure) -> Element
    ) throws(ParseFailure) -> [Element] {
        var list = [try element(&self)]
        while try take(symbol: ",") { list.append(try element(&self)) }
        return list
    }

    /// All measurements: the regular expression that matches everything.
    mutating func takeAnything() throws(ParseFailure) -> Bool {
        guard token == .symbol("/") else { return false }
        guard bytes[tokenStart...].starts(with: Array("/.*/".utf8)) else { throw unexpected() }
        at = tokenStart + 4
        try advance()
        return true
    }

    /// Everything up to the end of the request, as it was written.
    mutating func rest() throws(ParseFailure) -> String {
        let start = tokenStart
        while token != .end { try advance() }
        return text(from: start)
    }
}
