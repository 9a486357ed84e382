// The values of bound parameters: which JSON gives which value. What a node makes of the same JSON is in the end-to-end
// tests.
import InfluxQL
import Querying
import Testing

@Suite("Values of bound parameters")
struct BoundParameterTests {
    @Test(
        "JSON becomes values as InfluxDB reads it",
        arguments: [
            (#"{"x":"cpu"}"#, BoundValue.string("cpu")), (#"{"x":5}"#, .integer(5)), (#"{"x":-5}"#, .integer(-5)),
            (#"{"x":5.5}"#, .number(5.5)), (#"{"x":5.0}"#, .number(5)), (#"{"x":1.5e3}"#, .number(1500)),
            (#"{"x":true}"#, .boolean(true)), (#"{"x":false}"#, .boolean(false)),
            (#"{"x":null}"#, .invalid("unable to bind parameter with type <nil>")),
            (#"{"x":[1]}"#, .invalid("unable to bind parameter with type []interface {}")),
            (#"{"x":{"identifier":"cpu"}}"#, .identifier("cpu")), (#"{"x":{"ident":"cpu"}}"#, .identifier("cpu")),
            (#"{"x":{"regex":"c.*"}}"#, .regex("c.*")), (#"{"x":{"string":"s"}}"#, .string("s")),
            (#"{"x":{"duration":"1h"}}"#, .duration("1h")),
            (#"{"x":{"float":1.5}}"#, .number(1.5)), (#"{"x":{"number":1}}"#, .number(1)),
            (#"{"x":{"integer":5}}"#, .integer(5)), (#"{"x":{"duration":5}}"#, .duration("5ns")),
            (#"{"x":{"int":5.5}}"#, .invalid("integer literal must be an integer value")),
            (#"{"x":{"int":"5"}}"#, .invalid("integer literal must be an integer value")),
            (#"{"x":{"number":"5"}}"#, .invalid("number literal must be a float value")),
            (#"{"x":{"duration":5.5}}"#, .invalid("duration literal must be a string or integer value")),
            (#"{"x":{"identifier":5}}"#, .invalid("identifier must be a string value")),
            (#"{"x":{}}"#, .invalid("bound object parameter value must have exactly one entry")),
            (
                #"{"x":{"ident":"a","string":"b"}}"#,
                .invalid("bound object parameter value must have exactly one entry")
            ),
            (#"{"x":{"ident":"a","ident":"b"}}"#, .identifier("b")),
            (#"{"x":{"foo":"a"}}"#, .invalid("unknown bind object type: foo")),
            (#"{"x":1,"x":2} and more"#, .integer(2)),
            (#" { "\u0078" : "\u005f\n" } "#, .string("_\n")),
        ])
    func values(json: String, expected: BoundValue) throws {
        #expect(try BoundParameters.read(Array(json.utf8))["x"] == expected)
    }

    private static func invalid(_ words: String) -> String {
        "error parsing query parameters: invalid character " + words
    }

    @Test(
        "what is no JSON object refuses the request",
        arguments: [
            (
                "[]",
                "error parsing query parameters: json: cannot unmarshal array into Go value of type map[string]interface {}"
            ),
            (
                "\"x\"",
                "error parsing query parameters: json: cannot unmarshal string into Go value of type map[string]interface {}"
            ),
            (
                "5",
                "error parsing query parameters: json: cannot unmarshal number into Go value of type map[string]interface {}"
            ),
            (#"{"x":1e0}"#, #"error parsing json value: strconv.ParseInt: parsing "1e0": invalid syntax"#),
            (
                #"{"x":9223372036854775808}"#,
                #"error parsing json value: strconv.ParseInt: parsing "9223372036854775808": value out of range"#
            ),
            (
                #"{"x":1.0e999}"#,
                #"error parsing json value: strconv.ParseFloat: parsing "1.0e999": value out of range"#
            ),
            ("{", "error parsing query parameters: unexpected EOF"), (" \n", "error parsing query parameters: EOF"),
            ("not json", invalid("'o' in literal null (expecting 'u')")),
            ("]", invalid("']' looking for beginning of value")),
            ("{'x':1}", invalid("'\\'' looking for beginning of object key string")),
            (#"{"x" 1}"#, invalid("'1' after object key")), (#"{"x":01}"#, invalid("'1' after object key:value pair")),
            (#"{"x":[1 2]}"#, invalid("'2' after array element")),
            (#"{"x":nul}"#, invalid("'}' in literal null (expecting 'l')")),
            (#"{"x":"\q"}"#, invalid("'q' in string escape code")),
            (#"{"x":"\u00g0"}"#, invalid(#"'g' in \u hexadecimal character escape"#)),
            ("{\"x\":\"\n\"}", invalid(#"'\n' in string literal"#)), (#"{"x":-}"#, invalid("'}' in numeric literal")),
            (#"{"x":1.}"#, invalid("'}' after decimal point in numeric literal")),
            (#"{"x":1.5e}"#, invalid("'}' in exponent of numeric literal")),
            ("é", invalid("'Ã' looking for beginning of value")),
            (#"{"x":"a"#, "error parsing query parameters: unexpected EOF"),
        ])
    func refused(json: String, message: String) {
        #expect(throws: ParametersProblem(message: message)) { try BoundParameters.read(Array(json.utf8)) }
    }

    @Test("nothing and null give no values")
    func none() throws {
        #expect(try BoundParameters.read([]).isEmpty)
        #expect(try BoundParameters.read(Array("null".utf8)).isEmpty)
    }
}
