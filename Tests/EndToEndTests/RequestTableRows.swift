// The rows of the table of requests. They are sent in their order, so what one writes the next may read.

import Foundation
import Prometheus
import TestSupport

struct TableRow: CustomStringConvertible {
    let bytes: [UInt8]
    var exception: (status: Int, reason: String)?
    /// The client goes on sending or waiting; the row ends when this many answers are there.
    var answers: Int?

    var description: String {
        let text = String(decoding: bytes.prefix(300), as: UTF8.self).replacingOccurrences(of: "\u{0}", with: "␀")
        return text.replacingOccurrences(of: "\r\n", with: "⏎").replacingOccurrences(of: "\n", with: "↵")
    }

    /// The bytes as they are.
    static func raw(_ text: String, answers: Int? = nil) -> TableRow {
        TableRow(bytes: Array(text.replacingOccurrences(of: "⏎", with: "\r\n").utf8), answers: answers)
    }

    static func request(
        _ method: String, _ target: String, _ headers: [String] = [], _ body: [UInt8]? = nil
    ) -> TableRow {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        for header in headers { text += header + "\r\n" }
        if let body { text += "Content-Length: \(body.count)\r\n" }
        return TableRow(bytes: Array((text + "\r\n").utf8) + (body ?? []))
    }

    static func get(_ target: String, _ headers: String...) -> TableRow { request("GET", target, headers) }
    static func post(_ target: String, _ body: String = "", _ headers: String...) -> TableRow {
        request("POST", target, headers, Array(body.utf8))
    }

    static func query(_ q: String, _ more: String = "") -> TableRow {
        request("POST", "/query?db=t&q=" + InfluxClient.percent(q) + more)
    }

    static func form(_ body: String, _ target: String = "/query", _ headers: String...) -> TableRow {
        request("POST", target, ["Content-Type: application/x-www-form-urlencoded"] + headers, Array(body.utf8))
    }

    /// - Parameter status: of the gateway's last answer.
    func but(_ status: Int, _ reason: String) -> TableRow {
        var row = self
        row.exception = (status, reason)
        return row
    }

    func send(to port: Int) async throws -> RawAnswer {
        let connection = try RawConnection(port: port)
        await connection.send(bytes)
        let isHead = bytes.starts(with: Array("HEAD ".utf8))
        let wanted = answers
        let received = await connection.receive(within: .seconds(10)) { bytes in
            guard let wanted else { return false }
            return RawAnswer(bytes, toHead: isHead).replies.count >= wanted
        }
        return RawAnswer(received.bytes, toHead: isHead)
    }

    // MARK: The table

    static var all: [TableRow] { routes + probes + writes + queries + parameters + formats + wire + prometheus }

