// The reserved words of InfluxQL, found in any mixture of case without allocating.

/// A reserved word. The raw value is how InfluxDB prints it in its error texts.
///
/// The set is that of InfluxDB 1.6 to 1.11. Words that only later versions reserve (`FUTURE`, `PAST`, `VERBOSE`)
/// stay identifiers and are recognised by the grammar where it asks for them.
package enum Keyword: String, CaseIterable, Sendable {
    case all = "ALL"
    case alter = "ALTER"
    case analyze = "ANALYZE"
    case and = "AND"
    case any = "ANY"
    case `as` = "AS"
    case asc = "ASC"
    case begin = "BEGIN"
    case by = "BY"
    case cardinality = "CARDINALITY"
    case continuous = "CONTINUOUS"
    case create = "CREATE"
    case database = "DATABASE"
    case databases = "DATABASES"
    case `default` = "DEFAULT"
    case delete = "DELETE"
    case desc = "DESC"
    case destinations = "DESTINATIONS"
    case diagnostics = "DIAGNOSTICS"
    case distinct = "DISTINCT"
    case drop = "DROP"
    case duration = "DURATION"
    case end = "END"
    case every = "EVERY"
    case exact = "EXACT"
    case explain = "EXPLAIN"
    case `false` = "FALSE"
    case field = "FIELD"
    case `for` = "FOR"
    case from = "FROM"
    case grant = "GRANT"
    case grants = "GRANTS"
    case group = "GROUP"
    case groups = "GROUPS"
    case `in` = "IN"
    case inf = "INF"
    case insert = "INSERT"
    case into = "INTO"
    case key = "KEY"
    case keys = "KEYS"
    case kill = "KILL"
    case limit = "LIMIT"
    case measurement = "MEASUREMENT"
    case measurements = "MEASUREMENTS"
    case name = "NAME"
    case offset = "OFFSET"
    case on = "ON"
    case or = "OR"
    case order = "ORDER"
    case password = "PASSWORD"
    case policies = "POLICIES"
    case policy = "POLICY"
    case privileges = "PRIVILEGES"
    case queries = "QUERIES"
    case query = "QUERY"
    case read = "READ"
    case replication = "REPLICATION"
    case resample = "RESAMPLE"
    case retention = "RETENTION"
    case revoke = "REVOKE"
    case select = "SELECT"
    case series = "SERIES"
    case set = "SET"
    case shard = "SHARD"
    case shards = "SHARDS"
    case show = "SHOW"
    case slimit = "SLIMIT"
    case soffset = "SOFFSET"
    case stats = "STATS"
    case subscription = "SUBSCRIPTION"
    case subscriptions = "SUBSCRIPTIONS"
    case tag = "TAG"
    case to = "TO"
    case `true` = "TRUE"
    case user = "USER"
    case users = "USERS"
    case values = "VALUES"
    case `where` = "WHERE"
    case with = "WITH"
    case write = "WRITE"

    /// The keyword that `word` spells, in any case. Only ASCII letters fold, as in InfluxDB's scanner, which admits no others.
    package static func named(_ word: ArraySlice<UInt8>) -> Keyword? {
        guard word.count >= 2, word.count <= longest else { return nil }
        var packed: UInt128 = 0
        for byte in word {
            // Letters only: a digit or an underscore never occurs in a keyword.
            let folded = byte | 0x20
            guard folded >= 0x61, folded <= 0x7A else { return nil }
            packed = packed << 8 | UInt128(folded)
        }
        return KeywordTable.shared.find(packed)
    }

    static let longest = 13
}

/// An open-addressing table from the packed lower-case word to its keyword; a lookup touches one or two slots.
private struct KeywordTable: Sendable {
    static let shared = KeywordTable()

    private static let slotCount = 512
    private var words: [UInt128]
    private var keywords: [Keyword]

    private init() {
        words = Array(repeating: 0, count: Self.slotCount)
        keywords = Array(repeating: .all, count: Self.slotCount)
        for keyword in Keyword.allCases {
            var packed: UInt128 = 0
            for byte in keyword.rawValue.utf8 { packed = packed << 8 | UInt128(byte | 0x20) }
            var slot = Self.slot(of: packed)
            while words[slot] != 0 { slot = (slot + 1) % Self.slotCount }
            words[slot] = packed
            keywords[slot] = keyword
        }
    }

    func find(_ packed: UInt128) -> Keyword? {
        var slot = Self.slot(of: packed)
        while words[slot] != packed {
            if words[slot] == 0 { return nil }
            slot = (slot + 1) % Self.slotCount
        }
        return keywords[slot]
    }

    private static func slot(of packed: UInt128) -> Int {
        let mixed =
            (UInt64(truncatingIfNeeded: packed) ^ UInt64(truncatingIfNeeded: packed >> 64)) &* 0x9E37_79B9_7F4A_7C15
        return Int(mixed >> 55)
    }
}
