// Requests made to get past a policy: statements in disguise, and requests in disguise around one statement.

import Foundation
import TestSupport

/// One request as the bytes that a client sends.
struct Disguise: Sendable {
    enum Listeners: Sendable { case both, readOnly, strict }

    let name: String
    /// Without `Host` and `Connection`, which sending adds.
    let head: String
    let body: [UInt8]
    /// Of those of the test.
    var listeners = Listeners.both

    init(_ name: String, _ head: String, body: [UInt8] = [], _ listeners: Listeners = .both) {
        self.name = name
        self.head = head
        self.body = body
        self.listeners = listeners
    }

    /// The answer; nil: the connection was closed without one.
    func send(to port: Int) async throws -> Reply? {
        let connection = try RawConnection(port: port)
        var lines = head.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let isOld = lines[0].hasSuffix("HTTP/1.0")
        lines.insert(contentsOf: isOld ? [] : ["Host: 127.0.0.1", "Connection: close"], at: 1)
        if !body.isEmpty, !head.lowercased().contains("transfer-encoding:") {
            lines.append("Content-Length: \(body.count)")
        }
        await connection.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)
        let received = await connection.receive().bytes
        return received.isEmpty ? nil : try Reply(raw: received)
    }

    // MARK: One statement in one of the usual forms

    static func form(_ text: String, params: String? = nil, _ listeners: Listeners = .both) -> Disguise {
        var form = ["db": "t", "q": text]
        form["params"] = params
        return Disguise(
            "POST \(text.debugDescription) \(params ?? "")",
            "POST /query HTTP/1.1\nContent-Type: application/x-www-form-urlencoded",
            body: Array(InfluxClient.encoded(form).utf8), listeners)
    }

    static func get(_ text: String, params: String? = nil, _ listeners: Listeners = .both) -> Disguise {
        var form = ["db": "t", "q": text]
        form["params"] = params
        return Disguise(
            "GET \(text.debugDescription) \(params ?? "")", "GET /query?\(InfluxClient.encoded(form)) HTTP/1.1",
            listeners)
    }
}

