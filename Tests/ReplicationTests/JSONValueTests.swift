import Replication
import Testing

@Suite("JSON as nodes write it")
struct JSONValueTests {
    @Test(
        "documents become values",
        arguments: [
            ("{}", JSONValue.object([])), (" [ ] \n", .array([])), ("null", .null),
            ("[true,false]", .array([.bool(true), .bool(false)])),
            ("-0.5e+21", .number("-0.5e+21")), ("9223372036854775807", .number("9223372036854775807")),
            (#""a\n\t\"\\\/\u003c\u00e9\ud83d\ude00""#, .string("a\n\t\"\\/<é😀")),
            (#""\ud83d""#, .string("\u{FFFD}")), (#""\ud83dx""#, .string("\u{FFFD}x")),
            (#""\ud83d\u0041""#, .string("\u{FFFD}A")),
            (
                #"{"a":1,"a":{"b":[null]}}"#,
                .object([.init("a", .number("1")), .init("a", .object([.init("b", .array([.null]))]))])
            ),
        ])
    func good(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)) == value)
    }

    @Test(
        "everything else is refused",
        arguments: [
            "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1,}", "{a:1}", "\"", "\"\\",
            "\"\\u12\"",
            "\"\\x\"", "\"\n\"", "tru", "nul", "truee", "-", "01", "-01.5", "1.", "1e", "+1", ".5", "NaN", "Infinity",
            "{} {}", "1 2",
            "]",
            "json: error calling MarshalJSON",
        ])
    func bad(text: String) {
        #expect(throws: JSONFailure.self) { try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test("of the outermost object only the wanted members are kept")
    func skimming() throws {
        let text = #"{"a":[1,{"x":"]}\\\""}],"b":{"a":1} ,"c":"a,\"}", "d" : 5}"#
        func kept(_ keys: Set<String>) throws -> JSONValue {
            try JSONValue(parsing: Array(text.utf8)) { keys.contains($0) }
        }
        #expect(try kept(["b"]) == .object([.init("b", .object([.init("a", .number("1"))]))]))
        #expect(try kept(["d"]) == .object([.init("d", .number("5"))]))
        #expect(try kept([]) == .object([]))
        for end in 1..<text.utf8.count {
            #expect(throws: JSONFailure.self) {
                try JSONValue(parsing: Array(text.utf8.prefix(end))) { _ in false }
            }
        }
    }

    @Test("depth and size are bounded, and no garbage does more than fail")
    func bounds() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: JSONFailure.self) { try JSONValue(parsing: deep) }
        var limits = JSONValue.Limits()
        limits.bytes = 3
        #expect(throws: JSONFailure.self) { try JSONValue(parsing: Array("true".utf8), limits: limits) }
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("{}[]\",:\\u0ed1-.tfn \u{1}\u{ff}".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<24, using: &random)).map { _ in alphabet.randomElement(using: &random)!
            }
            _ = try? JSONValue(parsing: bytes)
        }
    }

    @Test("whole numbers keep all their digits; what is no such number is none")
    func numbers() {
        #expect(JSONValue.number("9223372036854775807").int64 == .max)
        #expect(JSONValue.number("9223372036854775808").int64 == nil)
        #expect(JSONValue.number("1e3").int64 == nil)
        #expect(JSONValue.number("1e3").double == 1000)
        #expect(JSONValue.string("1").int64 == nil)
    }
}