    /// Every method on every path.
    static var routes: [TableRow] {
        let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]
        let paths = [
            "/ping", "/status", "/query", "/write", "/", "/nothing", "/ping/", "/query/", "/write/", "//ping",
            "/PING", "/p%69ng", "/ping%20", "/query;x", "/api/v1/prom/write", "/api/v1/prom/read", "/api/v1/prom",
        ]
        return paths.flatMap { path in methods.map { request($0, path) } }
            + ["/query", "/write", "/ping"].map { request("GET", $0, [], Array("a body".utf8)) }
    }

    static var probes: [TableRow] {
        let id = "X-Request-Id: mine", other = "Request-Id: other"
        return [
            get("/ping", id), get("/ping", other), get("/ping", id, other), get("/ping", "X-Request-Id:", other),
            get("/ping", "Origin: http://grafana"), get("/nothing", "Origin: http://grafana", id),
            request("OPTIONS", "/query", ["Origin: http://grafana", "Access-Control-Request-Method: POST"]),
            request("OPTIONS", "/write", ["Origin: http://grafana"]), request("OPTIONS", "/ping", ["Origin: x"]),
            request("PUT", "/query", ["Origin: x"]), get("/ping?x=1"), get("/ping?wait_for_leader=1s"),
            get("/ping?verbose"), get("/ping?verbose=0"), get("/ping?verbose=false"),
            get("/ping?verbose=true").but(200, "from 1.7 on InfluxDB says its version there"),
            get("/ping", "Accept: text/csv"),
            get("/ping", "Accept-Encoding: gzip"), get("/ping", "Authorization: Basic !!!"), get("/status?x"),
            get("/metrics").but(404, "it speaks of one node's process; the gateway has its own on the admin address"),
            get("/debug/vars").but(404, "it speaks of one node"),
            get("/debug/pprof/cmdline").but(404, "it speaks of one node"),
            get("/health").but(200, "from 1.8 on InfluxDB has it"),
            get("/ready").but(200, "from version 2 on InfluxDB has it"),
        ]
    }

    static var writes: [TableRow] {
        let many = (0..<2000).map { "many,n=\($0) v=\($0) \($0)\n" }.joined()
        let targets: [(String, String)] = [
            ("/write?db=t", "m v=1 1"), ("/write?db=t", "m v=1 1\n"), ("/write?db=t", ""), ("/write?db=t", "\n\n"),
            ("/write?db=t", "# only a comment\n"), ("/write", "m v=1 1"), ("/write?db=", "m v=1 1"),
            ("/write?db=nope", "m v=1 1"), ("/write?db=no%22pe%0A", "m v=1 1"), ("/write?db=t&db=nope", "m v=2 2"),
            ("/write?db=nope&db=t", "m v=1 1"), ("/write?DB=t", "m v=1 1"), ("/write?db=t&rp=nope", "m v=1 1"),
            ("/write?db=t&rp=autogen", "m v=3 3"), ("/write?db=t&rp=", "m v=4 4"), ("/write?db=t;rp=x", "m v=1 1"),
            ("/write?db=t&precision=s", "m v=5 5"), ("/write?db=t&precision=ms", "m v=6 6"),
            ("/write?db=t&precision=u", "m v=7 7"), ("/write?db=t&precision=m", "m v=8 8"),
            ("/write?db=t&precision=h", "m v=9 9"), ("/write?db=t&precision=n", "m v=10 10"),
            ("/write?db=t&precision=ns", "m v=11 11"), ("/write?db=t&precision=", "m v=12 12"),
            ("/write?db=t&consistency=one", "m v=13 13"), ("/write?db=t&consistency=ALL", "m v=14 14"),
            ("/write?db=t&consistency=bogus", "m v=1 1"), ("/write?db=t&consistency=", "m v=15 15"),
            ("/write?db=t&pretty=true", "bad"), ("/write?db=t&u=x&p=y", "m v=16 16"),
            ("/write?db=%74", "m v=17 17"), ("/write?db=t%", "m v=18 18"), ("/write?&&db=t&", "m v=19 19"),
            ("/write?db=t", "bad"), ("/write?db=t", "bad\nworse\n"), ("/write?db=t", "good v=1 1\nbad\ngood v=2 2"),
            ("/write?db=t", "m v=\"s\" 20"), ("/write?db=t", "m,time=1 v=1 1"), ("/write?db=t", "m time=1 1"),
            ("/write?db=t", "m time=1,v=21 21"), ("/write?db=t", "m v=1 1 1"), ("/write?db=t", "m v=1 x"),
            ("/write?db=t", "m v= 1"), ("/write?db=t", "m =1 1"), ("/write?db=t", "m, v=1 1"),
            ("/write?db=t", "m,a= v=1 1"), ("/write?db=t", "m,a=1,a=2 v=1 1"), ("/write?db=t", ",a=1 v=1 1"),
            ("/write?db=t", "m v=+1 1"), ("/write?db=t", "m v=1e400 1"), ("/write?db=t", "m v=1u 1"),
            ("/write?db=t", "m v=99999999999999999999i 1"), ("/write?db=t", "m v=\"open 1"),
            ("/write?db=t", "m v=NaN 1"),
            ("/write?db=t", "m v=1 99999999999999999999"), ("/write?db=t", "m v=1 -9223372036854775808"),
            ("/write?db=t", "m v=1 22\r\n"), ("/write?db=t", "m s=\"a\nb\" 23"), ("/write?db=t", "  m v=24 24  "),
            ("/write?db=t", "m\\ x,a\\,b=c\\=d f\\ g=\"q\\\"\\\\\" 25"), ("/write?db=t", "ü,ö=ä v=26 26"),
            ("/write?db=t", "m b=t,c=F,d=TRUE,e=false 28"),
            ("/write?db=t", "m,<a>=& v=\"x\" 29"), ("/write?db=t", many),
            ("/write?db=t", String(repeating: "x", count: 70_000) + " v=1 1"),
            ("/write?db=t", "m v=30 30\n" + String(repeating: "long,a=b v=1 1\n", count: 20_000)),
        ]
        return targets.map { post($0.0, $0.1) } + [
            post("/write?db=t", "m v=40 40", "Content-Encoding: gzip")
                .but(400, "of less than ten bytes InfluxDB says that they end too soon, not that they are no gzip"),
            post("/write?db=t", "m v=27 27\u{0}")
                .but(400, "InfluxDB sends a zero byte in a header field, where HTTP libraries refuse it"),
            post("/write?db=t", "this is no gzip at all", "Content-Encoding: gzip"),
            post("/write?db=t", "m v=41 41", "Content-Encoding: deflate"),
            post("/write?db=t", "m v=42 42", "Content-Encoding: GZIP"),
            post("/write?db=t", "", "Content-Encoding: gzip"),
            post("/write?db=t", "db=nope", "Content-Type: application/x-www-form-urlencoded"),
            post("/write", "db=t", "Content-Type: application/x-www-form-urlencoded"),
            post("/write?db=t", "m v=43 43", "Content-Type: nonsense"), post("/write?db=t", "bad", "Accept: text/csv"),
            post("/write?db=t", "bad", "Accept: application/x-msgpack"),
            post("/write?db=t", "bad", "Accept-Encoding: gzip"),
            post("/write?db=t", "m v=44 44", "Accept-Encoding: gzip"), post("/write?db=t", "bad", "Origin: http://x"),
            post("/write?db=t", "bad", "X-Request-Id: w1"), post("/write?db=t", "m v=45 45", "X-Request-Id: w2"),
            post("/write?db=t&precision=bogus", "")
                .but(400, "from 1.8 on it is an error; before, the times would be taken for nanoseconds"),
        ]
    }

    static var queries: [TableRow] {
        let statements = [
            "SHOW DATABASES", "show databases", "SHOW MEASUREMENTS", "SHOW SERIES FROM m", "SHOW TAG KEYS",
            "SHOW TAG VALUES WITH KEY = n LIMIT 3", "SHOW FIELD KEYS FROM m", "SHOW RETENTION POLICIES", "SHOW USERS",
            "SHOW CONTINUOUS QUERIES", "SHOW SUBSCRIPTIONS", "SELECT * FROM m",
            "SELECT v FROM m WHERE time >= 5 LIMIT 2",
            "SELECT count(v), mean(v) FROM m", "SELECT v FROM many GROUP BY n LIMIT 1 SLIMIT 3",
            "SELECT mean(v) FROM m WHERE time >= 0 AND time < 60 GROUP BY time(10ns) fill(0)",
            "SELECT v FROM nope", "SELECT v FROM nope..m", "SELECT v FROM t.nope.m", "SELECT nope FROM m",
            "SELECT v FROM /m/ LIMIT 1", "SELECT * FROM \"m x\"", "SELECT s FROM m", "SELECT 1 FROM m", "SELECT",
            "SELECT v", "FROM m", "SELECT v FROM m WHERE", "SELECT v FROM m WHERE time > 'x'", "nonsense", "", "   ",
            ";", ";;", "SELECT v FROM m LIMIT 1;", ";SELECT v FROM m LIMIT 1", "-- a comment", "/* c */ SHOW DATABASES",
            "SELECT v FROM m LIMIT 1; SELECT v FROM many LIMIT 1", "SELECT v FROM m; nonsense",
            "SELECT v FROM m WHERE v = 'it''s'", "SELECT v FROM m WHERE v =~ /[/", "SELECT mean() FROM m",
            "SELECT foo(v) FROM m", "SELECT v, mean(v) FROM m", "SELECT mean(v) FROM m GROUP BY time(0s)",
            "SELECT derivative(v) FROM m", "SELECT top(v, 2) FROM m", "SELECT v FROM (SELECT v FROM m) LIMIT 1",
            "SELECT v::integer FROM m LIMIT 2", "SELECT <v> FROM m", "SELECT \"<&>\" FROM \"ü\"",
            "EXPLAIN SELECT v FROM nope",
            "CREATE DATABASE other", "CREATE DATABASE other", "CREATE DATABASE", "CREATE DATABASE \"\"",
            "CREATE RETENTION POLICY two ON other DURATION 2h REPLICATION 1",
            "CREATE RETENTION POLICY two ON other DURATION 3h REPLICATION 1",
            "CREATE RETENTION POLICY short ON other DURATION 1m REPLICATION 1",
            "ALTER RETENTION POLICY two ON other DEFAULT", "ALTER RETENTION POLICY nope ON other DEFAULT",
            "DROP RETENTION POLICY nope ON other", "DROP RETENTION POLICY nope ON nope",
            "SHOW RETENTION POLICIES ON other",
            "CREATE USER u WITH PASSWORD 'p'", "CREATE USER u WITH PASSWORD 'q'", "SHOW GRANTS FOR u",
            "SHOW GRANTS FOR nope", "GRANT READ ON t TO u", "GRANT READ ON t TO nope", "REVOKE ALL ON t FROM u",
            "SET PASSWORD FOR nope = 'x'", "DROP USER u", "DROP USER u", "DELETE FROM many WHERE n = '7'",
            "DELETE FROM nope", "DROP SERIES FROM many WHERE n = '8'", "DROP MEASUREMENT nope",
            "DROP MEASUREMENT good",
            "CREATE CONTINUOUS QUERY q ON t BEGIN SELECT mean(v) INTO z FROM m GROUP BY time(1h) END",
            "DROP CONTINUOUS QUERY q ON t", "DROP CONTINUOUS QUERY q ON t", "DROP DATABASE nope", "KILL QUERY",
            "DROP SHARD x",
        ]
        let byGet = [
            "CREATE USER g WITH PASSWORD 'x'", "GRANT READ ON t TO g", "SHOW GRANTS FOR g", "SET PASSWORD FOR g = 'y'",
            "DROP USER g", "DROP USER g", "CREATE RETENTION POLICY g ON t DURATION 1d REPLICATION 1",
            "ALTER RETENTION POLICY g ON t DURATION 2d", "DROP RETENTION POLICY g ON t",
            "DELETE FROM many WHERE n = '9'",
            "DROP SERIES FROM many WHERE n = '10'", "DROP MEASUREMENT nope", "CREATE DATABASE other",
            "CREATE DATABASE t",
        ]
        return statements.map { query($0) } + byGet.map { get("/query?db=t&q=" + InfluxClient.percent($0)) } + [
            query("SELECT v FROM nope..m; SELECT v FROM m LIMIT 1"),
            query("DELETE WHERE v = 1").but(200, "it names a shard by a number of the node's own"),
        ]
    }

    static var parameters: [TableRow] {
        let select = "q=SELECT+v+FROM+m+LIMIT+2"
        let urls = [
            "db=t&\(select)", "db=t&epoch=ns&\(select)", "db=t&epoch=u&\(select)", "db=t&epoch=ms&\(select)",
            "db=t&epoch=s&\(select)", "db=t&epoch=m&\(select)", "db=t&epoch=h&\(select)", "db=t&epoch=bogus&\(select)",
            "db=t&epoch=&\(select)", "db=t&pretty=true&\(select)", "db=t&pretty=1&\(select)",
            "db=t&chunked=true&\(select)",
            "db=t&chunked=true&chunk_size=1&\(select)", "db=t&chunked=true&chunk_size=-1&\(select)",
            "db=t&chunked=1&\(select)", "db=t&chunked=true&pretty=true&chunk_size=1&\(select)",
            "db=t&rp=nope&\(select)",
            "db=t&rp=autogen&\(select)", "db=nope&\(select)", select, "db=&\(select)", "db=t&node_id=1&\(select)",
            "db=t&node_id=x&\(select)", "db=t&async=true&q=SHOW+DATABASES", "db=t&\(select)&q=nonsense",
            "q=nonsense&db=t&\(select)", "db=t&Q=x", "db=t&q", "db=t&q=", "db=t&q=%", "db=t&q=SHOW+DATABASES%",
            "db=t&q=SHOW%20DATABASES", "db=t&q=SHOW\tDATABASES", "db=t;\(select)", "db=t&\(select);x",
            "db=t&\(select)&;",
            "db=t&params=%7B%22x%22:1%7D&q=SELECT+v+FROM+m+WHERE+v+%3D+$x", "db=t&params=nonsense&\(select)",
            "db=t&params=%7B%7D&q=SELECT+v+FROM+m+WHERE+v=$x", "db=t&params=%7B%22x%22:1e0%7D&\(select)",
            "db=t&params=%5B%5D&\(select)", "db=t&params=&\(select)", "db=t&u=x&p=y&\(select)",
            "db=t&chunk_size=1&\(select)",
            "q=CREATE+DATABASE+other", "q=DROP+DATABASE+nope",
        ]
        let type = "Content-Type: application/x-www-form-urlencoded"
        func multipart(_ name: String, _ file: Bool = false) -> TableRow {
            let body =
                "--b\r\nContent-Disposition: form-data; name=\"\(name)\"\(file ? "; filename=\"f\"" : "")\r\n\r\nSHOW DATABASES\r\n--b--\r\n"
            return post("/query", body, "Content-Type: multipart/form-data; boundary=b")
        }
        return urls.map { get("/query?" + $0) } + urls.prefix(12).map { form($0) } + [
            form("q=SHOW+DATABASES", "/query?q=nonsense"), form("db=nope", "/query?db=t&\(select)"),
            form("pretty=true&q=SHOW+DATABASES"), form("u=x&p=y&q=SHOW+DATABASES"),
            form("q=SHOW+DATABASES", "/query?pretty=true"),
            form(""), form("q=%zz"), form("q=SHOW+DATABASES;x=1"),
            form(String(repeating: "x", count: 300_000) + "&q=SHOW+DATABASES"),
            request("GET", "/query", [type], Array("q=SHOW+DATABASES".utf8)),
            request("PUT", "/query", [type], Array("q=SHOW+DATABASES".utf8)),
            post("/query", "q=SHOW+DATABASES", "Content-Type: text/plain"),
            post("/query", "{}", "Content-Type: application/json"),
            post("/query?q=SHOW+DATABASES", "{}", "Content-Type: application/json"),
            post("/query?q=SHOW+DATABASES", "x", "Content-Type: nonsense; ="),
            multipart("q"), multipart("q", true), multipart("x"),
            post("/query", "x", "Content-Type: multipart/form-data"),
            post("/query", "--b", "Content-Type: multipart/form-data; boundary=b"),
            post("/query?q=SHOW+DATABASES", "junk", "Content-Type: multipart/form-data; boundary=b"),
        ]
    }

    static var formats: [TableRow] {
        let targets = [
            "/query?db=t&q=SELECT+v+FROM+m+LIMIT+1", "/query?db=t&q=nonsense", "/query?db=t&q=SELECT+v+FROM+nope..m",
            "/query", "/write?db=nope", "/write",
        ]
        let accepts = [
            "text/csv", "application/csv", "application/x-msgpack", "application/json", "*/*", "text/csv, */*",
            "TEXT/CSV", "",
        ]
        return targets.flatMap { target in accepts.map { post(target, "", "Accept: " + $0) } } + [
            get(targets[0], "Accept-Encoding: gzip"), get(targets[0], "Accept-Encoding: gzip;q=0"),
            get(targets[0], "Accept-Encoding: deflate"), get(targets[1], "Accept-Encoding: gzip"),
            get(targets[0], "Accept: text/csv", "Accept: application/json"), get(targets[0], "Origin: http://x"),
            get(targets[0], "X-Request-Id: r", "Origin: y"), get(targets[1], "X-Request-Id: r2"),
        ]
    }

    /// What no HTTP library sends.
    static var wire: [TableRow] {
        let close = "Host: x⏎Connection: close⏎"
        let line = "wire v=1 1"
        return [
            raw("GET /ping HTTP/1.0⏎⏎"), raw("GET /ping HTTP/1.0⏎Host: x⏎⏎"),
            raw("GET /query?q=SHOW+DATABASES HTTP/1.0⏎⏎"),
            raw("GET /nothing HTTP/1.0⏎⏎"), raw("POST /write?db=t HTTP/1.0⏎Content-Length: 10⏎⏎wire v=2 2"),
            raw("GET http://x/ping HTTP/1.1⏎\(close)⏎"), raw("GET http://other:1/ping?x HTTP/1.1⏎\(close)⏎"),
            raw("GET HTTP://x/query?q=SHOW+DATABASES HTTP/1.1⏎\(close)⏎"), raw("GET http://x HTTP/1.1⏎\(close)⏎"),
            raw("OPTIONS * HTTP/1.1⏎\(close)⏎").but(404, "Go answers it for every server, whatever is there"),
            raw("GET * HTTP/1.1⏎\(close)⏎"), raw("GET ping HTTP/1.1⏎\(close)⏎"),
            raw("GET /pi ng HTTP/1.1⏎\(close)⏎"), raw("GET /%zz HTTP/1.1⏎\(close)⏎"),
            raw("GET /ping#x HTTP/1.1⏎\(close)⏎"),
            raw("GET /ping HTTP/1.1⏎⏎"), raw("GET /ping HTTP/1.1⏎Host: a⏎Host: b⏎⏎").but(400, "it says what is wrong"),
            raw("GET /ping HTTP/1.1⏎Host:⏎Connection: close⏎⏎"),
            raw("GET /ping HTTP/2.0⏎\(close)⏎"),
            raw("GET /ping HTTP/1.2⏎\(close)⏎").but(505, "there is no such version"),
            raw("GET /ping⏎⏎"),
            raw("nonsense⏎⏎"),
            raw("GET /ping FTP/1.1⏎\(close)⏎"), raw(" GET /ping HTTP/1.1⏎\(close)⏎"),
            raw("⏎GET /ping HTTP/1.1⏎\(close)⏎").but(
                204, "an empty line before a request is passed over, as RFC 9112 asks for"),
            request("BREW", "/ping"), request("BREW", "/nothing"), request("BREW", "/query"),
            raw("get /ping HTTP/1.1⏎\(close)⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)X y: 1⏎⏎").but(400, "other words"),
            raw("GET /ping HTTP/1.1⏎\(close): 1⏎⏎").but(400, "a field without a name is malformed"),
            raw("GET /ping HTTP/1.1⏎\(close)X⏎⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)X: a⏎ b⏎⏎").but(400, "folded fields are obsolete, and a way to smuggle"),
            raw("GET /ping HTTP/1.1⏎\(close)X: \u{1}⏎⏎").but(400, "other words"),
            raw("GET /ping HTTP/1.1\nHost: x\nConnection: close\n\n").but(400, "lines end with CR LF"),
            raw("GET /ping HTTP/1.1⏎\(close)X-Request-Id: a b⏎⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)x-request-id: low⏎⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)X: \(String(repeating: "x", count: 100_000))⏎⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)X: \(String(repeating: "x", count: 1_100_000))⏎⏎"),
            raw("GET /ping?\(String(repeating: "x", count: 50_000)) HTTP/1.1⏎\(close)⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)\((0..<500).map { "H\($0): v⏎" }.joined())⏎"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Content-Length: 10⏎Content-Length: 10⏎⏎#234567890").but(
                400, "two lengths are one too many, also where they are the same"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Content-Length: 10⏎Content-Length: 5⏎⏎\(line)"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Content-Length: -1⏎⏎\(line)"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Content-Length: x⏎⏎"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Content-Length: +10⏎⏎\(line)"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Content-Length: 99999999999999999999⏎⏎"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)⏎\(line)"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Transfer-Encoding: chunked⏎⏎a⏎wire v=3 3⏎0⏎⏎"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Transfer-Encoding: chunked⏎⏎5⏎wire ⏎5;x=y⏎v=4 4⏎0⏎X: y⏎⏎"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Transfer-Encoding: Chunked⏎⏎A⏎wire v=5 5⏎0⏎⏎"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Transfer-Encoding: chunked⏎⏎0⏎⏎"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Transfer-Encoding: gzip⏎⏎").but(501, "other words"),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Transfer-Encoding: chunked⏎Transfer-Encoding: chunked⏎⏎0⏎⏎").but(
                501, "other words"),
            raw(
                "POST /query HTTP/1.1⏎\(close)Content-Type: application/x-www-form-urlencoded⏎Transfer-Encoding: chunked⏎⏎10⏎q=SHOW+DATABASES⏎0⏎⏎"
            ),
            raw("POST /write?db=t HTTP/1.1⏎\(close)Expect: 100-continue⏎Content-Length: 10⏎⏎wire v=6 6"),
            raw("POST /write?db=nope HTTP/1.1⏎\(close)Expect: 100-continue⏎Content-Length: 10⏎⏎"),
            raw("POST /nothing HTTP/1.1⏎\(close)Expect: 100-continue⏎Content-Length: 10⏎⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)Expect: 100-continue⏎⏎"),
            raw("GET /ping HTTP/1.1⏎\(close)Expect: nonsense⏎⏎").but(417, "InfluxDB sends no body with it"),
            raw("GET /ping HTTP/1.1⏎Host: x⏎⏎GET /ping HTTP/1.1⏎\(close)⏎"),
            raw(
                "GET /nothing HTTP/1.1⏎Host: x⏎⏎POST /write?db=t HTTP/1.1⏎Host: x⏎Content-Length: 10⏎⏎wire v=7 7GET /ping HTTP/1.1⏎\(close)⏎"
            ),
            raw("POST /write HTTP/1.1⏎Host: x⏎Content-Length: 10⏎⏎wire v=8 8GET /status HTTP/1.1⏎\(close)⏎"),
            raw("HEAD /ping HTTP/1.1⏎Host: x⏎⏎HEAD /nothing HTTP/1.1⏎\(close)⏎"),
            raw("GET /ping HTTP/1.1⏎Host: x⏎⏎", answers: 1),
            raw("GET /query?q=SHOW+DATABASES HTTP/1.1⏎Host: x⏎⏎", answers: 1),
            raw("GET /ping HTTP/1.1⏎Host: x⏎Connection: keep-alive⏎⏎", answers: 1),
            raw("GET /ping HTTP/1.1⏎Host: x⏎Connection: Close⏎⏎"), raw("GET /ping HTTP/1.1⏎\(close)Upgrade: h2c⏎⏎"),
            raw("GET /ping HTTP/1.1⏎Host: x y⏎Connection: close⏎⏎"),
            raw("GET /ping HTTP/1.1⏎Host: /⏎Connection: close⏎⏎"),
        ]
    }

    static var prometheus: [TableRow] {
        func write(_ series: [[UInt8]], _ target: String = "/api/v1/prom/write?db=t") -> TableRow {
            request("POST", target, ["Content-Encoding: snappy"], Snappy.encoded(PrometheusWire.write(series)))
        }
        func read(_ matchers: [(UInt64, String, String)], _ from: Int64 = 1, _ to: Int64 = .max / 1_000_000) -> TableRow
        {
            let query = PrometheusWire.query(matchers, from: from, to: to)
            return request("POST", "/api/v1/prom/read?db=t", [], Snappy.encoded(PrometheusWire.read([query])))
        }
        let up = PrometheusWire.series([("__name__", "up"), ("job", "a")], [(1.5, 1000), (2, 2000)])
        let good = Snappy.encoded(PrometheusWire.write([up]))
        let rows: [(String, [UInt8])] = [
            ("/api/v1/prom/write", good), ("/api/v1/prom/write?db=nope", good),
            ("/api/v1/prom/write?db=t&rp=nope", good),
            ("/api/v1/prom/write?db=t&consistency=bogus", good), ("/api/v1/prom/write?db=t", []),
            ("/api/v1/prom/write?db=t", Array("garbage!".utf8)), ("/api/v1/prom/write?db=t", good.dropLast(2)),
            ("/api/v1/prom/write?db=t", [3] + good.dropFirst()), ("/api/v1/prom/write?db=t", [100] + good.dropFirst()),
            ("/api/v1/prom/write?db=t", Snappy.encoded([0xFF, 0xFF])),
            ("/api/v1/prom/write?db=t", Snappy.encoded([8, 1])),
            ("/api/v1/prom/write?db=t", Snappy.encoded([0])),
            ("/api/v1/prom/write?db=t", Snappy.encoded([0x0A, 0x50])),
            ("/api/v1/prom/write?db=t", Snappy.encoded([])), ("/api/v1/prom/read?db=t", []),
            ("/api/v1/prom/read?db=t", Array("garbage!".utf8)),
            ("/api/v1/prom/read?db=t", Snappy.encoded([0xFF, 0xFF])),
            ("/api/v1/prom/read?db=t", Snappy.encoded([])),
        ]
        return rows.map { request("POST", $0.0, [], $0.1) } + [
            write([up]),
            write([PrometheusWire.series([("__name__", "up"), ("job", "b"), ("instance", "h:1")], [(10, 1000)])]),
            write([PrometheusWire.series([("job", "none")], [(1, 1000)])]),
            write([PrometheusWire.series([("__name__", "nan")], [(.nan, 1000), (4, 2000)])]),
            write([PrometheusWire.series([("__name__", "tt"), ("time", "1")], [(1, 1000)])]),
            write([PrometheusWire.series([("__name__", "up2"), ("job", "a/b.c")], [(7, 1000), (8, 3000)])]),
            write([PrometheusWire.series([("__name__", "inf")], [(.infinity, 1000)])])
                .but(204, "from 1.7.6 on infinities are dropped without a word"),
            read([(0, "__name__", "up")]), read([(0, "__name__", "up"), (0, "job", "a")]),
            read([(0, "__name__", "up"), (1, "job", "a")]), read([(0, "__name__", "up"), (2, "job", "a|b")]),
            read([(0, "__name__", "up"), (3, "job", "a")]), read([(0, "__name__", "up"), (0, "instance", "")]),
            read([(0, "__name__", "up"), (1, "instance", "")]), read([(0, "__name__", "up"), (2, "instance", ".*")]),
            read([(0, "__name__", "up"), (2, "instance", ".+")]), read([(0, "__name__", "up"), (3, "instance", ".+")]),
            read([(0, "__name__", "up"), (0, "absent", "")]), read([(0, "__name__", "up"), (1, "absent", "")]),
            read([(0, "__name__", "up"), (0, "absent", "x")]), read([(0, "__name__", "up"), (1, "absent", "x")]),
            read([(0, "__name__", "up"), (2, "absent", "x")]), read([(0, "__name__", "up"), (3, "absent", "x")]),
            read([(0, "__name__", "up"), (2, "absent", ".*")]), read([(0, "__name__", "up"), (2, "absent", "x|")]),
            read([(0, "__name__", "up"), (2, "job", "")]), read([(0, "__name__", "up"), (3, "job", "")]),
            read([(0, "__name__", "up"), (2, "job", "[")]), read([(2, "__name__", "up")]),
            read([(2, "__name__", "^up$")]),
            read([(1, "__name__", "up"), (2, "__name__", "up")]), read([(2, "__name__", "u"), (3, "__name__", "2")]),
            read([(0, "__name__", "up"), (0, "__name__", "up2")]), read([(0, "__name__", "up2"), (2, "job", "a/b")]),
            read([(0, "__name__", "up2"), (2, "job", #"\Qa/b.\E"#)]),
            read([(0, "__name__", "up2"), (0, "job", "a/b.c")]),
            read([(0, "job", "a")]), read([(2, "job", "a")]), read([(0, "__name__", "none")]),
            read([(0, "__name__", "")]),
            read([]), read([(7, "a", "b")]), read([(0, "__name__", "prom_metric_not_specified")]),
            read([(0, "__name__", "up")], 1000, 1000), read([(0, "__name__", "up")], 1001, 1999),
            read([(0, "__name__", "up")], 2000, 1000), read([(0, "__name__", "up")], 0, 0),
            read([(0, "__name__", "up")], -5, 1500), read([(0, "_measurement", "up")]), read([(0, "__name__", "many")]),
            request(
                "POST", "/api/v1/prom/read", [],
                Snappy.encoded(PrometheusWire.read([PrometheusWire.query([(0, "__name__", "up")], from: 1, to: 2)]))),
            request(
                "POST", "/api/v1/prom/read?db=nope", [],
                Snappy.encoded(PrometheusWire.read([PrometheusWire.query([(0, "__name__", "up")], from: 1, to: 2)]))),
            request(
                "POST", "/api/v1/prom/read?db=t&rp=nope", [],
                Snappy.encoded(PrometheusWire.read([PrometheusWire.query([(0, "__name__", "up")], from: 1, to: 2)]))),
        ]
    }

    // MARK: With authentication

    private static func basic(_ text: String) -> String {
        "Authorization: Basic " + Data(text.utf8).base64EncodedString()
    }

    static var refusedToStrangers: [TableRow] {
        let credentials = [
            "X: none", basic("reader:wrong"), basic("who:x"), basic(":x"), "Authorization: Basic !!!",
            "Authorization: Bearer a.b.c", "Authorization: Nonsense", "Authorization:",
        ]
        let up = Snappy.encoded(PrometheusWire.write([PrometheusWire.series([("__name__", "up")], [(1, 1)])]))
        return credentials.flatMap { credential in
            [
                request("POST", "/write?db=t", [credential], Array("m v=1 1".utf8)),
                request("POST", "/write", [credential]),
                request("POST", "/query?db=t&q=SELECT+v+FROM+m", [credential]), request("POST", "/query", [credential]),
                request("POST", "/query?q=CREATE+DATABASE+x", [credential]), request("GET", "/ping", [credential]),
                request("GET", "/nothing", [credential]), request("PUT", "/write", [credential]),
                request("POST", "/api/v1/prom/write?db=t", [credential], up),
                request("POST", "/api/v1/prom/read?db=t", [credential], up),
            ]
        }
    }

    static var withCredentials: [TableRow] {
        let up = Snappy.encoded(PrometheusWire.write([PrometheusWire.series([("__name__", "up")], [(1, 1)])]))
        return ["reader", "writer", "root"].flatMap { name in
            [
                request("POST", "/write?db=t", [basic("\(name):\(name)")], Array("m v=1 1".utf8)),
                request("POST", "/write?db=nope", [basic("\(name):\(name)")], Array("m v=1 1".utf8)),
                request("POST", "/write?db=t&u=\(name)&p=\(name)", [], Array("bad".utf8)),
                request("POST", "/query?db=t&q=SELECT+v+FROM+m", [basic("\(name):\(name)")]),
                request("POST", "/query?db=t&q=SHOW+DATABASES&u=\(name)&p=\(name)", []),
                request("POST", "/query?q=CREATE+DATABASE+x", [basic("\(name):\(name)")]),
                request("POST", "/query?db=t&q=DELETE+FROM+m", [basic("\(name):\(name)")]),
                request("POST", "/api/v1/prom/write?db=t", [basic("\(name):\(name)")], up),
                request("POST", "/api/v1/prom/write?db=nope", [basic("\(name):\(name)")], up),
            ]
        }
    }
}