enum Evasions {
    /// Statements that change something. A bare InfluxDB runs most of them and refuses the others.
    static let mutations: [(text: String, params: String?)] = [
        ("DROP DATABASE x", nil), ("drop database x", nil), ("DrOp DaTaBaSe x", nil), ("DROP\tDATABASE\tx", nil),
        ("DROP\nDATABASE\nx", nil), ("DROP\r\nDATABASE x", nil), ("\n\n\t DROP DATABASE x \n", nil),
        ("DROP/**/DATABASE/**/x", nil), ("/* SELECT v FROM cpu */DROP DATABASE x", nil),
        ("-- SELECT v FROM cpu\nDROP DATABASE x", nil), ("--\nDROP DATABASE x", nil), ("-- \nDROP DATABASE x", nil),
        ("--\r\nDROP DATABASE x", nil), ("-- SELECT v FROM cpu\rDROP DATABASE x", nil), ("/*/**/DROP DATABASE x", nil),
        ("/* /* */ DROP DATABASE x -- */", nil), ("/*--*/DROP DATABASE x", nil), ("--/*\nDROP DATABASE x --*/", nil),
        ("/* ' */ DROP DATABASE x -- '", nil), (";DROP DATABASE x", nil), (";;;DROP DATABASE x;;;", nil),
        ("SHOW DATABASES;DROP DATABASE x", nil), ("SELECT v FROM cpu;DROP DATABASE x", nil),
        ("SELECT v FROM cpu; DROP DATABASE x; SELECT v FROM cpu", nil),
        ("SELECT v FROM cpu -- ;\n;DROP DATABASE x", nil), ("SELECT v FROM cpu WHERE a = '\\'';DROP DATABASE x", nil),
        ("SELECT v FROM cpu WHERE a = '\\\\';DROP DATABASE x", nil), ("SELECT v FROM \"a\\\"\";DROP DATABASE x", nil),
        ("SELECT v FROM /'/;DROP DATABASE x --'", nil), ("SELECT v FROM /\"/;DROP DATABASE x --\"", nil),
        ("SELECT v FROM /--/;DROP DATABASE x", nil),
        ("SELECT v FROM cpu WHERE host =~ /[;]/;DROP DATABASE x", nil),
        ("SELECT v / 2, w / 3 FROM cpu; DROP DATABASE x", nil), ("DROP DATABASE \"x\"", nil),
        ("DROP DATABASE\"x\"", nil), ("EXPLAIN SELECT v FROM cpu; DROP DATABASE x", nil),
        // White space that is cut off around a text, and that no lexer takes inside.
        ("\u{a0}DROP DATABASE x", nil), ("\u{3000}DROP DATABASE x\u{3000}", nil), ("\u{85}DROP DATABASE x", nil),
        ("\u{feff}DROP DATABASE x", nil), ("DROP\u{a0}DATABASE x", nil), ("DROP\u{2028}DATABASE x", nil),
        ("DROP\u{b}DATABASE x", nil), ("DROP\u{c}DATABASE x", nil),
        // Letters that become others in upper case.
        ("DROP DATABA\u{17f}E x", nil), ("\u{212a}ILL QUERY 1", nil), ("ＤＲＯＰ DATABASE x", nil),
        ("DR\u{130}P DATABASE x", nil), ("DROP`DATABASE`x", nil), ("\"DROP\" DATABASE x", nil),
        ("DROP DATABASE x\u{0}", nil), ("DR\u{0}OP DATABASE x", nil), ("SHOW DATABASES\u{0};DROP DATABASE x", nil),
        ("-- c\u{0}\nDROP DATABASE x", nil), ("SELECT v FROM (DROP DATABASE x)", nil),
        ("EXPLAIN DROP DATABASE x", nil), ("DROP DATABASE x SHOW DATABASES", nil), ("USE x; DROP DATABASE x", nil),
        ("BEGIN; DROP DATABASE x; END", nil), ("INSERT cpu v=1", nil),
        ("SHOW FIELD KEYS ON ;;DROP DATABASE x", nil), ("SHOW FIELD KEYS ON \"\\q;DROP DATABASE x;--\"", nil),
        // Every other statement that changes something.
        ("DROP SERIES FROM cpu", nil), ("DROP SERIES", nil), ("DROP SERIES WHERE host = 'a'", nil),
        ("DROP/**/SERIES FROM /.*/", nil), ("DROP MEASUREMENT cpu", nil), ("DROP--\nMEASUREMENT \"cpu\"", nil),
        ("DROP RETENTION POLICY short ON t", nil), ("DROP CONTINUOUS QUERY cq ON t", nil),
        ("DROP SUBSCRIPTION s ON t.autogen", nil), ("DROP USER ann", nil), ("DROP SHARD 1", nil), ("KILL QUERY 1", nil),
        ("kill/**/query 1 ON \"host\"", nil), ("CREATE DATABASE evil", nil),
        ("CREATE DATABASE \"evil\" WITH DURATION 1d", nil),
        ("CREATE USER evil WITH PASSWORD 'e' WITH ALL PRIVILEGES", nil),
        ("CREATE/**/USER evil WITH PASSWORD 'e; SHOW DATABASES'", nil),
        ("CREATE RETENTION POLICY evil ON t DURATION 1d REPLICATION 1 DEFAULT", nil),
        ("ALTER RETENTION POLICY autogen ON t DURATION 2d", nil),
        ("CREATE SUBSCRIPTION evil ON t.autogen DESTINATIONS ALL 'udp://127.0.0.1:9'", nil),
        ("GRANT ALL TO ann", nil), ("grant all privileges to ann", nil), ("GRANT WRITE ON t TO ann", nil),
        ("REVOKE READ ON t FROM ann", nil), ("REVOKE ALL PRIVILEGES FROM root", nil),
        ("SET PASSWORD FOR ann = 'x'", nil), ("set/**/password for ann = 'x'", nil),
        // Rows that one statement writes.
        ("SELECT v INTO evil FROM cpu", nil), ("SELECT * INTO evil FROM cpu GROUP BY *", nil),
        ("select*into evil from cpu", nil), ("SELECT v/**/INTO/**/evil FROM cpu", nil),
        ("SELECT v--\nINTO evil FROM cpu", nil), ("SELECT v\r\nINTO\tevil--c\nFROM cpu", nil),
        ("SELECT v INTO x..evil FROM cpu", nil), ("SELECT v INTO x.autogen.:MEASUREMENT FROM mem", nil),
        ("SELECT v INTO \"x\".\"autogen\".:MEASUREMENT FROM /.*/", nil),
        ("SELECT \"FROM\", v INTO evil FROM cpu", nil), ("SELECT v AS \"INTO\" INTO evil FROM cpu", nil),
        ("SELECT v INTO evil FROM (SELECT v FROM cpu)", nil),
        ("SELECT v INTO evil FROM (SELECT v INTO d FROM cpu)", nil),
        ("SELECT mean(v)INTO evil FROM cpu GROUP BY time(1h)", nil),
        ("SELECT v INTO evil FROM cpu WHERE time > 0 tz('UTC')", nil),
        ("SHOW DATABASES; SELECT v INTO evil FROM cpu", nil), ("EXPLAIN SELECT v INTO evil FROM cpu", nil),
        ("EXPLAIN ANALYZE SELECT v INTO evil FROM cpu", nil),
        ("EXPLAIN ANALYZE VERBOSE SELECT v INTO evil FROM cpu", nil),
        ("SELECT v FROM (SELECT v INTO evil FROM cpu)", nil),
        ("CREATE CONTINUOUS QUERY evil ON t BEGIN SELECT mean(v) INTO evil FROM cpu GROUP BY time(1m) END", nil),
        (
            "create/**/continuous query evil ON t RESAMPLE EVERY 10s FOR 2m BEGIN SELECT mean(v) INTO evil FROM cpu GROUP BY time(1m) END",
            nil
        ),
        // Deletions of more than one measurement.
        ("DELETE", nil), ("DELETE WHERE time > 0", nil), ("DELETE/**/WHERE time > 0", nil), ("DELETE FROM /.*/", nil),
        ("DELETE FROM cpu, mem", nil), ("DELETE FROM /cpu/ WHERE host = 'a'", nil),
        ("SELECT v FROM cpu; DELETE FROM cpu", nil),
        // Names behind parameters, plain and typed.
        ("DROP DATABASE $d", #"{"d":{"identifier":"x"}}"#), ("DROP DATABASE $d", #"{"d":{"ident":"x"}}"#),
        ("DROP MEASUREMENT $m", #"{"m":{"identifier":"cpu"}}"#), ("DROP MEASUREMENT $m", #"{"m":"cpu"}"#),
        ("SELECT v INTO $t FROM cpu", #"{"t":{"identifier":"evil"}}"#),
        ("SELECT v INTO $\"t t\" FROM cpu", #"{"t t":{"identifier":"evil"}}"#),
        ("SELECT $f INTO evil FROM $m", #"{"f":{"identifier":"v"},"m":{"identifier":"cpu"}}"#),
        ("SELECT $f INTO evil FROM $m", #"{"f":{"identifier":"v"},"m":{"regex":".*"}}"#),
        ("DELETE FROM $m", #"{"m":{"regex":".*"}}"#), ("$s DATABASE x", #"{"s":{"identifier":"DROP"}}"#),
        ("CREATE USER $u WITH PASSWORD 'e'", #"{"u":{"identifier":"evil"}}"#),
        ("DROP DATABASE x", #"{"d":"#),
    ]

    /// Deletions that `strict` allows.
    static let deletions: [(text: String, params: String?)] = [
        ("DELETE FROM cpu", nil), ("DELETE/**/FROM cpu", nil), ("DELETE--\nFROM cpu", nil),
        ("delete from \"cpu\" where time < now()", nil), ("DELETE FROM $m", #"{"m":{"identifier":"cpu"}}"#),
    ]

    /// Reads that `strict` refuses.
    static let reads: [(text: String, params: String?)] = [
        ("SHOW DATABASES", nil), ("SHOW/**/MEASUREMENTS", nil), ("SHOW MEASUREMENTS WITH MEASUREMENT =~ /.*/", nil),
        ("SHOW USERS", nil), ("SHOW GRANTS FOR ann", nil), ("SHOW SERIES", nil), ("SHOW TAG KEYS", nil),
        ("SHOW TAG KEYS ON x", nil), ("SHOW TAG VALUES WITH KEY = host", nil), ("SHOW FIELD KEYS ON x", nil),
        ("SHOW QUERIES", nil), ("SHOW STATS", nil), ("SHOW DIAGNOSTICS", nil), ("SHOW SHARDS", nil),
        ("SHOW SUBSCRIPTIONS", nil), ("SHOW CONTINUOUS QUERIES", nil), ("SHOW TAG KEYS FROM cpu, mem", nil),
        ("SHOW TAG KEYS FROM /.*/", nil), ("SHOW SERIES FROM cpu,/**/mem", nil), ("SELECT v FROM cpu, mem", nil),
        ("SELECT v FROM cpu,/**/mem", nil), ("SELECT v FROM cpu--\n,mem", nil), ("SELECT v FROM /.*/", nil),
        ("SELECT v FROM t./.*/", nil), ("SELECT v FROM \"cpu\", \"x\"..\"secret\"", nil),
        ("SELECT v FROM (SELECT v FROM x..secret)", nil), ("SELECT v FROM cpu, (SELECT v FROM mem)", nil),
        ("SELECT v FROM cpu; SELECT v FROM mem", nil), ("SELECT v FROM cpu;;;SELECT v FROM mem", nil),
        ("SELECT v FROM cpu--\n;SELECT v FROM mem", nil), ("SELECT v FROM cpu/*;*/;/*;*/SELECT v FROM mem", nil),
        ("SELECT v FROM $m", #"{"m":{"regex":".*"}}"#), ("SELECT v FROM cpu; SHOW DATABASES", nil),
        ("EXPLAIN SELECT v FROM cpu", nil), ("EXPLAIN ANALYZE SELECT v FROM cpu", nil),
    ]

    // MARK: One statement in requests of all kinds

    private static let statement = "DROP DATABASE x"
    private static let urlencoded = "Content-Type: application/x-www-form-urlencoded"
    private static let inForm = Array("q=DROP+DATABASE+x".utf8)

    static let requests: [Disguise] =
        [
            Disguise("GET", "GET /query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("HEAD", "HEAD /query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("PUT", "PUT /query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("PUT form", "PUT /query HTTP/1.1\n\(urlencoded)", body: inForm),
            Disguise("PATCH form", "PATCH /query HTTP/1.1\n\(urlencoded)", body: inForm),
            Disguise("DELETE", "DELETE /query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("lower-case method", "get /query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("unknown method", "DROP /query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("method override", "GET /query?q=DROP+DATABASE+x HTTP/1.1\nX-HTTP-Method-Override: HEAD"),
            Disguise("HTTP/1.0", "GET /query?q=DROP+DATABASE+x HTTP/1.0"),
            Disguise("absolute form", "GET http://127.0.0.1/query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("slash behind the path", "GET /query/?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("two slashes", "GET //query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("encoded path", "GET /%71uery?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("upper-case path", "GET /QUERY?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("path through a parent", "GET /ping/../query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("path with a parameter", "GET /query;x=1?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("POST, in the URL", "POST /query?q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("POST form", "POST /query HTTP/1.1\n\(urlencoded)", body: inForm),
            Disguise(
                "content type in upper case", "POST /query HTTP/1.1\nContent-Type: APPLICATION/X-WWW-FORM-URLENCODED",
                body: inForm),
            Disguise(
                "content type with a character set", "POST /query HTTP/1.1\n\(urlencoded); charset=UTF-16", body: inForm
            ),
            Disguise(
                "content type with blanks",
                "POST /query HTTP/1.1\nContent-Type:   application/x-www-form-urlencoded  ;", body: inForm),
            Disguise(
                "content type twice", "POST /query HTTP/1.1\n\(urlencoded)\nContent-Type: text/plain", body: inForm),
            Disguise(
                "other content type first", "POST /query HTTP/1.1\nContent-Type: text/plain\n\(urlencoded)",
                body: inForm),
            Disguise("no content type", "POST /query HTTP/1.1", body: inForm),
            Disguise(
                "JSON", "POST /query HTTP/1.1\nContent-Type: application/json",
                body: Array(#"{"q":"DROP DATABASE x"}"#.utf8)),
            Disguise(
                "JSON, statement in the URL", "POST /query?q=DROP+DATABASE+x HTTP/1.1\nContent-Type: application/json",
                body: Array(#"{"q":"SELECT v FROM cpu"}"#.utf8)),
            Disguise(
                "InfluxQL as a body", "POST /query HTTP/1.1\nContent-Type: application/vnd.influxql",
                body: Array(statement.utf8)),
            Disguise(
                "form with a harmless URL", "POST /query?q=SELECT+v+FROM+cpu HTTP/1.1\n\(urlencoded)", body: inForm),
            Disguise(
                "URL, and a harmless body that counts for nothing",
                "GET /query?q=DROP+DATABASE+x HTTP/1.1\n\(urlencoded)", body: Array("q=SELECT+v+FROM+cpu".utf8)),
            Disguise("twice in the URL", "GET /query?q=DROP+DATABASE+x&q=SELECT+v+FROM+cpu HTTP/1.1"),
            Disguise(
                "twice in the form", "POST /query HTTP/1.1\n\(urlencoded)",
                body: Array("q=DROP+DATABASE+x&q=SELECT+v+FROM+cpu".utf8)),
            Disguise("behind a pair that is dropped", "GET /query?q=SELECT;v&q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("behind a broken escape", "GET /query?q=SELECT%zz&q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("empty first", "GET /query?q=&q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("encoded name", "GET /query?%71=DROP+DATABASE+x HTTP/1.1"),
            Disguise("upper-case name", "GET /query?Q=DROP+DATABASE+x HTTP/1.1"),
            Disguise(
                "every byte encoded",
                "GET /query?q=\(statement.utf8.map { "%" + String($0, radix: 16) }.joined()) HTTP/1.1"),
            Disguise("encoded twice", "GET /query?q=DROP%2520DATABASE%2520x HTTP/1.1"),
            Disguise("plus signs and %20", "GET /query?q=++DROP%20+DATABASE%20%20x++ HTTP/1.1"),
            Disguise("line ends encoded", "GET /query?q=%0d%0aDROP%0aDATABASE%0dx%0d%0a HTTP/1.1"),
            Disguise("zero byte encoded", "GET /query?q=DROP+DATABASE+x%00 HTTP/1.1"),
            Disguise("zero byte first", "GET /query?q=%00DROP+DATABASE+x HTTP/1.1"),
            Disguise("byte order mark", "GET /query?q=%ef%bb%bfDROP+DATABASE+x HTTP/1.1"),
            Disguise("overlong encoding", "GET /query?q=DROP%c0%a0DATABASE+x HTTP/1.1"),
            Disguise("semicolon in the URL", "GET /query?q=SHOW+DATABASES;DROP+DATABASE+x HTTP/1.1"),
            Disguise("semicolon encoded", "GET /query?q=SHOW+DATABASES%3bDROP+DATABASE+x HTTP/1.1"),
            Disguise("second question mark", "GET /query??q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("fragment", "GET /query?q=DROP+DATABASE+x#q=SELECT+v+FROM+cpu HTTP/1.1"),
            Disguise("async", "GET /query?async=true&q=DROP+DATABASE+x HTTP/1.1"),
            Disguise("chunked answer, CSV", "GET /query?chunked=true&q=DROP+DATABASE+x HTTP/1.1\nAccept: text/csv"),
            Disguise(
                "pretty, MessagePack",
                "GET /query?pretty=true&q=DROP+DATABASE+x HTTP/1.1\nAccept: application/x-msgpack"),
            Disguise("epoch as a statement", "GET /query?epoch=SELECT&db=SELECT&q=DROP+DATABASE+x HTTP/1.1"),
            Disguise(
                "chunked form", "POST /query HTTP/1.1\n\(urlencoded)\nTransfer-Encoding: chunked",
                body: Array("4\r\nq=DR\r\n1\r\nO\r\nc\r\nP+DATABASE+x\r\n0\r\n\r\n".utf8)),
            Disguise(
                "chunked form with extensions and trailer",
                "POST /query HTTP/1.1\n\(urlencoded)\nTransfer-Encoding: chunked",
                body: Array("11;q=SELECT\r\nq=DROP+DATABASE+x\r\n0\r\nq: SELECT v FROM cpu\r\n\r\n".utf8)),
            Disguise(
                "length and chunks",
                "POST /query HTTP/1.1\n\(urlencoded)\nContent-Length: 5\nTransfer-Encoding: chunked",
                body: Array("11\r\nq=DROP+DATABASE+x\r\n0\r\n\r\n".utf8)),
            Disguise(
                "continue", "POST /query HTTP/1.1\n\(urlencoded)\nExpect: 200-ok", body: inForm),
            Disguise(
                "gzip that is none", "POST /query HTTP/1.1\n\(urlencoded)\nContent-Encoding: gzip", body: inForm),
        ] + multipart

    private static let multipart: [Disguise] = {
        func form(
            _ name: String, _ parts: [String], type: String = "multipart/form-data; boundary=b", url: String = "/query",
            method: String = "POST"
        )
            -> Disguise
        {
            let body = parts.map { "--b\r\n\($0)\r\n" }.joined() + "--b--\r\n"
            return Disguise(name, "\(method) \(url) HTTP/1.1\nContent-Type: \(type)", body: Array(body.utf8))
        }
        let part = "Content-Disposition: form-data; name=\"q\"\r\n\r\nDROP DATABASE x"
        let harmless = "Content-Disposition: form-data; name=\"q\"\r\n\r\nSELECT v FROM cpu"
        let file = "Content-Disposition: form-data; name=\"q\"; filename=\"f\"\r\n\r\nDROP DATABASE x"
        return [
            form("multipart", [part]), form("multipart by GET", [part], method: "GET"),
            form("multipart, twice", [part, harmless]), form("multipart file", [file]),
            form("multipart file by GET", [file], method: "GET"),
            form(
                "multipart file of another type",
                [file.replacing("\r\n\r\n", with: "\r\nContent-Type: image/png\r\n\r\n")]),
            form(
                "multipart file behind a blank parameter",
                ["Content-Disposition: form-data; name=\"q\"\r\n\r\n  ", file]),
            form("multipart behind a harmless URL's blank", [part], url: "/query?q="),
            form("multipart, names without quotes", [part.replacing("\"q\"", with: "q")]),
            form(
                "multipart, upper case", [part.replacing("form-data", with: "FORM-DATA")],
                type: "MULTIPART/FORM-DATA; BOUNDARY=\"b\""),
            form("multipart, header names in any case", [part.replacing("Content-D", with: "cONTENT-d")]),
            form(
                "multipart in quoted-printable",
                [part.replacing("\r\n\r\n", with: "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")]),
            form(
                "multipart in base64",
                [part.replacing("\r\n\r\n", with: "\r\nContent-Transfer-Encoding: base64\r\n\r\n")]),
            form("multipart, RFC 2231 name", [part.replacing("name=\"q\"", with: "name*=utf-8''q")]),
            form("multipart mixed", [part], type: "multipart/mixed; boundary=b"),
        ]
    }()

    /// Points, which only the read-only listener refuses.
    static let writes: [Disguise] = [
        Disguise("write", "POST /write?db=t HTTP/1.1", body: Array("evil v=1 1".utf8), .readOnly),
        Disguise(
            "write, version 2", "POST /api/v2/write?bucket=t/autogen HTTP/1.1", body: Array("evil v=1 1".utf8),
            .readOnly),
        Disguise("write, database encoded", "POST /write?db=%74 HTTP/1.1", body: Array("evil v=1 1".utf8), .readOnly),
        Disguise("write, database twice", "POST /write?db=t&db=x HTTP/1.1", body: Array("evil v=1 1".utf8), .readOnly),
        Disguise(
            "write, database in a form", "POST /write HTTP/1.1\n\(urlencoded)", body: Array("db=t&evil v=1 1".utf8),
            .readOnly),
        Disguise(
            "write in chunks", "POST /write?db=t HTTP/1.1\nTransfer-Encoding: chunked",
            body: Array("a\r\nevil v=1 1\r\n0\r\n\r\n".utf8), .readOnly),
        Disguise("write by GET", "GET /write?db=t HTTP/1.1", body: Array("evil v=1 1".utf8)),
        Disguise("write by PUT", "PUT /write?db=t HTTP/1.1", body: Array("evil v=1 1".utf8)),
        Disguise("Prometheus", "POST /api/v1/prom/write?db=t HTTP/1.1", body: [0], .readOnly),
        Disguise("deletion, version 2", "POST /api/v2/delete?bucket=t/autogen HTTP/1.1", body: Array("{}".utf8)),
        Disguise("bucket, version 2", "DELETE /api/v2/buckets/t HTTP/1.1"),
    ]
}
