// What is let through of Flux and what is not: whatever writes is refused, in every spelling.

import Querying
import Testing

struct FluxScanTests {
    @Test(
        "Flux that reads is let through",
        arguments: [
            #"from(bucket: "t/autogen") |> range(start: -1h)"#, #"import "influxdata/influxdb/v1" v1.databases()"#,
            "// to(\nbuckets()", #"from(bucket: "to") |> filter(fn: (r) => r.x == "to(x)")"#, "total()", "x.toString()",
            "",
        ])
    func reads(text: String) {
        #expect(throws: Never.self) { try FluxScan.check(Array(text.utf8)) }
    }

    @Test(
        "Flux that could write is refused",
        arguments: [
            #"x |> to(bucket: "t")"#, "x |> experimental.to(bucket: 1)", "f = to", "influxdb . wideTo (x)",
            "x|>to\n(y)",
            #"experimental["to"](x)"#, #"experimental[ "t\x6f"](x)"#, #""${to(x)}""#, #""a ${x} b ${y |> to(z)}""#,
            "\"a\\\"\" |> to(x)", "// a comment\nto()", "/**/to()",
        ])
    func writes(text: String) {
        #expect(throws: FluxScan.Refusal.self) { try FluxScan.check(Array(text.utf8)) }
    }

    @Test(
        "A request that says more than Flux is refused",
        arguments: [
            (#"{"query":"buckets()"}"#, nil), (#"{"query":"buckets()","type":"flux","dialect":{}}"#, nil),
            (#"{"query":"x |> to()"}"#, 403), (#"{"query":"DROP DATABASE x","type":"influxql"}"#, 403),
            (#"{"ast":{}}"#, 403), (#"{"query":"buckets()","extern":{}}"#, 403), (#"{"QUERY":"x |> to()"}"#, 403),
            (#"{"query":"a()","query":"x |> to()"}"#, 403), ("nonsense", 400), ("", 400), (#"{"query":1}"#, 400),
            (#"{"query":"\u0074o()"}"#, 403),
        ] as [(String, Int?)])
    func requests(body: String, status: Int?) {
        var found: Int?
        do throws(FluxScan.Refusal) {
            try FluxScan.check(Array(body.utf8), contentType: "application/json; charset=utf-8")
        } catch {
            found = error.status
        }
        #expect(found == status)
    }
}
