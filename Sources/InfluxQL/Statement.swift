// A parsed statement: what it is, where it stands in the request's text, and the names that decide where it goes.

/// What a request's text turned out to be.
package enum Parsed: Equatable, Sendable {
    /// The statements in order; none for a text of semicolons and comments only.
    case statements([Statement])
    /// InfluxDB would refuse the whole request with this error; nothing of it must run.
    case unrecognised(ParseFailure)

    /// Parses the text of a `q` parameter.
    ///
    /// What a 1.x node executes as a mutation is never returned as a read: the text is cut and parsed by the grammar
    /// that the nodes use. A text that is refused here must be answered with `ParseFailure.message` and status 400, not
    /// forwarded.
    /// - Parameter hasParameters: false if the request has no `params`: then a bound parameter is an error.
    package init(_ text: some StringProtocol, hasParameters: Bool = true) {
        self.init(utf8: Array(text.utf8), hasParameters: hasParameters)
    }

    package init(utf8 bytes: [UInt8], hasParameters: Bool = true) {
        self.init(Lexer(bytes), hasParameters: hasParameters)
    }

    init(_ lexer: Lexer, hasParameters: Bool) {
        do throws(ParseFailure) {
            var parser = StatementParser(lexer, hasParameters: hasParameters)
            self = .statements(try parser.parseAll())
        } catch {
            self = .unrecognised(error)
        }
    }
}

/// A name in a statement: written there, or hidden behind a bound parameter (`$name`), whose value is in the request.
package enum Name: Hashable, Sendable {
    case literal(String)
    case parameter(String)

    package var literal: String? {
        if case .literal(let text) = self { text } else { nil }
    }

    /// The literal, or the parameter's name.
    var text: String {
        switch self {
        case .literal(let text), .parameter(let text): text
        }
    }
}

/// `measurement`, `rp.measurement`, `db.rp.measurement` or `db..measurement`, where the last part may be a regex.
package struct MeasurementReference: Hashable, Sendable {
    package enum Target: Hashable, Sendable {
        case name(Name)
        /// The pattern, without the backslashes that InfluxQL wants before slashes.
        case regex(String)
        /// `:MEASUREMENT` in an INTO clause: the name of the source.
        case sameAsSource
    }

    package var database: Name?
    package var retentionPolicy: Name?
    package var measurement: Target

    package init(database: Name? = nil, retentionPolicy: Name? = nil, measurement: Target) {
        self.database = database
        self.retentionPolicy = retentionPolicy
        self.measurement = measurement
    }
}

/// A call of `now()`.
struct NowCall: Equatable, Sendable {
    /// From its first byte to behind its parenthesis.
    var range: Range<Int>
    /// In `GROUP BY time(interval, now())`: the interval in nanoseconds. There the call is an offset, not a moment.
    var interval: Int64?
    /// `-now()`: a sign may stand before a call and a parenthesis, not before a string.
    var hasSign = false
}

package struct Statement: Equatable, Sendable {
    /// What it says.
    package var body: StatementBody
    /// Where the statement stands in the text, without the white space, comments and semicolons around it. In bytes.
    package var range: Range<Int>
    /// The text of the whole request, shared by its statements.
    package let source: [UInt8]

    /// Bound parameters are used somewhere: the text means nothing without the request's `params`.
    package var usesParameters = false
    /// A function is called whose name is a bound parameter: it may be `now`.
    package var callsParameter = false
    var nowCalls: [NowCall] = []
    /// The literals that hold a password, quotes included.
    var secrets: [Range<Int>] = []

    init(source: [UInt8]) {
        body = .showDatabases
        range = 0..<0
        self.source = source
    }

    package var kind: StatementKind { body.kind }
    /// The database that the statement itself names: `ON db`, CREATE or DROP DATABASE. nil: that of the request, or
    /// none.
    package var database: Name? { body.database }
    /// What the statement creates, alters, drops or speaks of: database, user, policy, query, subscription,
    /// measurement.
    package var subject: Name? { body.subject }
    /// What is read or deleted from, sources of subqueries included, in the order of the text.
    package var sources: [MeasurementReference] { body.sources }
    /// The target of a SELECT's own INTO clause, also of the SELECT in a continuous query.
    package var target: MeasurementReference? { body.select?.target }
    /// `CREATE DATABASE x WITH ...`: the retention policy may conflict with that of an existing database.
    package var hasOptions: Bool {
        if case .createDatabase(_, .some) = body { true } else { false }
    }

    /// The statement's own text. Bytes that are not UTF-8 show as U+FFFD; `bytes` has them as they came.
    package var text: String { Runes.text(of: source, range) }

    package var bytes: ArraySlice<UInt8> { source[range] }

    /// The databases that the statement names anywhere: `database`, qualified sources, a qualified target.
    package var namedDatabases: [Name] {
        ([database] + sources.map(\.database) + [target?.database]).compactMap { $0 }
    }
}
